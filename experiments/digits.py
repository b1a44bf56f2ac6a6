"""Chapter 0: three runs on the digits, as a reader would start them, judged by two classifiers of real digits.

python experiments/digits.py [--seeds 0 1 2]
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from provenance import Stopwatch, write
from sklearn.model_selection import cross_val_score
from sklearn.svm import SVC

from ddpm_core import checkpoint, data, evaluate, unet

MEASURED = """
import resource, sys
from ddpm_core.__main__ import main
status = main(sys.argv[1:])
print("MiB", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
sys.exit(status)
"""


def command(*arguments: str) -> tuple[float, float]:
    """Run `python -m ddpm_core ...` in a process of its own; seconds and peak memory in MiB."""
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", MEASURED, *arguments], check=True, capture_output=True, text=True)
    return time.perf_counter() - began, float(done.stdout.split("MiB ")[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    seeds, clock = parser.parse_args().seeds, Stopwatch()

    digits = data.load_images("digits")
    pixels = digits.images.flatten(1).numpy()
    reader = SVC().fit(pixels, digits.labels.numpy())
    judge = evaluate.train_judge(digits, steps=600)
    real = judge.features(digits.images)
    order = torch.randperm(len(digits), generator=torch.Generator().manual_seed(0))

    runs = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in seeds:
            out, npz = Path(folder) / str(seed), Path(folder) / f"{seed}.npz"
            train_seconds, train_memory = command(
                "train", "--data", "digits", "--steps", "600", "--seed", str(seed), "--out", str(out)
            )
            sample_seconds, _ = command(
                "sample", str(out), "--n", "720", "--steps", "20", "--guidance", "0", "--seed", "1", "--out", str(npz)
            )
            drawn = np.load(npz)
            images, labels = torch.from_numpy(drawn["images"]).permute(0, 3, 1, 2), drawn["labels"]
            runs.append(
                {
                    "seed": seed,
                    "train_seconds": round(train_seconds, 1),
                    "training_loop_seconds": round(60 * checkpoint.load(out).about["minutes"], 1),
                    "sample_seconds": round(sample_seconds, 1),
                    "memory_mib": round(train_memory),
                    "recognised": round(float((reader.predict(images.flatten(1).numpy()) == labels).mean()), 4),
                    "recognised_by_judge": round(judge.accuracy(images, torch.from_numpy(labels)), 4),
                    "frechet": round(evaluate.frechet(real, judge.features(images)), 3),
                }
            )
            print(runs[-1], flush=True)
        parameters = unet.parameter_count(checkpoint.load(out).net)
    half = order[:720], order[720:1440]
    results = {
        "runs": runs,
        "steps": 600,
        "samples": 720,
        "parameters": parameters,
        "real_recognised": round(float(cross_val_score(SVC(), pixels, digits.labels.numpy(), cv=5).mean()), 4),
        "real_frechet": round(evaluate.frechet(real[half[0]], real[half[1]]), 3),
        "note": "seconds are of the whole command, start of Python included; recognised: an SVC trained on all real "
        "digits; real_recognised: an SVC on held-out real digits, 5 folds; frechet: in standardised features of a "
        "small convolutional classifier, 720 drawn against all 1,797 real; real_frechet: 720 real against 720 others",
    }
    write("digits", results, clock, digits.sha256)


if __name__ == "__main__":
    main()
