"""Chapter 10: quality against network calls. DDIM's Table 1 in small, with DPM-Solver++, on digits and Fashion-MNIST.

python experiments/few_steps.py --data zalando-datasets/fashion_mnist [--seeds 0 1 2] [--long 0]

--long: which seeds walk all 1000 steps on Fashion-MNIST. What was drawn is kept in runs/few_steps, one file for each
network and sampler, so that it can be stopped, and gone on with for more seeds.
"""

import argparse
import statistics
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import chains
import torch
import torch.nn.functional as F
from provenance import RESULTS, Stopwatch, write
from torch import Tensor

from ddpm_core import checkpoint, data, evaluate, recipe, sampler, schedule, shelf, show, trainer, variance
from ddpm_core.files import replace_file
from ddpm_core.predict import V
from ddpm_core.seeds import seeded

T1000 = schedule.cosine(1000)
TRAINING, JUDGING, SAMPLES, AT_ONCE = 600, 3500, 200, 100
CALLS, LONG, SHOWN, COLUMNS = (5, 10, 20, 50, 100), 1000, 10, 8
KEPT = Path(__file__).resolve().parents[1] / "runs" / "few_steps"


def wide(denoise: sampler.Denoise, s: schedule.Schedule, x_T: Tensor, times: list[int], generator) -> sampler.Steps:
    """sigma-hat: the chain of these times alone, walked step by step with its own betas as variance."""
    of_k = torch.tensor(times[::-1])  # its time k is this time of s
    short = schedule.respaced(s, times)
    return sampler.ancestral(lambda x, k: denoise(x, of_k[k]), short, x_T, variance.beta, generator)


SAMPLERS: dict[str, Callable[..., sampler.Steps]] = {  # (denoise, schedule, x_T, times, generator)
    **{f"eta {eta:g}": partial(sampler.ddim, eta=eta) for eta in (0.0, 0.5, 1.0)},
    "sigma-hat": wide,
    "DPM-Solver++ 2M": lambda denoise, s, x_T, times, generator: sampler.dpm_solver(denoise, s, x_T, times),
}
PLAN = {  # on what -> sampler -> numbers of calls; eta 1 in 1000 calls is ancestral sampling
    "digits": {
        "eta 0": (*CALLS, LONG),
        "eta 0.5": CALLS,
        "eta 1": (*CALLS, LONG),
        "sigma-hat": (*CALLS, LONG),
        "DPM-Solver++ 2M": CALLS[:4],
    },
    "fashion32": {"eta 0": CALLS, "eta 1": (*CALLS, LONG), "sigma-hat": CALLS, "DPM-Solver++ 2M": CALLS[:4]},
}


@dataclass(frozen=True, eq=False)
class Subject:
    """A network that draws from this noise (SAMPLES, C, H, W), AT_ONCE at a time, and who judges what it draws."""

    denoise: sampler.Denoise
    x_T: Tensor
    judged: Callable[[Tensor], float]  # uint8 images -> Frechet distance


def digits(w: chains.World, seed: int) -> Subject:
    """One network for each seed, without labels; all start from the same noise."""
    folder = KEPT / f"network-{seed}"
    if not (folder / checkpoint.MODEL).exists():
        state = chains.start(seed)
        steps = trainer.run(state, chains.batches(w, T1000, seed), recipe.objective(T1000, V), steps=TRAINING)
        deque(steps, maxlen=0)
        checkpoint.save(folder, checkpoint.Trained(trainer.averaged(state), T1000, V, {"seed": seed}))
    denoise = sampler.clamped(sampler.denoiser(checkpoint.load(folder).net, T1000, V))
    return Subject(denoise, chains.x_T(SAMPLES), lambda drawn: distance(w.features, w.judge, drawn))


def garments(source: str) -> Callable[[int], Subject]:
    """One network, by class; each seed has its own noise."""
    trained = shelf.model("fashion32")
    labels = recipe.every_label(AT_ONCE, trained.net.num_classes)
    asked = partial(trained.net, labels=labels)
    denoise = sampler.clamped(sampler.denoiser(asked, trained.schedule, trained.predict))
    judge, reference = garment_judge(source, trained.about["size"])

    def subject(seed: int) -> Subject:
        x_T = torch.randn(SAMPLES, 1, *trained.about["size"], generator=seeded(9, seed))
        return Subject(denoise, x_T, lambda drawn: distance(reference, judge, drawn))

    return subject


def garment_judge(source: str, side: list[int]) -> tuple[evaluate.Judge, Tensor]:
    """That of experiments/fashion32.py, and its features of the 60,000 training pictures."""
    path = KEPT / "judge.pt"
    if not path.exists():
        real = data.load_images(source, "train")
        real = replace(real, images=data.pad_to(real.images, *side))
        judge = evaluate.train_judge(real, steps=JUDGING)
        replace_file(path, lambda temporary: torch.save((judge, judge.features(real.images)), temporary))
    return torch.load(path, weights_only=False)


def distance(reference: Tensor, judge: evaluate.Judge, drawn: Tensor) -> float:
    return round(evaluate.frechet(reference, judge.features(drawn)), 3)


def kept(subject: Callable[[int], Subject], on: str, row: str, seed: int, calls: int) -> dict:
    """One measurement, and the first pictures drawn; made if it is not there yet."""
    path = KEPT / f"{on}-{row.replace(' ', '-')}-{seed}-{calls}.pt"
    if not path.exists():
        s, found = subject(seed), {"on": on, "row": row, "seed": seed, "calls": calls}
        generator, times = seeded(seed, 3, calls), sampler.even_times(T1000, calls)
        began = time.process_time()
        parts = [
            sampler.last(SAMPLERS[row](s.denoise, T1000, x, times, generator=generator)) for x in s.x_T.split(AT_ONCE)
        ]
        found["seconds"] = float(f"{(time.process_time() - began) / SAMPLES:.4g}")
        drawn = data.to_uint8(torch.cat(parts))
        found["frechet"] = s.judged(drawn)
        print(found, flush=True)
        replace_file(path, lambda temporary: torch.save((found, drawn[:COLUMNS]), temporary))
    found, pictures = torch.load(path, weights_only=False)
    return {**found, "pictures": pictures}


def spread(values: list[float]) -> list[float | None]:
    """Mean, and standard deviation over the seeds if there are several."""
    return [
        float(f"{statistics.mean(values):.4g}"),
        float(f"{statistics.stdev(values):.2g}") if len(values) > 1 else None,
    ]


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


def sheet(runs: list[dict], seed: int) -> None:
    """book/results/few_steps.png: the same noise by each sampler in SHOWN calls, and in LONG; digits above."""
    strips = []
    for on in PLAN:
        for row, calls in [*((row, SHOWN) for row in PLAN["fashion32"]), ("eta 1", LONG)]:
            mine = next(r for r in runs if (r["on"], r["row"], r["calls"], r["seed"]) == (on, row, calls, seed))
            strips.append(F.interpolate(data.to_float(mine["pictures"]), size=(32, 32), mode="bicubic"))
    show.tile(torch.cat(strips), columns=COLUMNS, enlarge=2).save(RESULTS / "few_steps.png", optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="zalando-datasets/fashion_mnist")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--long", type=int, nargs="+", default=[0])
    options, clock = parser.parse_args(), Stopwatch()
    torch.set_num_threads(1)  # seconds of one thread: they add up, whatever else the machine does
    KEPT.mkdir(parents=True, exist_ok=True)

    w = chains.world()
    subjects = {"digits": partial(digits, w), "fashion32": garments(options.data)}
    runs = [
        kept(subjects[on], on, row, seed, calls)
        for on, rows in PLAN.items()
        for seed in options.seeds
        for row, every in rows.items()
        for calls in every
        if not (on == "fashion32" and calls == LONG and seed not in options.long)
    ]
    sheet(runs, options.long[0])
    results = {
        "rows": summary(runs),
        "runs": [{key: value for key, value in run.items() if key != "pictures"} for run in runs],
        "samples": SAMPLES,
        "training_steps": TRAINING,
        "seeds": options.seeds,
        "seeds_of_the_long_walk": options.long,
        "threads": torch.get_num_threads(),
        "schedule": "cosine, T = 1000; times even in t",
        "note": "each figure as [mean, standard deviation over the seeds]; frechet in a small classifier's features, "
        "200 samples against the real pictures; seconds: processor time of one thread for one image, drawn in batches "
        "of 100; digits: a network for each seed (V, 600 steps, no labels), the same x_T for all; fashion32: one "
        "network, by class, its own x_T for each seed; x_0 is clamped throughout; eta 1 in 1000 calls is ancestral "
        "sampling; sigma-hat: the respaced chain with its own betas as variance; few_steps.png: the same noise by eta "
        "0, eta 1, sigma-hat and DPM-Solver++ in 10 calls, and by eta 1 in 1000; digits above, garments below",
    }
    write("few_steps", results, clock, w.known.sha256)


if __name__ == "__main__":
    main()
