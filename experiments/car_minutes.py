"""Chapter 16: quality against minutes of a GPU, on the club's cars."""

import argparse
import json
import time
from pathlib import Path

import torch
from provenance import Stopwatch

from ddpm_core import cookbook, data, devices, recipe, show, trainer
from ddpm_core.files import replace_file

PLAN = cookbook.BY_NAME["cars32-gpu"]
RECIPE = PLAN.recipe
KEPT = Path(__file__).resolve().parents[1] / "runs" / "car_minutes"


def pace(source: str, device: str, steps: int = 400, warm: int = 100) -> float:
    """Training steps a second when nothing else runs on the device, batches included."""
    torch.manual_seed(0)
    cars = data.load_images(source).only(PLAN.only).images
    state = trainer.start(recipe.network(RECIPE, 3, None), lr=RECIPE.lr, ema_decay=RECIPE.ema_decay, device=device)
    batch_at = recipe.batches(
        cars, None, RECIPE.schedule, batch=RECIPE.batch, flips=RECIPE.flips, device=state.accelerator.device
    )
    objective = recipe.objective(RECIPE.schedule, RECIPE.predict, RECIPE.weight)
    for progress in trainer.run(state, batch_at, objective, steps=warm + steps):
        if progress.step == warm:
            began = time.perf_counter()
    return steps / (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=PLAN.data)
    parser.add_argument("--pace", action="store_true", help="only measure how many steps the GPU makes in a second")
    parser.add_argument("--device")
    options, clock = parser.parse_args(), Stopwatch()
    device = devices.check_device(options.device)
    if options.pace:
        found = {
            "steps_a_second": pace(options.data, device), "device": show.device_name(device),
            "torch": torch.__version__, "commit": clock.commit,
        }  # fmt: skip
        replace_file(KEPT / "pace.json", lambda temporary: temporary.write_text(json.dumps(found) + "\n"))
        print(found)


if __name__ == "__main__":
    main()
