"""The exercises of chapter 16, the club's model revisited."""

import math
from itertools import pairwise, product

import torch

from ddpm_core.book.exercises.answers import expect, farthest, noise, number, pair, tensor, within
from ddpm_core.book.exercises.exercise import Exercise
from ddpm_core.diffusion import flow


def _picture(function) -> None:
    for T, t in product((16, 40), (9, 16, 3, 1)):
        (x0, eps), times, sigma = noise(t, 2, 2, 3), torch.full((2,), t), flow.linear_path(T)
        x_t, following = flow.interpolate(sigma, x0, times, eps), flow.interpolate(sigma, x0, times - 1, eps)
        got = tensor(function(x_t, following, t, T), "x0_hat", x0)
        stride = x_t - following
        mistakes = {
            "that is the next picture itself, which is still noisy.": following,
            "x_t minus the next picture is only v / T: one stride.": x_t - t / T * stride,
            "the other way: the next picture lies nearer to x_0.": x_t + t * stride,
            "that is the noise at the other end of the line.": eps,
        }
        there, here = farthest(x0, got)
        expect(got, x0, mistakes, f"at t = {t} of {T} a number of x_0 should be {there:.4f}, but yours is {here:.4f}.")


def _width(function) -> None:
    for s, T in product((0.4, 0.1, 1.0, 2.0), (16, 5, 100)):
        got = number(function(s, T))
        factors = [1 - _pull(s, t / T) / T for t in range(T + 1)]
        right = math.prod(factors[1:]) / s
        away = math.prod(2 - factor for factor in factors[1:]) / s
        mistakes = {
            "that is the deviation of what is drawn; divide it by s.": right * s,
            "that is a ratio of variances; asked for is one of deviations.": right**2,
            "the stride from t = 1 to t = 0 is missing.": right / factors[1],
            "a stride begins at t and takes the pull there: t = T, T - 1, ..., 1.": math.prod(factors[:-1]) / s,
            "the sign: a stride to less noise goes against the velocity.": away,
        }
        expect(got, right, mistakes, f"for s = {s:g} and T = {T} it should be {right:.6g}, but yours is {got:.6g}.")


def _pull(s: float, a: float) -> float:
    return (a - (1 - a) * s**2) / ((1 - a) ** 2 * s**2 + a**2)


def _as_noisy(function) -> None:
    for T, t in ((16, 3), (16, 8), (16, 1), (16, 15), (40, 3), (40, 20), (40, 39)):
        got, a = number(function(t, T)), t / T
        right, squared = (math.atan2(a**power, (1 - a) ** power) * 2 / math.pi for power in (1, 2))
        mistakes = {
            "that is the time on the road itself; the cosine has another clock.": a,
            "turned round: the share of noise grows with the time.": 1 - right,
            "that is the angle; as a share of the way divide by pi / 2.": right * math.pi / 2,
            "the tangent of the angle is noise over signal, not their squares.": squared,
        }
        expect(got, right, mistakes, f"at t = {t} of {T} it should be {right:.5f}, but yours is {got:.5f}.")


def _walked(angles: list[float]) -> float:
    """16.9: the product of the cosines of what each stride turns."""
    return math.prod(math.cos(after - before) for before, after in pairwise(angles))


def _other_stops(answer: object) -> None:
    got = torch.tensor(pair(answer, "the share at s = 0.1", "the one at s = 1"), dtype=torch.float64)
    equal, line = [math.pi / 2 * t / 16 for t in range(17)], [t / 16 for t in range(17)]
    pairs = {
        "right": (_walked(equal), _walked([math.atan(0.1 * math.tan(angle)) for angle in equal])),
        "line": tuple(_walked([math.atan2(a, (1 - a) * s) for a in line]) for s in (0.1, 1.0)),
        "same": (_walked(equal), _walked(equal)),
    }
    pairs = {name: torch.tensor(shares, dtype=torch.float64) for name, shares in pairs.items()}
    right = pairs["right"]
    mistakes = {
        "those are the shares of the straight line; move its stops first.": pairs["line"],
        "the other way round: first s = 0.1, then s = 1.": right.flip(0),
        "the angles are equal at s = 0.1 alone: at s = 1 the same stops have other angles.": pairs["same"],
        "those are shares of the variance; asked are shares of the deviation.": right**2,
    }
    said = f"16.9 says something else than {got[0]:.3f} and {got[1]:.3f}."
    expect(got, right, mistakes, said, within(0.004))


EXERCISES = {
    "16.1": Exercise("16.3 gives the velocity from x_t and the next picture; 16.4 walks it back.", _picture),
    "16.2": Exercise("one factor of 16.8 for each t from T down to 1, multiplied; then divide by s.", _width),
    "16.3": Exercise("the cosine schedule keeps signal cos(u) and noise sin(u), u = share * pi / 2.", _as_noisy),
    "16.4": Exercise(
        "equal angles at s = 0.1 are theta_t = pi / 2 * t / 16; which angles do the same stops have at s = 1?",
        _other_stops,
        read=lambda answer: answer,
    ),
}
