"""Chapter 8: what the moving average is worth, and quality against minutes of one processor core, on digits.

python experiments/training.py [--average 0 1 2] [--budgets 0 1]

--average: seeds of the runs that compare raw and averaged weights; --budgets: seeds of the runs for each budget. Each
run is kept in a file in runs/training, so that the whole can be stopped.
"""

import argparse
import copy
import json
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import chains
import torch
from provenance import RESULTS, Stopwatch, spread, write
from torch import Tensor, nn

from ddpm_core import bound, evaluate, recipe, sampler, schedule, show, trainer
from ddpm_core.files import replace_file
from ddpm_core.predict import V
from ddpm_core.seeds import seeded

T1000 = schedule.cosine(1000)
MINUTES = (0.5, 1, 2, 4)  # of one core; each a run of its own, whose learning rate falls within it
LOOKS = (100, 200, 400, 600, 800)  # of the runs of two minutes: steps at which samples are judged
SEEN = (25, 50, 75, 100, 150, 200, 250, 300, 400, 500, 600, 700, 800)  # steps at which COLUMNS samples are kept
SAMPLES, CALLS, COLUMNS = 300, 20, 8
DECAYS = {"constant": trainer.constant, "cosine": trainer.cosine}
KEPT = Path(__file__).resolve().parents[1] / "runs" / "training"


class Fixed:
    """The plain moving average: 0.999 from the first step on, and the weights of the beginning in it."""

    def __init__(self, net: nn.Module):
        self.net = copy.deepcopy(net).eval()

    @torch.no_grad()
    def update(self, net: nn.Module) -> None:
        torch._foreach_lerp_(list(self.net.parameters()), list(net.parameters()), 0.001)


def steps_a_minute(w: chains.World) -> int:
    """Training steps in a minute of one core, measured once and rounded to hundreds; later runs go by it."""
    path = KEPT / "rate.json"
    if not path.exists():
        run = stepped(chains.start(0), w, 0, 90, trainer.cosine)
        seconds = [spent for spent, _ in run][30:]
        replace_file(path, lambda temporary: temporary.write_text(json.dumps(60 * len(seconds) / sum(seconds))))
    return int(round(json.loads(path.read_text()), -2))


def stepped(state: trainer.State, w: chains.World, seed: int, steps: int, decay) -> Iterator[tuple[float, float]]:
    """Train, and after each step yield the processor's seconds for it, without the caller's, and the loss."""
    objective, batch_at = recipe.objective(T1000, V), chains.batches(w, T1000, seed)
    run = trainer.run(state, batch_at, objective, steps=steps, report_every=1, decay=decay)
    began = time.process_time()
    for progress in run:
        yield time.process_time() - began, progress.loss
        began = time.process_time()


def denoiser(net: nn.Module) -> sampler.Denoise:
    return sampler.clamped(sampler.denoiser(net, T1000, V))


def drawn(net: nn.Module, n: int) -> Tensor:
    """Digits from the same noise for every network."""
    return sampler.last(
        sampler.dpm_solver(denoiser(net), T1000, chains.x_T(SAMPLES)[:n], sampler.even_times(T1000, CALLS))
    )


@torch.no_grad()
def bits(w: chains.World, net: nn.Module) -> float:
    """The continuous-time bound on the held-out digits, in bits per dimension."""
    nats = bound.continuous(denoiser(net), T1000, w.held, seeded(5))
    return float(f"{bound.bits_per_dim(nats, w.held).mean().item():.4g}")


def one_run(w: chains.World, decay: str, seed: int, steps: int) -> tuple[dict, Tensor]:
    """One network trained for so many steps: what was found, and the samples on the way, (looks, 2, COLUMNS, ...)."""
    whole, state = time.process_time(), chains.start(seed)
    looks, losses, strips, seconds, raw, fixed = [], [], [], 0.0, state.net, Fixed(state.net)
    for spent, loss in stepped(state, w, seed, steps, DECAYS[decay]):
        seconds += spent
        losses.append(loss)
        fixed.update(raw)
        nets = {"raw": raw.eval(), "averaged": trainer.averaged(state), "fixed": fixed.net}
        if state.step in LOOKS or state.step == steps:
            frechet = {name: chains.judged(w, drawn(net, SAMPLES)) for name, net in nets.items()}
            looks.append({"step": state.step, **frechet})
            print(decay, seed, steps, looks[-1], flush=True)
        if state.step in SEEN:
            strips.append(torch.stack([drawn(nets[name], COLUMNS) for name in ("raw", "averaged")]))
        raw.train()
    nets.pop("fixed")
    priced = {name: bits(w, net) for name, net in nets.items()}
    found = {
        "decay": decay, "seed": seed, "steps": steps, "images": state.images, "frechet": looks, "bound": priced,
        "seconds": round(seconds, 1), "seconds_with_judging": round(time.process_time() - whole, 1),
        "loss": [float(f"{statistics.mean(losses[k : k + 25]):.4g}") for k in range(0, steps, 25)],
    }  # fmt: skip
    return found, torch.stack(strips)


def real(w: chains.World) -> float:
    """The distance of as many real digits, which a perfect network could not be asked to beat."""
    rows = torch.randperm(len(w.features), generator=seeded(6))[:SAMPLES]
    return round(evaluate.frechet(w.features, w.features[rows]), 3)


def kept(w: chains.World, decay: str, seed: int, steps: int) -> tuple[dict, Tensor]:
    """One run, made if it is not there yet."""
    path = KEPT / f"{decay}-{seed}-{steps}.pt"
    if not path.exists():
        made = one_run(w, decay, seed, steps)
        replace_file(path, lambda temporary: torch.save(made, temporary))
    return torch.load(path)


def lengths(rate: int) -> list[int]:
    """The steps of each budget."""
    return [round(rate * minutes) for minutes in MINUTES]


def average_on_and_off(runs: list[dict]) -> dict:
    """decay -> weights -> step -> Frechet distance, over the runs of one length."""
    return {
        decay: {
            name: {
                str(step): spread([run["frechet"][k][name] for run in runs if run["decay"] == decay])
                for k, step in enumerate(LOOKS)
            }
            for name in ("raw", "averaged", "fixed")
        }
        for decay in DECAYS
    }


def against_minutes(runs: list[dict], rate: int) -> dict:
    """minutes -> what the averaged network came to, over the runs of that length whose learning rate falls."""
    rows = {}
    for minutes, steps in zip(MINUTES, lengths(rate), strict=True):
        mine = [run for run in runs if run["decay"] == "cosine" and run["steps"] == steps]
        rows[f"{minutes:g}"] = {
            "steps": mine[0]["steps"], "images": mine[0]["images"], "seeds": [run["seed"] for run in mine],
            "minutes_of_processor": spread([run["seconds"] / 60 for run in mine]),
            "frechet": spread([run["frechet"][-1]["averaged"] for run in mine]),
            "frechet_raw": spread([run["frechet"][-1]["raw"] for run in mine]),
            "bound": spread([run["bound"]["averaged"] for run in mine]),
        }  # fmt: skip
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--average", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--budgets", type=int, nargs="+", default=[0, 1])
    options, clock = parser.parse_args(), Stopwatch()
    torch.set_num_threads(1)  # seconds of one thread: they add up, whatever else the machine does
    KEPT.mkdir(parents=True, exist_ok=True)

    w = chains.world()
    rate, long = steps_a_minute(w), LOOKS[-1]
    plan = [(decay, seed, long) for decay in DECAYS for seed in options.average]
    plan += [("cosine", seed, steps) for steps in lengths(rate) for seed in options.budgets]
    made = {key: kept(w, *key) for key in plan}
    runs = [found for found, _ in made.values()]
    strips = [made[decay, options.average[0], long][1] for decay in DECAYS]
    sheet = torch.cat(strips, dim=1).flatten(0, 2)  # for each step seen: constant raw, averaged; cosine raw, averaged
    show.tile(sheet, columns=COLUMNS, gap=0).save(RESULTS / "training.png", optimize=True)
    results = {
        "average": average_on_and_off([run for run in runs if run["steps"] == long]),
        "average_seeds": options.average,
        "minutes": against_minutes(runs, rate),
        "other_machines": {"NVIDIA T4": "not measured", "NVIDIA H100": "not measured"},
        "runs": runs,
        "seen": SEEN,
        "columns": COLUMNS,
        "samples": SAMPLES,
        "real": real(w),
        "steps_a_minute": rate,
        "lr": chains.LR,
        "batch": chains.BATCH,
        "threads": torch.get_num_threads(),
        "note": "each figure as [mean, standard deviation over the seeds]; V, unweighted, cosine schedule, T = 1000, "
        "no labels; frechet: 300 samples of 20 steps of DPM-Solver++ from the same noise for every network, in a small "
        "classifier's features against all digits; bound: the continuous-time bound on 360 held-out digits in bits "
        "per dimension; raw: the weights as they are; averaged: with decay min(0.999, (1 + k) / (10 + k)); fixed: "
        "with 0.999 from the first step on, the initial weights in it; minutes: of one core, as steps at a rate "
        "measured once and rounded to hundreds, minutes_of_processor: processor time of the training alone; "
        "training.png: eight samples from the same noise, four rows for each step seen: constant learning rate raw "
        "and averaged, cosine raw and averaged, first seed; real: as many of the digits themselves",
    }
    write("training", results, clock, w.known.sha256, minutes=sum(run["seconds_with_judging"] for run in runs) / 60)


if __name__ == "__main__":
    main()
