"""Write ddpm_core/recipes/measured.json: what each recipe needs, and what was measured of it, as the package says it.

python tools/measured.py

Nothing measured is typed here: it stands in a results file that was made by the same recipe, or it is not measured.
"""

import json
import statistics
from pathlib import Path

from ddpm_core.book import results
from ddpm_core.networks.flops import parameter_count, training_flops
from ddpm_core.recipes.recipes import MEASURED, RECIPES, Recipe, described, network

PAGE = Path(__file__).resolve().parent.parent / "ddpm_core" / "recipes" / MEASURED
NOT_MEASURED = "not measured"
PACE = "fashion32"  # the training on a CPU by whose pace others are judged


def of_runs(results: dict) -> str:
    """From experiments/ch00/digits.py: means over its runs."""
    held_out, real = [run["held_out"] for run in results["runs"]], results["real"]
    recognised, distance = (statistics.mean(run[key] for run in held_out) for key in ("recognised", "frechet"))
    minutes = statistics.mean(run["train_seconds"] for run in results["runs"]) / 60
    return (
        f"{minutes:.1f} minutes; {recognised:.3f} recognised (real {real['recognised']:.3f}), "
        f"Fréchet distance {distance:.2f} (real {real['frechet']:.2f}); {len(held_out)} runs"
    )


def of_garments(results: dict) -> str:
    """From experiments/ch00/fashion32.py: its best sampler."""
    best, recognised, distance = results["best"], results["real_recognised"], results["real_frechet"]
    return (
        f"{results['minutes']:.1f} minutes; {best['recognised']:.3f} recognised (real {recognised:.3f}), "
        f"Fréchet distance {best['frechet']:.2f} (real {distance:.2f})"
    )


def of_cars(results: dict) -> str:
    """From experiments/ch08/cars32.py."""
    begin = f"{results['minutes']:.1f} minutes; {results['images_seen']:,} images seen"
    return f"{begin}, {_measured(results['rows'])}" if "rows" in results else begin


def of_car_minutes(results: dict) -> str:
    """From experiments/ch08/car_minutes.py: the longest of its trainings, means over the seeds."""
    *_, row = results["steps"].values()
    looks, real = row["solved"], results["real"]
    return (
        f"{row['minutes']:.1f} minutes; {row['images']:,} images seen, {looks['recognised'][0]:.3f} recognised (real "
        f"{real['recognised']:.3f}), Fréchet distance {looks['frechet'][0]:.2f} (real {real['frechet']:.2f}); "
        f"{len(row['seeds'])} runs"
    )


def of_evaluation(results: dict) -> str:
    """From python -m ddpm_core evaluate --json: what was measured of the drawn images."""
    return f"{results['training']['minutes']:.1f} minutes; {_measured(results['rows'])}"


def _measured(rows: dict) -> str:
    """Each measurement of drawn images, beside that of real ones where there is one."""
    names = {"frechet": "Fréchet distance", "fid": "FID"}

    def beside(row: dict) -> str:
        if row.get("real") is not None:
            return f" (real {row['real']:.4g})"
        return " (no real ones held out)" if "real" in row else ""

    found = [f"{names.get(key, key)} {row['drawn']:.4g}{beside(row)}" for key, row in rows.items() if "drawn" in row]
    if "bits_per_dim" in rows:
        of = rows["bits_per_dim"]
        found.append(f"at most {of['bound']:.4g} bits per dimension ({of['images']} {of['split']} images)")
    return ", ".join(found)


READERS = {  # recipe -> the results file that says what it cost and reached, and how that is said in a line
    "digits": ("digits", of_runs),
    "fashion32": ("fashion32", of_garments),
    "cars32": ("cars32", of_cars),
    "cars32-gpu": ("car_minutes", of_car_minutes),
    "cifar10": ("cifar10", of_evaluation),
    "cifar10-classes": ("cifar10-classes", of_evaluation),
    "cifar10-text": ("cifar10-text", of_evaluation),
}


def measured(name: str, recipe: Recipe) -> str:
    """What the recipe cost and reached, from its results file; "not measured" where there is none."""
    file, reached = READERS[name]
    try:
        found = results.load(file, described(recipe))
    except FileNotFoundError:
        return NOT_MEASURED
    except ValueError as error:
        return f"{NOT_MEASURED}: {error}"
    return f"{reached(found['results'])} ({found['device']}, {found['date']})"


def listing(name: str, recipe: Recipe) -> str:
    """The recipe in some lines: what it draws, needs, takes and has reached."""
    n, *shape = recipe.images
    length = f"{recipe.minutes:g} minutes" if recipe.minutes else f"{recipe.steps} steps"
    where = "a GPU" if recipe.device == "gpu" else "a CPU"
    return "\n".join(
        [
            name,
            f"    draws     {recipe.draws}",
            f"    data      {recipe.data}, {n:,} images {'x'.join(map(str, shape))}",
            f"    network   {parameter_count(network(recipe)) / 1e6:.2f} M parameters",
            f"    length    {length} with batches of {recipe.config.batch}, made for {where}",
            f"    measured  {measured(name, recipe)}",
        ]
    )


def pace(recipe: Recipe) -> str:
    """How long a CPU would need to look once at a GPU's images, as a part of a sentence; "" if nobody knows."""
    if recipe.device == "cpu":
        return ""
    n, *shape = recipe.images
    try:
        found = results.load(PACE)
    except (FileNotFoundError, ValueError):
        return ""
    done = found["results"]["images_seen"] * training_flops(network(RECIPES[PACE]), (1, 32, 32))
    hours = n * training_flops(network(recipe), tuple(shape)) * found["results"]["minutes"] / done / 60
    device = found["device"]
    return f": at the pace of {PACE}.json, {device} would look once at its {n:,} images in about {hours:.1f} hours"


def page() -> str:
    """The file: recipe -> its listing and its pace on a CPU."""
    said = {name: {"listing": listing(name, recipe), "pace": pace(recipe)} for name, recipe in RECIPES.items()}
    return json.dumps(said, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
