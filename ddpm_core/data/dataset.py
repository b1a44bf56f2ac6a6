"""A data set of pictures, with labels or captions where it has them.

Images are kept as uint8 (N, C, H, W), the smallest honest form, and become floats in [-1, 1] a batch at a time.
"""

import hashlib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import cycle
from pathlib import Path

import torch
from torch import Tensor

from ddpm_core.data.preparation import AS_IT_IS, Preparation
from ddpm_core.diffusion.arguments import checked
from ddpm_core.networks import conditioning
from ddpm_core.networks.layout import check_lists


@dataclass(frozen=True)
class Inventory:
    """What a data set was read from, for the line that a training begins with.

    kinds     files by their ending, {".tif": 9, ".png": 1}
    left_out  what was found and not taken, by kind: {"hidden": 2, ".mp4": 1}
    notes     what else is worth a sentence
    """

    kinds: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class ImageDataset:
    """A data set: in memory, or mapped from a file where it is large.

    images (N, C, H, W) uint8; labels (N,) int64 or None; captions N strings (None where one is missing) or None; names
    of the classes or None; source says where it came from; sha256 is the hash of the files it was read from (of the
    pixels, for digits); prepared is what was done to size and colour.
    """

    images: Tensor
    labels: Tensor | None
    captions: list[str | None] | None
    names: list[str] | None
    source: str
    sha256: str
    prepared: Preparation = AS_IT_IS
    inventory: Inventory = field(default_factory=Inventory)

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        size = "x".join(map(str, self.images.shape[1:]))
        classes = "no labels" if self.labels is None else f"{self.num_classes} classes"
        return f"ImageDataset({len(self)} of {size}, {classes}, from {Path(self.source).name!r})"

    @property
    def num_classes(self) -> int | None:
        if self.labels is None:
            return None
        return len(self.names) if self.names else int(self.labels.max()) + 1

    @property
    def class_names(self) -> list[str]:
        """The names of the classes, or their numbers where they have none; none without labels."""
        return self.names or [str(k) for k in range(self.num_classes or 0)]

    @checked
    def classes_called(self, label: int | str) -> list[int]:
        """The numbers of the classes that this number or name means: a folder's name means the folders below it too.

        Raises ValueError if no image is of any.
        """
        if self.labels is None:
            raise ValueError(f"need labels to pick class {label!r}, but {self.source} has none.")
        known, wanted = self.class_names, unicodedata.normalize("NFC", str(label))
        numbers = [k for k, name in enumerate(known) if name == wanted or name.startswith(f"{wanted}/")]
        numbers = numbers or ([int(wanted)] if wanted.isdecimal() else [])
        if not torch.isin(self.labels, torch.tensor(numbers, dtype=torch.long)).any():
            raise ValueError(f"need one of the classes {', '.join(known)} (or its number), but got {label!r}.")
        return numbers

    def of_class(self, label: int | str) -> "ImageDataset":
        """The images of one class, given by number or name; they keep no label. Raises ValueError if there are none."""
        keep = torch.isin(self.labels, torch.tensor(self.classes_called(label)))
        return self.take(keep.nonzero().flatten()).without_labels()

    @checked
    def with_classes(self, names: Sequence[str]) -> "ImageDataset":
        """The images of the classes with these names, which are then numbered in this order; others are left out.

        By it two splits agree on what a number means. Raises ValueError if no image is of any of them.
        """
        check_lists(str, names=names)
        if self.labels is None or self.class_names == list(names):
            return self
        number = {name: k for k, name in enumerate(names)}
        theirs = torch.tensor([number.get(name, -1) for name in self.class_names])[self.labels]
        rows = (theirs >= 0).nonzero().flatten()
        if not len(rows):
            raise ValueError(
                f"need images of the classes {', '.join(names)}, but {self.source} has {', '.join(self.class_names)}."
            )
        kept = self if len(rows) == len(self) else self.take(rows)
        return replace(kept, labels=theirs[rows], names=list(names))

    def with_occurring_classes(self) -> "ImageDataset":
        """The same images; classes that none of them is of are gone, and the others are numbered anew."""
        if self.labels is None:
            return self
        there = self.labels.unique().tolist()
        return self if len(there) == self.num_classes else self.with_classes([self.class_names[k] for k in there])

    @checked
    def captioned(self, sentences: Sequence[str]) -> "ImageDataset":
        """The same images, each with its own caption, else with one of these sentences about its class, in turn.

        An image whose caption is missing gets the empty one, which says nothing. See `conditioning.fill_templates` for
        the sentences. Raises ValueError if there are neither captions nor names.
        """
        check_lists(str, sentences=sentences)
        if self.captions is not None:
            return replace(self, captions=[text or "" for text in self.captions])
        if self.labels is None or self.names is None:
            raise ValueError(
                f"need captions, or classes with names to speak of, but {self.source} has neither; a folder has them "
                "in metadata.jsonl (file_name, text) or as NAME.txt beside NAME.png, a parquet as a column `text`."
            )
        turns = [cycle(conditioning.fill_templates(sentences, [name])) for name in self.names]
        return replace(self, captions=[next(turns[label]) for label in self.labels.tolist()])

    @checked
    def take(self, rows: Tensor) -> "ImageDataset":
        """The images of these rows, an index (M,), in this order, with their labels and captions."""
        there = rows.ndim == 1 and rows.dtype in (torch.int64, torch.int32)
        if not there or (len(rows) and not -len(self) <= rows.min() <= rows.max() < len(self)):
            found = f"{rows.dtype} of shape {tuple(rows.shape)} with {rows.tolist()!s:.40}"
            raise ValueError(f"need rows as whole numbers (M,) below {len(self)}, but got {found}.")
        return replace(
            self,
            images=self.images[rows],
            labels=None if self.labels is None else self.labels[rows],
            captions=None if self.captions is None else [self.captions[row] for row in rows.tolist()],
        )

    def without_labels(self) -> "ImageDataset":
        """The same images without labels: for a network that is not told what to draw."""
        return replace(self, labels=None, names=None)

    @cached_property
    def pixels_sha256(self) -> str:
        """The hash of the pixels alone: the same pictures in other files have it too."""
        digest = hashlib.sha256()
        for part in self.images.split(1024):  # a mapped data set is not copied whole
            digest.update(part.contiguous().numpy())
        return digest.hexdigest()
