"""One colour mode and one size for pictures that come in several: what --colour and --size do, as functions.

A picture here is Pillow's, upright and with 8 bits a channel, in one of the modes L (grey), RGB and RGBA.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
from PIL import Image

from ddpm_core.diffusion.arguments import checked, in_range

CHANNELS = {"L": 1, "RGB": 3, "RGBA": 4}
NAMES = {1: "grey", 3: "rgb", 4: "rgba"}  # of colour modes, by channels


def _on_white(picture: Image.Image) -> Image.Image:
    if picture.mode != "RGBA":
        return picture
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")


def _with_alpha(picture: Image.Image) -> Image.Image:
    pixels = np.array(picture.convert("RGBA"))
    pixels[pixels[..., 3] == 0] = 0  # the colours of what nobody sees are anything
    return Image.fromarray(pixels)


COLOURS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "grey": lambda picture: _on_white(picture).convert("L"),
    "rgb": lambda picture: _on_white(picture).convert("RGB"),
    "rgba": _with_alpha,
}


@checked
def in_colour(picture: Image.Image, colour: str) -> Image.Image:
    """The picture as "grey", "rgb" or "rgba".

    What is transparent becomes white where there is no alpha channel, as on paper; where there is one, it is black with
    alpha 0, and what never had one is opaque. Grey is ITU-R 601: 0.299 R + 0.587 G + 0.114 B. Raises ValueError for
    another colour.
    """
    if colour not in COLOURS:
        raise ValueError(f"need one of the colours {', '.join(COLOURS)}, but got {colour!r}.")
    return COLOURS[colour](picture)


@checked
def at_size(picture: Image.Image, size: int) -> Image.Image:
    """The picture as a square of this side: its shorter side brought to it, then the middle cut out.

    Resized with an antialiasing (bicubic) filter, transparent colours weighed by their alpha. Raises ValueError for a
    side below 1.
    """
    in_range("size", size, 1, 1 << 16)
    shorter = min(picture.size)
    width, height = (max(size, round(side * size / shorter)) for side in picture.size)
    if (width, height) != picture.size:
        picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    left, top = (width - size) // 2, (height - size) // 2
    return picture.crop((left, top, left + size, top + size))


@dataclass(frozen=True)
class Preparation:
    """What is done to each picture of a data set: colour first, then size; None leaves it as it is."""

    size: int | None = None
    colour: str | None = None

    def __call__(self, picture: Image.Image) -> Image.Image:
        picture = picture if self.colour is None else in_colour(picture, self.colour)
        return picture if self.size is None else at_size(picture, self.size)

    def plain(self) -> dict:
        """As checkpoints keep it; `Preparation(**plain)` is it again."""
        return asdict(self)


AS_IT_IS = Preparation()
