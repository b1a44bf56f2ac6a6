"""What chapter 13's experiments on shapes share: a training by the recipe, and what the exact reader says of it."""

from collections import Counter
from pathlib import Path

import torch

from ddpm_core import sampler
from ddpm_core.cli import train
from ddpm_core.data import shapes
from ddpm_core.diffusion.model import Model
from ddpm_core.evaluation import shape_reader
from ddpm_core.networks import conditioning
from ddpm_core.recipes import Recipe
from ddpm_core.storage import checkpoint
from experiments.common.results_file import significant

FOUR = ("colour", "shape", "size", "place")
PARTS = {"seen": "validation", "unseen": "test"}  # scenes of training, and scenes with a pair that it never had


def trained(recipe: Recipe, seed: int, folder: Path, name: str | None = None) -> Model:
    """The model that a recipe for shapes leads to with this seed; gone on with where it was stopped.

    Raises SystemExit if it was stopped again.
    """
    resume = (folder / checkpoint.TRAINING).exists()
    job = train.Job(recipe, {}, name, folder, "cpu", seed, resume, 1, False, None, 60.0)
    if not finished(recipe, folder) and train.carried_out(job) != 0:
        raise SystemExit(1)
    return checkpoint.load(folder)


def finished(recipe: Recipe, folder: Path) -> bool:
    """Whether the training that lies in this folder came to its end."""
    if not (folder / checkpoint.MODEL).is_file():
        return False
    about = checkpoint.load(folder).about
    if recipe.steps is None:
        return about["minutes"] > recipe.minutes - 0.01
    return about["trained_steps"] >= recipe.steps


def judged(model: Model, part: str, n: int, **how) -> dict[str, float]:
    """n pictures by captions of one part: the share with all four attributes right, with each, and of clean ones."""
    asked = shapes.dataset(PARTS[part], n)
    tokens = conditioning.encode(asked.captions, model.network.vocabulary)
    drawn = sampler.draw(model, n, labels=tokens, **how)
    return verdict(drawn, asked.captions)


def verdict(drawn: torch.Tensor, captions: list[str]) -> dict[str, float]:
    """What the exact reader says of pictures beside their captions."""
    readings = shape_reader.nearest(drawn)
    right, said, four = Counter(), Counter(), 0
    for reading, caption in zip(readings, captions, strict=True):
        by_kind = shape_reader.right(reading, caption)
        four += all(by_kind[kind] for kind in FOUR)
        said.update(by_kind.keys())
        right.update(kind for kind, so in by_kind.items() if so)
    residuals = torch.tensor([reading.residual for reading in readings])
    return {
        "four": significant(four / len(readings)),
        **{kind: significant(right[kind] / said[kind]) for kind in shapes.KINDS},
        "clean": significant(sum(map(shape_reader.is_clean, readings)) / len(readings)),
        "residual": significant(residuals.median()),
    }
