"""Right and wrong answers to the exercises of chapter 14, and what a wrong one is told."""

import math

import torch

from ddpm_core.book.exercises.chapter14 import priced
from ddpm_core.diffusion import score


def guess(answer):
    """An answer to 14.1 from alpha_bar_t, x_t and the score."""
    return lambda schedule, x_t, t, s: answer(schedule.alpha_bar[t], x_t, s)


def by_the_package(schedule, x_t, t, s):
    return score.to_x0(schedule, s, x_t, torch.full((len(x_t),), t))


def step(answer):
    """An answer to 14.2 from x, h, the first slope and a function that gives the slope anywhere at t_next."""
    return lambda field, x, t, t_next: answer(x, t_next - t, field(x, t), lambda y: field(y, t_next))


def at_the_same_time(field, x, t, t_next):
    h, first = t_next - t, field(x, t)
    return x + h / 2 * (first + field(x + h * first, t))


RIGHT = {
    "14.1": [guess(lambda a, x, s: x / a**0.5 + (a**-0.5 - a**0.5) * s), by_the_package],
    "14.2": [step(lambda x, h, v, at: x + h * v + h / 2 * (at(x + h * v) - v))],
    "14.3": [priced("short").abs().mean(), priced("short").abs().mean().item()],
}

WRONG = {
    "14.1": [
        (lambda schedule, x_t, t, s: x_t.sum(), "return one picture for each x_t"),
        (guess(lambda a, x, s: (x - (1 - a) * s) / a**0.5), "points towards the data"),
        (guess(lambda a, x, s: x + (1 - a) * s), "at the end"),
        (guess(lambda a, x, s: (x + (1 - a) ** 0.5 * s) / a**0.5), "not with its root"),
        (guess(lambda a, x, s: (x + (1 - a) * s) / a), "divide by the root"),
        (guess(lambda a, x, s: x + (1 - a) * s / a**0.5), "x_t too"),
        (guess(lambda a, x, s: 1.1 * x), "it should be"),
    ],
    "14.2": [
        (step(lambda x, h, v, at: x[0]), "return one point for each x"),
        (step(lambda x, h, v, at: x + h * v), "that is Euler's step"),
        (step(lambda x, h, v, at: x + h * (v + at(x + h * v))), "not their sum"),
        (step(lambda x, h, v, at: x + h * at(x + h * v)), "the second slope alone"),
        (at_the_same_time, "at the later time"),
        (step(lambda x, h, v, at: x + h / 2 * (v + at(x))), "not at x"),
        (step(lambda x, h, v, at: x + abs(h) / 2 * (v + at(x + abs(h) * v))), "may be negative"),
        (step(lambda x, h, v, at: x + h * v + h / 2 * (v + at(x + h * v))), "begins at x again"),
        (step(lambda x, h, v, at: x + 0.1), "a point should come to"),
    ],
    "14.3": [
        ("small", "should be a number"),
        (priced("paper").abs().mean(), "that ends in noise"),
        (priced("short").mean(), "with their signs"),
        (priced("short").abs().max(), "the largest error"),
        (priced("short").abs().mean() / math.log(2), "in bits"),
        (0.5, "it should be near"),
    ],
}
