"""The exercises of chapter 3, the posterior."""

from itertools import product

import torch
from torch import Tensor

from ddpm_core.book.exercises.answers import expect, number, pair, same, within
from ddpm_core.book.exercises.exercise import Exercise, require
from ddpm_core.diffusion.gaussian import product_of_gaussians
from ddpm_core.schedule import Schedule, cosine, linear

MOMENTS = "the mean", "the variance"


def _combine(function) -> None:
    means, variances = torch.tensor([[-1.0, 2.0, 0.3], [0.5, 0.25, 0.1]]).double()
    m, v = means[:2], variances[:2]
    mean, variance = pair(function(m, v), *MOMENTS)
    right = product_of_gaussians(m[0], v[0], m[1], v[1])
    mistakes = {
        "that is the precision; the variance is one over it.": 1 / right[1],
        "those variances were added; it is the precisions that add.": v.sum(),
        "a mean of the variances: but two witnesses are surer than each.": v.mean(),
    }
    otherwise = f"for variances 0.5 and 0.25 yours is {variance:.4f}; 1 / 0.5 + 1 / 0.25 is 6."
    expect(variance, right[1], mistakes, otherwise)
    mistakes = {
        "the variance is right, but the mean should listen more to who is surer.": m.mean(),
        "the mean is weighted by variance; weigh it by precision.": (v * m).sum() / v.sum(),
    }
    otherwise = f"the variance is right; the mean should be {right[0]:.4f}, yours is {mean:.4f}."
    expect(mean, right[0], mistakes, otherwise)
    three = product_of_gaussians(*right, means[2], variances[2])
    got = pair(function(means, variances), *MOMENTS)
    require(same(got, three), "two witnesses are right; with a third it should be the product once more.")


def _factors(function) -> None:
    for schedule, t in product((linear(50, 0.01, 0.2), cosine(20)), (20, 7, 1)):
        a, b = pair(function(schedule, t), "a", "b")
        alpha, alpha_bar = schedule.alpha[t], schedule.alpha_bar[t]
        of_x0, own = schedule.posterior_mean_coef_x0[t], schedule.posterior_mean_coef_xt[t]
        right_a, right_b = own + of_x0 * alpha_bar.sqrt(), of_x0 * (1 - alpha_bar).sqrt()
        mistakes = {
            "your a is x_t's own factor in 3.7, but x_0 brings an x_t along too.": own,
            "almost: a is a square root.": alpha,
        }
        expect(a, right_a, mistakes, f"at t = {t} of {schedule} a should be {right_a:.4f}, but yours is {a:.4f}.")
        mistakes = {
            "the minus sign stands in a x_t - b v already: b itself is positive.": -right_b,
            "in b, 3.7 has the alpha_bar of t - 1 under the first root, not that of t.": right_b * alpha.sqrt(),
        }
        expect(b, right_b, mistakes, f"a is right; at t = {t} of {schedule} b should be {right_b:.4f}, not {b:.4f}.")


def _leap_back(function) -> None:
    schedule = linear(10, 0.05, 0.6)
    x0, x_t = torch.tensor([0.6, -0.4]).double()

    def leap(s: int, t: int) -> tuple[float, float]:
        return pair(function(schedule, x0, x_t, s, t), *MOMENTS)

    (mean, variance), (right_mean, right) = leap(5, 6), _steps_back(schedule, x0, x_t, 5, 6)
    deviation = {"that is a standard deviation; return the variance.": right.sqrt()}
    otherwise = f"with s = t - 1 the variance should be beta_tilde_t, {right:.4f}, not {variance:.4f}."
    expect(variance, right, deviation, otherwise)
    otherwise = f"with s = t - 1 the mean should be that of 3.7, {right_mean:.4f}, not {mean:.4f}."
    expect(mean, right_mean, {}, otherwise)

    (mean, variance), (right_mean, two) = leap(4, 6), _steps_back(schedule, x0, x_t, 4, 6)
    one_step = schedule.beta[6] / schedule.alpha[6]  # the width of what x_6 says of x_5, here used for x_4
    careless = product_of_gaussians(x0, 1 - schedule.alpha_bar[4], x_t, one_step)[1]
    mistakes = {
        "s = t - 1 is right, but one step's beta_tilde will not do for two: what share is kept from s to t?": right,
        "s = t - 1 is right, but one step's beta will not do for two: what share is kept from s to t?": careless,
    }
    otherwise = f"s = t - 1 is right; for s = t - 2 two steps in a row have variance {two:.4f}."
    expect(variance, two, mistakes, otherwise)
    otherwise = f"the variance is right; for s = t - 2 the mean should be {right_mean:.4f}."
    expect(mean, right_mean, {}, otherwise)
    for s, t in ((2, 9), (1, 10)):
        right = _steps_back(schedule, x0, x_t, s, t)
        require(same(leap(s, t), right), f"right for one step and for two; try s = {s}, t = {t}.")


def _steps_back(schedule: Schedule, x0: Tensor, x_t: Tensor, s: int, t: int) -> tuple[Tensor, Tensor]:
    """Mean and variance of q(x_s | x_t, x_0) for s < t, by one small step of 3.7 after another."""
    mean, variance = x_t, torch.zeros_like(x_t)
    for k in range(t, s, -1):
        of_x0, of_x_k = schedule.posterior_mean_coef_x0[k], schedule.posterior_mean_coef_xt[k]
        mean, variance = of_x0 * x0 + of_x_k * mean, schedule.beta_tilde[k] + of_x_k**2 * variance
    return mean, variance


def _two_beginnings(answer: float) -> None:
    schedule = linear(10, 0.05, 0.6)
    alone, c, spread = schedule.beta_tilde[5], schedule.posterior_mean_coef_x0[5], 0.36
    right = alone + c**2 * spread
    mistakes = {
        "that is beta_tilde_5, for those who know where they began; here nobody knows.": alone,
        "the beginnings' spread does not arrive in full: x_4 leans towards x_0 by c_5 only.": alone + spread,
        "almost: in 3.12 the factor c_t is squared.": alone + c * spread,
        "that is beta_5; it is the answer for data that are noise.": schedule.beta[5],
        "that is a standard deviation; give the variance.": right.sqrt(),
    }
    otherwise = f"by 3.12 it is beta_tilde_5 plus something, and not {answer:.4g}."
    expect(answer, right, mistakes, otherwise, within(0.004))


EXERCISES = {
    "3.1": Exercise("turn the variances into precisions first; what do you do with those?", _combine),
    "3.2": Exercise(
        "collect what stands before x_t; it has two parts. Then use alpha_bar_t = alpha_t alpha_bar_{t-1} twice.",
        _factors,
    ),
    "3.3": Exercise(
        "two witnesses and `gaussian.product_of_gaussians`; in 1.16 alpha_bar_t / alpha_bar_s plays alpha_t's part.",
        _leap_back,
    ),
    "3.4": Exercise(
        "guess first; then run the cell of the windows with two beginnings, or ask 3.12.", _two_beginnings, read=number
    ),
}
