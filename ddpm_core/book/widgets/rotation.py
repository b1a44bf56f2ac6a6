"""The rotation from (x_0, eps) to (x_t, v), turned by hand, and one error put into each of the four answers."""

import torch
from torch import Tensor

from ddpm_core.book.widgets.figure import InteractiveFigure, encode_array, image_and_noise
from ddpm_core.book.widgets.scrubber import EPS_STEP, PIXEL_STEP
from ddpm_core.data.transforms import to_uint8
from ddpm_core.diffusion.gaussian import eps_from_x0, q_sample
from ddpm_core.diffusion.noise import seeded
from ddpm_core.diffusion.prediction import PREDICTIONS, Prediction
from ddpm_core.schedule import Schedule

PIXEL = 0.8, 0.7  # x_0 and eps of the pixel in the plane


def turn_axes(
    schedule: Schedule, x0: Tensor, eps: Tensor, *, label: str, opens: int, error: float
) -> InteractiveFigure:
    """Axes that a hand turns by phi_t; beside them x_t, and what each answer makes of x_0 when it is off by `error`.

    In the plane, one pixel is a point with the coordinates x_0 and eps. Whoever sees x_t alone knows the line on
    which it lies, and an error in an answer moves the guess along that line. The pictures show the same for an image:
    each output is off by `error` times one standard normal pattern. x0 and eps (1, C, H, W), x0 in [-1, 1].

    `frame(t, error)` gives the five pictures, uint8 (5, H, W, C), and five points (5, 2): the pixel, then the guesses
    of EPS, X0, V and MEAN. Raises ValueError for other shapes and ranges, and for times outside 1..T.
    [chapter 5, Eqs. 5.8 and 5.9]
    """
    x0, eps = image_and_noise(x0, eps)
    if x0.ndim != 4 or len(x0) != 1 or x0.shape[1] not in (1, 3):
        raise ValueError(f"need one image x0 shaped (1, C, H, W), C = 1 or 3, but got shape {tuple(x0.shape)}.")
    _time(schedule, opens)
    if not 0 <= error <= 0.5:
        raise ValueError(f"need an error in 0..0.5, where the slider goes, but got {error}.")
    pattern = torch.randn(x0.shape, generator=seeded(1), dtype=torch.float64)
    packed = {
        "x0": encode_array(x0, torch.uint8, PIXEL_STEP, zero=-1),
        "eps": encode_array(eps, torch.int8, EPS_STEP),
        "pattern": encode_array(pattern, torch.int8, EPS_STEP),
    }
    known = [known for known, _ in packed.values()]
    arrays = {name: sent for name, (_, sent) in packed.items()}
    arrays["kept"] = encode_array(schedule.alpha_bar, torch.float32)[1]
    arrays["slopes"] = encode_array(_slopes(schedule), torch.float32)[1]
    payload = {"T": schedule.T, "shape": x0.shape, "columns": 1, "opens": opens, "pixel": PIXEL, "arrays": arrays}
    H, W = x0.shape[2:]
    panels = "".join(_PANEL.format(name, words, W, H) for name, words in _PANELS.items())
    body = _BODY.format(panels=panels, T=schedule.T, opens=opens, error=error)
    return InteractiveFigure(
        "turn", label, payload, body, ["tile", "turn"], lambda t, error: _frame(schedule, known, t, error)
    )


def _frame(schedule: Schedule, known: list[Tensor], t: int, error: float) -> tuple[Tensor, Tensor]:
    _time(schedule, t)
    x0, eps, pattern = known
    pixel = [torch.tensor([[value]], dtype=torch.float64) for value in PIXEL]
    pictures, points = [q_sample(schedule, x0, torch.tensor([t]), eps)], [torch.cat(pixel, dim=1)]
    for predict in PREDICTIONS.values():
        pictures.append(_guess(schedule, predict, x0, eps, t, error * pattern))
        x0_hat = _guess(schedule, predict, *pixel, t, error)
        x_t = q_sample(schedule, pixel[0], torch.tensor([t]), pixel[1])
        points.append(torch.cat([x0_hat, eps_from_x0(schedule, x_t, torch.tensor([t]), x0_hat)], dim=1))
    return to_uint8(torch.cat(pictures)).permute(0, 2, 3, 1), torch.cat(points)


def _guess(schedule: Schedule, predict: Prediction, x0: Tensor, eps: Tensor, t: int, off: Tensor | float) -> Tensor:
    """x_0 as an answer says it that is off by so much."""
    now = torch.full((len(x0),), t)
    x_t = q_sample(schedule, x0, now, eps)
    return predict.to_x0(schedule, predict.target(schedule, x0, x_t, now, eps) + off, x_t, now)


def _slopes(schedule: Schedule) -> Tensor:
    """What an error of 1 in each answer makes of x_0, with its sign, at t = 1..T: (4, T)."""
    zero, t = torch.zeros(schedule.T, dtype=torch.float64), torch.arange(1, schedule.T + 1)
    return torch.stack([predict.to_x0(schedule, zero + 1, zero, t) for predict in PREDICTIONS.values()])


def _time(schedule: Schedule, t: int) -> None:
    if t not in range(1, schedule.T + 1):
        raise ValueError(f"need a time in 1..{schedule.T}, but got {t}.")


# Each answer has a shape, drawn in the plane and before its name.
SHAPES = {
    "eps": "M-6 0a6 6 0 1 0 12 0a6 6 0 1 0-12 0", "x0": "M-5.5-5.5h11v11h-11z",
    "v": "M0-8 8 0 0 8-8 0z", "mean": "M0-7 7 6H-7z",
}  # fmt: skip
_KEY = '<svg class="key" viewBox="-9 -9 18 18"><path class="{}" d="{}"/></svg>'
_PANELS = {
    "it sees <i>x<sub>t</sub></i>": "x_t, the noisy image",
    **{
        f"{_KEY.format(kind, SHAPES[kind])} from {name}": f"the guess of x_0 when asked for {words}"
        for kind, name, words in (
            ("eps", "<i>ε</i>", "eps"), ("x0", "<i>x</i><sub>0</sub>", "x_0"), ("v", "<i>v</i>", "v"),
            ("mean", "<i>μ̃<sub>t</sub></i>", "the mean"),
        )
    },
}  # fmt: skip
_PANEL = """<div class="panel"><p>{0}</p><canvas role="img" aria-label="{1}" width="{2}" height="{3}"></canvas>\
<p class="off"></p></div>"""
_HAND = '<g class="hand {0}"><circle r="24"/><circle r="8" class="knob"/></g>'
_BODY = (
    """<div class="both"><svg class="plane" viewBox="-190 -175 380 350" role="img" \
aria-label="A point with coordinates x_0 and eps, axes for x_t and v turned by an angle, and four guesses on a line">
<circle class="round" r="106.3"/><path class="fixed" d="M-165 0H165M0 165V-160"/>
<text x="172" y="-8" class="x0">x₀</text><text x="10" y="-158" class="eps">ε</text>
<path class="line"/><path class="xt"/><path class="vel"/><text class="xt">xₜ</text><text class="vel">v</text>
"""
    + "".join(f'<path class="guess {kind}" d="{shape}"/>' for kind, shape in SHAPES.items())
    + '<circle class="true" r="5"/>'
    + _HAND.format("xt")
    + _HAND.format("vel")
    + """</svg><div class="panels">{panels}</div></div>
<label class="set"><span class="when"></span>\
<input type="range" aria-label="time t" min="1" max="{T}" value="{opens}"></label>
<label class="set"><span>each output is off by <b class="size"></b></span>\
<input type="range" aria-label="error of each output" min="0" max="0.5" step="0.01" value="{error}"></label>"""
)
