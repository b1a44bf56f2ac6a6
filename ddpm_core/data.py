"""Pictures in, tensors out: the digits that ship with scikit-learn, a folder, a file, or a data set on the Hub.

What comes out is an `Images`; see `images` for it and for what happens to pixels later.
"""

import hashlib
import io
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps

from .files import file_sha256
from .hub import Absent, dataset_folder, first_line
from .images import Images, flip_some, pad_to, shrink, to_float, to_uint8

__all__ = ["Images", "flip_some", "load_images", "pad_to", "shrink", "to_float", "to_uint8"]

PICTURES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif"}
IMAGE, LABEL, CAPTION = ("image", "img"), ("label", "labels"), ("caption", "text")  # names of a parquet's columns


def load_images(name_or_path: str | Path = "digits", split: str = "train") -> Images:
    """Read a data set.

    "digits"                            scikit-learn's 1,797 digits, 8x8: needs no network
    a folder                            parquet shards in the Hub's layout, or image files (class = subfolder, if any)
    a .parquet, .npz or image file      .npz holds `images` (N, H, W[, C]) uint8 and, if you like, `labels`
    "zalando-datasets/fashion_mnist"    that data set's parquet from the Hub, then as above

    split picks among parquet shards called SPLIT-*.parquet. Raises ValueError or FileNotFoundError in one sentence:
    Absent if the data are there and have no such split.
    """
    if str(name_or_path) == "digits":
        return _digits()
    path = Path(name_or_path).expanduser()
    if not path.exists():
        path = dataset_folder(str(name_or_path), split)
    if path.is_dir():
        shards = _shards(path, split)
        return _from_parquet(shards, str(name_or_path)) if shards else _from_folder(path)
    if path.suffix == ".parquet":
        return _from_parquet([path], str(path))
    if path.suffix == ".npz":
        return _from_npz(path)
    if path.suffix.lower() in PICTURES:
        return _images([_decode(path.read_bytes(), path)], None, None, None, str(path), [path])
    raise ValueError(f"need a folder, a .parquet, a .npz or an image file, but {path} is none of these.")


# ---- readers ---------------------------------------------------------------------------------------------------


def _digits() -> Images:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    pixels = np.rint(bunch.images * (255 / 16)).astype(np.uint8)[:, None]
    labels, names = torch.from_numpy(bunch.target).long(), [str(k) for k in range(10)]
    return Images(torch.from_numpy(pixels), labels, None, names, "digits", hashlib.sha256(pixels.tobytes()).hexdigest())


def _shards(folder: Path, split: str) -> list[Path]:
    """SPLIT-*.parquet anywhere below the folder; else every parquet that names no split. All lie in one folder: on the
    Hub each configuration of a data set has its own."""
    found = sorted(folder.rglob("*.parquet"))
    named = [p for p in found if p.name.startswith(f"{split}-") or p.stem == split]
    if found and not named and any(p.name.startswith(("train-", "test-", "validation-")) for p in found):
        raise Absent(f"need a split that {folder} has ({', '.join(p.name for p in found)}), but got {split!r}.")
    shards = named or found
    if len(places := sorted({p.parent.relative_to(folder).as_posix() for p in shards})) > 1:
        raise ValueError(f"need the path of one configuration, but {folder} has several: {', '.join(places)}.")
    return shards


def _from_parquet(shards: Sequence[Path], source: str) -> Images:
    """The Hub's layout: a column `image` or `img` (bytes), and if present `label` or `labels`, `caption` or `text`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrays, labels, captions, names = [], [], [], None
    for shard in shards:
        try:
            table = pq.read_table(shard)
        except (pa.ArrowException, OSError) as error:
            raise ValueError(f"need a whole parquet file, but {shard} cannot be read: {first_line(error)}.") from error
        image, label, text = (_column(table, names) for names in (IMAGE, LABEL, CAPTION))
        if image is None:
            raise ValueError(f"need a column `image` or `img`, but {shard} has {', '.join(table.column_names)}.")
        for row, cell in enumerate(image):
            raw = cell.get("bytes") if isinstance(cell, dict) else cell
            arrays.append(_decode(raw, f"row {row} of {shard}"))
        labels.extend(label or [])
        captions.extend(text or [])
        names = names or _class_names(table)
    return _images(arrays, labels or None, captions or None, names, source, shards)


def _called(table, names: Sequence[str]) -> str | None:
    """The first of these names that a column has."""
    return next((name for name in names if name in table.column_names), None)


def _column(table, names: Sequence[str]) -> list | None:
    name = _called(table, names)
    return None if name is None else table[name].to_pylist()


def _class_names(table) -> list[str] | None:
    """The class names that the Hub writes into the parquet's own metadata."""
    info = json.loads((table.schema.metadata or {}).get(b"huggingface", b"{}"))
    return info.get("info", {}).get("features", {}).get(_called(table, LABEL), {}).get("names")


def _from_folder(folder: Path) -> Images:
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in PICTURES)
    if not files:
        raise ValueError(
            f"need parquet shards or image files ({', '.join(sorted(PICTURES))}), but {folder} holds neither."
        )
    classes = sorted({p.parent.name for p in files if p.parent != folder})
    labels = (
        [classes.index(p.parent.name) for p in files] if classes and all(p.parent != folder for p in files) else None
    )
    arrays = [_decode(p.read_bytes(), p) for p in files]
    return _images(arrays, labels, None, classes if labels else None, str(folder), files)


def _from_npz(path: Path) -> Images:
    try:
        with open(path, "rb") as stream, np.load(stream) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except Exception as error:  # numpy raises many kinds for a broken zip
        raise ValueError(f"need a whole .npz file, but {path} cannot be read: {first_line(error)}.") from error
    images = arrays.get("images")
    if images is None or images.dtype != np.uint8 or images.ndim not in (3, 4):
        raise ValueError(
            f"need `images` (N, H, W[, C]) of uint8 in {path}, but it holds {', '.join(arrays) or 'nothing'}."
        )
    return _images(list(images), arrays.get("labels"), None, None, str(path), [path])


def _images(arrays: Sequence[np.ndarray], labels, captions, names, source: str, files: Sequence[Path]) -> Images:
    """Stack decoded images; all must have one size and one number of channels."""
    if not arrays:
        raise ValueError(f"need at least one image, but {source} holds none.")
    arrays = [a[..., None] if a.ndim == 2 else a for a in arrays]
    shapes = {a.shape for a in arrays}
    if len(shapes) > 1:
        raise ValueError(
            f"need images of one size and colour mode, but {source} holds {_listed(shapes)} (height, width, channels)."
        )
    pixels = torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2).contiguous()
    if labels is not None:
        labels = np.asarray(labels)
        if labels.shape != (len(pixels),):
            raise ValueError(
                f"need one label per image, but {source} has {len(pixels)} images and labels {labels.shape}."
            )
        if labels.dtype.kind not in "biu" or labels.min() < 0:
            raise ValueError(f"need labels that are whole numbers from 0 up, but {source} has {labels.tolist()[:4]}.")
        if names and labels.max() >= len(names):
            raise ValueError(f"need a name for each class, but {source} has {len(names)} and a label {labels.max()}.")
        labels = torch.from_numpy(labels.astype(np.int64))
    if captions is not None and len(captions) != len(pixels):
        raise ValueError(
            f"need one caption per image, but {source} has {len(pixels)} images, {len(captions)} captions."
        )
    if wrong := [text for text in captions or [] if not isinstance(text, str)]:
        raise ValueError(f"need captions that are text, but {source} has {wrong[0]!r}.")
    return Images(pixels, labels, captions, names, source, file_sha256(*files))


def _decode(raw: bytes | None, where: str | Path) -> np.ndarray:
    """Compressed bytes -> uint8 (H, W) for grey, (H, W, 3) for colour, (H, W, 4) for colour with an alpha channel.

    Upright: a camera that was held sideways says so in the file (EXIF).
    """
    try:
        picture = ImageOps.exif_transpose(Image.open(io.BytesIO(raw)))
        if picture.mode.startswith("I"):  # 16 bits a pixel: Pillow would make white of all that exceeds 255
            return (np.asarray(picture) >> 8).astype(np.uint8)
        if picture.mode not in ("L", "RGB", "RGBA"):
            picture = picture.convert("L" if picture.mode in ("1", "F", "LA") else "RGB")
        return np.asarray(picture)
    except Exception as error:  # Pillow raises many kinds for a broken picture
        raise ValueError(f"need images that decode, but {where} does not: {first_line(error)}.") from error


def _listed(shapes: set[tuple]) -> str:
    return " and ".join(str(shape) for shape in sorted(shapes)[:3])
