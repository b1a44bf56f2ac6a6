"""The score: the noise's, the picture's and the density's own agree, in worlds where all of them are known."""

import pytest
import torch

from ddpm_core import schedule
from ddpm_core.diffusion import gaussian, mixture, score
from ddpm_core.diffusion.noise import seeded

COSINE = schedule.cosine(100)
WORLD = mixture.isotropic([0.5, 0.3, 0.2], [[-1.0, 0.0], [1.0, 0.5], [0.0, 1.0]], std=0.3)
T = torch.tensor([1, 7, 30, 60, 95])
X = torch.randn(5, 2, generator=seeded(0), dtype=torch.float64)


def by_autograd(log_density, x):
    x = x.clone().requires_grad_()
    return torch.autograd.grad(log_density(x).sum(), x)[0]


def test_the_noise_is_the_score_of_one_pictures_cloud():
    """grad log q(x_t|x_0) = -eps / sqrt(1 - alpha_bar_t), by differentiating the Gaussian's logarithm."""
    x0, eps = WORLD.sample(5, seeded(1)), torch.randn(5, 2, generator=seeded(2), dtype=torch.float64)
    kept = COSINE.alpha_bar[T][:, None]
    slope = by_autograd(
        lambda x: -((x - kept.sqrt() * x0) ** 2).sum(1) / 2 / (1 - kept[:, 0]),
        kept.sqrt() * x0 + (1 - kept).sqrt() * eps,
    )
    assert torch.allclose(score.from_eps(COSINE, eps, T), slope)


def test_the_mean_noise_is_the_score_of_all():
    """E[eps | x_t] of a mixture, from its posterior mean, is the slope of its log density."""
    eps = gaussian.eps_from_x0(COSINE, X, T, WORLD.posterior_mean(COSINE, X, T))
    slope = by_autograd(lambda x: WORLD.log_q(COSINE, x, T), X)
    assert torch.allclose(score.from_eps(COSINE, eps, T), slope)
    assert torch.allclose(score.from_denoiser(WORLD.denoiser(COSINE), COSINE)(X, T), slope)
    assert torch.allclose(score.to_eps(COSINE, slope, T), eps)


def test_tweedie_finds_the_mean_of_the_pictures():
    slope = by_autograd(lambda x: WORLD.log_q(COSINE, x, T), X)
    mean = WORLD.posterior_mean(COSINE, X, T)
    assert torch.allclose(score.to_x0(COSINE, slope, X, T), mean)
    assert torch.allclose(score.from_x0(COSINE, mean, X, T), slope)


def test_denoising_and_matching_the_score_differ_by_a_constant():
    """E|s - grad log q(x_t|x_0)|^2 - E|s - grad log q(x_t)|^2 is the same for every field s (Vincent 2011)."""
    n, t = 400_000, torch.full((400_000,), 50)
    x0, eps = WORLD.sample(n, seeded(3)), torch.randn(n, 2, generator=seeded(4), dtype=torch.float64)
    x_t = gaussian.q_sample(COSINE, x0, t, eps)
    own, true = score.from_eps(COSINE, eps, t), WORLD.score(COSINE, x_t, t)
    fields = [-x_t, torch.zeros_like(x_t), true, torch.sin(3 * x_t)]
    gaps = torch.stack([(s - own).square().sum(1).mean() - (s - true).square().sum(1).mean() for s in fields])
    assert gaps.std() < 0.01 * gaps.mean()
    assert (-x_t - true).square().sum(1).mean() > 0.05  # the fields do differ


def test_at_time_0_the_noise_says_nothing():
    for wrong in (lambda t: score.from_eps(COSINE, X, t), lambda t: score.from_x0(COSINE, X, X, t)):
        with pytest.raises(ValueError, match="need times 1"):
            wrong(torch.tensor([1, 2, 0, 3, 4]))
