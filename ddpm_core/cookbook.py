"""Trainings by name: python -m ddpm_core train --recipe NAME. Each says what it needs, and what it cost and reached.

A `Plan` is a recipe, the data it is meant for, its length and its device. Nothing measured is typed here: it stands in
a results file that was made by the same plan, or it is not measured.
"""

import statistics
from collections.abc import Callable
from dataclasses import dataclass

import torch

from . import recipe, shelf, told
from .cost import training_flops
from .recipe import Recipe
from .unet import UNet, parameter_count

NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Plan:
    """Everything about a training but its seed.

    images (N, C, H, W) and classes: what the data are once `only` one class is kept; pixels_sha256 is of all of them.
    names: of the classes, where the network is told captions that are made of them.
    Either steps or minutes. device: "cpu" is enough, or "gpu". mixed_precision, resident, compile: as in the options.
    result: the results file that says what it cost and reached; reached(its results) says so in a line.
    """

    draws: str
    data: str  # digits, or a name on the Hub
    recipe: Recipe | None = None  # None: the one that suits the images
    only: str | None = None
    images: tuple[int, int, int, int] | None = None
    classes: int | None = None
    names: tuple[str, ...] = ()
    pixels_sha256: str | None = None
    steps: int | None = None
    minutes: float | None = None
    device: str = "cpu"
    mixed_precision: str = "no"
    resident: bool = False
    compile: bool = False
    result: str | None = None
    reached: Callable[[dict], str] = str


def of_runs(results: dict) -> str:
    """From experiments/digits.py: means over its runs."""
    held_out, real = [run["held_out"] for run in results["runs"]], results["real"]
    recognised, distance = (statistics.mean(run[key] for run in held_out) for key in ("recognised", "frechet"))
    minutes = statistics.mean(run["training_loop_seconds"] for run in results["runs"]) / 60
    return (
        f"{minutes:.1f} minutes; {recognised:.3f} recognised (real {real['recognised']:.3f}), "
        f"Fréchet distance {distance:.2f} (real {real['frechet']:.2f}); {len(held_out)} runs"
    )


def of_garments(results: dict) -> str:
    """From experiments/fashion32.py: its best sampler."""
    best, recognised, distance = results["best"], results["real_recognised"], results["real_frechet"]
    return (
        f"{results['minutes']:.1f} minutes; {best['recognised']:.3f} recognised (real {recognised:.3f}), "
        f"Fréchet distance {best['frechet']:.2f} (real {distance:.2f})"
    )


def of_cars(results: dict) -> str:
    """From experiments/cars32.py."""
    begin = f"{results['minutes']:.1f} minutes; {results['images_seen']:,} images seen"
    return f"{begin}, {_measured(results['rows'])}" if "rows" in results else begin


def of_car_minutes(results: dict) -> str:
    """From experiments/car_minutes.py: the longest of its trainings, means over the seeds."""
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


PLAIN = Plan("what --data holds, by the recipe that suits it", data="digits", steps=600)

_CIFAR10 = dict(
    data="uoft-cs/cifar10",
    images=(50_000, 3, 32, 32),
    pixels_sha256="9d5c2eddadb0deff02c14c350c0385aab7b1d5ff1edfeb4997c8dc8644960111",
)
_ON_A_GPU = dict(
    device="gpu",
    minutes=60,  # of one GPU, whichever: it sees what it can
    mixed_precision="auto",  # fp16 on a T4, bf16 on what came later
    resident=True,  # 50,000 images are 150 MB: they live on the GPU
    compile=True,  # left out where it does not work
    reached=of_evaluation,
)
BY_NAME = {
    "digits": Plan(
        "handwritten digits, 8x8, by class", data="digits", recipe=recipe.DIGITS, images=(1797, 1, 8, 8), classes=10,
        pixels_sha256="b41ca9fd335466eee997366c2e6f6bbe0a1b4582afe091fc4eba35f4a254182f",
        steps=600,  # as in chapter 0
        result="digits", reached=of_runs,
    ),
    "fashion32": Plan(
        "garments, 32x32, by class", data="zalando-datasets/fashion_mnist", recipe=recipe.FASHION32,
        images=(60_000, 1, 28, 28), classes=10,
        pixels_sha256="2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012",
        minutes=10,  # what a reader waits for
        result="fashion32", reached=of_garments,
    ),
    "cars32": Plan(
        "cars, 32x32: the club's 5,000", only="automobile", recipe=recipe.CARS32,
        **_CIFAR10 | dict(images=(5000, 3, 32, 32)),
        minutes=90,  # of two cores; colour photographs want millions of images, and these are not a million
        result="cars32", reached=of_cars,
    ),
    "cars32-gpu": Plan(
        "cars, 32x32, with a GPU", only="automobile", recipe=recipe.CARS32_GPU,
        **_CIFAR10 | dict(images=(5000, 3, 32, 32)),
        steps=10_000,  # some five minutes of an H100
        device="gpu", resident=True,
        result="car_minutes", reached=of_car_minutes,
    ),
    "cifar10": Plan(
        "CIFAR-10, 32x32: the paper's training in one hour", recipe=recipe.CIFAR10, **_CIFAR10, **_ON_A_GPU,
        result="cifar10",
    ),
    "cifar10-classes": Plan(
        "CIFAR-10, 32x32, by class", recipe=recipe.CIFAR10_CLASSES, classes=10, **_CIFAR10, **_ON_A_GPU,
        result="cifar10-classes",
    ),
    "cifar10-text": Plan(
        "CIFAR-10, 32x32, by caption: \"a photo of a frog\"", recipe=recipe.CIFAR10_TEXT, **_CIFAR10, **_ON_A_GPU,
        names=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
        result="cifar10-text",
    ),
}  # fmt: skip


def described(plan: Plan) -> dict:
    """The plan in plain values, for a results file: `shelf.result` holds it to them."""
    what = {key: getattr(plan, key) for key in ("only", "pixels_sha256", "steps", "minutes")}
    what["training_steps"] = what.pop("steps")  # `steps` are the sampler's
    return what | recipe.described(plan.recipe)


def network(plan: Plan, device: str = "meta") -> UNet:
    """The plan's network; on "meta" it has no numbers and costs nothing."""
    vocabulary = told.vocabulary(told.captions(plan.recipe.sentences, plan.names)) if plan.names else None
    with torch.device(device):
        return recipe.network(plan.recipe, plan.images[1], plan.classes, vocabulary)


def listing() -> str:
    """All recipes, with what each takes and what has been measured of it."""
    return "\n\n".join(f"{name}\n" + "\n".join(_lines(plan)) for name, plan in BY_NAME.items())


def _lines(plan: Plan) -> list[str]:
    n, *shape = plan.images
    length = f"{plan.minutes:g} minutes" if plan.minutes else f"{plan.steps} steps"
    where = "a GPU" if plan.device == "gpu" else "a CPU"
    return [
        f"    draws     {plan.draws}",
        f"    data      {plan.data}, {n:,} images {'x'.join(map(str, shape))}",
        f"    network   {parameter_count(network(plan)) / 1e6:.2f} M parameters",
        f"    length    {length} with batches of {plan.recipe.batch}, made for {where}",
        f"    measured  {measured(plan)}",
    ]


def measured(plan: Plan) -> str:
    """What the plan cost and reached, from its results file; "not measured" where there is none."""
    try:
        found = shelf.result(plan.result, described(plan))
    except FileNotFoundError:
        there = shelf.listed(f"{plan.result}.json")
        return f"in {plan.result}.json, which could not be fetched" if there else NOT_MEASURED
    except ValueError as error:
        return f"{NOT_MEASURED}: {error}"
    return f"{plan.reached(found['results'])} ({found['device']}, {found['date']})"


def why_not_on_a_cpu(name: str) -> str:
    """What to say to someone who starts a GPU's recipe on a CPU: how long it would take, and what would fit."""
    plan, pace = BY_NAME[name], "fashion32"
    n, *shape = plan.images
    try:
        found, model = shelf.result(pace), BY_NAME[pace]
        done = found["results"]["images_seen"] * training_flops(network(model), (1, 32, 32))
        hours = n * training_flops(network(plan), tuple(shape)) * found["results"]["minutes"] / done / 60
        slow = (
            f": at the pace of {pace}.json, {found['device']} would look once at its {n:,} images in about "
            f"{hours:.1f} hours"
        )
    except (FileNotFoundError, ValueError):
        slow = ""
    fits = " or ".join(other for other, plan in BY_NAME.items() if plan.device == "cpu")
    return (
        f"need a GPU for the recipe {name}{slow}; --recipe {fits} is made for a CPU, and --device cpu with --steps or "
        "--minutes goes on all the same."
    )
