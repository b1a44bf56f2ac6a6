"""python -m ddpm_core export | push: a trained model as one small file with its card, or as a repository on the Hub."""

import argparse
import json
import shutil
import tempfile
from pathlib import Path

from . import card, checkpoint, hub
from .checkpoint import Trained
from .files import file_sha256, replace_file

CARD, PICTURE, EVALUATION = "README.md", "samples.png", "evaluation.json"


def export(options: argparse.Namespace) -> int:
    """Write a run's model as one file in half precision; with --card a model card beside it."""
    out, trained = Path(options.out), checkpoint.load(options.checkpoint)
    if out.suffix != ".safetensors":
        raise ValueError(f"need --out to end in .safetensors, but got {options.out}.")
    there = out.parent / CARD
    if options.card and there.is_file() and card.MARK not in there.read_text():
        raise ValueError(f"need a folder without another README.md for the card, but there is {there}.")
    results = evaluation(options.checkpoint) if options.card else None
    checkpoint.export(out, trained)
    print(f"{out}: {out.stat().st_size / 1e6:.2f} MB, sha256 {file_sha256(out)}")
    if options.card:
        _write_card(out, trained, out.stem, results, _picture(options.checkpoint))
        print(f"{there}: its card")
    return 0


def push(options: argparse.Namespace) -> int:
    """Upload a run's model, its description and its card to the Hub."""
    trained, results = checkpoint.load(options.checkpoint), evaluation(options.checkpoint)
    with tempfile.TemporaryDirectory() as folder:
        file = checkpoint.save(folder, trained)
        _write_card(file, trained, options.name, results, _picture(options.checkpoint))
        print(f"{hub.push(Path(folder), options.name, options.private)}: sha256 {file_sha256(file)}")
    return 0


def evaluation(run: str) -> dict | None:
    """What `evaluate RUN --json RUN/evaluation.json` wrote, or None. Raises ValueError if it is of another model."""
    path = Path(run) / EVALUATION
    if not path.is_file():
        return None
    found = json.loads(path.read_text())
    if (then := found["model_sha256"]) != (now := file_sha256(checkpoint.find(run))):
        raise ValueError(
            f"need {path} to be of this very model, with sha256 {now[:12]}..., but it is of one with {then[:12]}...; "
            "evaluate it again, or remove the file."
        )
    return found


def _write_card(file: Path, trained: Trained, name: str, results: dict | None, picture: Path | None) -> None:
    if picture is not None:
        replace_file(file.parent / PICTURE, lambda temporary: shutil.copyfile(picture, temporary))
    shown = None if picture is None else PICTURE
    text = card.card(trained, file, name=name, results=results, picture=shown)
    replace_file(file.parent / CARD, lambda temporary: temporary.write_text(text))


def _picture(run: str) -> Path | None:
    path = Path(run) / PICTURE
    return path if path.is_file() else None
