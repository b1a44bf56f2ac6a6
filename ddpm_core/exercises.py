"""The check behind each exercise: a hint first, then how to go on; never a traceback.

`check("1.1", answer)` runs the reader's function or looks at the reader's value and returns a `Verdict`, whose text the
notebook shows. A check calls `need(condition, how_to_go_on)`; the first need that is not met is the verdict.
"""

import textwrap
from collections.abc import Callable
from dataclasses import dataclass

import torch

from . import gaussian
from .schedule import cosine, from_betas, linear


@dataclass(frozen=True)
class Verdict:
    """Whether an exercise is solved, and the sentence that the reader sees."""

    solved: bool
    message: str

    def __repr__(self) -> str:
        return textwrap.fill(self.message, 80)  # a page shows text as it is, without folding it


@dataclass(frozen=True)
class Exercise:
    """A hint for the untouched stub, and a check that raises `NotYet` with the next thing to try."""

    hint: str
    check: Callable[[object], None]


class NotYet(Exception):
    """The answer is not right yet; the message says how to go on."""


def need(condition: bool, how_to_go_on: str) -> None:
    """Raise NotYet unless the condition holds."""
    if not condition:
        raise NotYet(how_to_go_on)


def check(number: str, answer: object) -> Verdict:
    """Judge the answer to exercise `number`: a function, or a value. Raises KeyError only for an unknown number."""
    exercise = EXERCISES[number]
    try:
        exercise.check(answer)
    except NotYet as verdict:
        text = str(verdict)
    except Exception as error:  # the reader's own code may raise anything
        text = f"your code raised {type(error).__name__}: {error}"
    else:
        return Verdict(True, f"Exercise {number}: solved.")
    if _untouched(answer):
        text = f"hint: {exercise.hint}"
    return Verdict(False, f"Exercise {number}, not yet: {text}")


def _stub(): ...


def _untouched(answer: object) -> bool:
    """A stub: `...` as the value, or a function whose whole body is `...`."""
    code = getattr(answer, "__code__", None)
    return answer is None or answer is ... or (code is not None and code.co_code == _stub.__code__.co_code)


# ---- chapter 0 -------------------------------------------------------------------------------------------------


def _sevens(labels) -> None:
    need(torch.is_tensor(labels), f"`labels` should be a tensor of 16 numbers, but it is {type(labels).__name__}.")
    need(labels.shape == (16,), f"16 pictures need 16 labels, but the shape is {tuple(labels.shape)}.")
    need(not labels.is_floating_point(), "labels are whole numbers: torch.full((16,), 7) makes them so.")
    need(bool((labels == 7).all()), "every one of the 16 labels should be 7.")


def _epochs(epochs) -> None:
    need(isinstance(epochs, int | float), f"the answer should be a number, but it is {type(epochs).__name__}.")
    need(abs(epochs - 600 * 64) > 1, "that is the number of pictures seen; divide by the size of the data set.")
    need(
        abs(epochs - 600 * 64 / 1797) < 0.5,
        f"600 steps of 64 pictures, 1,797 different ones: {epochs:.3g} is not their ratio.",
    )


# ---- chapter 1 -------------------------------------------------------------------------------------------------


def _half_life(function) -> None:
    for schedule in (linear(1000), cosine(1000), from_betas([0.5, 0.6, 0.7])):
        got, amplitude = function(schedule), schedule.alpha_bar.sqrt()
        right = next(t for t in range(schedule.T + 1) if amplitude[t] < 0.5)
        need(got is not None, "your function returns nothing; end it with `return`.")
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
        need(
            abs(float(got) ** 2 + a**2 - 1) < 1e-9,
            f"for a = {a} the variance comes out as {float(got) ** 2 + a**2:.3f}; it should be 1.",
        )


EXERCISES = {
    "0.1": Exercise("a label is the class you want; torch.full((n,), k) makes n copies of k.", _sevens),
    "0.2": Exercise("one epoch is every picture once; how many pictures did 600 steps of 64 see?", _epochs),
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
