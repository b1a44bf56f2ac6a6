"""Figures that draw one idea each: two Gaussians that multiply, and lines of a derivation that check themselves."""

import inspect
import re
import textwrap
from collections.abc import Callable, Sequence
from html import escape

import torch
from torch import Tensor

from .gaussian import q_posterior, q_sample
from .schedule import Schedule
from .stage import Figure, pack, read_style

TAGS = ("sub", "sup", "em", "i", "b", "code")  # what a reason may use, without attributes


def multiply(schedule: Schedule, *, label: str) -> Figure:
    """One pixel, one step back: three curves over x_{t-1}, and sliders for x_0, x_t and t in 2..T.

    what x_0 says     q(x_{t-1} | x_0)
    what x_t says     q(x_t | x_{t-1}) as a function of x_{t-1}, scaled to area one
    both together     their product, scaled to area one: q(x_{t-1} | x_t, x_0)

    The page multiplies by adding precisions; `frame(x0, x_t, t)` gives the same three (mean, variance) from the
    formulas. A schedule of few steps with large betas shows most. Raises ValueError for T below 2.
    [Ho 2020, Eqs. 6 and 7; chapter 3]
    """
    if schedule.T < 2:
        raise ValueError(f"need a schedule of at least two steps, since x_0 is known at t = 1, but T is {schedule.T}.")
    tables = {"beta": schedule.beta, "noise": 1 - schedule.alpha_bar}  # small numbers keep their digits in float32
    payload = {"arrays": {name: pack(table, torch.float32)[1] for name, table in tables.items()}}
    sliders = [("<i>x</i><sub>0</sub>", "x_0", -1, 1, 0.8), ("<i>x</i><sub>t</sub>", "x_t", -2.5, 2.5, -0.5)]
    rows = [_SLIDER.format(*slider, 0.01) for slider in sliders]
    rows.append(_SLIDER.format("<i>t</i>", "t", 2, schedule.T, (schedule.T + 2) // 2, 1))
    body = _CURVES.replace("ROWS", "".join(_ROW.format(*row) for row in _CURVE_ROWS)) + "".join(rows)
    return Figure("multiply", label, payload, body, ["multiply"], lambda x0, x_t, t: _three(schedule, x0, x_t, t))


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


class Line:
    """A line of a derivation with its value in nats, checked against the line above; `unfold` makes one."""

    def __init__(self, number: str, reason: str, name: str, source: str, value: float, relation: str, above) -> None:
        self.number, self.value = number, value
        self._reason, self._name, self._source, self._relation, self._above = reason, name, source, relation, above

    def __repr__(self) -> str:
        return f"({self.number}) {_digits(self.value)} nats" + (f", {self._relation}" if self._above else "")

    def _repr_html_(self) -> str:
        return f"<style>{read_style('line.css')}</style>{self._details()}"

    def _details(self) -> str:
        values = [f"line {line.number}: {_digits(line.value)} nats" for line in (self._above, self) if line]
        check = f'<span class="check"><span aria-hidden="true">✓</span> {self._relation}</span>' if self._above else ""
        return f"""<details class="ddpm-line">
<summary><b>{self.number}</b> <span class="name">{escape(self._name)}</span> \
<span class="value">{_digits(self.value)} nats</span> {check}</summary>
<p>{self._reason} (<a href="#eq-{self.number.replace(".", "-")}">Equation {self.number}</a>)</p>
<pre tabindex="0">{escape(self._source)}</pre>
<p class="value">{"<br>".join(values)}</p>
</details>"""


class Derivation:
    """Lines of a derivation in one stack, with a button that unfolds them all; `derivation` makes one."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self.lines = lines

    def __repr__(self) -> str:
        return "\n".join(map(repr, self.lines))

    def _repr_html_(self) -> str:
        details = "\n".join(line._details() for line in self.lines)
        return f"""<div class="ddpm-derivation"><style>{read_style("line.css")}</style>
<button type="button" onclick="{_UNFOLD_ALL}">Unfold or fold all lines</button>
{details}</div>"""


def unfold(
    number: str,
    reason: str,
    compute: Callable[..., float | Tensor],
    above: Line | None = None,
    gap: float | Tensor | None = None,
    *,
    world=None,
    tolerance: float = 1e-10,
) -> Line:
    """A line that unfolds into its reason, the code that computes it, and its value beside that of the line above.

    number     of its equation, such as "4.5"
    reason     why it follows from the line above: text, in which <sub>, <sup>, <em>, <i>, <b> and <code> may stand
    compute    its value in nats: a function of `world`, or of nothing where no world is given
    above      the line that it must equal, or exceed by `gap` (negative where it lies below), within `tolerance`

    Raises ValueError where it does not: a wrong derivation cannot be shown. Differences below the tolerance are
    rounding and differ between machines, so they are not printed.   [chapter 4]
    """
    if not re.fullmatch(r"\d+\.\d+", number):
        raise ValueError(f"need the number of an equation, such as '4.5', but got {number!r}.")
    if gap is not None and above is None:
        raise ValueError(f"need a line above {number} for it to lie {float(gap):g} apart from, but got none.")
    value = compute() if world is None else compute(world)
    if (shape := torch.as_tensor(value).shape).numel() != 1:
        raise ValueError(f"need one number for line {number}, but got shape {tuple(shape)}.")
    value, gap = float(value), None if gap is None else float(gap)
    relation = _relation(number, value, above, gap, tolerance) if above else ""
    return Line(number, _safe(reason), _name(compute), _source(number, compute), value, relation, above)


def derivation(lines: Sequence[Line]) -> Derivation:
    """Lines made by `unfold` as one figure, in their order. Raises ValueError for none."""
    if not lines:
        raise ValueError("need at least one line, but got none.")
    return Derivation(list(lines))


def _relation(number: str, value: float, above: Line, gap: float | None, tolerance: float) -> str:
    """The relation to the line above in words, such as "= 4.4 (difference < 1e-10)"; ValueError where it is broken."""
    small = f"{tolerance:.0e}".replace("e-0", "e-")
    if not abs(value - above.value - (gap or 0.0)) <= tolerance:  # nan is broken too
        raise ValueError(
            f"need line {number} to be line {above.number}{'' if gap is None else f' plus {_digits(gap)}'} "
            f"within {small}, but they are {_digits(value)} and {_digits(above.value)}."
        )
    if gap is None:
        return f"= {above.number} (difference < {small})"
    return f"{'≥' if gap >= 0 else '≤'} {above.number}, gap {_digits(abs(gap))} (difference < {small})"


def _digits(value: float) -> str:
    """A number as it is printed: ten decimals, and no minus before a zero."""
    return f"{round(value, 10) + 0.0:.10f}"


def _safe(reason: str) -> str:
    """The reason with everything escaped but the bare TAGS, which must be closed in order."""
    html = re.sub(rf"&lt;(/?(?:{'|'.join(TAGS)}))&gt;", r"<\1>", escape(reason))
    left = []
    for tag in re.findall(r"<(/?\w+)>", html):
        if not tag.startswith("/"):
            left.append(tag)
        elif not left or left.pop() != tag[1:]:
            raise ValueError(f"need every tag in a reason opened before it is closed, but <{tag}> is not: {reason!r}.")
    if left:
        raise ValueError(f"need every tag in a reason closed, but <{left[-1]}> is not: {reason!r}.")
    return html


def _name(compute: Callable) -> str:
    """The function's name as words; nothing for a lambda, which has none."""
    name = getattr(compute, "__name__", "")
    return "" if name == "<lambda>" else name.replace("_", " ")


def _source(number: str, compute: Callable) -> str:
    try:
        return textwrap.dedent(inspect.getsource(compute)).strip()
    except (OSError, TypeError) as error:
        raise ValueError(
            f"need a Python function whose source can be shown for line {number}, but got {compute!r}."
        ) from error


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
_CURVES = """<svg class="plot" viewBox="-3 0 6 1" preserveAspectRatio="none" role="img" \
aria-label="Three curves over x_(t-1); the table gives their means and variances">
<path d="M-3 1v.02M-2 1v.02M-1 1v.02M0 1v.02M1 1v.02M2 1v.02M3 1v.02M-3 1H3"/>
<path class="both"/><path class="x0"/><path class="xt"/></svg>
<div class="ticks" aria-hidden="true"><span>−3</span><span>−2</span><span>−1</span><span>0</span><span>1</span>\
<span>2</span><span>3</span></div><p class="axis"><i>x</i><sub>t−1</sub></p>
<table><thead><tr><th>curve</th><th>mean</th><th>variance</th>\
<th>precision</th></tr></thead><tbody>ROWS</tbody></table>"""
_SLIDER = """<label class="set"><span>{0} = <b></b></span>\
<input type="range" aria-label="{1}" min="{2}" max="{3}" value="{4}" step="{5}"></label>"""
_UNFOLD_ALL = (
    "const all = [...this.parentElement.querySelectorAll('details')], open = all.some(d => !d.open); "
    "for (const d of all) d.open = open"
)
