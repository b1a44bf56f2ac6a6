"""What all movable figures share: a page of HTML that carries its own numbers, style and script.

The numbers travel in data-payload; arrays among them are base64 of whole numbers or of float32. The script of a
figure is stage.js with the figure's own scripts in its middle; its style is stage.css and those named like its scripts.
"""

import base64
import functools
import hashlib
import itertools
import json
import re
from collections.abc import Callable, Sequence
from html import escape
from importlib.resources import files

import torch
from torch import Tensor

from ddpm_core.data.transforms import to_uint8

FAR = 8  # no standard normal noise comes this far: numbers beyond were never scaled

# Four of Okabe and Ito's colours, with a contrast of 3 on white and on dark, each with its own shape: so many
# corners, joined each to the next or, for the star, to the next but one.
MARKS = [("#0072b2", 12, 1), ("#d55e00", 4, 1), ("#009e73", 3, 1), ("#c26e9d", 5, 2)]

_serial = itertools.count()  # tells equal figures apart; counted, not random, so that outputs can be compared


class InteractiveFigure:
    """A figure that a reader moves; it shows itself in notebooks and on pages, without a kernel or a network.

    kind      names its class on the page, ddpm-KIND, to which its styles keep
    label     says what it shows, above it and to readers who listen
    payload   what its script reads: JSON, with the parts of `pack` that are to be sent under "arrays"
    body      HTML inside; hidden until the script has run to its end
    scripts   names of .js files beside this file, one after the other in the middle of stage.js; where there is
              a .css of such a name, or of the kind's, it belongs to the style
    frame     computes in Python what the figure shows at a position of its controls

    Raises ValueError for an empty label.
    """

    def __init__(
        self, kind: str, label: str, payload: dict, body: str, scripts: Sequence[str], frame: Callable
    ) -> None:
        if not label.strip():
            raise ValueError(f"need a label that says what the figure shows, but got {label!r}.")
        self.label = label
        self._kind, self._body, self._scripts, self._frame = kind, body, scripts, frame
        self._payload = json.dumps(payload)
        self._id = f"{kind}-" + hashlib.sha256(f"{self._payload}{next(_serial)}".encode()).hexdigest()[:8]

    def frame(self, *position):
        """What the figure shows at a position of its controls, computed in Python."""
        return self._frame(*position)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.label!r})"

    def _repr_html_(self) -> str:
        styles = [f"{name}.css" for name in dict.fromkeys(["stage", self._kind, *self._scripts])]
        style = "".join(read_style(name) for name in styles if _HERE.joinpath(name).is_file())
        inner = "\n".join(read_script(f"{name}.js") for name in self._scripts)
        script = read_script("stage.js").replace("/* FIGURE */", inner).replace("FIGURE_ID", self._id)
        return f"""<div class="ddpm-figure ddpm-{self._kind}" id="{self._id}" role="group" \
aria-label="{escape(self.label)}" data-lm-suppress-shortcuts="true" data-payload="{escape(self._payload)}">
<p class="label">{escape(self.label)}</p>
<p class="fallback">This figure needs its script (in a notebook: trust it, or run the cell).</p>
<div class="live" hidden>{self._body}</div>
<style>{style}</style><script>{script}</script></div>"""


@functools.cache
def read_style(name: str) -> str:
    """A style sheet beside this file, without its comments and idle spaces, since every figure carries a copy."""
    text = re.sub(r"/\*.*?\*/", "", _HERE.joinpath(name).read_text("utf-8"), flags=re.S)
    return re.sub(r"\s*([{};:,])\s*", r"\1", text).replace(";}", "}").strip()


@functools.cache
def read_script(name: str) -> str:
    """A script beside this file, without its // comments and its indents, since every figure carries a copy."""
    return re.sub(r"^\s+|(^|\s+)// .*", "", _HERE.joinpath(name).read_text("utf-8"), flags=re.M).strip()


def encode_array(x: Tensor, dtype: torch.dtype, step: float | None = None, zero: float = 0) -> tuple[Tensor, dict]:
    """x as the page will know it, and what to send: base64 of whole numbers q that mean zero + step * q.

    dtype is uint8, int8, int16 or float32. Without a step the numbers stand for themselves.
    """
    if step:
        ends = torch.iinfo(dtype)
        whole, sent = encode_array(((x - zero) / step).round().clamp(ends.min, ends.max), dtype)
        return zero + step * whole.double(), {**sent, "step": step, "zero": zero}
    kinds = {torch.uint8: "Uint8", torch.int8: "Int8", torch.int16: "Int16", torch.float32: "Float32"}
    x = x.detach().cpu().to(dtype).contiguous()
    return x, {"type": f"{kinds[dtype]}Array", "data": base64.b64encode(x.numpy().tobytes()).decode()}


def floats(name: str, x: Tensor, bound: float = FAR) -> Tensor:
    """x in float64 on the CPU. Raises ValueError unless it is floating point and within [-bound, bound]."""
    x = torch.as_tensor(x).detach().cpu()
    if not x.is_floating_point():
        raise ValueError(f"need {name} in floating point, scaled to [-1, 1], but its dtype is {x.dtype}.")
    if not (x.abs() <= bound + 1e-3).all():  # nan fails too
        raise ValueError(f"need {name} within [-{bound}, {bound}], but it spans {x.min():g} to {x.max():g}.")
    return x.double()


def on_screen(name: str, x: Tensor) -> Tensor:
    """Pictures as a screen shows them: uint8 as they are, floats on the scale of [-1, 1] cut off there.

    Raises ValueError as `floats` does.
    """
    x = torch.as_tensor(x).detach().cpu()
    return x if x.dtype == torch.uint8 else to_uint8(floats(name, x))


def image_and_noise(x0: Tensor, eps: Tensor, bound: float = 1) -> tuple[Tensor, Tensor]:
    """x0 within [-bound, bound] and eps of its shape, both as `floats`. Raises ValueError for anything else."""
    x0, eps = floats("x0", x0, bound), floats("eps", eps)
    if x0.shape != eps.shape:
        raise ValueError(f"need eps shaped like x0: x0 is {tuple(x0.shape)}, eps is {tuple(eps.shape)}.")
    return x0, eps


_HERE = files("ddpm_core.book.widgets") / "assets"
