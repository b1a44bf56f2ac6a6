"""The opening of the book: pictures come out of noise by themselves, and back and forth under a finger."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from ddpm_core.book.widgets.figure import on_screen
from ddpm_core.book.widgets.scrubber import Scrubber


def film(frames: Sequence[Tensor], columns: int) -> Image.Image:
    """States (N, C, H, W) of a chain as one picture: sheets of `columns` pictures a row, one below the other.

    uint8, or floats on the scale of [-1, 1]; N is a multiple of columns. Raises ValueError otherwise.
    """
    shades = torch.stack([on_screen("the frames", frame) for frame in frames])
    F, N, C, H, W = shades.shape
    if C not in (1, 3) or N % columns:
        raise ValueError(f"need whole rows of {columns} pictures with 1 or 3 channels, but got {tuple(shades.shape)}.")
    sheet = shades.reshape(F, N // columns, columns, C, H, W).permute(0, 1, 4, 2, 5, 3)
    return Image.fromarray(sheet.reshape(F * N // columns * H, columns * W, C).squeeze(-1).numpy())


def opening(address: str, size: tuple[int, int, int], times: Sequence[int], *, label: str, pixels: int) -> Scrubber:
    """A chain on its way from noise to pictures: it plays once, then follows the slider, or a finger on the pictures.

    address  where the page finds the `film` of the chain, as an image file
    size     (pictures, columns, side): what one sheet of it holds, pictures of side x side
    times    those of the film's sheets, in its order: from T to 0
    pixels   width of a picture on the page, where there is room

    For a reader who prefers less motion it stands still at the finished pictures. `.frame(t)` is not to be had: the
    page alone decodes the file. Raises ValueError for times that are not different, or pictures that fill no row.
    """
    N, columns, side = size
    times = [int(t) for t in times]
    if len(set(times)) != len(times) or not times or N % columns:
        raise ValueError(f"need different times and whole rows of pictures, but got {times} and {N} by {columns}.")
    rows = N // columns
    stage = f"""<div class="stage" style="width: {columns * pixels}px"><img data-src="{escape(address)}" alt="" hidden>
<canvas class="tiles" role="img" width="{columns * side}" height="{rows * side}" aria-label="{N} pictures drawn from \
noise" style="--cell: calc(100% / {columns}) calc(100% / {rows})"></canvas></div>"""

    def nowhere(t: int) -> Tensor:
        raise ValueError(f"need the page itself to see t = {t}: the film lies in {Path(address).name}.")

    return Scrubber(label, {"times": times, "shape": [N, side]}, stage, nowhere, ["film"], times)
