"""What every results file says about itself: how, on what, when and for how long it was made."""

import json
import statistics
import sys
import time
from datetime import date
from pathlib import Path

import torch

from ddpm_core import origin, show
from ddpm_core.files import replace_file

RESULTS = Path(__file__).resolve().parents[1] / "book" / "results"


class Stopwatch:
    """Wall-clock time since it was made, and the commit that the code was at then ("+": with changes since)."""

    def __init__(self):
        self.began = time.perf_counter()
        self.commit = origin.commit("ddpm_core", "experiments", "benchmarks") or ""

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
        origin.public(a) for a in sys.argv[1:]
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
