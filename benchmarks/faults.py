"""Trainings that are killed at random moments and resumed: do they come to what an undisturbed one comes to?

python -m benchmarks.faults [--kills 100] [--interrupts 20] [--seed 0]

A training of a small network saves after each step. It is killed (SIGKILL), or Ctrl-C comes twice, and goes on from
what it has saved, until it is done. Then weights, average, optimiser and generator state are compared with those of a
training that nobody disturbed, bit for bit, and so are the batches of every step.
"""

import argparse
import contextlib
import hashlib
import io
import itertools
import json
import mmap
import os
import random
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

import torch

from benchmarks.rig import trust
from ddpm_core import data, trainer
from ddpm_core.cli import run_folder
from ddpm_core.diffusion import loss
from ddpm_core.recipes.config import TrainingConfig
from ddpm_core.storage import checkpoint
from ddpm_core.storage.files import read_tensors
from ddpm_core.training import progress
from ddpm_core.training.optimizers import OPTIMIZERS
from ddpm_core.unet import UNet
from experiments.common.results_file import Stopwatch

STEPS, CONFIG = 24, TrainingConfig(channels=(8, 16), attention=())
PHASES = "before the first step", "within a step", "while saving"
Accident = Callable[[int], None]  # what is done to the process of this number
OF_THE_CLOCK = {"seconds", "minutes", "loss"}  # which differ from run to run; the smoothed loss begins anew with each


def train(folder: Path, optimizer: str, phase: mmap.mmap) -> None:
    """Train in this folder, or go on there; `phase` holds what is being done, and order.txt the hash of each batch."""
    torch.manual_seed(0)
    state = trainer.start(UNet(1, (8, 16), dropout=0.1), optimizer=OPTIMIZERS[optimizer], device="cpu")
    torch.manual_seed(1)
    if (folder / checkpoint.TRAINING).exists():
        trainer.resume(state, folder / checkpoint.TRAINING)
    images = torch.randint(0, 256, (50, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(2))
    plain = data.batches(images, CONFIG.schedule, batch=4, seed=3)

    def batch_at(step: int) -> tuple[torch.Tensor, ...]:
        phase[0] = 1
        batch = plain(step)
        digest = hashlib.sha256(b"".join(part.numpy().tobytes() for part in batch)).hexdigest()
        with open(folder / "order.txt", "a") as order:
            order.write(f"{step} {digest}\n")
        return batch

    def keep(smoothed: float | None) -> None:
        phase[0] = 2
        run_folder.keep(folder, state, CONFIG, {}, smoothed)
        phase[0] = 1

    run = trainer.run(state, batch_at, loss.objective(CONFIG.schedule, CONFIG.predict), steps=STEPS, report_every=1)
    progress.progress_bar(run, keep, 0, lambda report: None, quiet=True)


def forked(folder: Path, optimizer: str, phase: mmap.mmap) -> int:
    """The number of a process that trains and ends with 0 when it is done, 130 when it was interrupted."""
    phase[0] = 0
    process = os.fork()
    if process:
        return process
    status = 1
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with contextlib.redirect_stdout(io.StringIO()):
            train(folder, optimizer, phase)
        status = 0
    except KeyboardInterrupt:
        status = 130
    finally:
        os._exit(status)


def ended(process: int) -> int | None:
    """What it ended with; None while it runs. It is still to be waited for."""
    there = os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    return None if there is None else there.si_status


def killed(process: int) -> None:
    os.kill(process, signal.SIGKILL)


def interrupted_twice(process: int) -> None:
    """Ctrl-C, and once more a moment later."""
    os.kill(process, signal.SIGINT)
    time.sleep(random.random() * 0.003)
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGINT)


def disturbed(folder: Path, optimizer: str, accident: Accident, most: int, longest: float, draw: Random) -> Counter:
    """Train with at most so many accidents, each at a random moment; counts them by what was being done.

    One in ten comes while the training is still being set up, the others within `longest` seconds from its first step.
    """
    found, phase = Counter(), mmap.mmap(-1, 1)
    for number in itertools.count():
        process, early = forked(folder, optimizer, phase), draw.random() < 0.1
        while not (early or phase[0]) and ended(process) is None:
            time.sleep(0.001)
        if number < most:
            time.sleep(draw.random() * longest)
            if ended(process) is None:
                found[PHASES[phase[0]]] += 1
                accident(process)
        status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        if status == 0:
            return found
        if status not in (130, -signal.SIGKILL):
            raise RuntimeError(f"need trainings that are done or disturbed, but one ended with {status}.")


def differences(one: Path, other: Path) -> list[str]:
    """What is not the same in two runs' folders: names of tensors, entries of headers, steps whose batches differ."""
    found = []
    for name in (checkpoint.TRAINING, checkpoint.MODEL):
        (a, said_a), (b, said_b) = read_tensors(one / name), read_tensors(other / name)
        found += [key for key in a.keys() | b.keys() if key not in a or key not in b or not torch.equal(a[key], b[key])]
        for key in ("progress", "description"):
            ours, theirs = (_plain(said.get(key, "{}")) for said in (said_a, said_b))
            found += [key] if ours != theirs else []
    wanted = dict(_order(one))
    found += [f"batch {step}" for step, digest in _order(other) if wanted.get(step) != digest]
    return found + ([] if {step for step, _ in _order(other)} == wanted.keys() else ["steps left out"])


def _plain(text: str) -> dict:
    found = json.loads(text)
    about = found.get("about", {})
    return {k: v for k, v in found.items() if k not in OF_THE_CLOCK | {"about"}} | {
        k: v for k, v in about.items() if k not in OF_THE_CLOCK
    }


def _order(folder: Path) -> list[list[str]]:
    """(step, hash) of each batch that was asked for; the last line may be half of one."""
    lines = (folder / "order.txt").read_text().split("\n")[:-1]
    return [line.split(" ") for line in lines if len(line.split(" ")[-1]) == 64 and line.count(" ") == 1]


def tried(accident: Accident, times: int, seed: int, place: Path) -> dict:
    """So many accidents in all, half of them with each optimiser, and what came of the trainings."""
    draw, found = Random(seed), {}
    for optimizer, most in (("adam", times - times // 2), ("muon", times // 2)):
        whole = place / f"{optimizer}-whole"
        if not whole.exists():
            whole.mkdir()
            disturbed(whole, optimizer, accident, 0, 0, draw)
        longest = json.loads(read_tensors(whole / checkpoint.TRAINING)[1]["progress"])["seconds"]
        phases, trainings, different = Counter(), 0, []
        while sum(phases.values()) < most:
            folder = place / f"{optimizer}-{trainings}"
            folder.mkdir()
            phases += disturbed(folder, optimizer, accident, most - sum(phases.values()), longest, draw)
            different += [f"training {trainings}: {what}" for what in differences(whole, folder)]
            left = sorted(path.name for path in folder.iterdir() if path.suffix != ".tmp")
            different += [] if left == sorted([*run_files(), "order.txt"]) else [f"training {trainings}: holds {left}"]
            shutil.rmtree(folder)
            trainings += 1
        found[optimizer] = {
            "accidents": sum(phases.values()), "trainings": trainings, "differences": different,
            **{name: phases[name] for name in PHASES},
        }  # fmt: skip
    return found


def run_files() -> list[str]:
    return [checkpoint.CONFIG, checkpoint.MODEL, checkpoint.TRAINING]


def main(arguments: list[str] | None = None) -> dict:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--interrupts", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dry", action="store_true", help="print what was found, and write no results file")
    options, stopwatch = parser.parse_args(arguments), Stopwatch()
    torch.set_num_threads(1)
    asked = {"kills": (killed, options.kills), "interrupts": (interrupted_twice, options.interrupts)}
    with tempfile.TemporaryDirectory() as place:
        found = {
            name: {"steps": STEPS, **tried(accident, times, options.seed, Path(place))}
            for name, (accident, times) in asked.items() if times
        }  # fmt: skip
    print(json.dumps(found))
    for name, section in found.items():
        if not options.dry:
            trust.note(name, section, stopwatch)
    return found


if __name__ == "__main__":
    main()
