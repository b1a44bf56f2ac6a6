"""Chapter 10: quality against network calls. DDIM's Table 1 in small, with DPM-Solver++, on digits and Fashion-MNIST.

python -m experiments.ch10.few_steps --data zalando-datasets/fashion_mnist [--on digits fashion32] [--seeds 0 1 2]

What was drawn is kept in runs/few_steps, one file for each network and sampler, so that it can be stopped, and gone on
with for more seeds. Pictures of clothes are kept under the hash of the network that drew them, and under that of DATA
if it is not what the recipe was made with: with another network or other data they are drawn and judged anew.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from ddpm_core import data, sampler
from ddpm_core.diffusion import timesteps, variance
from ddpm_core.diffusion.noise import seeded
from experiments.ch10 import subjects
from experiments.ch10.subjects import T1000, Source, Subject
from experiments.common import small_trainings
from experiments.common.results_file import Stopwatch, picture, significant, spread, write
from experiments.common.settings import cached, command_line, parsed

EVEN, CLOCKS = timesteps.uniform, {"even in log-SNR": timesteps.uniform_log_snr, "quadratic": timesteps.quadratic}
ROWS: dict[str, tuple[Callable[..., timesteps.Steps], Callable]] = {  # the sampler, and the times it visits
    **{f"eta {eta:g}": (partial(sampler.ddim, eta=eta), EVEN) for eta in (0.0, 0.5, 1.0)},
    "sigma-hat": (partial(sampler.ancestral, variance=variance.beta), EVEN),  # the chain of these times alone
    "DPM-Solver++ 2M": (sampler.dpm_solver, EVEN),
    **{f"DPM-Solver++ 2M, {name}": (sampler.dpm_solver, clock) for name, clock in CLOCKS.items()},
}
LONG = 1000  # calls of ancestral sampling, which is eta 1 then
DIGITS, CLOTHES = (5, 10, 20, 50, 100), (10, 20, 40, 50, 100)  # numbers of calls
PLAN = {
    "digits": {row: DIGITS[:4] if row.startswith("DPM") else DIGITS for row in ROWS}
    | {row: (*DIGITS, LONG) for row in ("eta 0", "eta 1", "sigma-hat")},
    "fashion32": {"eta 0": CLOTHES, "eta 1": (*sorted((*CLOTHES, 45)), LONG), "DPM-Solver++ 2M": CLOTHES},
}
FIGURES = ("on", "row", "seed", "calls", "seconds", "frechet")
SHEET = ("eta 0", "eta 1", "sigma-hat", "DPM-Solver++ 2M")


@dataclass(frozen=True, kw_only=True)
class Settings(subjects.Settings):
    """plan: on -> row -> numbers of calls; at_once: pictures. shown: calls of the `columns` pictures on the sheet.
    timed: pictures that seconds are taken of, the samplers taking turns."""

    on: tuple[str, ...] = tuple(PLAN)
    plan: dict[str, dict[str, tuple[int, ...]]] = field(default_factory=lambda: PLAN)
    long: int = LONG
    at_once: int = 100
    shown: int = 10
    columns: int = 8
    timed: int = 20
    turns: int = 5


BOOK = Settings()


def drawn(s: Subject, row: str, calls: int, x_T: Tensor, generator: torch.Generator) -> Tensor:
    """What a row's sampler makes of this noise in so many calls."""
    walk, clock = ROWS[row]
    return sampler.final(walk(s.denoise, T1000, x_T, clock(T1000, calls), generator=generator))


def measured(source: Source, on: str, row: str, seed: int, calls: int, settings: Settings) -> tuple[dict, Tensor]:
    """One sampler's figures and the first pictures that it drew; made if they are not there yet."""

    def make() -> tuple[dict, Tensor]:
        s, found = source.subject(seed), {"on": on, "row": row, "seed": seed, "calls": calls}
        generator, began = seeded(seed, 3, calls), time.process_time()
        parts = [drawn(s, row, calls, x, generator) for x in s.x_T.split(settings.at_once)]
        found["seconds"] = significant((time.process_time() - began) / len(s.x_T))
        pictures = data.to_uint8(torch.cat(parts))
        found["frechet"] = s.judged(pictures)
        print(found, flush=True)
        return found, pictures[: settings.columns]

    name = f"{source.network}{source.against}-{row.replace(' ', '-')}-{seed}-{calls}"
    return cached(settings.kept / f"{name}.pt", make)


def seconds(source: Source, on: str, settings: Settings) -> dict[str, dict[str, float]]:
    """row -> calls -> seconds for a picture. The samplers take turns, a stretch of the long walk, then each of the
    others once, so that whatever else the machine does meets them all alike."""

    def make() -> dict[str, dict[str, float]]:
        s, turns, long = source.subject(0), settings.turns, settings.long
        x_T, (walk, clock) = s.x_T[: settings.timed], ROWS["eta 1"]
        steps = walk(s.denoise, T1000, x_T, clock(T1000, long), generator=seeded(3))
        short = [(row, calls) for row, every in settings.plan[on].items() for calls in every if calls < long]
        took = dict.fromkeys([("eta 1", long), *short], 0.0)
        next(steps)
        for _ in range(turns):
            began = time.process_time()
            for _ in range(long // turns):
                next(steps)
            took["eta 1", long] += time.process_time() - began
            for row, calls in short:
                began = time.process_time()
                drawn(s, row, calls, x_T, seeded(3))
                took[row, calls] += (time.process_time() - began) / turns
        found: dict = {}
        for (row, calls), total in took.items():
            found.setdefault(row, {})[str(calls)] = significant(total / len(x_T))
        return found

    return cached(settings.kept / f"{source.network}-seconds.pt", make)


def summary(runs: list[dict]) -> dict:
    """on -> row -> calls -> seconds and Frechet distance, each with its spread."""
    cells: dict = {}
    for run in runs:
        row = cells.setdefault(run["on"], {}).setdefault(run["row"], {})
        row.setdefault(str(run["calls"]), []).append(run)
    return {
        on: {
            row: {
                calls: {key: spread([run[key] for run in cell]) for key in ("frechet", "seconds")}
                for calls, cell in found.items()
            }
            for row, found in rows.items()
        }
        for on, rows in cells.items()
    }


def sheet(made: dict[tuple, Tensor], settings: Settings) -> None:
    """few_steps.png: the same noise by each sampler in `shown` calls, and in `long`; digits above."""
    strips = []
    for on in settings.on:
        rows = [row for row in SHEET if row in settings.plan[on]]
        for row, calls in [*((row, settings.shown) for row in rows), ("eta 1", settings.long)]:
            mine = data.to_float(made[on, row, settings.seeds[0], calls])
            strips.append(F.interpolate(mine, size=(32, 32), mode="bicubic"))
    picture(settings.results / "few_steps.png", torch.cat(strips), columns=settings.columns, enlarge=2)


def main(arguments: list[str] | None = None, settings: Settings = BOOK) -> None:
    parser = command_line(__doc__, data=str, seeds=[int])
    parser.add_argument("--on", nargs="+", choices=list(PLAN))
    settings, clock = parsed(parser, settings, arguments), Stopwatch(__spec__.name, arguments)
    torch.set_num_threads(1)  # seconds of one thread: they add up, whatever else the machine does

    w = small_trainings.world(settings)
    sources = {on: subjects.SOURCES[on](w, settings) for on in settings.on}
    cells = [
        (on, row, seed, calls)
        for on in sources
        for seed in settings.seeds
        for row, every in settings.plan[on].items()
        for calls in every
    ]
    made = {}
    for cell in sorted(cells, key=lambda cell: cell[-1]):  # the long walks last
        made[cell] = measured(sources[cell[0]], *cell, settings)
    runs = [made[cell][0] for cell in cells]
    sheet({cell: pictures for cell, (_, pictures) in made.items()}, settings)
    found = {
        "rows": summary(runs),
        "seconds": {on: seconds(source, on, settings) for on, source in sources.items()},
        "runs": [{key: run[key] for key in FIGURES} for run in runs],
        "samples": settings.samples,
        "training_steps": settings.training,
        "seeds": settings.seeds,
        "threads": torch.get_num_threads(),
        "schedule": "cosine, T = 1000; times even in t unless the row says otherwise",
        "checkpoint_sha256": subjects.sha256() if "fashion32" in settings.on else None,
        "note": "rows: each figure as [mean, standard deviation over the seeds]; frechet in a small classifier's "
        "features, of so many samples against the real pictures, equally many of each class; each seed has its own "
        "x_T; digits: a network for each seed (V, 600 steps); fashion32: one network; x_0 is clamped throughout; eta 1 "
        "in 1000 calls is ancestral sampling; sigma-hat: the respaced chain with its own betas as variance; seconds: "
        "processor time of one thread for one image, in the rows in a batch of 100, beside them in a batch of 20 with "
        "the samplers taking turns; few_steps.png: the same noise in 10 calls by eta 0, eta 1, (on digits) sigma-hat "
        "and DPM-Solver++, and by eta 1 in 1000; minutes: processor time of all drawing",
    }
    minutes = sum(run["seconds"] * settings.samples[run["on"]] for run in runs) / 60
    write("few_steps", found, clock, w.known.sha256, minutes=minutes, folder=settings.results)


if __name__ == "__main__":
    main()
