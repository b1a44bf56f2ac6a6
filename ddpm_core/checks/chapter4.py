"""The exercises of chapter 4, the ELBO."""

import math

import torch

from ..gaussian import kl
from ..schedule import cosine, linear
from ..verdict import Exercise, need


def _best_variance(function) -> None:
    for s, t, error in ((linear(1000), 500, 1e-3), (cosine(100), 40, 0.05), (cosine(100), 2, 0.0)):
        got = function(s, t, error)
        need(got is not None, "your function returns nothing; end it with `return`.")
        got = float(got)
        need(got > 0, f"a variance lies above 0, but yours is {got:g} for t = {t}.")
        need(
            abs(got - s.beta_tilde[t].sqrt()) > 1e-9 or error > 0,
            "that is a standard deviation: the variance of the posterior is `schedule.beta_tilde[t]` itself.",
        )
        true = s.beta_tilde[t]

        def cost(variance, true=true, error=error):
            width, zero = torch.tensor(variance, dtype=torch.float64), torch.zeros((), dtype=torch.float64)
            return kl(zero, true, torch.tensor(math.sqrt(error), dtype=torch.float64), width).item()

        lower, higher = cost(0.99 * got), cost(1.01 * got)
        need(cost(got) <= lower, f"for t = {t} and an error of {error:g} a smaller variance has a lower bound.")
        need(cost(got) <= higher, f"for t = {t} and an error of {error:g} a larger variance has a lower bound.")


def _one_step_bound(function) -> None:
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(200_000, generator=generator, dtype=torch.float64)
    for x0, alpha_bar, a, s in ((0.5, 0.3, 1.0, 0.8), (-0.9, 0.6, 0.7, 0.3), (0.0, 0.1, 0.2, 1.0)):
        got = function(x0, alpha_bar, a, s)
        need(got is not None, "your function returns nothing; end it with `return`.")
        x1 = math.sqrt(alpha_bar) * x0 + math.sqrt(1 - alpha_bar) * z
        decoder = (x0 - a * x1) ** 2 / (2 * s**2) + 0.5 * math.log(2 * math.pi * s**2)
        encoder = -0.5 * z**2 - 0.5 * math.log(2 * math.pi * (1 - alpha_bar))
        draws = decoder + encoder + 0.5 * x1**2 + 0.5 * math.log(2 * math.pi)
        right, spread = draws.mean().item(), 5 * draws.std().item() / len(z) ** 0.5
        L_T = 0.5 * (alpha_bar * x0**2 - alpha_bar - math.log(1 - alpha_bar))
        need(abs(float(got) - (right - L_T)) > spread or 2 * spread > L_T, "that is L_0 alone; L_T is missing.")
        without = right - a**2 * (1 - alpha_bar) / (2 * s**2)
        need(
            abs(float(got) - without) > spread,
            "x_1 is random, so a x_1 has a variance; it adds to the mean square of x_0 - a x_1.",
        )
        need(
            abs(float(got) - right) < spread,
            f"for x0 = {x0}, alpha_bar = {alpha_bar}, a = {a}, s = {s} drawing gives {right:.3f}, yours is "
            f"{float(got):.3f}.",
        )


def _megabytes(answer) -> None:
    need(isinstance(answer, int | float), f"the answer should be a number, but it is {type(answer).__name__}.")
    right = 10_000 * 3072 * 3.75 / 8 / 1e6
    need(abs(answer - 8 * right) > 0.5, "those are megabits; a byte has eight bits.")
    need(abs(answer - right / 3) > 0.1, "a pixel has three colours, and each of them is a dimension.")
    need(abs(answer - right) < 0.1, f"images x numbers in an image x bits / 8 / 10^6 is not {answer:.4g}.")


def _constant(answer) -> None:
    need(isinstance(answer, int | float), f"the answer should be a number, but it is {type(answer).__name__}.")
    need(answer >= 0, "no standard deviation is negative.")
    need(answer == 0, "if both distributions over ways are the same, what is log( q / p ) on each single way?")


CHECKS = {
    "4.1": Exercise(
        "collect what depends on the variance in 4.12, and set the derivative to zero; half of the answer is a row of "
        "`schedule.beta_tilde`.",
        _best_variance,
    ),
    "4.2": Exercise(
        "L = L_T + L_0. L_T is Equation 1.15; for L_0 you need the mean of (x_0 - a x_1)^2, an offset squared plus a "
        "variance.",
        _one_step_bound,
    ),
    "4.3": Exercise("how many numbers does one image have? Each costs 3.75 bits.", _megabytes),
    "4.4": Exercise("what does 4.13 say about q and p if the gap is zero? Then look into the brackets.", _constant),
}
