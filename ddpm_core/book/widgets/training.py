"""A training under a slider: the loss of several runs above, what their networks draw below."""

from collections.abc import Mapping, Sequence
from html import escape

import torch
from torch import Tensor

from ddpm_core.book.widgets.figure import MARKS, encode_array
from ddpm_core.book.widgets.scrubber import Scrubber
from ddpm_core.book.widgets.trajectory import shown_rows

DASHES = ("6 4", "none", "2 3")  # of the curves, which differ in colour as well


def scrub_training(
    losses: Mapping[str, Sequence[tuple[int, float]]],
    frames: Mapping[str, Sequence[Tensor]],
    distances: Mapping[str, Sequence[float]],
    looks: Sequence[int],
    *,
    label: str,
    start: int,
    size: int = 56,
) -> Scrubber:
    """Up to three trainings moved by one slider over `looks`: their losses so far, and what they draw by then.

    losses     name -> (step, loss) one after the other, alike in their steps; each curve is drawn as a share of its
               first loss, since losses of different weights have no common unit
    frames     name -> one (N, C, H, W) for each look, uint8 or floats on the scale of [-1, 1]
    distances  name -> the distance of its pictures from real ones, one for each look
    looks      steps at which pictures were drawn, rising
    start      the look that the figure opens at

    `.frame(step)` is the pictures (runs, N, C, H, W) uint8. Raises ValueError for anything else.   [chapter 6]
    """
    looks = [int(step) for step in looks]
    names = list(losses)
    if not 1 <= len(names) <= len(DASHES) or list(frames) != names or list(distances) != names:
        raise ValueError(f"need one to three runs, of the same names throughout, but got {names}.")
    if looks != sorted(set(looks)) or start not in looks:
        raise ValueError(f"need looks that rise, and a start among them, but got {looks} and {start}.")
    steps = [step for step, _ in losses[names[0]]]
    if len(steps) < 2 or any([step for step, _ in curve] != steps for curve in losses.values()):
        raise ValueError("need at least two losses, at the same steps in all runs.")
    if any(len(row) != len(looks) for row in distances.values()):
        raise ValueError(f"need a distance for each of {len(looks)} looks.")
    if any(not value > 0 for curve in losses.values() for _, value in curve):
        raise ValueError("need losses above 0.")
    shown = shown_rows(frames, looks)
    _, _, N, C, H, W = shown.shape
    curves = torch.tensor([[value / curve[0][1] for _, value in curve] for curve in losses.values()])
    payload = {"times": looks, "shape": [N, C, H, W], "columns": N, "caption": "step {t}", "opens": looks.index(start)}
    numbers = {"steps": torch.tensor(steps), "curves": curves, "distances": torch.tensor(list(distances.values()))}
    arrays = {name: encode_array(x, torch.float32)[1] for name, x in numbers.items()}
    payload["arrays"] = {"frames": encode_array(shown, torch.uint8)[1], **arrays}
    return Scrubber(label, payload, _stage(names, shown.shape, size), lambda t: shown[looks.index(t)], _SCRIPTS, looks)


_SCRIPTS = ["tile", "training"]


def _stage(names: list[str], shape: tuple[int, ...], size: int) -> str:
    _, _, N, _, H, W = shape
    inks = [f'style="--ink: {MARKS[k][0]}; --dash: {DASHES[k]}"' for k in range(len(names))]
    lines = "".join(f'<path class="line" {ink}/>' for ink in inks)
    key = '<svg class="key" viewBox="0 0 24 8" aria-hidden="true"><path d="M0 4H24"/></svg>'
    canvas = f'<canvas class="tiles" role="img" width="{N * W}" height="{H}" style="--cell: calc(100% / {N}) 100%" '
    rows = "".join(
        f'<p class="title" {ink}>{key}<b>{escape(name)}</b> <span>loss <b class="loss"></b></span> '
        f'<span>distance <b class="distance"></b></span></p>{canvas}aria-label="{N} pictures, {escape(name)}"></canvas>'
        for name, ink in zip(names, inks, strict=True)
    )
    said = escape(", ".join(names))
    return f"""<div class="training" style="width: {N * size}px"><p class="title">the training losses, each as a share \
of its first</p><svg class="plot" viewBox="0 0 1 1" preserveAspectRatio="none" role="img" \
aria-label="Training losses of {said}, each as a share of its first, over the steps"><path class="ahead"/>{lines}\
<path class="now"/><path class="axes" d="M0 0V1H1"/></svg>{rows}</div>"""
