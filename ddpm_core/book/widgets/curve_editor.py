"""Curves that the reader bends: beta_t, and the image follows; the loss's weight over t, and its shares follow.

A figure starts from a preset, which is exact. Six handles, evenly spaced over t = 1..T, multiply it: by 1 until they
are moved, and between two handles by a factor whose logarithm runs on a straight line.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape

import numpy as np
import torch
from torch import Tensor

from ddpm_core.book.widgets import two_pictures
from ddpm_core.book.widgets.figure import MARKS, InteractiveFigure, encode_array, image_and_noise
from ddpm_core.data.transforms import to_uint8
from ddpm_core.diffusion.elbo import FORGOTTEN, L_T, bits_per_dim
from ddpm_core.diffusion.gaussian import q_sample
from ddpm_core.diffusion.loss import min_snr, uniform, vlb
from ddpm_core.diffusion.prediction import EPS
from ddpm_core.evaluation.loss_by_time import loss_shares
from ddpm_core.schedule import Schedule, cosine, from_betas, linear

HANDLES = 6
STRETCHES = 10  # of equal length, for the shares of the loss
BETA_LOW, BETA_HIGH = 1e-5, 0.999  # the ends of beta's axis; the upper one is where cosine and sigmoid are cut off
LEAST = 1e-9  # of the mean: a weight's axis holds no more than this
SHOWN = 8  # images x_t in the strip
COLUMNS = 20  # of samples, in two rows


def edit_schedule(
    schedule: Schedule, x0: Tensor, eps: Tensor, *, label: str, presets: Mapping[str, Schedule] | None = None
) -> InteractiveFigure:
    """Bend beta_t; its log-SNR, eight images x_t, alpha_bar_T and the price L_T of what is left of this image follow.

    So do 400 samples of a world in which four pictures in five are this image and the fifth is its negative
    (`two_pictures`): they are drawn by ancestral sampling from N(0, I), and show what a wrong start does to shares.

    x0 (1, C, H, W) float in [-1, 1] with C = 1 or 3, kept to 1/255; eps like it, kept to 2/127, cut off at 4.
    presets: schedules with as many steps, by the names on their buttons; without any, linear and cosine. The figure
    begins with `schedule`, which gets a button "start" unless it is one of them.
    Raises ValueError for fewer than 10 steps, for betas outside [1e-5, 0.999], and for other shapes and ranges.

    `.frame("cosine")` is the same in Python for a preset, `.frame(handles, "cosine")` for one that is bent: handles
    are the six betas at `handle_times(T)`, and the preset is by default the one that the figure begins with. It gives
    beta, alpha_bar and log_snr (T+1,), L_T_bits per dimension, the strip (H, 8 W, C) uint8, the samples (2 H, 20 W, C)
    uint8, and the share of all samples that are the image.
    [Ho 2020, Eq. 4; chapter 1, Eq. 1.10; chapter 2, Eq. 2.8]
    """
    T = _enough(schedule.T)
    x0, eps = image_and_noise(x0, eps)
    if x0.ndim != 4 or x0.shape[0] != 1 or x0.shape[1] not in (1, 3) or not x0.numel():
        raise ValueError(f"need one image shaped (1, C, H, W) with C = 1 or 3, but got shape {tuple(x0.shape)}.")
    presets = presets or {"linear": linear(T), "cosine": cosine(T)}
    if any(preset.T != T for preset in presets.values()):
        raise ValueError(f"need presets of {T} steps, but they have {[preset.T for preset in presets.values()]}.")
    if "start" in presets:
        raise ValueError("need another name for the preset 'start', since the figure's own button is called so.")
    same = [name for name, preset in presets.items() if torch.equal(preset.beta, schedule.beta)]
    curves = {same[0] if same else "start": schedule.beta[1:]}
    curves |= {name: preset.beta[1:] for name, preset in presets.items() if name not in curves}
    for name, beta in curves.items():
        if beta.min() < BETA_LOW or beta.max() > BETA_HIGH:
            raise ValueError(
                f"need betas from {BETA_LOW} to {BETA_HIGH}, but those of {name!r} "
                f"run from {beta.min():g} to {beta.max():g}."
            )
    payload, bent = _handles("beta", curves, BETA_LOW, BETA_HIGH)

    (_, C, H, W), shown = x0.shape, [round(k * T / (SHOWN - 1)) for k in range(SHOWN)]
    x0, sent_x0 = encode_array(x0, torch.uint8, step=1 / 127.5, zero=-1)
    eps, sent_eps = encode_array(eps, torch.int8, step=4 / 127)
    size = x0.norm().item()
    payload |= {"shown": shown, "shape": [C, H, W], "forgotten": FORGOTTEN}
    payload |= {"share": two_pictures.SHARE, "std": two_pictures.STD, "columns": COLUMNS}
    starts = encode_array(two_pictures.starts(), torch.float32)[1]
    payload["arrays"] |= {"x0": sent_x0, "eps": sent_eps, "starts": starts}

    def frame(*position) -> dict:
        now = from_betas(bent(*position))
        x_t = q_sample(now, x0.expand(SHOWN, -1, -1, -1), torch.tensor(shown), eps.expand(SHOWN, -1, -1, -1))
        u = two_pictures.chains(now, size)
        rows = (u[: 2 * COLUMNS].reshape(2, COLUMNS, 1, 1, 1) * x0 / size).permute(0, 3, 1, 4, 2)
        return {
            "beta": now.beta,
            "alpha_bar": now.alpha_bar,
            "log_snr": now.snr.log(),
            "L_T_bits": bits_per_dim(L_T(now, x0), x0).item(),
            "strip": to_uint8(x_t).permute(2, 0, 3, 1).reshape(H, SHOWN * W, C),
            "samples": to_uint8(rows).reshape(2 * H, COLUMNS * W, C),
            "share": (u > 0).double().mean().item(),
        }

    body = f"""{_bench(curves, "β<sub>t</sub>, the variance that step t adds", "beta over t")}
<p class="title">log-SNR, log(ᾱ<sub>t</sub> / (1 − ᾱ<sub>t</sub>)): <span class="even"></span></p>
{_plot("snr", 120, MARKS[1][0], '<path class="line"/><circle class="mark" r="5"/>')}
<p class="title">the image x<sub>t</sub> at eight times</p>
<canvas class="strip" role="img" width="{SHOWN * W}" height="{H}" \
aria-label="the image at t = {", ".join(map(str, shown))}"></canvas>
<div class="times">{"".join(f"<span>{t}</span>" for t in ["t = 0", *shown[1:]])}</div>
<output aria-live="off"><span>ᾱ<sub>T</sub> = <b class="left"></b></span>
<span>amplitude left √ᾱ<sub>T</sub> = <b class="amplitude"></b></span>
<span>L<sub>T</sub> = <b class="price"></b> bits per dimension</span></output>
<p class="verdict" aria-live="polite"></p>
<p class="title">samples drawn from pure noise: <b class="share"></b> show the image, in the data
{two_pictures.SHARE:.0%} <span>(the others its negative; {2 * COLUMNS} of {two_pictures.CHAINS})</span></p>
<canvas class="samples" role="img" width="{COLUMNS * W}" height="{2 * H}"></canvas>"""
    return InteractiveFigure("curve", label, payload, body, ["normals", "chains", "bend", "curve"], frame)


def edit_weighting(
    schedule: Schedule, errors: Tensor, *, label: str, weights: Mapping[str, Tensor] | None = None
) -> InteractiveFigure:
    """Bend the weight of the loss over t; what each tenth of the times contributes to the weighted loss follows.

    errors (T,): the measured mean squared error of a network's eps at t = 1..T. weights: positive (T,) each, by the
    names on their buttons; without any, the bound's, L_simple's and min-SNR's for eps. Each is scaled to mean 1
    before it is bent; the shares are the same on any scale.
    Raises ValueError for fewer than 10 steps, for other shapes, and for numbers that are not finite or of that sign.

    `.frame("L")` is the same in Python for a preset, `.frame(handles, "L")` for one that is bent: handles are the six
    weights at `handle_times(T)`, and the preset is by default the first. It gives the weight (T,), the shares (10,)
    of the weighted loss sum_t weight_t error_t, and half, the fewest steps that carry half of it.
    [chapter 6, Eq. 6.8]
    """
    T = _enough(schedule.T)
    t = torch.arange(1, T + 1)
    weights = weights or {
        name: w(schedule, t, EPS) for name, w in [("L", vlb), ("L_simple", uniform), ("min-SNR", min_snr())]
    }
    errors = _row("errors", errors, T)
    if (errors < 0).any() or not errors.any():
        raise ValueError(
            f"need errors of at least 0, not all 0, but they run from {errors.min():g} to {errors.max():g}."
        )
    curves = {name: _row(f"the weight {name!r}", weight, T) for name, weight in weights.items()}
    for name, weight in curves.items():
        if weight.min() <= 0 or weight.min() < LEAST * weight.mean():
            raise ValueError(
                f"need positive weights, none below {LEAST} of their mean, "
                f"but the weight {name!r} has the mean {weight.mean():g} and falls to {weight.min():g}."
            )
    curves = {name: weight / weight.mean() for name, weight in curves.items()}
    low = 10 ** min(-2, math.floor(min(weight.min().log10() for weight in curves.values())))
    high = 10 ** max(2, math.ceil(max(weight.max().log10() for weight in curves.values())))
    payload, bent = _handles("weight", curves, low, high)
    errors, payload["arrays"]["errors"] = encode_array(errors, torch.float32)

    def frame(*position) -> dict:
        weight = bent(*position)
        parts = weight * errors.double()
        carried = parts.sort(descending=True).values.cumsum(0)
        half = int((carried < parts.sum() / 2 * (1 - 1e-9)).sum()) + 1
        return {"weight": weight, "shares": loss_shares(weight, errors, STRETCHES), "half": half}

    first = f"t = 1 to {(T + STRETCHES - 1) // STRETCHES}"
    body = f"""{_bench(curves, "weight of the error at t (mean 1 until bent)", "weight over t")}
<p class="title">what each tenth of the times contributes to the weighted loss, in percent</p>
{_plot("shares", 144, MARKS[2][0], '<g class="bars"></g>')}
<output aria-live="off"><span>the first tenth, {first}, carries <b class="first"></b></span>
<span>half of the loss sits in <b class="half"></b> of {T} steps</span></output>"""
    return InteractiveFigure("curve", label, payload, body, ["weigh", "curve"], frame)


def handle_times(T: int) -> list[int]:
    """The times of the six handles: 1, T/5, 2T/5, ..., T, rounded to whole steps."""
    return [max(1, round(k * T / (HANDLES - 1))) for k in range(HANDLES)]


def _handles(what: str, curves: dict[str, Tensor], low: float, high: float) -> tuple[dict, Callable[..., Tensor]]:
    """The part of the payload that curve.js reads, and the curve (T,) as a function of handles and preset."""
    names, T = list(curves), len(next(iter(curves.values())))
    times = handle_times(T)
    rows, sent = encode_array(torch.stack(list(curves.values())), torch.float32)
    rows = rows.double().clamp(low, high)

    def bent(handles: Sequence[float] | str | None = None, preset: str = names[0]) -> Tensor:
        handles, preset = (None, handles) if isinstance(handles, str) else (handles, preset)
        if preset not in names:
            raise ValueError(f"need one of the presets {names}, but got {preset!r}.")
        row = rows[names.index(preset)]
        before = row[torch.tensor(times) - 1]
        after = before if handles is None else torch.as_tensor(handles, dtype=torch.float64)
        if after.shape != before.shape or not ((after >= low) & (after <= high)).all():  # nan fails too
            raise ValueError(f"need {HANDLES} handles from {low:g} to {high:g}, but got {after.tolist()}.")
        factor = np.interp(np.arange(1, T + 1), times, (after / before).log().numpy())
        return (row * torch.from_numpy(factor).exp()).clamp(low, high)

    payload = {"T": T, "times": times, "low": low, "high": high, "what": what, "arrays": {"curves": sent}}
    return payload, bent


def _enough(T: int) -> int:
    if T < STRETCHES:
        raise ValueError(f"need a schedule of at least {STRETCHES} steps, but it has {T}.")
    return T


def _row(name: str, x: Tensor, T: int) -> Tensor:
    x = torch.as_tensor(x).detach().cpu().double()
    if x.shape != (T,) or not x.isfinite().all():
        raise ValueError(
            f"need {name} as {T} finite numbers, one for each t = 1..{T}, "
            f"but got shape {tuple(x.shape)} with {int((~x.isfinite()).sum())} that are not finite."
        )
    return x


def _bench(curves: dict[str, Tensor], title: str, aria: str) -> str:
    """The buttons and the plot with the handles; curve.js puts these in."""
    buttons = "".join(f'<button type="button" aria-pressed="false">{escape(name)}</button>' for name in curves)
    return f"""<div class="choices" role="group" aria-label="presets">{buttons}
<button type="button" class="undo">undo</button></div>
<p class="title">{title} <span class="now">Drag a handle, or move it with the arrow keys.</span></p>
<svg class="bend" role="group" aria-label="{aria}" style="height: 204px; --ink: {MARKS[0][0]}"></svg>"""


def _plot(name: str, height: int, colour: str, marks: str) -> str:
    return f'<svg class="{name}" role="img" style="height: {height}px; --ink: {colour}"><g></g>{marks}</svg>'
