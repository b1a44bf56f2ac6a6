"""Decoded once: the pixels of a large data set as a file in the cache folder, from which batches read their rows.

pixels-KEY.npy       uint8 (N, C, H, W), mapped into memory. KEY is the hash of the files' bytes and of what was done to
                     the pixels, so that changed pictures are never taken for those before
listing-PLACE.json   the rest of the data set, KEY, and the fingerprint of its files' names, sizes and times, by which a
                     later start finds all this without opening a picture
Both are written whole or not at all, and a folder's or a split's next ones replace them. Where none can be written, the
pixels stay in memory.
"""

import contextlib
import hashlib
import json
import math
import os
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ddpm_core.data.dataset import ImageDataset, Inventory
from ddpm_core.data.listing import Listing
from ddpm_core.data.preparation import Preparation
from ddpm_core.data.rows import Rows
from ddpm_core.storage.files import cache, file_sha256, write_atomically

SMALL = 1 << 24  # bytes, of files and of pixels: a set below is decoded each time
LARGE, RATIO = 1 << 30, 1100  # bytes of pixels that any set may have, and how many times its size: deflate has 1032
RULES = 1  # of decoding and preparing: the number of their last change


def read(listing: Listing, source: str, prepared: Preparation) -> ImageDataset:
    """The data set of a listing; from the cache, where its files have been read before and are the same.

    Raises ValueError in one sentence for files that do not make a data set.
    """
    about = cache() / f"listing-{_hash(prepared, listing.root.resolve(), listing.what)}.json"
    fingerprint = _hash(RULES, listing.fingerprint())
    if (kept := _kept(about, fingerprint, source, prepared)) is not None:
        return kept
    contents = listing.read()
    rows = Rows(contents, prepared, source)
    shape, sha256 = rows.shape(), file_sha256(*contents.files)
    _check_unpacked(shape, listing, source)
    key, note = _hash(RULES, prepared, sha256, *map(os.path.getsize, contents.files)), None
    if max(np.prod(shape), listing.total_bytes()) < SMALL:
        images = _in_memory(rows, shape)
    else:
        images, note = _in_a_file(_pixels(key), rows, shape, listing)
    labels = None if contents.labels is None else torch.from_numpy(contents.labels)
    inventory = replace(contents.inventory, notes=contents.inventory.notes + ((note,) if note else ()))
    found = ImageDataset(images, labels, contents.captions, contents.names, source, sha256, prepared, inventory)
    if note and listing.is_settled() and _pixels(key).is_file():
        _remember(about, found, {"fingerprint": fingerprint, "pixels": key, "inventory": asdict(contents.inventory)})
    return found


def _check_unpacked(shape: tuple[int, ...], listing: Listing, source: str) -> None:
    """Raises ValueError for files that unpack to more pixels than their size warrants."""
    pixels, size = math.prod(shape), listing.total_bytes()
    if pixels > max(LARGE, RATIO * size):
        many = f"{size:,} bytes of {source} unpack to {pixels:,}"
        raise ValueError(f"need files that unpack to at most {RATIO:,} times their size, but {many} bytes of pixels.")


def _in_memory(rows: Rows, shape: tuple[int, ...]) -> Tensor:
    images = torch.empty(shape, dtype=torch.uint8)
    for image, row in zip(images.numpy(), rows, strict=True):
        image[:] = row
    return images


def _in_a_file(path: Path, rows: Rows, shape: tuple[int, ...], listing: Listing) -> tuple[Tensor, str]:
    """The rows, mapped from this file, which is written if it is not there; and what is said of it."""
    size = f"{np.prod(shape) / 1e9:.2f} GB"
    try:
        if (images := _mapped(path, shape)) is None:
            path.parent.mkdir(parents=True, exist_ok=True)
            if (free := shutil.disk_usage(path.parent).free) < np.prod(shape):
                raise OSError(f"{path.parent} has {free / 1e9:.2f} GB left")
            write_atomically(path, lambda temporary: _write(temporary, rows, shape, listing))
            images = _mapped(path, shape)
        return images, f"decoded pixels ({size}) kept in {path}, so that the next start is quick"
    except OSError as error:
        why = str(error).rstrip(".")
        return _in_memory(rows, shape), f"decoded pixels ({size}) in memory, since the cache does not take them: {why}"


def _write(path: Path, rows: Rows, shape: tuple[int, ...], listing: Listing) -> None:
    """In the format .npy, row by row: of a full disk one hears here, where a mapped file would end the process."""
    with open(path, "wb") as stream:
        np.lib.format.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": shape})
        for _, row in zip(range(shape[0]), rows, strict=True):
            stream.write(row.data)
    listing.check_unchanged()


def _mapped(path: Path, shape: tuple[int, ...]) -> Tensor | None:
    """The array of this file, which stays on the disk until it is looked at, and is never changed there; None if it is
    not there, or another."""
    try:
        array = np.load(path, mmap_mode="c")
    except (OSError, ValueError, EOFError):
        return None
    return torch.from_numpy(array) if array.shape == shape and array.dtype == np.uint8 else None


def _kept(about: Path, fingerprint: str, source: str, prepared: Preparation) -> ImageDataset | None:
    """The data set that lies in the cache, if its files are still those."""
    said = _said(about)
    same = said.get("fingerprint") == fingerprint
    images = _mapped(_pixels(said["pixels"]), tuple(said["shape"])) if same else None
    if images is None:
        return None
    labels = None if said["labels"] is None else torch.tensor(said["labels"])
    inventory = Inventory(**said["inventory"] | {"notes": tuple(said["inventory"]["notes"])})
    found = ImageDataset(images, labels, said["captions"], said["names"], source, said["sha256"], prepared, inventory)
    vars(found)["pixels_sha256"] = said["pixels_sha256"]  # which was computed once
    return found


def _remember(about: Path, found: ImageDataset, more: dict) -> None:
    """What `_kept` reads; pixels that this place led to before are deleted. Where it cannot be written, it is not."""
    before, labels = _said(about), None if found.labels is None else found.labels.tolist()
    said = more | {"shape": list(found.images.shape), "labels": labels, "captions": found.captions}
    said |= {"names": found.names, "sha256": found.sha256, "pixels_sha256": found.pixels_sha256}
    with contextlib.suppress(OSError):
        write_atomically(about, lambda temporary: temporary.write_text(json.dumps(said), "utf-8"))
        if before.get("pixels", said["pixels"]) != said["pixels"]:
            _pixels(before["pixels"]).unlink(missing_ok=True)


def _said(about: Path) -> dict:
    try:
        return json.loads(about.read_text("utf-8"))
    except (OSError, ValueError):
        return {}


def _pixels(key: str) -> Path:
    return cache() / f"pixels-{key}.npy"


def _hash(*what: object) -> str:
    return hashlib.sha256(repr(what).encode("utf-8", "surrogateescape")).hexdigest()[:32]
