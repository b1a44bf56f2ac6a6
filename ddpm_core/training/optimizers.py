"""Which optimiser makes the steps: Adam for all weights, or Muon for the matrices inside the network.

An optimiser is chosen as a function (net, lr) -> torch.optim.Optimizer, which `trainer.start` calls.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from ddpm_core.training.muon import Muon, inner_matrices

Optimizer = Callable[[nn.Module, float], torch.optim.Optimizer]


def adam(net: nn.Module, lr: float) -> torch.optim.Optimizer:
    """Adam for every weight; it forgets squares sooner than the paper's.   [Kingma and Ba 2015; chapter 8, Eq. 8.1]"""
    return torch.optim.Adam(net.parameters(), lr=lr, betas=(0.9, 0.99), fused=True)


@dataclass(frozen=True)
class muon:
    """Muon with its own rate for the matrices inside the network, Adam with the trainer's for everything else.

    Raises ValueError for a network that does not say what is inside.   [Jordan et al. 2024]
    """

    lr: float = 0.02

    def __call__(self, net: nn.Module, lr: float) -> torch.optim.Optimizer:
        return Muon(*inner_matrices(net), self.lr, adam_lr=lr)


OPTIMIZERS: dict[str, Optimizer] = {"adam": adam, "muon": muon()}


def optimizer_name(optimizer: Optimizer) -> str:
    """An optimiser as results files and checkpoints name it: "adam", "muon(0.02)"."""
    return f"muon({float(optimizer.lr)})" if isinstance(optimizer, muon) else optimizer.__qualname__
