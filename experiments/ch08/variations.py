"""What a training is changed by, one thing at a time: an optimiser, its rate, the target, the times, the network."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from ddpm_core import trainer
from ddpm_core.diffusion.loss import min_snr, sample_timesteps
from ddpm_core.diffusion.prediction import EPS
from ddpm_core.recipes import RECIPES, TrainingConfig
from ddpm_core.schedule import Schedule
from ddpm_core.training.optimizers import adam, muon

Times = Callable[[Schedule, int, torch.Generator], Tensor]  # n of a batch, in 1..T


@dataclass(frozen=True)
class logit_normal:
    """Times whose logit(t / T) is normal: most in the middle of the chain.   [Esser 2024, Section 3.1]"""

    mean: float = 0.0
    std: float = 1.0

    def __call__(self, schedule: Schedule, n: int, generator: torch.Generator) -> Tensor:
        """Spread over the batch as `sample_timesteps` spreads them."""
        u = (torch.arange(n, dtype=torch.float64) + torch.rand(1, generator=generator, dtype=torch.float64)) / n
        share = torch.sigmoid(self.mean + self.std * torch.special.ndtri(u.clamp(1e-6, 1 - 1e-6)))
        t = 1 + (share * schedule.T).long().clamp(max=schedule.T - 1)
        return t[torch.randperm(n, generator=generator)]


def to_zero(done: float) -> float:
    """A straight line from 1 to 0."""
    return 1 - done


def late(done: float) -> float:
    """1 for seven tenths of the training, then a straight line to 0."""
    return min(1.0, (1 - done) / 0.3)


@dataclass(frozen=True)
class Variation:
    """What differs from a recipe: fields of its config, how times are drawn, how the rate falls.

    channels: by recipe, for a network of about as many operations.
    """

    changes: dict = field(default_factory=dict)
    times: Times = sample_timesteps
    decay: Callable[[float], float] = trainer.cosine_decay
    channels: dict[str, tuple[int, ...]] = field(default_factory=dict)


def _with_muon(times: Times = sample_timesteps, decay=trainer.cosine_decay, **changes) -> Variation:
    return Variation({"optimizer": muon(0.02), **changes}, times, decay)


VARIATIONS = {
    "adam": Variation(dict(optimizer=adam)),
    "adam, half the rate": Variation(dict(optimizer=adam, lr=1.5e-3)),
    "adam, twice the rate": Variation(dict(optimizer=adam, lr=6e-3)),
    "adam, eps": Variation(dict(optimizer=adam, predict=EPS)),
    "adam, logit-normal times": Variation(dict(optimizer=adam), times=logit_normal()),
    "muon": _with_muon(),
    "muon, half the rate": _with_muon(optimizer=muon(0.01)),
    "muon, twice the rate": _with_muon(optimizer=muon(0.04)),
    "muon, eps": _with_muon(predict=EPS),
    "muon, logit-normal times": _with_muon(logit_normal()),
    "muon, wide logit-normal times": _with_muon(logit_normal(std=1.5)),
    "muon, min-SNR": _with_muon(weight=min_snr(5.0)),
    "muon, rate to 0": _with_muon(decay=to_zero),
    "muon, rate falls late": _with_muon(decay=late),
    "muon, dropout 0.1": _with_muon(dropout=0.1),
    "muon, all labels told": _with_muon(label_drop=0.0),
    "muon, two blocks a level": Variation(
        dict(optimizer=muon(0.02), blocks=2), channels={"digits": (32, 56), "fashion32": (24, 48, 72)}
    ),
    "muon, half of Adam's rate": _with_muon(lr=1.5e-3),
}  # fmt: skip


@dataclass(frozen=True, order=True)
class Training:
    """One training: of a recipe, changed by a variation."""

    recipe: str
    steps: int
    variation: str
    seed: int

    @classmethod
    def read(cls, words: str) -> "Training":
        """recipe:steps:variation:seed"""
        recipe, steps, variation, seed = words.split(":")
        return cls(recipe, int(steps), variation, int(seed))

    @property
    def file(self) -> str:
        return "-".join([self.recipe, str(self.steps), *self.variation.replace(",", "").split(), str(self.seed)])

    def config(self) -> TrainingConfig:
        what, own = VARIATIONS[self.variation], RECIPES[self.recipe].config
        return replace(own, channels=what.channels.get(self.recipe, own.channels), **what.changes)


Calls = tuple[tuple[str, int], ...]  # samplers, and how often each calls the network
SOLVER: Calls = (("dpm", 20),)
BOTH: Calls = (*SOLVER, ("ddim1", 50))


@dataclass(frozen=True)
class Block:
    """Trainings of one recipe and one length: every variation with every seed."""

    recipe: str
    steps: int
    variations: tuple[str, ...]
    seeds: tuple[int, ...] = (0,)
    samplers: Calls = SOLVER
