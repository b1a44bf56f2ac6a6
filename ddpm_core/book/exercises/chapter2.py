"""The exercises of chapter 2, schedules and the signal-to-noise ratio."""

import math
from itertools import product
from operator import eq

from torch import Tensor

from ddpm_core.book import examples
from ddpm_core.book.exercises.answers import expect, number, whole, within
from ddpm_core.book.exercises.exercise import Exercise, require
from ddpm_core.book.widgets import two_pictures
from ddpm_core.schedule import cosine, from_betas, linear, respaced, sigmoid


def _cosine(function) -> None:
    for T, s in ((1000, 0.008), (200, 0.008), (50, 0.1)):
        for t in (0, T // 4, T // 2, T - 1):
            got, right = number(function(t, T, s)), cosine(T, s).alpha_bar[t].item()
            require(
                t > 0 or abs(got - 1) < 1e-6,
                f"at t = 0 nothing is lost and alpha_bar is 1, but yours is {got:.6f}: "
                f"{'0 / 0 does not count; ' if math.isnan(got) else ''}divide by f(0).",
            )
            root = f"at t = {t} of {T} yours is the square root of what it should be: the cosine is squared."
            otherwise = (
                f"at t = {t} of {T}, with s = {s}, it should be {right:.7f}, but yours is {got:.7f}: "
                "is the angle (t/T + s) / (1 + s), times half of pi?"
            )
            expect(got, right, {root: right**0.5}, otherwise, within(1e-6))
    end = number(function(1000, 1000, 0.008))
    require(abs(end) < 1e-9, "at t = T it should be 0: leave the cut-off to the betas.")


def _time_at(function) -> None:
    schedules = linear(1000), cosine(1000), sigmoid(200), respaced(linear(1000), range(0, 1001, 50))
    rough = from_betas([0.3, 0.9])  # here the nearest SNR and the nearest log-SNR are not at the same time
    for schedule, wanted in (*product(schedules, (0.0, 2.0, -3.0)), (rough, -0.5)):
        got, log_snr = whole(function(schedule, wanted)), schedule.snr.log()
        require(0 <= got <= schedule.T, f"times run from 0 to {schedule.T}, but yours is {got}.")
        right, halved = _nearest(log_snr, wanted), _nearest(log_snr / 2, wanted)
        early = f"one too early for {schedule} and a log-SNR of {wanted:g}: if you left row 0 out, add the 1 back."
        by_snr = f"at t = {got} the SNR is nearest to that of {wanted:g}; asked for is the nearest logarithm."
        mistakes = {
            early: right - 1,
            by_snr: _nearest(schedule.snr, math.exp(wanted)),
            "that is the clock of DPM-Solver, half the logarithm; here it is the whole one.": halved,
            "that is a logarithm to base 10; here it is the natural one.": _nearest(log_snr / math.log(10), wanted),
        }
        otherwise = (
            f"for {schedule} and {wanted:g} your function says {got}, where the log-SNR is {log_snr[got]:.2f}; "
            f"at t = {right} it is {log_snr[right]:.2f}."
        )
        expect(got, right, mistakes, otherwise, eq)
    first = whole(function(from_betas([0.5, 0.9]), 5.0))
    require(first == 1, "row 0 is infinitely far from every number: 1 is nearer.")


def _nearest(table: Tensor, value: float) -> int:
    return int((table - value).abs().argmin())


def _steps_needed(function) -> None:
    for bits, beta_1, beta_T in ((1e-3, 1e-4, 0.02), (1e-4, 1e-4, 0.02), (1e-3, 1e-3, 0.01)):
        got, searched = number(function(bits, beta_1, beta_T)), _search(bits, beta_1, beta_T)
        negative = f"a number of steps is positive, but yours is {got:.4g}: the logarithm of a small number is not."
        require(not got <= 0, negative)
        mean = (beta_1 + beta_T) / 2
        right = -math.log(2 * math.log(2) * bits) / mean
        mistakes = {
            "that price would be in nats; a bit is log 2 nats.": -math.log(2 * bits) / mean,
            "a factor of 2 is missing: there is a half in Equation 2.8.": -math.log(math.log(2) * bits) / mean,
            "log 2 stands on the wrong side, and a factor of 2 is missing.": -math.log(bits / math.log(2)) / mean,
            "half of what it should be: the betas add up to T times their *mean*.": right / 2,
            "twice what it should be: the betas add up to T times their *mean*.": right * 2,
        }
        otherwise = (
            f"for {bits:g} bits and betas from {beta_1:g} to {beta_T:g} yours is {got:.1f}; "
            f"a search finds {searched}, and Equation 2.2 comes within two steps in a hundred of it."
        )
        if not abs(got - searched) < 1.01:
            expect(got, right, mistakes, otherwise, within(1.01))


def _search(bits: float, beta_1: float, beta_T: float) -> int:
    """The smallest T whose L_T, for pixels of mean square 1, is at most `bits` per dimension."""
    low, high = 1, 1 << 14
    while low < high:
        middle = (low + high) // 2
        price = -math.log1p(-linear(middle, beta_1, beta_T).alpha_bar[-1].item()) / (2 * math.log(2))
        low, high = (low, middle) if price <= bits else (middle + 1, high)
    return low


def _share_at(function) -> None:
    for contrast in (1.0, 0.25):
        got = number(function(contrast))
        require(0 <= got <= 1, f"a share lies between 0 and 1, but yours is {got:.4g}.")
        size = contrast * examples.digit().double().norm().item()
        right = (two_pictures.chains(linear(200), size) > 0).double().mean().item()
        as_in_data = "that is the share in the data: is the chain the one that stops early, schedule.linear(200)?"
        same_as_before = "that is the share at full contrast: do both means of the mixture take the factor?"
        mistakes = {
            "that is the share of the negatives; count the zeros.": 1 - right,
            as_in_data: 0.8,
            same_as_before: (two_pictures.chains(linear(200), size / contrast) > 0).double().mean().item(),
        }
        otherwise = (
            f"at a contrast of {contrast:g} about {right:.2f} of the pictures are zeros, but yours is {got:.2f}."
        )
        if not abs(got - right) < 0.05:
            expect(got, right, mistakes, otherwise, within(0.05))


EXERCISES = {
    "2.1": Exercise("write f(t) as a function of its own first; alpha_bar is f(t) divided by f(0).", _cosine),
    "2.2": Exercise(
        "`schedule.snr.log()` is a table with one row per time; which row is nearest to the number? `argmin` tells.",
        _time_at,
    ),
    "2.3": Exercise(
        "with a mean square of 1, Equation 2.8 is -log(1 - alpha_bar_T) / (2 log 2); replace the logarithm by its "
        "first term, then put the alpha_bar_T that you find into Equation 2.2.",
        _steps_needed,
    ),
    "2.4": Exercise(
        "build the world anew, its means times `contrast`, and draw from it as the experiment did, from pure noise; "
        "a picture is a zero where its product with the zero is positive.",
        _share_at,
    ),
}
