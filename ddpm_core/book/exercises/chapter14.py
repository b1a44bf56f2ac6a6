"""The exercises of chapter 14, scores, SDEs and flow matching."""

import functools
import math

import torch

from ddpm_core.book.exercises.answers import expect, farthest, noise, number, tensor, within
from ddpm_core.book.exercises.exercise import Exercise
from ddpm_core.diffusion import mixture, score, sde, timesteps
from ddpm_core.schedule import Schedule, cosine, linear


def _guess(function) -> None:
    for schedule, t in ((linear(50, 0.01, 0.2), 9), (cosine(20), 3), (cosine(20), 18)):
        x_t, slope = noise(t, 4, 2), noise(t + 1, 4, 2)
        got = tensor(function(schedule, x_t, t, slope), "one picture for each x_t", x_t)
        right = score.to_x0(schedule, slope, x_t, torch.full((4,), t))
        kept, lost = schedule.alpha_bar[t], 1 - schedule.alpha_bar[t]
        mistakes = {
            "the score points towards the data: add it.": (x_t - lost * slope) / kept.sqrt(),
            "divide by the square root of alpha_bar_t at the end.": x_t + lost * slope,
            "the score counts with the variance of the noise, not with its root.": (x_t + lost.sqrt() * slope)
            / kept.sqrt(),
            "divide by the root of alpha_bar_t.": (x_t + lost * slope) / kept,
            "the whole sum is divided by the root of alpha_bar_t, x_t too.": x_t + lost * slope / kept.sqrt(),
        }
        there, here = farthest(right, got)
        expect(got, right, mistakes, f"at t = {t} of {schedule} it should be {there:.4f}, but yours is {here:.4f}.")


def _step(function) -> None:
    def curl(x, t):
        return torch.stack([-x[:, 1] - t, x[:, 0] * (1 + t)], dim=1)

    for seed, t, t_next in ((0, 1.0, 0.7), (1, 0.2, 0.5)):
        x, h = noise(seed, 5, 2), t_next - t
        got = tensor(function(curl, x, t, t_next), "one point for each x", x)
        first = curl(x, t)
        there = curl(x + h * first, t_next)
        right = x + h / 2 * (first + there)
        mistakes = {
            "that is Euler's step: look at the slope where it ends, too.": x + h * first,
            "take the mean of the two slopes, not their sum.": x + h * (first + there),
            "the second slope alone; take the mean of both.": x + h * there,
            "ask for the second slope at the later time, t_next.": x + h / 2 * (first + curl(x + h * first, t)),
            "ask for the second slope where Euler's step ends, not at x.": x + h / 2 * (first + curl(x, t_next)),
            "the step is t_next - t, which may be negative.": x
            + abs(h) / 2 * (first + curl(x + abs(h) * first, t_next)),
            "the corrected step begins at x again, not where Euler's step ended.": x
            + h * first
            + h / 2 * (first + there),
        }
        far, here = farthest(right, got)
        expect(got, right, mistakes, f"a point should come to {far:.4f}, but yours comes to {here:.4f}.")


@functools.cache
def priced(name: str) -> torch.Tensor:
    """`missed` of the paper's betas in 200 steps ("short") and in 1000 ("paper")."""
    return missed(linear({"short": 200, "paper": 1000}[name]), 200)


def missed(schedule: Schedule, steps: int) -> torch.Tensor:
    """log p by the flow less the true log p, (21,), at grey values from -1.5 to 1.5.   [chapter 14, Eq. 14.11]"""
    pixel = mixture.isotropic([0.7, 0.3], [[-1.0], [1.0]], std=0.2)
    x = torch.linspace(-1.5, 1.5, 21, dtype=torch.float64)[:, None]
    road = timesteps.quadratic(schedule, steps)[::-1]
    found = sde.log_likelihood(lambda x, t: pixel.score(schedule, x, t), schedule, x, road)
    return found - pixel.log_q(schedule, x, torch.zeros(21, dtype=torch.long))


def _short(answer: float) -> None:
    error = priced("short")
    right = error.abs().mean().item()
    mistakes = {
        "that is with a schedule that ends in noise; take linear(200).": priced("paper").abs().mean(),
        "that is the mean of the errors with their signs: take their sizes first.": error.mean(),
        "that is the largest error: take the mean.": error.abs().max(),
        "that is in bits: leave it in nats.": right / math.log(2),
    }
    otherwise = f"it should be near {right:.3f} nats, but yours is {answer:.4f}."
    expect(answer, right, mistakes, otherwise, within(5e-4))


EXERCISES = {
    "14.1": Exercise(
        "14.4 goes from the score to the mean picture; which of its factors does the schedule hold?", _guess
    ),
    "14.2": Exercise("where would Euler's step end, and what is the slope there?", _step),
    "14.3": Exercise("the cell above has it for a thousand steps; which number changes?", _short, number),
}
