"""Which pictures, times and noise make the batch of a step: a function of the seed and the step alone."""

import functools
from collections.abc import Callable

import torch
from torch import Tensor

from ddpm_core.data.times import Times
from ddpm_core.data.transforms import pad_to, random_flip
from ddpm_core.diffusion.arguments import checked, in_range
from ddpm_core.diffusion.loss import sample_timesteps
from ddpm_core.diffusion.noise import seeded, standard_normal
from ddpm_core.diffusion.pixels import to_float
from ddpm_core.networks.conditioning import PAD
from ddpm_core.schedule import Schedule

MANY = 10**9  # examples, or a batch: more are a slip, and would fill the memory


@checked
def rows_at(step: int, n: int, batch: int, seed: int) -> Tensor:
    """Which of n examples make the batch of this step, (batch,): shuffled anew each epoch, each example once an epoch.

    A function of (seed, step) alone, so that a resumed run sees what the uninterrupted one would have seen.
    """
    in_range("step", step, 0, 1 << 40)
    in_range("n", n, 1, MANY)
    in_range("batch", batch, 1, MANY)
    position = torch.arange(step * batch, (step + 1) * batch)
    epochs = (position // n).unique().tolist()
    return torch.cat([_order(n, seed, epoch)[position[position // n == epoch] % n] for epoch in epochs])


@functools.lru_cache(maxsize=2)
def _order(n: int, seed: int, epoch: int) -> Tensor:
    return torch.randperm(n, generator=seeded(seed, epoch))


@checked
def batches(
    images: Tensor,
    schedule: Schedule,
    *,
    batch: int = 64,
    seed: int = 0,
    labels: Tensor | None = None,
    label_drop: float = 0.0,
    no_label: int | None = None,
    flips: bool = False,
    times: Times = sample_timesteps,
    size: tuple[int, int] | None = None,
    device: str | torch.device | None = None,
) -> Callable[[int], tuple[Tensor, ...]]:
    """step -> (x0, t, eps) or (x0, t, eps, labels): a function of (seed, step) alone.

    images (N, C, H, W) uint8, in memory or mapped from a file, of which a step reads its rows alone; labels (N,), or
    tokens (N, L) of captions; a share `label_drop` of them becomes `no_label`, by default one past the largest label,
    or the empty caption. times: how the random times are drawn. size: height and width of the black canvas that each
    batch is centred on, by default its own. A batch larger than N meets images several times, each with its own time
    and noise.
    device: by default batches are made on the CPU, so that one seed gives one run on every device. With a device, the
    images move there once, as uint8, and x0 and eps are made there: nothing large travels in a step, but each kind of
    device draws other noise from the same seed, and other than the CPU's by default. Times and labels stay.
    """
    in_range("batch", batch, 1, MANY)
    in_range("label_drop", label_drop, 0, 1)
    if images.dtype != torch.uint8 or images.ndim != 4 or not images.numel():
        raise ValueError(f"need images as uint8 (N, C, H, W), but got {images.dtype} of shape {tuple(images.shape)}.")
    if labels is not None and (labels.dtype not in (torch.int64, torch.int32) or len(labels) != len(images)):
        raise ValueError(
            f"need labels as whole numbers, one for each of {len(images)} images, but got {labels.dtype} of shape "
            f"{tuple(labels.shape)}."
        )
    if size is not None and len(size) != 2:
        raise ValueError(f"need size as height and width, but got {size!r:.60}.")
    if labels is not None and no_label is None:
        no_label = int(labels.max()) + 1 if labels.ndim == 1 else PAD
    images, size = _moved(images, device), size or images.shape[2:]

    def batch_at(step: int) -> tuple[Tensor, ...]:
        generator = seeded(seed, step, 1)
        rows = rows_at(step, len(images), batch, seed)
        x0 = to_float(pad_to(images[rows.to(images.device)], *size))
        if flips:
            x0 = random_flip(x0, generator)
        t = times(schedule, batch, generator)
        eps = standard_normal(x0, generator if device is None else _generator_there(x0.device, seed, step))
        if labels is None:
            return x0, t, eps
        hidden = torch.rand(batch, generator=generator) < label_drop
        mine = labels[rows]
        return x0, t, eps, mine.masked_fill(hidden if mine.ndim == 1 else hidden[:, None], no_label)

    return batch_at


def _moved(images: Tensor, device: str | torch.device | None) -> Tensor:
    try:
        return images if device is None else images.to(torch.device(device))
    except RuntimeError as error:
        raise ValueError(f"need a device that is there, but got {device!r:.60}.") from error


def _generator_there(device: torch.device, seed: int, step: int) -> torch.Generator:
    """One that draws on the device itself."""
    return torch.Generator(device).manual_seed(seeded(seed, step, 2).initial_seed())
