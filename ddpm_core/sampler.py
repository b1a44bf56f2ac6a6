"""From noise to pictures. A step is a pure function; a sampler is a generator that yields (t, x_t), step by step.

A sampler takes `denoise(x_t, t) -> x0_hat` and never a network: `denoiser` makes one from a network, `guided` one
from two, and `ddpm_core.exact` has one that is perfect. Noise is an argument of a step, a `generator` of a sampler.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from .gaussian import eps_from_x0, q_posterior, same_shape
from .loss import Network
from .predict import EPS, Prediction
from .schedule import Schedule, at
from .variance import Variance, beta_tilde

Denoise = Callable[[Tensor, Tensor], Tensor]  # (x_t, t) -> x0_hat, both shaped (B, ...)
Steps = Iterator[tuple[int, Tensor]]


def denoiser(net: Network, schedule: Schedule, predict: Prediction = EPS) -> Denoise:
    """x0_hat from the network's answer; see `clamped` for images."""
    return lambda x_t, t: predict.to_x0(schedule, net(x_t, t.to(x_t.device)), x_t, t)


def clamped(denoise: Denoise, bound: float = 1.0) -> Denoise:
    """x0_hat held to [-bound, bound], where images live: in the paper's code, though not in its Algorithm 2."""
    return lambda x_t, t: denoise(x_t, t).clamp(-bound, bound)


def guided(conditional: Denoise, unconditional: Denoise, scale: float) -> Denoise:
    """Classifier-free guidance: conditional + scale (conditional - unconditional).  [Ho and Salimans 2022, Eq. 6]

    scale 0 is plain conditional sampling. Stated there for eps; x0_hat is affine in eps, so it is the same rule,
    as long as the mixture is clamped and not its parts.
    """

    def denoise(x_t: Tensor, t: Tensor) -> Tensor:
        with_label = conditional(x_t, t)
        return with_label + scale * (with_label - unconditional(x_t, t))

    return denoise


def ddpm_step(
    schedule: Schedule, x_t: Tensor, t: Tensor, x0_hat: Tensor, z: Tensor, variance: Variance = beta_tilde
) -> Tensor:
    """x_{t-1} = mu_tilde_t(x_t, x0_hat) + sqrt(variance_t) z, and no noise in the step to t - 1 = 0.

    t (B,) in 1..T; z ~ N(0, I), shaped like x_t.   [Ho 2020, Algorithm 2 and Eq. 7; chapter 9, Eq. 9.1]
    """
    same_shape("x_t", x_t, "z", z)
    mean, _ = q_posterior(schedule, x0_hat, x_t, t)
    not_last = at((t > 1).double(), torch.arange(len(t)), like=x_t)
    return mean + not_last * variance(schedule, t, x_t).sqrt() * z


def ddim_step(
    schedule: Schedule, x_t: Tensor, t: Tensor, t_prev: Tensor, x0_hat: Tensor, z: Tensor, eta: float = 0.0
) -> Tensor:
    """x_{t_prev} = sqrt(alpha_bar_prev) x0_hat + sqrt(1 - alpha_bar_prev - sigma^2) eps_hat + sigma z,

    sigma^2 = eta^2 (1 - alpha_bar_prev) / (1 - alpha_bar_t) (1 - alpha_bar_t / alpha_bar_prev).
    eta = 0 is deterministic; eta = 1 with t_prev = t - 1 is ddpm_step with beta_tilde. 0 <= t_prev < t.
    Raises ValueError for an eta outside of 0..1, where more noise would be added than there should be.
    [Song 2021, Eqs. 12, 16; chapter 10, Eqs. 10.6 and 10.7]
    """
    _backwards(t, t_prev)
    same_shape("x_t", x_t, "z", z)
    if not 0 <= eta <= 1:
        raise ValueError(f"need eta between 0 and 1, but got {eta}.")
    alpha_bar, alpha_bar_prev = at(schedule.alpha_bar, t, like=x_t), at(schedule.alpha_bar, t_prev, like=x_t)
    variance = eta**2 * (1 - alpha_bar_prev) / (1 - alpha_bar) * (1 - alpha_bar / alpha_bar_prev)
    eps_hat = eps_from_x0(schedule, x_t, t, x0_hat)
    direction = (1 - alpha_bar_prev - variance).clamp(min=0).sqrt()  # rounding may leave -1e-17 at t_prev = 0
    return alpha_bar_prev.sqrt() * x0_hat + direction * eps_hat + variance.sqrt() * z


def dpm_solver_step(
    schedule: Schedule,
    x_t: Tensor,
    t: Tensor,
    t_prev: Tensor,
    x0_hat: Tensor,
    earlier: tuple[Tensor, Tensor] | None = None,
) -> Tensor:
    """DPM-Solver++(2M): x_{t_prev} = (sigma_prev / sigma_t) x_t + sqrt(alpha_bar_prev) (1 - exp(-h)) D,

    lambda_t = log( sqrt(alpha_bar_t) / sigma_t ), sigma_t = sqrt(1 - alpha_bar_t), h = lambda_prev - lambda_t,
    D = x0_hat + (h / 2 h_earlier) (x0_hat - x0_hat_earlier): the slope of the last two answers, carried half a step on.

    `earlier` is the (t, x0_hat) of the step before; without it, and for examples that step to t_prev = 0, D = x0_hat.
    0 <= t_prev < t <= T.   [Lu 2022, DPM-Solver++, Algorithm 2; chapter 10, Eq. 10.14]
    """
    _backwards(t, t_prev)
    same_shape("x_t", x_t, "x0_hat", x0_hat)
    half_log_snr = 0.5 * schedule.snr.log()  # lambda; infinite at t = 0
    lambda_t, lambda_prev = at(half_log_snr, t, like=x_t), at(half_log_snr, t_prev, like=x_t)
    alpha_bar, alpha_bar_prev = at(schedule.alpha_bar, t, like=x_t), at(schedule.alpha_bar, t_prev, like=x_t)
    h = lambda_prev - lambda_t
    D = x0_hat
    if earlier is not None:
        t_earlier, x0_hat_earlier = earlier
        _backwards(t_earlier, t)
        same_shape("x_t", x_t, "the earlier x0_hat", x0_hat_earlier)
        h_earlier = lambda_t - at(half_log_snr, t_earlier, like=x_t)
        D = torch.where(h.isfinite(), x0_hat + h / (2 * h_earlier) * (x0_hat - x0_hat_earlier), x0_hat)
    return ((1 - alpha_bar_prev) / (1 - alpha_bar)).sqrt() * x_t - alpha_bar_prev.sqrt() * torch.expm1(-h) * D


@torch.no_grad()
def ancestral(
    denoise: Denoise,
    schedule: Schedule,
    x_T: Tensor,
    variance: Variance = beta_tilde,
    generator: torch.Generator | None = None,
) -> Steps:
    """Algorithm 2: yields (T, x_T), (T - 1, x_{T-1}), ..., (0, x_0).   [Ho 2020, Algorithm 2]

    variance is beta_tilde if not told otherwise (the paper's code takes beta on CIFAR-10). Nothing is clamped but by
    `denoise`: see `clamped`.
    """
    x = x_T
    yield schedule.T, x
    for t in range(schedule.T, 0, -1):
        times = _everyone(t, x)
        x = ddpm_step(schedule, x, times, denoise(x, times), _noise(x, generator), variance)
        yield t - 1, x


@torch.no_grad()
def ddim(
    denoise: Denoise,
    schedule: Schedule,
    x_T: Tensor,
    times: Sequence[int],
    eta: float = 0.0,
    generator: torch.Generator | None = None,
) -> Steps:
    """Along falling `times` (see `even_times`): yields (t, x_t) for each, to the last one.  [Song 2021, Eq. 12]"""
    x = x_T
    yield times[0], x
    for t, t_prev in pairwise(times):
        now, prev = _everyone(t, x), _everyone(t_prev, x)
        z = _noise(x, generator) if eta else torch.zeros_like(x)
        x = ddim_step(schedule, x, now, prev, denoise(x, now), z, eta)
        yield t_prev, x


@torch.no_grad()
def dpm_solver(denoise: Denoise, schedule: Schedule, x_T: Tensor, times: Sequence[int]) -> Steps:
    """Along falling `times`: yields (t, x_t); deterministic once x_T is drawn.  [Lu 2022, Algorithm 2]"""
    x, earlier = x_T, None
    yield times[0], x
    for t, t_prev in pairwise(times):
        now, prev = _everyone(t, x), _everyone(t_prev, x)
        x0_hat = denoise(x, now)
        x = dpm_solver_step(schedule, x, now, prev, x0_hat, earlier)
        earlier = now, x0_hat
        yield t_prev, x


def even_times(schedule: Schedule, steps: int) -> list[int]:
    """steps + 1 times from T down to 0, evenly spaced: the road of a sampler that calls the network `steps` times."""
    if not 1 <= steps <= schedule.T:
        raise ValueError(f"need between 1 and T = {schedule.T} steps, but got {steps}.")
    return [round(schedule.T * (1 - k / steps)) for k in range(steps + 1)]


def last(steps: Iterable[tuple[int, Tensor]]) -> Tensor:
    """Run a sampler to its end and return the last x_t: x_0, if its times end at 0."""
    return deque(steps, maxlen=1).pop()[1]


def _everyone(t: int, x: Tensor) -> Tensor:
    return torch.full((len(x),), t)


def _noise(x: Tensor, generator: torch.Generator | None) -> Tensor:
    """Drawn where the generator lives, so that one seed gives one picture on every device."""
    device = x.device if generator is None else generator.device
    return torch.randn(x.shape, generator=generator, dtype=x.dtype, device=device).to(x.device)


def _backwards(t: Tensor, t_prev: Tensor) -> None:
    if t.shape != t_prev.shape or (t_prev >= t).any() or (t_prev < 0).any():
        raise ValueError(
            f"need steps from larger times t to smaller ones, not below 0, for every example, but they lead from "
            f"{t.tolist()[:4]} to {t_prev.tolist()[:4]}."
        )
