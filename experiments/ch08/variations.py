"""What a training is changed by, one thing at a time: an optimiser, its rate, the target, the times, the network."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from torch import Tensor

from ddpm_core import trainer
from ddpm_core.data.times import logit_normal
from ddpm_core.diffusion.loss import min_snr, sample_timesteps
from ddpm_core.diffusion.prediction import EPS, Prediction
from ddpm_core.recipes import RECIPES, TrainingConfig
from ddpm_core.schedule import Schedule, at
from ddpm_core.training.optimizers import adam, muon


def to_zero(done: float) -> float:
    """A straight line from 1 to 0."""
    return 1 - done


def late(done: float) -> float:
    """1 for seven tenths of the training, then a straight line to 0."""
    return min(1.0, (1 - done) / 0.3)


def preconditioned(sigma: float) -> Prediction:
    """x0_hat = skip x_t + scale output, so that target and error have the same size at all times for data of standard
    deviation `sigma`, uncorrelated: with sigma = 1 this is V with its sign turned.   [Karras 2022, Table 1]"""

    def parts(schedule: Schedule, t: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        alpha_bar = at(schedule.alpha_bar, t, like)
        size = alpha_bar * sigma**2 + 1 - alpha_bar  # variance of x_t
        return alpha_bar.sqrt() * sigma**2 / size, sigma * ((1 - alpha_bar) / size).sqrt()

    def target(schedule, x0, x_t, t, eps):
        skip, scale = parts(schedule, t, x0)
        return (x0 - skip * x_t) / scale

    def to_x0(schedule, output, x_t, t):
        skip, scale = parts(schedule, t, x_t)
        return skip * x_t + scale * output

    return Prediction(f"preconditioned({sigma})", target, to_x0, lambda schedule, t, like: parts(schedule, t, like)[1])


@dataclass(frozen=True)
class Variation:
    """What differs from a recipe with Adam and uniform times: fields of its config, how the rate falls.

    channels: by recipe, for a network of about as many operations.
    """

    changes: dict = field(default_factory=dict)
    decay: Callable[[float], float] = trainer.cosine_decay
    channels: dict[str, tuple[int, ...]] = field(default_factory=dict)


def _with_muon(decay=trainer.cosine_decay, **changes) -> Variation:
    return Variation({"optimizer": muon(0.02), **changes}, decay)


def _at_all_pixels(**changes) -> Variation:
    """With Muon, and a level of 16 channels at the pixels' own resolution in place of the pixel-unshuffle stem."""
    changes = {"optimizer": muon(0.02), "patch": 1, "attention": (2,), **changes}
    return Variation(changes, channels={"fashion32": (16, 32, 64, 96)})


VARIATIONS = {
    "adam": Variation(),
    "adam, half the rate": Variation(dict(lr=1.5e-3)),
    "adam, twice the rate": Variation(dict(lr=6e-3)),
    "adam, eps": Variation(dict(predict=EPS)),
    "adam, logit-normal times": Variation(dict(times=logit_normal())),
    "muon": _with_muon(),
    "muon, half the rate": _with_muon(optimizer=muon(0.01)),
    "muon, twice the rate": _with_muon(optimizer=muon(0.04)),
    "muon, eps": _with_muon(predict=EPS),
    "muon, logit-normal times": _with_muon(times=logit_normal()),
    "muon, wide logit-normal times": _with_muon(times=logit_normal(std=1.5)),
    "muon, min-SNR": _with_muon(weight=min_snr(5.0)),
    "muon, rate to 0": _with_muon(decay=to_zero),
    "muon, rate falls late": _with_muon(decay=late),
    "muon, dropout 0.1": _with_muon(dropout=0.1),
    "muon, all labels told": _with_muon(label_drop=0.0),
    "muon, two blocks a level": Variation(
        dict(optimizer=muon(0.02), blocks=2), channels={"digits": (32, 56), "fashion32": (24, 48, 72)}
    ),
    "muon, preconditioned": _with_muon(predict=preconditioned(0.5)),
    "muon, a level of all pixels": _at_all_pixels(),
    "all pixels, eps": _at_all_pixels(predict=EPS),
    "all pixels, preconditioned": _at_all_pixels(predict=preconditioned(0.5)),
    "all pixels, logit-normal times": _at_all_pixels(times=logit_normal()),
    "all pixels, wide logit-normal times": _at_all_pixels(times=logit_normal(std=1.5)),
    "all pixels, min-SNR": _at_all_pixels(weight=min_snr(5.0)),
    "all pixels, dropout 0.1": _at_all_pixels(dropout=0.1),
    "all pixels, all labels told": _at_all_pixels(label_drop=0.0),
    "all pixels, half the rate": _at_all_pixels(optimizer=muon(0.01)),
    "all pixels, twice the rate": _at_all_pixels(optimizer=muon(0.04)),
    "all pixels, half of Adam's rate": _at_all_pixels(lr=1.5e-3),
    "all pixels, attention in the middle alone": _at_all_pixels(attention=()),
    "all pixels, batches of 64": _at_all_pixels(batch=64),
    "adam, a level of all pixels": _at_all_pixels(optimizer=adam),
    "muon, a thin level of all pixels": Variation(
        dict(optimizer=muon(0.02), patch=1, attention=(2,)), channels={"fashion32": (8, 32, 64, 96)}
    ),
    "muon, a broad level of all pixels": Variation(
        dict(optimizer=muon(0.02), patch=1, attention=(2,)), channels={"fashion32": (24, 32, 64, 96)}
    ),
    "muon, as broad at all pixels": Variation(
        dict(optimizer=muon(0.02), patch=1, attention=(2,)), channels={"fashion32": (32, 32, 64, 96)}
    ),
    "muon, broad, narrow below": Variation(
        dict(optimizer=muon(0.02), patch=1, attention=(2,)), channels={"fashion32": (24, 32, 48, 64)}
    ),
    "muon, wider": Variation(dict(optimizer=muon(0.02)), channels={"fashion32": (40, 80, 96)}),
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
        what = VARIATIONS[self.variation]
        own = replace(RECIPES[self.recipe].config, optimizer=adam, times=sample_timesteps)
        return replace(own, **{"channels": what.channels.get(self.recipe, own.channels), **what.changes})


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
