"""The exercises of chapter 2, schedules and the signal-to-noise ratio."""

import math

from ..schedule import Schedule, cosine, from_betas, linear, respaced, sigmoid
from ..verdict import Exercise, need, number


def _cosine(function) -> None:
    for T, s in ((1000, 0.008), (200, 0.008), (50, 0.1)):
        schedule = cosine(T, s)
        for t in (0, T // 4, T // 2, T - 1):
            got, right = function(t, T, s), schedule.alpha_bar[t].item()
            need(got is not None, "your function returns nothing; end it with `return`.")
            got = number(got)
            need(
                t > 0 or abs(got - 1) < 1e-6,
                f"at t = 0 nothing is lost and alpha_bar is 1, but yours is {got:.6f}: "
                f"{'0 / 0 does not count; ' if math.isnan(got) else ''}divide by f(0).",
            )
            need(
                t == 0 or abs(got - math.sqrt(right)) > 1e-6,
                f"at t = {t} of {T} yours is the square root of what it should be: the cosine is squared.",
            )
            need(
                abs(got - right) < 1e-6,
                f"at t = {t} of {T}, with s = {s}, it should be {right:.7f}, but yours is {got:.7f}: "
                "is the angle (t/T + s) / (1 + s), times half of pi?",
            )
    need(abs(float(function(1000, 1000, 0.008))) < 1e-9, "at t = T it should be 0: leave the cut-off to the betas.")


def _time_at(function) -> None:
    rough = from_betas([0.3, 0.9])  # here the nearest SNR and the nearest log-SNR are not at the same time
    for schedule in (linear(1000), cosine(1000), sigmoid(200), respaced(linear(1000), range(0, 1001, 50)), rough):
        log_snr = schedule.snr.log()
        for wanted in (-0.5,) if schedule is rough else (0.0, 2.0, -3.0):
            got = function(schedule, wanted)
            need(got is not None, "your function returns nothing; end it with `return`.")
            got, right = int(number(got)), _nearest(schedule, wanted)
            need(0 <= got <= schedule.T, f"times run from 0 to {schedule.T}, but yours is {got}.")
            need(
                got == right or got != right - 1,
                f"one too early for {schedule} and a log-SNR of {wanted:g}: if you left row 0 out, add the 1 back.",
            )
            need(
                got == right or got != int((schedule.snr - math.exp(wanted)).abs().argmin()),
                f"at t = {got} the SNR is nearest to that of {wanted:g}; asked for is the nearest logarithm.",
            )
            need(
                got == right or got != _nearest(schedule, wanted, unit=0.5),
                "that is the clock of DPM-Solver, half the logarithm; here it is the whole one.",
            )
            need(
                got == right or got != _nearest(schedule, wanted, unit=1 / math.log(10)),
                "that is a logarithm to base 10; here it is the natural one.",
            )
            need(
                got == right,
                f"for {schedule} and {wanted:g} your function says {got}, where the log-SNR is {log_snr[got]:.2f}; "
                f"at t = {right} it is {log_snr[right]:.2f}.",
            )
    need(int(function(from_betas([0.5, 0.9]), 5.0)) == 1, "row 0 is infinitely far from every number: 1 is nearer.")


def _nearest(schedule: Schedule, log_snr: float, unit: float = 1.0) -> int:
    """The time whose log-SNR, in some unit, is nearest to the number."""
    return int((unit * schedule.snr.log() - log_snr).abs().argmin())


def _steps_needed(function) -> None:
    for bits, beta_1, beta_T in ((1e-3, 1e-4, 0.02), (1e-4, 1e-4, 0.02), (1e-3, 1e-3, 0.01)):
        got, mean = function(bits, beta_1, beta_T), (beta_1 + beta_T) / 2
        need(got is not None, "your function returns nothing; end it with `return`.")
        got = number(got)
        need(got > 0, f"a number of steps is positive, but yours is {got:.4g}: the logarithm of a small number is not.")
        right, searched = -math.log(2 * math.log(2) * bits) / mean, _search(bits, beta_1, beta_T)
        close = min(abs(got - right), abs(got - searched)) < 1.01
        for wrong, hint in (
            (-math.log(2 * bits) / mean, "that price would be in nats; a bit is ln 2 nats."),
            (-math.log(math.log(2) * bits) / mean, "a factor of 2 is missing: there is a half in Equation 2.8."),
            (-math.log(bits / math.log(2)) / mean, "ln 2 stands on the wrong side, and a factor of 2 is missing."),
            (right / 2, "half of what it should be: the betas add up to T times their *mean*."),
            (right * 2, "twice what it should be: the betas add up to T times their *mean*."),
        ):
            need(close or abs(got - wrong) > 1.01, hint)
        need(
            close,
            f"for {bits:g} bits and betas from {beta_1:g} to {beta_T:g} yours is {got:.1f}; "
            f"a search finds {searched}, and Equation 2.2 comes within two steps in a hundred of it.",
        )


def _search(bits: float, beta_1: float, beta_T: float) -> int:
    """The smallest T whose L_T, for pixels of mean square 1, is at most `bits` per dimension."""
    low, high = 1, 1 << 14
    while low < high:
        middle = (low + high) // 2
        price = -math.log1p(-linear(middle, beta_1, beta_T).alpha_bar[-1].item()) / (2 * math.log(2))
        low, high = (low, middle) if price <= bits else (middle + 1, high)
    return low


CHECKS = {
    "2.1": Exercise("write f(t) as a function of its own first; alpha_bar is f(t) divided by f(0).", _cosine),
    "2.2": Exercise(
        "`schedule.snr.log()` is a table with one row per time; which row is nearest to the number? `argmin` tells.",
        _time_at,
    ),
    "2.3": Exercise(
        "with a mean square of 1, Equation 2.8 is -ln(1 - alpha_bar_T) / (2 ln 2); replace the logarithm by its first "
        "term, then put the alpha_bar_T that you find into Equation 2.2.",
        _steps_needed,
    ),
}
