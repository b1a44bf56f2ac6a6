"""Chapter 13: digits on order, by the scale of guidance and by the times at which it pulls; three draws of the noise.

python -m experiments.ch13.guidance [--seeds 0 1 2] [--samples 120]

Each row of pictures is kept in runs/guidance as what was measured of it, so that it can be stopped and gone on with.
"""

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from ddpm_core import data, sampler
from ddpm_core.book import results as shelf
from ddpm_core.evaluation import classifier, metrics
from experiments.common.results_file import Stopwatch, significant, spread, write
from experiments.common.settings import Folders, cached, command_line, parsed

SCALES = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)
INTERVALS = {"all": None, "noisy": (667, 1000), "middle": (334, 666), "clean": (1, 333)}  # thirds of the chain
PLAN = [(scale, "all") for scale in SCALES] + [(4.0, third) for third in ("noisy", "middle", "clean")]


@dataclass(frozen=True, kw_only=True)
class Settings(Folders):
    """model: on the shelf; samples: pictures a row, equally many of each class; judging: the classifier's steps."""

    model: str = "digits"
    seeds: tuple[int, ...] = (0, 1, 2)
    samples: int = 120
    judging: int = 600
    plan: tuple[tuple[float, str], ...] = tuple(PLAN)


BOOK = Settings()


def main(arguments: list[str] | None = None, settings: Settings = BOOK) -> None:
    parser = command_line(__doc__, seeds=[int], samples=int)
    settings, clock = parsed(parser, settings, arguments), Stopwatch(__spec__.name, arguments)
    trained, digits = shelf.model(settings.model), data.load("digits")
    judge = classifier.train(digits, steps=settings.judging)
    real = judge.features(digits.images)
    whole = within(real, digits.labels)
    labels = sampler.balanced_labels(settings.samples, 10)

    def row(scale: float, third: str, seed: int) -> dict[str, float]:
        how = dict(guidance=scale, interval=INTERVALS[third], seed=seed)
        drawn = sampler.draw(trained, settings.samples, labels=labels, **how)
        features = judge.features(drawn)
        return {
            "recognised": significant(judge.accuracy(drawn, labels)),
            "variety": significant(within(features, labels) / whole),
            "frechet": significant(metrics.frechet(real, features)),
        }

    rows, kept = [], settings.runs / "guidance"
    for scale, third in settings.plan:
        names = [f"{third}-{scale:g}-{seed}-{settings.samples}.json" for seed in settings.seeds]
        makes = [partial(row, scale, third, seed) for seed in settings.seeds]
        runs = [cached(kept / name, make) for name, make in zip(names, makes, strict=True)]
        measures = {key: spread([run[key] for run in runs]) for key in runs[0]}
        rows.append({"scale": scale, "times": third, **measures})
        print(rows[-1], flush=True)
    results = {
        "rows": rows, "samples": settings.samples, "seeds": list(settings.seeds), "intervals": INTERVALS,
        "real": {"recognised": significant(judge.accuracy(digits.images, digits.labels)), "variety": 1.0},
        "note": "recognised: by a small classifier of the real digits, as the class that was asked for; variety: the "
        "variance of its features within a class, as a share of the real digits'; frechet: in its features, not FID",
    }  # fmt: skip
    write("guidance", results, clock, digits.sha256, folder=settings.results)


def within(features: Tensor, labels: Tensor) -> float:
    """Variance within a class, summed over the features, the mean over the classes."""
    return torch.stack([features[labels == k].var(0).sum() for k in labels.unique()]).mean().item()


if __name__ == "__main__":
    main()
