"""Reading a picture of `data.shapes` exactly: of all pictures that could have been drawn, which lies nearest?

Every scene, shifted and stretched in small steps, is a template. The nearest one says what the picture shows, and the
distance to it, how well: a picture is clean if it is as near as real ones are. Nothing is learned.
"""

import itertools
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from ddpm_core.data import shapes
from ddpm_core.data.shapes import Scene

SHIFTS = (-1.0, -0.5, 0.0, 0.5, 1.0)  # pixels, each way
STRETCHES = (0.95, 1.0, 1.05)


@dataclass(frozen=True)
class Reading:
    """What a picture shows, and the root mean square of its difference to the nearest template, in levels of 255."""

    scene: Scene
    residual: float


@cache
def _outlines() -> tuple[list[tuple[str, str, str]], Tensor]:
    """(shape, size, place) of each template, and its coverage, (G, SIDE SIDE)."""
    moves = list(itertools.product(SHIFTS, SHIFTS, STRETCHES))
    shift, stretch = torch.tensor(moves, dtype=torch.float64).split((2, 1), dim=1)
    kinds = list(itertools.product(shapes.SHAPES, shapes.SIZES, shapes.PLACES))
    covered = torch.cat([shapes.coverage(*kind, shift, stretch[:, 0]) for kind in kinds])
    return [kind for kind in kinds for _ in moves], covered.flatten(1).float()


def nearest(images: Tensor, at_once: int = 100) -> list[Reading]:
    """The readings of pictures (N, 3, SIDE, SIDE) uint8. Raises ValueError for others.

    || x - b - c (f - b) ||^2 = || x - b ||^2 - 2 <x - b, c> . (f - b) + || c ||^2 || f - b ||^2  for a background b, a
    colour f and a coverage c: products of all pictures with all coverages give all distances.
    """
    if images.dtype != torch.uint8 or images.shape[1:] != (3, shapes.SIDE, shapes.SIDE):
        wanted = f"(N, 3, {shapes.SIDE}, {shapes.SIDE})"
        raise ValueError(f"need uint8 pictures {wanted}, but got {images.dtype} of shape {tuple(images.shape)}.")
    return [reading for part in images.split(at_once) for reading in _read(part.flatten(2).float())]


def is_clean(reading: Reading) -> bool:
    """Whether the picture lies as near to its template as real ones of that shape and size do: 99 % of them."""
    return reading.residual <= limits()[reading.scene.shape, reading.scene.size]


@cache
def limits() -> dict[tuple[str, str], float]:
    """(shape, size) -> the residual that 99 % of 6,000 real pictures stay below, as far as they are of that kind."""
    found: dict[tuple[str, str], list[float]] = {}
    for reading in nearest(shapes.dataset("validation", 6000).images):
        found.setdefault((reading.scene.shape, reading.scene.size), []).append(reading.residual)
    return {kind: torch.tensor(residuals).quantile(0.99).item() for kind, residuals in found.items()}


def right(reading: Reading, caption: str) -> dict[str, bool]:
    """Which of the things that the caption says are so: {"colour": True, "shape": False, ...}."""
    return {kind: getattr(reading.scene, kind) == word for kind, word in shapes.meaning(caption).items()}


def _read(x: Tensor) -> list[Reading]:
    kinds, covered = _outlines()
    area, square, along = covered.sum(1), covered.square().sum(1), x @ covered.T  # (G,), (G,), (N, 3, G)
    best = torch.full((len(x),), torch.inf)
    found = [None] * len(x)
    for (ground, b), (colour, f) in itertools.product(_levels(shapes.BACKGROUNDS), _levels(shapes.COLOURS)):
        step = f - b
        inner = torch.einsum("ncg,c->ng", along, step) - (b @ step) * area
        distances = (x - b[:, None]).square().sum((1, 2))[:, None] - 2 * inner + square * step.square().sum()
        least, where = distances.min(1)
        for k in (least < best).nonzero().flatten().tolist():
            shape, size, place = kinds[where[k]]
            found[k] = Scene(colour, shape, size, place, ground)
        best = torch.minimum(best, least)
    roots = (best.clamp(min=0) / x[0].numel()).sqrt()
    return [Reading(scene, root) for scene, root in zip(found, roots.tolist(), strict=True)]


def _levels(table: dict[str, tuple[int, int, int]]) -> list[tuple[str, Tensor]]:
    return [(name, torch.tensor(levels, dtype=torch.float32)) for name, levels in table.items()]
