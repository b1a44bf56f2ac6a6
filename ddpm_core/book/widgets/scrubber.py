"""Figures one can move: scrubbers, which need no kernel and no network, and a live control, which does.

A scrubber ships x_0, eps and the alpha_bar table as small whole numbers and mixes x_t in the browser, for any
t: noise does not compress, so 64 images with all their 1000 steps take 0.2 MB this way, and 7 MB as frames.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from ddpm_core.book.widgets.figure import MARKS, InteractiveFigure, encode_array, floats, image_and_noise, on_screen
from ddpm_core.data.transforms import to_uint8
from ddpm_core.diffusion.gaussian import q_sample
from ddpm_core.diffusion.prediction import EPS, MEAN, X0, V
from ddpm_core.schedule import Schedule

PIXEL_STEP = 1 / 127.5  # uint8 0..255 stands for [-1, 1]
EPS_STEP = 4 / 127  # int8; noise beyond 4 standard deviations, one value in 16,000, is cut off
POINT_STEP = 8 / 32767  # int16 stands for [-8, 8]


class Scrubber(InteractiveFigure):
    """A figure with a slider for t, a play button and canvases; T is its largest time.

    scripts must end in one that defines paint(t); with mix.js among them, the page shows signal and noise as well.
    A range of times is the slider's own, a list is stepped through; a caption in the payload says what else {t} is,
    and a start where the slider stands at first.
    """

    def __init__(
        self, label: str, payload: dict, stage: str, frame: Callable[[int], Tensor], scripts: list[str], times: Sequence
    ) -> None:
        self.T, self._times = max(times), times
        first, last = (times[0], times[-1]) if isinstance(times, range) else (0, len(times) - 1)
        curves, levels = (_CURVES, _LEVELS) if "mix" in scripts else ("", "")
        body = f"""{stage}
<div class="controls"><button type="button"><svg viewBox="0 0 24 24"><path/></svg></button>
<div>{curves}<input type="range" min="{first}" max="{last}" value="{first}" \
aria-label="{"position" if "caption" in payload else "time t"}"></div></div>
<output aria-live="off"><span class="time"></span>{levels}</output>"""
        super().__init__("scrub", label, {"T": self.T, **payload}, body, [*scripts, "scrub"], frame)

    def frame(self, t: int) -> np.ndarray:
        """What the canvas shows at t: uint8 (rows H, columns W, C), coordinates (N, 2) of points, panels (5, H, W, C).

        Raises ValueError for a time that the slider does not reach.
        """
        if t not in self._times:
            raise ValueError(f"need a time in {self._times}, but t is {t}.")
        return super().frame(t).numpy()

    def __repr__(self) -> str:
        return f"Scrubber({self.label!r}, T={self.T})"


def scrub(schedule: Schedule, x0: Tensor, eps: Tensor, *, label: str, columns=8, size=64) -> Scrubber:
    """Images that drown as t moves over 0..T:  x_t = sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) eps.

    x0 (N, C, H, W) float in [-1, 1] with C = 1 or 3, kept to 1/255; eps like it, kept to 2/127, cut off at 4.
    An image is `size` pixels wide on the page.
    Raises ValueError for other shapes, ranges and dtypes.   [Ho 2020, Eq. 4; chapter 1]
    """
    x0, eps = image_and_noise(x0, eps)
    stage = _sheet_html(x0.shape, columns, size, "mixed with noise")
    packed = encode_array(x0, torch.uint8, PIXEL_STEP, zero=-1), encode_array(eps, torch.int8, EPS_STEP)
    x_t, arrays = _mixture(schedule, *packed)
    payload = {"shape": x0.shape, "columns": columns, "arrays": arrays}
    scripts = ["mix", "tile", "images"]
    return Scrubber(label, payload, stage, lambda t: _sheet(to_uint8(x_t(t)), columns), scripts, _all(schedule))


def scrub_points(schedule: Schedule, x0: Tensor, eps: Tensor, *, label: str, colours: Tensor | None = None) -> Scrubber:
    """A cloud of points that forgets its shape as t moves over 0..T, by the formula of `scrub`.

    x0, eps (N, 2) float, x0 within the axes [-3, 3], both kept to 1/8000. colours (N,) whole numbers 0..3:
    each point's group, told by colour and by shape. Raises ValueError for anything else.
    """
    x0, eps = image_and_noise(x0, eps, bound=3)
    if x0.ndim != 2 or x0.shape[1] != 2 or not len(x0):
        raise ValueError(f"need points x0 shaped (N, 2), but got shape {tuple(x0.shape)}.")
    groups = torch.zeros(len(x0)) if colours is None else torch.as_tensor(colours).cpu()
    if groups.shape != (len(x0),) or not torch.isin(groups, torch.arange(len(MARKS))).all():
        raise ValueError(f"need a group 0..{len(MARKS) - 1} for each of {len(x0)} points, but got {groups}.")
    packed = encode_array(x0, torch.int16, POINT_STEP), encode_array(eps, torch.int16, POINT_STEP)
    x_t, arrays = _mixture(schedule, *packed)
    arrays["groups"] = encode_array(groups, torch.uint8)[1]
    payload = {"marks": MARKS, "arrays": arrays}
    return Scrubber(
        label, payload, _AXES.replace("COUNT", str(len(x0))), x_t, ["mix", "marks", "points"], _all(schedule)
    )


def scrub_frames(
    frames: Sequence[Tensor], times: Sequence[int], *, label: str, columns=8, size=64, caption=""
) -> Scrubber:
    """A few stored states of a chain, such as its way back from x_T to x_0; the slider steps through them.

    frames: one (N, C, H, W) per time, uint8, or float on the scale of [-1, 1]: noise beyond it is cut off, as
    on every screen. times: different whole numbers, such as 1000, 750, ..., 0; the largest is called T. If they are no
    times, a caption says what: "{t} steps". ValueError for other shapes, unequal numbers, floats beyond 8, or no {t}.
    """
    times = [int(t) for t in times]
    if not len(frames) or len(frames) != len(times) or len(set(times)) != len(times):
        raise ValueError(f"need a time for each frame, all different, but {len(frames)} frames have {times}.")
    if caption and "{t}" not in caption:
        raise ValueError(f"need a caption that says {{t}}, but got {caption!r}.")
    shades = [on_screen(f"the frame at t = {t}", frame) for t, frame in zip(times, frames, strict=True)]
    if len({frame.shape for frame in shades}) != 1:
        raise ValueError(f"need frames of one shape, but got {[tuple(frame.shape) for frame in shades]}.")
    stage = _sheet_html(shape := shades[0].shape, columns, size, "along a chain")
    payload = {"times": times, "shape": shape, "columns": columns} | ({"caption": caption} if caption else {})
    payload["arrays"] = {"frames": encode_array(torch.stack(shades), torch.uint8)[1]}
    return Scrubber(label, payload, stage, lambda t: _sheet(shades[times.index(t)], columns), ["tile", "frames"], times)


def scrub_predictions(schedule: Schedule, x0: Tensor, eps: Tensor, *, label: str, size=136) -> Scrubber:
    """One image seen in five ways, for t in 1..T: x_t, eps, x_0, v and the posterior's mean, side by side.

    Each is a x_0 + b eps, and its panel names a and b. x0 and eps (1, C, H, W) as in `scrub`, each panel cut off
    at -1 and 1 and about `size` pixels wide. Raises ValueError for anything else.   [chapter 5]
    """
    x0, eps = image_and_noise(x0, eps)
    _check_sheet(x0.shape, 1, size)
    if len(x0) != 1:
        raise ValueError(f"need one image x0 shaped (1, C, H, W), but got shape {tuple(x0.shape)}.")
    H, W = x0.shape[2:]
    canvas = f'<canvas role="img" width="{W}" height="{H}" aria-label='
    panels = [
        f'<div class="panel"><p>{name}</p>{canvas}"{words}"></canvas><p class="mix"></p></div>'
        for name, words in _VIEWS.items()
    ]
    stage = f'<div class="panels" style="width: {len(panels) * (size + 12)}px">{"".join(panels)}</div>'
    packed = {"x0": encode_array(x0, torch.uint8, PIXEL_STEP, zero=-1), "eps": encode_array(eps, torch.int8, EPS_STEP)}
    one, zero = torch.ones(schedule.T, dtype=torch.float64), torch.zeros(schedule.T, dtype=torch.float64)
    packed["of_x0"] = encode_array(
        _seen(schedule, x0=one, eps=zero), torch.float32
    )  # five linear views: what each takes
    packed["of_eps"] = encode_array(_seen(schedule, x0=zero, eps=one), torch.float32)  # of x_0 and what of eps, (5, T)
    x0, eps, of_x0, of_eps = (known.double() for known, _ in packed.values())

    def frame(t: int) -> Tensor:
        shown = [a * x0[0] + b * eps[0] for a, b in zip(of_x0[:, t - 1], of_eps[:, t - 1], strict=True)]
        return to_uint8(torch.stack(shown)).permute(0, 2, 3, 1)

    payload = {"shape": x0.shape, "columns": 1, "arrays": {name: sent for name, (_, sent) in packed.items()}}
    return Scrubber(label, payload, stage, frame, ["tile", "views"], range(1, schedule.T + 1))


def live_forward(schedules: dict[str, Schedule], x0: Tensor):
    """A menu of schedules, a slider for t, and the histogram of x_t against the standard normal at its end.

    x0 (N,) float is the sample that moves; its noise is drawn once, so that bars move only because t does.
    Returns an ipywidgets.VBox, which needs a kernel. Raises ValueError for no schedule or another shape.
    """
    import ipywidgets  # here, so that scrubbers need neither ipywidgets nor matplotlib

    from ddpm_core.book import plot

    if not schedules:
        raise ValueError("need at least one schedule to choose from, but got none.")
    x0 = floats("x0", x0)
    if x0.ndim != 1 or not len(x0):
        raise ValueError(f"need a sample x0 shaped (N,), but got shape {tuple(x0.shape)}.")
    eps = torch.randn(x0.shape, generator=torch.Generator().manual_seed(0), dtype=x0.dtype)
    name = ipywidgets.Dropdown(options=list(schedules), description="schedule")
    time = ipywidgets.IntSlider(min=0, max=schedules[name.value].T, description="t")
    picture = ipywidgets.Image(format="png", layout=ipywidgets.Layout(max_width="100%"))

    def draw(change=None) -> None:
        schedule = schedules[name.value]
        time.max = schedule.T  # a t beyond the new T moves down to it
        x_t = _mix(schedule.alpha_bar[time.value], x0, eps)
        picture.value = plot.histogram_png(x_t, f"{name.value}: x_t at t = {time.value} of {schedule.T}")

    name.observe(draw, names="value")
    time.observe(draw, names="value")
    draw()
    return ipywidgets.VBox([name, time, picture])


def _seen(schedule: Schedule, x0: Tensor, eps: Tensor) -> Tensor:
    """The five views of a pixel x0 (T,) mixed with eps (T,), at t = 1..T: (5, T)."""
    t = torch.arange(1, schedule.T + 1)
    x_t = q_sample(schedule, x0, t, eps)
    return torch.stack([x_t, *(p.target(schedule, x0, x_t, t, eps) for p in (EPS, X0, V, MEAN))])


def _all(schedule: Schedule) -> range:
    return range(schedule.T + 1)


def _mix(alpha_bar: Tensor, x0: Tensor, eps: Tensor) -> Tensor:
    return alpha_bar.sqrt() * x0 + (1 - alpha_bar).sqrt() * eps


def _mixture(schedule: Schedule, x0: tuple, eps: tuple) -> tuple[Callable[[int], Tensor], dict]:
    """x_t as a function of t, from x0 and eps as `_pack` leaves them, and the arrays that the page needs."""
    alpha_bar = encode_array(schedule.alpha_bar.cpu(), torch.float32)
    arrays = {"alpha_bar": alpha_bar[1], "x0": x0[1], "eps": eps[1]}
    return lambda t: _mix(alpha_bar[0][t].double(), x0[0], eps[0]), arrays


def _sheet(images: Tensor, columns: int) -> Tensor:
    """(N, C, H, W) to one picture (rows H, columns W, C), row by row; what is left of the last row is 0."""
    N, C, H, W = images.shape
    rows, columns = -(-N // columns), min(columns, N)
    sheet = torch.zeros(rows * columns, C, H, W, dtype=images.dtype)
    sheet[:N] = images
    return sheet.reshape(rows, columns, C, H, W).permute(0, 3, 1, 4, 2).reshape(rows * H, columns * W, C)


def _sheet_html(shape: tuple[int, ...], columns: int, size: int, what: str) -> str:
    """The canvas for a `_sheet`, pixel for pixel; CSS enlarges it and cuts thin gaps between the images."""
    _check_sheet(shape, columns, size)
    N, _, H, W = shape
    rows, columns = -(-N // columns), min(columns, N)
    return f"""<div class="stage" style="width: {columns * size}px">
<canvas class="tiles" role="img" width="{columns * W}" height="{rows * H}" aria-label="{N} images {what}" \
style="--cell: calc(100% / {columns}) calc(100% / {rows})">\
</canvas></div>"""


def _check_sheet(shape: tuple[int, ...], columns: int, size: int) -> None:
    if len(shape) != 4 or shape[1] not in (1, 3) or 0 in shape:
        raise ValueError(f"need images shaped (N, C, H, W) with C = 1 or 3, but got shape {tuple(shape)}.")
    if columns < 1 or size < 1:
        raise ValueError(f"need columns and size of at least 1, but they are {columns} and {size}.")


_VIEWS = {
    "<i>x<sub>t</sub></i> &ensp;noisy": "x_t, the noisy image",
    "<i>ε</i> &ensp;noise": "eps, the noise",
    "<i>x</i><sub>0</sub> &ensp;clean": "x_0, the clean image",
    "<i>v</i> &ensp;velocity": "v, the velocity",
    "<i>μ̃<sub>t</sub></i> &ensp;mean": "the mean, one step cleaner",
}
_CURVES = """<svg class="curves" viewBox="0 0 1 1" preserveAspectRatio="none">
<path class="now"/><path class="noise"/><path class="signal"/></svg>"""
_LEVELS = """<span class="signal">signal <b></b></span><span class="noise">noise <b></b></span>"""
_AXES = """<div class="stage" style="width: 360px">
<svg class="axes" viewBox="-180 -180 360 360" aria-hidden="true">
<text x="117" y="18">2</text><text x="-18" y="-116">2</text>
<path d="M-180 0H180M0-180V180M-120-4v8M-60-4v8M60-4v8M120-4v8M-4-120h8M-4-60h8M-4 60h8M-4 120h8"/></svg>
<canvas role="img" width="720" height="720" aria-label="COUNT points mixed with noise"></canvas></div>"""
