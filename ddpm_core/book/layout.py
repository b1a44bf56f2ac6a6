"""A figure on a page: no wider than a line of text; on a phone its panels one below the other."""

import itertools
import re
import textwrap
from contextlib import ExitStack

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.legend import Legend
from matplotlib.text import Text

from ddpm_core.book import labels

WIDE, NARROW = 7.15, 3.7  # inches: a line of text on a screen, and on a phone
TALLEST = 2.6  # inches of a panel on a phone
HEAD = 0.25  # inches of a panel's title
LETTER = 0.58  # of its size is a letter wide, more or less, in the font that matplotlib measures by


def change(undo: ExitStack, artist, **values) -> None:
    """Set properties of an artist until `undo` closes."""
    undo.callback(artist.set, **{name: getattr(artist, f"get_{name}")() for name in values})
    artist.set(**values)


def widen(figure: Figure, undo: ExitStack) -> None:
    """At most WIDE inches; what is lost in width is lost in height by half."""
    width, height = figure.get_size_inches()
    if width > WIDE:
        _resize(figure, undo, WIDE, height * (WIDE / width) ** 0.5)
        _fit(figure, undo)


def narrow(figure: Figure, undo: ExitStack) -> None:
    """NARROW inches: plots one below the other, many small ones two by two, pictures up to three in a row."""
    panels = [ax for ax in figure.axes if ax.get_subplotspec() is not None]
    width, height = figure.get_size_inches()
    if not panels:
        return _resize(figure, undo, NARROW, height * NARROW / width)
    rows, columns = panels[0].get_gridspec().get_geometry()
    places, across = _places(panels, rows, columns)
    down = 1 + max(row for row, _ in places)
    one = height / rows
    if all(map(_is_picture, panels)):
        one = min(one, one * (NARROW / across) / (width / columns) + HEAD)
    elif all(ax.get_aspect() == 1 for ax in panels):
        one = min(one, NARROW / across + HEAD)
    else:
        one = min(one, max(TALLEST, *(0.2 * len(ax.get_yticks()) for ax in panels)))
    _resize(figure, undo, NARROW, down * one)
    if columns > across:
        _move(panels, places, GridSpec(down, across, figure), undo)
    _legends(figure, undo, of_panels=len(panels) == 1)
    _fit(figure, undo)
    return None


def _places(panels: list[Axes], rows: int, columns: int) -> tuple[list[tuple[int, int]], int]:
    """(row, column) of each panel on a phone, and how many stand in a row there."""
    pictures = all(map(_is_picture, panels))
    old = [(ax.get_subplotspec().rowspan.start, ax.get_subplotspec().colspan.start) for ax in panels]
    if rows == 2 and columns > 3 and not pictures:  # what stood one above the other stands side by side
        return [(column, row) for row, column in old], rows
    across = min(columns, 3) if pictures else 2 if columns > 3 else 1
    parts = -(-columns // across)  # of each row
    new = [(row * parts + column // across, column % across) for row, column in old]
    filled = sorted({row for row, _ in new})  # a panel over several columns leaves none empty
    return [(filled.index(row), column) for row, column in new], across


def _resize(figure: Figure, undo: ExitStack, width: float, height: float) -> None:
    undo.callback(figure.set_size_inches, *figure.get_size_inches(), forward=False)
    figure.set_size_inches(width, height, forward=False)


def _is_picture(ax: Axes) -> bool:
    return bool(ax.images) and not ax.lines


def _move(panels: list[Axes], places: list[tuple[int, int]], grid: GridSpec, undo: ExitStack) -> None:
    """Each panel to its place; what panels share stands at the left and at the bottom."""
    for ax, (row, column) in zip(panels, places, strict=True):
        undo.callback(ax.set_subplotspec, ax.get_subplotspec())
        ax.set_subplotspec(grid[row, column])
    for ax, (row, column) in zip(panels, places, strict=True):
        if _is_picture(ax):
            continue
        below = [other for other, (r, c) in zip(panels, places, strict=True) if c == column and r > row]
        beside = [other for other, (r, c) in zip(panels, places, strict=True) if r == row and c < column]
        _label(
            ax.xaxis, [o.xaxis for o in panels if _share(o, ax, "x")], not any(_share(o, ax, "x") for o in below), undo
        )
        _label(
            ax.yaxis, [o.yaxis for o in panels if _share(o, ax, "y")], not any(_share(o, ax, "y") for o in beside), undo
        )


def _share(one: Axes, other: Axes, axis: str) -> bool:
    return getattr(one, f"get_shared_{axis}_axes")().joined(one, other)


def _label(axis: Axis, alike: list[Axis], outer: bool, undo: ExitStack) -> None:
    """Label an axis, or not, in the words of one that shares its scale."""
    side = "labelbottom" if axis.axis_name == "x" else "labelleft"
    undo.callback(axis.set_tick_params, **{side: axis.get_tick_params().get(side, True)})
    axis.set_tick_params(**{side: outer})
    words = axis.label.get_text() or next((o.label.get_text() for o in alike if o.label.get_text()), "")
    change(undo, axis.label, text=words, visible=outer)


def _legends(figure: Figure, undo: ExitStack, of_panels: bool) -> None:
    """The figure's legends, and those of panels where asked for, below all else."""
    old = [legend for legend in figure.legends if legend.get_visible()]
    if of_panels:
        old += [ax.get_legend() for ax in figure.axes if ax.get_legend()]
    for legend in old:
        _below(figure, legend, undo)


def _below(figure: Figure, legend: Legend, undo: ExitStack) -> None:
    """A legend anew, below the figure, which grows by it, in as many columns as there is room for."""
    texts = [text.get_text() for text in legend.get_texts()]
    if not texts:
        return
    named = {}
    for ax in figure.axes:
        named |= {name: handle for handle, name in zip(*ax.get_legend_handles_labels(), strict=True)}
    handles = [named.get(text, handle) for text, handle in zip(texts, legend.legend_handles, strict=True)]
    size = legend.get_texts()[0].get_fontsize() / 72
    widest = max(len(labels.plain(text)) for text in texts) * LETTER * size + 4 * size
    width, height = figure.get_size_inches()
    columns = max(1, min(len(texts), int(width / widest)))
    change(undo, legend, visible=False)
    title = legend.get_title().get_text()
    new = figure.legend(handles, texts, ncols=columns, loc="outside lower center", title=title)
    undo.callback(new.remove)
    lines = -(-len(texts) // columns) + bool(title) - (legend in figure.legends)
    _resize(figure, undo, width, height + lines * 1.5 * size)


def _fit(figure: Figure, undo: ExitStack) -> None:
    """Words in as many lines as they need: titles, labels of axes, ticks; a figure's legend in as many columns."""
    figure.draw_without_rendering()
    for legend in [legend for legend in figure.legends if legend.get_visible()]:
        if legend.get_window_extent().width > figure.bbox.width:
            _below(figure, legend, undo)
    for ax in figure.axes:
        box = ax.get_window_extent()
        middle = (box.x0 + box.x1) / 2
        alone = ax.get_subplotspec() is None or ax.get_subplotspec().get_gridspec().ncols == 1
        across = 2 * min(middle, figure.bbox.width - middle) if alone else 1.12 * box.width
        for text, room in ((ax.title, across), (ax.xaxis.label, across), (ax.yaxis.label, max(box.height, figure.dpi))):
            _wrap(text, 0.98 * room / figure.dpi, undo)
        shown = [label for label in ax.get_xticklabels() if label.get_visible() and label.get_text()]
        boxes = sorted((label.get_window_extent().x0, label.get_window_extent().x1) for label in shown)
        if any(right > left for (_, right), (left, _) in itertools.pairwise(boxes)):
            undo.callback(ax.tick_params, axis="x", labelrotation=0)
            ax.tick_params(axis="x", labelrotation=40)


def _wrap(text: Text, inches: float, undo: ExitStack) -> None:
    """Break a line that is too long between words, never inside a formula."""
    words = text.get_text()
    letters = int(inches * 72 / (LETTER * text.get_fontsize()))
    if "\n" in words or len(labels.plain(words)) <= letters:
        return
    formulas = re.findall(r"\$[^$]*\$", words)
    for k, formula in enumerate(formulas):
        words = words.replace(formula, chr(0xE000 + k) * max(1, len(labels.plain(formula))), 1)
    lines = "\n".join(textwrap.wrap(words, max(letters, 8), break_long_words=False, break_on_hyphens=False))
    for k, formula in enumerate(formulas):
        lines = re.sub(f"{chr(0xE000 + k)}+", lambda _, formula=formula: formula, lines)
    change(undo, text, text=lines)
