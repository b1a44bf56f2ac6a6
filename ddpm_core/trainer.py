"""The training loop. It knows batches, a loss and an optimiser; nothing of diffusion.

A `State` is what training changes; `run` moves it on and yields `Progress`; `save` and `resume` keep it on disk.
Devices, mixed precision and many processes are accelerate's business, the moving average is torch's.
"""

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from accelerate import Accelerator
from accelerate.utils import GradientAccumulationPlugin
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from .devices import check_device, check_precision
from .mishaps import held_back, in_plain_words
from .state import State, own_dropout, resume, save

__all__ = [
    "Progress", "State", "averaged", "check_device", "constant", "cosine", "parts_of", "resume", "run", "save", "start",
]  # fmt: skip

BatchAt = Callable[[int], tuple[Tensor, ...]]  # step -> the tensors of that step's batch, each (B, ...)
OVERFLOWS = 20  # in a row; a sound fp16 run begins with a few, while its loss scale of 2^16 is halved to what fits


@dataclass(frozen=True)
class Progress:
    """What `run` yields: how far it is, and the means since the last report.

    step, images   so far; `images` counts those of all processes
    loss           mean since the last report
    seconds        of training so far, without what the caller does between reports
    fraction       share done, 0..1
    lr             learning rate of the last step
    grad_norm      length of the gradient before it is cut to 1, mean since the last report
    """

    step: int
    loss: float
    images: int
    seconds: float
    fraction: float
    lr: float
    grad_norm: float


def start(
    net: nn.Module,
    *,
    lr: float = 2e-3,  # ten times the paper's: small networks take it, with the warm-up and the decay below
    warmup: int = 100,  # steps until lr is reached; Adam's first steps are its least sure ones
    ema_decay: float = 0.999,  # the paper's 0.9999 averages over 10,000 steps, more than a small run has
    mixed_precision: str = "no",  # "fp16", "bf16", or "auto" for the one that pays on this device
    device: str | None = None,  # None: a GPU if there is one
) -> State:
    """A fresh `State` for this network, to be trained by Adam.   [Kingma and Ba 2015; chapter 8, Eqs. 8.1 and 8.4]

    Raises ValueError for a device that is not there, or is not the first choice: accelerate settles on one device for a
    process.
    """
    device = check_device(device)
    accelerator = Accelerator(
        cpu=device == "cpu",
        mixed_precision=check_precision(mixed_precision, device),
        gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=1),  # `run` counts the parts itself
    )
    if accelerator.device.type != device:
        raise ValueError(f"need a fresh process to train on {device}: this one trains on {accelerator.device} already.")
    net = net.to(accelerator.device, memory_format=torch.channels_last)  # 1.2 x faster convolutions
    ema = AveragedModel(net)
    ema.multi_avg_fn = _ema_update(ema_decay, ema)
    optimizer = torch.optim.Adam(net.parameters(), lr=lr, betas=(0.9, 0.99), fused=True)
    net, optimizer = accelerator.prepare(net, optimizer)
    own_dropout(accelerator)
    return State(net, ema, optimizer, accelerator, lr, warmup)


def cosine(done: float) -> float:
    """From 1 at the beginning to 0.02 at the end, so that the weights come to rest.   [chapter 8, Eq. 8.2]"""
    return 0.02 + 0.98 * (1 + math.cos(math.pi * done)) / 2


def constant(done: float) -> float:
    """Always 1, as in the paper, which leaves the rest to the moving average.   [Ho 2020, Appendix B]"""
    return 1.0


def run(
    state: State,
    batch_at: BatchAt,
    loss: Callable[..., Tensor],
    *,
    steps: int | None = None,
    minutes: float | None = None,
    report_every: int = 10,
    accumulate: int = 1,
    decay: Callable[[float], float] = cosine,
) -> Iterator[Progress]:
    """Train until `steps` steps or `minutes` minutes in all; yields `Progress` every `report_every` steps.

    batch_at(step)     that step's whole batch, a tuple of tensors (B, ...); of n processes each takes every n-th row
    loss(net, *batch)  a scalar, the mean over the rows that it gets
    accumulate         parts that each process takes its rows in: less memory, the same step
    decay(share done)  factor on the learning rate, besides the warm-up: `cosine`, or `constant`
    Ctrl-C stops between two steps (many processes: at the next report), so the state stays whole. A step whose fp16
    gradient overflows is taken again with half the loss scale. Raises FloatingPointError at the first loss that is not
    finite, naming the step, MemoryError if a step does not fit, ConnectionError if another process is gone.
    [chapter 8, Eqs. 8.2, 8.3, 8.7 and 8.8]
    """
    if (steps is None) == (minutes is None):
        raise ValueError(f"need either steps or minutes, but got steps={steps} and minutes={minutes}.")
    accelerator, parameters = state.accelerator, list(state.net.parameters())
    alone = accelerator.num_processes == 1
    if minutes is not None and not alone:
        raise ValueError(f"need steps, not minutes, for {accelerator.num_processes} processes: their clocks differ.")
    began, losses, norms, overflows = time.perf_counter() - state.seconds, [], [], 0
    state.net.train()
    state.optimizer.zero_grad()  # of what a step that was cut short has left
    with held_back() as interrupted, in_plain_words(state, accumulate):
        while (done := _fraction(state, steps, minutes)) < 1:
            lr = state.lr * min(1, (state.step + 1) / state.warmup) * decay(done)
            for group in state.optimizer.param_groups:
                group["lr"] = lr
            value = _backward(state, batch_at(state.step), loss, accumulate)
            norm = accelerator.clip_grad_norm_(parameters, 1.0)
            if accelerator.scaler is not None and not norm.isfinite():
                overflows = _halve_scale(state, overflows + 1)
                continue
            state.whole = False
            state.optimizer.step()
            state.optimizer.zero_grad()
            state.ema.update_parameters(accelerator.unwrap_model(state.net))
            state.step, state.images, overflows = state.step + 1, state.images + state.batch, 0
            state.seconds = time.perf_counter() - began
            state.whole = True
            losses.append(value)
            norms.append(norm)
            fraction, stop = _fraction(state, steps, minutes), alone and interrupted()
            if len(losses) == report_every or fraction >= 1 or stop:
                mean, length, stop = _report(state, losses, norms, interrupted())
                yield Progress(state.step, mean, state.images, state.seconds, fraction, lr, length)
                losses, norms = [], []
                began = time.perf_counter() - state.seconds  # what the caller does meanwhile is not training
            if stop or (alone and interrupted()):
                raise KeyboardInterrupt
    state.net.eval()


def parts_of(state: State, batch: int, accumulate: int) -> int:
    """How many parts this many images are taken in: processes x accumulate. Raises ValueError if they do not divide,
    or if the run began with another batch."""
    processes = state.accelerator.num_processes
    if state.batch not in (None, batch):
        raise ValueError(f"need batches of {state.batch} images, as this run began with, but got {batch}.")
    if accumulate < 1 or batch < 1 or batch % (processes * accumulate):
        raise ValueError(
            f"need a batch that processes x accumulate = {processes} x {accumulate} parts can share, but got {batch}."
        )
    return processes * accumulate


def averaged(state: State) -> nn.Module:
    """The network with its averaged weights: the one to sample from.   [Ho 2020, Appendix B; chapter 8, Eq. 8.4]"""
    return state.ema.module.eval()


# ---- small parts -----------------------------------------------------------------------------------------------


def _backward(state: State, batch: tuple[Tensor, ...], loss: Callable[..., Tensor], accumulate: int) -> Tensor:
    """Leave the gradient of the batch's mean loss in the weights; returns the mean over this process's rows.

    The mean of equal parts' means is the mean of the whole. Processes add theirs up once, with the last part.
    """
    accelerator, mean = state.accelerator, 0.0
    parts = parts_of(state, len(batch[0]), accumulate)
    state.batch = len(batch[0])
    for part in range(accumulate):
        first = accelerator.process_index * accumulate + part
        mine = [_placed(x[first::parts], accelerator.device) for x in batch]
        last = part == accumulate - 1
        with contextlib.nullcontext() if last else accelerator.no_sync(state.net):
            with accelerator.autocast():
                value = loss(state.net, *mine) / accumulate
            accelerator.backward(value)
        mean = mean + value.detach()
    return mean


def _halve_scale(state: State, overflows: int) -> int:
    """What is left to do after an fp16 gradient overflowed: the weights stay, the loss scale halves, the step is taken
    again. Raises FloatingPointError after OVERFLOWS of them in a row; returns how many it has been."""
    state.optimizer.step()  # which the scaler knows to be empty
    state.optimizer.zero_grad()
    if overflows == OVERFLOWS:
        scale = state.accelerator.scaler.get_scale()
        raise FloatingPointError(
            f"the fp16 gradient overflowed {overflows} times in a row at step {state.step + 1}, down to a loss scale "
            f"of {scale:g}; bf16 and full precision hold larger numbers."
        )
    return overflows


def _report(state: State, losses: list[Tensor], norms: list[Tensor], asked: bool) -> tuple[float, float, bool]:
    """Mean loss and mean gradient length since the last report, and whether any process was asked to stop.

    The only look at numbers that a GPU still computes, and the only message that processes exchange besides gradients.
    """
    n, mine = len(losses), [torch.stack(losses), torch.stack(norms), losses[0].new_tensor([asked])]
    shared = state.accelerator.reduce(torch.cat(mine), "mean").cpu()
    first_bad = (~shared[:-1].isfinite()).reshape(2, n).T.flatten().nonzero()  # loss and length of each step in turn
    if len(first_bad):
        k, gradient = divmod(int(first_bad[0]), 2)
        what, value = ("gradient's length", shared[n + k]) if gradient else ("loss", shared[k])
        raise FloatingPointError(f"the {what} became {value.item()} at step {state.step - n + k + 1}.")
    return shared[:n].mean().item(), shared[n:-1].mean().item(), bool(shared[-1] > 0)


def _ema_update(decay: float, ema: AveragedModel):
    """ema <- d ema + (1 - d) net with d = min(decay, (1 + k) / (10 + k)) after k updates: short memory while young."""

    @torch.no_grad()
    def update(averages: list[Tensor], weights: list[Tensor], _) -> None:
        k = int(ema.n_averaged)  # the counter on the CPU; the argument is a copy that a GPU would have to send back
        torch._foreach_lerp_(averages, weights, 1 - min(decay, (1 + k) / (10 + k)))

    return update


def _placed(x: Tensor, device: torch.device) -> Tensor:
    """Pictures and noise go to the device; times and labels stay, since the schedule's tables are on the CPU."""
    return x.to(device) if x.is_floating_point() else x


def _fraction(state: State, steps: int | None, minutes: float | None) -> float:
    return min(1.0, state.step / steps if steps is not None else state.seconds / (60 * minutes))
