"""Right and wrong answers to the exercises of chapter 1, and what a wrong one is told."""

import math

RIGHT = {
    "1.1": [lambda schedule: next(t for t in range(schedule.T + 1) if schedule.alpha_bar[t] < 0.25)],
    "1.3": [lambda a: math.cos(math.asin(a))],
}

WRONG = {
    "1.1": [
        (lambda schedule: int((schedule.alpha_bar.sqrt() < 0.5).nonzero()[0]) - 1, "too early"),
        (lambda schedule: int((schedule.alpha_bar < 0.5).nonzero()[0]), "square root"),
        (lambda schedule: schedule.no_such_table, "AttributeError"),
        (lambda schedule: schedule.alpha_bar.sqrt(), "should be a number, but it is a tensor of shape (1001,)"),
    ],
    "1.2": [
        (lambda s, x, a, b, z: s.alpha_bar[b] * x + (1 - s.alpha_bar[b]) * z, "Equation 1.10"),
        (
            lambda s, x, a, b, z: s.alpha_bar[b].sqrt() * x + (1 - s.alpha_bar[b]).sqrt() * z,
            "the ratio the right way up",
        ),
    ],
    "1.3": [
        (lambda a: 1 - a, "straight line"),
        (lambda a: -((1 - a**2) ** 0.5), "into its negative"),
        (lambda a: 1 - a**2, "should be 1"),
    ],
}
