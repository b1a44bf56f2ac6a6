"""The algebra of Gaussians: the chain against the jump, the posterior against Bayes, the KL against torch."""

import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from ddpm_core.diffusion.gaussian import (
    eps_from_x0,
    kl,
    posterior_coefficients,
    q_posterior,
    q_sample,
    q_step,
    x0_from_eps,
)
from ddpm_core.schedule import cosine, from_betas, linear, sigmoid

SCHEDULES = pytest.mark.parametrize("schedule", [linear(), cosine(300), sigmoid(50), linear(6, 0.1, 0.6)], ids=repr)


def ones(n, value=1.0):
    return torch.full((n,), value, dtype=torch.float64)


def step_moments(schedule, t):
    """What one step to each t does, read off the code: x_t = a x_{t-1} + b eps."""
    n = len(t)
    return q_step(schedule, ones(n), t, ones(n, 0)), q_step(schedule, ones(n, 0), t, ones(n))


def jump_moments(schedule, t):
    """What the jump to each t does: x_t = a x_0 + b eps."""
    n = len(t)
    return q_sample(schedule, ones(n), t, ones(n, 0)), q_sample(schedule, ones(n, 0), t, ones(n))


def walk(schedule, mean=0.7, variance=0.0):
    """Mean and variance at t = 0, 1, ..., T, carried through the chain one step at a time."""
    steps_a, steps_b = step_moments(schedule, torch.arange(1, schedule.T + 1))
    path = [(mean, variance)]
    for a, b in zip(steps_a.tolist(), steps_b.tolist(), strict=True):
        mean, variance = a * mean, a * a * variance + b * b
        path.append((mean, variance))
    return torch.tensor(path, dtype=torch.float64).T


def assert_z(samples, mean, variance, sigmas=4.5):
    """The samples' mean and variance lie within so many standard errors of what they should be."""
    n = len(samples)
    assert abs(samples.mean() - mean) < sigmas * math.sqrt(variance / n)
    assert abs(samples.var() / variance - 1) < sigmas * math.sqrt(2 / (n - 1))


# ---- forwards --------------------------------------------------------------------------------------------------


@SCHEDULES
def test_one_step_keeps_unit_variance(schedule):
    t = torch.arange(schedule.T + 1)
    a, b = step_moments(schedule, t)
    torch.testing.assert_close(a**2 + b**2, ones(len(t)), rtol=0, atol=1e-14)
    torch.testing.assert_close(b**2, schedule.beta, rtol=1e-14, atol=0)  # and beta_t of it is new
    _, variance = walk(schedule, variance=1.0)
    torch.testing.assert_close(variance, ones(len(t)), rtol=0, atol=1e-11)


def test_a_step_at_time_0_changes_nothing(normal):
    x, eps = normal(5, 2), normal(5, 2)
    assert torch.equal(q_step(linear(), x, torch.zeros(5, dtype=torch.long), eps), x)
    assert torch.equal(q_sample(linear(), x, torch.zeros(5, dtype=torch.long), eps), x)


def test_sum_of_gaussians_is_gaussian():
    """a z1 + b z2 is Gaussian of variance a^2 + b^2; a and b are what two steps make of their two noises.

    The density of a sum is the convolution of the densities, done here on a grid.
    """
    schedule, t1, t2 = linear(2, 0.3, 0.4), torch.tensor([1]), torch.tensor([2])
    a = q_step(schedule, q_step(schedule, ones(1, 0), t1, ones(1)), t2, ones(1, 0)).item()
    b = q_step(schedule, q_step(schedule, ones(1, 0), t1, ones(1, 0)), t2, ones(1)).item()
    x = torch.linspace(-8, 8, 1601, dtype=torch.float64)

    def density(std):
        return Normal(0 * x, std).log_prob(x).exp()

    first, second = density(a), density(b)
    both = torch.nn.functional.conv1d(first[None, None], second[None, None], padding=800).flatten() * 0.01
    jump = q_sample(schedule, ones(1, 0), t2, ones(1)).item()  # the one noise that stands in for both
    torch.testing.assert_close(both, density(jump), rtol=0, atol=1e-10)
    assert math.isclose(jump**2, a**2 + b**2, rel_tol=1e-12)


@SCHEDULES
def test_t_steps_equal_the_jump(schedule):
    mean, variance = walk(schedule)
    a, b = jump_moments(schedule, torch.arange(schedule.T + 1))
    torch.testing.assert_close(0.7 * a, mean, rtol=1e-10, atol=0)
    torch.testing.assert_close(b**2, variance, rtol=1e-10, atol=1e-14)


def test_t_simulated_steps_have_the_moments_of_the_jump(normal):
    schedule, n = linear(30, 0.01, 0.2), 20_000
    x = x0 = ones(n, 0.7)
    for t in range(1, 31):
        x = q_step(schedule, x, torch.full((n,), t), normal(n))
        if t in (1, 10, 30):
            a, b = jump_moments(schedule, torch.tensor([t]))
            assert_z(x, 0.7 * a.item(), b.item() ** 2)
            assert_z(q_sample(schedule, x0, torch.full((n,), t), normal(n)), 0.7 * a.item(), b.item() ** 2)


@SCHEDULES
def test_alpha_bar_is_the_product(schedule):
    """Without noise, t steps multiply x_0 by the product of their factors; its square is alpha_bar_t."""
    a, _ = step_moments(schedule, torch.arange(1, schedule.T + 1))
    products = [math.prod(a[:t].tolist()) ** 2 for t in range(schedule.T + 1)]
    torch.testing.assert_close(schedule.alpha_bar, torch.tensor(products, dtype=torch.float64), rtol=1e-10, atol=0)


@SCHEDULES
def test_jump_then_jump_is_a_jump(schedule):
    """Chapman-Kolmogorov: from 0 to s and from there to t is as good as from 0 to t, whatever s was."""
    T, s = schedule.T, schedule.T // 3
    later = from_betas(schedule.beta[s + 1 :])  # the chain that begins at s
    first_a, first_b = jump_moments(schedule, torch.tensor([s]))
    then_a, then_b = jump_moments(later, torch.arange(T - s + 1))
    whole_a, whole_b = jump_moments(schedule, torch.arange(s, T + 1))
    torch.testing.assert_close(then_a * first_a, whole_a, rtol=1e-10, atol=0)
    torch.testing.assert_close(then_a**2 * first_b**2 + then_b**2, whole_b**2, rtol=1e-10, atol=0)


@SCHEDULES
def test_unit_variance_in_unit_variance_out(schedule, normal):
    t = torch.arange(schedule.T + 1)
    a, b = jump_moments(schedule, t)
    torch.testing.assert_close(a**2 + b**2, ones(len(t)), rtol=0, atol=1e-14)
    n, data = 20_000, normal(20_000).sign()  # far from Gaussian, variance 1
    for time in (1, schedule.T // 2, schedule.T):
        x_t = q_sample(schedule, data, torch.full((n,), time), normal(n))
        assert abs(x_t.var() - 1) < 4.5 * math.sqrt(2 / n)


@pytest.mark.parametrize("schedule", [linear(1000), cosine(1000)], ids=["linear", "cosine"])
def test_the_end_is_standard_normal(schedule):
    assert 0 < nats_from_standard_normal(schedule) < 1e-4


@SCHEDULES
def test_the_price_of_the_far_end_is_its_formula(schedule):
    alpha_bar, x0 = schedule.alpha_bar[-1], torch.tensor(0.7, dtype=torch.float64)
    price = kl(alpha_bar.sqrt() * x0, 1 - alpha_bar, 0 * x0, 0 * x0 + 1)
    formula = (alpha_bar * x0**2 - alpha_bar - torch.log1p(-alpha_bar)) / 2
    torch.testing.assert_close(price, formula, rtol=1e-9, atol=1e-14)


def test_too_few_steps_with_the_same_betas_leave_a_signal():
    assert nats_from_standard_normal(linear(200)) > 0.05  # a thousand times more, for each pixel


def nats_from_standard_normal(schedule):
    """KL( q(x_T | x_0) || N(0, 1) ) of one white pixel, x_0 = 1."""
    a, b = jump_moments(schedule, torch.tensor([schedule.T]))
    return kl(a, b**2, ones(1, 0), ones(1)).item()


def test_each_image_is_noised_by_its_own_time(normal):
    schedule, t = linear(100), torch.tensor([1, 50, 100])
    x0, eps = normal(3, 2, 4, 4), normal(3, 2, 4, 4)
    together = q_sample(schedule, x0, t, eps)
    for k in range(3):
        assert torch.equal(together[k], q_sample(schedule, x0[k : k + 1], t[k : k + 1], eps[k : k + 1])[0])


# ---- backwards -------------------------------------------------------------------------------------------------


@SCHEDULES
def test_posterior_is_bayes_rule(schedule, normal):
    """q(x_{t-1} | x_t, x_0) q(x_t | x_0) = q(x_t | x_{t-1}) q(x_{t-1} | x_0), as log-densities at random points."""
    t = torch.arange(2, schedule.T + 1)
    n = len(t)
    x0, eps, x_prev = normal(n), normal(n), normal(n)
    x_t = q_sample(schedule, x0, t, eps)
    mean, variance = q_posterior(schedule, x0, x_t, t)
    step_a, step_b = step_moments(schedule, t)
    now_a, now_b = jump_moments(schedule, t)
    before_a, before_b = jump_moments(schedule, t - 1)
    # a likely x_{t-1}, so that the densities do not run to -10^6, where 10^-10 would be below float64
    x_prev = mean + variance.sqrt() * x_prev
    left = Normal(mean, variance.sqrt()).log_prob(x_prev) + Normal(now_a * x0, now_b).log_prob(x_t)
    right = Normal(step_a * x_prev, step_b).log_prob(x_t) + Normal(before_a * x0, before_b).log_prob(x_prev)
    torch.testing.assert_close(left, right, rtol=0, atol=1e-10)


@SCHEDULES
def test_the_posterior_at_time_1_is_the_clean_image(schedule, normal):
    x0, x_t = normal(4, 3), normal(4, 3)
    mean, variance = q_posterior(schedule, x0, x_t, torch.ones(4, dtype=torch.long))
    torch.testing.assert_close(mean, x0, rtol=1e-12, atol=1e-12)
    assert variance.shape == (4, 1) and (variance == 0).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_the_posterior_at_time_1_is_the_clean_image_in_every_precision(dtype):
    x0, x_t = (torch.randn(4, 2, 2, dtype=torch.float64).to(dtype) for _ in range(2))
    for schedule in (linear(), cosine()):
        mean, variance = q_posterior(schedule, x0, x_t, torch.ones(4, dtype=torch.long))
        assert torch.equal(mean, x0) and (variance == 0).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_the_posteriors_coefficients_are_rounded_once(dtype):
    """1 - alpha_bar_t is tiny at first: taken after the rounding, half of its digits or all would be gone."""
    for schedule in (linear(), cosine()):
        t = torch.arange(1, schedule.T + 1)
        exact = posterior_coefficients(schedule, t, torch.zeros(len(t), dtype=torch.float64))
        rounded = posterior_coefficients(schedule, t, torch.zeros(len(t), dtype=dtype))
        for a, b in zip(exact, rounded, strict=True):
            assert torch.equal(a.to(dtype), b)


@SCHEDULES
def test_the_posterior_of_the_mean_path_stays_on_it(schedule):
    """Without noise x_t = sqrt(alpha_bar_t) x_0, and the step back must land on sqrt(alpha_bar_{t-1}) x_0."""
    t = torch.arange(1, schedule.T + 1)
    x0 = ones(len(t), 0.7)
    mean, _ = q_posterior(schedule, x0, schedule.alpha_bar[t].sqrt() * x0, t)
    torch.testing.assert_close(mean, schedule.alpha_bar[t - 1].sqrt() * x0, rtol=1e-9, atol=0)


@SCHEDULES
def test_x0_and_eps_are_inverse(schedule, normal):
    t = torch.arange(1, schedule.T + 1)
    x0, eps = normal(len(t), 3), normal(len(t), 3)
    x_t = q_sample(schedule, x0, t, eps)
    torch.testing.assert_close(eps_from_x0(schedule, x_t, t, x0), eps, rtol=0, atol=1e-10)
    torch.testing.assert_close(x0_from_eps(schedule, x_t, t, eps), x0, rtol=0, atol=1e-10)


# ---- kl --------------------------------------------------------------------------------------------------------


def test_kl_matches_torch(normal):
    mean1, mean2, std1, std2 = normal(50, 4), normal(50, 4), normal(50, 4).exp(), normal(50, 4).exp()
    theirs = kl_divergence(Normal(mean1, std1), Normal(mean2, std2))
    torch.testing.assert_close(kl(mean1, std1**2, mean2, std2**2), theirs, rtol=1e-10, atol=1e-12)


def test_kl_is_zero_for_equals_and_positive_otherwise(normal):
    mean, variance = normal(50), normal(50).exp()
    assert (kl(mean, variance, mean, variance) == 0).all()
    assert (kl(mean, variance, mean + 0.01, variance) > 0).all()
    assert (kl(mean, variance, mean, variance * 1.01) > 0).all()
    assert (kl(mean, variance, mean, variance / 1.01) > 0).all()


# ---- refusals --------------------------------------------------------------------------------------------------

FUNCTIONS = pytest.mark.parametrize(
    "call",
    [
        lambda x, other, t: q_step(linear(10), x, t, other),
        lambda x, other, t: q_sample(linear(10), x, t, other),
        lambda x, other, t: q_posterior(linear(10), x, other, t),
        lambda x, other, t: x0_from_eps(linear(10), x, t, other),
        lambda x, other, t: eps_from_x0(linear(10), x, t, other),
    ],
    ids=["q_step", "q_sample", "q_posterior", "x0_from_eps", "eps_from_x0"],
)


@FUNCTIONS
def test_noise_of_another_shape_is_refused(call, normal):
    with pytest.raises(ValueError, match=r"shaped like .*\(2, [13]\).*\(2, [31]\)"):
        call(normal(2, 3), normal(2, 1), torch.tensor([1, 2]))


@FUNCTIONS
def test_times_outside_the_schedule_are_refused(call, normal):
    with pytest.raises(ValueError, match="from 1 to 11"):
        call(normal(2, 3), normal(2, 3), torch.tensor([1, 11]))
    with pytest.raises(ValueError, match="-1"):
        call(normal(2, 3), normal(2, 3), torch.tensor([1, -1]))


@FUNCTIONS
def test_one_time_for_many_examples_is_refused(call, normal):
    with pytest.raises(ValueError, match="one time per example"):
        call(normal(2, 3), normal(2, 3), torch.tensor([1]))


@FUNCTIONS
def test_images_of_whole_numbers_are_refused(call):
    images = torch.zeros(2, 3, dtype=torch.uint8)
    with pytest.raises(ValueError, match=r"tensor of floating-point numbers, but got torch.uint8 of shape \(2, 3\)"):
        call(images, images, torch.tensor([1, 2]))


def test_nothing_lies_before_clean_data(normal):
    x, t = normal(2, 3), torch.tensor([1, 0])
    for call in (
        lambda: q_posterior(linear(10), x, x, t),
        lambda: posterior_coefficients(linear(10), t, x),
        lambda: eps_from_x0(linear(10), x, t, x),
    ):
        with pytest.raises(ValueError, match=r"need times 1\.\.T.*does not exist at t = 0"):
            call()
