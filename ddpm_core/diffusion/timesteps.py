"""Which times a sampler visits: a falling list of whole numbers from T to 0, steps + 1 of them."""

from collections.abc import Iterator

import torch
from torch import Tensor

from ddpm_core.diffusion.arguments import checked, in_range
from ddpm_core.schedule import Schedule

Steps = Iterator[tuple[int, Tensor]]  # what a sampler yields: (t, x_t), from the largest time to the smallest


@checked
def uniform(schedule: Schedule, steps: int) -> list[int]:
    """steps + 1 times from T down to 0, evenly spaced: the sampler then calls the network `steps` times.

    Raises ValueError for more steps than times.
    """
    _enough(schedule, steps)
    return [round(schedule.T * (1 - k / steps)) for k in range(steps + 1)]


@checked
def quadratic(schedule: Schedule, steps: int) -> list[int]:
    """steps + 1 times from T down to 0, t = T (1 - k / steps)^2: most near the clean end. [Song 2021, Appendix D.2]"""
    _enough(schedule, steps)
    return _apart([round(schedule.T * (1 - k / steps) ** 2) for k in range(steps + 1)])


@checked
def uniform_log_snr(schedule: Schedule, steps: int) -> list[int]:
    """steps + 1 times from T down to 0, evenly spaced in log-SNR from that of t = 1 down to its mirror image.

    The noisiest of these levels is left to T, which lies below it or near it; the last leap is from t = 1 to 0.
    Raises ValueError for more steps than times.   [Lu 2022 (DPM-Solver); chapter 10]
    """
    _enough(schedule, steps)
    log_snr = schedule.snr.log()
    levels = torch.linspace(-log_snr[1], log_snr[1], steps, dtype=torch.float64)[1:]
    nearest = [1 + int((log_snr[1:] - level).abs().argmin()) for level in levels]
    return _apart([schedule.T, *nearest, 0])


@checked
def karras(schedule: Schedule, steps: int, rho: float = 7.0, low: float = 0.002, high: float = 80.0) -> list[int]:
    """steps + 1 times from T down to 0, whose noise levels 1 / sqrt(SNR) fall evenly in their rho-th root.

    The levels run from `high` to `low`, or as far as the schedule goes; each becomes the whole time nearest to it, the
    noisiest becomes T, and the last step leads to 0. ValueError for more steps than times and for a rho below 1.
    [Karras 2022, Eq. 5; chapter 14, Eq. 14.14]
    """
    _enough(schedule, steps)
    if not rho >= 1:
        raise ValueError(f"need rho of at least 1, but got {rho}.")
    in_range("low", low, 0)
    in_range("high", high, 0)
    level = (1 / schedule.alpha_bar - 1).sqrt()
    ends = [min(high, float(level[-1])) ** (1 / rho), max(low, float(level[1])) ** (1 / rho)]
    levels = torch.linspace(*ends, steps, dtype=torch.float64)[1:] ** rho
    nearest = [1 + int((level[1:].log() - x.log()).abs().argmin()) for x in levels]
    return _apart([schedule.T, *nearest, 0])


def _enough(schedule: Schedule, steps: int) -> None:
    if not 1 <= steps <= schedule.T:
        raise ValueError(f"need between 1 and T = {schedule.T} steps, but got {steps}.")


def _apart(times: list[int]) -> list[int]:
    """Stops that fell on one whole time are moved apart: away from 0, and back from T where there is no room."""
    between = range(1, len(times) - 1)
    for k in reversed(between):
        times[k] = max(times[k], times[k + 1] + 1)
    for k in between:
        times[k] = min(times[k], times[k - 1] - 1)
    return times
