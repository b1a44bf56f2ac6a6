"""From noise to pictures. A step is a pure function; a sampler is a generator that yields (t, x_t), step by step.

A sampler takes `denoise(x_t, t) -> x0_hat` and never a network: a `Model` has one, `prediction.denoiser` makes one from
a network, and a `GaussianMixture` has one that is exact. Noise is an argument of a step, a `generator` of a sampler.
`draw` goes the whole way, from a model to pictures.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor

from ddpm_core.diffusion import timesteps
from ddpm_core.diffusion.arguments import checked, in_range, same_shape, whole_times
from ddpm_core.diffusion.elbo import check_terminal_snr
from ddpm_core.diffusion.gaussian import eps_from_x0, q_posterior
from ddpm_core.diffusion.guidance import Interval
from ddpm_core.diffusion.model import Model
from ddpm_core.diffusion.noise import Generator, one_each, standard_normal
from ddpm_core.diffusion.pixels import to_uint8
from ddpm_core.diffusion.prediction import Denoise
from ddpm_core.diffusion.timesteps import Steps
from ddpm_core.diffusion.variance import Variance, beta_tilde
from ddpm_core.schedule import Schedule, at, respaced

Times = Sequence[int] | None  # those to visit, falling; None means all from T to 0
Answer = tuple[Tensor, Tensor]  # a time t (B,), and the x0_hat that was the answer then


@checked
def ddpm_step(
    schedule: Schedule, x_t: Tensor, t: Tensor, x0_hat: Tensor, z: Tensor, variance: Variance = beta_tilde
) -> Tensor:
    """x_{t-1} = mu_tilde_t(x_t, x0_hat) + sqrt(variance_t) z, and no noise in the step to t - 1 = 0.

    t (B,) in 1..T; z ~ N(0, I), shaped like x_t.   [Ho 2020, Algorithm 2 and Eq. 7; chapter 9, Eq. 9.1]
    """
    mean, _ = q_posterior(schedule, x0_hat, x_t, t)
    not_last = at((t > 1).double(), torch.arange(len(t)), like=x_t)
    return mean + not_last * variance(schedule, t, x_t).sqrt() * z


@checked
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
    if not 0 <= eta <= 1:
        raise ValueError(f"need eta between 0 and 1, but got {eta}.")
    alpha_bar, alpha_bar_prev = at(schedule.alpha_bar, t, like=x_t), at(schedule.alpha_bar, t_prev, like=x_t)
    variance = eta**2 * (1 - alpha_bar_prev) / (1 - alpha_bar) * (1 - alpha_bar / alpha_bar_prev)
    eps_hat = eps_from_x0(schedule, x_t, t, x0_hat)
    direction = (1 - alpha_bar_prev - variance).clamp(min=0).sqrt()  # rounding may leave -1e-17 at t_prev = 0
    return alpha_bar_prev.sqrt() * x0_hat + direction * eps_hat + variance.sqrt() * z


@checked
def dpm_solver_step(
    schedule: Schedule, x_t: Tensor, t: Tensor, t_prev: Tensor, x0_hat: Tensor, earlier: Answer | None = None
) -> Tensor:
    """DPM-Solver++(2M): x_{t_prev} = (sigma_prev / sigma_t) x_t + sqrt(alpha_bar_prev) (1 - exp(-h)) D,

    lambda_t = log( sqrt(alpha_bar_t) / sigma_t ), sigma_t = sqrt(1 - alpha_bar_t), h = lambda_prev - lambda_t,
    D = x0_hat + (h / 2 h_earlier) (x0_hat - x0_hat_earlier): the slope of the last two answers, carried half a step on.

    `earlier` is the (t, x0_hat) of the step before; without it, and for examples that step to t_prev = 0, D = x0_hat.
    0 <= t_prev < t <= T.   [Lu 2022, DPM-Solver++, Algorithm 2; chapter 10, Eq. 10.14]
    """
    _backwards(t, t_prev)
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


@checked
@torch.no_grad()
def ancestral(
    denoise: Denoise, schedule: Schedule, x_T: Tensor, times: Times = None, *,
    variance: Variance = beta_tilde, generator: Generator = None,
) -> Steps:  # fmt: skip
    """Algorithm 2 along falling `times` to 0, by default all: yields (t, x_t) for each. [Ho 2020, Algorithm 2]

    Where times are left out, a step is that of the respaced chain (chapter 2, Eq. 2.10). variance is beta_tilde if not
    told otherwise (the paper's code takes beta on CIFAR-10). Nothing is clipped but by `denoise`.
    """
    times = _road(schedule, times)
    x, chain = x_T, respaced(schedule, times)
    yield times[0], x
    for k, (t, t_prev) in zip(range(chain.T, 0, -1), pairwise(times), strict=True):
        x0_hat, z = denoise(x, _everyone(t, x)), standard_normal(x, generator)
        x = ddpm_step(chain, x, _everyone(k, x), x0_hat, z, variance)
        yield t_prev, x


@checked
@torch.no_grad()
def ddim(
    denoise: Denoise, schedule: Schedule, x_T: Tensor, times: Times = None, *,
    eta: float = 0.0, generator: Generator = None,
) -> Steps:  # fmt: skip
    """Along falling `times`, by default all: yields (t, x_t) for each; random where eta > 0.  [Song 2021, Eq. 12]"""
    x, times = x_T, _road(schedule, times)
    yield times[0], x
    for t, t_prev in pairwise(times):
        now, prev = _everyone(t, x), _everyone(t_prev, x)
        z = standard_normal(x, generator) if eta else torch.zeros_like(x)
        x = ddim_step(schedule, x, now, prev, denoise(x, now), z, eta)
        yield t_prev, x


@checked
@torch.no_grad()
def dpm_solver(
    denoise: Denoise, schedule: Schedule, x_T: Tensor, times: Times = None, *, generator: Generator = None
) -> Steps:
    """Along falling `times`: yields (t, x_t); nothing is random once x_T is drawn, so no generator is used.

    [Lu 2022, Algorithm 2]
    """
    x, earlier, times = x_T, None, _road(schedule, times)
    yield times[0], x
    for t, t_prev in pairwise(times):
        now, prev = _everyone(t, x), _everyone(t_prev, x)
        x0_hat = denoise(x, now)
        x = dpm_solver_step(schedule, x, now, prev, x0_hat, earlier)
        earlier = now, x0_hat
        yield t_prev, x


@checked
def final(steps: Iterable[tuple[int, Tensor]]) -> Tensor:
    """Run a sampler to its end and return the last x_t: x_0, if its times end at 0."""
    return deque(steps, maxlen=1).pop()[1]


SAMPLERS: dict[str, Callable[..., Steps]] = {
    "dpm": dpm_solver, "ddim": ddim, "ddim1": partial(ddim, eta=1.0), "ddpm": ancestral,
}  # fmt: skip


@checked
def trajectory(
    model: Model, n: int = 64, *, labels: Tensor | None = None, steps: int = 20, sampler: str = "dpm",
    guidance: float = 0.0, interval: Interval = None, seed: int = 0, first: int = 0, device: str | torch.device = "cpu",
) -> Steps:  # fmt: skip
    """Draw n images and yield (t, x_t) on the way, x_t (n, C, H, W).

    labels    (n,), tokens of n captions, or None
    steps     network calls, at times evenly spaced
    sampler   one of SAMPLERS: "dpm", "ddim", "ddim1" (eta = 1) or "ddpm"
    guidance  0 is plain conditional sampling; with an interval (first, last), it pulls at these times alone
    seed      picture k has noise of its own, fixed by the seed and k alone; the first of these n is k = `first`
    The network moves to `device`. Warns of a schedule whose x_T remembers x_0: sampling starts from noise.
    Raises ValueError for another sampler, for labels that the network has not learned, and for guidance without any.
    """
    if sampler not in SAMPLERS:
        raise ValueError(f"need one of the samplers {', '.join(SAMPLERS)}, but got {sampler!r}.")
    network = model.network.to(device, memory_format=torch.channels_last)
    check_terminal_snr(model.schedule)
    if labels is not None:
        network.check_labels(labels, n)
    noise, times = one_each(seed, first, n), timesteps.uniform(model.schedule, steps)
    x_T = standard_normal(torch.empty(n, network.in_channels, *model.about["size"], device=device), noise)
    return SAMPLERS[sampler](model.denoiser(labels, guidance, interval), model.schedule, x_T, times, generator=noise)


@checked
def draw(model: Model, n: int = 64, *, at_once: int = 250, labels: Tensor | None = None, **how) -> Tensor:
    """n finished images (n, C, H, W) uint8, made `at_once` at a time; `how` as in `trajectory`.

    Picture k depends on the seed and on k: not on n, and on at_once by rounding alone.
    """
    return torch.cat(list(draw_batches(model, n, at_once=at_once, labels=labels, **how)))


@checked
def draw_batches(model: Model, n: int, *, at_once: int = 250, labels: Tensor | None = None, **how) -> Iterator[Tensor]:
    """The images of `draw`, yielded as they are finished, (at most `at_once`, C, H, W) at a time."""
    in_range("n", n, 1)
    in_range("at_once", at_once, 1)
    if labels is not None and len(labels) != n:
        raise ValueError(f"need one label for each of {n} images, but got shape {tuple(labels.shape)}.")
    for first in range(0, n, at_once):
        size = min(at_once, n - first)
        mine = None if labels is None else labels[first : first + size]
        yield to_uint8(final(trajectory(model, size, labels=mine, first=first, **how))).cpu()


@checked
def balanced_labels(n: int, num_classes: int) -> Tensor:
    """Labels 0, 1, 2, ..., 0, 1, 2, ...: n of them, equally many of each."""
    in_range("n", n, 0, 10**8)
    in_range("num_classes", num_classes, 1)
    return torch.arange(n) % num_classes


def _road(schedule: Schedule, times: Times) -> list[int]:
    """The times to visit, as whole numbers; by default every one from T to 0."""
    return timesteps.uniform(schedule, schedule.T) if times is None else whole_times(times)


def _everyone(t: int, x: Tensor) -> Tensor:
    return torch.full((len(x),), t)


def _backwards(t: Tensor, t_prev: Tensor) -> None:
    if t.shape != t_prev.shape or (t_prev >= t).any() or (t_prev < 0).any():
        raise ValueError(
            f"need steps from larger times t to smaller ones, not below 0, for every example, but they lead from "
            f"{t.tolist()[:4]} to {t_prev.tolist()[:4]}."
        )
