"""How chapter 16 looks at drawn cars: beside the club's own 5,000, by a judge of all ten classes, and by the bound."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ddpm_core import data
from ddpm_core.diffusion.noise import seeded
from ddpm_core.evaluation import classifier, metrics
from ddpm_core.networks.flops import parameter_count
from experiments.ch16.rungs import LADDER, Rung, denoiser
from experiments.ch16.trainings import EVERY_MINUTE, Rhythm
from experiments.common import bounds
from experiments.common.settings import Folders

SHOWN = 10  # pictures a model


@dataclass(frozen=True, kw_only=True)
class Settings(Folders):
    """samples: cars drawn by a model; priced: held-out cars for its bound; judging: steps of the classifier."""

    data: str = "uoft-cs/cifar10"
    samples: int = 1000
    priced: int = 32
    device: str | None = None
    judging: int = 3500
    ladder: tuple[Rung, ...] = LADDER
    rhythm: Rhythm = EVERY_MINUTE


@dataclass(frozen=True, eq=False)
class World:
    """The cars of one size, known and held out, and the features of the known ones to a judge of all ten classes."""

    known: Tensor
    held: Tensor
    judge: classifier.Classifier
    features: Tensor
    kind: int
    sha256: str


def world(settings: Settings, side: int, only: str = "automobile") -> World:
    def small(split: str) -> data.ImageDataset:
        images = data.load(settings.data, split)
        return replace(images, images=data.shrink(images.images, images.images.shape[-1] // side))

    train, test = small("train"), small("test")
    judge = classifier.cached(train, steps=settings.judging)
    known = train.of_class(only).images
    return World(
        known, test.of_class(only).images, judge, judge.features(known), train.names.index(only), train.sha256
    )  # fmt: skip


def price(rung: Rung, net: nn.Module, w: World, images: int, device: str) -> dict | None:
    """Bits per dimension on held-out cars where there is a bound: the discrete one, variance beta; with T = 1000 also
    the continuous one, which compares across schedules."""
    s = rung.way.schedule
    if s is None or not images:
        return None
    x0, denoise = data.to_float(w.held[:images]).to(device), denoiser(rung, net)
    found = bounds.discrete(denoise, s, x0)
    return found | ({"continuous": bounds.continuous(denoise, s, x0)} if s.T == 1000 else {})


def drawn_by(rung: Rung, net: nn.Module, w: World, seed: int, settings: Settings) -> Tensor:
    """Cars drawn as the rung does, uint8, from the same x_T for every rung."""
    with torch.no_grad():
        x_T = torch.randn(settings.samples, *w.known.shape[1:], generator=seeded(9)).to(settings.device)
        parts = [rung.draws(rung, net, x, seed + k).cpu() for k, x in enumerate(x_T.split(250))]
    return data.to_uint8(torch.cat(parts))


def judged(rung: Rung, net: nn.Module, w: World, drawn: Tensor, settings: Settings) -> dict:
    """What the judge says of cars that it drew, and what the bound says of the network."""
    return {
        "parameters": parameter_count(net),
        "frechet": round(metrics.frechet(w.features, w.judge.features(drawn)), 3),
        "recognised": round(w.judge.accuracy(drawn, torch.full((len(drawn),), w.kind)), 4),
        "edges": round(metrics.sharpness(drawn) / metrics.sharpness(w.known), 3),
        "bits_per_dim": price(rung, net, w, settings.priced, settings.device),
        "pictures": drawn[:SHOWN],
    }  # fmt: skip


def real(w: World, samples: int) -> dict[str, float]:
    """What the judge says of held-out cars."""
    return {
        "frechet": round(metrics.frechet(w.features, w.judge.features(w.held[:samples])), 3),
        "recognised": round(w.judge.accuracy(w.held, torch.full((len(w.held),), w.kind)), 4),
    }


def nearest(images: Tensor, known: Tensor, rows: int = 100) -> tuple[Tensor, Tensor]:
    """Distance (N,) of each image to the nearest known one or its mirror image, and to the nearest of all others:
    root mean square over the pixels, in grey values."""
    both = torch.stack([known, known.flip(-1)], dim=1).flatten(2).float()  # (M, 2, C H W)
    found = []
    for part in images.flatten(1).float().split(rows):
        apart = torch.cdist(part, both.flatten(0, 1)).reshape(len(part), -1, 2).amin(2)  # (rows, M)
        found.append(apart.topk(2, largest=False).values / both.shape[2] ** 0.5)
    return torch.cat(found).unbind(1)


def copied(images: Tensor, known: Tensor) -> dict[str, float]:
    """How near the images come to known ones, and the share that lie three times nearer to one than to any other."""
    first, second = nearest(images, known)
    return {
        "nearest": round(first.median().item(), 2), "nearest_of_all": round(first.min().item(), 2),
        "copies": round((3 * first < second).double().mean().item(), 4),
    }  # fmt: skip
