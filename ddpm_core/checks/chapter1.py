"""The exercises of chapter 1, the forward process."""

import torch

from .. import gaussian
from ..schedule import cosine, from_betas, linear
from ..verdict import Exercise, need, number


def _half_life(function) -> None:
    for schedule in (linear(1000), cosine(1000), from_betas([0.5, 0.6, 0.7])):
        got, amplitude = function(schedule), schedule.alpha_bar.sqrt()
        right = next(t for t in range(schedule.T + 1) if amplitude[t] < 0.5)
        need(got is not None, "your function returns nothing; end it with `return`.")
        got = number(got)
        need(
            int(got) != right - 1,
            f"one too early: at t = {int(got)} the amplitude is {amplitude[int(got)]:.3f}, not yet below a half.",
        )
        need(int(got) != right + 1, "one too late: the row before is below a half already.")
        by_variance = next(t for t in range(schedule.T + 1) if schedule.alpha_bar[t] < 0.5)
        need(
            int(got) != by_variance or by_variance == right,
            "that is where the variance is halved; the amplitude is its square root.",
        )
        need(
            int(got) == right,
            f"for {schedule} your function says {int(got)}, but there the amplitude is not the first below a half.",
        )


def _jump(function) -> None:
    schedule, generator = linear(50, 0.01, 0.2), torch.Generator().manual_seed(0)
    x, z = (torch.randn(4, 3, generator=generator, dtype=torch.float64) for _ in range(2))
    got = function(schedule, x, 0, 30, z)
    need(torch.is_tensor(got), "your function should return the picture x_t, a tensor shaped like x_s.")
    need(got.shape == x.shape, f"x_t should be shaped like x_s, {tuple(x.shape)}, but it is {tuple(got.shape)}.")
    need(
        torch.allclose(got, gaussian.q_sample(schedule, x, torch.full((4,), 30), z)),
        "with s = 0 it should be Equation 1.10.",
    )
    got = function(schedule, x, 29, 30, z)
    need(
        torch.allclose(got, gaussian.q_step(schedule, x, torch.full((4,), 30), z)),
        "with s = t - 1 it should be Equation 1.1: is the ratio the right way up?",
    )
    kept = schedule.alpha_bar[30] / schedule.alpha_bar[10]
    need(
        torch.allclose(function(schedule, x, 10, 30, z), kept.sqrt() * x + (1 - kept).sqrt() * z),
        "s = 0 and s = t - 1 are right; look at the times in between.",
    )


def _picture_factor(function) -> None:
    for a in (0.0, 0.3, 0.6, 0.9, 1.0):
        got = function(a)
        need(got is not None, "your function returns nothing; end it with `return`.")
        need(
            abs(float(got) - (1 - a)) > 1e-9 or a in (0.0, 1.0), "that is the straight line again, whose variance sags."
        )
        got = number(got)
        need(got >= 0, "that turns the picture into its negative: of the two roots the factor is the positive one.")
        need(
            abs(got**2 + a**2 - 1) < 1e-9,
            f"for a = {a} the variance comes out as {got**2 + a**2:.3f}; it should be 1.",
        )


CHECKS = {
    "1.1": Exercise(
        "`schedule.alpha_bar.sqrt() < 0.5` is a table of True and False; which row is its first True?", _half_life
    ),
    "1.2": Exercise(
        "what share of the variance is kept between s and t? It is a ratio of two rows of `schedule.alpha_bar`.", _jump
    ),
    "1.3": Exercise(
        "picture and noise are independent: the squares of the two factors must add up to 1.", _picture_factor
    ),
}
