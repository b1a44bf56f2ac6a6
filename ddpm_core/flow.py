"""The straight road between picture and noise, x_t = (1 - amount_t) x_0 + amount_t eps, and walking it in strides.

The club's model of 2024 went this way, and so does flow matching. A road is a table `amount` of length T + 1 that rises
from 0 at t = 0, clean data, to 1 at T, pure noise; `straight(T)` has equal strides.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from .gaussian import same_shape
from .sampler import Steps
from .schedule import at

Velocity = Callable[[Tensor, Tensor], Tensor]  # (x_t, t) -> velocity, both shaped (B, ...)


def straight(T: int = 16) -> Tensor:
    """amount_t = t / T, float64 of length T + 1.   [chapter 16, Eq. 16.1]"""
    if not isinstance(T, int) or T < 1:
        raise ValueError(f"need a whole number of steps T of at least 1, but got {T!r}.")
    return torch.linspace(0, 1, T + 1, dtype=torch.float64)


def blend(amount: Tensor, x0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
    """x_t = (1 - amount_t) x_0 + amount_t eps.

    x0 (B, ...) scaled to [-1, 1]; t (B,) in 0..T; eps ~ N(0, I), shaped like x0.   [chapter 16, Eq. 16.1]
    """
    same_shape("x0", x0, "eps", eps)
    noise = at(amount, t, like=x0)
    return (1 - noise) * x0 + noise * eps


def velocity(x0: Tensor, eps: Tensor) -> Tensor:
    """eps - x_0: how x_t changes with the amount of noise, the same all along the road.   [Lipman 2022; Liu 2022]"""
    return eps - x0


def x0_from_velocity(amount: Tensor, v: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
    """x_0 = x_t - amount_t v: walk back to the picture at once.   [chapter 16, Eq. 16.4]"""
    return x_t - at(amount, t, like=x_t) * v


def velocity_from_x0(amount: Tensor, x0: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
    """v = (x_t - x_0) / amount_t; t in 1..T.   [chapter 16, Eq. 16.4]"""
    if (t < 1).any():
        raise ValueError(f"need times 1..T, but t holds {int(t.min())}: at t = 0, x_t is x_0 and says nothing of v.")
    return (x_t - x0) / at(amount, t, like=x_t)


def stride(amount: Tensor, v: Tensor, x_t: Tensor, t: Tensor, t_next: Tensor) -> Tensor:
    """x_{t_next} = x_t + (amount_{t_next} - amount_t) v: straight on, as far as the amounts say.

    A step of Euler's, in either direction; t and t_next (B,) in 0..T.   [chapter 16, Eq. 16.3]
    """
    return x_t + (at(amount, t_next, like=x_t) - at(amount, t, like=x_t)) * v


@torch.no_grad()
def walk(velocity: Velocity, amount: Tensor, x_T: Tensor, times: Sequence[int] | None = None) -> Steps:
    """Stride from one of the falling `times` to the next: yields (t, x_t), from x_T down to x_0.

    Nothing is random after x_T. By default every time from T to 0 is visited.   [chapter 16, Eq. 16.3]
    """
    T = len(amount) - 1
    road = list(range(T, -1, -1)) if times is None else [int(t) for t in times]
    if len(road) < 2 or road[0] != T or road[-1] != 0 or any(a <= b for a, b in pairwise(road)):
        raise ValueError(f"need falling times from T = {T} to 0, but got {road!s:.60}.")
    x = x_T
    yield T, x
    for t, t_next in pairwise(road):
        now, then = (torch.full((len(x),), k) for k in (t, t_next))
        x = stride(amount, velocity(x, now), x, now, then)
        yield t_next, x


def alpha_bar(amount: Tensor) -> Tensor:
    """alpha_bar of the variance-preserving chain that has this road's signal-to-noise ratio at every time.

    alpha_bar_t = (1 - amount_t)^2 / ((1 - amount_t)^2 + amount_t^2): the same pictures, on another scale.
    [chapter 16, Eq. 16.2]
    """
    signal = (1 - amount) ** 2
    return signal / (signal + amount**2)
