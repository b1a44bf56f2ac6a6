"""What a network is trained on: images, what it is told of each, and the line that says so before the work begins."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from ddpm_core.data.dataset import ImageDataset
from ddpm_core.data.preparation import NAMES
from ddpm_core.networks import conditioning
from ddpm_core.networks.frozen_text import FrozenText
from ddpm_core.recipes import TrainingConfig
from ddpm_core.storage.text_encoder import text_encoder

MOST = 10  # class names in a line


@dataclass(frozen=True)
class TrainingSet:
    """The images, of one class or of all, and what the network is told of each.

    conditions  labels (N,), tokens of captions (N, L), or None for nothing
    vocabulary  of the captions, or the text encoder that reads them, or None
    about       for the checkpoint: names of the classes, prompts to draw by where none is asked for
    """

    images: ImageDataset
    conditions: Tensor | None
    vocabulary: Sequence[str] | None
    about: dict[str, list[str] | None]


def training_set(config: TrainingConfig, images: ImageDataset, only: str | None) -> TrainingSet:
    """By these hyperparameters, of one class if `only` names one.

    Classes are those that occur. Raises ValueError for a class that is not there, and for captions that are to be told
    where there are none, and for a text encoder where none are told.
    """
    if config.text_encoder and not config.sentences:
        raise ValueError(
            f"need captions for the text encoder {config.text_encoder}, but this training tells none; the recipes "
            "shapes and cifar10-text do."
        )
    whole = images.captioned(config.sentences) if config.sentences else images
    kept = whole.of_class(only) if only else whole.with_occurring_classes()
    if not config.sentences:
        kept = kept if config.by_class else kept.without_labels()
        return TrainingSet(kept, kept.labels, None, {"names": kept.names})
    vocabulary = text_encoder(config.text_encoder) if config.text_encoder else conditioning.vocabulary(kept.captions)
    captions = [conditioning.keep_known_words(caption, vocabulary) for caption in kept.captions]
    names = None if only or images.captions is not None else kept.names
    prompts = conditioning.fill_templates(config.sentences[:1], names) if names else list(dict.fromkeys(captions))[:10]
    about = {"names": names, "prompts": [prompt for prompt in prompts if prompt]}
    return TrainingSet(kept.without_labels(), conditioning.encode(captions, vocabulary), vocabulary, about)


def summary(seen: TrainingSet, config: TrainingConfig, only: str | None) -> str:
    """What the training begins with: how many images of which size and colour, their classes, mirrored or not, what was
    left out; then a line for whatever else there is to say of the data."""
    images, found = seen.images, seen.images.inventory
    n, channels, height, width = images.images.shape
    kinds = f" ({_counted(found.kinds)})" if len(found.kinds) > 1 else ""
    parts = [
        f"{n:,} image{'s' * (n > 1)}{kinds} of {height}x{width}", NAMES.get(channels, f"{channels} channels"),
        f"of the class {only}" if only else _told(seen), "mirrored at random" if config.flips else "not mirrored",
    ]  # fmt: skip
    left_out = f"; left out: {_counted(found.left_out)}" if found.left_out else ""
    return "\n".join([", ".join(parts) + left_out, *(f"note: {note}" for note in found.notes)])


def _told(seen: TrainingSet) -> str:
    if isinstance(seen.vocabulary, FrozenText):
        return f"told by captions, read by {seen.vocabulary.name}"
    if seen.vocabulary is not None:
        return f"told by captions of {len(seen.vocabulary)} words"
    if seen.conditions is None:
        return "no classes"
    names = seen.images.class_names
    listed = ", ".join(names[:MOST]) + (f", and {len(names) - MOST} more" if len(names) > MOST else "")
    return f"{len(names)} class{'es' * (len(names) > 1)} ({listed})"


def _counted(kinds: dict[str, int]) -> str:
    return ", ".join(f"{n:,} {kind}" for kind, n in kinds.items())
