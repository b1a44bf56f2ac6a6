"""Chapter 5: the paper's Table 2 in small. What to predict, which loss, which variance; three seeds, on digits.

python -m experiments.ch05.table2 [--seeds 0 1 2]      one run a line is kept in runs/table2, so that it can be stopped
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from ddpm_core import sampler, schedule, trainer
from ddpm_core.diffusion import gaussian, loss, variance
from ddpm_core.diffusion.noise import seeded
from ddpm_core.diffusion.prediction import MEAN, PREDICTIONS
from experiments.common import small_trainings
from experiments.common.results_file import Stopwatch, significant, spread, write
from experiments.common.settings import cached, command_line, parsed

T100 = schedule.linear(100, 1e-3, 0.2)  # the paper's betas, times ten: a tenth of its steps
VARIANCES = {"beta": variance.beta, "beta_tilde": variance.interpolated(torch.zeros(()))}  # beta_tilde_2 at t = 1


def bound_weight(s: schedule.Schedule, t: Tensor, predict) -> Tensor:
    """The weight of the bound, scaled to mean 1 over t, so that only its shape differs from `uniform`."""
    everything = loss.vlb(s, torch.arange(1, s.T + 1), predict)
    return loss.vlb(s, t, predict) / everything.mean()


def absolute(net: Callable, x0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
    """The loss of Cogito's 2024 model: the absolute error of the next, cleaner image."""
    x_t = gaussian.q_sample(T100, x0, t, eps)
    return (MEAN.target(T100, x0, x_t, t, eps) - net(x_t, t)).abs().mean()


ROWS = {  # name -> (what the network predicts, its loss)
    **{
        f"{name} {weighting}": (predict, loss.objective(T100, predict, weight))
        for name, predict in PREDICTIONS.items()
        for weighting, weight in {"L": bound_weight, "unweighted": loss.uniform}.items()
    },
    "MEAN L1": (MEAN, absolute),
}


@dataclass(frozen=True, kw_only=True)
class Settings(small_trainings.Settings):
    """steps: of each training."""

    rows: tuple[str, ...] = tuple(ROWS)
    steps: int = 600
    samples: int = 400


BOOK = Settings()


def one_run(w: small_trainings.World, row: str, seed: int, settings: Settings) -> dict:
    began, (predict, objective) = time.perf_counter(), ROWS[row]
    state, batch_at, losses = small_trainings.start(seed), small_trainings.batches(w, T100, seed), []
    try:
        for progress in trainer.run(state, batch_at, objective, steps=settings.steps, report_every=50):
            losses.append(significant(progress.loss))
    except FloatingPointError as error:
        return {"row": row, "seed": seed, "unstable": str(error), "loss": losses}
    denoise, x_T, found = small_trainings.denoiser(state, T100, predict), small_trainings.x_T(settings.samples), {}
    same = small_trainings.remembered(denoise)
    for name, width in VARIANCES.items():
        steps = sampler.ancestral(denoise, T100, x_T, variance=width, generator=seeded(seed, 3))
        frechet = small_trainings.judged(w, sampler.final(steps))
        found[name] = {**small_trainings.priced(w, same, T100, width), "frechet": frechet}
    found = {"row": row, "seed": seed, "loss": losses, **found, "seconds": round(time.perf_counter() - began, 1)}
    print(found, flush=True)
    return found


def summary(runs: list[dict]) -> dict:
    """Mean, and standard deviation over the seeds, of each figure under each variance."""
    whole = [run for run in runs if "unstable" not in run]
    rows = {"seeds": [run["seed"] for run in runs], "unstable": len(runs) - len(whole)}
    for name in VARIANCES if whole else ():
        rows[name] = {key: spread([run[name][key] for run in whole]) for key in whole[0][name]}
    return rows


def main(arguments: list[str] | None = None, settings: Settings = BOOK) -> None:
    parser = command_line(__doc__, seeds=[int])
    settings, clock = parsed(parser, settings, arguments), Stopwatch(__spec__.name, arguments)
    w = small_trainings.world(settings)

    def run(row: str, seed: int) -> dict:
        file = settings.runs / "table2" / f"{row.replace(' ', '-')}-{seed}.json"
        return cached(file, partial(one_run, w, row, seed, settings))

    runs = [run(row, seed) for seed in settings.seeds for row in settings.rows]
    results = {
        "rows": {row: summary([run for run in runs if run["row"] == row]) for row in settings.rows},
        "runs": runs,
        "steps": settings.steps,
        "samples": settings.samples,
        "schedule": "linear, T = 100, beta from 0.001 to 0.2",
        "threads": torch.get_num_threads(),
        "note": "each figure as [mean, standard deviation over the seeds]; bound and its parts L_T, L_t (the sum over "
        f"t >= 2), L_0 in bits per dimension on {settings.held_out} held-out digits, frechet in a small classifier's "
        "features against all digits; beta_tilde_2 stands in for beta_tilde_1 = 0; x0_hat is clamped throughout; the "
        "learned variance of the paper's table is not measured here",
    }
    minutes = sum(run.get("seconds", 0) for run in runs) / 60
    write("table2", results, clock, w.known.sha256, minutes=minutes, folder=settings.results)


if __name__ == "__main__":
    main()
