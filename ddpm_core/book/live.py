"""A run that one watches in the notebook: its loss and its samples so far, drawn anew every few seconds.

The picture replaces itself in place and needs no widgets, so that it looks the same in Jupyter and in Colab, and stays
on the page when the kernel is gone. Elsewhere a line of text takes its place.
"""

import sys
import time
from collections.abc import Callable, Iterator

from torch import Tensor

from ddpm_core.book import plot, vector
from ddpm_core.trainer import Progress

Draw = Callable[[list[Progress], Tensor | None], None]  # shows the reports so far and the last preview


def follow(
    run: Iterator[Progress], preview: Callable[[], Tensor] | None = None, *, every: float = 2.0
) -> list[Progress]:
    """Go through a run and show how it gets on, every so many seconds and at its end; returns all its reports.

    preview()  samples of the network as it is now, (N, C, H, W), uint8 or floats in [-1, 1]; drawing them is not
               counted as training, and should take less than `every`
    What stops the run, an error or Ctrl-C, goes on to the caller after the curve up to there was drawn. Raises
    ValueError for an `every` below 0.
    """
    if not every >= 0:
        raise ValueError(f"need seconds between two pictures, but got {every}.")
    reports, images, draw, drawn = [], None, _picture_or_line(), time.monotonic() - every
    try:
        for progress in run:
            reports.append(progress)
            if time.monotonic() - drawn >= every or progress.fraction >= 1:
                images = images if preview is None else preview()
                draw(reports, images)
                drawn = time.monotonic()
    except BaseException:
        if reports:
            draw(reports, images)  # without a preview: the weights may be what is wrong
        raise
    return reports


class Picture:
    """The picture at one moment. Its text is the same at every moment, so that a notebook's outputs can be compared."""

    def __init__(self, reports: list[Progress], images: Tensor | None):
        self.reports, self.images = reports, images

    def _repr_svg_(self) -> str:
        steps, losses = [p.step for p in self.reports], [p.loss for p in self.reports]
        return vector.svg(plot.so_far(steps, losses, self.images))

    def __repr__(self) -> str:
        return "Picture(the loss so far, and samples)" if self.images is not None else "Picture(the loss so far)"


def _picture_or_line() -> Draw:
    """In a notebook's kernel a picture that replaces itself, elsewhere lines of text."""
    if "IPython" not in sys.modules:  # a notebook has loaded it long ago
        return _line
    from IPython import get_ipython
    from IPython.display import display

    if not hasattr(get_ipython(), "kernel"):
        return _line
    handle = None

    def draw(reports: list[Progress], images: Tensor | None) -> None:
        nonlocal handle
        if handle is None:
            handle = display(Picture(reports, images), display_id=True)
        else:
            handle.update(Picture(reports, images))

    return draw


def _line(reports: list[Progress], images: Tensor | None) -> None:
    now = reports[-1]
    print(f"step {now.step}, loss {now.loss:.4f}, {now.images / now.seconds:.0f} images/s", flush=True)
