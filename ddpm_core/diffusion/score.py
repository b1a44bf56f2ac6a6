"""The score, grad log q(x_t): which way the density rises. A noise guess, a guess of the picture and it say the same.

A `Score` is a function (x_t, t) -> grad log q(x_t), shaped like x_t, as a `Denoise` is one that gives x0_hat.
"""

from collections.abc import Callable

from torch import Tensor

from ddpm_core.diffusion.arguments import checked
from ddpm_core.diffusion.gaussian import eps_from_x0, x0_from_eps
from ddpm_core.diffusion.prediction import Denoise
from ddpm_core.schedule import Schedule, at

Score = Callable[[Tensor, Tensor], Tensor]  # (x_t, t) -> score, both shaped (B, ...)


@checked
def from_eps(schedule: Schedule, eps: Tensor, t: Tensor) -> Tensor:
    """score = -eps / sqrt(1 - alpha_bar_t); t in 1..T.

    Of the noise that was added it makes grad log q(x_t | x_0), of its mean given x_t it makes grad log q(x_t).
    [Vincent 2011; chapter 14, Eqs. 14.2 and 14.3]
    """
    return -eps / (1 - at(schedule.alpha_bar, _noisy(t), like=eps)).sqrt()


@checked
def to_eps(schedule: Schedule, score: Tensor, t: Tensor) -> Tensor:
    """eps = -sqrt(1 - alpha_bar_t) score.   [chapter 14, Eq. 14.3]"""
    return -(1 - at(schedule.alpha_bar, t, like=score)).sqrt() * score


@checked
def from_x0(schedule: Schedule, x0: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
    """score = (sqrt(alpha_bar_t) x_0 - x_t) / (1 - alpha_bar_t); t in 1..T.   [chapter 14, Eq. 14.4]"""
    return from_eps(schedule, eps_from_x0(schedule, x_t, t, x0), t)


@checked
def to_x0(schedule: Schedule, score: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
    """Tweedie's formula:  E[x_0 | x_t] = (x_t + (1 - alpha_bar_t) grad log q(x_t)) / sqrt(alpha_bar_t).

    [Efron 2011; chapter 14, Eq. 14.4]
    """
    return x0_from_eps(schedule, x_t, t, to_eps(schedule, score, t))


@checked
def from_denoiser(denoise: Denoise, schedule: Schedule) -> Score:
    """The score that a `denoise` stands for, whatever its network predicts; for t in 1..T."""
    return lambda x_t, t: from_x0(schedule, denoise(x_t, t), x_t, t)


def _noisy(t: Tensor) -> Tensor:
    if (t < 1).any():
        raise ValueError(f"need times 1..T, but t holds {int(t.min())}: without noise, eps says nothing of the score.")
    return t
