"""Pictures in a grid, each in its place, with the words that belong to it; on a phone in shorter rows."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy import ndarray

from ddpm_core.book import labels as words
from ddpm_core.book.layout import LETTER, NARROW, WIDE

GAP = 0.05  # inches between pictures
LINE = 0.19  # inches of a line of words
SIZE = 9  # points


@dataclass(frozen=True)
class Sheet:
    """Pictures of one size, (H, W) or (H, W, C) of uint8, with titles above them and labels of their rows."""

    pictures: Sequence[ndarray]
    titles: Sequence[str] | None
    labels: Sequence[str] | None
    interpolation: str

    def draw(self, figure: Figure, columns: int, height: float, widest: float = WIDE) -> None:
        """Place all pictures in rows of so many, `height` inches high or what fits into the width, and size the figure.

        Labels stand to the left of their rows.
        """
        left = _inches(self.labels) + GAP if self.labels else 0
        height = min(height, ((widest - left + GAP) / columns - GAP) / self._aspect)
        self._place(figure, [range(k, k + columns) for k in range(0, len(self.pictures), columns)], height, left)

    def for_a_phone(self, columns: int, height: float) -> Callable[[], Figure]:
        """How to draw the same on a phone: a row breaks where titles would meet; labels stand above their rows."""
        cell = max(_inches(self.titles or ()), 0.3) + GAP
        fit = max(1, min(columns, int((NARROW + GAP) / cell)))
        parts = math.ceil(columns / fit)
        fit = math.ceil(columns / parts)  # rows of one length, more or less
        rows = []
        for start in range(0, len(self.pictures), columns):
            row = range(start, start + columns)
            rows += [row[k : k + fit] for k in range(0, columns, fit)]
        height = min(height, ((NARROW + GAP) / fit - GAP) / self._aspect)

        def draw() -> Figure:
            figure = Figure(layout="none")
            self._place(figure, rows, height, 0, label_every=parts)
            return figure

        return draw

    @property
    def _aspect(self) -> float:
        """Width by height of a picture."""
        return self.pictures[0].shape[1] / self.pictures[0].shape[0]

    def _place(self, figure: Figure, rows: list, height: float, left: float, label_every: int = 0) -> None:
        """Rows of numbers of pictures, on one ground whose units are inches, from the upper left corner.

        label_every: so many rows share a label, which stands above the first of them; 0: one to the left of each.
        """
        width = height * self._aspect
        lines = max((title.count("\n") + 1 for title in self.titles or ()), default=0)
        ax = figure.add_axes((0, 0, 1, 1))
        ax.axis("off")
        y = 0.0
        for i, row in enumerate(rows):
            if self.labels and label_every and i % label_every == 0:
                self._write(ax, 0, y + LINE, self.labels[i // label_every], ha="left", va="bottom")
                y += LINE + GAP
            if any(self._title(k) for k in row):
                y += LINE * lines
            if self.labels and not label_every:
                self._write(ax, left - GAP, y + height / 2, self.labels[i], ha="right", va="center")
            for column, k in enumerate(row):
                x = left + column * (width + GAP)
                if k < len(self.pictures):
                    look = {"interpolation": self.interpolation, "cmap": "gray", "clip_on": False}
                    ax.imshow(self.pictures[k], vmin=0, vmax=255, extent=(x, x + width, y + height, y), **look)
                    self._write(ax, x + width / 2, y - GAP, self._title(k), ha="center", va="bottom")
            y += height + GAP
        across = left + max(map(len, rows)) * (width + GAP) - GAP
        ax.set(xlim=(0, across), ylim=(y - GAP, 0))
        figure.set_size_inches(across, y - GAP)

    def _title(self, k: int) -> str:
        return self.titles[k] if self.titles and k < len(self.titles) else ""

    def _write(self, ax: Axes, x: float, y: float, text: str, **sides: str) -> None:
        if text:
            ax.text(x, y, text, fontsize=SIZE, **sides)


def _inches(texts: Sequence[str]) -> float:
    """How wide the widest of some words is, roughly."""
    lines = [line for text in texts for line in words.plain(text).split("\n")]
    return max(map(len, lines), default=0) * LETTER * SIZE / 72
