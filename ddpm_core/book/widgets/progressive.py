"""The progressive code under a slider: bits spent, what has arrived, and the picture that a receiver makes of it."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from ddpm_core.book.widgets.figure import encode_array, on_screen
from ddpm_core.book.widgets.scrubber import Scrubber


def scrub_rate(
    x_t: Sequence[Tensor], x0_hat: Sequence[Tensor], times: Sequence[int], rate: Sequence[float],
    distortion: Sequence[float], *, label: str, size: int = 72,
) -> Scrubber:  # fmt: skip
    """Two rows of pictures that sharpen while bits arrive, and the curve of distortion over rate with a mark on it.

    x_t, x0_hat   for each time one (N, C, H, W), uint8 or floats on the scale of [-1, 1], alike throughout
    times         falling, from T, where nothing has been sent, to 0, where x_t is the picture itself
    rate          bits per dimension sent once x_t is known; rising
    distortion    root mean squared error of x0_hat then, in grey values
    size          width of a picture on the page, where there is room

    `.frame(t)` is what is shown at t, uint8 (2, N, C, H, W). Raises ValueError for anything else.
    [Ho 2020, Section 4.3 and Figure 5; chapter 11, Eqs. 11.1 and 11.2]
    """
    times, rate, distortion = [int(t) for t in times], [float(r) for r in rate], [float(d) for d in distortion]
    lengths = {len(x) for x in (x_t, x0_hat, times, rate, distortion)}
    if len(lengths) != 1 or len(times) < 2 or times != sorted(set(times), reverse=True):
        raise ValueError(f"need at least two falling times, and for each two frames and two numbers, but got {times}.")
    if not all(0 <= a <= b for a, b in pairwise(rate)) or not rate[-1] > 0 or min(distortion) < 0:
        raise ValueError(f"need a rate that rises from 0 or more and distortions of at least 0, but got {rate}.")
    shades = [(on_screen("x_t", a), on_screen("x0_hat", b)) for a, b in zip(x_t, x0_hat, strict=True)]
    shapes = {frame.shape for pair in shades for frame in pair}
    if len(shapes) != 1 or len(shape := shapes.pop()) != 4 or shape[1] not in (1, 3) or 0 in shape:
        raise ValueError("need frames of one shape (N, C, H, W) with C = 1 or 3 in both rows and at all times.")
    shown = torch.stack([torch.stack(pair) for pair in shades])  # (times, 2, N, C, H, W)
    N, _, H, W = shape
    canvas = f'<canvas class="tiles" role="img" width="{N * W}" height="{H}" style="--cell: calc(100% / {N}) 100%" '
    rows = "".join(
        f'<p class="title">{title}</p>{canvas}aria-label="{N} pictures, {words}"></canvas>' for title, words in _ROWS
    )
    ticks = "".join(f"<span>{rate[-1] * k / 4:.2f}</span>" for k in range(5))
    plot = _PLOT.replace("TOP", f"{max(distortion):.0f}").replace("TICKS", ticks).replace("ALL", f"{rate[-1]:.2f}")
    stage = f'<div class="rate" style="width: {N * size}px">{rows}{plot}</div>'
    numbers = {"rate": torch.tensor(rate), "distortion": torch.tensor(distortion)}
    arrays = {name: encode_array(x, torch.float32)[1] for name, x in numbers.items()}
    payload = {"times": times, "shape": list(shape), "columns": N, "caption": "x_t known down to t = {t}"}
    payload["arrays"] = {"frames": encode_array(shown, torch.uint8)[1], **arrays}
    return Scrubber(label, payload, stage, lambda t: shown[times.index(t)], ["tile", "rate"], times)


_ROWS = [
    ("what has arrived, <i>x<sub>t</sub></i>", "what has arrived"),
    ("what the receiver makes of it, <i>x̂</i><sub>0</sub>", "what the receiver makes of it"),
]
_PLOT = """<p class="said"><span><b class="bits"></b> of ALL bits per dimension sent</span> \
<span>error <b class="error"></b> grey values</span></p>
<svg class="plot" viewBox="0 0 1 1" preserveAspectRatio="none" role="img" \
aria-label="Error of the receiver's picture, from TOP grey values down to 0, over the bits that were sent">
<path class="spent"/><path class="line"/><path class="now"/><path class="axes" d="M0 0V1H1"/></svg>
<div class="ticks" aria-hidden="true">TICKS</div>
<p class="axis">bits per dimension sent; upwards the error, from 0 to TOP grey values</p>"""
