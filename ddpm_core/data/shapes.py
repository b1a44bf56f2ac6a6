"""Captioned shapes: "a small red ring in the middle", drawn by formula at 32x32, with pairs of attributes held out.

A scene has a colour, a shape, a size, a place and a background. Its picture is smooth: a pixel that an edge crosses has
both colours, in the shares that the edge leaves them. Where the shape stands and how large it is varies a little from
picture to picture. Its caption is one of several sentences, with synonyms. Some pairs of attributes are never seen
together in training, so that one can ask whether a network has learned words or sentences.
"""

import hashlib
import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import astuple, dataclass

import torch
from torch import Tensor

from ddpm_core.data.dataset import ImageDataset
from ddpm_core.diffusion.arguments import checked, in_range
from ddpm_core.diffusion.noise import seeded
from ddpm_core.networks.conditioning import tokenize, vocabulary
from ddpm_core.storage.hub import Absent

SIDE = 32  # pixels
COLOURS = {
    "red": (220, 40, 40), "green": (40, 160, 70), "blue": (50, 90, 220), "yellow": (240, 210, 50),
    "purple": (150, 60, 190), "orange": (245, 135, 30),
}  # fmt: skip
BACKGROUNDS = {"black": (20, 20, 20), "grey": (120, 120, 120), "white": (240, 240, 240)}
SHAPES = ("circle", "square", "triangle", "diamond", "ring", "cross")
SIZES = {"small": 4.5, "large": 7.5}  # radius in pixels
PLACES = {"left": (-1, 0), "right": (1, 0), "top": (0, -1), "bottom": (0, 1), "middle": (0, 0)}  # (x, y)
AWAY = 6  # pixels from the middle to a place
JITTER, STRETCH = 1.0, 0.05  # a picture's shape is moved by up to so many pixels, its radius changed by this share

HELD_OUT = frozenset(  # pairs that no training picture has: each colour, each shape and each place is in one or two
    {("red", "triangle"), ("green", "ring"), ("blue", "square"), ("yellow", "cross"), ("purple", "circle"),
     ("orange", "diamond"), ("circle", "left"), ("square", "top"), ("triangle", "right"), ("ring", "bottom"),
     ("cross", "middle")}
)  # fmt: skip

SYNONYMS = {  # attribute -> the words for it, of which a caption has one
    "small": ("small", "little", "tiny"), "large": ("large", "big", "huge"),
    "circle": ("circle", "disc"), "square": ("square", "box"), "diamond": ("diamond", "rhombus"),
    "ring": ("ring", "hoop"), "cross": ("cross", "plus"), "grey": ("grey", "gray"),
    "left": ("on the left", "at the left side", "to the left"),
    "right": ("on the right", "at the right side", "to the right"),
    "top": ("at the top", "on top", "in the upper part"),
    "bottom": ("at the bottom", "below", "in the lower part"),
    "middle": ("in the middle", "in the centre", "in the center"),
}  # fmt: skip
SENTENCES = (  # two of three name the background
    "a {size} {colour} {shape} {place}",
    "a {size} {shape} in {colour} {place}",
    "a {size} {colour} {shape} {place} on a {background} background",
    "{place} of a {background} picture a {size} {colour} {shape}",
    "{colour} {shape}, {size}, {place}, on {background}",
    "on {background}: a {colour} {shape} that is {size} and {place}",
)
SPLITS = {"train": 20_000, "validation": 2_000, "test": 2_000}


@dataclass(frozen=True)
class Scene:
    """What a picture shows, in words: keys of the tables above."""

    colour: str
    shape: str
    size: str
    place: str
    background: str

    @property
    def held_out(self) -> bool:
        """Whether two of its attributes are a pair that training never sees."""
        return (self.colour, self.shape) in HELD_OUT or (self.shape, self.place) in HELD_OUT


SCENES = [Scene(*words) for words in itertools.product(COLOURS, SHAPES, SIZES, PLACES, BACKGROUNDS)]


# ---- pictures --------------------------------------------------------------------------------------------------


def distance(shape: str, x: Tensor, y: Tensor, radius: Tensor) -> Tensor:
    """How far a point lies outside the shape (inside: below 0), for a shape of this radius at the origin; y is down."""
    if shape == "circle":
        return (x**2 + y**2).sqrt() - radius
    if shape == "ring":
        return ((x**2 + y**2).sqrt() - 0.75 * radius).abs() - 0.25 * radius
    if shape == "square":
        return torch.maximum(x.abs(), y.abs()) - 0.85 * radius
    if shape == "diamond":
        return (x.abs() + y.abs() - 1.1 * radius) / math.sqrt(2)
    if shape == "triangle":  # equilateral, standing on a side
        return torch.maximum(y, (math.sqrt(3) * x.abs() - y) / 2) - 0.55 * radius
    bars = [torch.maximum(a.abs() - radius, b.abs() - 0.32 * radius) for a, b in ((x, y), (y, x))]
    return torch.minimum(*bars)  # a cross


def coverage(shape: str, size: str, place: str, shift: Tensor, stretch: Tensor) -> Tensor:
    """Share of each pixel that the shape covers, (N, SIDE, SIDE) float64; an edge is one pixel wide.

    shift (N, 2), in pixels: x, then y; stretch (N,): factor on the radius.
    """
    there = torch.arange(SIDE, dtype=torch.float64) - (SIDE - 1) / 2
    x, y = (there - AWAY * PLACES[place][k] - shift[:, k : k + 1] for k in (0, 1))  # (N, SIDE) each
    radius = (SIZES[size] * stretch)[:, None, None]
    return (0.5 - distance(shape, x[:, None, :], y[:, :, None], radius)).clamp(0, 1)


def painted(scene: Scene, shift: Tensor, stretch: Tensor) -> Tensor:
    """Pictures of a scene, (N, 3, SIDE, SIDE) uint8: background (1 - coverage) + colour coverage."""
    covered = coverage(scene.shape, scene.size, scene.place, shift, stretch)[:, None]
    colour, background = rgb(COLOURS[scene.colour]), rgb(BACKGROUNDS[scene.background])
    return (background + covered * (colour - background) + 0.5).floor().to(torch.uint8)


def rgb(levels: tuple[int, int, int]) -> Tensor:
    """A colour as it is added to pictures, (3, 1, 1) float64 in 0..255."""
    return torch.tensor(levels, dtype=torch.float64)[:, None, None]


def varied(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """n random shifts (n, 2) and stretches (n,), uniform."""
    u = 2 * torch.rand(n, 3, generator=generator, dtype=torch.float64) - 1
    return JITTER * u[:, :2], 1 + STRETCH * u[:, 2]


# ---- captions --------------------------------------------------------------------------------------------------


def caption(scene: Scene, generator: torch.Generator) -> str:
    """One of the sentences about a scene, with synonyms, drawn at random."""

    def one_of(choices: Sequence[str]) -> str:
        return choices[int(torch.randint(len(choices), (), generator=generator))]

    words = {key: one_of(SYNONYMS.get(word, (word,))) for key, word in zip(KINDS, astuple(scene), strict=True)}
    return re.sub(r"\ba (?=[aeiou])", "an ", one_of(SENTENCES).format(**words))


KINDS, TABLES = ("colour", "shape", "size", "place", "background"), (COLOURS, SHAPES, SIZES, PLACES, BACKGROUNDS)
_MEANINGS = {  # a phrase of a caption -> what it says
    phrase: (kind, word)
    for kind, table in zip(KINDS, TABLES, strict=True)
    for word in table
    for phrase in SYNONYMS.get(word, (word,))
}


def words() -> list[str]:
    """All words of all captions, in alphabetical order."""
    return vocabulary([re.sub(r"{\w+}", "", sentence) for sentence in SENTENCES] + list(_MEANINGS) + ["an"])


@checked
def meaning(caption: str) -> dict[str, str]:
    """What a caption says, {"colour": "red", ...}: the kinds that it names, in the words of the tables.

    A caption that names a kind twice says what it says last.
    """
    said = f" {' '.join(tokenize(caption))} "
    return {kind: word for phrase, (kind, word) in _MEANINGS.items() if f" {phrase} " in said}


# ---- the data set ----------------------------------------------------------------------------------------------


@checked
def dataset(split: str = "train", n: int | None = None) -> ImageDataset:
    """n captioned pictures: of "train", of the same scenes again ("validation"), or of held-out scenes ("test").

    Scenes come in turn, in an order that is shuffled anew each time round. The same on every machine.
    Raises Absent for another split.
    """
    if split not in SPLITS:
        raise Absent(f"need one of the splits {', '.join(SPLITS)} of the shapes, but got {split!r}.")
    n = SPLITS[split] if n is None else n
    in_range("n", n, 1, 10**7)
    generator = seeded(13, list(SPLITS).index(split))
    scenes = [scene for scene in SCENES if scene.held_out == (split == "test")]
    rounds = [torch.randperm(len(scenes), generator=generator) for _ in range(math.ceil(n / len(scenes)))]
    order = torch.cat(rounds)[:n]
    captions = [caption(scenes[k], generator) for k in order.tolist()]
    shift, stretch = varied(n, generator)
    images = torch.empty(n, 3, SIDE, SIDE, dtype=torch.uint8)
    for k, scene in enumerate(scenes):
        mine = (order == k).nonzero().flatten()
        images[mine] = painted(scene, shift[mine], stretch[mine])
    digest = hashlib.sha256(images.numpy()).hexdigest()
    return ImageDataset(images, None, captions, None, "shapes", digest)
