"""What the experiments on digits share: the split, one training run, its samples, its bound."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ddpm_core import bound, data, evaluate, recipe, sampler, trainer, unet
from ddpm_core.predict import Prediction
from ddpm_core.schedule import Schedule
from ddpm_core.seeds import seeded
from ddpm_core.variance import Variance

CHANNELS, BATCH, LR = (32, 64), 64, 2e-3
HELD_OUT = 360  # digits that no network of these experiments is trained on: the bound is measured on them


@dataclass(frozen=True, eq=False)
class World:
    """Digits to train on, digits held out, and a classifier's features of all of them."""

    known: data.Images
    held: Tensor
    judge: evaluate.Judge
    features: Tensor


def world() -> World:
    digits = data.load_images("digits")
    order = torch.randperm(len(digits), generator=seeded(0))
    known = replace(digits, images=digits.images[order[HELD_OUT:]], labels=digits.labels[order[HELD_OUT:]])
    judge = evaluate.train_judge(digits, steps=600)
    return World(known, data.to_float(digits.images[order[:HELD_OUT]]), judge, judge.features(digits.images))


def start(seed: int) -> trainer.State:
    """A fresh U-Net without labels, and its trainer."""
    torch.manual_seed(seed)
    return trainer.start(unet.UNet(1, CHANNELS, attention=(1,)), lr=LR, device="cpu")


def batches(w: World, schedule: Schedule, seed: int):
    return recipe.batches(w.known.images, None, schedule, batch=BATCH, seed=seed)


def denoiser(state: trainer.State, schedule: Schedule, predict: Prediction) -> sampler.Denoise:
    """The averaged network's x0_hat, held to [-1, 1] as in the paper's code."""
    return sampler.clamped(sampler.denoiser(trainer.averaged(state), schedule, predict))


def remembered(denoise: sampler.Denoise) -> sampler.Denoise:
    """Asks once for each t: for the same digits and the same noise under one variance after the other."""
    answers = {}

    def recall(x_t: Tensor, t: Tensor) -> Tensor:
        now = int(t[0])
        if now not in answers:
            answers[now] = denoise(x_t, t)
        return answers[now]

    return recall


def judged(w: World, images: Tensor) -> float:
    """Frechet distance of float images to all digits, in the classifier's features."""
    return round(evaluate.frechet(w.features, w.judge.features(data.to_uint8(images))), 3)


def priced(w: World, denoise: sampler.Denoise, schedule: Schedule, variance: Variance) -> dict[str, float]:
    """The bound on the held-out digits in bits per dimension, and its parts."""
    rows = bound.bits_per_dim(bound.terms(denoise, schedule, w.held, seeded(5), variance), w.held).mean(1)
    parts = {"bound": rows.sum(), "L_T": rows[0], "L_t": rows[2:].sum(), "L_0": rows[1]}
    return {name: float(f"{value.item():.4g}") for name, value in parts.items()}


def x_T(n: int) -> Tensor:
    """The same noise for every network."""
    return torch.randn(n, 1, 8, 8, generator=seeded(9))
