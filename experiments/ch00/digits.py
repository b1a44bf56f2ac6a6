"""Chapter 0: three runs on the digits, as a reader would start them, judged by two classifiers of real digits.

python -m experiments.ch00.digits [--seeds 0 1 2]

Each is kept in runs/digits, so that the whole can be stopped and gone on with.
"""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from sklearn.svm import SVC

from ddpm_core import data
from ddpm_core.cli import evaluate
from ddpm_core.evaluation import classifier, metrics
from ddpm_core.networks.flops import parameter_count
from ddpm_core.storage import checkpoint
from experiments.common.results_file import Stopwatch, write
from experiments.common.settings import Folders, cached, command_line, parsed

MEASURED = """
import resource, sys
from ddpm_core.cli import main
status = main(sys.argv[1:])
used = resource.getrusage(resource.RUSAGE_SELF)
print("used", used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
sys.exit(status)
"""


def command(*arguments: str) -> tuple[float, float, str]:
    """Run `python -m ddpm_core ...` in a process of its own: the processor's seconds, peak memory in MiB, and what it
    printed. With one thread these are the seconds of a core that has nothing else to do."""
    done = subprocess.run([sys.executable, "-c", MEASURED, *arguments], check=True, capture_output=True, text=True)
    printed, _, used = done.stdout.rpartition("used ")
    seconds, memory = map(float, used.split())
    return seconds, memory, printed


@dataclass(frozen=True, kw_only=True)
class Settings(Folders):
    """samples: digits drawn by each run, and held out; judging: steps of the classifier. more: further words for the
    training; command: carries out the words of `python -m ddpm_core`."""

    seeds: tuple[int, ...] = (0, 1, 2)
    samples: int = 720
    judging: int = 600
    more: tuple[str, ...] = ()
    command: Callable[..., tuple[float, float, str]] = command


BOOK = Settings()


@dataclass(frozen=True)
class Jury:
    """Two classifiers of the same real digits, and the features of these digits."""

    reader: SVC
    judge: classifier.Classifier
    features: torch.Tensor

    def verdict(self, images: torch.Tensor, labels: torch.Tensor) -> dict:
        """How these images (N, 1, 8, 8) fare: shares recognised by the one and by the other, and the distance."""
        return {
            "recognised": round(float((self.reader.predict(flat(images)) == labels.numpy()).mean()), 4),
            "recognised_by_judge": round(self.judge.accuracy(images, labels), 4),
            "frechet": round(metrics.frechet(self.features, self.judge.features(images)), 3),
        }


def jury_of(digits: data.ImageDataset, judging: int) -> Jury:
    judge = classifier.train(digits, steps=judging)
    return Jury(SVC().fit(flat(digits.images), digits.labels.numpy()), judge, judge.features(digits.images))


def flat(images: torch.Tensor) -> np.ndarray:
    return images.flatten(1).numpy()


def one_run(seed: int, folder: Path, everything: Jury, fair: Jury, settings: Settings) -> dict:
    """Train and draw as a reader would; the checkpoint is left in the folder."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    npz = folder.with_suffix(".npz")
    train = ["train", "--recipe", "digits", "--seed", str(seed), "--out", str(folder), *settings.more]
    sample = ["sample", str(folder), "--n", str(settings.samples), "--steps", "20", "--seed", "1", "--out", str(npz)]
    train_seconds, memory, _ = settings.command(*train)
    sample_seconds, _, _ = settings.command(*sample)
    drawn = np.load(npz)
    images, labels = torch.from_numpy(drawn["images"]).permute(0, 3, 1, 2), torch.from_numpy(drawn["labels"])
    found = {
        "seed": seed,
        "train_seconds": round(train_seconds, 1),
        "sample_seconds": round(sample_seconds, 1),
        "memory_mib": round(memory),
        **everything.verdict(images, labels),
        "held_out": fair.verdict(images, labels),
    }
    print(found, flush=True)
    return found


def main(arguments: list[str] | None = None, settings: Settings = BOOK) -> None:
    parser = command_line(__doc__, seeds=[int])
    settings, clock = parsed(parser, settings, arguments), Stopwatch(__spec__.name, arguments)
    digits = data.load("digits")
    order = torch.randperm(len(digits), generator=torch.Generator().manual_seed(0))
    known, held = digits.take(order[: -settings.samples]), digits.take(order[-settings.samples :])
    juries = jury_of(digits, settings.judging), jury_of(known, settings.judging)
    folder = settings.runs / "digits"
    runs = [
        cached(folder / f"{seed}.json", partial(one_run, seed, folder / str(seed), *juries, settings))
        for seed in settings.seeds
    ]
    trained = checkpoint.load(folder / str(settings.seeds[-1]))
    results = {
        "runs": runs,
        "steps": trained.about["trained_steps"],
        "samples": settings.samples,
        "parameters": parameter_count(trained.network),
        "real": juries[1].verdict(held.images, held.labels),
        "note": "train_ and sample_seconds: of the processor, for the whole command, start of Python included; "
        "recognised: by an SVC, recognised_by_judge: by a small convolutional classifier, frechet: in the standardised "
        "features of the latter and against the digits that both were trained on: all 1,797, or (held_out, real) 1,077 "
        "of them; real: the 720 real digits that these have not seen",
    }
    recipe = evaluate.recipe_of(trained.about)
    minutes = sum(run["train_seconds"] + run["sample_seconds"] for run in runs) / 60
    write("digits", results, clock, digits.sha256, minutes=minutes, recipe=recipe, folder=settings.results)


if __name__ == "__main__":
    main()
