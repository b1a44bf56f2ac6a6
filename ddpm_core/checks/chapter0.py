"""The exercises of chapter 0, the ten-minute generator."""

import torch

from ..verdict import Exercise, need, number


def _sevens(labels) -> None:
    need(torch.is_tensor(labels), f"`labels` should be a tensor of 16 numbers, but it is {type(labels).__name__}.")
    need(labels.shape == (16,), f"16 pictures need 16 labels, but the shape is {tuple(labels.shape)}.")
    need(not labels.is_floating_point(), "labels are whole numbers: torch.full((16,), 7) makes them so.")
    need(bool((labels == 7).all()), "every one of the 16 labels should be 7.")


def _epochs(epochs) -> None:
    epochs = number(epochs)
    need(abs(epochs - 600 * 64) > 1, "that is the number of pictures seen; divide by the size of the data set.")
    need(
        abs(epochs - 600 * 64 / 1797) < 0.5,
        f"600 steps of 64 pictures, 1,797 different ones: {epochs:.3g} is not their ratio.",
    )


CHECKS = {
    "0.1": Exercise(
        "one label a picture: sixteen times the whole number 7, as a tensor. `torch.full` makes copies.", _sevens
    ),
    "0.2": Exercise("one epoch is every picture once; how many pictures did 600 steps of 64 see?", _epochs),
}
