"""The figure of leaps, from Python: its points are the sampler's, and what it refuses."""

import pytest
import torch

from ddpm_core import sampler, schedule
from ddpm_core.book import examples, widgets
from ddpm_core.diffusion import mixture, timesteps

COSINE = schedule.cosine(100)
WORLD = mixture.isotropic([0.5, 0.5], [[-1.0, 0.5], [1.0, -0.5]], std=0.2)


def test_without_noise_the_frames_are_those_of_ddim():
    figure, n = widgets.leaps(COSINE, WORLD, label="x", calls=[2, 7], opens=7), 7
    walked = sampler.ddim(WORLD.denoiser(COSINE), COSINE, figure.frame(n, 0, 0), timesteps.uniform(COSINE, n))
    for k, (_, x) in enumerate(walked):
        assert torch.allclose(figure.frame(n, 0.0, k), x, atol=1e-12)


def test_with_noise_the_points_still_come_to_the_data():
    figure = widgets.leaps(COSINE, WORLD, label="x", calls=[50], opens=50, points=400)
    x = figure.frame(50, 1.0, 50)
    assert abs((x[:, 0] > 0).double().mean() - 0.5) < 0.1 and x.var(0)[0] == pytest.approx(1.04, abs=0.1)
    assert not torch.allclose(x, figure.frame(50, 0.0, 50), atol=0.5)


def test_the_spiral_of_the_book_is_small():
    figure = widgets.leaps(schedule.cosine(1000), examples.spiral(), label="x")
    assert len(figure._repr_html_()) < 90_000


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"world": mixture.isotropic([1.0], [[0.0]], 1.0)}, "round Gaussians of one width in the plane"),
        ({"calls": [3, 2, 5]}, "need rising calls"),
        ({"calls": [1, 2]}, "with 5 among them"),
        ({"calls": [0, 5]}, "between 1 and T = 100"),
        ({"points": 4}, "5 points"),
    ],
)
def test_bad_input_gets_a_sentence(change, sentence):
    given = {"schedule": COSINE, "world": WORLD, "label": "x", **change}
    with pytest.raises(ValueError, match=sentence):
        widgets.leaps(given.pop("schedule"), given.pop("world"), **given)
