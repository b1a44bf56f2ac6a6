"""Classifier-free guidance: two answers of one network, with and without the label, pulled apart."""

import torch
from torch import Tensor

from ddpm_core.diffusion.arguments import checked
from ddpm_core.diffusion.prediction import Denoise
from ddpm_core.schedule import at

STRONGEST = 100.0  # beyond it rounding decides: nobody has use for more than some 15
Interval = tuple[int, int] | None  # the first and the last time, 1 <= first <= last; None for all times


@checked
def guided(conditional: Denoise, unconditional: Denoise, scale: float, interval: Interval = None) -> Denoise:
    """Classifier-free guidance: conditional + scale (conditional - unconditional).  [Ho and Salimans 2022, Eq. 6]

    scale 0 is plain conditional sampling, -1 unconditional. Stated there for eps; x0_hat is affine in eps, so it is the
    same rule, as long as the mixture is clamped and not its parts. With an interval of times, outside of it nothing is
    pulled, nor the second answer asked for.   [Kynkaanniemi 2024; chapter 13, Eqs. 13.4 to 13.6]
    Raises ValueError for a scale that is not in -1..STRONGEST, and for an interval that is empty.
    """
    if not -1 <= scale <= STRONGEST:  # nan is not
        raise ValueError(f"need a guidance scale between -1 and {STRONGEST:g}, but got {scale:g}.")
    if interval is not None and not (len(interval) == 2 and 1 <= interval[0] <= interval[1]):
        raise ValueError(f"need an interval of times (first, last) with 1 <= first <= last, but got {interval}.")

    def denoise(x_t: Tensor, t: Tensor) -> Tensor:
        with_label = conditional(x_t, t)
        if interval is None:
            return with_label + scale * (with_label - unconditional(x_t, t))
        inside = (interval[0] <= t) & (t <= interval[1])
        if not inside.any():
            return with_label
        strength = at(scale * inside.double(), torch.arange(len(t)), like=x_t)  # (B, 1, ..., 1): 0 outside
        return with_label + strength * (with_label - unconditional(x_t, t))

    return denoise
