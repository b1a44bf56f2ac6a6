"""python -m ddpm_core sample: from a checkpoint to pictures."""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from . import checkpoint, devices, published, recipe, show
from .checkpoint import Trained
from .files import CheckpointError, replace_file


def sample(options: argparse.Namespace) -> int:
    """Draw from a checkpoint into an .npz (images uint8 (N, H, W, C), labels) or a .png grid."""
    if Path(options.out).suffix not in (".npz", ".png"):
        raise ValueError(f"need --out to end in .npz or .png, but got {options.out}.")
    device, trained = devices.check_device(options.device), opened(options.checkpoint)
    how = settings(trained, options.sampler, options.steps) | {"guidance": options.guidance}
    began = time.perf_counter()
    drawn = draw(trained, options.n, options.label, seed=options.seed, device=device, **how)
    seconds = time.perf_counter() - began
    write(Path(options.out), *drawn)
    print(f"{options.out}: {options.n} images, {in_words(how)}, seed {options.seed}, drawn in {seconds:.1f} s")
    return 0


def opened(name: str) -> Trained:
    """A checkpoint of ours, or weights laid out as those that were published with the paper."""
    try:
        return checkpoint.load(name)
    except CheckpointError as error:
        try:
            return published.load(name)
        except CheckpointError:
            raise error from None


def settings(trained: Trained, sampler: str | None, steps: int | None) -> dict:
    """The sampler and the number of steps asked for, by default the checkpoint's own; "ddpm" walks all of them."""
    sampler = sampler or trained.about["sampler"]
    return {"sampler": sampler, "steps": trained.schedule.T if sampler == "ddpm" else steps or trained.about["steps"]}


def in_words(how: dict) -> str:
    """A sampler's settings as they are printed."""
    return f"{how['steps']} steps of {how['sampler']}, guidance {how['guidance']:g}"


def draw(
    trained: Trained, n: int, label: str | None = None, note: Callable[[int], object] = lambda n: None, **how
) -> tuple[Tensor, Tensor | None]:
    """n images uint8 (n, C, H, W) of one class, or of all in turn, and their labels if the network has any.

    note(images) is called with the number of those just finished; `how` as in `recipe.in_parts`.
    """
    labels, parts = _labels(trained, n, label), []
    for part in recipe.in_parts(trained, n, labels=labels, **how):
        parts.append(part)
        note(len(part))
    return torch.cat(parts), labels


def _labels(trained: Trained, n: int, label: str | None) -> Tensor | None:
    if n < 1:
        raise ValueError(f"need at least one image to draw, but got --n {n}.")
    classes = trained.net.num_classes
    if label is None:
        return recipe.every_label(n, classes) if classes else None
    if not classes:
        raise ValueError(f"this model has no classes to choose from, but got --label {label}.")
    names = trained.about["names"] or []
    number = names.index(label) if label in names else int(label) if label.isdigit() else -1
    return torch.full((n,), number)


def write(path: Path, images: Tensor, labels: Tensor | None) -> None:
    """A grid of ten a row, or arrays, whole or not at all."""
    if path.suffix == ".png":
        enlarge = max(1, 32 // images.shape[-1])
        sheet = show.tile(images, columns=10, enlarge=enlarge)
        replace_file(path, lambda temporary: sheet.save(temporary, format="png"))
    else:
        arrays = {"images": images.permute(0, 2, 3, 1).numpy()}
        arrays |= {} if labels is None else {"labels": labels.numpy()}
        replace_file(path, lambda temporary: _savez(temporary, arrays))


def _savez(path: Path, arrays: dict[str, np.ndarray]) -> None:
    with open(path, "wb") as stream:  # numpy would add a second suffix to a name
        np.savez_compressed(stream, **arrays)
