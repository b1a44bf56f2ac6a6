"""What lies in a folder: the files below it, and what its folders and their names mean. The rules, once for all.

passed over  hidden files and folders; what systems and editors leave (`JUNK`); folders that a run of ours has written
             (by their model.safetensors), or such a run's own files, where the folder is the data's too; broken links.
             Links are followed, each folder once. What is passed over is counted by kind
splits       a folder, at any depth, or a parquet file is of a split if its name is one of `WORDS`, in any case, alone
             or with a number or a word such as `set` or `images` (Test, train2017, test_set), or if it differs from
             a neighbour's by such a word alone (x_train beside x_test). The deepest such folder decides
no split     what lies in none belongs to the training split, unless there is one: then it is left out
classes      the path of a picture's folder, less splits and less what all of them have in common:
             archive/train/cats/tabby and archive/test/dogs -> cats/tabby and dogs. See `folder`
"""

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

from ddpm_core.storage.checkpoint import CONFIG, TRAINING
from ddpm_core.storage.hub import MODEL, Absent

WORDS = {
    "train": ("train", "training"), "validation": ("val", "valid", "validation", "dev"), "test": ("test", "testing"),
}  # fmt: skip
FILLERS = {"set", "split", "data", "image", "images", "img", "imgs", "pictures", "of", "part", "shard"}
JUNK = {
    "__macosx", "@eadir", "thumbs.db", "desktop.ini", "icon\r", "thumbnails", "__pycache__", "$recycle.bin",
    "system volume information", "lost+found",
}  # fmt: skip
OF_A_RUN = {MODEL, TRAINING, CONFIG, "samples.png", "evaluation.json"}  # what stands in its folder

Stamp = tuple[int, int, int, int]  # size, times of the last changes in ns, number on the disk


def stamp_of(found: os.stat_result) -> Stamp:
    """What changes when a file's content does."""
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


class File(NamedTuple):
    """A file below a folder: its name there, with / between folders, and what changes when its content does."""

    name: str
    stamp: Stamp

    @property
    def ending(self) -> str:
        """With its dot and in small letters; "" for none."""
        return os.path.splitext(self.name)[1].lower()


@dataclass(frozen=True)
class Tree:
    """The files below a folder, in the order of their paths, and what was passed over, by kind."""

    root: Path
    files: list[File]
    passed_over: Counter


def scan(root: Path) -> Tree:
    """All files below a folder that the rules above do not pass over."""
    files, passed_over, seen = [], Counter(), set()

    def walk(folder: str, prefix: str) -> None:
        real = os.stat(folder)
        if (real.st_dev, real.st_ino) in seen:
            return
        seen.add((real.st_dev, real.st_ino))
        with os.scandir(folder) as entries:
            entries = list(entries)
        of_a_run = {MODEL, TRAINING} & {entry.name for entry in entries}
        if of_a_run and prefix:
            passed_over["of a run"] += 1
            return
        for entry in entries:
            try:
                if entry.name.startswith("."):
                    passed_over["hidden"] += 1
                elif entry.name.lower() in JUNK:
                    passed_over["left by a system"] += 1
                elif of_a_run and entry.name in OF_A_RUN:
                    passed_over["of a run"] += 1
                elif entry.is_dir():
                    walk(entry.path, f"{prefix}{entry.name}/")
                else:
                    files.append(File(prefix + entry.name, stamp_of(entry.stat())))
            except FileNotFoundError:
                passed_over["broken links"] += 1

    walk(str(root), "")
    files.sort(key=lambda file: file.name.replace("/", "\0"))  # as paths are compared: folder by folder
    return Tree(root, files, passed_over)


# ---- splits ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """What the folder of a file means: its split, if it is in one, and the rest of its path."""

    split: str | None
    rest: tuple[str, ...]


def split_called(word: str) -> str:
    """The split that goes by this word: "val" and "dev" are "validation"; any other word is itself."""
    return next((split for split, words in WORDS.items() if word.lower() in words), word)


def split_in(name: str) -> tuple[str | None, str]:
    """The split that a name speaks of, and the rest without fillers and numbers: "x_train2" -> "train", "x".

    (None, name) if it speaks of none or of several.
    """
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+|[^\W\d_a-zA-Z]+", name)
    found = {split for word in words if (split := split_called(word)) in WORDS}
    if len(found) != 1:
        return None, name
    kept = [w for w in words if not w.isdecimal() and w.lower() not in FILLERS and split_called(w) not in WORDS]
    return found.pop(), "_".join(kept)


def splits_among(names: Iterable[str]) -> dict[str, str]:
    """Which of these neighbours are splits: name -> split."""
    named = {name: split_in(name) for name in names}
    splits = {}
    for name, (split, rest) in named.items():
        beside = {other for other, same in named.values() if other and same == rest}
        if split and (not rest or len(beside) > 1):
            splits[name] = split
    return splits


def places(folders: Iterable[str]) -> dict[str, Place]:
    """What each of these folders, paths below the root, means."""
    paths = {folder: tuple(folder.split("/")) if folder else () for folder in folders}
    below: dict[tuple, set[str]] = {}
    for parts in paths.values():
        for depth, name in enumerate(parts):
            below.setdefault(parts[:depth], set()).add(name)
    splits = {above: splits_among(names) for above, names in below.items()}
    several = len({split_in(name)[1] for names in splits.values() for name in names}) > 1  # trainA and trainB

    def place(parts: tuple[str, ...]) -> Place:
        of = [splits[parts[:depth]].get(name) for depth, name in enumerate(parts)]
        names = {name for found, name in zip(of, parts, strict=True) if found}
        rest = [split_in(name)[1] * several if name in names else unicodedata.normalize("NFC", name) for name in parts]
        split = next((found for found in reversed(of) if found), None)
        return Place(split, tuple(part for part in rest if part))

    return {folder: place(parts) for folder, parts in paths.items()}


def chosen(found: dict[str, Place], split: str, where: str | Path) -> dict[str, Place]:
    """Those of a split, of what was found: name -> its place. Raises Absent, with what there is, if none is."""
    wanted, there = split_called(split), sorted({place.split for place in found.values() if place.split})
    own = wanted if wanted in there else None
    own_places = {name: place for name, place in found.items() if place.split == own}
    if own is None and (wanted != "train" or not own_places):
        has = f"need a split that {where} has ({', '.join(there)})" if there else f"need a {where} with splits"
        raise Absent(f"{has}, but got {split!r}.")
    return own_places


def in_use(found: dict[str, Place]) -> dict[str, Place]:
    """Those of any split: what lies in none belongs to the training split only if there is no other."""
    there = any(place.split == "train" for place in found.values())
    return {name: place for name, place in found.items() if place.split or not there}


def others(found: dict[str, Place], own: dict[str, Place], counts: Counter) -> Counter:
    """How many files are left out for those that were chosen, by kind. counts: files of each of what was found."""
    left_out = Counter()
    for name in found.keys() - own.keys():
        split = found[name].split
        left_out[f"of the split {split}" if split else "outside of the splits"] += counts[name]
    return left_out


def without_common_part(found: dict[str, Place]) -> dict[str, Place]:
    """The same places, less the folders that all of them begin with."""
    steps = zip(*(place.rest for place in found.values()), strict=False)
    common = sum(1 for _ in takewhile(lambda step: len(set(step)) == 1, steps))
    return {name: replace(place, rest=place.rest[common:]) for name, place in found.items()}
