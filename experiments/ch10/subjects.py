"""Whose pictures few_steps.py draws: networks of the digits, one a seed, and the book's own network of garments."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from ddpm_core import data, sampler, schedule, trainer, unet
from ddpm_core.book import results
from ddpm_core.diffusion import loss, prediction
from ddpm_core.diffusion.model import Model
from ddpm_core.diffusion.noise import seeded
from ddpm_core.diffusion.prediction import V
from ddpm_core.evaluation import classifier, metrics
from ddpm_core.recipes import RECIPES
from ddpm_core.storage import checkpoint
from ddpm_core.storage.files import file_sha256
from experiments.common import small_trainings
from experiments.common.settings import cached

T1000 = schedule.cosine(1000)
RECIPE = RECIPES["fashion32"]


@dataclass(frozen=True, kw_only=True)
class Settings(small_trainings.Settings):
    """samples: on each; training: steps of the networks of the digits; garment_judging: of the garments' classifier."""

    data: str = RECIPE.data
    samples: dict[str, int] = field(default_factory=lambda: {"digits": 200, "fashion32": 100})
    training: int = 600
    garment_judging: int = 3500

    @property
    def kept(self) -> Path:
        return self.runs / "few_steps"


@dataclass(frozen=True, eq=False)
class Subject:
    """A network that draws from this noise (N, C, H, W), and who judges what it draws."""

    denoise: prediction.Denoise
    x_T: Tensor
    judged: Callable[[Tensor], float]  # uint8 images -> Frechet distance


@dataclass(frozen=True, eq=False)
class Source:
    """A subject for each seed. Files are named after the network that drew and the data that it is compared with."""

    subject: Callable[[int], Subject]
    network: str
    against: str = ""


def subject(model: Model, judge: classifier.Classifier, reference: Tensor, n: int, seed: int) -> Subject:
    """A network that draws equally many of each class, from the noise of this seed."""
    net = model.network.to(memory_format=torch.channels_last)

    def by_class(x_t: Tensor, t: Tensor) -> Tensor:
        return net(x_t, t, labels=sampler.balanced_labels(len(x_t), net.num_classes))

    denoise = prediction.clip_denoised(prediction.denoiser(by_class, model.schedule, model.prediction))
    x_T = torch.randn(n, net.in_channels, *model.about["size"], generator=seeded(9, seed))
    return Subject(denoise, x_T, lambda drawn: round(metrics.frechet(reference, judge.features(drawn)), 4))


def digits(w: small_trainings.World, settings: Settings) -> Source:
    """A network of its own for each seed."""

    def of_seed(seed: int) -> Subject:
        model = checkpoint.load(network(w, seed, settings))
        return subject(model, w.judge, w.features, settings.samples["digits"], seed)

    return Source(of_seed, "digits")


def network(w: small_trainings.World, seed: int, settings: Settings) -> Path:
    """Its folder, and the network in it, trained if it is not there yet."""
    folder = settings.kept / f"network-{seed}"
    if not (folder / checkpoint.MODEL).exists():
        classes = w.known.num_classes
        state = small_trainings.start(
            seed, lambda: unet.UNet(1, small_trainings.CHANNELS, attention=(1,), num_classes=classes)
        )
        batch, labels = small_trainings.BATCH, w.known.labels
        batch_at = data.batches(w.known.images, T1000, batch=batch, seed=seed, labels=labels, label_drop=0.1)
        small_trainings.train(state, batch_at, loss.objective(T1000, V), settings.training)
        about = {"seed": seed, "size": w.known.images.shape[2:]}
        checkpoint.save(folder, trainer.model(state, T1000, V, about))
    return folder


def garments(settings: Settings) -> Source:
    """One network for all seeds."""
    model, real = results.model("fashion32"), data.load(settings.data, "train")
    against = mark(real)
    real = replace(real, images=data.pad_to(real.images, *model.about["size"]))
    judge = classifier.cached(real, steps=settings.garment_judging)
    reference = features(judge, real, settings.kept / f"features{against}.pt")
    name = f"fashion32-{sha256()[:12]}"
    return Source(partial(subject, model, judge, reference, settings.samples["fashion32"]), name, against)


def sha256() -> str:
    """That of the garments' network."""
    return file_sha256(results.path("fashion32.safetensors"))


def mark(real: data.ImageDataset, own: str = RECIPE.pixels_sha256) -> str:
    """What the names of files say of the pictures they were compared with: nothing if those are the recipe's own."""
    return "" if real.pixels_sha256 == own else f"-{real.pixels_sha256[:12]}"


def features(judge: classifier.Classifier, real: data.ImageDataset, file: Path) -> Tensor:
    """The judge's features of the training pictures, kept in the file."""
    return cached(file, lambda: judge.features(real.images))


SOURCES = {"digits": digits, "fashion32": lambda w, settings: garments(settings)}
