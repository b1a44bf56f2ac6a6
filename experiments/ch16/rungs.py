"""The rungs of chapter 16's ladder, as values: each is the one below with one thing changed. See ladder.py.

A `Rung` is a way from picture to noise, what the network predicts, the network, how it is trained and how it draws.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise

import torch
from torch import Tensor, nn

from ddpm_core import sampler, schedule, unet
from ddpm_core.diffusion import prediction, timesteps
from ddpm_core.diffusion.noise import seeded
from ddpm_core.networks.flops import training_flops
from ddpm_core.recipes.config import CARS32, FASHION32
from ddpm_core.schedule import Schedule, at
from experiments.ch16 import club
from experiments.ch16.trainings import as_the_club, as_we_do

SMALL = {16: (club.WIDTH // 2, FASHION32.channels)}  # the two networks at 16x16: narrower, for a CPU's sake


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
class Prediction:
    """What the network predicts.

    target(way, x0, t, eps)              what a perfect network would put out
    to_x0(way, output, x_t, t)           the x_0 that an output stands for
    step(way, output, x_t, t, t_prev)    the picture at t_prev that it leads to, of the same noise
    """

    target: Callable[[Way, Tensor, Tensor, Tensor], Tensor]
    to_x0: Callable[[Way, Tensor, Tensor, Tensor], Tensor]
    step: Callable[[Way, Tensor, Tensor, Tensor, Tensor], Tensor]


def preserving(s: Schedule) -> Way:
    """The variance-preserving way of a schedule."""
    return Way(s.alpha_bar.sqrt(), (1 - s.alpha_bar).sqrt(), s)


def _x0_from_next(way: Way, following: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
    """x_t and the next picture are two equations for x_0 and eps; Cramer's rule for the first."""
    s, n, s_next, n_next = (at(row, k, x_t) for k in (t, t - 1) for row in (way.signal, way.noise))
    return (n * following - n_next * x_t) / (n * s_next - n_next * s)


def _x0_from_v(way: Way, v: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
    return at(way.signal, t, x_t) * x_t - at(way.noise, t, x_t) * v


def _step_by_v(way: Way, v: Tensor, x_t: Tensor, t: Tensor, t_prev: Tensor) -> Tensor:
    eps_hat = at(way.noise, t, x_t) * x_t + at(way.signal, t, x_t) * v
    return way.mix(_x0_from_v(way, v, x_t, t), t_prev, eps_hat)


BLEND = Way(1 - club.AMOUNT, club.AMOUNT)
NEXT = Prediction(
    target=lambda way, x0, t, eps: way.mix(x0, t - 1, eps),
    to_x0=_x0_from_next,
    step=lambda way, output, x_t, t, t_prev: output,  # which is the picture at t - 1: for a way that is walked whole
)
VELOCITY = Prediction(
    target=lambda way, x0, t, eps: at(way.signal, t, x0) * eps - at(way.noise, t, x0) * x0,
    to_x0=_x0_from_v,
    step=_step_by_v,
)


class Waves(nn.Sequential):
    """Sines and cosines of t, at many frequencies, where the club had the bare number; and no LayerNorm behind them."""

    def __init__(self):
        super().__init__(unet.SinusoidalEmbedding(club.TOLD), nn.Linear(club.TOLD, club.TOLD), nn.ReLU())


def widths(side: int) -> tuple[int, tuple[int, ...]]:
    """The width of the club's network, and those of our U-Net's levels, for pictures of this size."""
    return SMALL.get(side, (club.WIDTH, CARS32.channels))


def clubs(side: int, steps: int) -> nn.Module:
    return club.Club(side, club.Counted(steps), widths(side)[0])


def with_waves(side: int, steps: int) -> nn.Module:
    return club.Club(side, Waves(), widths(side)[0])


def ours(side: int, steps: int) -> nn.Module:
    """The recipe's U-Net; at 16x16 its first fold of 2x2 pixels is left out, so that its grids are the same."""
    return unet.UNet(3, widths(side)[1], attention=CARS32.attention, patch=CARS32.patch * side // 32)


def without_attention(side: int, steps: int) -> nn.Module:
    net = ours(side, steps)
    for block in net.modules():
        if isinstance(block, unet.ResidualBlock):
            block.attention = nn.Identity()
    return net


def straight(rung: "Rung", net: nn.Module, x_T: Tensor, seed: int) -> Tensor:
    """So many times from one picture to a cleaner one, nothing random in between."""
    x, times = x_T, [round(rung.way.T * (1 - k / rung.calls)) for k in range(rung.calls + 1)]
    for t, t_prev in pairwise(times):
        now, then = (torch.full((len(x),), k) for k in (t, t_prev))
        x = rung.predicts.step(rung.way, net(x, now), x, now, then)
    return x


def held(rung: "Rung", net: nn.Module, x_T: Tensor, seed: int) -> Tensor:
    """With x0_hat held to [-1, 1], still nothing random in between."""
    return solved(rung, net, x_T, seed, "ddim", rung.calls)


def by_the_recipe(rung: "Rung", net: nn.Module, x_T: Tensor, seed: int) -> Tensor:
    """The recipe's sampler: x0_hat held to [-1, 1], some noise made anew in each of its steps."""
    return solved(rung, net, x_T, seed, CARS32.sampler, rung.calls)


def solved(rung: "Rung", net: nn.Module, x_T: Tensor, seed: int, name: str, calls: int) -> Tensor:
    """By one of our samplers, whose noise is that of the seed."""
    s = rung.way.schedule
    how = {"times": timesteps.uniform(s, calls), "generator": seeded(seed, 3)}
    return sampler.final(sampler.SAMPLERS[name](denoiser(rung, net), s, x_T, **how))


def denoiser(rung: "Rung", net: nn.Module) -> prediction.Denoise:
    return prediction.clip_denoised(lambda x_t, t: rung.predicts.to_x0(rung.way, net(x_t, t), x_t, t))


# ---- the ladder ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Rung:
    """A model; `change` says what is new beside the rung below. By default it is the club's."""

    name: str = "club"
    change: str = "the club's model"
    trained: Callable = as_the_club
    error: Callable[[Tensor], Tensor] = torch.abs
    way: Way = BLEND
    predicts: Prediction = NEXT
    network: Callable[[int, int], nn.Module] = clubs
    flips: bool = False
    averaged: bool = False
    calls: int = club.T
    draws: Callable = straight

    def loss(self, net: nn.Module, x0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        """The mean error of the output."""
        output = net(self.way.mix(x0, t, eps), t.to(x0.device))
        return self.error(output - self.predicts.target(self.way, x0, t, eps)).mean()

    def flops(self, side: int) -> int:
        """Floating-point operations to train on one picture, there and back."""
        return _flops(self.network, side, self.way.T)


@cache
def _flops(network: Callable[[int, int], nn.Module], side: int, steps: int) -> int:
    with torch.device("meta"):
        return training_flops(network(side, steps), (3, side, side))


TRAINING = ("trained", "error", "way", "predicts", "network", "flips")  # what a rung's weights depend on


def _climb(first: Rung, *changes: dict) -> tuple[Rung, ...]:
    rungs = [first]
    for change in changes:
        rungs.append(replace(rungs[-1], **change))
    return tuple(rungs)


LADDER = _climb(
    Rung(),
    dict(name="trainer", change="our trainer: other batch and rate, a fall to nothing, ...", trained=as_we_do),
    dict(name="squared", change="the squared error", error=torch.square),
    dict(name="cosine", change="the cosine schedule in 16 steps", way=preserving(schedule.cosine(16))),
    dict(name="velocity", change="asked for v, not for the next picture", predicts=VELOCITY),
    dict(name="T", change="1000 times to train at, still 16 calls to draw", way=preserving(schedule.cosine(1000))),
    dict(name="clock", change="the time as sines and cosines, no LayerNorm behind them", network=with_waves),
    dict(name="unet", change="our U-Net, without attention", network=without_attention),
    dict(name="attention", change="attention", network=ours),
    dict(name="average", change="averaged weights", averaged=True),
    dict(name="calls", change="50 calls to draw, not 16", calls=CARS32.steps),
    dict(name="clamp", change="x_0 held to [-1, 1]", draws=held),
    dict(name="sampler", change="fresh noise in each call: DDIM with eta 1", draws=by_the_recipe),
    dict(name="flips", change="mirrored cars", flips=True),
)
BY_NAME = {rung.name: rung for rung in LADDER}


def training_of(rung: Rung, ladder: Sequence[Rung] = LADDER) -> Rung:
    """The lowest rung that was trained alike: the one whose weights this rung uses."""
    return next(r for r in ladder if all(getattr(r, key) == getattr(rung, key) for key in TRAINING))
