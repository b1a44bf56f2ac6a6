"""Which times carry the training loss: weight times error, as a share of the whole."""

import torch
from torch import Tensor

from ddpm_core.diffusion.arguments import checked


@checked
def loss_shares(weights: Tensor, errors: Tensor, parts: int) -> Tensor:
    """Shares s_t = weight_t error_t / sum_r weight_r error_r of the weighted loss, added up over equal stretches of t.

    weights, errors (T,): at t = 1..T, not negative. Returns (parts,) float64, which sum to 1; with parts = T each time
    stands alone. Raises ValueError for other shapes, for a loss that is negative, infinite or 0, and for more parts
    than times.   [chapter 6, Eq. 6.8]
    """
    if weights.ndim != 1 or weights.shape != errors.shape or not 1 <= parts <= len(weights):
        raise ValueError(
            f"need weights and errors of the same T times, and 1 to T parts, "
            f"but got shapes {tuple(weights.shape)} and {tuple(errors.shape)}, and {parts} parts."
        )
    loss = weights.double() * errors.double()
    if not (loss >= 0).all() or not 0 < loss.sum() < torch.inf:
        raise ValueError(f"need a finite loss above 0 and no negative part, but got {loss.tolist()[:8]} ...")
    stretch = torch.arange(len(loss)) * parts // len(loss)
    return torch.zeros(parts, dtype=torch.float64).index_add(0, stretch, loss) / loss.sum()
