"""Right and wrong answers to the exercises of chapter 0, and what a wrong one is told."""

import torch

RIGHT = {
    "0.1": [torch.tensor([7] * 16)],
    "0.2": [21, torch.tensor(21.37)],
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
}
