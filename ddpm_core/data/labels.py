"""What people write beside pictures, as classes and captions: numbers, text, lists, and "no label" in many forms."""

import math
import unicodedata
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ddpm_core.diffusion.arguments import checked
from ddpm_core.networks.layout import check_lists

LABELS = ("label", "labels", "fine_label", "class", "category")  # what a column or a key of labels is called
CAPTIONS = ("caption", "text", "captions", "prompt")


class Classes(NamedTuple):
    """A class for each picture, (N,) int64, and the names of the classes or None; no labels for None. note: why not."""

    labels: np.ndarray | None
    names: list[str] | None = None
    note: str | None = None


@checked
def classes(values: Sequence[Any] | None, names: Sequence[str] | None, n: int, where: str) -> Classes:
    """The classes of n pictures, from whatever stands beside them.

    whole numbers  are the classes, called by `names` if there are any; of other numbers than 0..K-1 without names those
                   that occur are the classes, and their numbers the names
    text           becomes classes by its names in alphabetical order
    none at all    if each of them is missing, empty or -1, as in test splits whose answers are kept back
    lists          of one entry each, or one-hot, are that; where a picture has several there are no classes: see `note`
    Raises ValueError, with what it found, for anything else.
    """
    check_lists(str, names=names or ())
    if values is None or not len(values):
        return Classes(None)
    if isinstance(values, np.ndarray):
        values = (values.astype(str) if values.dtype.kind == "S" else values).tolist()
    if len(values) != n:
        raise ValueError(f"need one label per image, but {where} has {n} images and {len(values)} labels.")
    if any(isinstance(value, list | tuple) for value in values):
        values = _one_each(values)
        if values is None:
            return Classes(None, note="no classes, since some images have several labels")
    missing = sum(map(_missing, values))
    if missing == n:
        return Classes(None)
    if missing:
        raise ValueError(f"need a label for each image or for none, but of {where}'s {n} images {missing} have none.")
    if all(isinstance(value, str) for value in values):
        texts = [unicodedata.normalize("NFC", value) for value in values]
        known = sorted(set(texts))
        number = {name: k for k, name in enumerate(known)}
        return Classes(np.array([number[text] for text in texts]), known)
    if wrong := [value for value in values if not _counts(value)]:
        some = ", ".join(map(repr, wrong[:3]))
        raise ValueError(
            f"need labels that are whole numbers from 0 up, or text, but {where} has {len(wrong)} others: {some}."
        )
    numbers = np.array(values).astype(np.int64)
    occur = np.unique(numbers)
    if names:
        if occur[-1] >= len(names):
            raise ValueError(f"need a name for each class, but {where} has {len(names)} and a label {occur[-1]}.")
        return Classes(numbers, list(names))
    if occur[-1] == len(occur) - 1:
        return Classes(numbers)
    return Classes(np.searchsorted(occur, numbers), [str(number) for number in occur])


@checked
def captions(values: Sequence[Any]) -> list[str | None] | None:
    """A caption for each picture, of several the first, None where there is none; None if nowhere is any text."""
    found = [_caption(value) for value in values]
    return found if any(found) else None


def _caption(value: Any) -> str | None:
    if isinstance(value, list | tuple):
        return next((text for text in map(_caption, value) if text), None)
    return value.strip() or None if isinstance(value, str) else None


def _one_each(values: list) -> list | None:
    """The one entry of each list, or the place of the one 1 among zeros; None where a picture has several labels."""
    values = [value if isinstance(value, list | tuple) else [value] for value in values]
    if all(len(value) <= 1 for value in values):
        return [value[0] if value else None for value in values]
    one_hot = all(len(v) == len(values[0]) and v.count(1) == 1 and v.count(0) == len(v) - 1 for v in values)
    return [value.index(1) for value in values] if one_hot else None


def _missing(value: Any) -> bool:
    return value is None or value in (-1, "") or (isinstance(value, float) and math.isnan(value))


def _counts(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and 0 <= value < 2**63 and value == int(value)
