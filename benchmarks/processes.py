"""One network trained by one process or by two, through torchrun, on the same threads.

python -m benchmarks.processes [--threads 2] [--rounds 2]
"""

import argparse
import os
import subprocess
import sys

import torch

from benchmarks.rig import clock
from ddpm_core import data, trainer
from ddpm_core.diffusion import loss
from ddpm_core.diffusion.noise import seeded
from ddpm_core.diffusion.prediction import V
from ddpm_core.recipes import config
from ddpm_core.unet import UNet
from experiments.common.results_file import Stopwatch, write

NETWORK = dict(in_channels=1, channels=(32, 64), attention=(1,))
NUMBERS, BATCH, SIDE, WARM, COUNTED = (1, 2), 128, 16, 10, 20


def worker() -> None:
    """One of the processes that train one network together; the first says how long the counted steps took."""
    images = torch.randint(0, 256, (1000, 1, SIDE, SIDE), dtype=torch.uint8, generator=seeded(0))
    state = trainer.start(UNet(**NETWORK), device="cpu")
    batch_at = data.batches(images, config.COSINE, batch=BATCH)
    run = trainer.run(state, batch_at, loss.objective(config.COSINE, V), steps=WARM + COUNTED, report_every=WARM)
    seconds = [progress.seconds for progress in run]
    if state.accelerator.is_main_process:
        print(seconds[-1] - seconds[0])
    state.accelerator.end_training()


def processes_of(numbers: tuple[int, ...], threads: int, rounds: int) -> list[dict]:
    """The same steps by so many processes, which share the threads, through torchrun and in turns."""
    found: dict[int, list[float]] = {n: [] for n in numbers}
    for _ in range(rounds):
        for n in numbers:
            own = str(max(1, threads // n))
            command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={n}"]
            done = subprocess.run(
                [*command, "-m", __spec__.name, "--worker"],
                env=os.environ | {"OMP_NUM_THREADS": own, "MKL_NUM_THREADS": own},
                check=True,
                capture_output=True,
                text=True,
            )
            found[n].append(float(done.stdout.split()[-1]))
    return [
        {
            "processes": n,
            "threads_each": max(1, threads // n),
            "images_per_second": clock.middle([BATCH * COUNTED / s for s in seconds]),
        }
        for n, seconds in found.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options, stopwatch = parser.parse_args(), Stopwatch()
    if options.worker:
        return worker()
    results = {
        "rows": processes_of(NUMBERS, options.threads, options.rounds),
        "batch": BATCH,
        "side": SIDE,
        "network": {key: value if isinstance(value, int) else list(value) for key, value in NETWORK.items()},
        "threads": options.threads,
        "note": "images_per_second of trainer.run as [median, smallest, largest] over the turns; the batch is that of "
        "all processes together, and the threads are shared; two processes exchange every gradient through gloo",
    }
    print(results)
    write("processes", results, stopwatch)


if __name__ == "__main__":
    main()
