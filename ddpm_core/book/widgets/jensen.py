"""Jensen's gap, opened by hand: two values of u under the logarithm, and the mean between them."""

import math

from ddpm_core.book.widgets.figure import InteractiveFigure


def open_gap(*, label: str, opens: float = 0.8) -> InteractiveFigure:
    """Two values 1 - s and 1 + s of u, equally likely, on the curve log u; a reader pulls them apart.

    Both lie below the tangent at their mean, 1, so the mean of their logarithms lies below log 1 = 0: by the gap
    -log(1 - s^2) / 2. `frame(s)` gives the log of the mean, the mean of the log and the gap.
    Raises ValueError for s outside 0..0.99.   [chapter 4, Eq. 4.5]
    """
    _spread(opens)
    return InteractiveFigure("jensen", label, {}, _BODY.format(opens=opens), ["jensen"], _frame)


def _frame(s: float) -> tuple[float, float, float]:
    _spread(s)
    of_mean, mean_of = 0.0, (math.log(1 - s) + math.log(1 + s)) / 2
    return of_mean, mean_of, of_mean - mean_of


def _spread(s: float) -> None:
    if not 0 <= s <= 0.99:
        raise ValueError(f"need a spread in 0..0.99, since log u needs u above 0, but got {s}.")


_HAND = '<g class="hand"><circle r="24"/><circle r="8" class="knob"/></g>'
_BODY = f"""<svg class="plot" viewBox="-20 -110 480 350" role="img" \
aria-label="The curve log u with its tangent at u = 1, two points on it, and the chord between them">
<path class="axes" d="M0 0H440M0-100V230"/><path class="tangent" d="M0 100L420-110"/><path class="log"/>
<path class="chord"/><path class="gap"/><circle class="mean" r="6"/><circle class="of" r="5"/>
<text x="440" y="20">u</text><text x="400" y="-86">log u</text><text x="186" y="20">1</text>\
{_HAND}{_HAND}</svg>
<label class="set"><span><i>u</i> is <b class="two"></b></span>\
<input type="range" aria-label="spread of u" min="0" max="0.99" step="0.01" value="{{opens}}"></label>
<output aria-live="off"><span>log of the mean <b class="outer"></b></span>\
<span>mean of the log <b class="inner"></b></span><span class="open">gap <b></b></span></output>"""
