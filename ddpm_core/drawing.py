"""python -m ddpm_core sample: from a checkpoint to pictures."""

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from . import checkpoint, devices, published, recipe, show, told
from .checkpoint import Trained
from .files import CheckpointError, replace_file
from .images import Images
from .recipe import Recipe
from .seeds import seeded


def sample(options: argparse.Namespace) -> int:
    """Draw from a checkpoint into an .npz (images uint8 (N, H, W, C), labels) or a .png grid."""
    if Path(options.out).suffix not in (".npz", ".png"):
        raise ValueError(f"need --out to end in .npz or .png, but got {options.out}.")
    device, trained = devices.check_device(options.device), opened(options.checkpoint)
    how = settings(trained, options.sampler, options.steps) | {"guidance": options.guidance}
    captions = None if options.prompt is None else [options.prompt]
    if captions and not told.words(options.prompt):
        raise ValueError(f"need words to draw by, but got --prompt {options.prompt!r}.")
    began = time.perf_counter()
    drawn = draw(trained, options.n, options.label, captions, seed=options.seed, device=device, **how)
    seconds = time.perf_counter() - began
    write(Path(options.out), *drawn)
    print(f"{options.out}: {options.n} images, {in_words(how)}, seed {options.seed}, drawn in {seconds:.1f} s")
    return 0


def opened(name: str) -> Trained:
    """A checkpoint of ours, or weights laid out as those that were published with the paper.

    The Hub is asked only for what cannot be a path: where the folder around it is here, so would the checkpoint be.
    """
    path = Path(name).expanduser()
    try:
        return checkpoint.load(name)
    except CheckpointError as error:
        if path.parent.exists() and not path.is_dir():
            raise
        try:
            return published.load(name)
        except CheckpointError:
            raise error from None


def settings(trained: Trained, sampler: str | None, steps: int | None) -> dict:
    """The sampler and the number of steps asked for, by default the checkpoint's own, else a recipe's.

    "ddpm" walks all T steps: raises ValueError for another number.
    """
    about, T = trained.about, trained.schedule.T
    sampler = sampler or about.get("sampler", Recipe.sampler)
    if sampler == "ddpm" and steps not in (None, T):
        raise ValueError(f"need all T = {T} steps for the sampler ddpm, but got --steps {steps}; ddim takes fewer.")
    by_default = T if sampler == "ddpm" else about.get("steps", min(Recipe.steps, T))
    return {"sampler": sampler, "steps": steps or by_default}


def in_words(how: dict) -> str:
    """A sampler's settings as they are printed."""
    return f"{how['steps']} steps of {how['sampler']}, guidance {how['guidance']:g}"


def draw(
    trained: Trained,
    n: int,
    label: str | None = None,
    captions: Sequence[str] | None = None,
    note: Callable[[int], object] = lambda n: None,
    **how,
) -> tuple[Tensor, Tensor | None]:
    """n images uint8 (n, C, H, W) of one class or by these captions in turn, and their classes, if they have any.

    By default all classes come in turn, or the captions that the checkpoint names. note(images) is called with the
    number of those just finished; `how` as in `recipe.in_parts`.
    """
    if n < 1:
        raise ValueError(f"need at least one image to draw, but got --n {n}.")
    (labels, classes), parts = _asked(trained, n, label, captions), []
    for part in recipe.in_parts(trained, n, labels=labels, **how):
        parts.append(part)
        note(len(part))
    return torch.cat(parts), classes


def _asked(
    trained: Trained, n: int, label: str | None, captions: Sequence[str] | None
) -> tuple[Tensor | None, Tensor | None]:
    """What the network is told, n times, and which classes that means, (n,); None for nothing."""
    vocabulary = trained.net.vocabulary
    if captions is not None and vocabulary is None:
        raise ValueError(f"need a model that is told captions to draw {captions[0]!r}, but this one is not.")
    classes = _classes(trained, n, label) if captions is None else None
    if vocabulary is None:
        return classes, classes
    said = captions or trained.about.get("prompts")  # which are one for each class, if there are classes
    if not said:
        raise ValueError("need a caption to draw by, as --prompt has it, since the model's file names none.")
    which = recipe.every_label(n, len(said)) if classes is None else classes
    return told.tokens([said[k] for k in which], vocabulary), classes


def _classes(trained: Trained, n: int, label: str | None) -> Tensor | None:
    """n times the class of this number or name, or all in turn; None for a network that knows none."""
    names, net = trained.about.get("names") or [], trained.net
    many = net.num_classes if net.vocabulary is None else len(names)
    if label is None:
        return recipe.every_label(n, many) if many else None
    if not many:
        raise ValueError(f"this model has no classes to choose from, but got --label {label}.")
    number = names.index(label) if label in names else int(label) if label.isdigit() else -1
    if not 0 <= number < many:
        raise ValueError(
            f"need one of the labels in 0..{many - 1}{_or(names)} for this model, but got --label {label}."
        )
    return torch.full((n,), number)


def _or(names: list[str]) -> str:
    return f" or one of {', '.join(names)}" if names else ""


def told_of(trained: Trained, images: Images) -> Tensor | None:
    """What the network is told of each image: its label (N,), the tokens of its caption (N, L), or None for nothing.

    Raises ValueError for a network that is told classes and images without.
    """
    if trained.net.vocabulary is not None:
        said = images.captioned(trained.about["settings"]["sentences"]).captions
        return told.tokens([told.heard(caption, trained.net.vocabulary) for caption in said], trained.net.vocabulary)
    if trained.net.num_classes is not None and images.labels is None:
        raise ValueError(f"need labels for a model that is told classes, but {images.source} has none.")
    return None if trained.net.num_classes is None else images.labels


def captions_like(images: Images, trained: Trained, n: int, seed: int) -> list[str] | None:
    """n captions drawn at random from those of the images, for a model that is told such; else None."""
    if trained.net.vocabulary is None or images.captions is None:
        return None
    rows = torch.randint(len(images), (n,), generator=seeded(seed, 4)).tolist()
    return [told.heard(images.captions[row], trained.net.vocabulary) for row in rows]


def write(path: Path, images: Tensor, labels: Tensor | None) -> None:
    """A grid of at most ten a row, or arrays, whole or not at all."""
    if path.suffix == ".png":
        enlarge = max(1, 32 // images.shape[-1])
        sheet = show.tile(images, columns=min(10, len(images)), enlarge=enlarge)
        replace_file(path, lambda temporary: sheet.save(temporary, format="png"))
    else:
        arrays = {"images": images.permute(0, 2, 3, 1).numpy()}
        arrays |= {} if labels is None else {"labels": labels.numpy()}
        replace_file(path, lambda temporary: _savez(temporary, arrays))


def _savez(path: Path, arrays: dict[str, np.ndarray]) -> None:
    with open(path, "wb") as stream:  # numpy would add a second suffix to a name
        np.savez_compressed(stream, **arrays)
