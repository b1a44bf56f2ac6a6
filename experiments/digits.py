"""Chapter 0: three runs on the digits, as a reader would start them, judged by two classifiers of real digits.

python experiments/digits.py [--seeds 0 1 2]
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from provenance import Stopwatch, write
from sklearn.svm import SVC

from ddpm_core import checkpoint, data, evaluate, evaluation, unet

MEASURED = """
import resource, sys
from ddpm_core.__main__ import main
status = main(sys.argv[1:])
print("MiB", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
sys.exit(status)
"""


@dataclass(frozen=True)
class Jury:
    """Two classifiers of the same real digits, and the features of these digits."""

    reader: SVC
    judge: evaluate.Judge
    features: torch.Tensor

    def verdict(self, images: torch.Tensor, labels: torch.Tensor) -> dict:
        """How these images (N, 1, 8, 8) fare: shares recognised by the one and by the other, and the distance."""
        return {
            "recognised": round(float((self.reader.predict(flat(images)) == labels.numpy()).mean()), 4),
            "recognised_by_judge": round(self.judge.accuracy(images, labels), 4),
            "frechet": round(evaluate.frechet(self.features, self.judge.features(images)), 3),
        }


def jury_of(digits: data.Images) -> Jury:
    judge = evaluate.train_judge(digits, steps=600)
    return Jury(SVC().fit(flat(digits.images), digits.labels.numpy()), judge, judge.features(digits.images))


def flat(images: torch.Tensor) -> np.ndarray:
    return images.flatten(1).numpy()


def command(*arguments: str) -> tuple[float, float, str]:
    """Run `python -m ddpm_core ...` in a process of its own: seconds, peak memory in MiB, and what it printed."""
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", MEASURED, *arguments], check=True, capture_output=True, text=True)
    printed, _, memory = done.stdout.rpartition("MiB ")
    return time.perf_counter() - began, float(memory), printed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    seeds, clock = parser.parse_args().seeds, Stopwatch()

    digits = data.load_images("digits")
    order = torch.randperm(len(digits), generator=torch.Generator().manual_seed(0))
    known, held = (
        replace(digits, images=digits.images[rows], labels=digits.labels[rows]) for rows in (order[:-720], order[-720:])
    )
    everything, fair = jury_of(digits), jury_of(known)

    runs = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in seeds:
            out, npz = Path(folder) / str(seed), Path(folder) / f"{seed}.npz"
            train = ["train", "--recipe", "digits", "--seed", str(seed), "--out", str(out)]
            sample = ["sample", str(out), "--n", "720", "--steps", "20", "--seed", "1", "--out", str(npz)]
            train_seconds, memory, _ = command(*train)
            sample_seconds, _, printed = command(*sample)
            drawn = np.load(npz)
            images, labels = torch.from_numpy(drawn["images"]).permute(0, 3, 1, 2), torch.from_numpy(drawn["labels"])
            runs.append(
                {
                    "seed": seed,
                    "train_seconds": round(train_seconds, 1),
                    "training_loop_seconds": round(60 * checkpoint.load(out).about["minutes"], 1),
                    "sample_seconds": round(sample_seconds, 1),
                    "drawing_seconds": float(re.search(r"drawn in ([\d.]+) s", printed)[1]),
                    "memory_mib": round(memory),
                    **everything.verdict(images, labels),
                    "held_out": fair.verdict(images, labels),
                }
            )
            print(runs[-1], flush=True)
        trained = checkpoint.load(out)
    results = {
        "runs": runs,
        "steps": trained.about["trained_steps"],
        "samples": 720,
        "parameters": unet.parameter_count(trained.net),
        "real": fair.verdict(held.images, held.labels),
        "note": "train_ and sample_seconds are of the whole command, start of Python included; recognised: by an SVC, "
        "recognised_by_judge: by a small convolutional classifier, frechet: in the standardised features of the latter "
        "and against the digits that both were trained on: all 1,797, or (held_out, real) 1,077 of them; real: the "
        "720 real digits that these have not seen",
    }
    write("digits", results, clock, digits.sha256, recipe=evaluation.recipe_of(trained.about))


if __name__ == "__main__":
    main()
