"""The same pictures drawn in several ways: a slider for each choice, and the sheet of pictures follows."""

from collections.abc import Callable, Mapping, Sequence
from html import escape
from itertools import product

import torch
from torch import Tensor

from ddpm_core.book.widgets.figure import InteractiveFigure, encode_array, on_screen


def compare(
    pictures: Tensor,
    choices: Mapping[str, Sequence[str]],
    *,
    label: str,
    note: Callable[..., str] | None = None,
    opens: Sequence[int] | None = None,
    columns: int = 8,
    size: int = 64,
) -> InteractiveFigure:
    """One sheet of pictures for each combination of choices, stored; a slider for each choice picks among them.

    choices: name -> its positions in words, such as {"network calls": ["5", "20"], "eta": ["0", "1"]}
    pictures: one axis for each of them, then the sheet: (2, 2, N, C, H, W), uint8, or float on the scale of [-1, 1]
    note: what is said below a sheet, in plain text, from the positions' numbers: note(0, 1)
    opens: the positions shown first, one number a choice; by default 0 for each
    An image is `size` pixels wide on the page.

    `.frame(0, 1)` gives the pictures (N, C, H, W) uint8 at these positions. Raises ValueError for other shapes.
    """
    lengths = tuple(len(positions) for positions in choices.values())
    if not lengths or min(lengths) < 2:
        raise ValueError(f"need at least one choice, each with two positions or more, but got {dict(choices)}.")
    first = tuple(opens or (0,) * len(lengths))
    if len(first) != len(lengths) or not all(k in range(n) for k, n in zip(first, lengths, strict=True)):
        raise ValueError(f"need a position to open at for each choice, below {lengths}, but got {first}.")
    N, C, H, W = _sheet(pictures, lengths)
    if columns < 1 or size < 1:
        raise ValueError(f"need columns and size of at least 1, but they are {columns} and {size}.")
    shades = on_screen("the pictures", pictures)
    columns, rows = min(columns, N), -(-N // columns)
    payload = {
        "shape": [N, C, H, W],
        "columns": columns,
        "choices": [list(map(str, positions)) for positions in choices.values()],
        "notes": [note(*place) for place in product(*map(range, lengths))] if note else [],
        "arrays": {"pictures": encode_array(shades, torch.uint8)[1]},
    }
    sliders = "".join(
        _SLIDER.format(escape(name), n - 1, k) for name, n, k in zip(choices, lengths, first, strict=True)
    )
    body = f"""{sliders}<div class="stage" style="width: {columns * size}px">
<canvas role="img" width="{columns * W}" height="{rows * H}" aria-label="{N} pictures" \
style="--cell: calc(100% / {columns}) calc(100% / {rows})"></canvas></div>
<output aria-live="off"></output>"""
    return InteractiveFigure("choices", label, payload, body, ["tile", "choices"], lambda *place: shades[place])


def _sheet(pictures: Tensor, lengths: tuple[int, ...]) -> tuple[int, ...]:
    """The shape (N, C, H, W) of one sheet."""
    before, sheet = tuple(pictures.shape[: len(lengths)]), tuple(pictures.shape[len(lengths) :])
    if before != lengths or len(sheet) != 4 or sheet[1] not in (1, 3) or 0 in sheet:
        raise ValueError(
            f"need pictures of shape {lengths} for the choices, then (N, C, H, W) with C = 1 or 3, "
            f"but got shape {tuple(pictures.shape)}."
        )
    return sheet


_SLIDER = """<label class="set"><span>{0}: <b></b></span>\
<input type="range" aria-label="{0}" min="0" max="{1}" value="{2}"></label>"""
