"""The exercises of chapter 3: what a reader is told who got something wrong."""

import pytest
import torch

from ddpm_core import exercises, gaussian


def combined(variance, weights):
    """An answer to 3.1: a variance, and the mean weighted by something."""
    return lambda m, v: ((weights(v) * m).sum() / weights(v).sum(), variance(v))


def v_factors(a, b):
    """An answer to 3.2 from tables: alpha, alpha_bar at t, alpha_bar at t - 1, beta."""

    def factors(s, t):
        rows = s.alpha[t], s.alpha_bar[t], s.alpha_bar[t - 1], s.beta[t]
        return a(*rows), b(*rows)

    return factors


def right_a(alpha, now, before, beta):
    return alpha.sqrt()


def right_b(alpha, now, before, beta):
    return before.sqrt() * beta / (1 - now).sqrt()


def own_a(alpha, now, before, beta):
    return alpha.sqrt() * (1 - before) / (1 - now)


def leap(kept=lambda s, a, b: s.alpha_bar[b] / s.alpha_bar[a], shape=lambda mean, variance: (mean, variance)):
    """An answer to 3.3 with another share kept, or returned in another form."""

    def leap_back(s, x0, x_t, a, b):
        share = kept(s, a, b)
        before = s.alpha_bar[a].sqrt() * x0, 1 - s.alpha_bar[a]
        return shape(*gaussian.product(*before, x_t / share.sqrt(), (1 - share) / share))

    return leap_back


def one(v):
    return torch.ones_like(v)


@pytest.mark.parametrize(
    ("number", "answer", "word"),
    [
        ("3.1", lambda m, v: print(end=""), "returns nothing"),
        ("3.1", lambda m, v: 1 / (1 / v).sum(), "return two values: the mean and the variance"),
        ("3.1", lambda m, v: (m, 1 / (1 / v).sum()), "one number each, but hold 2 and 1"),
        ("3.1", combined(lambda v: (1 / v).sum(), lambda v: 1 / v), "that is the precision"),
        ("3.1", combined(lambda v: v.sum(), lambda v: 1 / v), "precisions that add"),
        ("3.1", combined(lambda v: v.mean(), lambda v: 1 / v), "surer than each"),
        ("3.1", combined(lambda v: v.min(), lambda v: 1 / v), "yours is 0.2500"),
        ("3.1", combined(lambda v: 1 / (1 / v).sum(), one), "who is surer"),
        ("3.1", combined(lambda v: 1 / (1 / v).sum(), lambda v: v), "weighted by variance"),
        ("3.1", combined(lambda v: 1 / (1 / v).sum(), lambda v: v**-2), "should be 1.0000"),
        ("3.1", lambda m, v: gaussian.product(m[0], v[0], m[1], v[1]), "with a third"),
        ("3.2", v_factors(own_a, right_b), "brings an x_t along"),
        ("3.2", v_factors(lambda alpha, *_: alpha, right_b), "a is a square root"),
        ("3.2", v_factors(lambda alpha, *_: 1 / alpha.sqrt(), right_b), "a should be"),
        ("3.2", v_factors(right_a, lambda *rows: -right_b(*rows)), "minus sign"),
        ("3.2", v_factors(right_a, lambda alpha, *rest: alpha.sqrt() * right_b(alpha, *rest)), "alpha_bar of t - 1"),
        ("3.2", v_factors(right_a, lambda *rows: 2 * right_b(*rows)), "a is right"),
        ("3.2", lambda s, t: s.alpha[t].sqrt(), "return two values: a and b"),
        ("3.3", leap(shape=lambda mean, variance: (mean, variance.sqrt())), "standard deviation"),
        ("3.3", leap(shape=lambda mean, variance: (mean, 2 * variance)), "should be beta_tilde_t"),
        ("3.3", leap(shape=lambda mean, variance: (2 * mean, variance)), "that of 3.7"),
        ("3.3", leap(kept=lambda s, a, b: s.alpha[b]), "what share is kept"),
        ("3.3", lambda s, x0, x_t, a, b: leap()(s, x0, x_t, b - 1, b), "what share is kept"),
        ("3.3", leap(kept=lambda s, a, b: s.alpha[b] ** (b - a)), "two steps in a row"),
        ("3.3", leap(kept=lambda s, a, b: s.alpha[b] * (s.alpha[b - 1] if a < b - 1 else 1)), "try s = 2, t = 9"),
    ],
)
def test_a_wrong_answer_gets_a_word_on_how_to_go_on(number, answer, word):
    verdict = exercises.check(number, answer)
    assert not verdict.solved
    assert word in verdict.message


def test_one_step_right_and_the_leap_with_a_wrong_mean():
    def leap_back(s, x0, x_t, a, b):
        mean, variance = leap()(s, x0, x_t, a, b)
        return mean + (b - a - 1), variance

    verdict = exercises.check("3.3", leap_back)
    assert not verdict.solved and "the variance is right; for s = t - 2" in verdict.message
