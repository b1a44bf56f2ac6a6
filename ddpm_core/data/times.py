"""How the random times of a batch are drawn: uniform, or most of them where pictures are decided."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real

import torch
from torch import Tensor

from ddpm_core.diffusion.loss import sample_timesteps
from ddpm_core.schedule import Schedule

Times = Callable[[Schedule, int, torch.Generator], Tensor]  # n of them in 1..T


@dataclass(frozen=True)
class logit_normal:
    """n times in 1..T, most in the middle of the chain: ln( s / (1 - s) ) of their share s = t / T is normal.

    Spread evenly over the batch, as `sample_timesteps` does it. The loss at t then counts as if its weight were the
    density of s at t / T, and where that is large more times are seen.   [Esser 2024, Section 3.1; chapter 8]
    """

    mean: float = 0.0
    std: float = 1.0

    def __post_init__(self):
        finite = all(isinstance(x, Real) and math.isfinite(x) for x in (self.mean, self.std))
        if not finite or self.std < 0:
            raise ValueError(f"need mean and std as finite numbers, std not below 0, but got {self!r:.80}.")

    def __call__(self, schedule: Schedule, n: int, generator: torch.Generator) -> Tensor:
        u = (torch.arange(n, dtype=torch.float64) + torch.rand(1, generator=generator, dtype=torch.float64)) / n
        share = torch.sigmoid(self.mean + self.std * torch.special.ndtri(u))
        t = (share * schedule.T).long().clamp(max=schedule.T - 1) + 1
        return t[torch.randperm(n, generator=generator)]


def times_name(times: Times) -> str:
    """How times are drawn, as results files and checkpoints name it: "uniform", "logit_normal(0.0, 1.0)"."""
    if isinstance(times, logit_normal):
        return f"logit_normal({float(times.mean)}, {float(times.std)})"
    return "uniform" if times is sample_timesteps else times.__qualname__
