"""The rungs of chapter 16's ladder, as values: each is the one below with one thing changed. See ladder.py.

A `Rung` is a way from picture to noise, what the network is asked, the network, how it is trained and how it draws.
"""

import json
import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import club
import torch
from torch import Tensor, nn

from ddpm_core import recipe, sampler, schedule, trainer, unet
from ddpm_core.cost import training_flops
from ddpm_core.files import replace_file
from ddpm_core.schedule import Schedule, at
from ddpm_core.seeds import seeded

OURS = recipe.CARS32
SMALL = {16: (club.WIDTH // 2, recipe.FASHION32.channels)}  # the two networks at 16x16: narrower, for a CPU's sake
CALLS, SAVE_EVERY = 16, 60  # network calls of the club's way to draw; seconds


# ---- what a rung is made of ------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Way:
    """A way from picture to noise: x_t = signal_t x_0 + noise_t eps, tables of length T + 1; schedule, if it is one."""

    signal: Tensor
    noise: Tensor
    schedule: Schedule | None = None

    @property
    def T(self) -> int:
        return len(self.signal) - 1

    def mix(self, x0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        return at(self.signal, t, like=x0) * x0 + at(self.noise, t, like=x0) * eps


@dataclass(frozen=True, eq=False)
class Question:
    """What the network answers.

    target(way, x0, t, eps)              the right answer
    x0_hat(way, answer, x_t, t)          the x_0 that an answer stands for
    step(way, answer, x_t, t, t_prev)    the picture at t_prev that it leads to, of the same noise
    """

    target: Callable[[Way, Tensor, Tensor, Tensor], Tensor]
    x0_hat: Callable[[Way, Tensor, Tensor, Tensor], Tensor]
    step: Callable[[Way, Tensor, Tensor, Tensor, Tensor], Tensor]


def preserving(s: Schedule) -> Way:
    """The variance-preserving way of a schedule."""
    return Way(s.alpha_bar.sqrt(), (1 - s.alpha_bar).sqrt(), s)


def _x0_from_next(way: Way, answer: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
    """x_t and the next picture are two equations for x_0 and eps; Cramer's rule for the first."""
    s, n, s_next, n_next = (at(row, k, x_t) for k in (t, t - 1) for row in (way.signal, way.noise))
    return (n * answer - n_next * x_t) / (n * s_next - n_next * s)


def _x0_from_v(way: Way, v: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
    return at(way.signal, t, x_t) * x_t - at(way.noise, t, x_t) * v


def _step_by_v(way: Way, v: Tensor, x_t: Tensor, t: Tensor, t_prev: Tensor) -> Tensor:
    eps_hat = at(way.noise, t, x_t) * x_t + at(way.signal, t, x_t) * v
    return way.mix(_x0_from_v(way, v, x_t, t), t_prev, eps_hat)


BLEND = Way(1 - club.AMOUNT, club.AMOUNT)
NEXT = Question(
    target=lambda way, x0, t, eps: way.mix(x0, t - 1, eps),
    x0_hat=_x0_from_next,
    step=lambda way, answer, x_t, t, t_prev: answer,  # which is the picture at t - 1: for a way that is walked whole
)
VELOCITY = Question(
    target=lambda way, x0, t, eps: at(way.signal, t, x0) * eps - at(way.noise, t, x0) * x0,
    x0_hat=_x0_from_v,
    step=_step_by_v,
)


class Waves(nn.Sequential):
    """Sines and cosines of t, at many frequencies, where the club had the bare number; and no LayerNorm behind them."""

    def __init__(self):
        super().__init__(unet.SinusoidalEmbedding(club.TOLD), nn.Linear(club.TOLD, club.TOLD), nn.ReLU())


def widths(side: int) -> tuple[int, tuple[int, ...]]:
    """The width of the club's network, and those of our U-Net's levels, for pictures of this size."""
    return SMALL.get(side, (club.WIDTH, OURS.channels))


def clubs(side: int, steps: int) -> nn.Module:
    return club.Club(side, club.Counted(steps), widths(side)[0])


def with_waves(side: int, steps: int) -> nn.Module:
    return club.Club(side, Waves(), widths(side)[0])


def ours(side: int, steps: int) -> nn.Module:
    """The recipe's U-Net; at 16x16 its first fold of 2x2 pixels is left out, so that its grids are the same."""
    return unet.UNet(3, widths(side)[1], attention=OURS.attention, patch=OURS.patch * side // 32)


def without_attention(side: int, steps: int) -> nn.Module:
    net = ours(side, steps)
    for block in net.modules():
        if isinstance(block, unet.ResidualBlock):
            block.attention = nn.Identity()
    return net


def straight(rung: "Rung", net: nn.Module, x_T: Tensor, seed: int, calls: int = CALLS) -> Tensor:
    """So many times from one picture to a cleaner one, nothing random in between."""
    x, times = x_T, [round(rung.way.T * (1 - k / calls)) for k in range(calls + 1)]
    for t, t_prev in pairwise(times):
        now, then = (torch.full((len(x),), k) for k in (t, t_prev))
        x = rung.asks.step(rung.way, net(x, now), x, now, then)
    return x


def more_calls(rung: "Rung", net: nn.Module, x_T: Tensor, seed: int) -> Tensor:
    """As `straight`, with the recipe's number of calls."""
    return straight(rung, net, x_T, seed, OURS.steps)


def held(rung: "Rung", net: nn.Module, x_T: Tensor, seed: int) -> Tensor:
    """The recipe's calls with x0_hat held to [-1, 1], still nothing random in between."""
    return sampler.last(recipe.SAMPLERS["ddim"](denoiser(rung, net), rung.way.schedule, x_T, OURS.steps, None))


def recipes(rung: "Rung", net: nn.Module, x_T: Tensor, seed: int) -> Tensor:
    """The recipe's sampler: x0_hat held to [-1, 1], some noise made anew in each of its steps."""
    s = rung.way.schedule
    return sampler.last(recipe.SAMPLERS[OURS.sampler](denoiser(rung, net), s, x_T, OURS.steps, seeded(seed, 3)))


def denoiser(rung: "Rung", net: nn.Module) -> sampler.Denoise:
    return sampler.clamped(lambda x_t, t: rung.asks.x0_hat(rung.way, net(x_t, t), x_t, t))


# ---- how a rung is trained -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Job:
    """One training: its data (N, 3, side, side) uint8, seed, budget in FLOPs, device, and the file it is kept in."""

    images: Tensor
    seed: int
    budget: float
    device: str
    file: Path

    def steps(self, net: nn.Module, batch: int) -> int:
        return max(1, round(self.budget / training_flops(net, tuple(self.images.shape[1:])) / batch))


def as_the_club(rung: "Rung", net: nn.Module, job: Job) -> tuple[nn.Module, nn.Module | None, dict]:
    """Adam as it comes, a rate that falls in rounds: the last weights, no average, and what it took."""
    net, batch = net.to(job.device), club.BATCH
    steps = job.steps(net, batch)
    batch_at = club.batches(job.images, rung.way.T, batch, job.seed)
    file = job.file.with_suffix(".training")  # of torch's own format
    run = list(club.train(net, batch_at, rung.loss, steps, file, SAVE_EVERY))
    return net, None, _took(steps, batch, run[-1][2], [(step, loss) for step, loss, _ in run])


def as_we_do(rung: "Rung", net: nn.Module, job: Job) -> tuple[nn.Module, nn.Module | None, dict]:
    """The trainer with the recipe's batch and rate: the last weights, their average, and what it took."""
    steps = job.steps(net, OURS.batch)
    state = trainer.start(net, lr=OURS.lr, ema_decay=OURS.ema_decay, device=job.device)
    if job.file.exists():
        trainer.resume(state, job.file)
    times = rung.way.schedule or schedule.cosine(rung.way.T)  # which gives `batches` its T, and no more
    batch_at = recipe.batches(job.images, None, times, batch=OURS.batch, seed=job.seed, flips=rung.flips)
    saved, reports = time.monotonic(), _reported(job, state.step)
    for progress in trainer.run(state, batch_at, rung.loss, steps=steps):
        reports.append((progress.step, progress.loss))
        if time.monotonic() - saved > SAVE_EVERY:
            _keep(job, state, reports)
            saved = time.monotonic()
    _keep(job, state, reports)
    net = state.accelerator.unwrap_model(state.net).eval()
    return net, trainer.averaged(state), _took(steps, OURS.batch, state.seconds, reports)


def _keep(job: Job, state: trainer.State, reports: list[tuple[int, float]]) -> None:
    """The losses before the weights: what the weights have not reached is left out when both are read again."""
    replace_file(job.file.with_suffix(".losses"), lambda temporary: temporary.write_text(json.dumps(reports)))
    trainer.save(state, job.file)


def _reported(job: Job, step: int) -> list[tuple[int, float]]:
    """(step, loss) of a training's first steps, as kept; nan if nothing was kept of them."""
    path = job.file.with_suffix(".losses")
    kept = json.loads(path.read_text()) if path.exists() else [(step, math.nan)]
    return [(then, loss) for then, loss in kept if 0 < then <= step]


def _took(steps: int, batch: int, seconds: float, reports: list[tuple[int, float]]) -> dict:
    """What a training took; its loss is None if one of its last twentieth is not known."""
    loss = statistics.fmean(loss for step, loss in reports if step > 0.95 * steps)
    return {
        "steps": steps, "images": steps * batch, "minutes": round(seconds / 60, 2),
        "loss": float(f"{loss:.4g}") if math.isfinite(loss) else None,
    }  # fmt: skip


# ---- the ladder ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Rung:
    """A model; `change` says what is new beside the rung below. By default it is the club's."""

    name: str = "club"
    change: str = "the club's model"
    trained: Callable = as_the_club
    error: Callable[[Tensor], Tensor] = torch.abs
    way: Way = BLEND
    asks: Question = NEXT
    network: Callable[[int, int], nn.Module] = clubs
    flips: bool = False
    averaged: bool = False
    draws: Callable = straight

    def loss(self, net: nn.Module, x0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        """The mean error of the answer."""
        answer = net(self.way.mix(x0, t, eps), t.to(x0.device))
        return self.error(answer - self.asks.target(self.way, x0, t, eps)).mean()


TRAINING = ("trained", "error", "way", "asks", "network", "flips")  # what a rung's weights depend on


def _climb(first: Rung, *changes: dict) -> list[Rung]:
    rungs = [first]
    for change in changes:
        rungs.append(replace(rungs[-1], **change))
    return rungs


LADDER = _climb(
    Rung(),
    dict(name="trainer", change="our trainer: other batch and rate, a fall to nothing, ...", trained=as_we_do),
    dict(name="squared", change="the squared error", error=torch.square),
    dict(name="cosine", change="the cosine schedule in 16 steps", way=preserving(schedule.cosine(16))),
    dict(name="velocity", change="asked for v, not for the next picture", asks=VELOCITY),
    dict(name="T", change="1000 times to train at, still 16 calls to draw", way=preserving(schedule.cosine(1000))),
    dict(name="clock", change="the time as sines and cosines, no LayerNorm behind them", network=with_waves),
    dict(name="unet", change="our U-Net, without attention", network=without_attention),
    dict(name="attention", change="attention", network=ours),
    dict(name="average", change="averaged weights", averaged=True),
    dict(name="calls", change="50 calls to draw, not 16", draws=more_calls),
    dict(name="clamp", change="x_0 held to [-1, 1]", draws=held),
    dict(name="sampler", change="fresh noise in each call: DDIM with eta 1", draws=recipes),
    dict(name="flips", change="mirrored cars", flips=True),
)
BY_NAME = {rung.name: rung for rung in LADDER}


def training_of(rung: Rung) -> Rung:
    """The lowest rung that was trained alike: the one whose weights this rung uses."""
    return next(r for r in LADDER if all(getattr(r, key) == getattr(rung, key) for key in TRAINING))
