"""Chapter 10: quality against network calls. DDIM's Table 1 in small, with DPM-Solver++, on digits and Fashion-MNIST.

python experiments/few_steps.py --data zalando-datasets/fashion_mnist [--on digits fashion32] [--seeds 0 1 2]

What was drawn is kept in runs/few_steps, one file for each network and sampler, so that it can be stopped, and gone on
with for more seeds. Pictures of clothes are kept under the hash of the network that drew them, and under that of DATA
if it is not what the recipe was made with: with another network or other data they are drawn and judged anew.
"""

import argparse
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import chains
import torch
import torch.nn.functional as F
from provenance import RESULTS, Stopwatch, spread, write
from torch import Tensor

from ddpm_core import checkpoint, data, evaluate, recipe, sampler, schedule, shelf, show, times, trainer, unet, variance
from ddpm_core.cookbook import BY_NAME
from ddpm_core.files import file_sha256, replace_file
from ddpm_core.predict import V
from ddpm_core.seeds import seeded

T1000 = schedule.cosine(1000)
SHELF = "fashion32.safetensors"
TRAINING, JUDGING, AT_ONCE = 600, 3500, 100
SAMPLES = {"digits": 200, "fashion32": 100}
LONG, SHOWN, COLUMNS = 1000, 10, 8
TIMED, TURNS = 20, 5  # seconds are taken of so many pictures, the samplers taking turns
KEPT = Path(__file__).resolve().parents[1] / "runs" / "few_steps"


def wide(denoise: sampler.Denoise, s: schedule.Schedule, x_T: Tensor, road: list[int], generator) -> sampler.Steps:
    """sigma-hat: the chain of these times alone, walked step by step with its own betas as variance."""
    of_k = torch.tensor(road[::-1])  # its time k is this time of s
    short = schedule.respaced(s, road)
    return sampler.ancestral(lambda x, k: denoise(x, of_k[k]), short, x_T, variance.beta, generator)


def solver(denoise: sampler.Denoise, s: schedule.Schedule, x_T: Tensor, road: list[int], generator) -> sampler.Steps:
    return sampler.dpm_solver(denoise, s, x_T, road)


EVEN, CLOCKS = sampler.even_times, {"even in log-SNR": times.even_in_log_snr, "quadratic": times.quadratic}
ROWS: dict[str, tuple[Callable[..., sampler.Steps], Callable]] = {  # the sampler, and the times it walks
    **{f"eta {eta:g}": (partial(sampler.ddim, eta=eta), EVEN) for eta in (0.0, 0.5, 1.0)},
    "sigma-hat": (wide, EVEN),
    "DPM-Solver++ 2M": (solver, EVEN),
    **{f"DPM-Solver++ 2M, {name}": (solver, clock) for name, clock in CLOCKS.items()},
}
DIGITS, CLOTHES = (5, 10, 20, 50, 100), (10, 20, 40, 50, 100)  # numbers of calls
PLAN = {  # eta 1 in LONG calls is ancestral sampling
    "digits": {row: DIGITS[:4] if row.startswith("DPM") else DIGITS for row in ROWS}
    | {row: (*DIGITS, LONG) for row in ("eta 0", "eta 1", "sigma-hat")},
    "fashion32": {"eta 0": CLOTHES, "eta 1": (*sorted((*CLOTHES, 45)), LONG), "DPM-Solver++ 2M": CLOTHES},
}
FIGURES = ("on", "row", "seed", "calls", "seconds", "frechet")
SHEET = ("eta 0", "eta 1", "sigma-hat", "DPM-Solver++ 2M")


@dataclass(frozen=True, eq=False)
class Subject:
    """A network that draws from this noise (N, C, H, W), AT_ONCE at a time, and who judges what it draws."""

    denoise: sampler.Denoise
    x_T: Tensor
    judged: Callable[[Tensor], float]  # uint8 images -> Frechet distance


def subject(trained: checkpoint.Trained, judge: evaluate.Judge, reference: Tensor, n: int, seed: int) -> Subject:
    """A network that draws equally many of each class, from the noise of this seed."""
    net = trained.net.to(memory_format=torch.channels_last)

    def asked(x_t: Tensor, t: Tensor) -> Tensor:
        return net(x_t, t, labels=recipe.every_label(len(x_t), net.num_classes))

    denoise = sampler.clamped(sampler.denoiser(asked, trained.schedule, trained.predict))
    x_T = torch.randn(n, net.in_channels, *trained.about["size"], generator=seeded(9, seed))
    return Subject(denoise, x_T, lambda drawn: round(evaluate.frechet(reference, judge.features(drawn)), 4))


def digits(w: chains.World, seed: int) -> Subject:
    """A network of its own for each seed."""
    folder = KEPT / f"network-{seed}"
    if not (folder / checkpoint.MODEL).exists():
        torch.manual_seed(seed)
        net = unet.UNet(1, chains.CHANNELS, attention=(1,), num_classes=w.known.num_classes)
        state, known = trainer.start(net, lr=chains.LR, device="cpu"), (w.known.images, w.known.labels)
        batches = recipe.batches(*known, T1000, batch=chains.BATCH, seed=seed, label_drop=0.1)
        deque(trainer.run(state, batches, recipe.objective(T1000, V), steps=TRAINING), maxlen=0)
        about = {"seed": seed, "size": w.known.images.shape[2:]}
        checkpoint.save(folder, checkpoint.Trained(trainer.averaged(state), T1000, V, about))
    return subject(checkpoint.load(folder), w.judge, w.features, SAMPLES["digits"], seed)


def garments(real: data.Images) -> Callable[[int], Subject]:
    """One network for all seeds."""
    trained = shelf.model("fashion32")
    return partial(subject, trained, *garment_judge(real, trained.about["size"]), SAMPLES["fashion32"])


def mark(real: data.Images) -> str:
    """What the names of files say of the pictures they were compared with: nothing if those are the recipe's own."""
    pixels = real.pixels_sha256
    return "" if pixels == BY_NAME["fashion32"].pixels_sha256 else f"-{pixels[:12]}"


def garment_judge(real: data.Images, side: list[int]) -> tuple[evaluate.Judge, Tensor]:
    """That of experiments/fashion32.py, and its features of the training pictures."""
    path = KEPT / f"features{mark(real)}.pt"
    real = replace(real, images=data.pad_to(real.images, *side))
    judge = evaluate.kept_judge(real, steps=JUDGING)
    if not path.exists():
        replace_file(path, lambda temporary: torch.save(judge.features(real.images), temporary))
    return judge, torch.load(path)


def network(on: str) -> str:
    """Whose pictures they are, in the names of the files that keep them."""
    return f"{on}-{file_sha256(shelf.find(SHELF))[:12]}" if on == "fashion32" else on


def drawn(s: Subject, row: str, calls: int, x_T: Tensor, generator: torch.Generator) -> Tensor:
    """What a row's sampler makes of this noise in so many calls."""
    walk, clock = ROWS[row]
    return sampler.last(walk(s.denoise, T1000, x_T, clock(T1000, calls), generator=generator))


def kept(make: Callable[[int], Subject], against: str, on: str, row: str, seed: int, calls: int) -> dict:
    """One measurement, and the first pictures drawn; made if it is not there yet. against: the `mark` of the data."""
    path = KEPT / f"{network(on)}{against}-{row.replace(' ', '-')}-{seed}-{calls}.pt"
    if not path.exists():
        s, found = make(seed), {"on": on, "row": row, "seed": seed, "calls": calls}
        generator, began = seeded(seed, 3, calls), time.process_time()
        parts = [drawn(s, row, calls, x, generator) for x in s.x_T.split(AT_ONCE)]
        found["seconds"] = float(f"{(time.process_time() - began) / len(s.x_T):.4g}")
        pictures = data.to_uint8(torch.cat(parts))
        found["frechet"] = s.judged(pictures)
        print(found, flush=True)
        replace_file(path, lambda temporary: torch.save((found, pictures[:COLUMNS]), temporary))
    found, pictures = torch.load(path, weights_only=False)
    return {**found, "pictures": pictures}


def seconds(make: Callable[[int], Subject], on: str) -> dict[str, dict[str, float]]:
    """row -> calls -> seconds for a picture. The samplers take turns, a stretch of the long walk, then each of the
    others once, so that whatever else the machine does meets them all alike."""
    path = KEPT / f"{network(on)}-seconds.pt"
    if not path.exists():
        s, took = make(0), {}
        x_T, (walk, clock) = s.x_T[:TIMED], ROWS["eta 1"]
        long = walk(s.denoise, T1000, x_T, clock(T1000, LONG), generator=seeded(3))
        short = [(row, calls) for row, every in PLAN[on].items() for calls in every if calls < LONG]
        next(long)
        for _ in range(TURNS):
            began = time.process_time()
            for _ in range(LONG // TURNS):
                next(long)
            took["eta 1", LONG] = took.get(("eta 1", LONG), 0.0) + time.process_time() - began
            for row, calls in short:
                began = time.process_time()
                drawn(s, row, calls, x_T, seeded(3))
                took[row, calls] = took.get((row, calls), 0.0) + (time.process_time() - began) / TURNS
        found: dict = {}
        for (row, calls), total in took.items():
            found.setdefault(row, {})[str(calls)] = float(f"{total / TIMED:.4g}")
        replace_file(path, lambda temporary: torch.save(found, temporary))
    return torch.load(path)


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
    for on in dict.fromkeys(run["on"] for run in runs):
        for row, calls in [*((row, SHOWN) for row in SHEET if row in PLAN[on]), ("eta 1", LONG)]:
            mine = next(r for r in runs if (r["on"], r["row"], r["calls"], r["seed"]) == (on, row, calls, seed))
            strips.append(F.interpolate(data.to_float(mine["pictures"]), size=(32, 32), mode="bicubic"))
    show.tile(torch.cat(strips), columns=COLUMNS, enlarge=2).save(RESULTS / "few_steps.png", optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="zalando-datasets/fashion_mnist")
    parser.add_argument("--on", nargs="+", choices=list(PLAN), default=list(PLAN))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options, clock = parser.parse_args(), Stopwatch()
    torch.set_num_threads(1)  # seconds of one thread: they add up, whatever else the machine does
    KEPT.mkdir(parents=True, exist_ok=True)

    w, subjects, against = chains.world(), {}, {}
    for on in options.on:
        real = data.load_images(options.data, "train") if on == "fashion32" else None
        subjects[on] = garments(real) if real else partial(digits, w)
        against[on] = mark(real) if real else ""
    cells = [
        (on, row, seed, calls)
        for on in subjects
        for seed in options.seeds
        for row, every in PLAN[on].items()
        for calls in every
    ]
    for on, *cell in sorted(cells, key=lambda cell: cell[-1]):  # the long walks last
        kept(subjects[on], against[on], on, *cell)
    runs = [kept(subjects[on], against[on], on, *cell) for on, *cell in cells]
    sheet(runs, options.seeds[0])
    results = {
        "rows": summary(runs),
        "seconds": {on: seconds(make, on) for on, make in subjects.items()},
        "runs": [{key: value for key, value in run.items() if key in FIGURES} for run in runs],
        "samples": SAMPLES,
        "training_steps": TRAINING,
        "seeds": options.seeds,
        "threads": torch.get_num_threads(),
        "schedule": "cosine, T = 1000; times even in t unless the row says otherwise",
        "checkpoint_sha256": file_sha256(shelf.find(SHELF)) if "fashion32" in options.on else None,
        "note": "rows: each figure as [mean, standard deviation over the seeds]; frechet in a small classifier's "
        "features, of so many samples against the real pictures, equally many of each class; each seed has its own "
        "x_T; digits: a network for each seed (V, 600 steps); fashion32: one network; x_0 is clamped throughout; eta 1 "
        "in 1000 calls is ancestral sampling; sigma-hat: the respaced chain with its own betas as variance; seconds: "
        "processor time of one thread for one image, in the rows in a batch of 100, beside them in a batch of 20 with "
        "the samplers taking turns; few_steps.png: the same noise in 10 calls by eta 0, eta 1, (on digits) sigma-hat "
        "and DPM-Solver++, and by eta 1 in 1000; minutes: processor time of all drawing",
    }
    minutes = sum(run["seconds"] * SAMPLES[run["on"]] for run in runs) / 60
    write("few_steps", results, clock, w.known.sha256, minutes=minutes)


if __name__ == "__main__":
    main()
