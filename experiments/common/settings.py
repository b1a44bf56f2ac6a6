"""What an experiment is made with: values, which are by default those of the book's results, and what is kept of it."""

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import torch

from ddpm_core.storage.files import write_atomically
from experiments.common.results_file import RESULTS, ROOT


@dataclass(frozen=True, kw_only=True)
class Folders:
    """Where an experiment writes: what chapters load, and, below `runs`, what it keeps to go on with."""

    results: Path = RESULTS
    runs: Path = ROOT / "runs"


S, Made = TypeVar("S"), TypeVar("Made")


def command_line(about: str, **options: Callable | list[Callable]) -> argparse.ArgumentParser:
    """A parser for `parsed`, with these options: steps=int is --steps 5, seeds=[int] is --seeds 0 1 2.

    An option that is not given leaves the settings as they are.
    """
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=about, formatter_class=form, argument_default=argparse.SUPPRESS)
    for name, kind in options.items():
        how = {"type": kind[0], "nargs": "+"} if isinstance(kind, list) else {"type": kind}
        parser.add_argument(f"--{name}", **how)
    return parser


def parsed(parser: argparse.ArgumentParser, settings: S, arguments: list[str] | None) -> S:
    """The settings, with what the command line says in their place."""
    return replace(settings, **vars(parser.parse_args(arguments)))


def cached(path: Path, make: Callable[[], Made]) -> Made:
    """What `make` made once: it is called if the file is not there, so that a script can be stopped and gone on with.

    A .json file holds plain values; any other, tensors too.
    """
    plain = path.suffix == ".json"
    if not path.exists():
        made = make()
        write_atomically(path, lambda to: to.write_text(json.dumps(made)) if plain else torch.save(made, to))
    return json.loads(path.read_text()) if plain else torch.load(path, weights_only=True)
