"""One results file for all that is tried to make the package fail: each script writes a section of its own."""

import json
from datetime import date
from pathlib import Path

from ddpm_core.training import devices
from experiments.common.results_file import RESULTS, Stopwatch, write

NAME = "trust"


def found(folder: Path = RESULTS) -> dict[str, dict]:
    """The sections that are there."""
    path = folder / f"{NAME}.json"
    return json.loads(path.read_text())["results"] if path.is_file() else {}


def note(section: str, rows: dict, clock: Stopwatch, folder: Path = RESULTS) -> Path:
    """book/results/trust.json with this section in place of its forerunner; the others stay.

    A section is what was found and how: its command, commit, date, device and minutes.
    """
    about = {
        "command": clock.command(),
        "commit": clock.commit,
        "date": date.today().isoformat(),
        "device": devices.device_name(),
        "minutes": max(clock.minutes(), 0.1),
    }
    sections = dict(sorted((found(folder) | {section: about | rows}).items()))
    return write(NAME, sections, clock, folder=folder, minutes=about["minutes"])
