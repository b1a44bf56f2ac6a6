"""Chapter 8: quality against minutes of one processor core, on garments of 32x32 pixels, by class.

python experiments/garment_minutes.py --data zalando-datasets/fashion_mnist [--minutes 1 2 5 10 20 40 60] [--seeds 0 1]

Each budget is a training of its own by the recipe fashion32, whose learning rate falls within it. A minute is so many
steps, at a rate that is measured once, so that other work on the machine changes nothing. Each training is kept in
runs/garment_minutes, half-done ones too: the whole can be stopped, and gone on with.
"""

import argparse
import json
import statistics
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from provenance import RESULTS, Stopwatch, spread, write
from torch import Tensor

from ddpm_core import bound, checkpoint, cookbook, data, evaluate, recipe, sampler, show, trainer
from ddpm_core.files import replace_file
from ddpm_core.seeds import seeded

PLAN = cookbook.BY_NAME["fashion32"]
RECIPE = PLAN.recipe
MINUTES, SAVE_EVERY = (1, 2, 5, 10, 20, 40, 60), 60  # of one core; seconds
SAMPLES, PRICED, COLUMNS, JUDGING = 500, 200, 10, 3500
KEPT = Path(__file__).resolve().parents[1] / "runs" / "garment_minutes"


@dataclass(frozen=True, eq=False)
class World:
    """Garments to train on and held-out ones, on the recipe's canvas; a classifier of the former, their features."""

    known: data.Images
    held: data.Images
    judge: evaluate.Judge
    features: Tensor


def world(source: str) -> World:
    known, held = (data.load_images(source, split) for split in ("train", "test"))
    known, held = (replace(one, images=recipe.fitted(one.images, 8)) for one in (known, held))
    judge = evaluate.kept_judge(known, steps=JUDGING)
    return World(known, held, judge, judge.features(known.images))


def start(w: World, seed: int) -> trainer.State:
    torch.manual_seed(seed)
    net = recipe.network(RECIPE, w.known.images.shape[1], w.known.num_classes)
    return trainer.start(net, lr=RECIPE.lr, ema_decay=RECIPE.ema_decay, device="cpu")


def stepped(state: trainer.State, w: World, seed: int, steps: int):
    """Train, and yield after each step the processor's seconds for it."""
    batch_at = recipe.batches(
        w.known.images, w.known.labels, RECIPE.schedule, batch=RECIPE.batch, seed=seed, label_drop=RECIPE.label_drop
    )
    objective = recipe.objective(RECIPE.schedule, RECIPE.predict, RECIPE.weight)
    began = time.process_time()
    for _ in trainer.run(state, batch_at, objective, steps=steps, report_every=1):
        yield time.process_time() - began
        began = time.process_time()


def steps_a_minute(w: World) -> int:
    """Training steps in a minute of one core, measured once and rounded to tens."""
    path = KEPT / "rate.json"
    if not path.exists():
        seconds = list(stepped(start(w, 0), w, 0, 150))[30:]
        replace_file(path, lambda temporary: temporary.write_text(json.dumps(60 * len(seconds) / sum(seconds))))
    return int(round(json.loads(path.read_text()), -1))


def trained(w: World, seed: int, steps: int) -> checkpoint.Trained:
    """The averaged network after so many steps; about: the processor's minutes for them."""
    state, path = start(w, seed), KEPT / f"{steps}-{seed}.safetensors"
    clock, spent, noted = path.with_suffix(".json"), 0.0, {}
    if path.exists():
        trainer.resume(state, path)
        noted = seconds_at(clock, state.step)
        if str(state.step) in noted:
            spent = noted[str(state.step)]
        else:
            print(f"{clock.name} does not say how long {path.name} took: this training begins again.", flush=True)
            state, noted = start(w, seed), {}
    saved = time.monotonic()

    def keep() -> None:
        """The seconds first, with those of the file that is there: wherever this is cut short, they are found again."""
        noted[str(state.step)] = spent
        replace_file(clock, lambda temporary: temporary.write_text(json.dumps(noted)))
        trainer.save(state, path)

    for seconds in stepped(state, w, seed, steps):
        spent += seconds
        if time.monotonic() - saved > SAVE_EVERY:
            keep()
            saved = time.monotonic()
    keep()
    about = {"size": w.known.images.shape[2:], "minutes": spent / 60, "images": state.images}
    return checkpoint.Trained(trainer.averaged(state), RECIPE.schedule, RECIPE.predict, about)


def seconds_at(clock: Path, step: int) -> dict[str, float]:
    """step -> seconds of the processor until then, as noted; a bare number is of the step at hand."""
    noted = json.loads(clock.read_text()) if clock.exists() else {}
    return noted if isinstance(noted, dict) else {str(step): noted}


def judged(w: World, drawn: Tensor, labels: Tensor) -> dict[str, float]:
    return {
        "frechet": round(evaluate.frechet(w.features, w.judge.features(drawn)), 3),
        "recognised": round(w.judge.accuracy(drawn, labels), 4),
    }


def measured(w: World, seed: int, minutes: float, steps: int) -> tuple[dict, Tensor]:
    """What a training of so many minutes comes to, and a row of its pictures, the same noise for all."""
    made = trained(w, seed, steps)
    labels = recipe.every_label(SAMPLES, w.known.num_classes)
    drawn = recipe.sample(made, SAMPLES, labels=labels, seed=9, sampler=RECIPE.sampler, steps=RECIPE.steps)
    x0, told = data.to_float(w.held.images[:PRICED]), w.held.labels[:PRICED]
    asked = partial(made.net, labels=told)
    denoise = sampler.clamped(sampler.denoiser(asked, made.schedule, made.predict))
    nats = bound.continuous(denoise, made.schedule, x0, seeded(5))
    found = {
        "minutes": minutes, "seed": seed, "steps": steps, "images": made.about["images"],
        "minutes_of_processor": round(made.about["minutes"], 2), **judged(w, drawn, labels),
        "bound": float(f"{bound.bits_per_dim(nats, x0).mean().item():.4g}"),
    }  # fmt: skip
    print(found, flush=True)
    return found, drawn[:COLUMNS]


def kept(w: World, seed: int, minutes: float, steps: int) -> tuple[dict, Tensor]:
    """One measurement, made if it is not there yet."""
    path = KEPT / f"{steps}-{seed}.pt"
    if not path.exists():
        made = measured(w, seed, minutes, steps)
        replace_file(path, lambda temporary: torch.save(made, temporary))
    return torch.load(path)


def real(w: World) -> dict[str, float]:
    """As many held-out garments: what the best of models could come to."""
    rows = torch.randperm(len(w.held), generator=seeded(6))[:SAMPLES]
    return judged(w, w.held.images[rows], w.held.labels[rows])


def gemm() -> float:
    """GFLOP/s of this thread when it multiplies two 2048 x 2048 matrices in fp32: how fast a core it is."""
    a, b = torch.randn(2, 2048, 2048)
    seconds = []
    for _ in range(7):
        began = time.process_time()
        a @ b
        seconds.append(time.process_time() - began)
    return round(2 * 2048**3 / statistics.median(seconds) / 1e9, 1)


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="zalando-datasets/fashion_mnist")
    parser.add_argument("--minutes", type=float, nargs="+", default=list(MINUTES))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    options, clock = parser.parse_args(), Stopwatch()
    torch.set_num_threads(1)  # seconds of one thread: they add up, whatever else the machine does
    KEPT.mkdir(parents=True, exist_ok=True)

    w = world(options.data)
    rate = steps_a_minute(w)
    plan = [(seed, minutes, round(rate * minutes)) for minutes in sorted(options.minutes) for seed in options.seeds]
    made = [kept(w, *one) for one in plan]
    runs = [found for found, _ in made]
    strips = [pictures for found, pictures in made if found["seed"] == options.seeds[0]]
    sheet = show.tile(torch.cat(strips), columns=COLUMNS, gap=0)
    replace_file(RESULTS / "garment_minutes.png", lambda temporary: sheet.save(temporary, format="png", optimize=True))
    results = {
        "minutes": summary(runs),
        "runs": runs,
        "real": real(w),
        "steps_a_minute": rate,
        "gemm_gflops": gemm(),
        "samples": SAMPLES,
        "priced": PRICED,
        "batch": RECIPE.batch,
        "threads": torch.get_num_threads(),
        "other_machines": {"NVIDIA T4": "not measured", "NVIDIA H100": "not measured"},
        "note": "minutes: each figure as [mean, standard deviation over the seeds]; the recipe fashion32, a training "
        "for each budget, whose learning rate falls within it; minutes are steps at a rate measured once, and "
        "minutes_of_processor what they took of one thread; frechet and recognised: of `samples` drawn by class with "
        "the recipe's sampler, averaged weights, the same noise for all, by a small classifier of the 60,000 training "
        "pictures (so not FID); bound: the continuous-time bound on `priced` held-out garments, told their class, "
        "x0_hat held to [-1, 1], in bits per dimension; real: as many held-out garments as `samples`; gemm_gflops: "
        "2048 x 2048 matrices in fp32 by the same thread; garment_minutes.png: a row a budget, the first seed",
    }
    write("garment_minutes", results, clock, w.known.sha256, minutes=sum(r["minutes_of_processor"] for r in runs))


if __name__ == "__main__":
    main()
