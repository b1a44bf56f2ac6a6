"""A data set in memory, and its pictures between uint8 and the network.

Images are kept as uint8 (N, C, H, W), the smallest honest form, and become floats in [-1, 1] a batch at a time.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import cycle
from pathlib import Path

import torch
from torch import Tensor

from . import told


@dataclass(frozen=True, eq=False)
class Images:
    """A data set in memory.

    images (N, C, H, W) uint8; labels (N,) int64 or None; captions N strings or None; names of the classes or None;
    source says where it came from; sha256 is the hash of the files it was read from (of the pixels, for digits).
    """

    images: Tensor
    labels: Tensor | None
    captions: list[str] | None
    names: list[str] | None
    source: str
    sha256: str

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        size = "x".join(map(str, self.images.shape[1:]))
        classes = "no labels" if self.labels is None else f"{self.num_classes} classes"
        return f"Images({len(self)} of {size}, {classes}, from {Path(self.source).name!r})"

    @property
    def num_classes(self) -> int | None:
        if self.labels is None:
            return None
        return len(self.names) if self.names else int(self.labels.max()) + 1

    def only(self, label: int | str) -> "Images":
        """The images of one class, given by number or name; they keep no label. Raises ValueError if there are none."""
        if self.labels is None:
            raise ValueError(f"need labels to pick class {label!r}, but {self.source} has none.")
        known = self.names or [str(k) for k in range(self.num_classes)]
        number = known.index(label) if label in known else int(label) if str(label).isdigit() else -1
        keep = self.labels == number
        if not keep.any():
            raise ValueError(f"need one of the classes {', '.join(known)} (or its number), but got {label!r}.")
        captions = [text for text, kept in zip(self.captions, keep, strict=True) if kept] if self.captions else None
        return replace(self, images=self.images[keep], labels=None, captions=captions, names=None)

    def captioned(self, sentences: Sequence[str]) -> "Images":
        """The same images, each with its own caption, else with one of these sentences about its class, in turn.

        See `told.captions` for the sentences. Raises ValueError if there are neither captions nor names.
        """
        if self.captions is not None:
            return self
        if self.labels is None or self.names is None:
            raise ValueError(f"need captions, or classes with names to speak of, but {self.source} has neither.")
        turns = [cycle(told.captions(sentences, [name])) for name in self.names]
        return replace(self, captions=[next(turns[label]) for label in self.labels.tolist()])

    def at(self, rows: Tensor) -> "Images":
        """The images of these rows, an index (M,), in this order, with their labels and captions."""
        return replace(
            self,
            images=self.images[rows],
            labels=None if self.labels is None else self.labels[rows],
            captions=None if self.captions is None else [self.captions[row] for row in rows.tolist()],
        )

    def unlabelled(self) -> "Images":
        """The same images without labels: for a network that is not told what to draw."""
        return replace(self, labels=None, names=None)

    @property
    def pixels_sha256(self) -> str:
        """The hash of the pixels alone: the same pictures in other files have it too."""
        return hashlib.sha256(self.images.contiguous().numpy().tobytes()).hexdigest()


def to_float(images: Tensor) -> Tensor:
    """uint8 0..255 -> float32 in [-1, 1].  [Ho 2020, Section 3.3]"""
    if images.dtype != torch.uint8:
        raise ValueError(f"need uint8 images 0..255, but got {images.dtype}.")
    return images.float() / 127.5 - 1


def to_uint8(x: Tensor) -> Tensor:
    """Floats in [-1, 1] -> uint8 0..255; what lies outside is cut off."""
    return ((x.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


def pad_to(images: Tensor, height: int, width: int) -> Tensor:
    """Centre (N, C, H, W) images on a black canvas of height x width."""
    extra_h, extra_w = height - images.shape[2], width - images.shape[3]
    if extra_h < 0 or extra_w < 0:
        raise ValueError(f"need room for {images.shape[2]}x{images.shape[3]} images, but {height}x{width} is smaller.")
    black = 0 if images.dtype == torch.uint8 else -1
    sides = (extra_w // 2, extra_w - extra_w // 2, extra_h // 2, extra_h - extra_h // 2)
    return torch.nn.functional.pad(images, sides, value=black)


def flip_some(x: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror each image (B, C, H, W) left to right with probability one half."""
    mirrored = torch.rand(len(x), generator=generator) < 0.5
    return torch.where(mirrored.to(x.device)[:, None, None, None], x.flip(-1), x)


def shrink(images: Tensor, factor: int) -> Tensor:
    """uint8 images (N, C, H, W) at 1/factor of their size: each pixel the mean of factor x factor of theirs."""
    if images.dtype != torch.uint8 or factor < 1 or images.shape[2] % factor or images.shape[3] % factor:
        raise ValueError(
            f"need uint8 images whose sides {factor} divides, but got {images.dtype} {tuple(images.shape)}."
        )
    means = torch.nn.functional.avg_pool2d(images.float(), factor)
    return (means + 0.5).floor().to(torch.uint8)  # halves go up, as on paper
