"""What every results file says about itself: how, on what, when and for how long it was made."""

import json
import statistics
import sys
import time
from datetime import date
from pathlib import Path

import torch
from torch import Tensor

from ddpm_core import data
from ddpm_core.storage import provenance
from ddpm_core.storage.files import write_atomically
from ddpm_core.training import devices

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "book" / "results"


class Stopwatch:
    """Wall-clock time since it was made, and the commit that the code was at then ("+": with changes since).

    script, arguments: the module that runs and its command line, where they are not those of this process.
    """

    def __init__(self, script: str | None = None, arguments: list[str] | None = None):
        self.began = time.perf_counter()
        self.commit = provenance.commit("ddpm_core", "experiments", "benchmarks") or ""
        self.script, self.arguments = script, sys.argv[1:] if arguments is None else arguments

    def minutes(self) -> float:
        return round((time.perf_counter() - self.began) / 60, 1)

    def command(self) -> str:
        """What was typed, without private paths."""
        script = self.script
        if script is None:
            script = ".".join(Path(sys.argv[0]).resolve().relative_to(ROOT).with_suffix("").parts)
        return " ".join(["python -m", script, *(provenance.public(word) for word in self.arguments)])


def write(
    name: str,
    results: dict,
    clock: Stopwatch,
    data_sha256: str | None = None,
    device: str | None = None,
    minutes: float | None = None,
    recipe: dict | None = None,
    folder: Path | None = None,
) -> Path:
    """book/results/NAME.json, or NAME.json in another folder: the results and their provenance.

    minutes: of all runs, where they were made one by one and kept; by default those of the clock. recipe: by which the
    model was made, as `evaluate.recipe_of` reads it from a checkpoint: `results.load` holds the file to it.
    """
    about = {
        "command": clock.command(),
        "commit": clock.commit,
        "device": device or devices.device_name(),
        "torch": torch.__version__,
        "date": date.today().isoformat(),
        "minutes": clock.minutes() if minutes is None else round(minutes, 1),
        "data_sha256": data_sha256,
        **({} if recipe is None else {"recipe": recipe}),
        "results": results,
    }
    path = (folder or RESULTS) / f"{name}.json"
    write_atomically(path, lambda temporary: temporary.write_text(json.dumps(about, indent=1) + "\n"))
    print(f"wrote {path.name}")
    return path


def picture(path: Path, images: Tensor, columns: int, enlarge: int = 1, gap: int = 2) -> None:
    """A .png of images (N, C, H, W) side by side."""
    sheet = data.tile(images, columns=columns, enlarge=enlarge, gap=gap)
    write_atomically(path, lambda temporary: sheet.save(temporary, format="png", optimize=True))


def significant(x: float | Tensor) -> float:
    """A number to four significant digits."""
    return float(f"{float(x):.4g}")


def spread(values: list[float]) -> list[float | None]:
    """Mean, and standard deviation over the seeds if there are several."""
    deviation = float(f"{statistics.stdev(values):.2g}") if len(values) > 1 else None
    return [significant(statistics.mean(values)), deviation]
