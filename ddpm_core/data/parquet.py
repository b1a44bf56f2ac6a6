"""Parquet files, as the Hub has data sets: a column of compressed pictures, and columns of labels and captions.

Columns are found by their names, else by what the Hub writes into the file of them: Image, ClassLabel. Which split a
file belongs to is in its name or in its folder's (see `scanning`): train-00000-of-00001.parquet, x_test.parquet,
train/0000.parquet. Files of several configurations are not one data set.
"""

import contextlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path, PurePosixPath

from ddpm_core.data import labels, scanning
from ddpm_core.data.beside import METADATA
from ddpm_core.data.dataset import Inventory
from ddpm_core.data.decoding import endings
from ddpm_core.data.listing import Contents, Listing
from ddpm_core.data.scanning import File, Place, Tree
from ddpm_core.storage.hub import first_line

IMAGES = ("image", "img")
ROWS = 32  # read at once: a small file may hold one large picture many times


def tables(tree: Tree) -> list[File]:
    """The parquet files that are a data set. Beside picture files, only those with a column of pictures: the others,
    such as metadata.parquet, speak of the files."""
    found = [file for file in tree.files if file.ending == ".parquet" and Path(file.name).name not in METADATA]
    known = endings() if found else set()
    if not any(file.ending in known for file in tree.files):
        return found
    return [file for file in found if _has_images(tree.root / file.name)]


def _has_images(path: Path) -> bool:
    with contextlib.suppress(ValueError), _opened(path) as table:
        return _column(table, IMAGES, "Image") is not None
    return False


def listing(tree: Tree, shards: list[File], split: str) -> Listing:
    """The files of this split. Raises Absent if there are none, ValueError if they are of several configurations."""
    found = _places([file.name for file in shards])
    if scanning.split_called(split) not in scanning.WORDS:  # a data set may have splits of other names
        exact = re.compile(f"{re.escape(split)}(-.*)?")
        found |= {name: Place(split, place.rest) for name, place in found.items() if exact.fullmatch(_stem(name))}
    own = scanning.chosen(found, split, tree.root)
    if plain := {name: place for name, place in own.items() if not place.rest[-1]}:
        own = plain  # train-*, where there is also train_small-*
    if len(configurations := sorted({"/".join(filter(None, place.rest)) or "." for place in own.values()})) > 1:
        raise ValueError(
            f"need the path of one configuration, but {tree.root} has several: {', '.join(configurations)}."
        )
    left_out = tree.passed_over + Counter(
        file.ending or "without an ending" for file in tree.files if file.name not in own
    )
    mine = [file for file in shards if file.name in own]
    paths = [tree.root / file.name for file in mine]
    return Listing(tree.root, split, mine, f"{sorted(left_out.items())}", partial(contents, paths, left_out))


def _places(names: Sequence[str]) -> dict[str, Place]:
    """What each file belongs to, by its own name, else by its folder's; the rest of the path is its configuration."""
    by_folder: dict[str, list[str]] = {}
    for name in names:
        by_folder.setdefault(name.rpartition("/")[0], []).append(name)
    places, found = scanning.places(by_folder), {}
    for folder, theirs in by_folder.items():
        splits, place = scanning.splits_among(map(_stem, theirs)), places[folder]
        for name in theirs:
            split = splits.get(_stem(name))
            found[name] = Place(split or place.split, (*place.rest, scanning.split_in(_stem(name))[1] if split else ""))
    return found


def _stem(name: str) -> str:
    """The file's name without its ending and its number: train-00000-of-00002.parquet -> train."""
    return re.sub(r"-\d+-of-\d+.*", "", PurePosixPath(name).stem)


def contents(shards: Sequence[Path], left_out: Counter) -> Contents:
    """What these files hold, as one data set. Raises ValueError that names the file which does not fit."""
    values, texts, names, unused, count = [], [], None, {}, 0
    image_columns = {}
    for shard in shards:
        with _opened(shard) as table:
            image = _column(table, IMAGES, "Image")
            if image is None:
                there = ", ".join(table.schema_arrow.names)
                raise ValueError(f"need a column `image` or `img`, but {shard} has {there}.")
            label, text = _column(table, labels.LABELS, "ClassLabel"), _column(table, labels.CAPTIONS)
            read = table.read(columns=[name for name in (label, text) if name])
            values += read[label].to_pylist() if label else []
            texts += read[text].to_pylist() if text else []
            names = names or _names(_features(table).get(label, {}).get("names"))
            unused |= dict.fromkeys(name for name in table.schema_arrow.names if name not in (image, label, text))
            image_columns[shard], count = image, count + table.metadata.num_rows
    where = str(shards[0].parent if len(shards) > 1 else shards[0])
    found = labels.classes(values, names, count, where)
    if texts and len(texts) != count:
        raise ValueError(f"need one caption per image, but {where} has {count} images, {len(texts)} captions.")
    captions = labels.captions(texts)
    notes = [found.note, f"{captions.count(None)} have no caption" if captions and None in captions else None]
    notes.append(f"columns not used: {', '.join(unused)}" if unused else None)
    inventory = Inventory({".parquet": len(shards)}, dict(left_out), tuple(note for note in notes if note))
    return Contents(list(shards), count, partial(_raw, image_columns), found.labels, found.names, captions, inventory)


def _raw(image_columns: dict[Path, str]) -> Iterator[tuple[str, bytes | None]]:
    for shard, image in image_columns.items():
        row = 0
        with _opened(shard) as table:
            for batch in table.iter_batches(ROWS, columns=[image]):
                for cell in (scalar.as_py() for scalar in batch.column(0)):
                    yield f"row {row} of {shard}", cell.get("bytes") if isinstance(cell, dict) else cell
                    row += 1


@contextlib.contextmanager
def _opened(path: Path) -> Iterator:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as table:
            yield table
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"need a whole parquet file, but {path} cannot be read: {first_line(error)}.") from error


def _column(table, called: Sequence[str], feature: str | None = None) -> str | None:
    """The first of these names that a column has; else the first column of this feature of the Hub's."""
    names = table.schema_arrow.names
    features = _features(table)
    by_type = [name for name in names if feature and features.get(name, {}).get("_type") == feature]
    return next((name for name in [*called, *by_type] if name in names), None)


def _names(said: object) -> list[str] | None:
    """The names of the classes, if that is what was said."""
    return said if isinstance(said, list) and all(isinstance(name, str) for name in said) else None


def _features(table) -> dict[str, dict]:
    """What the Hub writes into the file of each column: its type, the names of its classes. Nothing, if it is not
    written as the Hub writes it."""
    try:
        found = json.loads((table.schema_arrow.metadata or {}).get(b"huggingface", b"{}"))
    except ValueError:
        return {}
    for key in ("info", "features"):
        found = found.get(key) if isinstance(found, dict) else None
    return {name: said for name, said in (found if isinstance(found, dict) else {}).items() if isinstance(said, dict)}
