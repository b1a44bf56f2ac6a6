"""Right and wrong answers to the exercises of chapter 4, and what a wrong one is told."""

import math

import torch


def one_step(x0, alpha_bar, a, s):
    L_T = 0.5 * (alpha_bar * x0**2 - alpha_bar - math.log(1 - alpha_bar))
    offset = (x0 - a * math.sqrt(alpha_bar) * x0) ** 2
    return L_T, 0.5 * math.log(2 * math.pi * s**2) + offset / (2 * s**2), a**2 * (1 - alpha_bar) / (2 * s**2)


RIGHT = {
    "4.2": [lambda *how: sum(one_step(*how))],
    "4.3": [torch.tensor(14.4)],
    "4.4": [0, torch.zeros(1)],
    "4.5": [0.2895, torch.tensor([0.289])],
}

WRONG = {
    "4.1": [
        (lambda s, t, e: s.beta_tilde[t] + e, "that is the best variance"),
        (lambda s, t, e: 3.0, "a smaller v"),
        (lambda s, t, e: 0.0, "a larger v"),
        (lambda s, t, e: "half", "a number"),
    ],
    "4.2": [
        (lambda *how: sum(one_step(*how)[1:]), "L_T is missing"),
        (lambda *how: sum(one_step(*how)[:2]), "has a variance"),
        (lambda *how: 1.0, "drawing gives"),
    ],
    "4.3": [
        (115.2, "eight bits"),
        (4.8, "three colours"),
        ("many", "a number"),
        (20.0, "is not 20"),
    ],
    "4.4": [
        (1.0, "the same density"),
        (False, "a number"),
        (-1.0, "negative"),
        ("none", "a number"),
    ],
    "4.5": [
        (0.0, "what of the last few"),
        (0.073, "a quarter"),
        (0.146, "half of what it was"),
        (0.5772, "a half stands before"),
        (0.2918, "of 1,000 steps"),
        (1.0, "is not 1"),
    ],
}
