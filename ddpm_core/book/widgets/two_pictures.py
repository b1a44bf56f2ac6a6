"""Samples of a world of two pictures, one common and one rare, along any schedule: what the curve editor draws.

x_0 is a picture in 4 cases of 5 and else its negative, with noise of standard deviation 0.2 in each pixel. The mean
E[x_0 | x_t] then depends on the part u of x_t along the picture alone, and so does which of the two is drawn. So chains
of one number are enough; bend.js walks the same ones from the same noise.
"""

import math

import numpy as np
import torch
from torch import Tensor

from ddpm_core.book.widgets.hashed_noise import normals
from ddpm_core.schedule import Schedule

SHARE, STD = 0.8, 0.2
CHAINS = 400


def starts() -> Tensor:
    """u_T of every chain: the quantiles of N(0, 1) at (k + 1/2) / 400, so that chance has a small part, shuffled."""
    k = torch.arange(CHAINS) * 161 % CHAINS
    return torch.special.ndtri((k.double() + 0.5) / CHAINS)


def chains(schedule: Schedule, size: float) -> Tensor:
    """u_0 (400,) by ancestral sampling with the variance beta_tilde and the exact E[x_0 | x_t]; `size` is |x_0|.

    The world is a mixture of two Gaussians at u = size and u = -size, in shares of 4 to 1.   [Ho 2020, Algorithm 2]
    """
    u, odds = starts().numpy(), math.log(SHARE / (1 - SHARE))
    z = normals(schedule.T * CHAINS).reshape(schedule.T, CHAINS)  # row t - 1 is for the step from t
    of_x0, of_xt = schedule.posterior_mean_coef_x0.numpy(), schedule.posterior_mean_coef_xt.numpy()
    alpha_bar, std = schedule.alpha_bar.numpy(), schedule.beta_tilde.sqrt().numpy()
    for t in range(schedule.T, 0, -1):
        root, variance = math.sqrt(alpha_bar[t]), alpha_bar[t] * STD**2 + 1 - alpha_bar[t]
        balance = size * np.tanh(odds / 2 + root * size * u / variance)  # what is known of the mean of the mode
        guess = balance + root * STD**2 / variance * (u - root * balance)
        u = of_x0[t] * guess + of_xt[t] * u + std[t] * z[t - 1]
    return torch.from_numpy(u)
