"""One step of training, the same for every network: forward, backward, clip, optimiser, moving average."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.rig.peers import Layout
from ddpm_core.training.optimizers import Optimizer, adam


def batch(layout: Layout, n: int | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """Images, times and noise (n, ...), by default as many as the layout is trained with: only their shapes matter."""
    n, shape = n or layout.batch, (layout.in_channels, layout.side, layout.side)
    return torch.randn(n, *shape), torch.randint(1, 1001, (n,)), torch.randn(n, *shape)


def training_step(net: nn.Module, x: Tensor, t: Tensor, eps: Tensor, optimizer: Optimizer = adam) -> Callable[[], None]:
    """A step on this batch, with the settings of `ddpm_core.trainer`: fused Adam, clipping, an average in one pass."""
    weights, own = list(net.parameters()), optimizer(net, 1e-4)
    average = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(0.999))

    def step() -> None:
        F.mse_loss(net(x, t), eps).backward()
        nn.utils.clip_grad_norm_(weights, 1.0)
        own.step()
        own.zero_grad()
        average.update_parameters(net)

    return step


def flops(net: nn.Module, layout: Layout) -> int:
    """Operations of convolutions, products and attention to train on one image, there and back."""
    x, t, eps = batch(layout, 1)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:  # the CPU's own kernel goes uncounted
        F.mse_loss(net(x, t), eps).backward()
    net.zero_grad()
    return counter.get_total_flops()
