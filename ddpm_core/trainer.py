"""The training loop. It knows batches, a loss and an optimiser; nothing of diffusion.

A `TrainState` is what training changes; `run` moves it on and yields `Progress`; `save` and `resume` keep it on disk.
Devices, mixed precision and many processes are accelerate's business, the moving average is torch's.
"""

import contextlib
import math
import time
from collections.abc import Callable, Iterator

import torch
from accelerate import Accelerator
from accelerate.utils import GradientAccumulationPlugin
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from ddpm_core.diffusion.arguments import checked
from ddpm_core.diffusion.model import Model
from ddpm_core.diffusion.prediction import Prediction
from ddpm_core.schedule import Schedule
from ddpm_core.training.devices import check_device, check_precision
from ddpm_core.training.failures import defer_signals, draw_again, explain_errors, halve_scale, not_finite
from ddpm_core.training.optimizers import Optimizer, adam
from ddpm_core.training.progress import BatchAt, Progress
from ddpm_core.training.state import TrainState, check_rates, own_dropout, resume, save

__all__ = [
    "Progress", "TrainState", "check_device", "cosine_decay", "ema_model", "model", "no_decay", "parts_of", "resume",
    "run", "save", "start",
]  # fmt: skip


@checked
def start(
    net: nn.Module,
    *,
    optimizer: Optimizer = adam,  # or optimizers.muon(lr=0.02), whose rate is beside this one
    lr: float = 2e-3,  # ten times the paper's: small networks take it, with the warm-up and the decay below
    warmup: int = 100,  # steps until lr is reached; Adam's first steps are its least sure ones
    ema_decay: float = 0.999,  # the paper's 0.9999 averages over 10,000 steps, more than a small run has
    mixed_precision: str = "no",  # "fp16", "bf16", or "auto" for the one that pays on this device
    device: str | None = None,  # None: a GPU if there is one
) -> TrainState:
    """A fresh `TrainState` for this network, to be trained by Adam, or by another optimiser.

    Raises ValueError for a device that is not there, or is not the one that this process already trains on: accelerate
    settles on one device for a process.   [Kingma and Ba 2015; chapter 8, Eqs. 8.1 and 8.4]
    """
    check_rates(lr, warmup, ema_decay)
    device = check_device(device)
    accelerator = Accelerator(
        cpu=device == "cpu",
        mixed_precision=check_precision(mixed_precision, device),
        gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=1),  # `run` counts the parts itself
    )
    if accelerator.device.type != device:
        raise ValueError(f"need a fresh process to train on {device}: this one trains on {accelerator.device} already.")
    net = net.to(accelerator.device, memory_format=torch.channels_last)
    ema = AveragedModel(net)
    ema.multi_avg_fn = _ema_update(ema_decay, ema)
    net, own = accelerator.prepare(net, optimizer(net, lr))
    for group in own.param_groups:
        group["initial_lr"] = group["lr"]  # which `run` scales; torch's own schedules call it so, too
    own_dropout(accelerator)
    return TrainState(net, ema, own, accelerator, lr, warmup)


def cosine_decay(done: float) -> float:
    """From 1 at the beginning to 0.02 at the end, so that the weights come to rest.   [chapter 8, Eq. 8.2]"""
    return 0.02 + 0.98 * (1 + math.cos(math.pi * done)) / 2


def no_decay(done: float) -> float:
    """Always 1, as in the paper, which leaves the rest to the moving average.   [Ho 2020, Appendix B]"""
    return 1.0


@checked
def run(
    state: TrainState,
    batch_at: BatchAt,
    loss: Callable[..., Tensor],
    *,
    steps: int | None = None,
    minutes: float | None = None,
    report_every: int = 10,
    accumulate: int = 1,
    decay: Callable[[float], float] = cosine_decay,
) -> Iterator[Progress]:
    """Train until `steps` steps or `minutes` minutes in all; yields `Progress` every `report_every` steps.

    batch_at(step)     that step's whole batch, a tuple of tensors (B, ...); of n processes each takes an n-th of its
                       rows. Floating-point tensors go to the device, others (times, labels) stay on the CPU
    loss(net, *batch)  a scalar, the mean over the rows that it gets
    accumulate         parts that each process takes its rows in: less memory, the same step
    decay(share done)  factor on the learning rate, besides the warm-up: `cosine_decay`, or `no_decay`
    Ctrl-C stops between two steps (many processes: at the next report) with KeyboardInterrupt, so the state stays
    whole. A step whose fp16 gradient overflows is taken again with half the loss scale. Raises ValueError at once for a
    length that cannot be; FloatingPointError, naming the step, for a loss or gradient that is not finite: on a CPU
    before that step is made, on a GPU, which a look at each step would stall, at the next report; MemoryError if a
    step does not fit, ConnectionError if another process is gone.   [chapter 8, Eqs. 8.2, 8.3, 8.7 and 8.8]
    """
    if (steps is None) == (minutes is None):
        raise ValueError(f"need either steps or minutes, but got steps={steps} and minutes={minutes}.")
    if not (steps if minutes is None else minutes) > 0 or report_every < 1:
        got = f"steps={steps}, minutes={minutes} and report_every={report_every}"
        raise ValueError(f"need steps, minutes and report_every above 0, but got {got}.")
    if minutes is not None and (processes := state.accelerator.num_processes) > 1:
        raise ValueError(f"need steps, not minutes, for {processes} processes: their clocks differ.")
    return _run(state, batch_at, loss, steps, minutes, report_every, accumulate, decay)


def _run(state, batch_at, loss, steps, minutes, report_every, accumulate, decay) -> Iterator[Progress]:
    accelerator, parameters = state.accelerator, list(state.net.parameters())
    alone, seen_at_once = accelerator.num_processes == 1, accelerator.device.type == "cpu"
    began, losses, norms, overflows = time.perf_counter() - state.seconds, [], [], 0
    state.net.train()
    state.optimizer.zero_grad()  # of what a step that was cut short has left
    with defer_signals() as interrupted, explain_errors(state, accumulate), draw_again(state) as whole:
        while (done := _fraction(state, steps, minutes)) < 1:
            warm, rest = min(1, (state.step + 1) / state.warmup), decay(done)
            for group in state.optimizer.param_groups:
                group["lr"] = group["initial_lr"] * warm * rest
            value = _backward(state, batch_at(state.step), loss, accumulate)
            norm = accelerator.clip_grad_norm_(parameters, 1.0)
            if accelerator.scaler is not None and not norm.isfinite():
                if not value.isfinite():
                    raise not_finite(state.step + 1, value, norm)
                overflows = halve_scale(state, overflows + 1)
                continue
            if seen_at_once and not norm.isfinite():
                raise not_finite(state.step + 1, value, norm)
            state.consistent = False
            state.optimizer.step()
            state.optimizer.zero_grad()
            state.ema.update_parameters(accelerator.unwrap_model(state.net))
            state.step, state.images, overflows = state.step + 1, state.images + state.batch, 0
            state.seconds = time.perf_counter() - began
            whole()
            state.consistent = True
            losses.append(value)
            norms.append(norm)
            fraction, stop = _fraction(state, steps, minutes), alone and interrupted()
            if len(losses) == report_every or fraction >= 1 or stop:
                mean, length, stop = _report(state, losses, norms, interrupted())
                yield Progress(state.step, mean, state.images, state.seconds, fraction, state.lr * warm * rest, length)
                losses, norms = [], []
                began = time.perf_counter() - state.seconds  # what the caller does meanwhile is not training
                whole()
            if stop or (alone and interrupted()):
                raise KeyboardInterrupt
    state.net.eval()


@checked
def parts_of(state: TrainState, batch: int, accumulate: int) -> int:
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


def ema_model(state: TrainState) -> nn.Module:
    """The network with its averaged weights: the one to sample from.   [Ho 2020, Appendix B; chapter 8, Eq. 8.4]"""
    return state.ema.module.eval()


@checked
def model(state: TrainState, schedule: Schedule, prediction: Prediction, about: dict | None = None) -> Model:
    """The averaged network with the schedule and the prediction that it was trained with, ready for `sampler.draw`.

    The size of the images is that of the batches, if `about` does not say. Raises ValueError if neither does.
    """
    about = about or {}
    if state.shape is None and "size" not in about:
        raise ValueError('need a network that has seen a batch, or its image size as about={"size": (H, W)}.')
    return Model(ema_model(state), schedule, prediction, {"size": list((state.shape or ())[-2:])} | about)


# ---- small parts -----------------------------------------------------------------------------------------------


def _backward(state: TrainState, batch: tuple[Tensor, ...], loss: Callable[..., Tensor], accumulate: int) -> Tensor:
    """Leave the gradient of the batch's mean loss in the weights; returns the mean over this process's rows.

    The mean of equal parts' means is the mean of the whole. Processes take the mean of theirs, with the last part.
    """
    accelerator, mean = state.accelerator, 0.0
    parts = parts_of(state, len(batch[0]), accumulate)
    state.batch, state.shape = len(batch[0]), tuple(batch[0].shape[1:])
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


def _report(state: TrainState, losses: list[Tensor], norms: list[Tensor], asked: bool) -> tuple[float, float, bool]:
    """Mean loss and mean gradient length since the last report, and whether any process was asked to stop.

    The only look at numbers that a GPU still computes (but for fp16's, whose gradients are looked at each step), and
    the only message of ours that processes exchange besides gradients.
    """
    n, mine = len(losses), [torch.stack(losses), torch.stack(norms), losses[0].new_tensor([asked])]
    shared = state.accelerator.reduce(torch.cat(mine), "mean").cpu()
    first_bad = (~shared[:-1].isfinite()).reshape(2, n).T.flatten().nonzero()  # loss and length of each step in turn
    if len(first_bad):
        k = int(first_bad[0]) // 2
        raise not_finite(state.step - n + k + 1, shared[k], shared[n + k])
    return shared[:n].mean().item(), shared[n:-1].mean().item(), bool(shared[-1] > 0)


def _ema_update(decay: float, ema: AveragedModel):
    """ema <- d ema + (1 - d) net with d = min(decay, (1 + k) / (10 + k)) after k updates: short memory while young.

    torch's first update is a copy, so this one begins at k = 1.
    """

    @torch.no_grad()
    def update(averages: list[Tensor], weights: list[Tensor], _) -> None:
        k = int(ema.n_averaged)  # the counter on the CPU; the argument is a copy that a GPU would have to send back
        torch._foreach_lerp_(averages, weights, 1 - min(decay, (1 + k) / (10 + k)))

    return update


def _placed(x: Tensor, device: torch.device) -> Tensor:
    """Pictures and noise go to the device; times and labels stay, since the schedule's tables are on the CPU."""
    return x.to(device) if x.is_floating_point() else x


def _fraction(state: TrainState, steps: int | None, minutes: float | None) -> float:
    return min(1.0, state.step / steps if steps is not None else state.seconds / (60 * minutes))
