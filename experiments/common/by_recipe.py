"""A training by a named recipe, as a reader would start it, and the model that it leaves."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from ddpm_core import cli
from ddpm_core.diffusion.model import Model
from ddpm_core.networks.flops import parameter_count
from ddpm_core.storage import checkpoint
from experiments.common.settings import Folders, command_line, parsed


@dataclass(frozen=True, kw_only=True)
class Settings(Folders):
    """run: carries out the words of `python -m ddpm_core`, and returns its exit status."""

    recipe: str
    data: str
    minutes: float
    checkpoint: str
    seed: int = 0
    judge_only: bool = False
    run: Callable[[list[str]], int] = cli.main


S = TypeVar("S", bound=Settings)


def read(about: str, settings: S, arguments: list[str] | None) -> S:
    """The settings, with what the command line says in their place."""
    parser = command_line(about, data=str, minutes=float, seed=int, checkpoint=str)
    parser.add_argument("--judge-only", action="store_true", help="measure the checkpoint that is there")
    return parsed(parser, settings, arguments)


def trained(settings: Settings) -> Model:
    """The model that the training left. Raises SystemExit if it did not come to its end."""
    words = ["train", "--recipe", settings.recipe, "--data", settings.data, "--minutes", str(settings.minutes)]
    words += ["--seed", str(settings.seed), "--out", settings.checkpoint]
    if not settings.judge_only and settings.run(words) != 0:
        raise SystemExit(1)
    return checkpoint.load(settings.checkpoint)


def of_training(model: Model) -> dict:
    """What a results file says of the training."""
    about = {key: model.about[key] for key in ("minutes", "images_seen", "seed", "loss")}
    return about | {"parameters": parameter_count(model.network)}


def demand(name: str, found: dict, wanted: dict) -> None:
    """Raises SystemExit for a model, of this name, that says something else of itself than is wanted."""
    for key, value in wanted.items():
        if found[key] != value:
            raise SystemExit(f"need {name} with {key} {value!r}, but there it is {found[key]!r}.")
