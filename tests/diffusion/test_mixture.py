"""The exact world: score and denoiser against autograd, densities against integrals, moments against samples."""

import dataclasses
import math

import pytest
import torch

from ddpm_core.diffusion.gaussian import q_sample
from ddpm_core.diffusion.mixture import GaussianMixture, isotropic
from ddpm_core.diffusion.noise import seeded
from ddpm_core.schedule import cosine, linear

SCHEDULES = pytest.mark.parametrize("schedule", [linear(), cosine(100)], ids=repr)


@pytest.fixture
def points(mixture, normal):
    """points(schedule): likely x_t at every 7th t of the schedule."""

    def draw(schedule):
        t = torch.arange(1, schedule.T + 1, 7)
        return q_sample(schedule, mixture.sample(len(t)), t, normal(len(t), 2)), t

    return draw


@SCHEDULES
def test_the_score_is_the_gradient_of_the_log_density(schedule, mixture, points):
    x_t, t = points(schedule)
    x_t.requires_grad_()
    (gradient,) = torch.autograd.grad(mixture.log_q(schedule, x_t, t).sum(), x_t)
    torch.testing.assert_close(mixture.score(schedule, x_t.detach(), t), gradient, rtol=1e-9, atol=1e-9)


@SCHEDULES
def test_the_denoiser_is_tweedies_formula(schedule, mixture, points):
    """E[x_0 | x_t] = (x_t + (1 - alpha_bar) score) / sqrt(alpha_bar)."""
    x_t, t = points(schedule)
    x_t.requires_grad_()
    (gradient,) = torch.autograd.grad(mixture.log_q(schedule, x_t, t).sum(), x_t)
    alpha_bar = schedule.alpha_bar[t][:, None]
    tweedie = (x_t + (1 - alpha_bar) * gradient) / alpha_bar.sqrt()
    torch.testing.assert_close(mixture.posterior_mean(schedule, x_t.detach(), t), tweedie.detach(), rtol=0, atol=1e-7)


@pytest.mark.parametrize("t", [0, 1, 40, 100])
def test_the_density_integrates_to_one(t):
    world, schedule = isotropic([0.7, 0.3], [[-0.5], [0.8]], 0.2), cosine(100)
    x = torch.linspace(-8, 8, 8001, dtype=torch.float64)[:, None]
    density = world.log_q(schedule, x, torch.full((8001,), t)).exp()
    assert torch.trapezoid(density, x[:, 0]).item() == pytest.approx(1, abs=1e-9)


def test_the_denoiser_beats_every_other_in_squared_error(mixture, normal):
    """E[x_0 | x_t] is the best answer: on samples, moving it any way costs."""
    schedule, n = cosine(100), 20_000
    t, x0 = torch.full((n,), 50), mixture.sample(n)
    x_t = q_sample(schedule, x0, t, normal(n, 2))
    answer = mixture.posterior_mean(schedule, x_t, t)
    left_over = x0 - answer
    # uncorrelated with anything that x_t tells
    for feature in (torch.ones(n).double(), *x_t.T, *answer.T, *x_t.sin().T):
        products = left_over * feature[:, None]
        assert (products.mean(0).abs() < 4.5 * products.std(0) / math.sqrt(n)).all()


def test_clean_points_denoise_to_themselves(mixture):
    x0 = mixture.sample(50)
    for time, tolerance in ((0, 0), (1, 0.1)):
        answer = mixture.posterior_mean(linear(), x0, torch.full((50,), time))
        torch.testing.assert_close(answer, x0, rtol=0, atol=1e-12 + tolerance)


def test_pure_noise_denoises_to_the_mean(mixture, normal):
    answer = mixture.posterior_mean(cosine(1000), normal(50, 2), torch.full((50,), 1000))
    torch.testing.assert_close(answer, mixture.mean.expand(50, 2), rtol=0, atol=1e-3)


@SCHEDULES
def test_the_shares_of_the_modes_sum_to_one(schedule, mixture, points):
    x_t, t = points(schedule)
    share = mixture.responsibilities(schedule, x_t, t)
    assert share.shape == (len(t), 3) and (share >= 0).all()
    torch.testing.assert_close(share.sum(1), torch.ones(len(t)).double(), rtol=0, atol=1e-12)
    at_the_means = mixture.responsibilities(schedule, mixture.means, torch.zeros(3, dtype=torch.long))
    assert (at_the_means.diag() > 0.999).all()


def test_samples_have_the_mean_and_covariance_of_the_world(mixture):
    n = 50_000
    x = mixture.sample(n, torch.Generator().manual_seed(3))
    assert x.shape == (n, 2) and x.dtype == torch.float64
    std = mixture.covariance.diag().sqrt()
    assert ((x.mean(0) - mixture.mean).abs() < 4.5 * std / math.sqrt(n)).all()
    centred = x - mixture.mean
    products = centred[:, :, None] * centred[:, None, :]
    assert ((products.mean(0) - mixture.covariance).abs() < 4.5 * products.std(0) / math.sqrt(n)).all()


def test_samples_follow_their_generator(mixture):
    a, b, c = (mixture.sample(10, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(a, b) and not torch.equal(a, c)


def test_round_modes_are_made_from_lists():
    world = isotropic([0.25, 0.75], [[0.0, 4.0], [4.0, 0.0]], 0.5)
    assert world.variances.tolist() == [[0.25, 0.25]] * 2
    assert world.mean.tolist() == [3.0, 1.0]
    torch.testing.assert_close(world.covariance, torch.tensor([[3.25, -3.0], [-3.0, 3.25]], dtype=torch.float64))


def test_the_denoiser_for_samplers_is_the_denoiser(mixture, normal):
    schedule, x, t = linear(10), normal(4, 2), torch.tensor([1, 2, 3, 10])
    assert torch.equal(mixture.denoiser(schedule)(x, t), mixture.posterior_mean(schedule, x, t))


@pytest.mark.parametrize(
    ("weights", "means", "variances", "message"),
    [
        ([0.5, 0.5], [[0.0], [1.0], [2.0]], [[1.0]] * 3, r"shape \(K, D\) for K = 2"),
        ([0.5, 0.5], [0.0, 1.0], [1.0, 1.0], r"shape \(K, D\)"),
        ([0.5, 0.5], [[0.0], [1.0]], [[1.0, 1.0]] * 2, r"\(2, 1\) and \(2, 2\)"),
        ([0.5, 0.6], [[0.0], [1.0]], [[1.0]] * 2, "sum to 1"),
        ([1.5, -0.5], [[0.0], [1.0]], [[1.0]] * 2, "positive weights"),
        ([0.5, 0.5], [[0.0], [1.0]], [[1.0], [0.0]], "every variance above 0"),
    ],
)
def test_an_impossible_world_is_refused(weights, means, variances, message):
    with pytest.raises(ValueError, match=message):
        GaussianMixture(*(torch.tensor(x, dtype=torch.float64) for x in (weights, means, variances)))


def test_one_time_for_all_points_is_refused(mixture, normal):
    with pytest.raises(ValueError, match="one time per example"):
        mixture.posterior_mean(linear(10), normal(3, 2), torch.tensor([1]))


@pytest.mark.parametrize("shape", [(5, 1), (5, 3), (5,), (5, 2, 1)])
@pytest.mark.parametrize("asked", ["posterior_mean", "posterior_variance", "responsibilities", "score", "log_q"])
def test_points_of_another_dimension_are_refused(asked, shape, mixture, normal):
    t = torch.full((5,), 3)
    with pytest.raises(ValueError, match=r"need points \(B, 2\) in this world, but got \(5"):
        getattr(mixture, asked)(linear(10), normal(*shape), t)


def test_the_least_squared_error_is_what_the_perfect_denoiser_leaves():
    s, world = cosine(100), isotropic([0.3, 0.7], [[-1.0], [0.8]], 0.35)
    x0 = world.sample(200_000, seeded(4))
    for t in (1, 30, 60, 100):
        times = torch.full((len(x0),), t)
        eps = torch.randn(x0.shape, generator=seeded(5, t), dtype=x0.dtype)
        error = (x0 - world.posterior_mean(s, q_sample(s, x0, times, eps), times)) ** 2
        assert abs(error.mean() - world.mmse(s, torch.tensor([t]))[0]) < 5 * error.std() / len(x0) ** 0.5


def test_the_least_squared_error_needs_one_dimension():
    with pytest.raises(ValueError, match="need a mixture in one dimension"):
        isotropic([1.0], [[0.0, 0.0]], 1.0).mmse(cosine(10), torch.tensor([3]))


def test_a_world_cannot_be_changed_and_is_equal_to_itself_alone(mixture):
    same = GaussianMixture(mixture.weights, mixture.means, mixture.variances)
    assert mixture == mixture and mixture != same
    with pytest.raises(dataclasses.FrozenInstanceError):
        mixture.weights = same.weights


@SCHEDULES
def test_the_least_error_of_one_mode_is_its_posterior_variance(schedule):
    """Which is the same at every x_t, so that the sum over x_t has only to add up to 1."""
    t = torch.tensor([1, 40, 99])
    alpha_bar, variance = schedule.alpha_bar[t], 0.5**2
    wanted = variance * (1 - alpha_bar) / (alpha_bar * variance + 1 - alpha_bar)
    torch.testing.assert_close(isotropic([1.0], [[0.3]], 0.5).mmse(schedule, t), wanted, rtol=1e-9, atol=0)
