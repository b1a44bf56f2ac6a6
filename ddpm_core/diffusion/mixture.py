"""A world that can be solved: when the data are a mixture of Gaussians, so is every x_t, and nothing needs training."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ddpm_core.diffusion.arguments import checked, in_range
from ddpm_core.diffusion.prediction import Denoise
from ddpm_core.schedule import Schedule, at


@dataclass(frozen=True, eq=False)
class GaussianMixture:
    """p(x_0) = sum_k weight_k N(mean_k, variance_k): K modes in D dimensions, independent along the axes.

    weights (K,), positive, summing to 1; means (K, D); variances (K, D), positive. All float64.
    """

    weights: Tensor
    means: Tensor
    variances: Tensor

    def __post_init__(self):
        K, shape = len(self.weights), tuple(self.means.shape)
        if len(shape) != 2 or shape[0] != K or tuple(self.variances.shape) != shape:
            raise ValueError(
                f"need means and variances of shape (K, D) for K = {K} weights, "
                f"but they are {shape} and {tuple(self.variances.shape)}."
            )
        if (self.weights <= 0).any() or not math.isclose(self.weights.sum(), 1, abs_tol=1e-9):
            raise ValueError(f"need positive weights that sum to 1, but they are {self.weights.tolist()}.")
        if (self.variances <= 0).any():
            raise ValueError("need every variance above 0.")

    @checked
    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """n points x_0, (n, D)."""
        in_range("n", n, 1, 10**8)
        mode = torch.multinomial(self.weights, n, replacement=True, generator=generator)
        z = torch.randn(n, self.means.shape[1], generator=generator, dtype=self.means.dtype)
        return self.means[mode] + self.variances[mode].sqrt() * z

    @property
    def mean(self) -> Tensor:
        """E[x_0], (D,)."""
        return self.weights @ self.means

    @property
    def covariance(self) -> Tensor:
        """Cov[x_0], (D, D): within the modes plus between them."""
        centred = self.means - self.mean
        return torch.diag(self.weights @ self.variances) + centred.T @ (self.weights[:, None] * centred)

    @checked
    def log_q(self, schedule: Schedule, x_t: Tensor, t: Tensor) -> Tensor:
        """log q(x_t) in nats, (B,).

        At time t mode k has mean sqrt(alpha_bar) mean_k and variance alpha_bar variance_k + 1 - alpha_bar.
        """
        return self._log_joint(schedule, x_t, t).logsumexp(1)

    @checked
    def responsibilities(self, schedule: Schedule, x_t: Tensor, t: Tensor) -> Tensor:
        """p(k | x_t): the share of each mode in each point, (B, K); rows sum to 1."""
        return self._log_joint(schedule, x_t, t).softmax(1)

    @checked
    def posterior_mean(self, schedule: Schedule, x_t: Tensor, t: Tensor) -> Tensor:
        """E[x_0 | x_t], shaped like x_t (B, D): what a perfect network would put out.

        Within mode k it is mean_k + gain (x_t - sqrt(alpha_bar) mean_k),
        gain = sqrt(alpha_bar) variance_k / (alpha_bar variance_k + 1 - alpha_bar).
        """
        return (self.responsibilities(schedule, x_t, t)[..., None] * self._within(schedule, x_t, t)[0]).sum(1)

    @checked
    def posterior_variance(self, schedule: Schedule, x_t: Tensor, t: Tensor) -> Tensor:
        """Var[x_0 | x_t] along each axis, shaped like x_t (B, D): what even a perfect network cannot know.

        Within the modes, variance_k (1 - alpha_bar) / (alpha_bar variance_k + 1 - alpha_bar), plus between them.
        """
        mean, variance = self._within(schedule, x_t, t)
        share = self.responsibilities(schedule, x_t, t)[..., None]
        centred = mean - (share * mean).sum(1, keepdim=True)
        return (share * (variance + centred**2)).sum(1)

    @checked
    def mmse(self, schedule: Schedule, times: Tensor, points: int = 801, reach: float = 8.0) -> Tensor:
        """E |x_0 - E[x_0|x_t]|^2 at each of the times (n,), for one dimension: the least squared error there is.

        Taken by summation over `points` values of x_t in [-reach, reach].  [chapter 4, Eq. 4.18]
        """
        if self.means.shape[1] != 1:
            raise ValueError(f"need a mixture in one dimension to sum over x_t, but it has {self.means.shape[1]}.")
        x_t = torch.linspace(-reach, reach, points, dtype=torch.float64)[:, None]
        cell, found = 2 * reach / (points - 1), []
        for t in times.tolist():
            now = torch.full((points,), t)
            found.append(
                (self.log_q(schedule, x_t, now).exp() * self.posterior_variance(schedule, x_t, now)[:, 0]).sum() * cell
            )
        return torch.stack(found)

    @checked
    def score(self, schedule: Schedule, x_t: Tensor, t: Tensor) -> Tensor:
        """grad log q(x_t), shaped like x_t; equals (sqrt(alpha_bar) E[x_0|x_t] - x_t) / (1 - alpha_bar) (Tweedie)."""
        mean, variance, _ = self._noised(schedule, x_t, t)
        return (self.responsibilities(schedule, x_t, t)[..., None] * (mean - x_t[:, None]) / variance).sum(1)

    @checked
    def denoiser(self, schedule: Schedule) -> Denoise:
        """The perfect `denoise(x_t, t)` for every sampler."""
        return lambda x_t, t: self.posterior_mean(schedule, x_t, t)

    def _noised(self, schedule: Schedule, x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Means and variances of the modes at time t, (B, K, D), and alpha_bar (B, 1, 1)."""
        if x_t.shape[1:] != self.means.shape[1:]:
            raise ValueError(f"need points (B, {self.means.shape[1]}) in this world, but got {tuple(x_t.shape)}.")
        alpha_bar = at(schedule.alpha_bar, t, like=x_t[:, None])
        return alpha_bar.sqrt() * self.means, alpha_bar * self.variances + 1 - alpha_bar, alpha_bar

    def _within(self, schedule: Schedule, x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """E[x_0 | x_t, k] and Var[x_0 | x_t, k] for each mode k, both (B, K, D)."""
        mean, variance, alpha_bar = self._noised(schedule, x_t, t)
        gain = alpha_bar.sqrt() * self.variances / variance
        return self.means + gain * (x_t[:, None] - mean), self.variances * (1 - alpha_bar) / variance

    def _log_joint(self, schedule: Schedule, x_t: Tensor, t: Tensor) -> Tensor:
        """log p(k) q(x_t | k), (B, K)."""
        mean, variance, _ = self._noised(schedule, x_t, t)
        log_density = -0.5 * ((x_t[:, None] - mean) ** 2 / variance + (2 * math.pi * variance).log()).sum(-1)
        return self.weights.log() + log_density


@checked
def isotropic(weights: Sequence[float], means: Sequence[Sequence[float]], std: float) -> GaussianMixture:
    """Round modes of one width: weights (K,) that sum to 1, means (K, D), standard deviation `std` along every axis."""
    means = torch.tensor(means, dtype=torch.float64)
    return GaussianMixture(torch.tensor(weights, dtype=torch.float64), means, torch.full_like(means, std**2))
