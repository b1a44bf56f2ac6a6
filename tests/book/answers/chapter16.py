"""Right and wrong answers to the exercises of chapter 16, and what a wrong one is told."""

import math


def plain_pull(s, a):
    return (a - (1 - a) * s**2) / ((1 - a) ** 2 * s**2 + a**2)


def width(pull=plain_pull, first=1, last=0, end=lambda x, s: x / s):
    """An answer to 16.2 with its pull, its strides or its end changed."""

    def ratio(s, T):
        return end(math.prod(1 - pull(s, t / T) / T for t in range(first, T + 1 - last)), s)

    return ratio


def as_noisy(t, T):
    return math.atan2(t, T - t) * 2 / math.pi


RIGHT = {
    "16.1": [lambda x, following, t, T: x - t * (x - following)],
    "16.2": [width()],
    "16.3": [as_noisy],
    "16.4": [(0.926, 0.663), [0.9257, 0.663]],
}

WRONG = {
    "16.1": [
        (lambda x, following, t, T: following, "the next picture itself"),
        (lambda x, following, t, T: x - t / T * (x - following), "only v / T"),
        (lambda x, following, t, T: x + t * (x - following), "the other way"),
        (lambda x, following, t, T: following + (T - t + 1) * (following - x), "a number of x_0 should be"),
        (lambda x, following, t, T: x[:1], "not one of shape (1, 3)"),
        (lambda x, following, t, T: 3.0, "a tensor of shape (2, 3), not float"),
    ],
    "16.2": [
        (width(end=lambda x, s: x), "divide it by s"),
        (width(end=lambda x, s: (x / s) ** 2), "ratio of variances"),
        (width(first=2), "from t = 1 to t = 0 is missing"),
        (width(first=0, last=1), "takes the pull there"),
        (width(pull=lambda s, a: -plain_pull(s, a)), "the sign"),
        (width(pull=lambda s, a: plain_pull(s**0.5, a)), "it should be"),
        (lambda s, T: "wide", "should be a number"),
    ],
    "16.3": [
        (lambda t, T: t / T, "another clock"),
        (lambda t, T: 1 - as_noisy(t, T), "turned round"),
        (lambda t, T: math.atan2(t, T - t), "divide by pi / 2"),
        (lambda t, T: math.atan2(t**2, (T - t) ** 2) * 2 / math.pi, "not their squares"),
        (lambda t, T: (t / T) ** 0.5, "it should be"),
    ],
    "16.4": [
        ((0.750, 0.923), "move its stops first"),
        ((0.663, 0.926), "the other way round"),
        ((0.926, 0.926), "the same stops have other angles"),
        ((0.857, 0.440), "shares of the variance"),
        ((0.9, 0.8), "something else than 0.900 and 0.800"),
        (0.926, "return two values"),
    ],
}
