"""The exercises of chapter 16, the club's model revisited."""

import math

import torch
from torch import Tensor

from .. import flow
from ..verdict import Exercise, need, number


def _noise(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _near(got: float, value: float) -> bool:
    return abs(got - value) <= 1e-7 * abs(value)


def _picture(function) -> None:
    for T in (16, 40):
        amount = flow.straight(T)
        for t in (9, 16, 3, 1):
            x0, eps, times = _noise(t, 2, 3), _noise(t + 1, 2, 3), torch.full((2,), t)
            x_t, following = flow.blend(amount, x0, times, eps), flow.blend(amount, x0, times - 1, eps)
            got = function(x_t, following, t, T)
            need(got is not None, "your function returns nothing; end it with `return`.")
            need(torch.is_tensor(got), f"x0_hat should be a tensor, but yours is {type(got).__name__}.")
            need(got.shape == x0.shape, f"x0_hat should be shaped {tuple(x0.shape)}, but yours is {tuple(got.shape)}.")

            def same(other: Tensor, got: Tensor = got) -> bool:
                return torch.allclose(got.to(other.dtype), other, rtol=1e-7, atol=1e-9)

            if t > 1:
                need(not same(following), "that is the next picture itself, which is still noisy.")
                need(not same(x_t - t / T * (x_t - following)), "x_t minus the next picture is only v / T: one stride.")
            need(not same(x_t + t * (x_t - following)), "the other way: the next picture lies nearer to x_0.")
            need(not same(eps), "that is the noise at the other end of the line.")
            need(same(x0), f"at t = {t} of {T} it should begin with {x0[0, 0]:.4f}, but yours with {got[0, 0]:.4f}.")


def _pull(s: float, a: float) -> float:
    return (a - (1 - a) * s**2) / ((1 - a) ** 2 * s**2 + a**2)


def _width(function) -> None:
    for s in (0.4, 0.1, 1.0, 2.0):
        for T in (16, 5, 100):
            factors = [1 - _pull(s, t / T) / T for t in range(1, T + 1)]
            right = math.prod(factors) / s
            got = function(s, T)
            need(got is not None, "your function returns nothing; end it with `return`.")
            got = number(got)
            if s == 0.4:
                need(not _near(got, right * s), "that is the deviation of what is drawn; divide it by s.")
                need(not _near(got, right**2), "that is a ratio of variances; asked for is one of deviations.")
                need(not _near(got, right / factors[0]), "the stride from t = 1 to t = 0 is missing.")
                late = math.prod(1 - _pull(s, t / T) / T for t in range(T)) / s
                need(not _near(got, late), "a stride begins at t and takes the pull there: t = T, T - 1, ..., 1.")
                away = math.prod(2 - factor for factor in factors) / s
                need(not _near(got, away), "the sign: a stride to less noise goes against the velocity.")
            need(_near(got, right), f"for s = {s:g} and T = {T} it should be {right:.6g}, but yours is {got:.6g}.")


def _as_noisy(function) -> None:
    for T in (16, 40):
        for t in (3, T // 2, 1, T - 1):
            got = function(t, T)
            need(got is not None, "your function returns nothing; end it with `return`.")
            got = number(got)
            a = t / T
            right = math.atan2(a, 1 - a) * 2 / math.pi
            if t != T // 2:
                need(not _near(got, a), "that is the time on the road itself; the cosine has another clock.")
                need(not _near(got, 1 - right), "turned round: the share of noise grows with the time.")
                need(not _near(got, right * math.pi / 2), "that is the angle; as a share of the way divide by pi / 2.")
                squared = math.atan2(a**2, (1 - a) ** 2) * 2 / math.pi
                need(not _near(got, squared), "the tangent of the angle is noise over signal, not their squares.")
            need(_near(got, right), f"at t = {t} of {T} it should be {right:.5f}, but yours is {got:.5f}.")


CHECKS = {
    "16.1": Exercise("16.3 gives the velocity from x_t and the next picture; 16.4 walks it back.", _picture),
    "16.2": Exercise("one factor of 16.8 for each t from T down to 1, multiplied; then divide by s.", _width),
    "16.3": Exercise("the cosine schedule keeps signal cos(u) and noise sin(u), u = share * pi / 2.", _as_noisy),
}
