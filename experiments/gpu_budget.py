"""What only a GPU can measure, within a budget of minutes, what is wanted most first.

python -m experiments.gpu_budget --minutes 30 [--cifar10 FOLDER]     called again, it goes on where it was stopped
python -m experiments.gpu_budget --minutes 1 --device cpu --steps 2 --samples 20    a rehearsal

Each job is a process of its own, with nothing beside it. After each the results file is written, and a job that stands
in it is not done again. Checkpoints stay in runs/gpu_budget.
"""

import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ddpm_core.storage import checkpoint
from experiments.ch13 import reading
from experiments.common.results_file import ROOT, Stopwatch, write
from experiments.common.settings import Folders, command_line, parsed

REST = float("inf")  # minutes: all that are left


@dataclass(frozen=True, kw_only=True)
class Settings(Folders):
    """minutes: of all jobs together. cifar10: where the pictures are. steps: of each training, instead of its minutes.
    samples: pictures that are judged."""

    minutes: float = 30.0
    device: str = "cuda"
    cifar10: str = "uoft-cs/cifar10"
    steps: int | None = None
    samples: int = 1000

    @property
    def kept(self) -> Path:
        return self.runs / "gpu_budget"


@dataclass(frozen=True)
class Job:
    """name, the minutes it wants, and what does it: from the minutes that it gets to what the results file says."""

    name: str
    minutes: float
    work: Callable[[float, Settings], dict]
    least: float = 0.0  # with fewer minutes it is left for another time


def ran(*words: str | float | Path) -> None:
    """python -m WORDS, to its end. Raises subprocess.CalledProcessError if that is not a good one."""
    command = [sys.executable, "-m", *map(str, words)]
    print("$", shlex.join(command[1:]), flush=True)
    subprocess.run(command, check=True, cwd=ROOT)


def trained(recipe: str, minutes: float, settings: Settings, *more: str) -> Path:
    """The folder of a training by this recipe, for so many minutes or the rehearsal's steps; gone on with if it is
    there."""
    folder = settings.kept / recipe
    length = ["--minutes", minutes] if settings.steps is None else ["--steps", settings.steps, "--batch", 8]
    again = ["--resume"] if (folder / checkpoint.TRAINING).is_file() else []
    how = ["--out", folder, "--device", settings.device, *length, *again]
    ran("ddpm_core", "train", "--recipe", recipe, *more, *how)
    return folder


def told(folder: Path) -> dict:
    """What a checkpoint says of its training."""
    about = checkpoint.load(folder).about
    return {key: about[key] for key in ("device", "minutes", "trained_steps", "images_seen", "loss")}


def by_recipe(recipe: str) -> Callable[[float, Settings], dict]:
    """A training on CIFAR-10, and what `evaluate` says of its pictures and its bound."""

    def work(minutes: float, settings: Settings) -> dict:
        folder = trained(recipe, minutes, settings, "--data", settings.cifar10)
        file = folder / "evaluated.json"
        how = ["--data", settings.cifar10, "--device", settings.device, "--n", settings.samples, "--json", file]
        if settings.steps is None:
            how.append("--bits-per-dim")
        ran("ddpm_core", "evaluate", folder, *how)
        return told(folder) | {"evaluated": json.loads(file.read_text())["results"]}

    return work


def text_to_image(minutes: float, settings: Settings) -> dict:
    """A training on captioned shapes, and what the exact reader says of guided pictures, of seen and unseen scenes."""
    folder = trained("shapes", minutes, settings)
    model, n = checkpoint.load(folder), min(settings.samples, 300)
    how = dict(guidance=2.0, seed=1, steps=model.about["steps"], sampler=model.about["sampler"])
    return told(folder) | {"read": {part: reading.judged(model, part, n, **how) for part in reading.PARTS}}


def beside_others(minutes: float, settings: Settings) -> dict:
    """benchmarks/on_a_gpu.py, which writes a results file of its own."""
    ran("benchmarks.on_a_gpu", *(["--rounds", 1, "--steps", 1] if settings.steps else []))
    return {}


JOBS = (
    Job("cars, alone on the card", 5.0, by_recipe("cars32-gpu"), least=5.0),
    Job("a step beside diffusers", 2.0, beside_others),
    Job("text to image, shapes", 2.0, text_to_image, least=2.0),
    Job("CIFAR-10 by class", REST, by_recipe("cifar10-classes"), least=3.0),
)
AFTERWARDS = 1.0  # minutes that the last job leaves for its own judging


def main(arguments: list[str] | None = None, settings: Settings = Settings(), jobs: tuple[Job, ...] = JOBS) -> None:
    parser = command_line(__doc__, minutes=float, device=str, cifar10=str, steps=int, samples=int)
    settings, clock = parsed(parser, settings, arguments), Stopwatch(__spec__.name, arguments)
    path = settings.kept / "done.json"
    done = json.loads(path.read_text()) if path.is_file() else {}
    for job in jobs:
        left = settings.minutes - clock.minutes() - (AFTERWARDS if job.minutes == REST else 0.0)
        if job.name in done:
            print(f"{job.name}: done before")
        elif settings.steps is None and left < job.least:
            print(f"{job.name}: left for another time, it wants {job.least:g} minutes and {max(left, 0):.1f} are left")
        else:
            done[job.name] = job.work(min(job.minutes, left), settings)
            settings.kept.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(done))
            device = next((row["device"] for row in done.values() if "device" in row), None)
            spent = sum(row.get("minutes", 0) for row in done.values())
            write("gpu_budget", {"jobs": done}, clock, device=device, minutes=spent, folder=settings.results)


if __name__ == "__main__":
    main()
