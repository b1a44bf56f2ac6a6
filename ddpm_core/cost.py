"""What a network costs, counted before it computes anything: on torch's "meta" device tensors have shapes only."""

import copy

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def training_flops(net: nn.Module, shape: tuple[int, ...]) -> int:
    """Floating-point operations to train on one image (C, H, W), there and back; a multiply-add counts as two.

    Convolutions, matrix products and attention count; what is done pixel by pixel does not.
    """
    twin = copy.deepcopy(net).to("meta").train()
    with FlopCounterMode(display=False) as counter:
        twin(torch.empty(1, *shape, device="meta"), torch.ones(1, dtype=torch.long, device="meta")).sum().backward()
    return counter.get_total_flops()
