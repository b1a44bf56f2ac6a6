"""The exercises of chapter 4, the ELBO."""

import math

import torch

from ..gaussian import kl
from ..schedule import cosine, linear
from ..verdict import Exercise, need, number


def _best_mixture(function) -> None:
    for s, t, error in ((linear(1000), 500, 1e-5), (cosine(100), 40, 0.01), (cosine(100), 2, 0.0)):
        got = function(s, t, error)
        need(got is not None, "your function returns nothing; end it with `return`.")
        v, beta, beta_tilde = number(got), s.beta[t], s.beta_tilde[t]
        need(
            abs(v - number(beta_tilde + error)) > 1e-9,
            "that is the best variance; which v makes the mixture equal to it? Take the logarithm of both.",
        )

        def cost(v, beta=beta, beta_tilde=beta_tilde, error=error):
            width = (v * beta.log() + (1 - v) * beta_tilde.log()).exp()
            zero = torch.zeros((), dtype=torch.float64)
            return kl(zero, beta_tilde, zero + math.sqrt(error), width).item()

        need(cost(v) <= cost(v - 1e-3), f"for t = {t} and an error of {error:g} a smaller v has a lower bound.")
        need(cost(v) <= cost(v + 1e-3), f"for t = {t} and an error of {error:g} a larger v has a lower bound.")


def _one_step_bound(function) -> None:
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(200_000, generator=generator, dtype=torch.float64)
    for x0, alpha_bar, a, s in ((0.5, 0.3, 1.0, 0.8), (-0.9, 0.6, 0.7, 0.3), (0.0, 0.1, 0.2, 1.0)):
        got = function(x0, alpha_bar, a, s)
        need(got is not None, "your function returns nothing; end it with `return`.")
        got = number(got)
        x1 = math.sqrt(alpha_bar) * x0 + math.sqrt(1 - alpha_bar) * z
        decoder = (x0 - a * x1) ** 2 / (2 * s**2) + 0.5 * math.log(2 * math.pi * s**2)
        encoder = -0.5 * z**2 - 0.5 * math.log(2 * math.pi * (1 - alpha_bar))
        draws = decoder + encoder + 0.5 * x1**2 + 0.5 * math.log(2 * math.pi)
        right, spread = draws.mean().item(), 5 * draws.std().item() / len(z) ** 0.5
        L_T = 0.5 * (alpha_bar * x0**2 - alpha_bar - math.log(1 - alpha_bar))
        need(abs(got - (right - L_T)) > spread or 2 * spread > L_T, "that is L_0 alone; L_T is missing.")
        without = right - a**2 * (1 - alpha_bar) / (2 * s**2)
        need(
            abs(got - without) > spread,
            "x_1 is random, so a x_1 has a variance; it adds to the mean square of x_0 - a x_1.",
        )
        need(
            abs(got - right) < spread,
            f"for x0 = {x0}, alpha_bar = {alpha_bar}, a = {a}, s = {s} drawing gives {right:.3f}, yours is {got:.3f}.",
        )


def _megabytes(answer) -> None:
    answer, right = number(answer), 10_000 * 3072 * 3.75 / 8 / 1e6
    need(abs(answer - 8 * right) > 0.5, "those are megabits; a byte has eight bits.")
    need(abs(answer - right / 3) > 0.1, "a pixel has three colours, and each of them is a dimension.")
    need(abs(answer - right) < 0.1, f"images x numbers in an image x bits / 8 / 10^6 is not {answer:.4g}.")


def _constant(answer) -> None:
    answer = number(answer)
    need(answer >= 0, "no standard deviation is negative.")
    need(
        answer == 0,
        "the gap of 4.13 is zero, so q and p give every single way the same density: what is left in the brackets?",
    )


CHECKS = {
    "4.1": Exercise(
        "the section on the variance that was fixed names the best variance; set the mixture equal to it, take the "
        "logarithm and solve for v.",
        _best_mixture,
    ),
    "4.2": Exercise(
        "L = L_T + L_0. L_T is Equation 1.15; for L_0 you need the mean of (x_0 - a x_1)^2, an offset squared plus a "
        "variance.",
        _one_step_bound,
    ),
    "4.3": Exercise("how many numbers does one image have? Each costs 3.75 bits.", _megabytes),
    "4.4": Exercise(
        "if the model's chain is the true one, what is the gap of 4.13? And log( q / p ) on each single way?",
        _constant,
    ),
}
