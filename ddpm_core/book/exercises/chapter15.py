"""The exercises of chapter 15, the debugging clinic."""

from operator import eq

import torch

from ddpm_core.book import clinic
from ddpm_core.book.clinic.strangers import STRANGERS
from ddpm_core.book.exercises.answers import expect, number, pair, whole, within
from ddpm_core.book.exercises.exercise import Exercise, require
from ddpm_core.schedule import cosine, linear

CLUES = {
    "A": "which check does `clinic.examine` fail for it? Then compare what that function does with its docstring.",
    "B": "the last step is right and the others are not: which function makes a step?",
    "C": "it passes all thirteen. Give its functions the same input as the patient's, one by one, and compare.",
}


def _functions(answer: object) -> None:
    three = isinstance(answer, list | tuple) or (torch.is_tensor(answer) and answer.ndim == 1)
    require(three and len(answer) == 3, "the answer should be three numbers, one each for the strangers A, B and C.")
    for letter, part in zip("ABC", answer, strict=True):
        got = whole(part)
        inside = 1 <= got <= len(clinic.FUNCTIONS)
        require(inside, f"functions are counted from 1 to {len(clinic.FUNCTIONS)}, but for {letter} you have {got}.")
        right = clinic.FUNCTIONS.index(STRANGERS[letter].function) + 1
        require(got == right, f"it is not {clinic.FUNCTIONS[got - 1]} that is sick in {letter}: {CLUES[letter]}")


def _never_asked(function) -> None:
    last = "for t in range(T, 0, -1):"
    skipping = clinic.Bug("every other step", "draw", last, "for t in range(T, 0, -2):", "")
    early = clinic.Bug("one step short", "draw", last, "for t in range(T, 1, -1):", "")
    for bugs, right in (([], 0), ([clinic.by_name("clock off by one")], 1), ([early], 1), ([skipping], 50)):
        got, name = whole(function(clinic.planted(*bugs))), bugs[0].name if bugs else "the sound patient"
        mistakes = {
            "turned round: that is the number of times at which it was asked.": clinic.patient.T - right,
            "the times are 1..T: T counts, and 0 does not.": right + 1,
        }
        expect(got, right, mistakes, f"for {name} it should be {right}, but yours is {got}.", eq)


def _silence(function) -> None:
    for schedule in (cosine(100), linear(1000), linear(10, 0.1, 0.4)):
        for square in (1.0, 0.5, 2.0, 0.0):
            got, alpha_bar = number(function(schedule, square)), schedule.alpha_bar[1:]
            right = (alpha_bar + (1 - alpha_bar) * square).mean()
            with_clean = (schedule.alpha_bar + (1 - schedule.alpha_bar) * square).mean()
            mistakes = {
                "turned round: v is the noise where the picture is clear.": (alpha_bar * square + 1 - alpha_bar).mean(),
                "t runs from 1 to T; row 0 of the tables is the clean picture.": with_clean,
                "that is the loss for eps, which is 1 whatever the pictures are.": 1.0,
                "alpha_bar is a share of the variance already: its square is one too many.": (
                    alpha_bar**2 + (1 - alpha_bar) ** 2 * square
                ).mean(),
                "that is the sum over t; the loss is a mean.": right * schedule.T,
            }
            mistakes = {hint: wrong for hint, wrong in mistakes.items() if abs(float(wrong) - float(right)) > 1e-3}
            where = f"for {schedule} and a mean square of {square:g}"
            expect(got, right, mistakes, f"{where} it should be {float(right):.5f}, but yours is {got:.5f}.")


def _width(s: float, after: int) -> float:
    """Deviation over s of what `draw` makes of a normal x_T in a world N(0, s^2), with noise after each t > `after`."""
    tables, variance = clinic.patient.TABLES, 1.0
    for t in range(tables.T, 0, -1):
        alpha_bar, before, beta = (float(x) for x in (tables.alpha_bar[t], tables.alpha_bar[t - 1], tables.beta[t]))
        of_x0, of_xt = before**0.5 * beta, (1 - beta) ** 0.5 * (1 - before)
        expected = alpha_bar**0.5 * s**2 / (alpha_bar * s**2 + 1 - alpha_bar)  # E[x_0 | x_t] / x_t
        variance = ((of_x0 * expected + of_xt) / (1 - alpha_bar)) ** 2 * variance + beta * (t > after)
    return variance**0.5 / s


def _widths(answer: object) -> None:
    got = torch.tensor(pair(answer, "the width of the sound copy", "that of the sick one"), dtype=torch.float64)
    right, s = torch.tensor([_width(0.02, 1), _width(0.02, 0)], dtype=torch.float64), 0.02
    beta = clinic.patient.TABLES.beta[1].item()
    mistakes = {
        "the other way round: first the sound copy, then the sick one.": right.flip(0),
        "those are the deviations themselves; divide them by s.": right * s,
        "those are ratios of variances; asked are those of deviations.": right**2,
        "the sound copy does not come back as wide as the world, either: measure it.": (1.0, (1 + beta / s**2) ** 0.5),
        "that is what a wide world gives: is yours 0.02 wide?": (1.02, 1.03),
    }
    mistakes = {hint: torch.as_tensor(wrong, dtype=torch.float64) for hint, wrong in mistakes.items()}
    expect(got, right, mistakes, f"it is something else than {got[0]:.3f} and {got[1]:.3f}.", within(0.06))


EXERCISES = {
    "15.1": Exercise(
        "`clinic.examine(clinic.stranger('A'))` says which checks fail; `clinic.FUNCTIONS` lists the functions.",
        _functions,
        read=lambda answer: answer,
    ),
    "15.2": Exercise(
        "give `code.draw` a module that writes down the times it is asked at and answers zeros.",
        _never_asked,
    ),
    "15.3": Exercise("square v of chapter 5 and take the mean over eps and x_0, then over t = 1..T.", _silence),
    "15.4": Exercise(
        "give `clinic.Exact` the narrow world, let both copies draw from one x_T, and compare `.std()` with 0.02.",
        _widths,
        read=lambda answer: answer,
    ),
}
