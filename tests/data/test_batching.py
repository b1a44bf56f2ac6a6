"""The batch of a step: a function of the seed and the step alone; and other ways to draw its times."""

import pytest
import torch

from ddpm_core.data import batches
from ddpm_core.data.times import logit_normal
from ddpm_core.diffusion.noise import seeded
from ddpm_core.schedule import cosine, linear

IMAGES = torch.arange(8 * 16).reshape(8, 1, 4, 4).to(torch.uint8)


def test_a_batch_draws_its_times_as_it_is_told():
    plain, told = (batches(IMAGES, cosine(100), batch=8, seed=3, **how)(5) for how in ({}, {"times": logit_normal()}))
    assert torch.equal(told[1], logit_normal()(cosine(100), 8, seeded(3, 5, 1))) and not torch.equal(told[1], plain[1])
    assert torch.equal(told[0], plain[0]) and torch.equal(told[2], plain[2])  # the same pictures, the same noise


@pytest.mark.parametrize(("mean", "std"), [(0.0, 1.0), (-1.0, 0.5)])
def test_the_logit_of_a_logit_normal_time_is_normal(mean, std):
    """T is large, so that whole numbers hide little of it."""
    t = logit_normal(mean, std)(linear(100_000), 20_000, torch.Generator().manual_seed(0)).double() / 100_000
    logit = (t / (1 - t)).log()
    levels = torch.tensor([0.01, 0.1, 0.5, 0.9, 0.99], dtype=torch.float64)
    assert torch.allclose(logit.quantile(levels), mean + std * torch.special.ndtri(levels), atol=0.01)


def test_logit_normal_times_are_times_spread_shuffled_and_repeatable():
    ways = logit_normal(0.0, 30.0), logit_normal()
    for times in ways:
        draws = [times(linear(50), 64, torch.Generator().manual_seed(seed)) for seed in (3, 3, 4)]
        assert draws[0].dtype == torch.long and draws[0].min() >= 1 and draws[0].max() <= 50
        assert torch.equal(draws[0], draws[1]) and not torch.equal(draws[0], draws[0].sort().values)
    counts = torch.stack([(ways[1](linear(50), 64, torch.Generator().manual_seed(s)) <= 25).sum() for s in range(50)])
    assert (counts - 32).abs().max() <= 1  # one from each 64th of the distribution
