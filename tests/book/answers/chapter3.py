"""Right and wrong answers to the exercises of chapter 3, and what a wrong one is told."""

import torch

from ddpm_core.diffusion import gaussian


def combined(variance, weights):
    """An answer to 3.1: a variance, and the mean weighted by something."""
    return lambda m, v: ((weights(v) * m).sum() / weights(v).sum(), variance(v))


def v_factors(a, b):
    """An answer to 3.2 from tables: alpha, alpha_bar at t, alpha_bar at t - 1, beta."""
    return lambda s, t: tuple(f(s.alpha[t], s.alpha_bar[t], s.alpha_bar[t - 1], s.beta[t]) for f in (a, b))


def right_a(alpha, now, before, beta):
    return alpha.sqrt()


def right_b(alpha, now, before, beta):
    return before.sqrt() * beta / (1 - now).sqrt()


def leap(kept=lambda s, a, b: s.alpha_bar[b] / s.alpha_bar[a], shape=lambda mean, variance: (mean, variance)):
    """An answer to 3.3 with another share kept, or returned in another form."""

    def leap_back(s, x0, x_t, a, b):
        share = kept(s, a, b)
        before = s.alpha_bar[a].sqrt() * x0, 1 - s.alpha_bar[a]
        return shape(*gaussian.product_of_gaussians(*before, x_t / share.sqrt(), (1 - share) / share))

    return leap_back


def leap_with_another_mean(s, x0, x_t, a, b):
    mean, variance = leap()(s, x0, x_t, a, b)
    return mean + (b - a - 1), variance


RIGHT = {
    "3.1": [lambda m, v: torch.stack([(m / v).sum(), torch.ones(()).double()]) / (1 / v).sum()],
    "3.2": [v_factors(right_a, right_b)],
    "3.3": [leap()],
    "3.4": [0.263, torch.tensor([0.2628])],
}

WRONG = {
    "3.1": [
        (lambda m, v: 1 / (1 / v).sum(), "return two values: the mean and the variance"),
        (lambda m, v: (m, 1 / (1 / v).sum()), "one number each, but hold 2 and 1"),
        (combined(lambda v: (1 / v).sum(), lambda v: 1 / v), "that is the precision"),
        (combined(lambda v: v.sum(), lambda v: 1 / v), "precisions that add"),
        (combined(lambda v: v.mean(), lambda v: 1 / v), "surer than each"),
        (combined(lambda v: v.min(), lambda v: 1 / v), "yours is 0.2500"),
        (combined(lambda v: 1 / (1 / v).sum(), torch.ones_like), "who is surer"),
        (combined(lambda v: 1 / (1 / v).sum(), lambda v: v), "weighted by variance"),
        (combined(lambda v: 1 / (1 / v).sum(), lambda v: v**-2), "should be 1.0000"),
        (lambda m, v: gaussian.product_of_gaussians(m[0], v[0], m[1], v[1]), "with a third"),
    ],
    "3.2": [
        (
            v_factors(lambda alpha, now, before, beta: alpha.sqrt() * (1 - before) / (1 - now), right_b),
            "brings an x_t along",
        ),
        (v_factors(lambda alpha, *_: alpha, right_b), "a is a square root"),
        (v_factors(lambda alpha, *_: 1 / alpha.sqrt(), right_b), "a should be"),
        (v_factors(right_a, lambda *rows: -right_b(*rows)), "minus sign"),
        (v_factors(right_a, lambda alpha, *rest: alpha.sqrt() * right_b(alpha, *rest)), "alpha_bar of t - 1"),
        (v_factors(right_a, lambda *rows: 2 * right_b(*rows)), "a is right"),
        (lambda s, t: s.alpha[t].sqrt(), "return two values: a and b"),
    ],
    "3.3": [
        (leap(shape=lambda mean, variance: (mean, variance.sqrt())), "standard deviation"),
        (leap(shape=lambda mean, variance: (mean, 2 * variance)), "should be beta_tilde_t"),
        (leap(shape=lambda mean, variance: (2 * mean, variance)), "that of 3.7"),
        (leap(kept=lambda s, a, b: s.alpha[b]), "what share is kept"),
        (lambda s, x0, x_t, a, b: leap()(s, x0, x_t, b - 1, b), "what share is kept"),
        (leap(kept=lambda s, a, b: s.alpha[b] ** (b - a)), "two steps in a row"),
        (leap(kept=lambda s, a, b: s.alpha[b] * (s.alpha[b - 1] if a < b - 1 else 1)), "try s = 2, t = 9"),
        (leap_with_another_mean, "the variance is right; for s = t - 2"),
    ],
    "3.4": [
        (0.2197, "beta_tilde_5"),
        (0.5797, "in full"),
        (0.3445, "squared"),
        (0.2944, "data that are noise"),
        (0.5128, "a standard deviation"),
        (1.0, "plus something"),
    ],
}
