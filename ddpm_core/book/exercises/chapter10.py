"""The exercises of chapter 10, fewer steps."""

from itertools import pairwise, product

import torch

from ddpm_core.book.exercises.answers import expect, farthest, noise, number, pair, tensor, within
from ddpm_core.book.exercises.exercise import Exercise
from ddpm_core.schedule import cosine, linear

SCHEDULES = linear(50, 0.01, 0.2), cosine(40)
LEAPS = (30, 12), (9, 8), (40, 1)  # from t to s
LAST = (5, 0)  # to the picture itself


def _leap_noise(function) -> None:
    for schedule, (t, s), eta in product(SCHEDULES, (*LEAPS, LAST), (0.5, 1.0, 0.0)):
        got, now, then = number(function(schedule, t, s, eta)), schedule.alpha_bar[t], schedule.alpha_bar[s]
        wide = (1 - now / then).sqrt()
        narrower = ((1 - then) / (1 - now)).sqrt()
        full = narrower * wide
        right, small_step = eta * full, eta * schedule.beta_tilde[t].sqrt()
        mistakes = {
            "that is the variance, sigma squared; asked is the standard deviation.": right**2,
            "eta is missing: it says how much of sigma_1 is taken.": full,
            "eta multiplies sigma; its square belongs to the variance.": eta**2 * full,
            "the square root of 10.6 is missing.": eta * full**2,
            "that is the step from t to t - 1; a leap goes to s, so alpha_bar[s] stands in both places.": small_step,
            "that is the width of the jump from s to t; the witness x_0 is missing.": eta * wide,
            "the first fraction stands upside down: it is smaller than 1.": eta * wide / narrower,
        }
        leap = f"from t = {t} to s = {s} of {schedule} with eta = {eta:g}"
        expect(got, right, mistakes, f"{leap} sigma should be {right:.5f}, but yours is {got:.5f}.")


def _back_up(function) -> None:
    for schedule, (t, s) in product(SCHEDULES, LEAPS):
        x0_hat, eps = noise(t, 2, 2, 3)
        now, then = schedule.alpha_bar[t], schedule.alpha_bar[s]
        x_s, right = (kept.sqrt() * x0_hat + (1 - kept).sqrt() * eps for kept in (then, now))
        got = tensor(function(schedule, x_s, s, t, x0_hat), "x_t, shaped like x_s", x_s)
        smaller, squared = (now / then).sqrt() * x_s, now * x0_hat + (1 - now) * eps
        mistakes = {
            "that is x_s itself; it has to move up to t.": x_s,
            "that is x_s made smaller, without the noise that has to come; 10.9 says where x_s goes.": smaller,
            "that is the picture x_0_hat; it has to be mixed with its noise for time t.": x0_hat,
            "that is the noise in x_s; mix it with the picture for time t.": eps,
            "almost: that is still stretched; multiply by sqrt(alpha_bar[t]).": right / now.sqrt(),
            "the factors of picture and noise are square roots, as in the jump 1.10.": squared,
        }
        there, here = farthest(right, got)
        leap = f"from s = {s} up to t = {t} of {schedule}"
        expect(got, right, mistakes, f"{leap} it should give {there:.4f}, not {here:.4f}.")


def _on_the_line(function) -> None:
    for schedule, (r, t, s) in product(SCHEDULES, ((39, 30, 12), (10, 9, 8), (31, 22, 5))):
        x_t, x0_hat, earlier = noise(t, 3, 2, 3)
        clock, now, then = 0.5 * schedule.snr.log(), schedule.alpha_bar[t], schedule.alpha_bar[s]
        h, before = clock[s] - clock[t], clock[t] - clock[r]
        flat, sloped = 1 - (-h).exp(), h - 1 + (-h).exp()
        kept = ((1 - then) / (1 - now)).sqrt() * x_t + then.sqrt() * flat * x0_hat
        slope, line = x0_hat - earlier, then.sqrt() * sloped * (x0_hat - earlier)
        right = kept + line / before
        got = tensor(function(schedule, x_t, t, s, x0_hat, r, earlier), "x_s, shaped like x_t", x_t)
        half_time = kept + then.sqrt() * flat * h / 2 * slope / before
        mistakes = {
            "that is 10.14, with the value at half-time; integrate the line exactly.": half_time,
            "that is 10.13: the slope of the line is missing.": kept,
            "the slope has the wrong sign: it is now minus before.": kept - line / before,
            "divide the difference of the two guesses by h', the time between them.": kept + line,
            "the slope is over h', the step before; you divided by h, the step to come.": kept + line / h,
            "almost: the line's part, too, is multiplied by sqrt(alpha_bar[s]).": kept + line / before / then.sqrt(),
        }
        there, here = farthest(right, got)
        leap = f"from t = {t} to s = {s} of {schedule}"
        expect(got, right, mistakes, f"{leap} it should give {there:.4f}, not {here:.4f}.")


def _factor(eta: float, steps: int = 50, start: int = 500) -> float:
    """By how much a spread of 0.5 is too large at 0, if x_start was ten percent too wide: leaps are linear here."""
    schedule, s2 = cosine(1000), 0.25
    road = [round(start * (1 - k / steps)) for k in range(steps + 1)]
    V = schedule.alpha_bar * s2 + 1 - schedule.alpha_bar
    kept, fresh = 1.0, 0.0  # of the variance at the start, and of what was added on the way
    for t, s in pairwise(road):
        now, then = schedule.alpha_bar[t].item(), schedule.alpha_bar[s].item()
        variance = eta**2 * (1 - then) / (1 - now) * (1 - now / then)
        guess = now**0.5 * s2 / V[t].item()
        noise = (1 - now**0.5 * guess) / (1 - now) ** 0.5
        a = then**0.5 * guess + max(0.0, 1 - then - variance) ** 0.5 * noise
        kept, fresh = a * a * kept, a * a * fresh + variance
    first = V[start].item()
    return ((1.21 * first * kept + fresh) / (first * kept + fresh)) ** 0.5


def _planted(answer: object) -> None:
    got = torch.tensor(pair(answer, "the factor with eta = 0", "the one with eta = 1"), dtype=torch.float64)
    right = torch.tensor([_factor(0.0), _factor(1.0)], dtype=torch.float64)
    mistakes = {
        "those are factors of the variance; asked are those of the spread, the standard deviation.": right**2,
        "the other way round: first eta = 0, then eta = 1.": right.flip(0),
        "those are the shares by which it is too wide; asked are the factors, 1 and a little.": right - 1,
        "both walks seem to be without noise: eta=1.0 is an argument of `sampler.ddim`.": right[:1].expand(2),
        "both walks seem to have noise: with eta = 0 there is none.": right[1:].expand(2),
        "those are one over the factors: divide the spread with the error by the one without.": 1 / right,
    }
    expect(got, right, mistakes, f"10.16 and 9.9 say something else than {got[0]:.3f} and {got[1]:.3f}.", within(0.008))


EXERCISES = {
    "10.1": Exercise("10.6 as it stands, with alpha_bar[t] and alpha_bar[s]; all but eta under one root.", _leap_noise),
    "10.2": Exercise("which noise is in x_s, if the picture is x0_hat? Mix the same two again, for time t.", _back_up),
    "10.3": Exercise(
        "in 10.12 put x0_hat + (lambda - lambda_t) slope; the two integrals are 1 - exp(-h) and h - 1 + exp(-h), both "
        "times exp(lambda_s).",
        _on_the_line,
    ),
    "10.4": Exercise(
        "walk twice from the same numbers, once from 1.1 times them, with the same generator; divide the two spreads.",
        _planted,
        read=lambda answer: answer,
    ),
}
