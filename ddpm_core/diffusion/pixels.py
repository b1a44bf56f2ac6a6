"""The 256 grey values 0..255 of a picture, and the network's scale of [-1, 1].   [Ho 2020, Section 3.3]"""

import torch
from torch import Tensor

from ddpm_core.diffusion.arguments import checked

BIN = 2 / 255  # distance of two neighbouring grey values on the scale of [-1, 1]


@checked
def to_float(images: Tensor) -> Tensor:
    """uint8 0..255 -> float32 in [-1, 1].  [Ho 2020, Section 3.3]"""
    if images.dtype != torch.uint8:
        raise ValueError(f"need uint8 images 0..255, but got {images.dtype}.")
    return images.float() / 127.5 - 1


@checked
def to_uint8(x: Tensor) -> Tensor:
    """Floats in [-1, 1] -> uint8 0..255; what lies outside is cut off. Raises ValueError for nan."""
    if x.isnan().any():
        raise ValueError(f"need numbers in x, but {x.isnan().float().mean():.0%} of it is nan.")
    return ((x.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
