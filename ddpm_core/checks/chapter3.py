"""The exercises of chapter 3, the posterior."""

import torch
from torch import Tensor

from .. import gaussian
from ..schedule import Schedule, cosine, linear
from ..verdict import Exercise, need


def _pair(got: object, first: str, second: str) -> tuple[Tensor, Tensor]:
    need(got is not None, "your function returns nothing; end it with `return`.")
    two = isinstance(got, tuple | list | Tensor) and getattr(got, "ndim", 1) > 0 and len(got) == 2
    need(two, f"return two values: {first} and {second}.")
    pair = tuple(torch.as_tensor(part, dtype=torch.float64) for part in got)
    sizes = tuple(part.numel() for part in pair)
    need(sizes == (1, 1), f"{first} and {second} should be one number each, but hold {sizes[0]} and {sizes[1]}.")
    return tuple(part.reshape(()) for part in pair)


def _same(a: Tensor, b: Tensor) -> bool:
    return torch.allclose(a, b, rtol=1e-9, atol=1e-12)


def _combine(function) -> None:
    means, variances = torch.tensor([-1.0, 2.0]).double(), torch.tensor([0.5, 0.25]).double()
    mean, variance = _pair(function(means, variances), "the mean", "the variance")
    right_mean, right = gaussian.product(means[0], variances[0], means[1], variances[1])
    need(not _same(variance, 1 / right), "that is the precision; the variance is one over it.")
    need(not _same(variance, variances.sum()), "those variances were added; it is the precisions that add.")
    need(not _same(variance, variances.mean()), "a mean of the variances: but two witnesses are surer than each.")
    need(_same(variance, right), f"for variances 0.5 and 0.25 yours is {variance:.4f}; 1 / 0.5 + 1 / 0.25 is 6.")
    need(not _same(mean, means.mean()), "the variance is right, but the mean should listen more to who is surer.")
    by_variance = (variances * means).sum() / variances.sum()
    need(not _same(mean, by_variance), "the mean is weighted by variance; weigh it by precision.")
    need(_same(mean, right_mean), f"the variance is right; the mean should be {right_mean:.4f}, yours is {mean:.4f}.")
    three = torch.tensor([-1.0, 2.0, 0.3]).double(), torch.tensor([0.5, 0.25, 0.1]).double()
    got = torch.stack(_pair(function(*three), "the mean", "the variance"))
    both = gaussian.product(right_mean, right, three[0][2], three[1][2])
    need(_same(got, torch.stack(both)), "two witnesses are right; with a third it should be the product once more.")


def _factors(function) -> None:
    for schedule in (linear(50, 0.01, 0.2), cosine(20)):
        for t in (20, 7, 1):
            a, b = _pair(function(schedule, t), "a", "b")
            one, zero, times = torch.ones(1).double(), torch.zeros(1).double(), torch.tensor([t])
            alpha_bar = schedule.alpha_bar[t]
            right_a = gaussian.q_posterior(schedule, alpha_bar.sqrt() * one, one, times)[0][0]
            right_b = gaussian.q_posterior(schedule, (1 - alpha_bar).sqrt() * one, zero, times)[0][0]
            own = gaussian.q_posterior(schedule, zero, one, times)[0][0]
            need(not _same(a, own), "your a is x_t's own factor in 3.7, but x_0 brings an x_t along too.")
            need(not _same(a, schedule.alpha[t]), "almost: a is a square root.")
            need(_same(a, right_a), f"at t = {t} of {schedule} a should be {right_a:.4f}, but yours is {a:.4f}.")
            need(not _same(b, -right_b), "the minus sign stands in a x_t - b v already: b itself is positive.")
            wrong_row = right_b * schedule.alpha[t].sqrt()
            need(not _same(b, wrong_row), "in b, 3.7 has the alpha_bar of t - 1 under the first root, not that of t.")
            need(_same(b, right_b), f"a is right; at t = {t} of {schedule} b should be {right_b:.4f}, not {b:.4f}.")


def _leap_back(function) -> None:
    schedule: Schedule = linear(10, 0.05, 0.6)
    x0, x_t, names = torch.tensor(0.6).double(), torch.tensor(-0.4).double(), ("the mean", "the variance")

    def small_step(x: Tensor, t: int) -> tuple[Tensor, Tensor]:
        mean, variance = gaussian.q_posterior(schedule, x0[None], x[None], torch.tensor([t]))
        return mean[0], variance[0]

    mean, variance = _pair(function(schedule, x0, x_t, 5, 6), *names)
    right_mean, right = small_step(x_t, 6)
    need(not _same(variance, right.sqrt()), "that is a standard deviation; return the variance.")
    need(
        _same(variance, right), f"with s = t - 1 the variance should be beta_tilde_t, {right:.4f}, not {variance:.4f}."
    )
    need(_same(mean, right_mean), f"with s = t - 1 the mean should be that of 3.7, {right_mean:.4f}, not {mean:.4f}.")

    mean, variance = _pair(function(schedule, x0, x_t, 4, 6), *names)
    slope = small_step(x0 + 1, 5)[0] - small_step(x0, 5)[0]  # how far x_4's mean moves with x_5
    two_mean, two = small_step(right_mean, 5)[0], small_step(x_t, 5)[1] + slope**2 * right
    one_step = schedule.beta[6] / schedule.alpha[6]  # the width of what x_6 says of x_5, here used for x_4
    careless = gaussian.product(x0, 1 - schedule.alpha_bar[4], x_t, one_step)[1]
    need(
        not _same(variance, right) and not _same(variance, careless),
        "s = t - 1 is right, but one step's beta will not do for two: what share is kept from s to t?",
    )
    need(_same(variance, two), f"s = t - 1 is right; for s = t - 2 two steps in a row have variance {two:.4f}.")
    need(_same(mean, two_mean), f"the variance is right; for s = t - 2 the mean should be {two_mean:.4f}.")
    for s, t in ((2, 9), (1, 10)):
        right_mean, right = x_t, torch.zeros_like(x_t)
        for k in range(t, s, -1):
            slope = small_step(x_t + 1, k)[0] - small_step(x_t, k)[0]
            right_mean, right = small_step(right_mean, k)[0], small_step(x_t, k)[1] + slope**2 * right
        mean, variance = _pair(function(schedule, x0, x_t, s, t), *names)
        need(
            _same(mean, right_mean) and _same(variance, right), f"right for one step and for two; try s = {s}, t = {t}."
        )


CHECKS = {
    "3.1": Exercise("turn the variances into precisions first; what do you do with those?", _combine),
    "3.2": Exercise(
        "collect what stands before x_t; it has two parts. Then use alpha_bar_t = alpha_t alpha_bar_{t-1} twice.",
        _factors,
    ),
    "3.3": Exercise(
        "two witnesses and `gaussian.product`; in 1.16 alpha_bar_t / alpha_bar_s plays the part of alpha_t.", _leap_back
    ),
}
