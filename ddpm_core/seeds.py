"""Chance that can be repeated: generators from seeds, and the order in which examples are met."""

import functools
import hashlib

import torch
from torch import Tensor


def seeded(*numbers: int) -> torch.Generator:
    """A generator whose stream is fixed by these numbers: by 32 bits of their hash, so that two combinations share one
    once in four billion pairs."""
    digest = hashlib.sha256(repr(numbers).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:4], "little"))


def rows_at(step: int, n: int, batch: int, seed: int) -> Tensor:
    """Which of n examples make the batch of this step, (batch,): shuffled anew each epoch, each example once an epoch.

    A function of (seed, step) alone, so that a resumed run sees what the uninterrupted one would have seen.
    """
    position = torch.arange(step * batch, (step + 1) * batch)
    epochs = (position // n).unique().tolist()
    return torch.cat([_order(n, seed, epoch)[position[position // n == epoch] % n] for epoch in epochs])


@functools.lru_cache(maxsize=2)
def _order(n: int, seed: int, epoch: int) -> Tensor:
    return torch.randperm(n, generator=seeded(seed, epoch))
