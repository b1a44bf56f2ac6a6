"""What the experiments of chapter 11 share: a network asked once for each t, its squared error, and the progressive
code, the bits sent by the time that x_t is known and the picture that x_t allows."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ddpm_core.diffusion import elbo, gaussian, variance
from ddpm_core.diffusion.noise import seeded
from ddpm_core.diffusion.prediction import Denoise
from ddpm_core.schedule import Schedule
from experiments.common.results_file import significant

STOPS = (1, 2, 3, 5, 7, 10, 15, *range(20, 100, 10), *range(100, 1001, 25))  # times at which the code is looked at
GREY = 127.5  # grey values a unit of [-1, 1]
FIXED = {"beta": variance.beta, "beta_tilde": variance.interpolated(torch.zeros(()))}  # beta_tilde_2 at t = 1


@dataclass(eq=False)
class Kept:
    """A denoiser that is asked once for each t, and what it said."""

    denoise: Denoise
    said: dict[int, Tensor] = field(default_factory=dict)

    def __call__(self, x_t: Tensor, t: Tensor) -> Tensor:
        now = int(t[0])
        if now not in self.said:
            self.said[now] = self.denoise(x_t, t)
        return self.said[now]


@torch.no_grad()
def squares(denoise: Denoise, s: Schedule, x0: Tensor, seed: int) -> Tensor:
    """Mean squared error of x0_hat for each number, (T + 1,): what `variance.analytic` takes. Row 0 is 0."""
    found, generator = [0.0], seeded(seed, 14)
    for t in range(1, s.T + 1):
        times, eps = torch.full((len(x0),), t), torch.randn(x0.shape, generator=generator)
        x0_hat = denoise(gaussian.q_sample(s, x0, times, eps), times)
        found.append((x0_hat - x0).double().square().mean().item())
    return torch.tensor(found, dtype=torch.float64)


def bound(denoise: Denoise, s: Schedule, x0: Tensor, width: variance.Variance) -> Tensor:
    """Bits per dimension of each term, (T + 1,), the mean over the pictures: row 0 is L_T, row 1 is L_0."""
    return elbo.bits_per_dim(elbo.vlb_terms(denoise, s, x0, seeded(5), width), x0).mean(1)


def parts(bits: Tensor) -> dict[str, float]:
    return {
        name: significant(value)
        for name, value in {"bound": bits.sum(), "L_T": bits[0], "L_t": bits[2:].sum(), "L_0": bits[1]}.items()
    }


def rates(bits: Tensor, times: Sequence[int] = STOPS) -> list[float]:
    """Bits per dimension that have been sent once x_t is known: L_T and the terms of all steps down to t."""
    sent = elbo.rate(bits)
    return [significant(sent[t]) for t in times]


def distortions(kept: Kept, x0: Tensor, times: Sequence[int] = STOPS) -> list[float]:
    """Root of the mean squared error of x0_hat, in grey values, at these times."""
    return [significant(GREY * (kept.said[t] - x0).double().square().mean().sqrt()) for t in times]


def area(rate: list[float], distortion: list[float]) -> float:
    """Under the curve of distortion over rate, in grey values times bits per dimension, by the trapezoid rule."""
    return significant(torch.trapezoid(torch.tensor(distortion[::-1]), torch.tensor(rate[::-1])))
