"""Chapter 9: beta against beta_tilde, with the clamp and without, in 1000 steps and in 100; digits, three seeds.

python -m experiments.ch09.ancestral [--seeds 0 1 2]

Each network and each chain is kept in runs/ancestral, one file each, so that it can be stopped and gone on with.
"""

import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from ddpm_core import data, sampler, schedule, trainer
from ddpm_core.diffusion import prediction, timesteps, variance
from ddpm_core.diffusion.noise import seeded
from ddpm_core.diffusion.prediction import EPS, V
from ddpm_core.evaluation import metrics
from ddpm_core.storage import checkpoint
from experiments.common import small_trainings
from experiments.common.results_file import Stopwatch, picture, significant, spread, write
from experiments.common.settings import cached, command_line, parsed

LINEAR, COSINE = schedule.linear(1000), schedule.cosine(1000)
NETWORKS = {"EPS linear": (EPS, LINEAR), "V cosine": (V, COSINE)}
WIDTHS = {"beta": variance.beta, "beta_tilde": variance.beta_tilde}
CLAMPS = {"clamp": prediction.clip_denoised, "no clamp": lambda denoise: denoise}
FAR = 1.1  # a pixel beyond this is 13 grey values outside of the range: more than rounding
NAMES = ("network", "steps", "variance", "clamp")


@dataclass(frozen=True, kw_only=True)
class Settings(small_trainings.Settings):
    """plan: chains by network and number of steps. looks: times at which a chain is looked at: both kinds visit them.
    steps: of training. shown: pictures of each chain. so_far: make no chain, write what is kept."""

    plan: tuple[tuple[str, int], ...] = (("EPS linear", 100), ("EPS linear", 1000), ("V cosine", 100))
    looks: tuple[int, ...] = (10, 20, 50, *range(100, 1001, 100))
    steps: int = 600
    samples: int = 120
    shown: int = 8
    so_far: bool = False


BOOK = Settings()


@dataclass(eq=False)
class Watched:
    """A denoiser that notes, at some times, what it was shown and what it said of it."""

    denoise: prediction.Denoise
    looks: tuple[int, ...]
    notes: dict[int, tuple[float, float]] = field(default_factory=dict)

    def __call__(self, x_t: Tensor, t: Tensor) -> Tensor:
        x0_hat = self.denoise(x_t, t)
        if (now := int(t[0])) in self.looks:
            self.notes[now] = (x0_hat.abs() > 1).double().mean().item(), x_t.double().square().mean().item()
        return x0_hat

    def along(self, which: int) -> dict[str, float]:
        """time -> one of the two notes."""
        return {str(t): significant(self.notes[t][which]) for t in sorted(self.notes)}


def home(name: str, seed: int, settings: Settings) -> Path:
    """Where a network is kept; V under the cosine schedule is few_steps.py's, by class."""
    if name == "V cosine":
        return settings.runs / "few_steps" / f"network-{seed}"
    return settings.runs / "ancestral" / f"{name.replace(' ', '-')}-{seed}"


def network(w: small_trainings.World, name: str, seed: int, settings: Settings) -> torch.nn.Module:
    """Trained without labels, and kept."""
    (predict, s), folder = NETWORKS[name], home(name, seed, settings)
    if not (folder / checkpoint.MODEL).exists():
        if name == "V cosine":
            raise SystemExit("run experiments.ch10.few_steps first: the networks that predict v are its own.")
        began = time.process_time()
        state = small_trainings.trained(w, s, predict, seed, settings.steps)
        about = {"seed": seed, "seconds": time.process_time() - began}
        checkpoint.save(folder, trainer.model(state, s, predict, about))
        print(name, about, flush=True)
    return checkpoint.load(folder).network.to(memory_format=torch.channels_last)


def judged(w: small_trainings.World, x: Tensor) -> dict[str, float]:
    """What is said of drawn pictures, floats that may lie outside of [-1, 1]."""
    shown = data.to_uint8(x)
    return {
        "frechet": small_trainings.judged(w, x),
        "outside": significant((x.abs() > FAR).double().mean()),
        "farthest": significant(x.abs().max()),
        "saturated": significant(((shown == 0) | (shown == 255)).double().mean()),
        "gradients": significant(metrics.sharpness(shown) / metrics.sharpness(w.known.images)),
    }


def one_run(
    w: small_trainings.World, name: str, steps: int, width: str, clamp: str, seed: int, settings: Settings
) -> tuple[dict, Tensor]:
    """A chain of digits; the same x_T for all, and for one seed the same noise on the way."""
    (predict, s), net = NETWORKS[name], network(w, name, seed, settings)
    classes, n = net.num_classes, settings.samples
    net = partial(net, labels=sampler.balanced_labels(n, classes)) if classes else net
    watched = Watched(prediction.denoiser(net, s, predict), settings.looks)
    times, generator, began = timesteps.uniform(s, steps), seeded(seed, 9, steps), time.process_time()
    how = {"variance": WIDTHS[width], "generator": generator}
    x0 = sampler.final(sampler.ancestral(CLAMPS[clamp](watched), s, small_trainings.x_T(n), times, **how))
    found = {"network": name, "steps": steps, "variance": width, "clamp": clamp, "seed": seed, **judged(w, x0)}
    if width == "beta":  # and what the last step's noise would add: the fault of some programs
        z = torch.randn(x0.shape, generator=seeded(seed, 10))
        found["noise in the last step"] = judged(w, x0 + schedule.respaced(s, times).beta[1].sqrt().float() * z)
    found |= {"outside_at": watched.along(0), "square_at": watched.along(1)}
    found["seconds"] = round(time.process_time() - began, 1)
    print(found, flush=True)
    return found, data.to_uint8(x0)


def spreads(values: list) -> list | dict:
    """Mean and standard deviation over the seeds, of numbers or of each entry of dictionaries."""
    if isinstance(values[0], dict):
        return {key: spreads([value[key] for value in values]) for key in values[0]}
    return spread(values)


def file_of(which: tuple, settings: Settings) -> Path:
    """Where a chain's figures and pictures are kept."""
    return settings.runs / "ancestral" / f"{'-'.join(str(part).replace(' ', '-') for part in which)}.pt"


def summary(w: small_trainings.World, made: list[tuple[dict, Tensor]]) -> list[dict]:
    """One row for each network, number of steps, variance and clamp."""
    cells: dict[tuple, list] = {}
    for found, pictures in made:
        cells.setdefault(tuple(found[name] for name in NAMES), []).append((found, pictures))
    rows = []
    for which, cell in cells.items():
        runs, together = [found for found, _ in cell], torch.cat([pictures for _, pictures in cell])
        figures = {key: spreads([run[key] for run in runs]) for key in runs[0] if key not in (*NAMES, "seed")}
        pooled = round(metrics.frechet(w.features, w.judge.features(together)), 3)
        rows.append(dict(zip(NAMES, which, strict=True)) | figures | {"pooled": pooled})
    return rows


def main(arguments: list[str] | None = None, settings: Settings = BOOK) -> None:
    parser = command_line(__doc__, seeds=[int])
    parser.add_argument("--so-far", action="store_true", help="make no chain; write what is kept")
    settings, clock = parsed(parser, settings, arguments), Stopwatch(__spec__.name, arguments)
    torch.set_num_threads(1)  # seconds of one thread: they add up, whatever else the machine does
    w, seeds = small_trainings.world(settings), settings.seeds
    plan = [
        (*cell, width, clamp, seed) for cell in settings.plan for seed in seeds for clamp in CLAMPS for width in WIDTHS
    ]
    files = {which: file_of(which, settings) for which in plan}
    made = [
        cached(file, partial(one_run, w, *which, settings))
        for which, file in files.items()
        if file.exists() or not settings.so_far
    ]
    runs = [found for found, _ in made]
    first = [(found, pictures) for found, pictures in made if found["seed"] == seeds[0]]
    strips = torch.cat([pictures[: settings.shown] for _, pictures in first])
    picture(settings.results / "ancestral.png", strips, columns=settings.shown, enlarge=4)
    homes = {home(run["network"], run["seed"], settings) for run in runs}
    training = sum(checkpoint.load(folder).about.get("seconds", 0) for folder in homes)
    found = {
        "rows": summary(w, made),
        "sheet": [[run["network"], run["steps"], run["clamp"], run["variance"]] for run, _ in first],
        "real": judged(w, w.held[: settings.samples]),
        "data_square": significant(data.to_float(w.known.images).double().square().mean()),
        "runs": [{key: value for key, value in run.items() if not key.endswith("_at")} for run in runs],
        "samples": settings.samples,
        "training_steps": settings.steps,
        "seeds": seeds,
        "threads": torch.get_num_threads(),
        "note": "each figure of a row as [mean, standard deviation over the seeds]; a network for each seed, for EPS "
        "without labels, for V those of few_steps.json (their training is not in the minutes here), which draw equally "
        "many of each class; all start from the same x_T; EPS or V is what it was asked for, linear or cosine its "
        "schedule of 1000 steps, and 100 steps are those "
        "at even times, respaced; frechet: of the samples in a small classifier's features against all 1,797 digits; "
        "pooled: of those of all seeds together (with few samples the distance comes out too large); outside: share of "
        f"pixels of x_0 beyond {FAR} in absolute value, farthest the largest of them; saturated: "
        "share of pixels that are black or white once cut off at -1 and 1; gradients: mean difference of neighbouring "
        "pixels, over that of the real digits; noise in the last step: the same pictures with sqrt(beta_1) z added; "
        "outside_at: share of pixels that x0_hat, before any clamp, puts outside of [-1, 1], at some times t of the "
        "long chain; square_at: mean of x_t squared there; data_square: that of the digits the networks have seen; "
        "real: as many digits that they have not seen (the classifier has), judged alike; seconds: processor time of "
        "one chain on one thread; ancestral.png: rows as in sheet, each column from the same noise",
    }
    minutes = (sum(run["seconds"] for run in runs) + training) / 60
    write("ancestral", found, clock, w.known.sha256, minutes=minutes, folder=settings.results)


if __name__ == "__main__":
    main()
