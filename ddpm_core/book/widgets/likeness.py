"""Are they copies? A sheet of drawn pictures; of the chosen one, the training pictures that are nearest to it."""

import torch
from torch import Tensor

from ddpm_core.book.widgets.figure import InteractiveFigure, encode_array
from ddpm_core.evaluation.neighbours import nearest


def view_nearest(
    drawn: Tensor, known: Tensor, *, label: str, k: int = 5, columns: int = 10, size: int = 40
) -> InteractiveFigure:
    """A sheet of drawn pictures to choose from, by mouse, finger, slider or key; beside it the chosen one and the k
    known pictures nearest to it, each with its distance in grey values a pixel.

    drawn   (N, C, H, W) uint8, N >= 2
    known   (M, C, H, W) uint8, M >= k
    size    width of a picture of the sheet on the page

    `.frame(n)` is what is shown of the n-th: the picture and its neighbours, uint8 (1 + k, C, H, W).
    Raises ValueError for anything else.   [chapter 12, Eq. 12.7]
    """
    if drawn.ndim != 4 or len(drawn) < 2 or drawn.shape[1] not in (1, 3) or drawn.dtype != torch.uint8:
        raise ValueError(
            "need at least two pictures (N, C, H, W) uint8 with C = 1 or 3, but got "
            f"{tuple(drawn.shape)} {str(drawn.dtype).removeprefix('torch.')}."
        )
    distance, rows = nearest(drawn, known, k)
    N, C, H, W = drawn.shape
    beside = torch.cat([drawn[:, None], known[rows]], dim=1)  # (N, 1 + k, C, H, W)
    columns = min(columns, N)
    grey = distance / (C * H * W) ** 0.5
    payload = {"picture": [C, H, W], "counts": [N, k], "columns": columns}
    arrays = {"drawn": (drawn, torch.uint8), "near": (known[rows], torch.uint8), "grey": (grey, torch.float32)}
    payload["arrays"] = {name: encode_array(x, kind)[1] for name, (x, kind) in arrays.items()}
    tall = -(-N // columns)
    cell = f"calc(100% / {columns}) calc(100% / {tall})"
    at = f'width="{columns * W}" height="{tall * H}" aria-label="{N} drawn pictures" style="--cell: {cell}"'
    names = "".join(f"<span>{n + 1}</span>" for n in range(k))
    body = f"""<div class="stage" style="width: {columns * size}px"><canvas class="sheet" role="img" {at}></canvas>\
<svg class="chosen" viewBox="0 0 {columns} {tall}" preserveAspectRatio="none" aria-hidden="true"><path/></svg></div>
<input type="range" min="0" max="{N - 1}" value="0" aria-label="drawn picture">
<div class="row" style="width: {(k + 2) * 64}px"><p>drawn</p><p>nearest training pictures</p>\
<canvas class="one" role="img" width="{W}" height="{H}"></canvas>\
<canvas class="near" role="img" width="{k * W}" height="{H}"></canvas>\
<p></p><p class="far">{names}</p></div>
<output aria-live="off"></output>"""
    return InteractiveFigure("nearest", label, payload, body, ["tile", "nearest"], lambda n: beside[n])
