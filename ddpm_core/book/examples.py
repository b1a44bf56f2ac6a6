"""The book's two examples, which come back from chapter to chapter: a spiral of points in the plane, and one digit."""

import math

import torch
from torch import Tensor

from ddpm_core import data
from ddpm_core.diffusion import mixture
from ddpm_core.diffusion.noise import seeded

ARMS, CLOUDS, WIDTH = 3, 40, 0.06  # clouds an arm, and the standard deviation of each


def spiral() -> mixture.GaussianMixture:
    """A spiral of three arms as a mixture of 3 x 40 round Gaussians: a world whose E[x_0 | x_t] is a formula.

    Mode k belongs to arm k % 3. Each coordinate has mean 0 and variance 1, exactly.
    """
    k = torch.arange(ARMS * CLOUDS)
    r = ((k // ARMS + 0.5) / CLOUDS).double().sqrt()
    angle = 2 * torch.pi * ((k % ARMS).double() / ARMS + 0.6 * r)
    means = torch.stack([r * angle.cos(), r * angle.sin()], dim=1)
    means *= math.sqrt((1 - WIDTH**2) / means.square().mean())
    return mixture.isotropic([1 / len(k)] * len(k), means.tolist(), std=WIDTH)


def spiral_points(n: int = 600, seed: int = 1) -> tuple[Tensor, Tensor]:
    """n points of the spiral, (n, 2) in float64, as many from each of its clouds as n allows; and their arms, (n,)."""
    world, k = spiral(), torch.arange(n) % (ARMS * CLOUDS)
    z = torch.randn(n, 2, generator=seeded(seed), dtype=torch.float64)
    return world.means[k] + world.variances[k].sqrt() * z, k % ARMS


def digit() -> Tensor:
    """The first of scikit-learn's digits, a zero: (1, 1, 8, 8), floats in [-1, 1]."""
    return data.to_float(data.load("digits").images[:1])
