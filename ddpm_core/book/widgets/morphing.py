"""The bound's derivation as one equation that changes line by line, over a bar of its summands."""

from collections.abc import Mapping

import torch

from ddpm_core.book.widgets.figure import InteractiveFigure, encode_array


def morph_bound(
    values: Mapping[float, Mapping[str, list[float]]], *, label: str, opens: str = "4.8"
) -> InteractiveFigure:
    """Lines 4.3 to 4.11 for a chain of three steps: factors glide to their new places, and what cancels is struck out.

    Below stands one bar a summand, each beginning where the last one ended, so that the end of the last is the whole
    line. From 4.5 on it stays where it is. Sliders choose the line and x_0.

    values    x_0 -> line -> its summands in nats, as `elbo_derivation.summands` gives them
    opens     the line that is shown first, for the x_0 in the middle of those given

    `frame(line, x0)` gives these summands back. Raises ValueError for a line or an x_0 that it does not have.
    [chapter 4, Eqs. 4.3 to 4.11]
    """
    places, lines = sorted(values), list(_LINES)
    if not places or any(list(map(len, values[x0].values())) != _SIZES or list(values[x0]) != lines for x0 in places):
        raise ValueError(f"need for each x_0 the summands of the lines {', '.join(lines)}, as many as each line has.")
    _known("a line", opens, lines)
    numbers = torch.tensor([[v for line in lines for v in values[x0][line]] for x0 in places], dtype=torch.float64)
    payload = {
        "lines": [{"number": number, **line} for number, line in _LINES.items()], "tokens": _TOKENS, "places": places,
        "arrays": {"values": encode_array(numbers, torch.float32)[1]},
    }  # fmt: skip
    body = _BODY.format(opens=lines.index(opens), last=len(places) - 1, middle=len(places) // 2)
    return InteractiveFigure("morph", label, payload, body, ["morph"], lambda line, x0: _frame(values, line, x0))


def _frame(values: Mapping[float, Mapping[str, list[float]]], line: str, x0: float) -> list[float]:
    _known("an x_0", x0, list(values))
    _known("a line", line, list(_LINES))
    return values[x0][line]


def _known(what: str, asked: object, known: list) -> None:
    if asked not in known:
        raise ValueError(f"need {what} of {known}, but got {asked!r}.")


# ---- the equation: its factors, and where they stand in each line ----------------------------------------------


def _x(t: int) -> str:
    return f'<i class="{"noisy" if t else "clean"}">x</i><sub>{t}</sub>'


def _density(name: str, of: int, *given: int) -> str:
    bar = f" | {', '.join(map(_x, given))}" if given else ""
    return f"<i>{name}</i>({_x(of)}{bar})"


# p3 is p(x_3), p2 the model's step p(x_2 | x_3); q3 the step there q(x_3 | x_2); b3 the step back q(x_2 | x_3, x_0);
# j3 the jump q(x_3 | x_0), j2 and J2 the two copies of q(x_2 | x_0), j1 and q1 those of q(x_1 | x_0).
_TOKENS = {
    "p3": _density("p", 3), **{f"p{t}": _density("p", t, t + 1) for t in (0, 1, 2)},
    **{f"q{t}": _density("q", t, t - 1) for t in (1, 2, 3)}, **{f"b{t}": _density("q", t - 1, t, 0) for t in (2, 3)},
    **{f"{j}{t}": _density("q", t, 0) for j, t in (("j", 1), ("j", 2), ("J", 2), ("j", 3))},
}  # fmt: skip


def _term(lead: str, top: str, bottom: str = "", name: str = "") -> dict:
    return {"lead": lead, "top": top.split(), "bottom": bottom.split(), "name": name}


def _line(why: str, head: str, terms: list[dict], tail: str = "]", goes: str = "") -> dict:
    return {"why": why, "head": head, "terms": terms, "tail": tail, "goes": goes.split()}


_MINUS, _ALL, _E = "− log", "p3 p2 p1 p0", "E<sub><i>q</i></sub>"
_FIRST = _term(_MINUS, "p0", "q1")
_LINES = {
    "4.3": _line(
        "The price of x₀: the joint density, summed over all ways.", "− log ∫", [_term("", _ALL)],
        "d<i>x</i><sub>1:3</sub>",
    ),
    "4.4": _line("Multiply and divide by q: the integral is a mean.", f"− log {_E} [", [_term("", _ALL, "q3 q2 q1")]),
    "4.5": _line(
        "Jensen: the logarithm moves inside. Here alone the bar grows.", f"{_E} [", [_term(_MINUS, _ALL, "q3 q2 q1")]
    ),
    "4.6": _line(
        "Both are products, so the logarithm is a sum. Each step back is paired with a step there.", f"{_E} [",
        [_term(_MINUS, "p3"), _term(_MINUS, "p2", "q3"), _term(_MINUS, "p1", "q2"), _FIRST],
    ),
    "4.7": _line(
        "The first step is set apart: it stays as it is.", f"{_E} [",
        [_term(_MINUS, "p3"), _term(_MINUS, "p2", "q3"), _term(_MINUS, "p1", "q2"), {**_FIRST, "name": "apart"}],
    ),
    "4.8": _line(
        "Bayes turns q round, given x₀. The two that are struck out cancel.", f"{_E} [",
        [_term(_MINUS, "p3"), _term(_MINUS, "p2 j2", "b3 j3"), _term(_MINUS, "p1 j1", "b2 J2"), _FIRST], goes="j2 J2",
    ),
    "4.9": _line(
        "Of the jumps only the first and the last are left. The next two cancel.", f"{_E} [",
        [_term(_MINUS, "p3"), _term(_MINUS, "p2", "b3"), _term(_MINUS, "p1", "b2"), _term("+ log", "j3", "j1"), _FIRST],
        goes="j1 q1",
    ),
    "4.10": _line(
        "Now every pair speaks of one variable.", f"{_E} [",
        [_term(_MINUS, "p3", "j3"), _term(_MINUS, "p2", "b3"), _term(_MINUS, "p1", "b2"), _term(_MINUS, "p0")],
    ),
    "4.11": _line(
        "The mean of log q/p under q is a divergence.", "",
        [_term("KL", "j3", "p3", "L_T"), _term("+ E KL", "b3", "p2", "L_2"), _term("+ E KL", "b2", "p1", "L_1"),
         _term("+ E [ − log", "p0", "", "L_0")],
    ),
}  # fmt: skip
_SIZES = [len(line["terms"]) for line in _LINES.values()]
_BODY = """<p class="why"><b class="number"></b> <span></span></p><div class="equation"></div>
<div class="bars" aria-hidden="true"></div>
<div class="controls"><button type="button" aria-label="The line before">\
<svg viewBox="0 0 24 24"><path d="M16 5v14l-11-7z"/></svg></button>
<input type="range" aria-label="line" min="0" max="8" value="{opens}">
<button type="button" aria-label="The next line">\
<svg viewBox="0 0 24 24"><path d="M8 5v14l11-7z"/></svg></button></div>
<label class="set"><span><i>x</i><sub>0</sub> = <b class="place"></b></span>\
<input type="range" aria-label="x_0" min="0" max="{last}" value="{middle}"></label>
<output aria-live="off"></output>"""
