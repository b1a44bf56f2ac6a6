"""Which layouts a network can have, and what it can be given: checked once, in one sentence each. Torch only."""

from collections.abc import Sequence
from numbers import Integral, Real

import torch
from torch import Tensor

MOST = 10**6  # channels, blocks, classes: more is a slip, and would fill the memory


def check_layout(
    in_channels: int, channels: Sequence[int], blocks: int, attention: Sequence[int] | None, patch: int,
    num_classes: int | None, dropout: float, heads: int, vocabulary: Sequence[str] | None,
    cross_attention: Sequence[int], out_channels: int | None,
) -> None:  # fmt: skip
    """Raises ValueError, with what was needed, unless a `UNet` can be built of these."""
    check_whole(in_channels=in_channels, blocks=blocks, patch=patch, heads=heads)
    check_whole(num_classes=1 if num_classes is None else num_classes)
    check_whole(out_channels=1 if out_channels is None else out_channels)
    attention = () if attention is None else attention
    check_lists(int, channels=channels, attention=attention, cross_attention=cross_attention)
    check_lists(str, vocabulary=() if vocabulary is None else vocabulary)
    check_dropout(dropout)
    if in_channels not in (1, 3, 4):
        raise ValueError(f"need 1, 3 or 4 image channels, but got {in_channels}.")
    if not channels or any(width < 8 or width % 8 or width % heads for width in channels):
        raise ValueError(f"need level widths that are multiples of 8 and of heads = {heads}, but got {list(channels)}.")
    if any(not 0 <= level < len(channels) for level in [*attention, *cross_attention]):
        levels = [*attention, *cross_attention]
        raise ValueError(f"need attention levels in 0..{len(channels) - 1}, but got {levels}.")


def check_whole(**numbers: object) -> None:
    """Raises ValueError for what is not a whole number from 1 to MOST."""
    for name, value in numbers.items():
        if not _is_whole(value) or not 1 <= value <= MOST:
            raise ValueError(f"need {name} as a whole number from 1 to {MOST:,}, but got {value!r:.60}.")


def check_lists(kind: type, **values: object) -> None:
    """Raises ValueError for what is not a list of whole numbers up to MOST, or, if that is the kind, of words."""
    for name, value in values.items():
        many = isinstance(value, Sequence) and not isinstance(value, str)
        fits = (lambda one: isinstance(one, str)) if kind is str else (lambda one: _is_whole(one) and one <= MOST)
        if not many or not all(map(fits, value)):
            what = "words" if kind is str else f"whole numbers up to {MOST:,}"
            raise ValueError(f"need {name} as a list of {what}, but got {value!r:.60}.")


def check_dropout(dropout: object) -> None:
    """Raises ValueError for what is no share."""
    if not isinstance(dropout, Real) or isinstance(dropout, bool) or not 0 <= dropout <= 1:
        raise ValueError(f"need dropout as a share in 0..1, but got {dropout!r:.60}.")


def check_input(x: Tensor, t: Tensor, weight: Tensor, called: str = "image") -> None:
    """Raises ValueError unless x are floating-point numbers where the network's weight is and of its kind, and t (B,)
    times. Only kinds, shapes and devices are looked at."""
    for name, value in (("x", x), ("t", t)):
        if not isinstance(value, Tensor):
            raise ValueError(f"need {name} as a tensor, but got a {type(value).__name__}.")
    if not x.is_floating_point():
        raise ValueError(
            f"need floating-point {called}s scaled to [-1, 1] as x, but got {x.dtype}; see ddpm_core.data.to_float."
        )
    if x.device != weight.device:
        raise ValueError(f"need x where the network is, on {weight.device}, but it is on {x.device}.")
    if x.dtype != weight.dtype and not torch.is_autocast_enabled(x.device.type):
        raise ValueError(f"need x as {weight.dtype}, as the network is, but got {x.dtype}.")
    if t.shape != x.shape[:1] or t.dtype == torch.bool:
        of = "" if t.dtype != torch.bool else f" of {t.dtype}"
        raise ValueError(
            f"need one time per {called}: t has shape {tuple(t.shape)}{of}, but the batch has {len(x)} {called}s."
        )


def _is_whole(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)
