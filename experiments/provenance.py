"""What every results file says about itself: how, on what, when and for how long it was made."""

import json
import os
import statistics
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import torch

from ddpm_core import show
from ddpm_core.files import replace_file

RESULTS = Path(__file__).resolve().parents[1] / "book" / "results"


class Stopwatch:
    """Wall-clock time since it was made, and the commit that the code was at then ("+": with changes since)."""

    def __init__(self):
        self.began = time.perf_counter()
        self.commit = os.environ.get("DDPM_COMMIT") or _commit()  # named for a copy of the folder without its history

    def minutes(self) -> float:
        return round((time.perf_counter() - self.began) / 60, 1)


def write(
    name: str,
    results: dict,
    clock: Stopwatch,
    data_sha256: str | None = None,
    device: str | None = None,
    minutes: float | None = None,
    recipe: dict | None = None,
) -> Path:
    """book/results/NAME.json: the results and their provenance; the command line is given without private paths.

    minutes: of all runs, where they were made one by one and kept; by default those of the clock. recipe: by which the
    model was made, as `evaluation.recipe_of` reads it from a checkpoint: `shelf.result` holds the file to it.
    """
    command = f"python {Path(sys.argv[0]).parent.name}/{Path(sys.argv[0]).name} " + " ".join(
        _public(a) for a in sys.argv[1:]
    )
    about = {
        "command": command.strip(),
        "commit": clock.commit,
        "device": device or show.device_name(),
        "torch": torch.__version__,
        "date": date.today().isoformat(),
        "minutes": clock.minutes() if minutes is None else round(minutes, 1),
        "data_sha256": data_sha256,
        **({} if recipe is None else {"recipe": recipe}),
        "results": results,
    }
    path = RESULTS / f"{name}.json"
    replace_file(path, lambda temporary: temporary.write_text(json.dumps(about, indent=1) + "\n"))
    print(f"wrote {path.name}")
    return path


def spread(values: list[float]) -> list[float | None]:
    """Mean, and standard deviation over the seeds if there are several."""
    deviation = float(f"{statistics.stdev(values):.2g}") if len(values) > 1 else None
    return [float(f"{statistics.mean(values):.4g}"), deviation]


def _public(argument: str) -> str:
    """A path becomes its last part, behind an option's "=" too: whose machine it was does not matter. A name on the Hub
    stays."""
    option, equals, value = argument.partition("=") if argument.startswith("-") else ("", "", argument)
    return option + equals + (Path(value).name if value.startswith(("/", "~", ".")) else value)


def _commit() -> str:
    changed = _git("status", "--porcelain", "--", ":/ddpm_core", ":/experiments", ":/benchmarks")
    return _git("rev-parse", "--short", "HEAD") + ("+" if changed else "")


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=RESULTS, capture_output=True, text=True, check=False).stdout.strip()
