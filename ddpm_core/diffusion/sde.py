"""The chain in continuous time: its equation forwards and back, the flow without noise, and the flow's likelihood.

Time is the chain's own, u_t = -ln alpha_bar_t. By that clock every variance-preserving schedule is one process,
dx = -x/2 du + dW; schedules differ in how fast they pass it. A sampler still visits whole times t of a schedule, so
that networks and exact worlds are asked as ever. A velocity is dx per unit of some clock, a table of length T + 1.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from ddpm_core.diffusion.arguments import checked, together, whole_times
from ddpm_core.diffusion.flow import Velocity
from ddpm_core.diffusion.gaussian import eps_from_x0
from ddpm_core.diffusion.noise import Generator, standard_normal
from ddpm_core.diffusion.prediction import Denoise
from ddpm_core.diffusion.score import Score
from ddpm_core.diffusion.timesteps import Steps
from ddpm_core.schedule import Schedule, at


@checked
def clock(schedule: Schedule) -> Tensor:
    """u_t = -ln alpha_bar_t, float64 of length T + 1, from 0: the sum of -ln(1 - beta_s), about that of the betas.

    [chapter 14, Eq. 14.6]
    """
    return -schedule.alpha_bar.log()


@checked
def noise_level(schedule: Schedule) -> Tensor:
    """sqrt((1 - alpha_bar_t) / alpha_bar_t), 1 / sqrt(SNR): the clock by which x_t / sqrt(alpha_bar_t) moves at eps.

    [Song 2021, Eq. 14; Karras 2022; chapter 10, Eq. 10.10; chapter 14, Eq. 14.13]
    """
    return (1 / schedule.alpha_bar - 1).sqrt()


@checked
def forward_step(x: Tensor, h: Tensor | float, z: Tensor) -> Tensor:
    """x - (h/2) x + sqrt(h) z: a step of dx = -x/2 du + dW over h = du, by Euler and Maruyama.

    h is a number or (B, 1, ..., 1).   [Song 2021 (SDE), Eq. 11; chapter 14, Eq. 14.5]
    """
    together(x=x, h=h)
    return x - h / 2 * x + h**0.5 * z


@checked
def backward_step(x: Tensor, score: Tensor, h: Tensor | float, z: Tensor, noise: float = 1.0) -> Tensor:
    """x + (h/2) (x + (1 + noise^2) score) + noise sqrt(h) z: a step back over h, which keeps the density of x_t.

    noise = 1 is the reverse equation, 0 the probability flow, and every other amount has the same densities.
    [Song 2021 (SDE), Eq. 6; chapter 14, Eqs. 14.7 and 14.8]
    """
    together(x=x, h=h)
    return x + h / 2 * (x + (1 + noise**2) * score) + noise * h**0.5 * z


@checked
@torch.no_grad()
def euler_maruyama(
    score: Score, schedule: Schedule, x_T: Tensor, times: Sequence[int], *,
    noise: float = 1.0, generator: Generator = None,
) -> Steps:  # fmt: skip
    """`backward_step` along falling `times`: yields (t, x_t) for each. Raises ValueError for a negative noise.

    [Song 2021 (SDE), Section 4.1; chapter 14, Eq. 14.8]
    """
    if not noise >= 0:
        raise ValueError(f"need an amount of noise of at least 0, but got {noise}.")
    u, x, times = clock(schedule), x_T, _one_way(schedule.T, times, falling=True)
    yield times[0], x
    for t, t_next in pairwise(times):
        now = torch.full((len(x),), t)
        z = standard_normal(x, generator) if noise else torch.zeros_like(x)
        x = backward_step(x, score(x, now), float(u[t] - u[t_next]), z, noise)
        yield t_next, x


@checked
def probability_flow(score: Score) -> Velocity:
    """dx/du = -(x + grad log q(x_u)) / 2: no noise, and at every u the density of the noisy process.

    [Song 2021 (SDE), Eq. 13; chapter 14, Eq. 14.9]
    """
    return lambda x, t: -(x + score(x, t)) / 2


@checked
def stretched_flow(denoise: Denoise, schedule: Schedule) -> Velocity:
    """dx'/d noise_level = eps_hat, the same flow for x' = x_t / sqrt(alpha_bar_t): a network's guess is its slope.

    [Song 2021, Eq. 14; Karras 2022, Eq. 3; chapter 14, Eq. 14.13]
    """

    def slope(stretched: Tensor, t: Tensor) -> Tensor:
        x_t = at(schedule.alpha_bar, t, like=stretched).sqrt() * stretched
        return eps_from_x0(schedule, x_t, t, denoise(x_t, t))

    return slope


@checked
@torch.no_grad()
def heun(velocity: Velocity, clock: Tensor, x: Tensor, times: Sequence[int]) -> Steps:
    """Heun's method along `times` that rise or fall: yields (t, x_t).  Two calls of the velocity a step:

    x' = x + h v(x, t),  x_next = x + h/2 (v(x, t) + v(x', t_next)),  h = clock[t_next] - clock[t];
    a step to t = 0, where a network has no answer, ends with x'. The error falls as h^2.
    [Karras 2022, Algorithm 1; chapter 14, Eq. 14.12]
    """
    times = _one_way(len(clock) - 1, times)
    yield times[0], x
    for t, t_next in pairwise(times):
        now, then = (torch.full((len(x),), k) for k in (t, t_next))
        h = at(clock, then, like=x) - at(clock, now, like=x)
        slope = velocity(x, now)
        if t_next > 0:
            slope = (slope + velocity(x + h * slope, then)) / 2
        x = x + h * slope
        yield t_next, x


@checked
def divergence(field: Velocity, x: Tensor, t: Tensor) -> Tensor:
    """sum_d d field_d / d x_d, (B,), exact: one derivative for each of the D numbers of an example.

    The examples of a batch must not depend on one another.   [Chen 2018; chapter 14, Eqs. 14.10 and 14.11]
    """
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        parts = field(x, t).flatten(1).sum(0)  # (D,), summed over examples, each of which depends on its own x
        slopes = [torch.autograd.grad(part, x, retain_graph=True)[0].flatten(1)[:, d] for d, part in enumerate(parts)]
    return torch.stack(slopes, dim=1).sum(1)


@checked
def log_likelihood(score: Score, schedule: Schedule, x: Tensor, times: Sequence[int]) -> Tensor:
    """log p(x) in nats, (B,), of the model that draws by the probability flow from N(0, I); x (B, D).

    Follows x up along rising `times`, say 0..T, where a standard normal says how probable it is, and adds the
    divergence of the flow on the way:  log p(x_0) = log N(x_T; 0, I) + integral of div(dx/du) du.
    Begin at 1 with a network, which has no score at 0.   [Chen 2018, Theorem 1; chapter 14, Eq. 14.11]
    """
    if x.ndim != 2:
        raise ValueError(f"need points (B, D), flattened if they are images, but got shape {tuple(x.shape)}.")
    flow, D = probability_flow(score), x.shape[1]

    def both(state: Tensor, t: Tensor) -> Tensor:
        """Velocity of the point and, in the last column, of the volume around it."""
        return torch.cat([flow(state[:, :D], t), divergence(flow, state[:, :D], t)[:, None]], dim=1)

    times = _one_way(schedule.T, times, falling=False)
    *_, (_, end) = heun(both, clock(schedule), torch.cat([x, torch.zeros_like(x[:, :1])], dim=1), times)
    return end[:, D] - 0.5 * (end[:, :D].square() + math.log(2 * math.pi)).sum(1)


def _one_way(T: int, times: Sequence[int], falling: bool | None = None) -> list[int]:
    """The times as whole numbers. Raises ValueError unless they lie in 0..T and go one way, or the one asked for."""
    road = whole_times(times)
    down, up = (all(a > b for a, b in pairwise(way)) for way in (road, road[::-1]))
    right = (down or up) if falling is None else (down if falling else up)
    if len(road) < 2 or not right or min(road) < 0 or max(road) > T:
        way = {None: "rising or falling", True: "falling", False: "rising"}[falling]
        raise ValueError(f"need at least two {way} times in 0..{T}, but got {road!s:.60}.")
    return road
