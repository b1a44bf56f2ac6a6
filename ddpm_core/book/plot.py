"""Pictures of tensors: the only room with matplotlib."""

import io
import math
import sys
import time
from collections.abc import Sequence
from datetime import date

import matplotlib
import numpy as np
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from torch import Tensor

from ddpm_core.book import vector
from ddpm_core.book.sheet import Sheet
from ddpm_core.data.transforms import tile, to_uint8
from ddpm_core.training.devices import device_name

_began: float | None = None  # when `style` was called

# Okabe and Ito's palette: told apart by colour-blind readers.
BLUE, ORANGE, GREEN, PINK, SKY, RED, YELLOW = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
    "#F0E442",
)

# What they mean throughout the book: x_0, eps and x_t. Each has a contrast of 3 on white and on dark; the page's own
# text has them darker or lighter, by its theme (book/_static/design.css).
CLEAN, NOISE, NOISY = "#2f7fe0", "#a97800", "#0f8f6a"


def style() -> None:
    """The book's look: call once at the top of a chapter, whose clock it starts (see `ran_on`).

    In a notebook, figures are shown as drawings from here on (see `vector`), without a ground.
    """
    global _began
    _began = time.monotonic()
    matplotlib.rcParams.update(
        {
            "figure.figsize": (7, 3.2), "figure.dpi": 110, "figure.constrained_layout.use": True, "font.size": 9.75,
            "figure.constrained_layout.h_pad": 0.07,
            "axes.titlesize": "medium", "savefig.facecolor": "white", "axes.spines.top": False,
            "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.25, "lines.linewidth": 2,
            "legend.frameon": False, "axes.prop_cycle": matplotlib.cycler(color=[BLUE, ORANGE, GREEN, PINK, SKY, RED]),
            "image.cmap": "gray",
        }
    )  # fmt: skip
    _show_drawings()


def _show_drawings() -> None:
    """Where a notebook shows figures: as SVG in the place of PNG."""
    if "IPython" not in sys.modules:  # a notebook has loaded it long ago
        return
    from IPython import get_ipython

    if not hasattr(get_ipython(), "kernel"):
        return
    plt.close(plt.figure())  # with the first figure the notebook sets up its own ways to show one
    formatters = get_ipython().display_formatter.formatters
    formatters["image/png"].pop(Figure, None)
    formatters["image/svg+xml"].for_type(Figure, vector.svg)


def grid(
    images: Tensor,
    columns: int | None = None,
    titles: Sequence[str] | None = None,
    height: float = 0.8,
    interpolation: str = "nearest",
    labels: Sequence[str] | None = None,
) -> Figure:
    """Images (N, C, H, W), uint8 or floats in [-1, 1], in rows of `columns`, each `height` inches high or less.

    titles: one above each image; labels: one to the left of each row.
    A picture shows the pixels that it has, as on the page ("nearest"); "bicubic" smooths them.
    On a phone a row breaks where titles would meet, and labels stand above their rows.
    """
    images = images if images.dtype == torch.uint8 else to_uint8(images)
    columns = columns or math.ceil(math.sqrt(len(images)))
    sheet = Sheet([image.permute(1, 2, 0).squeeze(-1).numpy() for image in images], titles, labels, interpolation)
    figure = plt.figure(layout="none")
    sheet.draw(figure, columns, height)
    vector.on_a_phone(figure, sheet.for_a_phone(columns, height))
    return figure


def cloud(ax, points: Tensor, groups: Tensor, reach: float = 3.0) -> None:
    """Points (N, 2) of the plane on square axes over [-reach, reach], their groups (N,) 0..2 told by colour and shape.

    They are drawn as pixels, since hundreds of marks would be heavy.
    """
    for k, (marker, colour) in enumerate(zip("oD^", (BLUE, RED, GREEN), strict=True)):
        ax.plot(*points[groups == k].T, marker, color=colour, markersize=1.8, markeredgewidth=0, zorder=0.5)
    ax.set_rasterization_zorder(1)
    ax.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect=1)


def histogram(samples: Tensor, title: str, ax=None) -> Figure:
    """Numbers (N,) as a histogram, with the standard normal density that the forward process ends in."""
    ax = ax or Figure(figsize=(6, 2.8), layout="tight").add_subplot()
    x = np.linspace(-4, 4, 200)
    ax.hist(
        samples.numpy(),
        np.linspace(-4, 4, 81),
        density=True,
        histtype="stepfilled",
        color=NOISY,
        label="samples of $x_t$",
    )
    ax.plot(x, np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi), color=NOISE, linestyle="--", label="N(0, 1)")
    ax.set(title=title, xlim=(-4, 4), ylim=(0, 1.6), xlabel="value", ylabel="density")
    ax.legend(loc="upper right")
    return ax.figure


def histogram_png(samples: Tensor, title: str) -> bytes:
    """`histogram` as a PNG file's bytes, for a live widget."""
    return png(histogram(samples, title))


def sheet_png(images: Tensor, enlarge: int = 3) -> bytes:
    """Images (N, C, H, W) in one row, as a PNG file's bytes, for a live widget."""
    stream = io.BytesIO()
    tile(images, columns=len(images), enlarge=enlarge).save(stream, format="png")
    return stream.getvalue()


def so_far(steps: Sequence[int], losses: Sequence[float], images: Tensor | None = None) -> Figure:
    """The loss over the steps of a run, and beside it what the network draws by now: images (N, C, H, W)."""
    figure = Figure(figsize=(8, 2.8) if images is not None else (5, 2.8), layout="constrained")
    left, *right = figure.subplots(1, 1 if images is None else 2, squeeze=False)[0]
    left.plot(steps, losses, marker="." if len(steps) < 60 else None)
    left.set(xlabel="steps", ylabel="loss", yscale="log")
    left.yaxis.set_minor_formatter("{x:g}")
    left.yaxis.set_major_formatter("{x:g}")
    for ax in right:
        ax.imshow(tile(images, enlarge=max(1, 32 // images.shape[-1])), vmin=0, vmax=255, cmap="gray")
        ax.set_title(f"samples at step {steps[-1]}", fontsize=10)
        ax.axis("off")
    return figure


def png(figure: Figure) -> bytes:
    """A figure as a PNG file's bytes."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=100)
    return stream.getvalue()


def ran_on() -> None:
    """Print a chapter's stamp: when, on what and for how long it ran, since `style` was called."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    print(f"Ran on {date.today().isoformat()} on {device_name(device)} in {time.monotonic() - _began:.0f} s")
