"""Arrays of pictures, as other programs leave them in .npz and .npy files.

images  `images`, `x`, `data`, `arr_0`, ...: uint8 (N, H, W), (N, H, W, C) or (N, C, H, W); whole numbers 0..255 and
        floats in 0..1, -1..1 or 0..255 become that
labels  `labels`, `label`, `y`, `arr_1`, ...: (N,), (N, 1) or one-hot
splits  by the names too: x_train and y_test, train_images and val_labels
"""

import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ddpm_core.data import labels, scanning
from ddpm_core.data.dataset import Inventory
from ddpm_core.data.listing import Contents
from ddpm_core.diffusion.arguments import checked
from ddpm_core.storage.hub import Absent, first_line

IMAGES = ("images", "image", "imgs", "img", "x", "data", "pixels", "samples", "arr_0", "")
LABELS = (*labels.LABELS, "y", "targets", "target", "arr_1")
RANGES = {  # of floats: (lowest, highest) -> (added, then times)
    (0, 1): (0.0, 255.0), (-1, 1): (1.0, 127.5), (0, 255): (0.0, 1.0),
}  # fmt: skip

LARGE, RATIO = 1 << 28, 200  # bytes that any archive may unpack to, and how many times its size a larger one


def contents(path: Path, split: str) -> Contents:
    """The pictures of this split and their labels. Raises ValueError, which says what there is, Absent without such a
    split."""
    arrays = _arrays(path)
    keys = {name: scanning.split_in(name) for name in arrays}
    there = sorted({of for of, _ in keys.values() if of})
    wanted = scanning.split_called(split)
    if wanted not in (there or ["train"]):
        has = f"it has {', '.join(there)}" if there else "it has no splits"
        raise Absent(f"need a split of {path}, but got {split!r}: {has}.")
    mine = {_role(name): array for name, array in arrays.items() if keys[name][0] in (wanted, None)}
    image, label = (next((key for key in keys if key in mine), None) for keys in (IMAGES, LABELS))
    if image is None:
        listed = ", ".join(f"{name} {a.dtype} {a.shape}" for name, a in arrays.items()) or "nothing"
        raise ValueError(f"need `images` (N, H, W[, C]) of uint8 in {path}, but it holds {listed}.")
    pixels = as_pixels(mine[image], f"`{image}` of {path}")
    found = labels.classes(np.atleast_1d(mine[label]) if label else None, None, len(pixels), str(path))
    left_out = {
        f"of the split {keys[name][0]}": len(array) for name, array in arrays.items()
        if keys[name][0] not in (wanted, None) and _role(name) in IMAGES
    }  # fmt: skip
    notes = (found.note,) if found.note else ()
    return Contents(
        [path], len(pixels), partial(_raw, pixels, path), found.labels, found.names,
        inventory=Inventory({path.suffix: 1}, left_out, notes),
    )  # fmt: skip


def _raw(pixels: np.ndarray, path: Path) -> Iterator[tuple[str, np.ndarray]]:
    for k, picture in enumerate(pixels):
        yield f"image {k} of {path}", picture


def _arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        with open(path, "rb") as stream:
            _check_unpacked(stream, path)
            stream.seek(0)
            stored = np.load(stream)
            if isinstance(stored, np.ndarray):
                return {"images": stored}
            return {name: stored[name] for name in stored.files}
    except Exception as error:  # numpy raises many kinds for a broken zip
        raise ValueError(f"need a whole {path.suffix} file, but {path} cannot be read: {first_line(error)}.") from error


def _check_unpacked(stream: BinaryIO, path: Path) -> None:
    """Raises ValueError for an archive that unpacks to more than its size warrants: pictures do not shrink so far."""
    if not zipfile.is_zipfile(stream):
        return
    unpacked, size = sum(member.file_size for member in zipfile.ZipFile(stream).infolist()), path.stat().st_size
    if unpacked > max(LARGE, RATIO * size):
        raise ValueError(f"its {size:,} bytes unpack to {unpacked:,}, more than {RATIO} times as many")


def _role(name: str) -> str:
    """The key without its split: x_train -> x."""
    words = name.lower().replace("-", "_").split("_")
    return "_".join(word for word in words if scanning.split_called(word) not in scanning.WORDS)


@checked
def as_pixels(values: np.ndarray, what: str) -> np.ndarray:
    """Pictures as uint8 (N, H, W, C) with C = 1, 3 or 4, whatever their order of axes and their range.

    Raises ValueError with dtype, shape and range for what cannot be told.
    """
    found = f"{what} is {values.dtype} {values.shape}"
    if values.dtype.kind not in "buif" or values.ndim not in (3, 4):
        raise ValueError(f"need `images` (N, H, W[, C]) of uint8, but {found}.")
    if values.ndim == 3:
        values = values[..., None]
    if values.shape[-1] not in (1, 3, 4):
        if values.shape[1] not in (1, 3, 4):
            raise ValueError(f"need 1, 3 or 4 channels, last (N, H, W, C) or first (N, C, H, W), but {found}.")
        values = values.transpose(0, 2, 3, 1)
    if values.dtype == np.uint8 or not values.size:
        return values.astype(np.uint8, copy=False)
    if values.dtype == bool:
        return values.astype(np.uint8) * 255
    low, high = values.min(), values.max()
    ranges = RANGES if values.dtype.kind == "f" else {(0, 255): (0.0, 1.0)}
    for (lowest, highest), (added, times) in ranges.items():
        if lowest <= low and high <= highest:  # nan is in none
            return np.rint((values + added) * times).astype(np.uint8)
    wanted = " or ".join(f"{low}..{high}" for low, high in ranges)
    raise ValueError(f"need values in {wanted}, but {found} with values in {low:g}..{high:g}.")
