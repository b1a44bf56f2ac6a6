"""Chapter 10: eta and the number of calls with five thousand digits a cell, and what as many real pictures come to.

python -m experiments.ch10.many_digits [--seeds 0 1 2]
python -m experiments.ch10.many_digits --data zalando-datasets/fashion_mnist --on digits fashion32

The networks are those of few_steps.py. What was drawn is kept in runs/many_digits, a file a cell, so that it can be
stopped and gone on with; a cell that is not there is not in the results.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor

from ddpm_core import data
from ddpm_core.diffusion.noise import seeded
from ddpm_core.evaluation import classifier, metrics
from experiments.ch10 import few_steps, subjects
from experiments.common import small_trainings
from experiments.common.results_file import Stopwatch, spread, write
from experiments.common.settings import cached, command_line, parsed

PLAN = {"eta 0": (10, 50), "eta 1": (5, 10, 50), "DPM-Solver++ 2M": (10, 50)}
FLOORS = {"digits": (120, 200, 300, 5000), "fashion32": (100, 500, 1000)}


@dataclass(frozen=True, kw_only=True)
class Settings(subjects.Settings):
    """samples: digits a cell; on: whose floors are measured; draws: of real pictures; longest: draw in no more calls
    now, though what is kept of longer walks counts."""

    samples: dict[str, int] = field(default_factory=lambda: {"digits": 5000})
    on: tuple[str, ...] = ("digits",)
    plan: dict[str, tuple[int, ...]] = field(default_factory=lambda: PLAN)
    floors: dict[str, tuple[int, ...]] = field(default_factory=lambda: FLOORS)
    draws: int = 20
    longest: int = 1000
    at_once: int = 500

    @property
    def cells(self) -> Path:
        return self.runs / "many_digits"


BOOK = Settings()


def floor(reference: Tensor, real: Tensor, labels: Tensor, n: int, draws: int, again: bool) -> list[float | None]:
    """Distance of n real pictures, equally many of each class, from the reference: [mean, deviation over the draws].

    reference (M, D) and real (N, D) are features; again: a picture may be drawn more than once."""
    classes, found = int(labels.max()) + 1, []
    for draw in range(draws):
        g, rows = seeded(21, n, draw), []
        for k in range(classes):
            (mine,) = torch.where(labels == k)
            many = n // classes
            chosen = torch.randint(len(mine), (many,), generator=g) if again else torch.randperm(len(mine), generator=g)
            rows.append(mine[chosen[:many]])
        found.append(metrics.frechet(reference, real[torch.cat(rows)]))
    return spread(found)


def digits_floors(w: small_trainings.World, settings: Settings) -> dict[str, list]:
    """Of digits drawn from all of them: what would be reached by drawing from them as they are."""
    labels = data.load("digits").labels
    return {
        str(n): floor(w.features, w.features, labels, n, settings.draws, again=True) for n in settings.floors["digits"]
    }


def garments_floors(settings: Settings) -> dict[str, list]:
    """Of garments that neither the network nor the judge has seen."""

    def make() -> dict[str, list]:
        known, held = (data.load(settings.data, split) for split in ("train", "test"))
        known, held = (replace(x, images=data.pad_to(x.images, 32, 32)) for x in (known, held))
        judge = classifier.cached(known, steps=settings.garment_judging)
        reference, real = (judge.features(x.images) for x in (known, held))
        return {
            str(n): floor(reference, real, held.labels, n, settings.draws, again=False)
            for n in settings.floors["fashion32"]
        }

    return cached(settings.cells / "floors-fashion32.json", make)


FLOORS_OF: dict[str, Callable[[small_trainings.World, Settings], dict]] = {
    "digits": digits_floors,
    "fashion32": lambda w, settings: garments_floors(settings),
}


def file(row: str, seed: int, calls: int, settings: Settings) -> Path:
    return settings.cells / f"{row.replace(' ', '-')}-{seed}-{calls}.json"


def cell(source: subjects.Source, row: str, seed: int, calls: int, settings: Settings) -> dict:
    """The distance of what one network draws so."""

    def make() -> dict:
        s, generator = source.subject(seed), seeded(seed, 4, calls)
        parts = [few_steps.drawn(s, row, calls, x, generator) for x in s.x_T.split(settings.at_once)]
        found = {"row": row, "seed": seed, "calls": calls, "frechet": s.judged(data.to_uint8(torch.cat(parts)))}
        print(found, flush=True)
        return found

    return cached(file(row, seed, calls, settings), make)


def main(arguments: list[str] | None = None, settings: Settings = BOOK) -> None:
    parser = command_line(__doc__, data=str, seeds=[int], longest=int)
    parser.add_argument("--on", nargs="+", choices=list(FLOORS_OF))
    settings, clock = parsed(parser, settings, arguments), Stopwatch(__spec__.name, arguments)
    torch.set_num_threads(1)
    w = small_trainings.world(settings)
    source = subjects.digits(w, settings)
    floors = {on: FLOORS_OF[on](w, settings) for on in settings.on}
    wanted = [(row, seed, n) for row, every in settings.plan.items() for seed in settings.seeds for n in every]
    wanted = [x for x in wanted if x[-1] <= settings.longest or file(*x, settings).exists()]
    wanted = sorted(wanted, key=lambda x: x[-1])
    runs = [cell(source, *x, settings) for x in wanted]
    rows: dict = {}
    for run in runs:
        rows.setdefault(run["row"], {}).setdefault(str(run["calls"]), []).append(run["frechet"])
    found = {
        "rows": {row: {calls: spread(distances) for calls, distances in every.items()} for row, every in rows.items()},
        "floors": floors,
        "runs": runs,
        "samples": settings.samples["digits"],
        "draws": settings.draws,
        "seeds": settings.seeds,
        "note": "rows: Frechet distance as [mean, standard deviation over the networks, one a seed] of `samples` "
        "digits, equally many of each class, from all 1,797 digits, in a small classifier's features; the networks, "
        "their schedule and the clamp are those of few_steps.json; floors: by the number of pictures, the distance of "
        "so many real ones, equally many of each class, as [mean, standard deviation over `draws` draws]: digits drawn "
        "from all 1,797, the same one perhaps more than once, garments from the 10,000 of the test split",
    }
    write("many_digits", found, clock, w.known.sha256, folder=settings.results)


if __name__ == "__main__":
    main()
