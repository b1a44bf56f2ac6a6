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


EXERCISES = {
    "0.1": Exercise(
        "one label a picture: sixteen times the whole number 7, as a tensor. `torch.full` makes copies.",
        _sevens,
        read=_labels,
    ),
    "0.2": Exercise(
        "one epoch is every picture once; how many pictures did 600 steps of 64 see?", _epochs, read=number
    ),
}
