"""Chapter 8: quality against minutes of one processor core, on garments of 32x32 pixels, by class.

python -m experiments.ch08.garment_minutes --data zalando-datasets/fashion_mnist [--minutes 1 2 5 ...] [--seeds 0 1]

Each budget is a training of its own by the recipe fashion32, whose learning rate falls within it. A minute is so many
steps, at a rate that is measured once, so that other work on the machine changes nothing. Each training is kept in
runs/garment_minutes, half-done ones too: the whole can be stopped, and gone on with.
"""

import json
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from ddpm_core import data, sampler, trainer
from ddpm_core.diffusion import loss
from ddpm_core.diffusion.model import Model
from ddpm_core.diffusion.noise import seeded
from ddpm_core.evaluation import classifier, metrics
from ddpm_core.recipes import RECIPES, TrainingConfig
from ddpm_core.recipes.config import network
from ddpm_core.storage.files import write_atomically
from ddpm_core.training.state import TrainState
from experiments.common import bounds, pace
from experiments.common.results_file import Stopwatch, picture, spread, write
from experiments.common.settings import Folders, cached, command_line, parsed

RECIPE = RECIPES["fashion32"]


@dataclass(frozen=True, kw_only=True)
class Settings(Folders):
    """minutes: of one core; clock: its seconds. save_every: seconds; judging: steps of the classifier; matrix: the side
    of those that tell how fast a core it is."""

    data: str = RECIPE.data
    config: TrainingConfig = RECIPE.config
    minutes: tuple[float, ...] = (1, 2, 5, 10, 20, 40, 60)
    seeds: tuple[int, ...] = (0, 1)
    samples: int = 500
    priced: int = 200
    columns: int = 10
    judging: int = 3500
    save_every: float = 60
    matrix: int = 2048
    clock: Callable[[], float] = time.process_time

    @property
    def kept(self) -> Path:
        return self.runs / "garment_minutes"


BOOK = Settings()


@dataclass(frozen=True, eq=False)
class World:
    """Garments to train on and held-out ones, on the recipe's canvas; a classifier of the former, their features."""

    known: data.ImageDataset
    held: data.ImageDataset
    judge: classifier.Classifier
    features: Tensor


def world(settings: Settings) -> World:
    known, held = (data.load(settings.data, split) for split in ("train", "test"))
    known, held = (replace(one, images=data.pad_to_multiple(one.images, 8)) for one in (known, held))
    judge = classifier.cached(known, steps=settings.judging)
    return World(known, held, judge, judge.features(known.images))


def start(w: World, config: TrainingConfig, seed: int) -> TrainState:
    torch.manual_seed(seed)
    net = network(config, w.known.images.shape[1], w.known.num_classes)
    return trainer.start(net, lr=config.lr, ema_decay=config.ema_decay, device="cpu")


def timed(state: TrainState, w: World, seed: int, steps: int, settings: Settings) -> Iterator[tuple[float, float]]:
    """Train, and yield after each step the processor's seconds for it, and the loss."""
    how = settings.config
    batch_at = data.batches(
        w.known.images, how.schedule, batch=how.batch, seed=seed, labels=w.known.labels, label_drop=how.label_drop
    )
    objective = loss.objective(how.schedule, how.predict, how.weight)
    return pace.timed(trainer.run(state, batch_at, objective, steps=steps, report_every=1), settings.clock)


def trained(w: World, seed: int, steps: int, settings: Settings) -> Model:
    """The averaged network after so many steps; about: the processor's minutes for them."""
    how, path = settings.config, settings.kept / f"{steps}-{seed}.safetensors"
    state, clock, spent, noted = start(w, how, seed), path.with_suffix(".json"), 0.0, {}
    if path.exists():
        trainer.resume(state, path)
        noted = seconds_at(clock, state.step)
        if str(state.step) in noted:
            spent = noted[str(state.step)]
        else:
            print(f"{clock.name} does not say how long {path.name} took: this training begins again.", flush=True)
            state, noted = start(w, how, seed), {}
    saved = time.monotonic()

    def keep() -> None:
        """The seconds first, with those of the file that is there: wherever this is cut short, they are found again."""
        noted[str(state.step)] = spent
        write_atomically(clock, lambda temporary: temporary.write_text(json.dumps(noted)))
        trainer.save(state, path)

    for seconds, _ in timed(state, w, seed, steps, settings):
        spent += seconds
        if time.monotonic() - saved > settings.save_every:
            keep()
            saved = time.monotonic()
    keep()
    about = {"size": w.known.images.shape[2:], "minutes": spent / 60, "images": state.images}
    return trainer.model(state, how.schedule, how.predict, about)


def seconds_at(clock: Path, step: int) -> dict[str, float]:
    """step -> seconds of the processor until then, as noted; a bare number is of the step at hand."""
    noted = json.loads(clock.read_text()) if clock.exists() else {}
    return noted if isinstance(noted, dict) else {str(step): noted}


def judged(w: World, drawn: Tensor, labels: Tensor) -> dict[str, float]:
    return {
        "frechet": round(metrics.frechet(w.features, w.judge.features(drawn)), 3),
        "recognised": round(w.judge.accuracy(drawn, labels), 4),
    }


def measured(w: World, seed: int, minutes: float, steps: int, settings: Settings) -> tuple[dict, Tensor]:
    """What a training of so many minutes comes to, and a row of its pictures, the same noise for all."""
    made, how = trained(w, seed, steps, settings), {"sampler": settings.config.sampler, "steps": settings.config.steps}
    labels = sampler.balanced_labels(settings.samples, w.known.num_classes)
    drawn = sampler.draw(made, settings.samples, labels=labels, seed=9, **how)
    x0, classes = data.to_float(w.held.images[: settings.priced]), w.held.labels[: settings.priced]
    found = {
        "minutes": minutes, "seed": seed, "steps": steps, "images": made.about["images"],
        "minutes_of_processor": round(made.about["minutes"], 2), **judged(w, drawn, labels),
        "bound": bounds.continuous(made.denoiser(classes), made.schedule, x0),
    }  # fmt: skip
    print(found, flush=True)
    return found, drawn[: settings.columns]


def real(w: World, samples: int) -> dict[str, float]:
    """As many held-out garments: what the best of models could come to."""
    rows = torch.randperm(len(w.held), generator=seeded(6))[:samples]
    return judged(w, w.held.images[rows], w.held.labels[rows])


def gemm(side: int) -> float:
    """GFLOP/s of this thread when it multiplies two such matrices in fp32: how fast a core it is."""
    a, b = torch.randn(2, side, side)
    seconds = []
    for _ in range(7):
        began = time.process_time()
        a @ b
        seconds.append(time.process_time() - began)
    return round(2 * side**3 / statistics.median(seconds) / 1e9, 1)


def summary(runs: list[dict]) -> dict:
    """minutes -> what its trainings came to."""
    rows = {}
    for minutes in sorted({run["minutes"] for run in runs}):
        mine = [run for run in runs if run["minutes"] == minutes]
        rows[f"{minutes:g}"] = {
            "steps": mine[0]["steps"], "images": mine[0]["images"], "seeds": [run["seed"] for run in mine],
            **{key: spread([run[key] for run in mine]) for key in
               ("minutes_of_processor", "frechet", "recognised", "bound")},
        }  # fmt: skip
    return rows


def main(arguments: list[str] | None = None, settings: Settings = BOOK) -> None:
    parser = command_line(__doc__, data=str, minutes=[float], seeds=[int])
    settings, clock = parsed(parser, settings, arguments), Stopwatch(__spec__.name, arguments)
    torch.set_num_threads(1)  # seconds of one thread: they add up, whatever else the machine does
    w, folder = world(settings), settings.kept
    steps_a_minute = pace.steps_a_minute(
        folder / "rate.json", lambda: timed(start(w, settings.config, 0), w, 0, 150, settings)
    )
    rate = int(round(steps_a_minute, -1))
    plan = [(seed, minutes, round(rate * minutes)) for minutes in sorted(settings.minutes) for seed in settings.seeds]
    made = [
        cached(folder / f"{steps}-{seed}.pt", partial(measured, w, seed, minutes, steps, settings))
        for seed, minutes, steps in plan
    ]
    runs = [found for found, _ in made]
    strips = [pictures for found, pictures in made if found["seed"] == settings.seeds[0]]
    picture(settings.results / "garment_minutes.png", torch.cat(strips), columns=settings.columns, gap=0)
    results = {
        "minutes": summary(runs),
        "runs": runs,
        "real": real(w, settings.samples),
        "steps_a_minute": rate,
        "gemm_gflops": gemm(settings.matrix),
        "samples": settings.samples,
        "priced": settings.priced,
        "batch": settings.config.batch,
        "threads": torch.get_num_threads(),
        "other_machines": {"NVIDIA T4": "not measured", "NVIDIA H100": "not measured"},
        "note": "minutes: each figure as [mean, standard deviation over the seeds]; the recipe fashion32, a training "
        "for each budget, whose learning rate falls within it; minutes are steps at a rate measured once, and "
        "minutes_of_processor what they took of one thread; frechet and recognised: of `samples` drawn by class with "
        "the recipe's sampler, averaged weights, the same noise for all, by a small classifier of the 60,000 training "
        "pictures (so not FID); bound: the continuous-time bound on `priced` held-out garments, told their class, "
        "x0_hat held to [-1, 1], in bits per dimension; real: as many held-out garments as `samples`; gemm_gflops: "
        f"{settings.matrix} x {settings.matrix} matrices in fp32 by the same thread; garment_minutes.png: a row a "
        "budget, the first seed",
    }
    minutes = sum(run["minutes_of_processor"] for run in runs)
    write("garment_minutes", results, clock, w.known.sha256, minutes=minutes, folder=settings.results)


if __name__ == "__main__":
    main()
