"""What the network is asked for. Four questions with one answer: each can be turned into x_0.

A `Prediction` is a value: pass EPS, X0, V or MEAN wherever `predict` is asked for.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from .gaussian import posterior_coefficients, q_posterior, same_shape, x0_from_eps
from .schedule import Schedule, at


@dataclass(frozen=True)
class Prediction:
    """One way to ask.

    target(schedule, x0, x_t, t, eps)  what a perfect network would answer, shaped like x0
    to_x0(schedule, output, x_t, t)    the x_0 that an answer stands for
    gain(schedule, t, like)            how many units of x_0 one unit of the answer is worth, (B, 1, ..., 1)
                                       [chapter 5, Eq. 5.9]
    """

    name: str
    target: Callable[[Schedule, Tensor, Tensor, Tensor, Tensor], Tensor]
    to_x0: Callable[[Schedule, Tensor, Tensor, Tensor], Tensor]
    gain: Callable[[Schedule, Tensor, Tensor], Tensor]

    def __repr__(self) -> str:
        return self.name


def _v(schedule: Schedule, x0: Tensor, x_t: Tensor, t: Tensor, eps: Tensor) -> Tensor:
    """v = sqrt(alpha_bar_t) eps - sqrt(1 - alpha_bar_t) x_0.  [Salimans and Ho 2022, Appendix D]"""
    alpha_bar = at(schedule.alpha_bar, t, like=x0)
    return alpha_bar.sqrt() * eps - (1 - alpha_bar).sqrt() * x0


def _x0_from_v(schedule: Schedule, v: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
    """x_0 = sqrt(alpha_bar_t) x_t - sqrt(1 - alpha_bar_t) v: rotate back."""
    same_shape("x_t", x_t, "the answer", v)
    alpha_bar = at(schedule.alpha_bar, t, like=x_t)
    return alpha_bar.sqrt() * x_t - (1 - alpha_bar).sqrt() * v


def _x0_itself(schedule: Schedule, x0: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
    same_shape("x_t", x_t, "the answer", x0)
    return x0


def _x0_from_mean(schedule: Schedule, mean: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
    """The posterior's mean (Ho 2020, Eq. 7) solved for x_0; t in 1..T."""
    same_shape("x_t", x_t, "the answer", mean)
    coefficient_x0, coefficient_x_t = posterior_coefficients(schedule, t, like=x_t)
    return (mean - coefficient_x_t * x_t) / coefficient_x0


def _eps_gain(schedule: Schedule, t: Tensor, like: Tensor) -> Tensor:
    alpha_bar = at(schedule.alpha_bar, t, like)
    return ((1 - alpha_bar) / alpha_bar).sqrt()


def _v_gain(schedule: Schedule, t: Tensor, like: Tensor) -> Tensor:
    return (1 - at(schedule.alpha_bar, t, like)).sqrt()


EPS = Prediction(
    "EPS",  # the noise that was added: the paper's choice  [Ho 2020, Eq. 11]
    target=lambda schedule, x0, x_t, t, eps: eps,
    to_x0=lambda schedule, eps, x_t, t: x0_from_eps(schedule, x_t, t, eps),
    gain=_eps_gain,
)
X0 = Prediction(
    "X0",  # the clean image
    target=lambda schedule, x0, x_t, t, eps: x0,
    to_x0=_x0_itself,
    gain=lambda schedule, t, like: at(schedule.alpha_bar, t, like) ** 0,
)
V = Prediction(
    "V",  # the velocity: noise where the picture is clear, picture where it is noise
    target=_v,
    to_x0=_x0_from_v,
    gain=_v_gain,
)
MEAN = Prediction(
    "MEAN",  # the next, cleaner image, as the posterior expects it: the paper's baseline and the club's idea
    target=lambda schedule, x0, x_t, t, eps: q_posterior(schedule, x0, x_t, t)[0],
    to_x0=_x0_from_mean,
    gain=lambda schedule, t, like: 1 / posterior_coefficients(schedule, t, like)[0],
)

BY_NAME = {predict.name: predict for predict in (EPS, X0, V, MEAN)}
