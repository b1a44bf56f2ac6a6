"""Task 3: beta_tilde / beta = (1 - alpha_bar_{t-1}) / (1 - alpha_bar_t). Both are positive, and alpha_bar falls, so the
upper one is smaller. At t = 1 it is 0: somebody who knows x_0 has nothing left to guess."""

import torch

from ddpm_core import schedule

linear = schedule.linear(T=1000)
t = torch.arange(1, 1001)
ratio = (1 - linear.alpha_bar[t - 1]) / (1 - linear.alpha_bar[t])
assert torch.allclose(ratio, linear.beta_tilde[t] / linear.beta[t])
assert ratio[0] == 0 and (ratio < 1).all()
print(f"within a hundredth of beta from t = {int((ratio > 0.99).nonzero()[0]) + 1} on")
