"""What a U-Net is made of, counted by hand: shapes, weights and multiply-adds, piece by piece, and a figure to toggle.

Counted are the weights that training moves, and the products that convolutions, linear layers and attention take for
one picture. Norms and activations cost little, and their work is left out.
"""

from html import escape

from ddpm_core.book.widgets.figure import InteractiveFigure
from ddpm_core.networks.flops import Piece, pieces

PICTURES = {"8×8 grey": (1, 8), "32×32 grey": (1, 32), "32×32 colour": (3, 32)}  # name -> channels, side
WIDTHS = [(32, 32, 32, 32), (32, 64, 96, 128), (32, 64, 128, 256)]
LEVELS, BLOCKS, PATCHES = (1, 2, 3, 4), (1, 2, 3), (1, 2)


def build_unet(*, label: str) -> InteractiveFigure:
    """Toggle the pieces of a U-Net; a table of shapes, weights and multiply-adds follows.

    `.frame(picture, patch, levels, widths, blocks, attention, skips)` is the same in Python: the pieces, or the
    sentence that says why there is no such network. picture is a name in PICTURES, widths a row of WIDTHS, of which
    the first `levels` are taken; attention holds the levels that attend.   [chapter 7]
    """
    payload = {
        "pictures": list(PICTURES.values()),
        "patches": PATCHES,
        "levels": LEVELS,
        "widths": WIDTHS,
        "blocks": BLOCKS,
    }

    def frame(picture, patch, levels, widths, blocks, attention, skips) -> list[Piece] | str:
        channels, side = PICTURES[picture]
        try:
            return pieces(channels, side, widths[:levels], blocks, attention, patch, skips)
        except ValueError as error:
            return str(error)

    choices = [
        _radios("picture", "picture", PICTURES, 0),
        _radios("patch", "patch", [f"{p}×{p}" for p in PATCHES], 0),
        _radios("levels", "levels", LEVELS, 1),
        _radios("widths", "widths of the levels", [" ".join(map(str, widths)) for widths in WIDTHS], 2),
        _radios("blocks", "blocks a level, each way", BLOCKS, 0),
        _set("attention", "attention at", "".join(_box("attention", "", k == 1) for k in range(len(LEVELS)))),
        _set("skips", "skips", _box("skips", "on", True)),
    ]
    body = f'<form class="choices">{"".join(choices)}</form>{_TABLE}'
    return InteractiveFigure("blocks", label, payload, body, ["blocks"], frame)


def _radios(name: str, legend: str, texts, chosen: int) -> str:
    """One of several. The name of the group is the browser's to make unique: the script adds the figure's id."""
    radios = [
        f'<label><input type="radio" name="{name}" value="{k}"{" checked" if k == chosen else ""}>'
        f"<span>{escape(str(text))}</span></label>"
        for k, text in enumerate(texts)
    ]
    return _set(name, legend, "".join(radios))


def _box(name: str, text: str, checked: bool) -> str:
    return f'<label><input type="checkbox" name="{name}"{" checked" if checked else ""}><span>{text}</span></label>'


def _set(name: str, legend: str, inside: str) -> str:
    return f'<fieldset class="{name}"><legend>{legend}</legend>{inside}</fieldset>'


_TABLE = """<p class="verdict" role="status"></p>
<table><thead><tr><th scope="col">piece</th><th scope="col">hands on</th><th scope="col">weights</th>\
<th scope="col">multiply-adds</th></tr></thead><tbody></tbody>
<tfoot><tr><th scope="row">all</th><td></td><td></td><td></td></tr></tfoot></table>
<p class="sees"></p>"""
