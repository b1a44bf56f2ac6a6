"""python -m ddpm_core recipes: the trainings that have a name."""

import argparse
import json
from importlib.resources import files

MEASURED = files("ddpm_core") / "recipes" / "measured.json"


def recipes(options: argparse.Namespace) -> int:
    """List the trainings that have a name: what each draws, needs, cost and reached."""
    print("\n\n".join(recipe["listing"] for recipe in json.loads(MEASURED.read_text("utf-8")).values()))
    return 0
