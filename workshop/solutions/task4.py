"""Task 4: x_0 = (x_t - sqrt(1 - alpha_bar) eps) / sqrt(alpha_bar), so an error of eps is multiplied by the root of
(1 - alpha_bar) / alpha_bar, which is one over the root of the signal-to-noise ratio."""

import torch

from ddpm_core import schedule
from ddpm_core.diffusion import gaussian

linear, t = schedule.linear(T=1000), torch.tensor([10, 500, 1000])
x_t, eps = torch.zeros(3, 1, dtype=torch.float64), torch.zeros(3, 1, dtype=torch.float64)
moved = gaussian.x0_from_eps(linear, x_t, t, eps + 0.01) - gaussian.x0_from_eps(linear, x_t, t, eps)
factors = (moved.flatten() / 0.01).abs()
assert torch.allclose(factors, linear.snr[t] ** -0.5)
print("an error of 0.01 in eps is this much in x_0:", " ".join(f"{0.01 * f:.4f}" for f in factors.tolist()))
assert factors[0] < 1 < factors[1] < 100 < factors[2], "it shrinks near the data and is a catastrophe near the noise"
