"""The exercises of chapter 1, the forward process."""

from operator import eq

from torch import Tensor

from ddpm_core.book.exercises.answers import expect, noise, number, same, tensor, whole, within
from ddpm_core.book.exercises.exercise import Exercise, require
from ddpm_core.schedule import cosine, from_betas, linear


def _half_life(function) -> None:
    for schedule in (linear(1000), cosine(1000), from_betas([0.5, 0.6, 0.7])):
        amplitude, got = schedule.alpha_bar.sqrt(), whole(function(schedule))
        right, by_variance = (int((table < 0.5).nonzero()[0]) for table in (amplitude, schedule.alpha_bar))
        early = f"one too early: at t = {got} the amplitude is {amplitude[right - 1]:.3f}, not yet below a half."
        mistakes = {
            early: right - 1,
            "one too late: the row before is below a half already.": right + 1,
            "that is where the variance is halved; the amplitude is its square root.": by_variance,
        }
        otherwise = f"for {schedule} your function says {got}, but there the amplitude is not the first below a half."
        expect(got, right, mistakes, otherwise, eq)


def _jump(function) -> None:
    schedule = linear(50, 0.01, 0.2)
    x_s, z = noise(0, 2, 4, 3)
    for s, otherwise in (
        (0, "with s = 0 it should be Equation 1.10."),
        (29, "with s = t - 1 it should be Equation 1.1: is the ratio the right way up?"),
        (10, "s = 0 and s = t - 1 are right; look at the times in between."),
    ):
        kept = schedule.alpha_bar[30] / schedule.alpha_bar[s]
        got = tensor(function(schedule, x_s, s, 30, z), "the picture x_t, shaped like x_s", x_s)
        require(same(got, kept.sqrt() * x_s + (1 - kept).sqrt() * z), otherwise)


def _picture_factor(function) -> None:
    for a in (0.3, 0.0, 0.6, 0.9, 1.0):
        got, right = number(function(a)), (1 - a**2) ** 0.5
        mistakes = {
            "that is the straight line again, whose variance sags.": 1 - a,
            "that turns the picture into its negative: of the two roots the factor is the positive one.": -right,
        }
        expect(got, right, mistakes, f"for a = {a} the variance comes out as {got**2 + a**2:.3f}; it should be 1.")


def _kurtosis_of_coins(function) -> None:
    schedule, got = linear(1000), _three(function(linear(1000)))
    for t, k in zip((1, 10, 1000), got, strict=True):
        weight = schedule.beta[1 : t + 1] * schedule.alpha_bar[t] / schedule.alpha_bar[1 : t + 1]  # of each step's coin
        right = 3 - 2 * (weight.square().sum() / weight.sum() ** 2).item()
        mistakes = {
            "that is 3 less: the kurtosis of a normal distribution is 3, the *excess* kurtosis 0.": right - 3,
            f"at t = {t} that is normal noise; a coin has two values, +1 and -1.": 3.0,
        }
        otherwise = f"at t = {t} it should be about {right:.2f}, but yours is {k:.2f}: is mu the mean at that time?"
        expect(k, right, mistakes, otherwise, within(0.15))


def _three(answer: object) -> list[float]:
    three = isinstance(answer, tuple | list | Tensor) and getattr(answer, "ndim", 1) == 1 and len(answer) == 3
    require(three, "return three numbers: the kurtosis at t = 1, at 10 and at 1000.")
    return [number(part) for part in answer]


EXERCISES = {
    "1.1": Exercise(
        "`schedule.alpha_bar.sqrt() < 0.5` is a table of True and False; which row is its first True?", _half_life
    ),
    "1.2": Exercise(
        "what share of the variance is kept between s and t? It is a ratio of two rows of `schedule.alpha_bar`.", _jump
    ),
    "1.3": Exercise(
        "picture and noise are independent: the squares of the two factors must add up to 1.", _picture_factor
    ),
    "1.4": Exercise(
        "start from 20,000 copies of 0.6 and walk by Equation 1.1, a coin for each copy at each step; at three of the "
        "times note the mean of (x - mu)^4, divided by the variance squared.",
        _kurtosis_of_coins,
    ),
}
