"""Right and wrong answers to the exercises of chapter 1, and what a wrong one is told."""

import math

import torch

RIGHT = {
    "1.1": [lambda schedule: next(t for t in range(schedule.T + 1) if schedule.alpha_bar[t] < 0.25)],
    "1.3": [lambda a: math.cos(math.asin(a))],
    "1.4": [lambda schedule: (1.0, 2.78, 2.98), lambda schedule: torch.tensor([1.02, 2.7, 3.05])],
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
    "1.4": [
        (lambda schedule: [3.0, 3.0, 3.0], "that is normal noise"),
        (lambda schedule: [-2.0, -0.22, -0.02], "that is 3 less"),
        (lambda schedule: [1.0, 1.5, 3.0], "is mu the mean"),
        (lambda schedule: 3.0, "return three numbers"),
        (lambda schedule: [1.0, 2.8], "return three numbers"),
    ],
}
