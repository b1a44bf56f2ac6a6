"""Which layouts a U-Net can have."""

from collections.abc import Sequence


def check_layout(
    in_channels: int, channels: Sequence[int], blocks: int, attention: Sequence[int], patch: int, heads: int
) -> None:
    """Raises ValueError, with what was needed, unless a `UNet` can be built of these."""
    if in_channels not in (1, 3, 4):
        raise ValueError(f"need 1, 3 or 4 image channels, but got {in_channels}.")
    if blocks < 1 or patch < 1:
        raise ValueError(f"need at least one block a level and a patch of at least 1, but got {blocks} and {patch}.")
    if heads < 1 or not channels or any(width < 8 or width % 8 or width % heads for width in channels):
        raise ValueError(f"need level widths that are multiples of 8 and of heads = {heads}, but got {list(channels)}.")
    if any(not 0 <= level < len(channels) for level in attention):
        raise ValueError(f"need attention levels in 0..{len(channels) - 1}, but got {list(attention)}.")
