"""Trainings by name: python -m ddpm_core train --recipe NAME. Each says what it needs.

A `Recipe` is a data set, hyperparameters, a length and a device. What it cost and reached is no part of it: that stands
in measured.json, which is made from the results files.
"""

import json
from dataclasses import dataclass
from importlib.resources import files

import torch

from ddpm_core.data import shapes
from ddpm_core.networks import conditioning
from ddpm_core.recipes import config
from ddpm_core.recipes.config import TrainingConfig
from ddpm_core.unet import UNet

MEASURED = "measured.json"  # written by tools/measured.py


@dataclass(frozen=True)
class Recipe:
    """Everything about a training but its seed.

    images (N, C, H, W) and classes: what the data are once `only` one class is kept; pixels_sha256 is of all of them.
    names: of the classes, where the network is told captions that are made of them; words: of
    the captions that the data bring along. size and colour: what the images
    are brought to, None for their own.
    Either steps or minutes. device: "cpu" is enough, or "gpu". mixed_precision, resident, compile: as in the options.
    """

    draws: str
    data: str  # digits, or a name on the Hub
    config: TrainingConfig | None = None  # None: the one that suits the images
    only: str | None = None
    images: tuple[int, int, int, int] | None = None
    classes: int | None = None
    names: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    pixels_sha256: str | None = None
    size: int | None = None
    colour: str | None = None
    steps: int | None = None
    minutes: float | None = None
    device: str = "cpu"
    mixed_precision: str = "no"
    resident: bool = False
    compile: bool = False


PLAIN = Recipe("what --data holds, by the recipe that suits it", data="digits", steps=600)

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
)
RECIPES = {
    "digits": Recipe(
        "handwritten digits, 8x8, by class", data="digits", config=config.DIGITS, images=(1797, 1, 8, 8), classes=10,
        pixels_sha256="b41ca9fd335466eee997366c2e6f6bbe0a1b4582afe091fc4eba35f4a254182f",
        steps=600,  # as in chapter 0
    ),
    "fashion32": Recipe(
        "garments, 32x32, by class", data="zalando-datasets/fashion_mnist", config=config.FASHION32,
        images=(60_000, 1, 28, 28), classes=10,
        pixels_sha256="2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012",
        minutes=10,  # what a reader waits for
    ),
    "cars32": Recipe(
        "cars, 32x32: the club's 5,000", only="automobile", config=config.CARS32,
        **_CIFAR10 | dict(images=(5000, 3, 32, 32)),
        minutes=90,  # of two cores; colour photographs want millions of images, and these are not a million
    ),
    "cars32-gpu": Recipe(
        "cars, 32x32, with a GPU", only="automobile", config=config.CARS32_GPU,
        **_CIFAR10 | dict(images=(5000, 3, 32, 32)),
        steps=10_000,  # some five minutes of an H100
        device="gpu", resident=True,
    ),
    "shapes": Recipe(
        "shapes, 32x32, by caption: \"a small red ring in the middle\"", data="shapes", config=config.SHAPES,
        images=(20_000, 3, 32, 32), pixels_sha256="9959cf7980620cb1144ae788e5af4577b498ae9ab6c7c4cd456b12c1949d2093",
        words=tuple(shapes.words()),
        steps=8000,  # a quarter of a million pictures: some twenty minutes of one core
    ),
    "cifar10": Recipe(
        "CIFAR-10, 32x32: the paper's training in one hour", config=config.CIFAR10, **_CIFAR10, **_ON_A_GPU,
    ),
    "cifar10-classes": Recipe(
        "CIFAR-10, 32x32, by class", config=config.CIFAR10_CLASSES, classes=10, **_CIFAR10, **_ON_A_GPU,
    ),
    "cifar10-text": Recipe(
        "CIFAR-10, 32x32, by caption: \"a photo of a frog\"", config=config.CIFAR10_TEXT, **_CIFAR10, **_ON_A_GPU,
        names=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    ),
}  # fmt: skip


def described(recipe: Recipe) -> dict:
    """The recipe in plain values, for a results file: `results.load` holds it to them."""
    what = {key: getattr(recipe, key) for key in ("only", "pixels_sha256", "steps", "minutes")}
    what["training_steps"] = what.pop("steps")  # `steps` are the sampler's
    return what | config.described(recipe.config)


def network(recipe: Recipe, device: str = "meta") -> UNet:
    """The recipe's network; on "meta" it has no numbers and costs nothing."""
    sentences = conditioning.fill_templates(recipe.config.sentences, recipe.names)
    vocabulary = list(recipe.words) or conditioning.vocabulary(sentences) or None
    with torch.device(device):
        return config.network(recipe.config, recipe.images[1], recipe.classes, vocabulary)


def named(name: str) -> Recipe:
    """The recipe of this name. Raises ValueError for another."""
    if name not in RECIPES:
        raise ValueError(f"need one of the recipes {', '.join(RECIPES)}, but got --recipe {name}.")
    return RECIPES[name]


def why_not_on_a_cpu(name: str) -> str:
    """What to say to someone who starts a GPU's recipe on a CPU: how long it would take, and what would fit."""
    fits = " or ".join(other for other, recipe in RECIPES.items() if recipe.device == "cpu")
    return (
        f"need a GPU for the recipe {name}{pace(name)}; --recipe {fits} is made for a CPU, and --device cpu with "
        "--steps or --minutes goes on all the same."
    )


def pace(name: str) -> str:
    """How long a CPU would need to look once at the recipe's images, as a part of a sentence; "" if nobody knows."""
    return json.loads(files("ddpm_core.recipes").joinpath(MEASURED).read_text("utf-8"))[name]["pace"]
