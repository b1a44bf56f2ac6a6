"""Chapter 6: one network trained on L, on L_simple and on min-SNR. Its loss all the way, its samples at a dozen looks.

python -m experiments.ch06.three_weights [--seed 0] [--steps 800]
"""

from dataclasses import dataclass

import torch

from ddpm_core import trainer, unet
from ddpm_core.diffusion import loss
from ddpm_core.diffusion.prediction import EPS
from experiments.ch06.stall import T1000
from experiments.common import small_trainings
from experiments.common.results_file import Stopwatch, picture, significant, write
from experiments.common.settings import command_line, parsed

WEIGHTS = {"L": loss.vlb, "L_simple": loss.uniform, "min-SNR": loss.min_snr(5.0)}


@dataclass(frozen=True, kw_only=True)
class Settings(small_trainings.Settings):
    """looks: steps after which a network draws; shown: how many of its samples are kept."""

    seed: int = 0
    steps: int = 800
    looks: tuple[int, ...] = (20, 40, 60, 100, 150, 200, 300, 400, 500, 600, 700, 800)
    report_every: int = 10
    channels: tuple[int, ...] = (16, 32)
    samples: int = 300
    shown: int = 8


BOOK = Settings()


def of_mean_one(weight: loss.Weighting) -> loss.Weighting:
    """The same weights over their mean, so that no loss is larger than another for its units alone."""
    mean = weight(T1000, torch.arange(1, T1000.T + 1), EPS).mean()
    return lambda schedule, t, predict: weight(schedule, t, predict) / mean


def one_run(w: small_trainings.World, weight: loss.Weighting, settings: Settings) -> tuple[dict, list[torch.Tensor]]:
    """Its loss (means of a few steps), the distance of its samples at every look, and some of these samples."""
    state = small_trainings.start(settings.seed, lambda: unet.UNet(1, settings.channels))
    batch_at = small_trainings.batches(w, T1000, settings.seed)
    objective, how = loss.objective(T1000, EPS, of_mean_one(weight)), {"report_every": settings.report_every}
    curve, distance, drawn = [], [], []
    for report in trainer.run(state, batch_at, objective, steps=settings.steps, **how):
        curve.append([report.step, significant(report.loss)])
        if report.step in settings.looks:
            denoise = small_trainings.denoiser(state, T1000, EPS)
            digits = small_trainings.drawn(denoise, T1000, settings.samples, settings.seed)
            distance.append(small_trainings.judged(w, digits))
            drawn.append(digits[: settings.shown])
    return {"loss": curve, "frechet": distance}, drawn


def main(arguments: list[str] | None = None, settings: Settings = BOOK) -> None:
    parser = command_line(__doc__, seed=int, steps=int)
    settings, clock = parsed(parser, settings, arguments), Stopwatch(__spec__.name, arguments)
    w = small_trainings.world(settings)
    made = {name: one_run(w, weight, settings) for name, weight in WEIGHTS.items()}
    rows = torch.cat([digits for _, drawn in made.values() for digits in drawn])
    picture(settings.results / "three_weights.png", rows, columns=settings.shown, gap=0)
    results = {
        "runs": {name: run for name, (run, _) in made.items()},
        "looks": list(settings.looks),
        "seed": settings.seed,
        "samples": settings.samples,
        "note": f"EPS, linear schedule, T = 1000, a U-Net of {settings.channels} channels, batches of "
        f"{small_trainings.BATCH}; each weighting over its mean; loss: means of {settings.report_every} steps of the "
        f"loss that the run is trained on; frechet: {settings.samples} samples of 50 DDIM steps with eta 1 of the "
        f"averaged network; three_weights.png: {settings.shown} of these from the same noise, a row a look, first all "
        "looks of L, then of L_simple, then of min-SNR",
    }
    write("three_weights", results, clock, w.known.sha256, folder=settings.results)


if __name__ == "__main__":
    main()
