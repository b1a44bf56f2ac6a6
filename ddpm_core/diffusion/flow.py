"""The straight path between picture and noise, x_t = (1 - sigma_t) x_0 + sigma_t eps, and Euler's steps along it.

The club's model of 2024 went this way, and so does flow matching. A path is a table `sigma` of length T + 1 that rises
from 0 at t = 0, clean data, to 1 at T, pure noise; that of `linear_path(T)` has equal steps.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from ddpm_core.diffusion.arguments import checked, same_shape, whole_times
from ddpm_core.diffusion.timesteps import Steps
from ddpm_core.schedule import at, at_least_one

Velocity = Callable[[Tensor, Tensor], Tensor]  # (x_t, t) -> velocity, both shaped (B, ...)


def linear_path(T: int = 16) -> Tensor:
    """sigma_t = t / T, float64 of length T + 1.   [chapter 16, Eq. 16.1]"""
    return torch.linspace(0, 1, at_least_one(T) + 1, dtype=torch.float64)


@checked
def interpolate(sigma: Tensor, x0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
    """x_t = (1 - sigma_t) x_0 + sigma_t eps.

    x0 (B, ...) scaled to [-1, 1]; t (B,) in 0..T; eps ~ N(0, I), shaped like x0.   [chapter 16, Eq. 16.1]
    """
    noise = at(sigma, t, like=x0)
    return (1 - noise) * x0 + noise * eps


@checked
def velocity(x0: Tensor, eps: Tensor) -> Tensor:
    """eps - x_0: how x_t changes with sigma, the same all along the path.   [Lipman 2022; Liu 2022]"""
    return eps - x0


@checked
def flow_matching(sigma: Tensor) -> Callable[..., Tensor]:
    """E || eps - x_0 - net(x_t, t) ||^2 on the straight path: (net, x0, t, eps) -> a scalar, the mean over numbers.

    The mean velocity given x_t has the least of it. t in 1..T.   [Lipman 2022; Liu 2022; chapter 14, Eq. 14.16]
    """

    def loss(net: Velocity, x0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        x_t = interpolate(sigma, x0, t, eps)
        output = net(x_t, t)
        same_shape("x_t", x_t, "the network's output", output)
        return (velocity(x0, eps) - output).square().mean()

    return loss


@checked
def x0_from_velocity(sigma: Tensor, v: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
    """x_0 = x_t - sigma_t v: walk back to the picture at once.   [chapter 16, Eq. 16.4]"""
    return x_t - at(sigma, t, like=x_t) * v


@checked
def velocity_from_x0(sigma: Tensor, x0: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
    """v = (x_t - x_0) / sigma_t; t in 1..T.   [chapter 16, Eq. 16.4]"""
    if (t < 1).any():
        raise ValueError(f"need times 1..T, but t holds {int(t.min())}: at t = 0, x_t is x_0 and says nothing of v.")
    return (x_t - x0) / at(sigma, t, like=x_t)


@checked
def euler_step(sigma: Tensor, v: Tensor, x_t: Tensor, t: Tensor, t_next: Tensor) -> Tensor:
    """x_{t_next} = x_t + (sigma_{t_next} - sigma_t) v: straight on, as far as the sigmas say.

    A step of Euler's, in either direction; t and t_next (B,) in 0..T.   [chapter 16, Eq. 16.3]
    """
    return x_t + (at(sigma, t_next, like=x_t) - at(sigma, t, like=x_t)) * v


@checked
@torch.no_grad()
def euler(velocity: Velocity, sigma: Tensor, x_T: Tensor, times: Sequence[int] | None = None) -> Steps:
    """Step from one of the falling `times` to the next: yields (t, x_t), from x_T down to x_0.

    Nothing is random after x_T. By default every time from T to 0 is visited.   [chapter 16, Eq. 16.3]
    """
    T = len(sigma) - 1
    road = list(range(T, -1, -1)) if times is None else whole_times(times)
    if len(road) < 2 or road[0] != T or road[-1] != 0 or any(a <= b for a, b in pairwise(road)):
        raise ValueError(f"need falling times from T = {T} to 0, but got {road!s:.60}.")
    x = x_T
    yield T, x
    for t, t_next in pairwise(road):
        now, then = (torch.full((len(x),), k) for k in (t, t_next))
        x = euler_step(sigma, velocity(x, now), x, now, then)
        yield t_next, x


@checked
def alpha_bar(sigma: Tensor) -> Tensor:
    """alpha_bar of the variance-preserving chain that has this path's signal-to-noise ratio at every time.

    alpha_bar_t = (1 - sigma_t)^2 / ((1 - sigma_t)^2 + sigma_t^2): the same pictures, on another scale.
    [chapter 16, Eq. 16.2]
    """
    signal = (1 - sigma) ** 2
    return signal / (signal + sigma**2)
