"""Chapter 8: what the moving average is worth, and quality against minutes of one processor core, on digits.

python -m experiments.ch08.training [--average 0 1 2] [--budgets 0 1]

--average: seeds of the runs that compare raw and averaged weights; --budgets: seeds of the runs for each budget. Each
run is kept in a file in runs/training, so that the whole can be stopped.
"""

import copy
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from ddpm_core import sampler, schedule, trainer
from ddpm_core.diffusion import loss, prediction, timesteps
from ddpm_core.diffusion.noise import seeded
from ddpm_core.diffusion.prediction import V
from ddpm_core.evaluation import metrics
from ddpm_core.training.state import TrainState
from experiments.common import bounds, pace, small_trainings
from experiments.common.results_file import Stopwatch, picture, significant, spread, write
from experiments.common.settings import cached, command_line, parsed

T1000 = schedule.cosine(1000)
DECAYS = {"constant": trainer.no_decay, "cosine": trainer.cosine_decay}
CALLS = 20


@dataclass(frozen=True, kw_only=True)
class Settings(small_trainings.Settings):
    """average: seeds of the runs that compare weights, budgets: of those for each of `minutes`, of one core.

    looks: steps of the former at which samples are judged, the last being their length; seen: at which `columns`
    samples are kept.
    """

    average: tuple[int, ...] = (0, 1, 2)
    budgets: tuple[int, ...] = (0, 1)
    minutes: tuple[float, ...] = (0.5, 1, 2, 4)
    looks: tuple[int, ...] = (100, 200, 400, 600, 800)
    seen: tuple[int, ...] = (25, 50, 75, 100, 150, 200, 250, 300, 400, 500, 600, 700, 800)
    samples: int = 300
    columns: int = 8


BOOK = Settings()


class Fixed:
    """The plain moving average: 0.999 from the first step on, and the weights of the beginning in it."""

    def __init__(self, net: nn.Module):
        self.net = copy.deepcopy(net).eval()

    @torch.no_grad()
    def update(self, net: nn.Module) -> None:
        torch._foreach_lerp_(list(self.net.parameters()), list(net.parameters()), 0.001)


def timed(state: TrainState, w: small_trainings.World, seed: int, steps: int, decay) -> Iterator[tuple[float, float]]:
    """Train, and after each step yield the processor's seconds for it, without the caller's, and the loss."""
    objective, batch_at = loss.objective(T1000, V), small_trainings.batches(w, T1000, seed)
    return pace.timed(trainer.run(state, batch_at, objective, steps=steps, report_every=1, decay=decay))


def denoiser(net: nn.Module) -> prediction.Denoise:
    return prediction.clip_denoised(prediction.denoiser(net, T1000, V))


def drawn(net: nn.Module, x_T: Tensor) -> Tensor:
    return sampler.final(sampler.dpm_solver(denoiser(net), T1000, x_T, timesteps.uniform(T1000, CALLS)))


def one_run(w: small_trainings.World, decay: str, seed: int, steps: int, settings: Settings) -> tuple[dict, Tensor]:
    """One network trained for so many steps: what was found, and the samples on the way, (looks, 2, columns, ...)."""
    whole, state = time.process_time(), small_trainings.start(seed)
    looks, losses, strips, seconds, raw, fixed = [], [], [], 0.0, state.net, Fixed(state.net)
    x_T = small_trainings.x_T(settings.samples)  # the same noise for every network
    for spent, value in timed(state, w, seed, steps, DECAYS[decay]):
        seconds += spent
        losses.append(value)
        fixed.update(raw)
        nets = {"raw": raw.eval(), "averaged": trainer.ema_model(state), "fixed": fixed.net}
        if state.step in settings.looks or state.step == steps:
            frechet = {name: small_trainings.judged(w, drawn(net, x_T)) for name, net in nets.items()}
            looks.append({"step": state.step, **frechet})
            print(decay, seed, steps, looks[-1], flush=True)
        if state.step in settings.seen:
            strips.append(torch.stack([drawn(nets[name], x_T[: settings.columns]) for name in ("raw", "averaged")]))
        raw.train()
    nets.pop("fixed")
    found = {
        "decay": decay, "seed": seed, "steps": steps, "images": state.images, "frechet": looks,
        "bound": {name: bounds.continuous(denoiser(net), T1000, w.held) for name, net in nets.items()},
        "seconds": round(seconds, 1), "seconds_with_judging": round(time.process_time() - whole, 1),
        "loss": [significant(statistics.mean(losses[k : k + 25])) for k in range(0, steps, 25)],
    }  # fmt: skip
    return found, torch.stack(strips)


def real(w: small_trainings.World, samples: int) -> float:
    """The distance of as many real digits, which a perfect network could not be asked to beat."""
    rows = torch.randperm(len(w.features), generator=seeded(6))[:samples]
    return round(metrics.frechet(w.features, w.features[rows]), 3)


def average_on_and_off(runs: list[dict], looks: tuple[int, ...]) -> dict:
    """decay -> weights -> step -> Frechet distance, over the runs of one length."""
    return {
        decay: {
            name: {
                str(step): spread([run["frechet"][k][name] for run in runs if run["decay"] == decay])
                for k, step in enumerate(looks)
            }
            for name in ("raw", "averaged", "fixed")
        }
        for decay in DECAYS
    }


def against_minutes(runs: list[dict], lengths: dict[float, int]) -> dict:
    """minutes -> what the averaged network came to, over the runs of that length whose learning rate falls."""
    rows = {}
    for minutes, steps in lengths.items():
        mine = [run for run in runs if run["decay"] == "cosine" and run["steps"] == steps]
        rows[f"{minutes:g}"] = {
            "steps": mine[0]["steps"], "images": mine[0]["images"], "seeds": [run["seed"] for run in mine],
            "minutes_of_processor": spread([run["seconds"] / 60 for run in mine]),
            "frechet": spread([run["frechet"][-1]["averaged"] for run in mine]),
            "frechet_raw": spread([run["frechet"][-1]["raw"] for run in mine]),
            "bound": spread([run["bound"]["averaged"] for run in mine]),
        }  # fmt: skip
    return rows


def main(arguments: list[str] | None = None, settings: Settings = BOOK) -> None:
    parser = command_line(__doc__, average=[int], budgets=[int])
    settings, clock = parsed(parser, settings, arguments), Stopwatch(__spec__.name, arguments)
    torch.set_num_threads(1)  # seconds of one thread: they add up, whatever else the machine does
    w, folder, long = small_trainings.world(settings), settings.runs / "training", settings.looks[-1]

    steps_a_minute = pace.steps_a_minute(
        folder / "rate.json", lambda: timed(small_trainings.start(0), w, 0, 90, trainer.cosine_decay)
    )
    rate = int(round(steps_a_minute, -2))
    lengths = {minutes: round(rate * minutes) for minutes in settings.minutes}
    plan = [(decay, seed, long) for decay in DECAYS for seed in settings.average]
    plan += [("cosine", seed, steps) for steps in lengths.values() for seed in settings.budgets]
    made = {key: cached(folder / f"{'-'.join(map(str, key))}.pt", partial(one_run, w, *key, settings)) for key in plan}
    runs = [found for found, _ in made.values()]
    strips = [made[decay, settings.average[0], long][1] for decay in DECAYS]
    sheet = torch.cat(strips, dim=1).flatten(0, 2)  # for each step seen: constant raw, averaged; cosine raw, averaged
    picture(settings.results / "training.png", sheet, columns=settings.columns, gap=0)
    results = {
        "average": average_on_and_off([run for run in runs if run["steps"] == long], settings.looks),
        "average_seeds": settings.average,
        "minutes": against_minutes(runs, lengths),
        "other_machines": {"NVIDIA T4": "not measured", "NVIDIA H100": "not measured"},
        "runs": runs,
        "seen": settings.seen,
        "columns": settings.columns,
        "samples": settings.samples,
        "real": real(w, settings.samples),
        "steps_a_minute": rate,
        "lr": small_trainings.LR,
        "batch": small_trainings.BATCH,
        "threads": torch.get_num_threads(),
        "note": "each figure as [mean, standard deviation over the seeds]; V, unweighted, cosine schedule, T = 1000, "
        f"no labels; frechet: {settings.samples} samples of {CALLS} steps of DPM-Solver++ from the same noise for "
        "every network, in a small classifier's features against all digits; bound: the continuous-time bound on "
        f"{settings.held_out} held-out digits in bits per dimension; raw: the weights as they are; averaged: with "
        "decay min(0.999, (1 + k) / (10 + k)); fixed: "
        "with 0.999 from the first step on, the initial weights in it; minutes: of one core, as steps at a rate "
        "measured once and rounded to hundreds, minutes_of_processor: processor time of the training alone; "
        "training.png: eight samples from the same noise, four rows for each step seen: constant learning rate raw "
        "and averaged, cosine raw and averaged, first seed; real: as many of the digits themselves",
    }
    minutes = sum(run["seconds_with_judging"] for run in runs) / 60
    write("training", results, clock, w.known.sha256, minutes=minutes, folder=settings.results)


if __name__ == "__main__":
    main()
