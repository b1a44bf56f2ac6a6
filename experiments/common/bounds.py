"""Both bounds of held-out pictures, in bits per dimension; the same noise for whichever network."""

from torch import Tensor

from ddpm_core.diffusion import elbo
from ddpm_core.diffusion.noise import seeded
from ddpm_core.diffusion.prediction import Denoise
from ddpm_core.diffusion.variance import Variance, beta
from ddpm_core.schedule import Schedule
from experiments.common.results_file import significant


def discrete(denoise: Denoise, schedule: Schedule, x0: Tensor, variance: Variance = beta) -> dict[str, float]:
    """The bound on x0, and its parts: T network calls."""
    rows = elbo.bits_per_dim(elbo.vlb_terms(denoise, schedule, x0, seeded(5), variance), x0).mean(1)
    parts = {"bound": rows.sum(), "L_T": rows[0], "L_t": rows[2:].sum(), "L_0": rows[1]}
    return {name: significant(value) for name, value in parts.items()}


def continuous(denoise: Denoise, schedule: Schedule, x0: Tensor) -> float:
    """That of infinitely many steps, which compares across schedules."""
    nats = elbo.continuous_time_vlb(denoise, schedule, x0, seeded(5))
    return significant(elbo.bits_per_dim(nats, x0).mean())
