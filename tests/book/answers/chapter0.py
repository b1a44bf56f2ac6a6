"""Right and wrong answers to the exercises of chapter 0, and what a wrong one is told."""

import torch

RIGHT = {
    "0.1": [torch.tensor([7] * 16)],
    "0.2": [21, torch.tensor(21.37)],
    "0.3": [0.1, torch.tensor(0.06)],
}

WRONG = {
    "0.1": [
        (torch.full((16,), 7.0), "whole numbers"),
        (torch.full((10,), 7), "16 labels"),
        (torch.arange(16) % 10, "should be 7"),
    ],
    "0.2": [
        (600 * 64, "divide"),
        (1797 / (600 * 64), "not their ratio"),
    ],
    "0.3": [
        (12.1, "upside down"),
        (0.007, "ratio of the variances"),
        (1.0, "own number of steps"),
        (-0.1, "a spread is positive"),
        (0.4, "the six of a digit"),
    ],
}
