"""Reading a picture of `data.shapes` exactly: of all pictures that could have been drawn, which lies nearest?

Every scene, shifted and stretched in small steps, is a template. The nearest one says what the picture shows, and the
distance to it, how well: a picture is clean if it is as near as real ones are. Nothing is learned. The same templates
make a denoiser that is perfect for them: `perfect`.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from ddpm_core.data import shapes
from ddpm_core.data.shapes import Scene
from ddpm_core.diffusion.arguments import checked, in_range
from ddpm_core.diffusion.prediction import Denoise
from ddpm_core.networks.layout import check_lists
from ddpm_core.schedule import Schedule, at

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


@checked
def nearest(images: Tensor, at_once: int = 100) -> list[Reading]:
    """The readings of pictures (N, 3, SIDE, SIDE) uint8. Raises ValueError for others.

    || x - b - c (f - b) ||^2 = || x - b ||^2 - 2 <x - b, c> . (f - b) + || c ||^2 || f - b ||^2  for a background b, a
    colour f and a coverage c: products of all pictures with all coverages give all distances.
    """
    if images.dtype != torch.uint8 or images.shape[1:] != (3, shapes.SIDE, shapes.SIDE) or not len(images):
        wanted = f"(N, 3, {shapes.SIDE}, {shapes.SIDE})"
        raise ValueError(
            f"need images as uint8 pictures {wanted}, but got {images.dtype} of shape {tuple(images.shape)}."
        )
    in_range("at_once", at_once, 1)
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
    for (ground, colour), (b, f) in _pairs():
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


@checked
def perfect(schedule: Schedule, captions: Sequence[str], scenes: Sequence[Scene] = shapes.SCENES) -> Denoise:
    """E[x_0 | x_t, caption], where the data are the templates of these scenes, all equally likely: no training.

    The mean of the templates T that fit the caption, each weighed by exp(-|| x_t - sqrt(alpha_bar) T ||^2 /
    (2 (1 - alpha_bar))). One caption for each picture (B, 3, SIDE, SIDE) in [-1, 1]; "" fits all of them.
    Raises ValueError for a caption that none of these scenes fits.   [chapter 13]
    """
    check_lists(str, captions=captions)
    if not captions or not all(isinstance(scene, Scene) for scene in scenes):
        raise ValueError(f"need captions, one at least, and scenes, but got {captions!s:.40} and {scenes!s:.40}.")
    kinds, covered = _outlines()
    b, f = (torch.stack(levels) / 127.5 - 1 for levels in zip(*(pair for _, pair in _pairs()), strict=True))  # (P, 3)
    area, square, step = covered.sum(1), covered.square().sum(1), f - b
    squares = b.square().sum(1)[:, None] * covered.shape[1] + 2 * (b * step).sum(1)[:, None] * area
    squares = squares + step.square().sum(1)[:, None] * square  # || T ||^2, (P, G)
    fits = torch.stack([_fitting(caption, scenes, kinds) for caption in captions])  # (B, P, G)

    def denoise(x_t: Tensor, t: Tensor) -> Tensor:
        alpha_bar = at(schedule.alpha_bar, t, like=x_t)[..., 0]  # (B, 1, 1)
        x = x_t.flatten(2)
        products = torch.einsum("bcg,pc->bpg", x @ covered.T, step) + (x.sum(2) @ b.T)[..., None]  # <x_t, T>
        exponents = (alpha_bar.sqrt() * products - alpha_bar * squares / 2) / (1 - alpha_bar)
        weights = exponents.masked_fill(~fits, -torch.inf).flatten(1).softmax(1).reshape(fits.shape)
        shares = torch.einsum("bpg,gs->bps", weights, covered)
        mean = (weights.sum(2) @ b)[..., None] + torch.einsum("bps,pc->bcs", shares, step)
        return mean.reshape(x_t.shape)

    return denoise


def _fitting(caption: str, scenes: Sequence[Scene], kinds: list[tuple[str, str, str]]) -> Tensor:
    """Which templates are of scenes that fit a caption, (P, G) bool."""
    said = shapes.meaning(caption)
    good = {scene for scene in scenes if all(getattr(scene, kind) == word for kind, word in said.items())}
    if not good:
        raise ValueError(f"need a caption that one of these {len(scenes)} scenes fits, but none fits {caption!r}.")
    moves = len(SHIFTS) ** 2 * len(STRETCHES)
    rows = [[Scene(colour, *kind, ground) in good for kind in kinds[::moves]] for (ground, colour), _ in _pairs()]
    return torch.tensor(rows).repeat_interleave(moves, dim=1)


def _pairs() -> list[tuple[tuple[str, str], tuple[Tensor, Tensor]]]:
    """((background, colour), (their levels)) of each pair of colours."""
    both = itertools.product(_levels(shapes.BACKGROUNDS), _levels(shapes.COLOURS))
    return [((ground, colour), (b, f)) for (ground, b), (colour, f) in both]


def _levels(table: dict[str, tuple[int, int, int]]) -> list[tuple[str, Tensor]]:
    return [(name, torch.tensor(levels, dtype=torch.float32)) for name, levels in table.items()]
