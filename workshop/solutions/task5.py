"""Task 5: for pixels that are N(0, 1), x_0 and x_t are jointly Gaussian with covariance sqrt(alpha_bar), and both have
variance 1. So E[x_0 | x_t] = sqrt(alpha_bar) x_t: the perfect network is a multiplication."""

import torch

from ddpm_core import schedule
from ddpm_core.diffusion import gaussian
from ddpm_core.diffusion.noise import seeded

linear, n, t = schedule.linear(T=1000), 200_000, 300
x0, eps = (torch.randn(n, generator=seeded(seed), dtype=torch.float64) for seed in (1, 2))
x_t = gaussian.q_sample(linear, x0, torch.full((n,), t), eps)
slope = (x0 * x_t).mean() / (x_t * x_t).mean()
expected = linear.alpha_bar[t].sqrt()
print(f"slope of the best line: {slope:.3f}; the root of alpha_bar: {expected:.3f}")
assert abs(slope - expected) < 5 / n**0.5, "within five standard errors"
