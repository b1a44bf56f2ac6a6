"""Rows of pictures under one slider: what several networks draw from the same noise, at one moment after the other."""

from collections.abc import Mapping, Sequence
from html import escape

import torch
from torch import Tensor

from ddpm_core.book.widgets.figure import encode_array, on_screen
from ddpm_core.book.widgets.scrubber import Scrubber


def scrub_rows(
    frames: Mapping[str, Sequence[Tensor]], times: Sequence[int], *, label: str, caption: str, size: int = 56
) -> Scrubber:
    """One row of N pictures for each name, all moved by one slider over `times`.

    frames   name -> one (N, C, H, W) for each time, uint8 or floats on the scale of [-1, 1], alike in all rows
    times    different whole numbers, in the order of the slider
    caption  what a time is called, "step {t}"
    size     width of a picture on the page, where there is room

    `.frame(t)` is what is shown at t, uint8 (rows, N, C, H, W). Raises ValueError for anything else.   [chapter 8]
    """
    times = [int(t) for t in times]
    if not frames or not times or len(set(times)) != len(times):
        raise ValueError(f"need rows and different times, but got {list(frames)} and {times}.")
    if "{t}" not in caption:
        raise ValueError(f"need a caption that says {{t}}, but got {caption!r}.")
    shown = shown_rows(frames, times)
    _, _, N, C, H, W = shown.shape
    canvas = f'<canvas class="tiles" role="img" width="{N * W}" height="{H}" style="--cell: calc(100% / {N}) 100%" '
    stage = "".join(
        f'<p class="title">{escape(name)}</p>{canvas}aria-label="{N} pictures, {escape(name)}"></canvas>'
        for name in frames
    )
    payload = {"times": times, "shape": [N, C, H, W], "columns": N, "caption": caption}
    payload["arrays"] = {"frames": encode_array(shown, torch.uint8)[1]}
    stage = f'<div class="rows" style="width: {N * size}px">{stage}</div>'
    return Scrubber(label, payload, stage, lambda t: shown[times.index(t)], ["tile", "rows"], times)


def shown_rows(frames: Mapping[str, Sequence[Tensor]], times: Sequence[int]) -> Tensor:
    """Rows of pictures as a page gets them: uint8 (times, rows, N, C, H, W). Raises ValueError unless all are alike."""
    for name, row in frames.items():
        if len(row) != len(times):
            raise ValueError(f"need a frame for each of {len(times)} times, but the row {name!r} has {len(row)}.")
    shades = [[on_screen(f"the row {name!r}", frame) for frame in row] for name, row in frames.items()]
    shapes = {shade.shape for row in shades for shade in row}
    if len(shapes) != 1 or len(shape := shapes.pop()) != 4 or shape[1] not in (1, 3) or 0 in shape:
        raise ValueError("need frames of one shape (N, C, H, W) with C = 1 or 3 in all rows and at all times.")
    return torch.stack([torch.stack(row) for row in shades], dim=1)
