"""What stands beside the pictures of a folder: captions and labels in metadata.jsonl, .csv or .parquet, or NAME.txt."""

import csv
import io
import json
import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ddpm_core.data.labels import CAPTIONS, LABELS
from ddpm_core.storage.hub import first_line

METADATA = ("metadata.jsonl", "metadata.csv", "metadata.parquet")
FILE_NAMES = ("file_name", "filename", "file", "image")
TEXTS = (".txt", ".caption")


def said_beside(root: Path, files: list[str], pictures: list[str]) -> tuple[list[dict[str, Any]], list[str]]:
    """For each picture what is said of it, {"caption": ..., "label": ...} as far as there is any, and notes.

    files and pictures are names below root. Metadata are asked first, then texts. Raises ValueError, which names the
    file and the line, for metadata that cannot be read.
    """
    known, said = {unicodedata.normalize("NFC", name) for name in pictures}, {}
    for file in files:
        if Path(file).name in METADATA:
            folder = file.rpartition("/")[0]
            said |= {_normal(os.path.join(folder, name)): row for name, row in _metadata(root / file)}
    of_others = len(said.keys() - known)
    if not said.keys() & known:
        texts = {name.rpartition(".")[0]: name for name in files if name.endswith(TEXTS)}
        said = {_normal(name): _text(root, texts.get(name.rpartition(".")[0])) for name in pictures}
    rows = [said.get(_normal(name), {}) for name in pictures]
    silent = sum(not row.get("caption") for row in rows)
    notes = [f"{silent} have no caption"] if 0 < silent < len(rows) else []
    return rows, notes + ([f"metadata speak of {of_others} other files"] if of_others and len(rows) > silent else [])


def _metadata(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """(file name, what is said of it) for each row."""
    for number, row in enumerate(_rows(path), 1):
        name = next((row[key] for key in FILE_NAMES if isinstance(row.get(key), str)), None)
        if name is None:
            raise ValueError(
                f"need `file_name` in each row, but row {number} of {path} has {', '.join(map(str, row))}."
            )
        found = {"caption": CAPTIONS, "label": LABELS}
        yield name, {what: row[key] for what, keys in found.items() for key in keys[::-1] if row.get(key) is not None}


def _rows(path: Path) -> list[dict]:
    try:
        if path.suffix == ".parquet":
            import pyarrow.parquet as pq

            return pq.read_table(path).to_pylist()
        text = path.read_text("utf-8-sig")
        if path.suffix == ".csv":
            return list(csv.DictReader(io.StringIO(text, newline="")))
        return [dict(json.loads(line)) for line in text.split("\n") if line.strip()]
    except Exception as error:  # each reader has its own kinds
        raise ValueError(f"need metadata that can be read, but {path} cannot: {first_line(error)}.") from error


def _text(root: Path, file: str | None) -> dict[str, str]:
    """The first line with a letter in it: of a file of numbers, as detectors want them, none."""
    lines = (root / file).read_text("utf-8", errors="replace").splitlines() if file else []
    return next(({"caption": line.strip()} for line in lines if any(map(str.isalpha, line))), {})


def _normal(name: str) -> str:
    """A path as others may write it too: without ./, in composed letters."""
    return unicodedata.normalize("NFC", os.path.normpath(name).replace(os.sep, "/"))
