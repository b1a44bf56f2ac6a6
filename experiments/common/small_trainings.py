"""What the experiments on digits share: the split, a training, its samples, its errors and its bound."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ddpm_core import data, sampler, trainer, unet
from ddpm_core.diffusion import gaussian, loss, prediction, timesteps
from ddpm_core.diffusion.noise import seeded
from ddpm_core.diffusion.prediction import Prediction
from ddpm_core.diffusion.variance import Variance
from ddpm_core.evaluation import classifier, metrics
from ddpm_core.schedule import Schedule
from ddpm_core.training.state import TrainState
from experiments.common import bounds
from experiments.common.results_file import significant
from experiments.common.settings import Folders

Network = Callable[[], nn.Module]  # makes a fresh one
CHANNELS, BATCH, LR = (32, 64), 64, 2e-3
BANDS = 10  # equal stretches of t: 1..100, 101..200, ...


@dataclass(frozen=True, kw_only=True)
class Settings(Folders):
    """held_out: digits that no network is trained on; the bound is measured on them. judging: the judge's steps."""

    seeds: tuple[int, ...] = (0, 1, 2)
    held_out: int = 360
    judging: int = 600


BOOK = Settings()


@dataclass(frozen=True, eq=False)
class World:
    """Digits to train on, digits held out, and a classifier's features of all of them."""

    known: data.ImageDataset
    held: Tensor
    judge: classifier.Classifier
    features: Tensor


def world(settings: Settings = BOOK) -> World:
    digits = data.load("digits")
    order = torch.randperm(len(digits), generator=seeded(0))
    held, known = order[: settings.held_out], order[settings.held_out :]
    judge = classifier.train(digits, steps=settings.judging)
    return World(digits.take(known), data.to_float(digits.images[held]), judge, judge.features(digits.images))


# ---- training --------------------------------------------------------------------------------------------------


def network() -> unet.UNet:
    return unet.UNet(1, CHANNELS, attention=(1,))


def start(seed: int, make: Network = network) -> TrainState:
    """A fresh network, by default a U-Net without labels, and its trainer."""
    torch.manual_seed(seed)
    return trainer.start(make(), lr=LR, device="cpu")


def batches(w: World, schedule: Schedule, seed: int):
    return data.batches(w.known.images, schedule, batch=BATCH, seed=seed)


def trained(
    w: World, schedule: Schedule, predict: Prediction, seed: int, steps: int, make: Callable[[], nn.Module] = network
) -> TrainState:
    """A network after so many steps of the unweighted loss."""
    return train(start(seed, make), batches(w, schedule, seed), loss.objective(schedule, predict), steps)


def train(state: TrainState, batch_at: Callable, objective: Callable, steps: int) -> TrainState:
    """`trainer.run` to its end."""
    deque(trainer.run(state, batch_at, objective, steps=steps), maxlen=0)
    return state


def denoiser(state: TrainState, schedule: Schedule, predict: Prediction) -> prediction.Denoise:
    """The averaged network's x0_hat, held to [-1, 1] as in the paper's code."""
    return prediction.clip_denoised(prediction.denoiser(trainer.ema_model(state), schedule, predict))


# ---- drawing ---------------------------------------------------------------------------------------------------


def x_T(n: int) -> Tensor:
    """The same noise for every network."""
    return torch.randn(n, 1, 8, 8, generator=seeded(9))


def drawn(denoise: prediction.Denoise, schedule: Schedule, n: int, seed: int, calls: int = 50) -> Tensor:
    """n digits by DDIM with eta 1."""
    times = timesteps.uniform(schedule, calls)
    return sampler.final(sampler.ddim(denoise, schedule, x_T(n), times, eta=1.0, generator=seeded(seed, 3)))


# ---- judging ---------------------------------------------------------------------------------------------------


def judged(w: World, images: Tensor) -> float:
    """Frechet distance of float images to all digits, in the classifier's features."""
    return round(metrics.frechet(w.features, w.judge.features(data.to_uint8(images))), 3)


def remembered(denoise: prediction.Denoise) -> prediction.Denoise:
    """Calls the network once for each t: for the same digits and the same noise under one variance after the other."""
    said = {}

    def recall(x_t: Tensor, t: Tensor) -> Tensor:
        now = int(t[0])
        if now not in said:
            said[now] = denoise(x_t, t)
        return said[now]

    return recall


def priced(w: World, denoise: prediction.Denoise, schedule: Schedule, variance: Variance) -> dict[str, float]:
    """The bound on the held-out digits in bits per dimension, and its parts."""
    return bounds.discrete(denoise, schedule, w.held, variance)


def bands(schedule: Schedule) -> list[list[int]]:
    """The first and the last time of each."""
    width = schedule.T // BANDS
    return [[1 + band * width, (band + 1) * width] for band in range(BANDS)]


def band_times(schedule: Schedule, band: int, n: int) -> Tensor:
    """n times spread evenly over one band."""
    width = schedule.T // BANDS
    return 1 + band * width + torch.linspace(0, width - 1, n).round().long()


@torch.no_grad()
def errors(w: World, net: nn.Module, schedule: Schedule, predict: Prediction) -> list[float]:
    """The unweighted loss on held-out digits, band by band of t, each digit at one time of the band."""
    found = []
    for band in range(BANDS):
        t, eps = band_times(schedule, band, len(w.held)), torch.randn(w.held.shape, generator=seeded(11, band))
        x_t = gaussian.q_sample(schedule, w.held, t, eps)
        found.append(significant((predict.target(schedule, w.held, x_t, t, eps) - net(x_t, t)).square().mean()))
    return found
