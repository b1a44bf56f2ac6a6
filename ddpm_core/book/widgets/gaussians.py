"""Two Gaussians that multiply: the posterior of one step back, with sliders for x_0, x_t and t."""

import torch

from ddpm_core.book.widgets.figure import InteractiveFigure, encode_array
from ddpm_core.diffusion.gaussian import q_posterior, q_sample
from ddpm_core.schedule import Schedule


def posterior(schedule: Schedule, *, label: str) -> InteractiveFigure:
    """One pixel, one step back: three curves over x_{t-1}, and sliders for x_0, x_t and t in 2..T.

    what x_0 says     q(x_{t-1} | x_0)
    what x_t says     q(x_t | x_{t-1}) as a function of x_{t-1}, scaled to area one
    both together     their product, scaled to area one: q(x_{t-1} | x_t, x_0)

    A hand drags the first two by their peaks. A fourth curve is the product before it is scaled; its area is said, and
    what share that is of the area if the two agreed.

    The page multiplies by adding precisions; `frame(x0, x_t, t)` gives the same three (mean, variance) from the
    formulas. A schedule of few steps with large betas shows most. Raises ValueError for T below 2.
    [Ho 2020, Eqs. 6 and 7; chapter 3]
    """
    if schedule.T < 2:
        raise ValueError(f"need a schedule of at least two steps, since x_0 is known at t = 1, but T is {schedule.T}.")
    tables = {"beta": schedule.beta, "noise": 1 - schedule.alpha_bar}  # small numbers keep their digits in float32
    payload = {"arrays": {name: encode_array(table, torch.float32)[1] for name, table in tables.items()}}
    sliders = [("<i>x</i><sub>0</sub>", "x_0", -1, 1, 0.8), ("<i>x</i><sub>t</sub>", "x_t", -2.5, 2.5, -1.2)]
    rows = [_SLIDER.format(*slider, 0.01) for slider in sliders]
    rows.append(_SLIDER.format("<i>t</i>", "t", 2, schedule.T, (schedule.T + 2) // 2, 1))
    body = _CURVES.replace("ROWS", "".join(_ROW.format(*row) for row in _CURVE_ROWS)) + "".join(rows)
    return InteractiveFigure(
        "multiply", label, payload, body, ["multiply"], lambda x0, x_t, t: _three(schedule, x0, x_t, t)
    )


def _three(schedule: Schedule, x0: float, x_t: float, t: int) -> list[tuple[float, float]]:
    """(mean, variance) over x_{t-1} of what x_0 says, of what x_t says, and of both together."""
    if t not in range(2, schedule.T + 1):
        raise ValueError(f"need a time in 2..{schedule.T}, but t is {t}.")
    x0, x_t = (torch.tensor([x], dtype=torch.float64) for x in (x0, x_t))
    now = torch.tensor([t])
    from_x0 = q_sample(schedule, x0, now - 1, torch.zeros_like(x0)), 1 - schedule.alpha_bar[t - 1]
    from_x_t = x_t / schedule.alpha[t].sqrt(), schedule.beta[t] / schedule.alpha[t]
    return [
        (float(mean), float(variance)) for mean, variance in (from_x0, from_x_t, q_posterior(schedule, x0, x_t, now))
    ]


_CURVE_ROWS = [
    ("x0", "M0 6H28", "what <i>x</i><sub>0</sub> says", "q(<i>x</i><sub>t−1</sub> | <i>x</i><sub>0</sub>)"),
    ("xt", "M0 6H28", "what <i>x</i><sub>t</sub> says", "q(<i>x</i><sub>t</sub> | <i>x</i><sub>t−1</sub>), scaled"),
    (
        "both",
        "M1 1H27V11H1z",
        "both together",
        "q(<i>x</i><sub>t−1</sub> | <i>x</i><sub>t</sub>, <i>x</i><sub>0</sub>)",
    ),
]
_ROW = """<tr><th scope="row"><svg class="key" viewBox="0 0 28 12"><path class="{0}" d="{1}"/></svg> {2} \
<span>{3}</span></th><td></td><td></td><td></td></tr>"""
_CURVES = """<div class="board"><svg class="plot" viewBox="-3 0 6 1" preserveAspectRatio="none" role="img" \
aria-label="Three curves over x_(t-1); the table gives their means and variances">
<path d="M-3 1v.02M-2 1v.02M-1 1v.02M0 1v.02M1 1v.02M2 1v.02M3 1v.02M-3 1H3"/>
<path class="both"/><path class="raw"/><path class="x0"/><path class="xt"/></svg>\
<span class="knob x0" aria-hidden="true"></span><span class="knob xt" aria-hidden="true"></span></div>
<div class="ticks" aria-hidden="true"><span>−3</span><span>−2</span><span>−1</span><span>0</span><span>1</span>\
<span>2</span><span>3</span></div><p class="axis"><i>x</i><sub>t−1</sub></p>
<p class="area"><span class="swatch"></span> area before scaling <b></b>, <span class="share"></span></p>
<table><thead><tr><th>curve</th><th>mean</th><th>variance</th>\
<th>precision</th></tr></thead><tbody>ROWS</tbody></table>"""
_SLIDER = """<label class="set"><span>{0} = <b></b></span>\
<input type="range" aria-label="{1}" min="{2}" max="{3}" value="{4}" step="{5}"></label>"""
