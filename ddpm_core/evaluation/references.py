"""Real pictures to hold drawn ones against: those that a model was trained on, and held-out ones of the same kind."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ddpm_core import data
from ddpm_core.data import ImageDataset, pad_to
from ddpm_core.diffusion.model import Model
from ddpm_core.diffusion.noise import seeded
from ddpm_core.evaluation import classifier
from ddpm_core.evaluation.classifier import Classifier
from ddpm_core.evaluation.metrics import frechet, sharpness
from ddpm_core.networks import conditioning
from ddpm_core.storage.hub import Absent


@dataclass(frozen=True, eq=False)
class References:
    """The real images: those of the training split, held-out ones of the same kind or None, and their judge or None.

    kind is the number of the one class that the model was made for, or None; then they are of this class alone.
    as_read is the training split before it was padded, and with all its classes.
    """

    known: ImageDataset
    held_out: ImageDataset | None
    judge: Classifier | None
    kind: int | None
    as_read: ImageDataset

    def is_what_it_was_trained_on(self, model: Model) -> bool:
        """Whether these are the very files, or the very pixels, that the model's file names; True if it names none."""
        hashes = {model.about.get("data_sha256"), model.about.get("pixels_sha256")} - {None}
        return not hashes or self.as_read.sha256 in hashes or self.as_read.pixels_sha256 in hashes


def real_images(source: str, model: Model) -> References:
    """The data set that the model was trained on, brought to its size and colours as then, and its judge.

    Held out is the split "test", or nothing; its classes are numbered as the model's, and those that it does not know
    are left out. Raises ValueError for images that are not of its kind.
    """
    about, prepared = model.about, model.about.get("prepared") or {}
    as_read = data.load(source, **prepared)
    if (channels := as_read.images.shape[1]) != model.network.in_channels:
        wanted = model.network.in_channels
        raise ValueError(f"need images of {wanted} channels, as the model draws them, but {source}'s have {channels}.")
    names = about.get("names")
    known = as_read.with_classes(names) if names else as_read.with_occurring_classes()
    splits = [_padded(known, about["size"])]
    with contextlib.suppress(Absent):
        splits.append(_padded(data.load(source, "test", **prepared).with_classes(known.class_names), about["size"]))
    known, held_out = (*splits, None)[:2]
    judge = None if known.labels is None else classifier.cached(known, steps=600 if max(about["size"]) <= 16 else 3500)
    if (only := about.get("only")) is None:
        return References(known, held_out, judge, None, as_read)
    numbers = known.classes_called(only)
    if held_out is not None:  # one without labels, or without this class, has nothing to be held against
        there = held_out.labels is not None and torch.isin(held_out.labels, torch.tensor(numbers)).any()
        held_out = held_out.of_class(only) if there else None
    return References(known.of_class(only), held_out, judge, numbers[0] if len(numbers) == 1 else None, as_read)


def _padded(images: ImageDataset, size: list[int]) -> ImageDataset:
    """The same object where there is nothing to pad: it knows the hash of its pixels."""
    padded = pad_to(images.images, *size)
    return images if padded is images.images else replace(images, images=padded)


def sample_quality(real: References, drawn: Tensor, labels: Tensor | None, seed: int) -> dict[str, dict]:
    """Drawn images beside as many held-out ones, or all: recognised, Fréchet distance to the training images, edges."""
    held = real.held_out
    if held is not None:
        held = held.take(torch.randperm(len(held), generator=seeded(seed, 1))[: len(drawn)])

    def pair(measure: Callable[[Tensor, Tensor | None], float | None]) -> dict[str, float | None]:
        return {
            "drawn": _rounded(measure(drawn, labels)),
            "real": None if held is None else _rounded(measure(held.images, held.labels)),
        }

    def share(images: Tensor, of: Tensor | None) -> float | None:
        if of is None and real.kind is None:
            return None  # a held-out split whose labels are kept back
        return real.judge.accuracy(images, torch.full((len(images),), real.kind) if of is None else of)

    found = {}
    if real.judge is not None and (labels is not None or real.kind is not None):
        found["recognised"] = pair(share)
    if real.judge is not None and min(len(real.known), len(drawn)) > 1:  # one has no spread
        reference = real.judge.features(real.known.images)
        found["frechet"] = pair(
            lambda images, _: frechet(reference, real.judge.features(images)) if len(images) > 1 else None
        )
    edges = sharpness(drawn), sharpness((held or real.known).images)
    return found | {"edges": {"drawn": round(edges[0], 4), "real": round(edges[1], 4)}}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def conditions_of(model: Model, images: ImageDataset) -> Tensor | None:
    """What the network is told of each image: its label (N,), the tokens of its caption (N, L), or None for nothing.

    Raises ValueError for a network that is told classes and images without.
    """
    vocabulary = model.network.vocabulary
    if vocabulary is not None:
        said = images.captioned(model.about["settings"]["sentences"]).captions
        return conditioning.encode([conditioning.keep_known_words(text, vocabulary) for text in said], vocabulary)
    if model.network.num_classes is not None and images.labels is None:
        raise ValueError(f"need labels for a model that is told classes, but {images.source} has none.")
    return None if model.network.num_classes is None else images.labels


def captions_like(images: ImageDataset, model: Model, n: int, seed: int) -> list[str] | None:
    """n captions drawn at random from those of the images, for a model that is told such; else None."""
    if model.network.vocabulary is None or images.captions is None:
        return None
    rows = torch.randint(len(images), (n,), generator=seeded(seed, 4)).tolist()
    return [conditioning.keep_known_words(images.captions[row], model.network.vocabulary) for row in rows]
