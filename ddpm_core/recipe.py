"""How the rooms are put together for one run: which network, schedule, question and loss, and with which sampler.

A `Recipe` is a value with a reason beside each number; `batches` and `objective` are what `trainer.run` asks for.
Which data it is meant for, how long it takes and what it reaches stands in `cookbook`.
"""

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from .bound import warn_if_remembered
from .checkpoint import Trained
from .data import Images, flip_some, pad_to, to_float, to_uint8
from .loss import draw_times, training_loss
from .predict import EPS, Prediction, V
from .sampler import Steps, ancestral, clamped, ddim, denoiser, dpm_solver, even_times, guided, last
from .schedule import Schedule, cosine, linear
from .seeds import rows_at, seeded
from .told import NOTHING, check
from .trainer import BatchAt
from .unet import UNet
from .weighting import Weighting, uniform

COSINE = cosine(1000)


@dataclass(frozen=True)
class Recipe:
    """Everything but the data and the seed."""

    channels: tuple[int, ...]  # widths of the U-Net's levels
    attention: tuple[int, ...]  # levels that attend: where there are at most 8x8 positions
    blocks: int = 1  # residual blocks a level, down and up; the paper has 2
    patch: int = 1  # 2 from 28x28 up: on a CPU full resolution costs eight times as much
    dropout: float = 0.0
    flips: bool = False  # mirroring: yes for cars, no for digits and shoes
    schedule: Schedule = COSINE  # fades evenly at small sizes, where the linear one is noise too early
    predict: Prediction = V  # well-conditioned at both ends of the chain
    weight: Weighting = uniform
    batch: int = 64  # many small steps beat few large ones in a short run
    lr: float = 2e-3
    ema_decay: float = 0.999
    by_class: bool = True  # told the label, where images have one; the paper's network is not
    sentences: tuple[str, ...] = ()  # told a caption instead: the data's own, else one of these about the class's name
    label_drop: float = 0.1  # share of labels hidden, for guidance's unconditional side  [Ho and Salimans 2022]
    sampler: str = "dpm"
    steps: int = 20


DIGITS = Recipe(channels=(40, 80), attention=(1,), lr=3e-3)
FASHION32 = Recipe(channels=(32, 64, 96), attention=(1,), patch=2, batch=32, lr=3e-3, sampler="ddim1", steps=50)
CARS32 = Recipe(channels=(48, 96, 128), attention=(1,), patch=2, flips=True, sampler="ddim1", steps=50)
CARS32_GPU = dataclasses.replace(
    CARS32,
    batch=512,  # a GPU has room for them
    sampler="dpm", steps=20,  # better than ddim1 in 50 once a network is well trained  [car_minutes.json]
)  # fmt: skip
CIFAR10 = Recipe(
    channels=(128, 256, 256, 256), attention=(1,), blocks=2,  # the paper's widths, in our U-Net: a quarter fewer FLOPs
    dropout=0.1, flips=True, schedule=linear(1000), predict=EPS, batch=128, by_class=False,  # as in the paper
    lr=4e-4,  # twice the paper's: its 800,000 steps had time, and the rate falls to nothing here
    ema_decay=0.9995,  # 2,000 steps; the paper's 10,000 would be a good part of an hour
    sampler="ddim", steps=100,  # FID 4.16 for the paper's weights, and 4.04 in 1000  [Song 2021, Table 1]
)  # fmt: skip
CIFAR10_CLASSES = dataclasses.replace(CIFAR10, by_class=True)
CIFAR10_TEXT = dataclasses.replace(CIFAR10, sentences=("a photo of a {}", "a {}", "a small picture of a {}", "{}"))


def suits(images: Images) -> Recipe:
    """The recipe for images of this kind: by size and colour."""
    channels, height, width = images.images.shape[1:]
    if max(height, width) <= 16:
        return DIGITS
    return FASHION32 if channels == 1 else CARS32


def network(recipe: Recipe, channels: int, num_classes: int | None, vocabulary: list[str] | None = None) -> UNet:
    """The recipe's U-Net, freshly initialised, for images of this many channels, told a class, a caption or nothing."""
    return UNet(
        channels,
        recipe.channels,
        blocks=recipe.blocks,
        attention=recipe.attention,
        patch=recipe.patch,
        num_classes=num_classes,
        vocabulary=vocabulary,
        dropout=recipe.dropout,
    )


def described(recipe: Recipe) -> dict:
    """The recipe in plain values, as checkpoints and results files keep it; of a schedule, T and marks of its betas."""
    plain = {field.name: getattr(recipe, field.name) for field in dataclasses.fields(recipe)}
    beta = recipe.schedule.beta
    return plain | {
        "channels": list(recipe.channels),
        "attention": list(recipe.attention),
        "sentences": list(recipe.sentences),
        "schedule": f"T = {recipe.schedule.T}, betas {beta[1]:.4g} to {beta[-1]:.4g}, in all {beta.sum():.6g}",
        "predict": recipe.predict.name,
        "weight": recipe.weight.__qualname__,
    }


def fitted(images: Tensor, multiple: int) -> Tensor:
    """Images (N, C, H, W) centred on the smallest black canvas whose sides are divisible by `multiple`."""
    return pad_to(images, *(-(-side // multiple) * multiple for side in images.shape[2:]))


def batches(
    images: Tensor,
    labels: Tensor | None,
    schedule: Schedule,
    *,
    batch: int = 64,
    seed: int = 0,
    label_drop: float = 0.0,
    no_label: int | None = None,
    flips: bool = False,
    device: str | torch.device | None = None,
) -> BatchAt:
    """step -> (x0, t, eps) or (x0, t, eps, labels): a function of (seed, step) alone.

    images (N, C, H, W) uint8; labels (N,), or tokens (N, L) of captions; a share `label_drop` of them becomes
    `no_label`, by default one past the largest label, or the empty caption.
    A batch larger than N meets images several times, each with its own time and noise.
    device: by default batches are made on the CPU, so that one seed gives one run on every device. With a device, the
    images move there once, as uint8, and x0 and eps are made there: nothing large travels in a step, but each kind of
    device draws other noise from the same seed, and other than the CPU's by default. Times and labels stay.
    """
    if labels is not None and no_label is None:
        no_label = int(labels.max()) + 1 if labels.ndim == 1 else NOTHING
    images = images if device is None else images.to(device)

    def batch_at(step: int) -> tuple[Tensor, ...]:
        generator = seeded(seed, step, 1)
        rows = rows_at(step, len(images), batch, seed)
        x0 = to_float(images[rows.to(images.device)])
        if flips:
            x0 = flip_some(x0, generator)
        t = draw_times(schedule, batch, generator)
        eps = torch.randn(x0.shape, generator=generator) if device is None else _noise_there(x0, seed, step)
        if labels is None:
            return x0, t, eps
        hidden = torch.rand(batch, generator=generator) < label_drop
        mine = labels[rows]
        return x0, t, eps, mine.masked_fill(hidden if mine.ndim == 1 else hidden[:, None], no_label)

    return batch_at


def _noise_there(x0: Tensor, seed: int, step: int) -> Tensor:
    """Standard normal numbers shaped like x0, drawn on its device."""
    generator = torch.Generator(x0.device).manual_seed(seeded(seed, step, 2).initial_seed())
    return torch.randn(x0.shape, generator=generator, device=x0.device)


def objective(schedule: Schedule, predict: Prediction, weight: Weighting = uniform) -> Callable[..., Tensor]:
    """(net, x0, t, eps[, labels]) -> the training loss. Warns of a schedule whose x_T remembers x_0."""
    warn_if_remembered(schedule)

    def loss(net, x0, t, eps, labels=None):
        asked = net if labels is None else partial(net, labels=labels)
        return training_loss(asked, schedule, x0, t, eps, predict, weight)

    return loss


SAMPLERS: dict[str, Callable[..., Steps]] = {
    "dpm": lambda denoise, s, x_T, steps, generator: dpm_solver(denoise, s, x_T, even_times(s, steps)),
    "ddim": lambda denoise, s, x_T, steps, generator: ddim(denoise, s, x_T, even_times(s, steps)),
    "ddim1": lambda denoise, s, x_T, steps, generator: ddim(denoise, s, x_T, even_times(s, steps), 1.0, generator),
    "ddpm": lambda denoise, s, x_T, steps, generator: ancestral(denoise, s, x_T, generator=generator),
}


def chain(
    trained: Trained,
    n: int = 64,
    *,
    labels: Tensor | None = None,
    steps: int = 20,
    guidance: float = 0.0,
    generator: torch.Generator | None = None,
    sampler: str = "dpm",
    device: str | torch.device = "cpu",
) -> Steps:
    """Sample n images and yield (t, x_t) on the way, x_t (n, C, H, W).

    labels (n,), tokens of n captions or None; guidance 0 is plain conditional sampling; "ddpm" walks all T steps
    whatever `steps` says.
    The network moves to `device`. Warns of a schedule whose x_T remembers x_0: sampling starts from noise.
    """
    if sampler not in SAMPLERS:
        raise ValueError(f"need one of the samplers {', '.join(SAMPLERS)}, but got {sampler!r}.")
    net, schedule = trained.net.to(device, memory_format=torch.channels_last), trained.schedule
    warn_if_remembered(schedule)
    if labels is not None:
        check(net.label, labels, n)
    if guidance and labels is None:
        raise ValueError(
            "guidance pulls towards a label or a caption, but there are none: this network or this call has no classes."
        )
    there = "cpu" if generator is None else generator.device  # one seed gives one picture on every device
    x_T = torch.randn(n, net.in_channels, *trained.about["size"], generator=generator, device=there).to(device)
    asked = net if labels is None else partial(net, labels=labels)
    denoise = denoiser(asked, schedule, trained.predict)
    if guidance:
        denoise = guided(denoise, denoiser(net, schedule, trained.predict), guidance)
    return SAMPLERS[sampler](clamped(denoise), schedule, x_T, steps, generator)


def sample(
    trained: Trained, n: int = 64, *, at_once: int = 250, seed: int = 0, labels: Tensor | None = None, **how
) -> Tensor:
    """n finished images (n, C, H, W) uint8, made `at_once` at a time; `how` as in `chain`."""
    return torch.cat(list(in_parts(trained, n, at_once=at_once, seed=seed, labels=labels, **how)))


def in_parts(
    trained: Trained, n: int, *, at_once: int = 250, seed: int = 0, labels: Tensor | None = None, **how
) -> Iterator[Tensor]:
    """The images of `sample`, yielded as they are finished, (at most `at_once`, C, H, W) at a time."""
    for first in range(0, n, at_once):
        size = min(at_once, n - first)
        mine = None if labels is None else labels[first : first + size]
        yield to_uint8(last(chain(trained, size, labels=mine, generator=seeded(seed, first), **how))).cpu()


def every_label(n: int, num_classes: int) -> Tensor:
    """Labels 0, 1, 2, ..., 0, 1, 2, ...: n of them, equally many of each."""
    return torch.arange(n) % num_classes
