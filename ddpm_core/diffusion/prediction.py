"""What the network predicts: the noise, the picture, the velocity or the next mean. Each can be turned into x_0.

A `Prediction` is a value: pass EPS, X0, V or MEAN wherever `predict` is asked for. `denoiser` makes of a network and
its prediction what a sampler takes, `denoise(x_t, t) -> x0_hat`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from ddpm_core.diffusion.arguments import checked, in_range, same_shape
from ddpm_core.diffusion.gaussian import posterior_coefficients, q_posterior, x0_from_eps
from ddpm_core.schedule import Schedule, at

Network = Callable[[Tensor, Tensor], Tensor]  # (x_t, t) -> output, shaped like x_t
Denoise = Callable[[Tensor, Tensor], Tensor]  # (x_t, t) -> x0_hat, both shaped (B, ...)


@dataclass(frozen=True)
class Prediction:
    """One prediction target.

    target(schedule, x0, x_t, t, eps)  what a perfect network would put out, shaped like x0
    to_x0(schedule, output, x_t, t)    the x_0 that an output stands for
    x0_scale(schedule, t, like)        how many units of x_0 one unit of the output is worth, (B, 1, ..., 1)
                                       [chapter 5, Eq. 5.9]
    """

    name: str
    target: Callable[[Schedule, Tensor, Tensor, Tensor, Tensor], Tensor]
    to_x0: Callable[[Schedule, Tensor, Tensor, Tensor], Tensor]
    x0_scale: Callable[[Schedule, Tensor, Tensor], Tensor]

    def __post_init__(self):
        for name in ("target", "to_x0", "x0_scale"):
            object.__setattr__(self, name, checked(getattr(self, name)))

    def __repr__(self) -> str:
        return self.name


def _v(schedule: Schedule, x0: Tensor, x_t: Tensor, t: Tensor, eps: Tensor) -> Tensor:
    """v = sqrt(alpha_bar_t) eps - sqrt(1 - alpha_bar_t) x_0.  [Salimans and Ho 2022, Appendix D]"""
    alpha_bar = at(schedule.alpha_bar, t, like=x0)
    return alpha_bar.sqrt() * eps - (1 - alpha_bar).sqrt() * x0


def _x0_from_v(schedule: Schedule, v: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
    """x_0 = sqrt(alpha_bar_t) x_t - sqrt(1 - alpha_bar_t) v: rotate back."""
    same_shape("x_t", x_t, "the output", v)
    alpha_bar = at(schedule.alpha_bar, t, like=x_t)
    return alpha_bar.sqrt() * x_t - (1 - alpha_bar).sqrt() * v


def _x0_itself(schedule: Schedule, x0: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
    same_shape("x_t", x_t, "the output", x0)
    return x0


def _x0_from_mean(schedule: Schedule, mean: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
    """The posterior's mean (Ho 2020, Eq. 7) solved for x_0; t in 1..T."""
    same_shape("x_t", x_t, "the output", mean)
    coefficient_x0, coefficient_x_t = posterior_coefficients(schedule, t, like=x_t)
    return (mean - coefficient_x_t * x_t) / coefficient_x0


def _eps_scale(schedule: Schedule, t: Tensor, like: Tensor) -> Tensor:
    alpha_bar = at(schedule.alpha_bar, t, like)
    return ((1 - alpha_bar) / alpha_bar).sqrt()


def _v_scale(schedule: Schedule, t: Tensor, like: Tensor) -> Tensor:
    return (1 - at(schedule.alpha_bar, t, like)).sqrt()


EPS = Prediction(
    "EPS",  # the noise that was added: the paper's choice  [Ho 2020, Eq. 11]
    target=lambda schedule, x0, x_t, t, eps: eps,
    to_x0=lambda schedule, eps, x_t, t: x0_from_eps(schedule, x_t, t, eps),
    x0_scale=_eps_scale,
)
X0 = Prediction(
    "X0",  # the clean image
    target=lambda schedule, x0, x_t, t, eps: x0,
    to_x0=_x0_itself,
    x0_scale=lambda schedule, t, like: at(schedule.alpha_bar, t, like) ** 0,
)
V = Prediction(
    "V",  # the velocity: noise where the picture is clear, picture where it is noise
    target=_v,
    to_x0=_x0_from_v,
    x0_scale=_v_scale,
)
MEAN = Prediction(
    "MEAN",  # the next, cleaner image, as the posterior expects it: the paper's baseline and the club's idea
    target=lambda schedule, x0, x_t, t, eps: q_posterior(schedule, x0, x_t, t)[0],
    to_x0=_x0_from_mean,
    x0_scale=lambda schedule, t, like: 1 / posterior_coefficients(schedule, t, like)[0],
)

PREDICTIONS = {predict.name: predict for predict in (EPS, X0, V, MEAN)}


@checked
def denoiser(net: Network, schedule: Schedule, predict: Prediction = EPS) -> Denoise:
    """denoise(x_t, t) -> x0_hat, from the network's output; see `clip_denoised` for images."""
    return lambda x_t, t: predict.to_x0(schedule, net(x_t, t.to(x_t.device)), x_t, t)


@checked
def clip_denoised(denoise: Denoise, bound: float = 1.0) -> Denoise:
    """x0_hat held to [-bound, bound], where images live: in the paper's code, though not in its Algorithm 2.

    Raises ValueError for a bound below 0.
    """
    in_range("bound", bound, 0)
    return lambda x_t, t: denoise(x_t, t).clamp(-bound, bound)
