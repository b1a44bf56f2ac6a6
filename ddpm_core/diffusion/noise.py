"""Random numbers that can be repeated: generators from seeds, and noise that is the same on every device."""

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor

from ddpm_core.diffusion.arguments import checked, in_range

Generator = torch.Generator | Sequence[torch.Generator] | None  # one for the batch, one for each example, torch's own

MANY = 10**7  # pictures at once, whose generators alone fill gigabytes


def seeded(*numbers: int) -> torch.Generator:
    """A generator whose stream is fixed by these numbers: by 32 bits of their hash, so that two combinations share one
    once in four billion pairs."""
    digest = hashlib.sha256(repr(numbers).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:4], "little"))


@checked
def one_each(seed: int, first: int, n: int) -> list[torch.Generator]:
    """A generator for each of the pictures first, ..., first + n - 1, fixed by the seed and the picture's number."""
    in_range("n", n, 0, MANY)
    return [seeded(seed, picture) for picture in range(first, first + n)]


@checked
def standard_normal(like: Tensor, generator: Generator = None) -> Tensor:
    """Noise from N(0, I), in the shape and dtype and on the device of `like`; from a list, one example each.

    Drawn where the generator lives, so that one seed gives one picture on every device.
    """
    if isinstance(generator, Sequence):
        return torch.stack([standard_normal(x, g) for x, g in zip(like, generator, strict=True)])
    device = like.device if generator is None else generator.device
    return torch.randn(like.shape, generator=generator, dtype=like.dtype, device=device).to(like.device)
