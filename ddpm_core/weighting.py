"""How much an error counts at time t: functions (schedule, t, predict) -> (B,), each multiplying the squared error
of the network's own answer. `predict.gain` turns a weight on the error of x_0 into one on that answer.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from .gaussian import posterior_coefficients
from .predict import Prediction
from .schedule import Schedule, at

Weighting = Callable[[Schedule, Tensor, Prediction], Tensor]


def uniform(schedule: Schedule, t: Tensor, predict: Prediction) -> Tensor:
    """1 for every t; with EPS this is L_simple.  [Ho 2020, Eq. 14]"""
    return torch.ones(len(t), dtype=torch.float64)


def vlb(schedule: Schedule, t: Tensor, predict: Prediction) -> Tensor:
    """The bound's weight for the fixed variance beta_t: with EPS, beta_t / (2 alpha_t (1 - alpha_bar_t)); t in 1..T.

    In terms of x_0: (the posterior mean's coefficient of x_0)^2 / (2 beta_t). At t = 1 it stands for L_0.
    [Ho 2020, Eq. 12; chapter 5, Eq. 5.5]
    """
    row = _rows(t)
    coefficient_x0, _ = posterior_coefficients(schedule, t, like=row)
    return coefficient_x0**2 / (2 * at(schedule.beta, t, row)) * predict.gain(schedule, t, row) ** 2


def min_snr(gamma: float = 5.0) -> Weighting:
    """min(SNR_t, gamma) on the error of x_0, so that nearly clean images do not drown the rest.

    [Hang 2023; chapter 6, Eq. 6.7]
    """

    def weight(schedule: Schedule, t: Tensor, predict: Prediction) -> Tensor:
        row = _rows(t)
        return at(schedule.snr, t, row).clamp(max=gamma) * predict.gain(schedule, t, row) ** 2

    weight.__qualname__ = f"min_snr({float(gamma)})"  # by which `recipe.described` tells one from another
    return weight


def _rows(t: Tensor) -> Tensor:
    """One float64 number per example, for `at` to shape itself after."""
    return torch.empty(len(t), dtype=torch.float64)
