"""The lines of a derivation, which unfold their reasons and check themselves."""

import inspect
import re
import textwrap
from collections.abc import Callable
from html import escape

import torch
from torch import Tensor

from ddpm_core.book.widgets.figure import read_style

TAGS = ("sub", "sup", "em", "i", "b", "code")  # what a reason may use, without attributes


class Line:
    """A line of a derivation with its value in nats, checked against the line above; `derivation_line` makes one."""

    def __init__(self, number: str, reason: str, name: str, source: str, value: float, relation: str, above) -> None:
        self.number, self.value = number, value
        self._reason, self._name, self._source, self._relation, self._above = reason, name, source, relation, above

    def __repr__(self) -> str:
        return f"({self.number}) {_digits(self.value)} nats" + (f", {self._relation}" if self._above else "")

    def _repr_html_(self) -> str:
        values = [f"line {line.number}: {_digits(line.value)} nats" for line in (self._above, self) if line]
        check = f'<span class="check"><span aria-hidden="true">✓</span> {self._relation}</span>' if self._above else ""
        return f"""<style>{read_style("line.css")}</style><details class="ddpm-line">
<summary><b>{self.number}</b> <span class="name">{escape(self._name)}</span> \
<span class="value">{_digits(self.value)} nats</span> {check}</summary>
<p>{self._reason} (<a href="#eq-{self.number.replace(".", "-")}">Equation {self.number}</a>)</p>
<pre tabindex="0">{escape(self._source)}</pre>
<p class="value">{"<br>".join(values)}</p>
</details>"""


def derivation_line(
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
