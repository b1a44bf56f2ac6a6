"""The exercises of chapter 0, the ten-minute generator."""

import torch
from torch import Tensor

from ddpm_core.book.exercises.answers import expect, number, within
from ddpm_core.book.exercises.exercise import Exercise, require


def _labels(answer: object) -> Tensor:
    require(torch.is_tensor(answer), f"`labels` should be a tensor of 16 numbers, but it is {type(answer).__name__}.")
    require(answer.shape == (16,), f"16 pictures need 16 labels, but the shape is {tuple(answer.shape)}.")
    require(not answer.is_floating_point(), "labels are whole numbers: torch.full((16,), 7) makes them so.")
    return answer


def _sevens(labels: Tensor) -> None:
    require(bool((labels == 7).all()), "every one of the 16 labels should be 7.")


def _epochs(epochs: float) -> None:
    seen = 600 * 64
    mistakes = {"that is the number of pictures seen; divide by the size of the data set.": seen}
    otherwise = f"600 steps of 64 pictures, 1,797 different ones: {epochs:.3g} is not their ratio."
    expect(epochs, seen / 1797, mistakes, otherwise, within(0.5))


def _one_to_twenty(ratio: float) -> None:
    measured = 0.08  # with the network beside the book; another may be a little off
    mistakes = {
        "that is the ratio upside down: one step stands above, twenty below.": 1 / measured,
        "that is the ratio of the variances; take standard deviations.": measured**2,
        "if both were alike it would be 1; did both calls of `draw` get their own number of steps?": 1.0,
    }
    require(ratio > 0, f"a spread is positive, and so is a ratio of two, but yours is {ratio:.3g}.")
    near = measured / 2 < ratio < 2 * measured
    otherwise = (
        f"pictures of one step should be far more alike than {ratio:.3g} says: is the spread over the six of a digit?"
    )
    if not near:
        expect(ratio, measured, mistakes, otherwise, lambda got, wrong: abs(got / wrong - 1) < 0.3)


EXERCISES = {
    "0.1": Exercise(
        "one label a picture: sixteen times the whole number 7, as a tensor. `torch.full` makes copies.",
        _sevens,
        read=_labels,
    ),
    "0.2": Exercise(
        "one epoch is every picture once; how many pictures did 600 steps of 64 see?", _epochs, read=number
    ),
    "0.3": Exercise(
        "`sampler.draw(model, 60, labels=labels, steps=1, seed=1)` draws; with labels 0 to 9 in turn, every tenth "
        "picture is of the same digit.",
        _one_to_twenty,
        read=number,
    ),
}
