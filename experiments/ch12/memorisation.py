"""Chapter 12: from how many pictures on does a model stop copying? The same training on 50 to all digits: distances to
the nearest training picture, copies, the loss on known and on new pictures, and what a classifier learns from the
drawn ones.

python -m experiments.ch12.memorisation [--seeds 0 1 2] [--steps 400]

Each training is kept in runs/memorisation, so that the whole can be stopped.
"""

import time
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn

from ddpm_core import data, sampler, schedule, trainer, unet
from ddpm_core.diffusion import gaussian, loss, prediction, timesteps
from ddpm_core.diffusion.noise import seeded
from ddpm_core.diffusion.prediction import V
from ddpm_core.evaluation import classifier, memorisation, metrics, neighbours
from experiments.common import small_trainings
from experiments.common.results_file import Stopwatch, picture, significant, spread, write
from experiments.common.settings import cached, command_line, parsed

T1000 = schedule.cosine(1000)
TIMES = (100, 300, 500, 700, 900)  # at which the loss is measured
CALLS = 10  # of the network for a picture, by DPM-Solver++


@dataclass(frozen=True, kw_only=True)
class Settings(small_trainings.Settings):
    """sizes: of the training sets; 1437 is all that are not held out. looks: steps at which the losses are measured.
    measured: pictures for a loss. samples: digits drawn. reading: steps of a classifier that learns from pictures.
    columns: of the sheet."""

    sizes: tuple[int, ...] = (50, 200, 1000, 1437)
    steps: int = 400
    looks: tuple[int, ...] = (50, 100, 150, 200, 300, 400)
    measured: int = 120
    samples: int = 300
    reading: int = 150
    columns: int = 10


BOOK = Settings()


@torch.no_grad()
def loss_on(net: nn.Module, pictures: data.ImageDataset, n: int) -> float:
    """The training loss on the first n pictures at TIMES; the same noise for every network."""
    some = pictures.take(torch.arange(min(n, len(pictures))))
    x0, found = data.to_float(some.images), []
    for at in TIMES:
        t, eps = torch.full((len(x0),), at), torch.randn(x0.shape, generator=seeded(17, at))
        x_t = gaussian.q_sample(T1000, x0, t, eps)
        found.append((V.target(T1000, x0, x_t, t, eps) - net(x_t, t, labels=some.labels)).square().mean())
    return significant(torch.stack(found).mean())


def drawn(net: nn.Module, labels: Tensor) -> Tensor:
    """Digits of these classes, uint8."""
    denoise = prediction.clip_denoised(prediction.denoiser(partial(net, labels=labels), T1000, V))
    x_T, times = small_trainings.x_T(len(labels)), timesteps.uniform(T1000, CALLS)
    return data.to_uint8(sampler.final(sampler.dpm_solver(denoise, T1000, x_T, times)))


def read(learned_from: data.ImageDataset, held: data.ImageDataset, steps: int) -> float:
    """Accuracy on held-out digits of a classifier that learned from these pictures."""
    return significant(classifier.train(learned_from, steps=steps).accuracy(held.images, held.labels))


def one_training(w: small_trainings.World, held: data.ImageDataset, size: int, seed: int, settings: Settings) -> dict:
    """A network that knows so many digits: its losses on the way, and what it draws."""
    began = time.process_time()
    order = torch.randperm(len(w.known), generator=seeded(seed, 12))
    known = w.known.take(order[:size])
    state = small_trainings.start(seed, lambda: unet.UNet(1, small_trainings.CHANNELS, attention=(1,), num_classes=10))
    how = {"batch": small_trainings.BATCH, "seed": seed, "labels": known.labels, "label_drop": 0.1, "no_label": 10}
    batch_at, looks = data.batches(known.images, T1000, **how), []
    for progress in trainer.run(state, batch_at, loss.objective(T1000, V), steps=settings.steps, report_every=10):
        if progress.step in settings.looks or progress.step == settings.steps:
            net = trainer.ema_model(state)
            losses = {name: loss_on(net, x, settings.measured) for name, x in (("known", known), ("held", held))}
            looks.append({"step": progress.step} | losses)
            print(size, seed, looks[-1], flush=True)
    labels = known.labels[torch.arange(settings.samples) % len(known)]
    pictures = drawn(trainer.ema_model(state), labels)
    features, real = w.judge.features(pictures), w.features
    few, within = min(20, len(known)), neighbours.variance_within
    both = {"drawn": pictures, "held": held.images}
    of_drawn = data.ImageDataset(pictures, labels, None, known.class_names, "drawn", "")
    return {
        "size": size, "seed": seed, "looks": looks,
        "nearest": {
            name: significant(neighbours.nearest(x, known.images)[0].median()) for name, x in both.items()
        },
        "ratio": significant(memorisation.distance_ratio(pictures, known.images, held.images)),
        "copies": {
            name: significant(memorisation.copies(x, known.images, neighbours=few).double().mean())
            for name, x in both.items()
        },
        "precision": significant(neighbours.precision(features, real)),
        "recall": significant(neighbours.recall(features, real)),
        "frechet": significant(metrics.frechet(real, features)),
        "recognised": significant(w.judge.accuracy(pictures, labels)),
        "variance": significant(within(pictures, labels) / within(w.known.images, w.known.labels)),
        "read": {"drawn": read(of_drawn, held, settings.reading), "known": read(known, held, settings.reading)},
        "shown": pictures[: settings.columns].tolist(),
        "beside": known.images[neighbours.nearest(pictures[: settings.columns], known.images)[1][:, 0]].tolist(),
        "seconds": round(time.process_time() - began, 1),
    }  # fmt: skip


def crossing(sizes: list[int], ratios: list[float], level: float = 1.0) -> float | None:
    """The size at which the ratio rises through the level, on straight lines over the logarithm of the size; None if
    it does not."""
    points = [(torch.tensor(float(n)).log(), r) for n, r in zip(sizes, ratios, strict=True)]
    for (a, low), (b, high) in pairwise(points):
        if low < level <= high:
            return significant((a + (level - low) / (high - low) * (b - a)).exp())
    return None


def summary(runs: list[dict]) -> dict:
    """What the runs of one size came to: each figure as [mean, standard deviation over the seeds]."""
    plain = ("ratio", "precision", "recall", "frechet", "recognised", "variance")
    found = {key: spread([run[key] for run in runs]) for key in plain}
    for key in ("nearest", "copies", "read"):
        found[key] = {name: spread([run[key][name] for run in runs]) for name in runs[0][key]}
    losses = {name: [[look[name] for look in run["looks"]] for run in runs] for name in ("known", "held")}
    found["loss"] = {name: [spread(list(at)) for at in zip(*rows, strict=True)] for name, rows in losses.items()}
    steps = [look["step"] for look in runs[0]["looks"]]
    best = [steps[row.index(min(row))] for row in losses["held"]]
    return found | {"steps": steps, "held_out_is_best_at": best}


def main(arguments: list[str] | None = None, settings: Settings = BOOK) -> None:
    parser = command_line(__doc__, seeds=[int], steps=int)
    settings, clock = parsed(parser, settings, arguments), Stopwatch(__spec__.name, arguments)
    torch.set_num_threads(1)
    w, folder, every = small_trainings.world(settings), settings.runs / "memorisation", data.load("digits")
    held = every.take(torch.randperm(len(every), generator=seeded(0))[: settings.held_out])
    sizes = [n for n in settings.sizes if n <= len(w.known)]
    runs = [
        cached(folder / f"{size}-{seed}.json", partial(one_training, w, held, size, seed, settings))
        for seed in settings.seeds
        for size in sizes
    ]
    of = {size: [run for run in runs if run["size"] == size] for size in sizes}
    strips = [torch.tensor(of[size][0][row], dtype=torch.uint8) for size in sizes for row in ("shown", "beside")]
    picture(settings.results / "memorisation.png", torch.cat(strips), columns=settings.columns, gap=0)
    ratios = [[run["ratio"] for run in runs if run["seed"] == seed] for seed in settings.seeds]
    found = {
        "sizes": {str(size): summary(of[size]) for size in sizes},
        "crossing": {str(level): [crossing(sizes, row, level) for row in ratios] for level in (0.5, 0.9, 1.0)},
        "runs": [{key: value for key, value in run.items() if key not in ("shown", "beside")} for run in runs],
        "seeds": settings.seeds,
        "steps": settings.steps,
        "samples": settings.samples,
        "held_out": len(held),
        "columns": settings.columns,
        "threads": torch.get_num_threads(),
        "note": "each figure as [mean, standard deviation over the seeds]; every network: (32, 64) channels, told the "
        "class, V, cosine schedule, batches of 64 whatever the set; each seed has its own order of the digits, of "
        "which a set is the beginning, and none of the held-out ones; ratio: median distance, in pixels, of drawn "
        "digits to the nearest training digit over that of held-out ones; copies: nearer to one training digit than "
        "half the mean distance to the 20 nearest; loss: on at most 120 training and 120 held-out digits, at five "
        "times, by the averaged weights; read: accuracy on held-out digits of a classifier that learned from the "
        "drawn ones, or from the training set itself; frechet, precision and recall in a small classifier's features, "
        "against all digits; variance: inside classes, over that of the real ones; drawn by DPM-Solver++ in 10 calls; "
        "memorisation.png: for each size a row of drawn digits, and below each its nearest training digit, of the "
        "first seed; crossing: the size at which the ratio rises through a level, for each seed; minutes: processor "
        "time of all trainings",
    }
    minutes = sum(run["seconds"] for run in runs) / 60
    write("memorisation", found, clock, every.sha256, minutes=minutes, folder=settings.results)


if __name__ == "__main__":
    main()
