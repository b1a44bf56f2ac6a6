"""The hyperparameters of a training: which network, schedule, prediction and loss, and with which sampler to draw.

A `TrainingConfig` is a value with a reason beside each number. Which data it is meant for and how long it takes stands
in a `Recipe`.
"""

import dataclasses
from dataclasses import dataclass

from ddpm_core.data.dataset import ImageDataset
from ddpm_core.data.times import Times, logit_normal, times_name
from ddpm_core.diffusion.loss import Weighting, sample_timesteps, uniform, weighting_name
from ddpm_core.diffusion.prediction import EPS, Prediction, V
from ddpm_core.schedule import Schedule, cosine, linear
from ddpm_core.training.optimizers import Optimizer, adam, muon, optimizer_name
from ddpm_core.unet import UNet

COSINE = cosine(1000)
# What earlier files do not say.
EARLIER = {"optimizer": "adam", "times": "uniform", "cross_attention": [], "text_encoder": None}


@dataclass(frozen=True)
class TrainingConfig:
    """Everything but the data and the seed."""

    channels: tuple[int, ...]  # widths of the U-Net's levels
    attention: tuple[int, ...]  # levels that attend: where there are at most 8x8 positions
    cross_attention: tuple[int, ...] = ()  # levels that ask each word of the caption; else one vector says it all
    blocks: int = 1  # residual blocks a level, down and up; the paper has 2
    patch: int = 1  # 2 from 28x28 up: on a CPU full resolution costs eight times as much
    dropout: float = 0.0
    flips: bool = False  # mirroring: yes for cars, no for digits and shoes, and for nobody's own unless asked
    schedule: Schedule = COSINE  # fades evenly at small sizes, where the linear one is noise too early
    predict: Prediction = V  # well-conditioned at both ends of the chain
    weight: Weighting = uniform
    times: Times = sample_timesteps
    batch: int = 64  # many small steps beat few large ones in a short run
    optimizer: Optimizer = adam
    lr: float = 2e-3  # Adam's; Muon has its own beside it
    ema_decay: float = 0.999
    by_class: bool = True  # told the label, where images have one; the paper's network is not
    sentences: tuple[str, ...] = ()  # told a caption instead: the data's own, else one of these about the class's name
    text_encoder: str | None = None  # that others have trained, a CLIP's by its name; else one is trained along
    label_drop: float = 0.1  # share of labels hidden, for guidance's unconditional side  [Ho and Salimans 2022]
    sampler: str = "dpm"
    steps: int = 20


DIGITS = TrainingConfig(
    channels=(40, 80), attention=(1,), lr=3e-3,
    optimizer=muon(0.02), times=logit_normal(),  # both draw better digits, the times at a worse bound  [chapter 8]
)  # fmt: skip
FASHION32 = TrainingConfig(channels=(32, 64, 96), attention=(1,), patch=2, batch=32, lr=3e-3, sampler="ddim1", steps=50)
COLOUR32 = TrainingConfig(channels=(48, 96, 128), attention=(1,), patch=2, sampler="ddim1", steps=50)
CARS32 = dataclasses.replace(COLOUR32, flips=True)  # a car seen from the other side is a car
CARS32_GPU = dataclasses.replace(
    CARS32,
    batch=512,  # a GPU has room for them
    sampler="dpm", steps=20,  # better than ddim1 in 50 once a network is well trained  [car_minutes.json]
)  # fmt: skip
CIFAR10 = TrainingConfig(
    channels=(128, 256, 256, 256), attention=(1,), blocks=2,  # the paper's widths, in our U-Net: a quarter fewer FLOPs
    dropout=0.1, flips=True, schedule=linear(1000), predict=EPS, batch=128, by_class=False,  # as in the paper
    lr=4e-4,  # twice the paper's: its 800,000 steps had time, and the rate falls to nothing here
    ema_decay=0.9995,  # 2,000 steps; the paper's 10,000 would be a good part of an hour
    sampler="ddim", steps=100,  # FID 4.16 for the paper's weights, and 4.04 in 1000  [Song 2021, Table 1]
)  # fmt: skip
CIFAR10_CLASSES = dataclasses.replace(CIFAR10, by_class=True)
SHAPES = TrainingConfig(
    channels=(32, 64, 96), patch=2,
    attention=(1,), cross_attention=(1,),  # where there are 8x8 positions
    optimizer=muon(0.02), batch=32, sentences=("{}",),
    times=logit_normal(std=1.5),  # the shape is decided in the middle; narrower, the place is not learned
    sampler="ddim1", steps=50,
)  # fmt: skip
CIFAR10_TEXT = dataclasses.replace(CIFAR10, sentences=("a photo of a {}", "a {}", "a small picture of a {}", "{}"))


def suits(images: ImageDataset) -> TrainingConfig:
    """The hyperparameters for images of this kind: by size and colour."""
    channels, height, width = images.images.shape[1:]
    if max(height, width) <= 16:
        return DIGITS
    return FASHION32 if channels == 1 else COLOUR32


def network(
    config: TrainingConfig, channels: int, num_classes: int | None, vocabulary: list[str] | None = None
) -> UNet:
    """Their U-Net, freshly initialised, for images of this many channels, told a class, a caption or nothing."""
    return UNet(
        channels,
        config.channels,
        blocks=config.blocks,
        attention=config.attention,
        patch=config.patch,
        num_classes=num_classes,
        vocabulary=vocabulary,
        dropout=config.dropout,
        cross_attention=config.cross_attention,
    )


def described(config: TrainingConfig) -> dict:
    """The hyperparameters in plain values, as checkpoints and results files keep them; of a schedule, T and marks of
    its betas."""
    plain = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
    beta = config.schedule.beta
    return plain | {
        "channels": list(config.channels),
        "attention": list(config.attention),
        "cross_attention": list(config.cross_attention),
        "sentences": list(config.sentences),
        "schedule": f"T = {config.schedule.T}, betas {beta[1]:.4g} to {beta[-1]:.4g}, in all {beta.sum():.6g}",
        "predict": config.predict.name,
        "weight": weighting_name(config.weight),
        "times": times_name(config.times),
        "optimizer": optimizer_name(config.optimizer),
    }
