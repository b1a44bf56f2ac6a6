"""The exercises of chapter 4, the ELBO."""

import math

from ddpm_core.book.exercises.answers import expect, noise, number, within
from ddpm_core.book.exercises.exercise import Exercise, require
from ddpm_core.schedule import cosine, linear


def _best_mixture(function) -> None:
    for schedule, t, error in ((linear(1000), 500, 1e-5), (cosine(100), 40, 0.01), (cosine(100), 2, 0.0)):
        v, beta, beta_tilde = number(function(schedule, t, error)), schedule.beta[t], schedule.beta_tilde[t]
        best = beta_tilde + error
        right = (best / beta_tilde).log() / (beta / beta_tilde).log()
        mistakes = {
            "that is the best variance; which v makes the mixture equal to it? Take the logarithm of both.": best
        }
        side = "smaller" if v > right else "larger"
        otherwise = f"for t = {t} and an error of {error:g} a {side} v has a lower bound."
        expect(v, right, mistakes, otherwise, within(5e-4))


def _one_step_bound(function) -> None:
    z = noise(0, 200_000)
    for x0, alpha_bar, a, s in ((0.5, 0.3, 1.0, 0.8), (-0.9, 0.6, 0.7, 0.3), (0.0, 0.1, 0.2, 1.0)):
        got = number(function(x0, alpha_bar, a, s))
        x1 = math.sqrt(alpha_bar) * x0 + math.sqrt(1 - alpha_bar) * z
        decoder = (x0 - a * x1) ** 2 / (2 * s**2) + 0.5 * math.log(2 * math.pi * s**2)
        encoder = -0.5 * z**2 - 0.5 * math.log(2 * math.pi * (1 - alpha_bar))
        draws = decoder + encoder + 0.5 * x1**2 + 0.5 * math.log(2 * math.pi)
        right, spread = draws.mean().item(), 5 * draws.std().item() / len(z) ** 0.5
        L_T = 0.5 * (alpha_bar * x0**2 - alpha_bar - math.log(1 - alpha_bar))
        of_variance = a**2 * (1 - alpha_bar) / (2 * s**2)
        mistakes = {
            "that is L_0 alone; L_T is missing.": right - L_T,
            "x_1 is random, so a x_1 has a variance; it adds to the mean square of x_0 - a x_1.": right - of_variance,
        }
        otherwise = (
            f"for x0 = {x0}, alpha_bar = {alpha_bar}, a = {a}, s = {s} drawing gives {right:.3f}, yours is {got:.3f}."
        )
        expect(got, right, mistakes, otherwise, within(spread))


def _megabytes(answer: float) -> None:
    right = 10_000 * 3072 * 3.75 / 8 / 1e6
    mistakes = {
        "those are megabits; a byte has eight bits.": 8 * right,
        "a pixel has three colours, and each of them is a dimension.": right / 3,
    }
    expect(answer, right, mistakes, f"images x numbers in an image x bits / 8 / 10^6 is not {answer:.4g}.", within(0.1))


def _constant(answer: float) -> None:
    require(not answer < 0, "no standard deviation is negative.")
    require(
        answer == 0,
        "the gap of 4.13 is zero, so q and p give every single way the same density: what is left in the brackets?",
    )


def _never_finer(answer: float) -> None:
    before, right = 0.2918, 0.2895  # above the entropy, of 1,000 and of 4,000 steps: near half of Euler's constant
    mistakes = {
        "the steps in the middle get finer, but what of the last few before the picture?": 0.0,
        "that is a quarter of what it was; which teeth in the picture never got finer?": before / 4,
        "that is half of what it was; which teeth in the picture never got finer?": before / 2,
        "close: that is the distance of 1,000 steps.": before,
        "that is Euler's constant; a half stands before the sum.": 2 * right,
    }
    otherwise = f"`prices(schedule.sigmoid(4000))[0] - H` is not {answer:.4g}."
    expect(answer, right, mistakes, otherwise, within(0.002))


EXERCISES = {
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
    "4.3": Exercise("how many numbers does one image have? Each costs 3.75 bits.", _megabytes, read=number),
    "4.4": Exercise(
        "if the model's chain is the true one, what is the gap of 4.13? What does that say of q(x_{1:T} | x_0) and "
        "p_theta(x_{1:T} | x_0) on each single way?",
        _constant,
        read=number,
    ),
    "4.5": Exercise(
        "guess first; then `prices(schedule.sigmoid(4000))`, less the entropy H of the data.", _never_finer, read=number
    ),
}
