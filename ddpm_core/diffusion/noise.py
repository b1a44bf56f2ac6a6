"""Random numbers that can be repeated: generators from seeds, and noise that is the same on every device."""

import hashlib

import torch
from torch import Tensor


def seeded(*numbers: int) -> torch.Generator:
    """A generator whose stream is fixed by these numbers: by 32 bits of their hash, so that two combinations share one
    once in four billion pairs."""
    digest = hashlib.sha256(repr(numbers).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:4], "little"))


def standard_normal(like: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Noise from N(0, I), in the shape and dtype and on the device of `like`.

    Drawn where the generator lives, so that one seed gives one picture on every device.
    """
    device = like.device if generator is None else generator.device
    return torch.randn(like.shape, generator=generator, dtype=like.dtype, device=device).to(like.device)
