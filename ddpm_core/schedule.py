"""How fast the data drowns in noise: tables of length T + 1 whose row 0 is clean data.

Row t belongs to x_t, as in the paper. Row 0 says "nothing was added yet" (beta_0 = 0, alpha_bar_0 = 1), so that
alpha_bar[t - 1] is legal for every t in 1..T and no formula needs a special case for the last step.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from numbers import Real

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Schedule:
    """The noise schedule beta_0..beta_T and everything that follows from it.

    beta (T+1,) float64 with beta[0] = 0; make one with `linear`, `cosine`, `sigmoid` or `from_betas`.
    """

    beta: Tensor

    @property
    def T(self) -> int:
        """Number of noising steps; times run over 0..T, and 0 is clean data."""
        return len(self.beta) - 1

    @cached_property
    def alpha(self) -> Tensor:
        """alpha_t = 1 - beta_t: the share of the variance that one step keeps.  [Ho 2020, Section 2]"""
        return 1 - self.beta

    @cached_property
    def alpha_bar(self) -> Tensor:
        """alpha_bar_t = prod_{s<=t} alpha_s: the share that t steps keep.  [Ho 2020, Section 2; chapter 1, Eq. 1.9]"""
        return self.alpha.cumprod(0)

    @cached_property
    def beta_tilde(self) -> Tensor:
        """Variance of the posterior, (1 - alpha_bar_{t-1}) / (1 - alpha_bar_t) beta_t; 0 at t = 1.  [Ho 2020, Eq. 7]"""
        posterior = (1 - self.alpha_bar[:-1]) / (1 - self.alpha_bar[1:]) * self.beta[1:]
        return torch.cat([torch.zeros(1, dtype=torch.float64), posterior])

    @cached_property
    def posterior_mean_coef_x0(self) -> Tensor:
        """What the posterior's mean takes of x_0, sqrt(alpha_bar_{t-1}) beta_t / (1 - alpha_bar_t).  [Ho 2020, Eq. 7]

        Row t for t in 1..T; row 1 is 1, and row 0, where there is no step back, is nan.
        """
        return _after_clean(self.alpha_bar[:-1].sqrt() * self.beta[1:] / (1 - self.alpha_bar[1:]))

    @cached_property
    def posterior_mean_coef_xt(self) -> Tensor:
        """What it takes of x_t, sqrt(alpha_t) (1 - alpha_bar_{t-1}) / (1 - alpha_bar_t): 0 at t = 1.  [Eq. 7]"""
        return _after_clean(self.alpha[1:].sqrt() * (1 - self.alpha_bar[:-1]) / (1 - self.alpha_bar[1:]))

    @cached_property
    def snr(self) -> Tensor:
        """Signal-to-noise ratio alpha_bar_t / (1 - alpha_bar_t); infinite at t = 0.  [chapter 2, Eq. 2.3]"""
        return self.alpha_bar / (1 - self.alpha_bar)

    def __repr__(self) -> str:
        return f"Schedule(T={self.T}, alpha_bar_T={self.alpha_bar[-1]:.2e})"


def from_betas(betas: Sequence[float] | Tensor) -> Schedule:
    """The schedule with these beta_1..beta_T, each strictly between 0 and 1. Raises ValueError otherwise."""
    betas = _numbers("betas", betas, torch.float64).detach().cpu()
    if betas.ndim != 1 or len(betas) == 0:
        raise ValueError(f"need a list of betas, one for each of the steps 1..T, but got shape {tuple(betas.shape)}.")
    outside = ~((betas > 0) & (betas < 1))
    if outside.any():
        t = int(outside.nonzero()[0]) + 1
        raise ValueError(f"need every beta strictly between 0 and 1, but beta_{t} is {betas[t - 1]:g}.")
    return Schedule(torch.cat([torch.zeros(1, dtype=torch.float64), betas]))


def linear(T: int = 1000, beta_1: float = 1e-4, beta_T: float = 0.02) -> Schedule:
    """beta_t rises on a straight line from beta_1 to beta_T.  [Ho 2020, Section 4; chapter 2, Eq. 2.1]

    The defaults are the paper's. They are taken as given, whatever T is: fewer steps with the same betas leave signal
    in x_T.
    """
    _finite(beta_1=beta_1, beta_T=beta_T)
    return from_betas(torch.linspace(beta_1, beta_T, at_least_one(T), dtype=torch.float64))


def cosine(T: int = 1000, s: float = 0.008, beta_max: float = 0.999) -> Schedule:
    """alpha_bar_t follows cos^2: the signal fades evenly.  [Nichol and Dhariwal 2021, Eq. 17; chapter 2, Eq. 2.5]

    s keeps the first betas from vanishing; beta_max keeps the last one below 1. Both are the authors' values.
    Raises ValueError for an s below 0.
    """
    _finite(s=s, beta_max=beta_max)
    if not s >= 0:
        raise ValueError(f"need an offset s of at least 0, but got {s}.")
    return _from_alpha_bar(lambda u: math.cos((u + s) / (1 + s) * math.pi / 2) ** 2, T, beta_max)


def sigmoid(
    T: int = 1000, start: float = -3.0, end: float = 3.0, tau: float = 1.0, beta_max: float = 0.999
) -> Schedule:
    """alpha_bar_t is a falling sigmoid from `start` to `end`, of temperature tau.  [Jabri 2022; chapter 2, Eq. 2.7]

    Raises ValueError for a tau that is not above 0, or so small, or ends so close, that the sigmoid does not fall.
    """
    _finite(start=start, end=end, tau=tau, beta_max=beta_max)
    if not (tau > 0 and max(abs(start), abs(end)) <= 700 * tau):  # e^709 is the largest that float64 holds
        raise ValueError(f"need a tau above 0, and at least a 700th of start = {start} and end = {end}, but got {tau}.")
    low, high = (1 / (1 + math.exp(-x / tau)) for x in (start, end))
    if low == high:
        raise ValueError(f"need a sigmoid that differs at start and end, but at {start} and {end} it is {low:g}.")
    return _from_alpha_bar(
        lambda u: (high - 1 / (1 + math.exp(-(start + u * (end - start)) / tau))) / (high - low), T, beta_max
    )


def respaced(schedule: Schedule, times: Sequence[int]) -> Schedule:
    """The same fall of alpha_bar in fewer steps: step k is the jump from t_{k-1} to t_k, so that its beta is

    beta'_k = 1 - alpha_bar_{t_k} / alpha_bar_{t_{k-1}}.   [Nichol and Dhariwal 2021, Section 4; chapter 2, Eq. 2.10]

    times: whole numbers from 0 up to T or less, rising or falling, as `timesteps.uniform` gives them. Time k of the
    result is t_k of `schedule`, and a network that was trained on that must be told t_k. ValueError for other times.
    """
    if not isinstance(schedule, Schedule):
        raise ValueError(f"need schedule as a Schedule, but got {schedule!r:.40}.")
    road = _numbers("times", times)
    if road.ndim == 1 and len(road) > 1 and road[0] > road[-1]:
        road = road.flip(0)
    whole = road.ndim == 1 and not road.is_floating_point() and len(road) > 1 and (road.diff() > 0).all()
    if not whole or road[0] != 0 or road[-1] > schedule.T:
        raise ValueError(f"need whole times between 0 and T = {schedule.T}, and 0 itself, but got {times!s:.60}.")
    if len(road) == schedule.T + 1:
        return schedule
    kept = schedule.alpha_bar[road]
    return from_betas(1 - kept[1:] / kept[:-1])


def _from_alpha_bar(alpha_bar: Callable[[float], float], T: int, beta_max: float) -> Schedule:
    """beta_t = 1 - alpha_bar(t/T) / alpha_bar((t-1)/T), cut off at beta_max.  [chapter 2, Eq. 2.6]"""
    curve = [alpha_bar(t / T) for t in range(at_least_one(T) + 1)]
    if 0 in curve[:-1]:
        raise ValueError(f"need signal at every time before T = {T}, but alpha_bar_{curve.index(0)} is 0.")
    return from_betas([min(1 - now / before, beta_max) for before, now in pairwise(curve)])


def _after_clean(rows: Tensor) -> Tensor:
    """A table for t in 0..T from its rows 1..T."""
    return torch.cat([torch.full((1,), torch.nan, dtype=torch.float64), rows])


def at_least_one(T: int) -> int:
    """T itself. Raises ValueError unless it is a whole number from 1 to a million."""
    if not isinstance(T, int) or isinstance(T, bool) or not 1 <= T <= 10**6:
        raise ValueError(f"need a whole number of steps T of at least 1, and at most a million, but got {T!r:.40}.")
    return T


def _finite(**numbers: float) -> None:
    for name, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
            raise ValueError(f"need {name} as a finite number, but got {value!r:.40}.")


def _numbers(name: str, values: Sequence[float] | Tensor, dtype: torch.dtype | None = None) -> Tensor:
    try:
        return torch.as_tensor(values, dtype=dtype)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"need {name} as a list of numbers, but got {values!r:.40}.") from error


def at(table: Tensor, t: Tensor, like: Tensor) -> Tensor:
    """Row t of a schedule's table, shaped (B, 1, ..., 1) like the batch `like` (B, ...), in its dtype, on its device.

    t (B,) holds one whole time in 0..T per example. Raises ValueError for anything else: broadcasting a wrong t
    would silently give every image another image's noise.
    """
    if not all(isinstance(each, Tensor) for each in (table, t, like)):
        kinds = ", ".join(type(each).__name__ for each in (table, t, like))
        raise ValueError(f"need table, t and like as tensors, but got {kinds}.")
    if t.shape != like.shape[:1]:
        raise ValueError(
            f"need one time per example: t has shape {tuple(t.shape)}, but the batch has shape {tuple(like.shape)}."
        )
    if t.is_floating_point() or t.is_complex() or t.dtype == torch.bool:
        raise ValueError(f"need whole times 0..T, but t has dtype {t.dtype}.")
    if not like.is_floating_point():
        raise ValueError(
            f"need floating-point images scaled to [-1, 1], but got {like.dtype}; see ddpm_core.data.to_float."
        )
    t = t.to(table.device)  # times are kept where the tables are, on the CPU: checking them there stalls no GPU
    if len(t) and (t.min() < 0 or t.max() >= len(table)):
        raise ValueError(f"need times in 0..{len(table) - 1}, but t runs from {int(t.min())} to {int(t.max())}.")
    return table[t.long()].to(like.dtype).to(like.device).reshape(-1, *[1] * (like.ndim - 1))
