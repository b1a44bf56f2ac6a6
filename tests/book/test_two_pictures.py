"""The world of two pictures: its chains of one number are what the package's sampler does to whole pictures."""

import numpy as np
import pytest
import torch

from ddpm_core import sampler
from ddpm_core.book.widgets import two_pictures
from ddpm_core.book.widgets.hashed_noise import normals
from ddpm_core.diffusion import mixture
from ddpm_core.schedule import cosine, linear


def test_the_noise_is_standard_normal_and_independent():
    z = normals(400_000).reshape(1000, 400)
    n = z.size
    assert abs(z.mean()) < 4 / n**0.5 and abs(z.var() - 1) < 4 * (2 / n) ** 0.5
    assert abs((z**4).mean() - 3) < 4 * (96 / n) ** 0.5 and abs(z).max() < 6
    for along in (z[1:] * z[:-1], z[:, 1:] * z[:, :-1]):
        assert abs(along.mean()) < 4 / n**0.5
    assert np.array_equal(normals(4000), z[:10].flatten())
    starts = two_pictures.starts()
    assert abs(starts.mean()) < 1e-9 and abs(starts.var() - 1) < 0.02 and abs(starts[:40].mean()) < 0.5


@pytest.mark.parametrize("schedule", [linear(1000), cosine(50), linear(200)], ids=repr)
def test_a_chain_of_one_number_is_the_picture_s_part_of_a_chain_of_pictures(schedule):
    picture = torch.tensor([0.9, -0.5, 0.1, 0.7, -1.0], dtype=torch.float64)
    size, n = picture.norm(), two_pictures.CHAINS
    world = mixture.isotropic([0.8, 0.2], [picture.tolist(), (-picture).tolist()], two_pictures.STD)
    along, z = picture / size, torch.from_numpy(normals(schedule.T * n)).reshape(-1, n)
    other = torch.randn(schedule.T + 1, n, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    across = other - (other @ along)[..., None] * along  # noise that does not touch the picture
    x = two_pictures.starts()[:, None] * along + across[-1]
    for t in range(schedule.T, 0, -1):
        now = torch.full((n,), t)
        x0_hat = world.posterior_mean(schedule, x, now)
        x = sampler.ddpm_step(schedule, x, now, x0_hat, z[t - 1][:, None] * along + across[t - 1])
    torch.testing.assert_close(two_pictures.chains(schedule, size.item()), x @ along, rtol=0, atol=1e-8)
