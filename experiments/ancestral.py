"""Chapter 9: beta against beta_tilde, with the clamp and without, in 1000 steps and in 100; digits, three seeds.

python experiments/ancestral.py [--seeds 0 1 2]
python experiments/ancestral.py --garments zalando-datasets/fashion_mnist      two sheets of garments, and no more

Each network and each chain is kept in runs/ancestral, one file each, so that it can be stopped and gone on with.
"""

import argparse
import time
from collections import deque
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import chains
import torch
from provenance import RESULTS, Stopwatch, spread, write
from torch import Tensor

from ddpm_core import checkpoint, data, evaluate, gaussian, recipe, sampler, schedule, shelf, show, trainer, variance
from ddpm_core.files import replace_file
from ddpm_core.predict import EPS, V
from ddpm_core.seeds import seeded

LINEAR, COSINE = schedule.linear(1000), schedule.cosine(1000)
NETWORKS = {"EPS linear": (EPS, LINEAR), "V cosine": (V, COSINE)}
PLAN = [("EPS linear", 100), ("EPS linear", 1000), ("V cosine", 100)]
WIDTHS = {"beta": variance.beta, "beta_tilde": variance.beta_tilde}
CLAMPS = {"clamp": sampler.clamped, "no clamp": lambda denoise: denoise}
TRAINING, SAMPLES, SHOWN = 600, 120, 8
LOOKS = (10, 20, 50, *range(100, 1001, 100))  # times at which a chain is looked at: both kinds of chain visit them
FAR = 1.1  # a pixel beyond this is 13 grey values outside of the range: more than rounding
RUNS = Path(__file__).resolve().parents[1] / "runs"
KEPT = RUNS / "ancestral"


@dataclass(eq=False)
class Watched:
    """A denoiser that notes, at the times of LOOKS, what it was shown and what it said of it."""

    denoise: sampler.Denoise
    notes: dict[int, tuple[float, float]] = field(default_factory=dict)

    def __call__(self, x_t: Tensor, t: Tensor) -> Tensor:
        x0_hat = self.denoise(x_t, t)
        if (now := int(t[0])) in LOOKS:
            self.notes[now] = (x0_hat.abs() > 1).double().mean().item(), x_t.double().square().mean().item()
        return x0_hat

    def along(self, which: int) -> dict[str, float]:
        """time -> one of the two notes."""
        return {str(t): digits_of(self.notes[t][which]) for t in sorted(self.notes)}


def home(name: str, seed: int) -> Path:
    """Where a network is kept."""
    return RUNS / "few_steps" / f"network-{seed}" if name == "V cosine" else KEPT / f"{name.replace(' ', '-')}-{seed}"


def network(w: chains.World, name: str, seed: int) -> torch.nn.Module:
    """Trained for TRAINING steps without labels, and kept; V under the cosine schedule is few_steps.py's, by class."""
    (predict, s), folder = NETWORKS[name], home(name, seed)
    if not (folder / checkpoint.MODEL).exists():
        if name == "V cosine":
            raise SystemExit("run experiments/few_steps.py first: the networks that are asked for v are its own.")
        began, state = time.process_time(), chains.start(seed)
        deque(trainer.run(state, chains.batches(w, s, seed), recipe.objective(s, predict), steps=TRAINING), maxlen=0)
        about = {"seed": seed, "seconds": time.process_time() - began}
        checkpoint.save(folder, checkpoint.Trained(trainer.averaged(state), s, predict, about))
        print(name, about, flush=True)
    return checkpoint.load(folder).net.to(memory_format=torch.channels_last)


def digits_of(x: float) -> float:
    return float(f"{x:.4g}")


def judged(w: chains.World, x: Tensor) -> dict[str, float]:
    """What is said of drawn pictures, floats that may lie outside of [-1, 1]."""
    shown = data.to_uint8(x)
    return {
        "frechet": round(evaluate.frechet(w.features, w.judge.features(shown)), 3),
        "outside": digits_of((x.abs() > FAR).double().mean().item()),
        "farthest": digits_of(x.abs().max().item()),
        "saturated": digits_of(((shown == 0) | (shown == 255)).double().mean().item()),
        "gradients": digits_of(evaluate.gradient_energy(shown) / evaluate.gradient_energy(w.known.images)),
    }


def one_run(w: chains.World, name: str, steps: int, width: str, clamp: str, seed: int) -> tuple[dict, Tensor]:
    """A chain of SAMPLES digits; the same x_T for all, and for one seed the same noise on the way."""
    predict, s = NETWORKS[name]
    net = network(w, name, seed)
    asked = partial(net, labels=recipe.every_label(SAMPLES, net.num_classes)) if net.num_classes else net
    watched = Watched(sampler.denoiser(asked, s, predict))
    times = sampler.even_times(s, steps)
    of_k, short = torch.tensor(times[::-1]), schedule.respaced(s, times)  # time k of the short chain is of_k[k] of s
    denoise = CLAMPS[clamp](lambda x, k: watched(x, of_k[k]))
    generator, began = seeded(seed, 9, steps), time.process_time()
    walk = partial(sampler.ancestral, denoise, short, variance=WIDTHS[width], generator=generator)
    x0 = sampler.last(walk(chains.x_T(SAMPLES)))
    found = {"network": name, "steps": steps, "variance": width, "clamp": clamp, "seed": seed, **judged(w, x0)}
    if width == "beta":  # and what the last step's noise would add: the fault of some programs
        grain = short.beta[1].sqrt().float() * torch.randn(x0.shape, generator=seeded(seed, 10))
        found["noise in the last step"] = judged(w, x0 + grain)
    found |= {"outside_at": watched.along(0), "square_at": watched.along(1)}
    return {**found, "seconds": round(time.process_time() - began, 1)}, data.to_uint8(x0)


def file_of(*which) -> Path:
    return KEPT / f"{'-'.join(str(part).replace(' ', '-') for part in which)}.pt"


def kept(w: chains.World, *which) -> tuple[dict, Tensor]:
    """One chain's figures and its pictures; made if they are not there yet."""
    path = file_of(*which)
    if not path.exists():
        found, pictures = one_run(w, *which)
        print(found, flush=True)
        replace_file(path, lambda temporary: torch.save((found, pictures), temporary))
    return torch.load(path, weights_only=False)


def spreads(values: list) -> list | dict:
    """Mean and standard deviation over the seeds, of numbers or of each entry of dictionaries."""
    if isinstance(values[0], dict):
        return {key: spreads([value[key] for value in values]) for key in values[0]}
    return spread(values)


def summary(runs: list[dict]) -> list[dict]:
    """One row for each network, number of steps, variance and clamp."""
    rows: dict[tuple, list] = {}
    names = ("network", "steps", "variance", "clamp")
    for run in runs:
        rows.setdefault(tuple(run[name] for name in names), []).append(run)
    figures = [key for key in runs[0] if key not in (*names, "seed")]
    return [
        dict(zip(names, which, strict=True))
        | {key: spreads([run[key] for run in cell]) for key in figures if key in cell[0]}
        for which, cell in rows.items()
    ]


def pooled(w: chains.World, row: dict, everything: list[tuple[dict, Tensor]]) -> float:
    """Frechet distance of the pictures of all seeds of a row together."""
    same = ("network", "steps", "variance", "clamp")
    mine = [pictures for run, pictures in everything if all(run[name] == row[name] for name in same)]
    return round(evaluate.frechet(w.features, w.judge.features(torch.cat(mine))), 3)


def experiment(seeds: list[int], so_far: bool) -> None:
    clock, w = Stopwatch(), chains.world()
    plan = [(*cell, width, clamp, seed) for cell in PLAN for seed in seeds for clamp in CLAMPS for width in WIDTHS]
    everything = [kept(w, *which) for which in plan if file_of(*which).exists() or not so_far]
    runs = [found for found, _ in everything]
    first = [(found, pictures) for found, pictures in everything if found["seed"] == seeds[0]]
    strips = torch.cat([pictures[:SHOWN] for _, pictures in first])
    show.tile(strips, columns=SHOWN, enlarge=4).save(RESULTS / "ancestral.png", optimize=True)
    models = {(run["network"], run["seed"]): checkpoint.load(home(run["network"], run["seed"])) for run in runs}
    seconds = sum(run["seconds"] for run in runs) + sum(m.about.get("seconds", 0) for m in models.values())
    results = {
        "rows": [row | {"pooled": pooled(w, row, everything)} for row in summary(runs)],
        "sheet": [[run["network"], run["steps"], run["clamp"], run["variance"]] for run, _ in first],
        "real": judged(w, w.held[:SAMPLES]),
        "data_square": digits_of(data.to_float(w.known.images).double().square().mean().item()),
        "runs": [{key: value for key, value in run.items() if not key.endswith("_at")} for run in runs],
        "samples": SAMPLES,
        "training_steps": TRAINING,
        "seeds": seeds,
        "threads": torch.get_num_threads(),
        "note": "each figure of a row as [mean, standard deviation over the seeds]; a network for each seed, for EPS "
        "without labels, for V those of few_steps.json (their training is not in the minutes here), which draw equally "
        "many of each class; all start from the same x_T; EPS or V is what it was asked for, linear or cosine its "
        "schedule of 1000 steps, and 100 steps are those "
        "at even times, respaced; frechet: of the samples in a small classifier's features against all 1,797 digits; "
        "pooled: of those of all seeds together (with few samples the distance comes out too large); outside: share of "
        f"pixels of x_0 beyond {FAR} in absolute value, farthest the largest of them; saturated: "
        "share of pixels that are black or white once cut off at -1 and 1; gradients: mean difference of neighbouring "
        "pixels, over that of the real digits; noise in the last step: the same pictures with sqrt(beta_1) z added; "
        "outside_at: share of pixels that x0_hat, before any clamp, puts outside of [-1, 1], at some times t of the "
        "long chain; square_at: mean of x_t squared there; data_square: that of the digits the networks have seen; "
        "real: as many digits that they have not seen (the classifier has), judged alike; seconds: processor time of "
        "one chain on one thread; ancestral.png: rows as in sheet, each column from the same noise",
    }
    write("ancestral", results, clock, w.known.sha256, minutes=seconds / 60)


# ---- garments: progressive generation and interpolation, for the eye ---------------------------------------------

PROGRESS = (1000, 900, 800, 700, 600, 500, 400, 300, 200, 100, 0)
MIXED_AT, SHARES = (0, 250, 500, 750, 1000), [k / 8 for k in range(9)]
PAIRS = [(7, 9), (0, 3)]  # trainer and ankle boot, T-shirt and dress


def progress(trained: checkpoint.Trained, classes: list[int]) -> Tensor:
    """For each class a row of x_t and a row of x0_hat at PROGRESS; at t = 0 both are the picture."""
    asked = partial(trained.net, labels=torch.tensor(classes))
    denoise = sampler.clamped(sampler.denoiser(asked, trained.schedule, trained.predict))
    x_T = torch.randn(len(classes), 1, *trained.about["size"], generator=seeded(9, 6))
    seen, said = [], []
    for t, x in sampler.ancestral(denoise, trained.schedule, x_T, generator=seeded(9, 7)):
        if t in PROGRESS:
            seen.append(x)
            with torch.no_grad():
                said.append(denoise(x, torch.full((len(x),), t)) if t else x)
    return torch.stack([torch.stack(seen, 1), torch.stack(said, 1)], 1).flatten(0, 2)  # class, which, time


@torch.no_grad()
def decoded(denoise: sampler.Denoise, s: schedule.Schedule, x: Tensor, t: int) -> Tensor:
    """The rest of the chain from x at time t, with the same fresh noise for all of x."""
    generator = seeded(9, t)
    for now in range(t, 0, -1):
        times, z = torch.full((len(x),), now), torch.randn(1, *x.shape[1:], generator=generator).expand_as(x)
        x = sampler.ddpm_step(s, x, times, denoise(x, times), z)
    return x


def mixed(trained: checkpoint.Trained, first: Tensor, other: Tensor) -> Tensor:
    """A row for each of MIXED_AT: first and other under one noise, mixed in the SHARES, and decoded without a label."""
    denoise = sampler.clamped(sampler.denoiser(trained.net, trained.schedule, trained.predict))
    share = torch.tensor(SHARES)[:, None, None, None]
    eps, rows = torch.randn(first.shape, generator=seeded(9, 8)), []
    for t in MIXED_AT:
        times = torch.full((1,), t)
        x_t, other_t = (gaussian.q_sample(trained.schedule, x, times, eps) for x in (first, other))
        rows.append(decoded(denoise, trained.schedule, (1 - share) * x_t + share * other_t, t))
    return torch.cat(rows)


def garments(source: str) -> None:
    clock, trained = Stopwatch(), shelf.model("fashion32")
    real = data.load_images(source, "test")
    real = replace(real, images=data.pad_to(real.images, *trained.about["size"]))
    sheet = progress(trained, [9, 3, 8])
    show.tile(sheet, columns=len(PROGRESS)).save(RESULTS / "ancestral_garments.png", optimize=True)
    pairs = [[data.to_float(real.images[real.labels == k][:1]) for k in pair] for pair in PAIRS]
    sheet = torch.cat([mixed(trained, *pair) for pair in pairs])
    show.tile(sheet, columns=len(SHARES)).save(RESULTS / "ancestral_mixed.png", optimize=True)
    names = trained.about["names"]
    results = {
        "times": PROGRESS,
        "garments": [names[k] for k in (9, 3, 8)],
        "mixed_at": MIXED_AT,
        "shares": SHARES,
        "pairs": [[names[k] for k in pair] for pair in PAIRS],
        "model": {key: trained.about[key] for key in ("date", "minutes", "images_seen", "device")},
        "note": "ancestral_garments.png: by class, a row of x_t and below it one of x0_hat, clamped, at these times of "
        "one chain of 1000 steps with variance beta_tilde; ancestral_mixed.png: the first test pictures of two classes "
        "under one noise at the times mixed_at, mixed in these shares and decoded without a label, with the same fresh "
        "noise for one row",
    }
    write("ancestral_garments", results, clock, trained.about["data_sha256"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--so-far", action="store_true", help="make no chain; write what is kept")
    parser.add_argument("--garments", metavar="DATA", help="draw the two sheets of garments and stop")
    options = parser.parse_args()
    torch.set_num_threads(1)  # seconds of one thread: they add up, whatever else the machine does
    KEPT.mkdir(parents=True, exist_ok=True)
    garments(options.garments) if options.garments else experiment(options.seeds, options.so_far)


if __name__ == "__main__":
    main()
