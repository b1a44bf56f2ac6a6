"""python -m ddpm_core sample: from a checkpoint to pictures."""

import argparse
import contextlib
import time
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from ddpm_core import data, sampler
from ddpm_core.cli import outputs
from ddpm_core.data.folder import drawn_by_us
from ddpm_core.diffusion.model import Model
from ddpm_core.networks import conditioning
from ddpm_core.recipes.config import TrainingConfig
from ddpm_core.storage import pretrained
from ddpm_core.storage.files import write_atomically
from ddpm_core.training import devices


def sample(options: argparse.Namespace) -> int:
    """Draw from a checkpoint into an .npz (images uint8 (N, H, W, C), labels) or a .png grid."""
    if Path(options.out).suffix not in (".npz", ".png"):
        raise ValueError(f"need --out to end in .npz or .png, but got {options.out}.")
    outputs.try_file(options.out, "--out")
    device, model = devices.check_device(options.device), pretrained.from_pretrained(options.checkpoint)
    how = settings(model, options.sampler, options.steps) | {"guidance": options.guidance}
    captions = None if options.prompt is None else [options.prompt]
    if captions and not conditioning.tokenize(options.prompt):
        raise ValueError(f"need words to draw by, but got --prompt {options.prompt!r}.")
    began = time.perf_counter()
    drawn = draw(model, options.n, options.label, captions, seed=options.seed, device=device, **how)
    seconds = time.perf_counter() - began
    write(Path(options.out), *drawn)
    print(f"{options.out}: {options.n} images, {in_words(how)}, seed {options.seed}, drawn in {seconds:.1f} s")
    return 0


def settings(model: Model, name: str | None, steps: int | None) -> dict:
    """The sampler and the number of steps asked for, by default the checkpoint's own, else a recipe's.

    Raises ValueError for a sampler that is not there, and for "ddpm", which walks all T steps, in another number.
    """
    about, T = model.about, model.schedule.T
    name = name or about.get("sampler", TrainingConfig.sampler)
    if name not in sampler.SAMPLERS:
        raise ValueError(f"need one of the samplers {', '.join(sampler.SAMPLERS)}, but got --sampler {name}.")
    if name == "ddpm" and steps not in (None, T):
        raise ValueError(f"need all T = {T} steps for the sampler ddpm, but got --steps {steps}; ddim takes fewer.")
    by_default = T if name == "ddpm" else about.get("steps", min(TrainingConfig.steps, T))
    return {"sampler": name, "steps": steps or by_default}


def in_words(how: dict) -> str:
    """A sampler's settings as they are printed."""
    return f"{how['steps']} steps of {how['sampler']}, guidance {how['guidance']:g}"


def draw(
    model: Model,
    n: int,
    label: str | None = None,
    captions: Sequence[str] | None = None,
    **how,
) -> tuple[Tensor, Tensor | None]:
    """n images uint8 (n, C, H, W) of one class or by these captions in turn, and their classes, if they have any.

    By default all classes come in turn, or the captions that the checkpoint names. `how` as in `sampler.draw_batches`.
    A bar shows each call of the network, if it takes more than a second.
    """
    if n < 1:
        raise ValueError(f"need at least one image to draw, but got --n {n}.")
    labels, classes = _asked(model, n, label, captions)
    calls = n * how.get("steps", TrainingConfig.steps) * (2 if how.get("guidance") else 1)
    with _watched(model.network, calls, f"drawing {n:,} images"):
        return torch.cat(list(sampler.draw_batches(model, n, labels=labels, **how))), classes


@contextlib.contextmanager
def _watched(network: nn.Module, calls: int, what: str) -> Iterator[None]:
    """A bar that moves with each call of the network, by its images, up to so many."""
    with tqdm(total=calls, desc=what, bar_format="{l_bar}{bar}| {elapsed}<{remaining}", delay=1, leave=False) as bar:

        def called(_: nn.Module, inputs: tuple, output: Tensor) -> None:
            bar.update(len(output))

        hook = network.register_forward_hook(called)
        try:
            yield
        finally:
            hook.remove()


def _asked(
    model: Model, n: int, label: str | None, captions: Sequence[str] | None
) -> tuple[Tensor | None, Tensor | None]:
    """What the network is told, n times, and which classes that means, (n,); None for nothing."""
    vocabulary = model.network.vocabulary
    if captions is not None and vocabulary is None:
        raise ValueError(f"need a model that is told captions to draw {captions[0]!r}, but this one is not.")
    classes = _classes(model, n, label) if captions is None else None
    if vocabulary is None:
        return classes, classes
    said = captions or model.about.get("prompts")  # which are one for each class, if there are classes
    if not said:
        raise ValueError("need a caption to draw by, as --prompt has it, since the model's file names none.")
    which = sampler.balanced_labels(n, len(said)) if classes is None else classes
    return conditioning.encode([said[k] for k in which], vocabulary), classes


def _classes(model: Model, n: int, label: str | None) -> Tensor | None:
    """n times the class of this number or name, or all in turn; None for a network that knows none."""
    names, net = model.about.get("names") or [], model.network
    label = None if label is None else unicodedata.normalize("NFC", label)
    many = net.num_classes if net.vocabulary is None else len(names)
    if label is None:
        return sampler.balanced_labels(n, many) if many else None
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


def write(path: Path, images: Tensor, labels: Tensor | None) -> None:
    """A grid of at most ten a row, or arrays, whole or not at all."""
    if path.suffix == ".png":
        enlarge = max(1, 32 // images.shape[-1])
        sheet = data.tile(images, columns=min(10, len(images)), enlarge=enlarge)
        write_atomically(path, lambda temporary: sheet.save(temporary, "png", pnginfo=drawn_by_us()))
    else:
        arrays = {"images": images.permute(0, 2, 3, 1).numpy()}
        arrays |= {} if labels is None else {"labels": labels.numpy()}
        write_atomically(path, lambda temporary: _savez(temporary, arrays))


def _savez(path: Path, arrays: dict[str, np.ndarray]) -> None:
    with open(path, "wb") as stream:  # numpy would add a second suffix to a name
        np.savez_compressed(stream, **arrays)
