"""The U of a U-Net, drawn with what a picture becomes at each of its pieces; it lights up as a walk goes through it."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import torch
from torch import Tensor

from ddpm_core.book.widgets.figure import encode_array
from ddpm_core.book.widgets.scrubber import Scrubber

MAPS = 8  # channels of a piece that are shown


@dataclass(frozen=True, eq=False)
class WalkStep:
    """A piece of a network at work: what it hands on (C, H, W), H = W, and a sentence about it.

    skip: the number of the piece, counted from 0, whose output comes straight across.
    """

    name: str
    output: Tensor
    words: str
    skip: int | None = None


def walk_unet(pieces: Sequence[WalkStep], *, label: str, start: int = 1) -> Scrubber:
    """Walk through a network with one slider: the pieces so far are lit, and of the last one eight channels are shown.

    A piece stands the lower, the coarser it is: by one row for each halving. Each is drawn by the mean of its channels,
    stretched over the greys, and a channel likewise. start: the piece that the figure opens at, counted from 1.
    `.frame(k)` is the channels of piece k that are shown, uint8 (up to 8, H, W). Raises ValueError for fewer than two
    pieces, for one that is not square or no halving of the largest, and for a skip of another size.   [chapter 7]
    """
    pieces = list(pieces)
    if len(pieces) < 2 or not 1 <= start <= len(pieces):
        raise ValueError(f"need two pieces or more and a start among them, but got {len(pieces)} and {start}.")
    sides = [_side(piece) for piece in pieces]
    levels = [_level(max(sides), side) for side in sides]
    for piece, level in zip(pieces, levels, strict=True):
        if piece.skip is not None and not (0 <= piece.skip < len(pieces) and levels[piece.skip] == level):
            raise ValueError(f"need a skip to {piece.name!r} from a piece as large as it is, but got {piece.skip}.")
    channels = [torch.stack([_greys(one) for one in piece.output[:MAPS]]) for piece in pieces]
    means = [_greys(piece.output.mean(0)) for piece in pieces]
    payload = {
        "times": list(range(1, len(pieces) + 1)),
        "caption": "piece {t} of {T}",
        "opens": start - 1,
        "pieces": [
            {"side": side, "maps": len(maps), "skip": piece.skip, "words": piece.words}
            for piece, side, maps in zip(pieces, sides, channels, strict=True)
        ],
    }
    packed = {"channels": torch.cat([maps.flatten() for maps in channels])}
    packed["means"] = torch.cat([mean.flatten() for mean in means])
    payload["arrays"] = {name: encode_array(x, torch.uint8)[1] for name, x in packed.items()}
    return Scrubber(
        label, payload, _stage(pieces, sides, levels), lambda k: channels[k - 1], ["unet_walk"], payload["times"]
    )


def _side(piece: WalkStep) -> int:
    shape = tuple(piece.output.shape)
    if len(shape) != 3 or 0 in shape or shape[1] != shape[2]:
        raise ValueError(f"need the output of {piece.name!r} shaped (C, H, H), but got {shape}.")
    return shape[1]


def _level(largest: int, side: int) -> int:
    halvings = (largest // side).bit_length() - 1
    if side * 2**halvings != largest:
        raise ValueError(f"need sides that are halvings of the largest, {largest}, but got {side}.")
    return halvings


def _greys(x: Tensor) -> Tensor:
    """Stretched from its smallest to its largest number over 0..255; one grey where all are equal."""
    x = x.detach().cpu().double()
    span = (x.max() - x.min()).clamp(min=1e-12)
    return ((x - x.min()) / span * 255).round().to(torch.uint8)


def _stage(pieces: list[WalkStep], sides: list[int], levels: list[int]) -> str:
    n, deep = len(pieces), max(levels) + 1

    def at(k: int) -> str:
        return f"{k + 0.5:g} {levels[k] + 0.5:g}"

    path = "".join(f'<path class="way" d="M{at(k)}L{at(k + 1)}"/>' for k in range(n - 1))
    for k, piece in enumerate(pieces):
        if piece.skip is not None:
            over = f"{piece.skip + 0.5:g} {levels[k] - 0.35:g} {k + 0.5:g} {levels[k] - 0.35:g}"
            path += f'<path class="skip" d="M{at(piece.skip)}C{over} {at(k)}"/>'
    places = "".join(
        f'<div class="piece" style="grid-area: {levels[k] + 1} / {k + 1}; --share: {sides[k] / max(sides):g}">'
        f'<canvas width="{sides[k]}" height="{sides[k]}" aria-hidden="true"></canvas>'
        f"<span>{escape(piece.name)}</span></div>"
        for k, piece in enumerate(pieces)
    )
    return f"""<div class="walk"><div class="u" style="--n: {n}; --deep: {deep}">\
<svg viewBox="0 0 {n} {deep}" preserveAspectRatio="none" aria-hidden="true">{path}</svg>{places}</div>
<p class="here" role="status"></p>\
<canvas class="tiles maps" role="img" aria-label="channels of the piece"></canvas></div>"""
