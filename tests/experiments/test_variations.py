"""What chapter 8 changes of a training, one thing at a time."""

import pytest
import torch

from ddpm_core.diffusion.gaussian import q_sample
from ddpm_core.diffusion.prediction import V
from ddpm_core.recipes.config import network
from ddpm_core.schedule import cosine
from experiments.ch08.variations import VARIATIONS, Training, preconditioned

SCHEDULE = cosine(1000)
T = torch.tensor([1, 40, 300, 700, 1000])


@pytest.fixture
def noised():
    """(x0, x_t, eps) at the times T."""
    generator = torch.Generator().manual_seed(0)
    x0, eps = (torch.randn(len(T), 1, 8, 8, generator=generator, dtype=torch.float64) for _ in range(2))
    return x0, q_sample(SCHEDULE, x0, T, eps), eps


def test_preconditioned_for_unit_variance_is_v_with_its_sign_turned(noised):
    x0, x_t, eps = noised
    target = preconditioned(1.0).target(SCHEDULE, x0, x_t, T, eps)
    torch.testing.assert_close(target, -V.target(SCHEDULE, x0, x_t, T, eps), rtol=0, atol=1e-12)


@pytest.mark.parametrize("sigma", [0.25, 0.5, 2.0])
def test_preconditioned_asks_for_unit_variance_of_what_is_uncorrelated_with_its_input(sigma):
    generator = torch.Generator().manual_seed(0)
    x0, eps = (torch.randn(len(T), 1, 200, 200, generator=generator, dtype=torch.float64) for _ in range(2))
    x0 = sigma * x0
    x_t, predict = q_sample(SCHEDULE, x0, T, eps), preconditioned(sigma)
    target = predict.target(SCHEDULE, x0, x_t, T, eps)
    torch.testing.assert_close(target.square().mean((1, 2, 3)), torch.ones(5, dtype=torch.float64), rtol=0.03, atol=0)
    assert (target * x_t).mean((1, 2, 3)).abs().max() < 0.03
    torch.testing.assert_close(predict.to_x0(SCHEDULE, target, x_t, T), x0, rtol=0, atol=1e-10)
    moved = predict.to_x0(SCHEDULE, target + 1, x_t, T) - x0
    torch.testing.assert_close(moved, predict.x0_scale(SCHEDULE, T, x0).expand_as(x0), rtol=0, atol=1e-10)


@pytest.mark.parametrize("variation", VARIATIONS)
def test_each_variation_builds_a_network_and_keeps_what_it_does_not_name(variation):
    plain, changed = (Training("fashion32", 1, name, 0).config() for name in ("adam", variation))
    with torch.device("meta"):
        assert network(changed, 1, 10).in_channels == 1
    assert (changed.schedule, changed.steps, changed.ema_decay) == (plain.schedule, plain.steps, plain.ema_decay)
    assert (variation == "adam") == (changed == plain)
