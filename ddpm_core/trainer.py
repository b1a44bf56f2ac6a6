"""The training loop. It knows batches, a loss and an optimiser; nothing of diffusion.

A `State` is what training changes; `run` moves it on and yields `Progress`; `save` and `resume` keep it on disk.
Devices, mixed precision and many processes are accelerate's business, the moving average is torch's.
"""

import contextlib
import json
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from .files import CheckpointError, read_tensors, write_tensors

MOMENTS = ("exp_avg", "exp_avg_sq")  # of the gradient, as Adam calls them
BatchAt = Callable[[int], tuple[Tensor, ...]]  # step -> the tensors of that step's batch, each (B, ...)


@dataclass
class State:
    """The network, its moving average, the optimiser, and how far they have come."""

    net: nn.Module
    ema: AveragedModel
    optimizer: torch.optim.Optimizer
    accelerator: Accelerator
    lr: float
    warmup: int
    step: int = 0
    images: int = 0
    seconds: float = 0.0
    whole: bool = True  # False within a step, while weights, average and optimiser are not of one age


@dataclass(frozen=True)
class Progress:
    """What `run` yields: step and images so far, the mean loss since the last report, seconds, and the share done."""

    step: int
    loss: float
    images: int
    seconds: float
    fraction: float


def start(
    net: nn.Module,
    *,
    lr: float = 2e-3,  # ten times the paper's: small networks take it, with the warm-up and the decay below
    warmup: int = 100,  # steps until lr is reached; Adam's first steps are its least sure ones
    ema_decay: float = 0.999,  # the paper's 0.9999 averages over 10,000 steps, more than a small run has
    mixed_precision: str = "no",  # "fp16" on a T4, "bf16" on newer GPUs; on a CPU both are slower
    device: str | None = None,  # None: a GPU if there is one
) -> State:
    """A fresh `State` for this network. Raises ValueError for a device that is not there, or is not the first choice:
    accelerate settles on one device for a process."""
    device = check_device(device)
    accelerator = Accelerator(cpu=device == "cpu", mixed_precision=mixed_precision)
    if accelerator.device.type != device:
        raise ValueError(f"need a fresh process to train on {device}: this one trains on {accelerator.device} already.")
    net = net.to(accelerator.device, memory_format=torch.channels_last)  # 1.2 x faster convolutions
    ema = AveragedModel(net)
    ema.multi_avg_fn = _ema_update(ema_decay, ema)
    optimizer = torch.optim.Adam(net.parameters(), lr=lr, betas=(0.9, 0.99), fused=True)
    net, optimizer = accelerator.prepare(net, optimizer)
    return State(net, ema, optimizer, accelerator, lr, warmup)


def check_device(device: str | None) -> str:
    """The device asked for; for None a GPU if there is one, else "cpu". Raises ValueError for one that is not there."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if device is not None and not there.get(device, False):
        raise ValueError(f"need a device that this machine has, but {device!r} is not available; try --device cpu.")
    return device or next(name for name, here in there.items() if here)


def run(
    state: State,
    batch_at: BatchAt,
    loss: Callable[..., Tensor],
    *,
    steps: int | None = None,
    minutes: float | None = None,
    report_every: int = 10,
) -> Iterator[Progress]:
    """Train until `steps` steps or `minutes` minutes in all; yields `Progress` every `report_every` steps.

    batch_at(step)     that step's whole batch, a tuple of tensors (B, ...); of n processes each takes every n-th row
    loss(net, *batch)  a scalar
    The learning rate warms up, then falls along a cosine to 2 % at the end. Ctrl-C stops between two steps, so the
    state stays whole. Raises FloatingPointError at the first loss that is not finite, naming the step.
    """
    if (steps is None) == (minutes is None):
        raise ValueError(f"need either steps or minutes, but got steps={steps} and minutes={minutes}.")
    accelerator, parameters = state.accelerator, list(state.net.parameters())
    processes = accelerator.num_processes
    if processes > 1 and (minutes is not None or len(batch_at(state.step)[0]) % processes):
        raise ValueError(f"need steps, and a batch that {processes} processes can share: their clocks would differ.")
    began, pending = time.perf_counter() - state.seconds, []
    state.net.train()
    with _interrupt_between_steps() as interrupted:
        while (done := _fraction(state, steps, minutes)) < 1:
            batch = batch_at(state.step)
            mine = [_placed(x[accelerator.process_index :: processes], accelerator.device) for x in batch]
            for group in state.optimizer.param_groups:
                group["lr"] = state.lr * min(1, (state.step + 1) / state.warmup) * _cosine_decay(done)
            with accelerator.autocast():
                value = loss(state.net, *mine)
            accelerator.backward(value)
            accelerator.clip_grad_norm_(parameters, 1.0)
            state.whole = False
            state.optimizer.step()
            state.optimizer.zero_grad()
            state.ema.update_parameters(accelerator.unwrap_model(state.net))
            state.step, state.images = state.step + 1, state.images + len(batch[0])
            state.seconds = time.perf_counter() - began
            state.whole = True
            pending.append(value.detach())
            fraction = _fraction(state, steps, minutes)
            if len(pending) == report_every or fraction >= 1 or interrupted():
                mean = _mean_finite(accelerator.reduce(torch.stack(pending), "mean"), state.step - len(pending))
                pending.clear()
                yield Progress(state.step, mean, state.images, state.seconds, fraction)
                began = time.perf_counter() - state.seconds  # what the caller does meanwhile is not training
            if interrupted():
                raise KeyboardInterrupt
    state.net.eval()


def averaged(state: State) -> nn.Module:
    """The network with its averaged weights: the one to sample from."""
    return state.ema.module.eval()


def save(state: State, path: str | Path) -> None:
    """Everything that `resume` needs, in one file that is replaced whole or not at all.

    A resumed run equals the uninterrupted one bit for bit on a CPU; on a GPU without dropout and fp16, whose random
    numbers and loss scale are not kept. Raises FloatingPointError, and writes nothing, if a weight is not finite.
    """
    if not state.accelerator.is_main_process:
        return
    if not all(p.isfinite().all() for p in state.net.parameters()):
        raise FloatingPointError(f"the weights are no longer finite at step {state.step}.")
    net = state.accelerator.unwrap_model(state.net)
    tensors = {f"net.{k}": v for k, v in net.state_dict().items()}
    tensors |= {f"ema.{k}": v for k, v in state.ema.state_dict().items()}
    moments = state.optimizer.state_dict()["state"]
    tensors |= {f"adam.{i}.{k}": v for i, found in moments.items() for k, v in found.items()}
    tensors["rng"] = torch.get_rng_state()  # dropout draws from the global generator
    progress = {"step": state.step, "images": state.images, "seconds": state.seconds}
    write_tensors(path, tensors, {"progress": json.dumps(progress)})


def resume(state: State, path: str | Path) -> State:
    """Fill a fresh `State` of the same network from `save`'s file. Raises CheckpointError if it does not fit."""
    tensors, about = read_tensors(path)
    part = {name: {} for name in ("net", "ema", "adam")}
    for key, value in tensors.items():
        room, _, rest = key.partition(".")
        part.setdefault(room, {})[rest] = value
    try:
        progress = json.loads(about["progress"])
        state.accelerator.unwrap_model(state.net).load_state_dict(part["net"])
        state.ema.load_state_dict(part["ema"])
        moments: dict[int, dict] = {}
        for key, value in part["adam"].items():
            number, _, name = key.partition(".")
            moments.setdefault(int(number), {})[name] = value
        weights = list(state.net.parameters())
        for i, found in moments.items():  # each laid out as its weight is: fused Adam walks through memory
            if {k: v.shape for k, v in found.items()} != {"step": ()} | dict.fromkeys(MOMENTS, weights[i].shape):
                raise ValueError(f"Adam's moments of weight {i} do not fit.")
            found |= {name: torch.empty_like(weights[i]).copy_(found[name]) for name in MOMENTS}
        state.optimizer.load_state_dict(state.optimizer.state_dict() | {"state": moments})
        torch.set_rng_state(tensors["rng"])
        state.step, state.images, state.seconds = progress["step"], progress["images"], progress["seconds"]
    except (LookupError, RuntimeError, TypeError, ValueError) as error:
        why = " ".join(str(error).split())[:200]
        raise CheckpointError(f"need a checkpoint of this very network, but {path} is of another: {why}") from error
    return state


# ---- small parts -----------------------------------------------------------------------------------------------


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


def _cosine_decay(done: float) -> float:
    """From 1 at the beginning to 0.02 at the end."""
    return 0.02 + 0.98 * (1 + math.cos(math.pi * done)) / 2


def _fraction(state: State, steps: int | None, minutes: float | None) -> float:
    return min(1.0, state.step / steps if steps is not None else state.seconds / (60 * minutes))


def _mean_finite(losses: Tensor, first_step: int) -> float:
    bad = (~losses.isfinite()).nonzero()
    if len(bad):
        raise FloatingPointError(f"the loss became {losses[bad[0]].item()} at step {first_step + int(bad[0]) + 1}.")
    return losses.mean().item()


@contextlib.contextmanager
def _interrupt_between_steps() -> Iterator[Callable[[], bool]]:
    """Hold the first Ctrl-C back until the step is whole; a second acts at once. Outside the main thread: nothing."""
    asked = []
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    previous = signal.getsignal(signal.SIGINT)

    def remember(number, frame):
        asked.append(True)
        signal.signal(signal.SIGINT, previous)

    signal.signal(signal.SIGINT, remember)
    try:
        yield lambda: bool(asked)
    finally:
        signal.signal(signal.SIGINT, previous)
