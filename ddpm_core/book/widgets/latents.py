"""One chain that parts: the way that its branches share, where they end, and how far apart."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ddpm_core.book.widgets.figure import InteractiveFigure, encode_array, on_screen


def shared_latents(
    shared: Tensor, guesses: Tensor, ends: Tensor, times: Sequence[int], *, label: str, size: int = 48
) -> InteractiveFigure:
    """A tree: the way x_T, ..., x_t that branches share, with the guess at each x_t, and the pictures they end in.

    shared    (C, P, c, H, W): x_t of C chains at the P times
    guesses   shaped like it: x0_hat at that x_t
    ends      (C, P, B, c, H, W): the pictures x_0 in which B branches end, all begun at that x_t; B at least 2
    times     P falling whole numbers; the first is called T
    size      width of an end on the page

    Pictures are uint8, or floats on the scale of [-1, 1], with c = 1 or 3. The point of parting follows the slider, or
    a finger on the tree; a button shows the next chain. It opens where about half of the first is left to chance.
    Below stand the last guess, the mean of the ends and how far they differ (2 standard deviations, black is 0). In
    words: the share of the variance that is left between these ends, of that between all ends of the first time.
    `.frame(chain, t)` gives the same: the four pictures and the ends (c, H, W) uint8, and that share.
    Raises ValueError for anything else.   [Ho 2020, Section 4.3, Figure 7; chapter 9, Eq. 9.11]
    """
    times = [int(t) for t in times]
    shared, guesses, ends = (
        on_screen(name, x) for name, x in (("shared", shared), ("guesses", guesses), ("ends", ends))
    )
    if ends.ndim != 6 or ends.shape[2] < 2 or ends.shape[3] not in (1, 3) or 0 in ends.shape:
        raise ValueError(
            f"need ends (C, P, B, c, H, W), B of at least 2 and c = 1 or 3, but they are {tuple(ends.shape)}."
        )
    C, P, B, c, H, W = ends.shape
    if shared.shape != (C, P, c, H, W) or guesses.shape != shared.shape:
        raise ValueError(
            f"need x_t and a guess for each chain and time of ends {tuple(ends.shape)}, "
            f"but they are {tuple(shared.shape)} and {tuple(guesses.shape)}."
        )
    if len(times) != P or times != sorted(set(times), reverse=True):
        raise ValueError(f"need {P} falling times, one for each parting, but got {times}.")
    total = ends[:, 0].flatten(0, 1).double().var(0).mean().item()
    if not total > 0:
        raise ValueError(f"need ends that differ at the first time, t = {times[0]}, but they are all the same.")

    def frame(chain: int, t: int) -> dict:
        now = chain, times.index(t)
        mine = ends[now].double()
        return {
            "shared": shared[now], "guess": guesses[now], "ends": ends[now], "mean": _whole(mine.mean(0)),
            "apart": _whole(2 * mine.std(0, unbiased=False)), "left": mine.var(0).mean().item() / total,
        }  # fmt: skip

    half = min(range(P), key=lambda k: abs(frame(0, times[k])["left"] - 0.5))
    payload = {"times": times, "counts": [C, P, B], "picture": [c, H, W], "total": total}
    arrays = {"shared": shared, "guesses": guesses, "ends": ends}
    payload["arrays"] = {name: encode_array(x, torch.uint8)[1] for name, x in arrays.items()}
    panels = "".join(_PANEL.format(key, name, words, W, H, 3 * size // 2) for key, (name, words) in _PANELS.items())
    sizes = dict(
        W=W, H=H, all=P * W, high=B * H, B=B, P=P, way=round(P * size / 0.88), width=size, height=B * (size + 4)
    )
    body = _BODY.format(**sizes, last=P - 1, opens=half, panels=panels)
    return InteractiveFigure("branch", label, payload, body, ["tile", "branch"], frame)


def _whole(shades: Tensor) -> Tensor:
    return shades.round().clamp(0, 255).to(torch.uint8)


_PANELS = {
    "guess": ("the guess <i>x̂</i><sub>0</sub>", "the network's guess where the branches part"),
    "mean": ("mean of the ends", "the mean of the ends"),
    "apart": ("where they differ", "how far the ends differ"),
}
_PANEL = """<div class="panel"><canvas class="{0}" role="img" width="{3}" height="{4}" style="width: {5}px" \
aria-label="{2}"></canvas><p>{1}</p></div>"""
_BODY = """<div class="tree" style="--way: {way}px"><div class="stem" style="--cell: calc(100% / {P}) 100%">
<p class="noisy"><i>x<sub>t</sub></i></p><canvas class="xs" role="img" width="{all}" height="{H}" \
aria-label="x_t on the way that the branches share"></canvas>
<canvas class="guesses" role="img" width="{all}" height="{H}" aria-label="the network's guess at each of these x_t">\
</canvas><p class="clean"><i>x̂</i><sub>0</sub></p>
<svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">\
<path class="limbs"/><path class="trunk"/></svg></div>
<canvas class="ends" role="img" width="{W}" height="{high}" style="width: {width}px; height: {height}px; \
--cell: 100% calc(100% / {B})" aria-label="the {B} pictures in which the branches end"></canvas></div>
<div class="controls"><input type="range" min="0" max="{last}" value="{opens}" \
aria-label="time at which the branches part"><button type="button">Next chain</button></div>
<output aria-live="off"><span class="time"></span><span>left to chance: <b></b></span></output>
<div class="panels">{panels}</div>"""
