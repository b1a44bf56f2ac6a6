"""A folder of picture files: splits and classes by its folders, captions by the files beside the pictures.

classes   a picture's class is its place (see `scanning`); none where all have one place, or some lie beside the folders
captions  metadata.jsonl, .csv or .parquet with `file_name` and a caption (`text`, ...), or NAME.txt beside NAME.png,
          whose first line it is; by metadata also labels, where the folders give none
"""

from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from PIL.PngImagePlugin import PngInfo

from ddpm_core.data import labels, scanning
from ddpm_core.data.beside import METADATA, TEXTS, said_beside
from ddpm_core.data.dataset import Inventory
from ddpm_core.data.decoding import endings
from ddpm_core.data.listing import Contents, Listing
from ddpm_core.data.scanning import File, Place, Tree

ARCHIVES = {".zip", ".tar", ".gz", ".tgz", ".7z", ".rar", ".xz"}
MARK = "Software", "ddpm_core"  # in the PNG files that this package draws


def listing(tree: Tree, split: str) -> Listing:
    """The pictures of this split. Raises ValueError if there are none at all, Absent if none are of the split."""
    known = endings()
    pictures, others = [], []
    for file in tree.files:
        (pictures if file.ending in known else others).append(file)
    if not pictures:
        raise ValueError(f"need parquet files or pictures, but {tree.root} holds neither{_instead(tree)}.")
    counts = Counter(_folder(file.name) for file in pictures)
    found = scanning.places(counts)
    own = scanning.chosen(found, split, tree.root)
    mine = pictures if len(own) == len(found) else [file for file in pictures if _folder(file.name) in own]
    beside = _beside(others, mine)
    left_out = tree.passed_over + Counter(file.ending or "without an ending" for file in others if file not in beside)
    left_out += scanning.others(found, own, counts)
    common = scanning.without_common_part(scanning.in_use(found))
    extra = f"{sorted(common.items())} {sorted(left_out.items())}"
    return Listing(
        tree.root, split, mine + beside, extra, partial(_contents, tree.root, mine, beside, common, left_out)
    )


def _beside(others: list[File], pictures: list[File]) -> list[File]:
    """The files that speak of these pictures."""
    if not others:
        return []
    stems = {file.name.rpartition(".")[0] for file in pictures}
    return [
        file for file in others
        if Path(file.name).name in METADATA or (file.ending in TEXTS and file.name.rpartition(".")[0] in stems)
    ]  # fmt: skip


def _contents(
    root: Path, mine: list[File], beside: list[File], places: dict[str, Place], left_out: Counter
) -> Contents:
    names = [file.name for file in mine if not _is_drawn_by_us(root / file.name)]
    if not names:
        raise ValueError(f"need pictures, but those in {root} were all drawn by this package.")
    left_out = left_out + Counter({"drawn by this package": len(mine) - len(names)})
    rows, notes = said_beside(root, [file.name for file in beside], names)
    classes, why = _classes(names, places)
    if classes.labels is None and any("label" in row for row in rows):
        classes = labels.classes([row.get("label") for row in rows], None, len(names), str(root))
    inventory = Inventory(
        dict(Counter(file.ending for file in mine).most_common()), dict(left_out.most_common()),
        tuple(note for note in (*notes, why, classes.note) if note),
    )  # fmt: skip
    paths = [root / name for name in names]
    return Contents(
        paths + [root / file.name for file in beside], len(paths), partial(_raw, paths), classes.labels, classes.names,
        labels.captions([row.get("caption") for row in rows]), inventory,
    )  # fmt: skip


def _raw(paths: list[Path]) -> Iterator[tuple[str, bytes]]:
    for path in paths:
        yield str(path), path.read_bytes()


def _classes(names: list[str], places: dict[str, Place]) -> tuple[labels.Classes, str | None]:
    """The classes of these pictures by their folders; or none, and why, where that is not plain to see."""
    of = ["/".join(places[_folder(name)].rest) for name in names]
    known = sorted({"/".join(place.rest) for place in places.values()} - {""})
    if len(known) < 2 or not any(of):
        return labels.Classes(None), None
    if alone := [name for name, place in zip(names, of, strict=True) if not place]:
        return labels.Classes(None), f"no classes, since {len(alone)} lie beside the folders of the others ({alone[0]})"
    number = {name: k for k, name in enumerate(known)}
    return labels.Classes(np.array([number[name] for name in of]), known), None


def drawn_by_us() -> PngInfo:
    """What a PNG file says that this package draws, so that it is not taken for one of the pictures to learn from."""
    info = PngInfo()
    info.add_text(*MARK)
    return info


def _is_drawn_by_us(path: Path) -> bool:
    if path.suffix.lower() != ".png":
        return False
    with open(path, "rb") as stream:
        return "\0".join(MARK).encode() in stream.read(512)


def _folder(name: str) -> str:
    return name.rpartition("/")[0]


def _instead(tree: Tree) -> str:
    """What there is instead of pictures, as the end of a sentence."""
    kinds = Counter(file.ending or "without an ending" for file in tree.files) + tree.passed_over
    there = ", ".join(f"{n} {kind}" for kind, n in kinds.most_common(4))
    return (f" but {there}" if there else "") + ("; unpack it first" if kinds.keys() & ARCHIVES else "")
