"""Between a source and its pixels: which files it has, found without opening one, and what they hold once read."""

import hashlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ddpm_core.data.dataset import Inventory
from ddpm_core.data.scanning import File, stamp_of

TICK = 2.0  # seconds: the coarsest clock by which a file system tells one change from the next


@dataclass(frozen=True)
class Contents:
    """What a source holds, but for its pixels.

    files     whose bytes, in this order, the data are known by
    raw       yields (where, a compressed picture or an array uint8 (H, W, C)) for each of `count` pictures
    labels (N,) int64, names, captions, inventory   as in `ImageDataset`
    """

    files: list[Path]
    count: int
    raw: Callable[[], Iterable[tuple[str, bytes | np.ndarray | None]]]
    labels: np.ndarray | None = None
    names: list[str] | None = None
    captions: list[str | None] | None = None
    inventory: Inventory = field(default_factory=Inventory)


@dataclass(frozen=True)
class Listing:
    """What a source will give, found without opening any of its files.

    root   the folder, or that of the one file
    what   of the root: the split, or the file
    files  on whose content it depends, below root
    extra  what else it depends on
    read   opens the files; raises ValueError in one sentence for what it cannot make sense of
    """

    root: Path
    what: str
    files: list[File]
    extra: str
    read: Callable[[], Contents]
    listed: float = field(default_factory=time.time)

    def fingerprint(self) -> str:
        """The same for the same files as long as none of them changes: by their names, sizes and times, unopened."""
        digest = hashlib.sha256(_bytes(f"{self.root.resolve()}\0{self.what}\0{self.extra}\0"))
        for name, stamp in self.files:
            digest.update(_bytes(f"{name}\0{stamp}\0"))
        return digest.hexdigest()

    def is_settled(self) -> bool:
        """Whether the files are old enough for the next change of any of them to show in its times."""
        newest = max((time for file in self.files for time in file.stamp[1:3]), default=0)
        return newest / 1e9 < self.listed - TICK

    def check_unchanged(self) -> None:
        """Raises ValueError if a file is not as it was listed."""
        for name, stamp in self.files:
            path = self.root / name
            if not path.is_file() or stamp_of(path.stat()) != stamp:
                raise ValueError(f"need files that stay as they are while they are read, but {path} has changed.")

    def total_bytes(self) -> int:
        return sum(file.stamp[0] for file in self.files)


def one_file(path: Path, read: Callable[[], Contents], split: str) -> Listing:
    """The listing of a single file."""
    return Listing(path.parent, f"{path.name} {split}", [File(path.name, stamp_of(path.stat()))], "", read)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
