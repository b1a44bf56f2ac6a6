"""The step back, line by line as chapter 3 derives it: each line against densities, a grid, or the code of another."""

import math

import pytest
import torch
from torch.distributions import Normal

from ddpm_core.diffusion.gaussian import product_of_gaussians, q_posterior, q_sample, q_step, x0_from_eps
from ddpm_core.diffusion.mixture import isotropic
from ddpm_core.diffusion.variance import beta_tilde
from ddpm_core.sampler import ddim_step
from ddpm_core.schedule import cosine, linear, sigmoid

SCHEDULES = pytest.mark.parametrize("schedule", [linear(), cosine(300), sigmoid(50), linear(6, 0.1, 0.6)], ids=repr)


def number(value):
    return torch.tensor([value], dtype=torch.float64)


def factors(call, t):
    """a and b of x_after = a x_before + b eps, read off the code."""
    one, zero = torch.ones(len(t), dtype=torch.float64), torch.zeros(len(t), dtype=torch.float64)
    return call(one, t, zero), call(zero, t, one)


def witnesses(schedule, x0, x_t, t):
    """What x_0 says of x_{t-1} and what x_t says of it: (mean, variance, mean, variance), from the forward code."""
    jump_a, jump_b = factors(lambda x, t, eps: q_sample(schedule, x, t, eps), t - 1)
    step_a, step_b = factors(lambda x, t, eps: q_step(schedule, x, t, eps), t)
    return jump_a * x0, jump_b**2, x_t / step_a, (step_b / step_a) ** 2


# ---- the product of two Gaussians --------------------------------------------------------------------------------


def test_the_product_of_two_densities_is_a_multiple_of_the_third(normal):
    """log N1(x) + log N2(x) - log N(x) is the same number at every x."""
    mean1, mean2, variance1, variance2 = normal(9, 1), normal(9, 1), normal(9, 1).exp(), normal(9, 1).exp()
    mean, variance = product_of_gaussians(mean1, variance1, mean2, variance2)
    x = torch.linspace(-3, 3, 7, dtype=torch.float64)
    pair = Normal(mean1, variance1.sqrt()).log_prob(x) + Normal(mean2, variance2.sqrt()).log_prob(x)
    left_over = pair - Normal(mean, variance.sqrt()).log_prob(x)
    torch.testing.assert_close(left_over, left_over[:, :1].expand(9, 7), rtol=0, atol=1e-11)
    # and the multiple is how well the two agree: the density of their difference, at 0
    agreement = Normal(mean1 - mean2, (variance1 + variance2).sqrt()).log_prob(0 * mean1)
    torch.testing.assert_close(left_over[:, :1], agreement, rtol=0, atol=1e-11)


def test_precisions_add_and_means_are_weighed_by_them(normal):
    mean1, mean2, variance1, variance2 = normal(9), normal(9), normal(9).exp(), normal(9).exp()
    mean, variance = product_of_gaussians(mean1, variance1, mean2, variance2)
    torch.testing.assert_close(1 / variance, 1 / variance1 + 1 / variance2, rtol=1e-12, atol=0)
    torch.testing.assert_close(mean / variance, mean1 / variance1 + mean2 / variance2, rtol=1e-12, atol=1e-12)


def test_the_order_of_a_product_does_not_matter(normal):
    a, b, c = ((normal(5), normal(5).exp()) for _ in range(3))
    torch.testing.assert_close(product_of_gaussians(*a, *b), product_of_gaussians(*b, *a), rtol=1e-14, atol=0)
    torch.testing.assert_close(
        product_of_gaussians(*product_of_gaussians(*a, *b), *c),
        product_of_gaussians(*a, *product_of_gaussians(*b, *c)),
        rtol=1e-12,
        atol=1e-13,
    )


def test_who_is_certain_decides():
    assert product_of_gaussians(number(0.3), number(0.0), number(5.0), number(2.0)) == (0.3, 0)
    assert product_of_gaussians(number(5.0), number(2.0), number(0.3), number(0.0)) == (0.3, 0)


@pytest.mark.parametrize("variances", [(0.0, 0.0), (-1.0, 2.0), (2.0, -1.0), (1.0, -1.0)])
def test_impossible_variances_are_refused(variances):
    first, second = variances
    with pytest.raises(ValueError, match=f"variances of at least 0, not both 0, but .* {first:g} and {second:g}"):
        product_of_gaussians(number(0.0), number(first), number(0.0), number(second))


# ---- the posterior -----------------------------------------------------------------------------------------------


@SCHEDULES
def test_given_the_present_the_beginning_says_nothing_new(schedule):
    """q(x_t | x_{t-1}, x_0) = q(x_t | x_{t-1}): the best line from both puts 0 on x_0, whatever the data's variance."""
    t = torch.arange(1, schedule.T + 1)
    step_a, _ = factors(lambda x, t, eps: q_step(schedule, x, t, eps), t)
    before_a, before_b = factors(lambda x, t, eps: q_sample(schedule, x, t, eps), t - 1)
    now_a, _ = factors(lambda x, t, eps: q_sample(schedule, x, t, eps), t)
    for variance in (0.1, 1.0, 5.0):
        prev_prev, prev_clean = before_a**2 * variance + before_b**2, before_a * variance
        now_prev, now_clean = step_a * prev_prev, now_a * variance  # the last one without the step
        # covariance of x_t with x_0 that is left when x_{t-1} is known, over the one there was
        left = 1 - now_prev * prev_clean / prev_prev / now_clean
        torch.testing.assert_close(left, 0 * left, rtol=0, atol=1e-10)


@SCHEDULES
def test_the_exponent_is_a_quadratic(schedule, normal):
    """log q(x_t | x_{t-1}) + log q(x_{t-1} | x_0) = -1/2 (x_{t-1}^2 - 2 mean x_{t-1}) / variance + a constant."""
    t = torch.arange(2, schedule.T + 1)
    x0, x_t = normal(len(t)), normal(len(t))
    mean, variance = q_posterior(schedule, x0, x_t, t)
    step_a, step_b = factors(lambda x, t, eps: q_step(schedule, x, t, eps), t)
    before_a, before_b = factors(lambda x, t, eps: q_sample(schedule, x, t, eps), t - 1)

    def exponent(x):
        return Normal(step_a * x, step_b).log_prob(x_t) + Normal(before_a * x0, before_b).log_prob(x)

    left, middle, right = (exponent(x * torch.ones(len(t), dtype=torch.float64)) for x in (-1, 0, 1))
    # the densities run to -10^4 in linear()'s narrow steps, hence 1e-9 of their size and no better
    torch.testing.assert_close(-(left - 2 * middle + right), 1 / variance, rtol=1e-9, atol=0)
    torch.testing.assert_close((right - left) / 2, mean / variance, rtol=1e-9, atol=1e-9)


@SCHEDULES
def test_the_posterior_is_the_product_of_two_witnesses(schedule, normal):
    t = torch.arange(1, schedule.T + 1)  # t = 1 too: there x_0 is certain
    x0, x_t = normal(len(t)), normal(len(t))
    got = q_posterior(schedule, x0, x_t, t)
    torch.testing.assert_close(got, product_of_gaussians(*witnesses(schedule, x0, x_t, t)), rtol=1e-9, atol=1e-11)


@SCHEDULES
def test_the_mean_in_terms_of_the_noise(schedule, normal):
    t = torch.arange(1, schedule.T + 1)
    x_t, eps = normal(len(t)), normal(len(t))
    mean, _ = q_posterior(schedule, x0_from_eps(schedule, x_t, t, eps), x_t, t)
    short = (x_t - schedule.beta[t] / (1 - schedule.alpha_bar[t]).sqrt() * eps) / schedule.alpha[t].sqrt()
    torch.testing.assert_close(mean, short, rtol=0, atol=1e-10)


@SCHEDULES
def test_the_mean_in_terms_of_the_velocity(schedule, normal):
    """sqrt(alpha_t) x_t - sqrt(alpha_bar_{t-1}) beta_t / sqrt(1 - alpha_bar_t) v: chapter 3's second exercise."""
    t = torch.arange(1, schedule.T + 1)
    x_t, v, alpha_bar = normal(len(t)), normal(len(t)), schedule.alpha_bar[t]
    mean, _ = q_posterior(schedule, alpha_bar.sqrt() * x_t - (1 - alpha_bar).sqrt() * v, x_t, t)
    of_v = schedule.alpha_bar[t - 1].sqrt() * schedule.beta[t] / (1 - alpha_bar).sqrt()
    torch.testing.assert_close(mean, schedule.alpha[t].sqrt() * x_t - of_v * v, rtol=0, atol=1e-10)


@SCHEDULES
def test_beta_tilde_lies_below_beta_and_comes_close(schedule):
    ratio = schedule.beta_tilde[1:] / schedule.beta[1:]
    assert ratio[0] == 0 and (ratio[1:] > 0).all() and (ratio < 1).all()
    assert (ratio.diff() > 0).all()
    # what is missing is what x_0 says: sqrt(alpha_bar_{t-1}) times its factor in the mean
    missing = schedule.alpha_bar[:-1] * schedule.beta[1:] / (1 - schedule.alpha_bar[1:])
    torch.testing.assert_close(1 - ratio, missing, rtol=1e-9, atol=1e-15)


def test_two_steps_back_are_the_wide_step_of_ddim(normal):
    """q(x_s | x_t, x_0) from two posteriors in a row is DDIM's step with eta = 1: two papers agree."""
    schedule, n = linear(6, 0.1, 0.6), 4
    t, x0, x_t = torch.full((n,), 5), normal(n), normal(n)
    mean4, variance4 = q_posterior(schedule, x0, x_t, t)
    mean3, variance3 = q_posterior(schedule, x0, mean4, t - 1)
    slope = q_posterior(schedule, 0 * x0, torch.ones_like(x0), t - 1)[0]
    centre = ddim_step(schedule, x_t, t, t - 2, x0, 0 * x_t, eta=1.0)
    width = ddim_step(schedule, x_t, t, t - 2, x0, torch.ones_like(x_t), eta=1.0) - centre
    torch.testing.assert_close(mean3, centre, rtol=0, atol=1e-12)
    torch.testing.assert_close(variance3 + slope**2 * variance4, width**2, rtol=1e-12, atol=0)


# ---- the step back that knows only x_t ---------------------------------------------------------------------------


def on_a_grid(world, schedule, x_t, t):
    """Mean and variance of q(x_{t-1} | x_t), by Bayes' rule on a grid, for single numbers x_t and t."""
    x = torch.linspace(-9, 9, 60_001, dtype=torch.float64)
    everyone = torch.full((len(x),), t)
    step_a, step_b = factors(lambda x, t, eps: q_step(schedule, x, t, eps), everyone[:1])
    log_density = Normal(step_a * x, step_b).log_prob(number(x_t)) + world.log_q(schedule, x[:, None], everyone - 1)
    density = log_density.softmax(0)
    mean = (density * x).sum()
    return mean, (density * (x - mean) ** 2).sum()


@pytest.mark.parametrize("schedule", [linear(6, 0.1, 0.6), cosine(20), linear()], ids=repr)
def test_the_true_step_back_needs_the_mean_and_the_spread_of_x0(schedule):
    world = isotropic([0.3, 0.7], [[-1.0], [0.8]], 0.2)
    for t in (2, schedule.T // 2, schedule.T):
        for x_t in (-1.3, 0.1, 0.9):
            x, times = number(x_t)[:, None], torch.tensor([t])
            mean, beta_tilde = q_posterior(schedule, world.posterior_mean(schedule, x, times), x, times)
            of_x0 = q_posterior(schedule, torch.ones_like(x), 0 * x, times)[0]
            variance = beta_tilde + of_x0**2 * world.posterior_variance(schedule, x, times)
            got = torch.cat([mean.flatten(), variance.flatten()])
            torch.testing.assert_close(got, torch.stack(on_a_grid(world, schedule, x_t, t)), rtol=0, atol=1e-9)


@SCHEDULES
def test_standard_normal_data_step_back_with_variance_beta(schedule, normal):
    t = torch.arange(1, schedule.T + 1)
    x_t = normal(len(t), 1)
    world = isotropic([1.0], [[0.0]], 1.0)
    mean, beta_tilde = q_posterior(schedule, world.posterior_mean(schedule, x_t, t), x_t, t)
    of_x0 = q_posterior(schedule, torch.ones_like(x_t), 0 * x_t, t)[0]
    variance = beta_tilde + of_x0**2 * world.posterior_variance(schedule, x_t, t)
    torch.testing.assert_close(mean, schedule.alpha[t].sqrt()[:, None] * x_t, rtol=0, atol=1e-11)
    torch.testing.assert_close(variance, schedule.beta[t][:, None], rtol=1e-9, atol=0)
    # the same from the product rule: what x_{t-1} is by itself, and what x_t says
    _, _, mean2, variance2 = witnesses(schedule, 0 * x_t[:, 0], x_t[:, 0], t)
    both = product_of_gaussians(torch.zeros(len(t)).double(), torch.ones(len(t)).double(), mean2, variance2)
    torch.testing.assert_close(both, (mean[:, 0], variance[:, 0]), rtol=1e-9, atol=1e-11)


@SCHEDULES
def test_data_at_one_point_step_back_with_variance_beta_tilde(schedule, normal):
    t = torch.arange(1, schedule.T + 1)
    world, x_t = isotropic([1.0], [[0.4]], 1e-9), normal(len(t), 1)
    assert (world.posterior_variance(schedule, x_t, t) < 1e-17).all()
    torch.testing.assert_close(world.posterior_mean(schedule, x_t, t), 0 * x_t + 0.4, rtol=0, atol=1e-6)
    mean, variance = q_posterior(schedule, world.posterior_mean(schedule, x_t, t), x_t, t)
    # the two witnesses: x_{t-1} was noised from the point, and was noised into x_t
    right_mean, right_variance = product_of_gaussians(*witnesses(schedule, 0.4, x_t[:, 0], t))
    torch.testing.assert_close(mean[:, 0], right_mean, rtol=0, atol=1e-6)
    for width in (variance, schedule.beta_tilde[t][:, None], beta_tilde(schedule, t, x_t)):
        torch.testing.assert_close(width[:, 0], right_variance, rtol=1e-9, atol=0)


@pytest.mark.parametrize("t", [1, 30, 100])
def test_the_spread_is_that_of_a_grid(t):
    """Var[x_0 | x_t] by Bayes' rule on a grid of x_0."""
    world, schedule, clean = isotropic([0.3, 0.7], [[-1.0], [0.8]], 0.2), cosine(100), torch.tensor(0)
    x0 = torch.linspace(-4, 4, 40_001, dtype=torch.float64)
    prior = world.log_q(schedule, x0[:, None], clean.expand(len(x0)))
    a, b = (f.item() for f in factors(lambda x, t, eps: q_sample(schedule, x, t, eps), torch.tensor([t])))
    for x_t in (-0.7, 0.0, 1.1):
        density = (prior + Normal(a * x0, b).log_prob(number(x_t))).softmax(0)
        mean = (density * x0).sum()
        got = world.posterior_variance(schedule, number(x_t)[:, None], torch.tensor([t])).item()
        assert math.isclose(got, (density * (x0 - mean) ** 2).sum().item(), rel_tol=1e-9)


def test_the_spread_and_the_scatter_of_the_answers_make_the_whole(mixture, normal):
    """Var[x_0] = E[Var[x_0 | x_t]] + Var[E[x_0 | x_t]], on samples and along both axes."""
    schedule, n = cosine(100), 40_000
    t = torch.full((n,), 40)
    x_t = q_sample(schedule, mixture.sample(n, torch.Generator().manual_seed(5)), t, normal(n, 2))
    spread, answer = mixture.posterior_variance(schedule, x_t, t), mixture.posterior_mean(schedule, x_t, t)
    assert spread.shape == (n, 2) and (spread > 0).all()
    whole = spread + (answer - mixture.mean) ** 2
    assert ((whole.mean(0) - mixture.covariance.diag()).abs() < 4.5 * whole.std(0) / math.sqrt(n)).all()


def test_clean_points_leave_no_spread(mixture):
    x0 = mixture.sample(20)
    assert (mixture.posterior_variance(linear(), x0, torch.zeros(20, dtype=torch.long)) < 1e-25).all()
