"""Where a chapter finds what lies beside it: results and pictures in the checkout, else from the repository's address.

In Colab there is only the notebook, so a file is fetched once and held to the sha256 that the package was built with.
"""

import hashlib
import json
import urllib.request
from importlib import resources
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ddpm_core.diffusion.model import Model
from ddpm_core.recipes.config import EARLIER
from ddpm_core.storage import checkpoint
from ddpm_core.storage.files import cache, write_atomically
from ddpm_core.storage.provenance import repository

HASHES = "hashes.json"  # file name -> sha256, written by tools/hashes.py


def path(name: str) -> Path:
    """The path of book/results/NAME, fetched if need be.

    Raises FileNotFoundError if it is neither here nor to be had, ValueError if its hash is another.
    """
    for folder in (Path.cwd(), *Path.cwd().parents, Path(__file__).parents[2]):
        if (folder / "book" / "results" / name).is_file():
            return folder / "book" / "results" / name
    known = _known()
    if name not in known:
        raise FileNotFoundError(
            f"no such result: {name!r} is neither in a book/results folder above {Path.cwd()} nor on the list."
        )
    kept = cache() / known[name][:16] / name
    if not kept.is_file():
        raw = _fetch(name)
        if (got := hashlib.sha256(raw).hexdigest()) != known[name]:
            raise ValueError(
                f"need {name} with sha256 {known[name][:12]}..., but the repository's is {got[:12]}...; "
                "install the package anew."
            )
        write_atomically(kept, lambda temporary: temporary.write_bytes(raw))
    return kept


def pictures(name: str, side: int, gap: int = 2) -> Tensor:
    """The pictures (N, C, side, side) uint8 of the sheet NAME, row by row, with `gap` pixels between them.

    Raises ValueError for a sheet that pictures of this size do not fill.
    """
    sheet = torch.from_numpy(np.array(Image.open(path(name))))
    sheet = sheet[..., None] if sheet.ndim == 2 else sheet  # (height, width, C)
    if any((length + gap) % (side + gap) for length in sheet.shape[:2]):
        shape = tuple(sheet.shape)
        raise ValueError(f"need a sheet of pictures {side} pixels wide, {gap} apart, but {name} is {shape}.")
    tiles = sheet.unfold(0, side, side + gap).unfold(1, side, side + gap)  # (rows, columns, C, side, side)
    return tiles.flatten(0, 1).contiguous()


def load(name: str, recipe: dict | None = None) -> dict:
    """The results file NAME.json: numbers with the command, commit, device and minutes that made them.

    Raises ValueError for a file without that provenance, and, with `recipe` (see `recipes.described`), for one that
    was made by another: what the file says of its recipe must agree. Files of earlier versions say nothing of it.
    """
    found = json.loads(path(f"{name}.json").read_text())
    missing = [key for key in ("command", "commit", "device", "date", "minutes", "results") if key not in found]
    if missing:
        raise ValueError(f"need a results file with its provenance, but {name}.json lacks {', '.join(missing)}.")
    then = EARLIER | (found.get("recipe") or {})
    for key in sorted(then.keys() & (recipe or {}).keys()):
        if then[key] != recipe[key]:
            raise ValueError(
                f"need a results file of this very recipe, with {key} {recipe[key]!r}, but {name}.json was made with "
                f"{then[key]!r}."
            )
    return found


def model(name: str) -> Model:
    """The trained model NAME.safetensors, held to the sha256 that the package was built with.

    Raises FileNotFoundError as `path` does, CheckpointError for a file that is damaged or another.
    """
    return checkpoint.load(path(f"{name}.safetensors"), _known().get(f"{name}.safetensors"))


def listed(name: str) -> bool:
    """Whether the package was built with a file book/results/NAME."""
    return name in _known()


def _known() -> dict[str, str]:
    return json.loads(resources.files("ddpm_core.book").joinpath(HASHES).read_text())


def _fetch(name: str) -> bytes:
    address = f"{repository()}/raw/main/book/results/{name}"
    try:
        with urllib.request.urlopen(address, timeout=30) as answer:
            return answer.read()
    except OSError as error:
        raise FileNotFoundError(
            f"no such result: {name} is not on this machine, and {address} answered: {error}; try again when it can be "
            "opened, or put the file into a folder book/results here."
        ) from error
