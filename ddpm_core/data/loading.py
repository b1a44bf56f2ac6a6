"""Pictures in, tensors out: the digits that ship with scikit-learn, a folder, a file, or a data set on the Hub.

What comes out is an `ImageDataset`; see `transforms` for what happens to pixels later.
"""

import hashlib
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from ddpm_core.data import arrays, decoding, folder, parquet, pixel_cache, scanning, shapes
from ddpm_core.data.dataset import ImageDataset, Inventory
from ddpm_core.data.listing import Contents, Listing, one_file
from ddpm_core.data.preparation import AS_IT_IS, Preparation
from ddpm_core.data.rows import Rows
from ddpm_core.diffusion.arguments import checked
from ddpm_core.storage.hub import Absent, dataset_folder


@checked
def load(
    name_or_path: str | Path = "digits", split: str = "train", *, size: int | None = None, colour: str | None = None
) -> ImageDataset:
    """Read a data set.

    "shapes"                            20,000 captioned pictures, 32x32, drawn by formula: see `shapes`
    "digits"                            scikit-learn's 1,797 digits, 8x8: needs no network
    a folder                            pictures, classes and splits by its subfolders (see `scanning` and `folder`), or
                                        parquet files in the Hub's layout (see `parquet`)
    a .parquet, .npz, .npy or image     arrays as other programs leave them: see `arrays`
    "zalando-datasets/fashion_mnist"    that data set's parquet from the Hub, then as above

    split          "train", "validation" or "test"; data without splits are their own training split
    size, colour   brings all images to one size and colour mode: see `at_size` and `in_colour`
    A large data set is decoded once and then mapped from a file: see `pixel_cache`. Raises ValueError or
    FileNotFoundError in one sentence: Absent if the data are there and have no such split.
    """
    if name_or_path == "":
        raise ValueError("need name_or_path as the name or the path of a data set, but got none.")
    prepared, source = Preparation(size, colour), str(name_or_path)
    if source == "digits":
        return _digits(split, prepared)
    if source == "shapes":
        return _shapes(split, prepared)
    path = Path(name_or_path).expanduser()
    if not path.exists():
        path = dataset_folder(source, split)
    return pixel_cache.read(_listing(path, split), source, prepared)


def _listing(path: Path, split: str) -> Listing:
    if path.is_dir():
        tree = scanning.scan(path)
        shards = parquet.tables(tree)
        return parquet.listing(tree, shards, split) if shards else folder.listing(tree, split)
    ending = path.suffix.lower()
    if ending in (".npz", ".npy"):
        return one_file(path, partial(arrays.contents, path, split), split)
    if ending != ".parquet" and ending not in decoding.endings():
        unpack = "; unpack it first" if ending in folder.ARCHIVES else ""
        raise ValueError(f"need a folder, a .parquet, a .npz or an image file, but {path} is none of these{unpack}.")
    if scanning.split_called(split) != "train":
        raise Absent(f"need data with splits, but got {split!r} of the one file {path}.")
    if ending == ".parquet":
        return one_file(path, partial(parquet.contents, [path], Counter()), split)
    return one_file(path, lambda: Contents([path], 1, lambda: [(str(path), path.read_bytes())]), split)


def _shapes(split: str, prepared: Preparation) -> ImageDataset:
    drawn = shapes.dataset(scanning.split_called(split) or split)
    if prepared == AS_IT_IS:
        return drawn
    pixels = drawn.images.permute(0, 2, 3, 1).numpy()
    contents = Contents([], len(pixels), lambda: (("a shape", picture) for picture in pixels))
    return replace(
        drawn, images=torch.from_numpy(np.stack(list(Rows(contents, prepared, "shapes")))), prepared=prepared
    )


def _digits(split: str, prepared: Preparation) -> ImageDataset:
    from sklearn.datasets import load_digits

    if scanning.split_called(split) != "train":
        raise Absent(f"need data with splits, but got {split!r} of the digits.")
    bunch = load_digits()
    pixels = np.rint(bunch.images * (255 / 16)).astype(np.uint8)[..., None]
    rows = Rows(Contents([], len(pixels), lambda: (("a digit", picture) for picture in pixels)), prepared, "digits")
    images = torch.from_numpy(np.stack(list(rows)))
    labels, names = torch.from_numpy(bunch.target).long(), [str(k) for k in range(10)]
    return ImageDataset(
        images, labels, None, names, "digits", hashlib.sha256(pixels.tobytes()).hexdigest(), prepared, Inventory()
    )
