"""python -m ddpm_core export | push: a trained model as one small file with its card, or as a repository on the Hub."""

import argparse
import json
import shutil
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

from ddpm_core.cli import model_card, outputs, sample
from ddpm_core.diffusion.model import Model
from ddpm_core.storage import checkpoint, hub
from ddpm_core.storage.files import file_sha256, write_atomically

CARD, PICTURE, EVALUATION = "README.md", "samples.png", "evaluation.json"


def export(options: argparse.Namespace) -> int:
    """Write a run's model as one file in half precision; with --card a model card beside it."""
    out, source = Path(options.out), checkpoint.find(options.checkpoint)
    model = checkpoint.load(source)
    if options.sampler or options.steps:
        draws_with = sample.settings(model, options.sampler, options.steps)
        model = replace(model, about=model.about | draws_with)
    if out.suffix != ".safetensors":
        raise ValueError(f"need --out to end in .safetensors, but got {options.out}.")
    if out.exists() and out.samefile(source):
        raise ValueError(f"need --out to be another file than the model, which its half would replace, but got {out}.")
    outputs.try_file(out, "--out")
    there = out.parent / CARD
    if options.card and there.is_file() and model_card.MARK not in there.read_text("utf-8", errors="replace"):
        raise ValueError(f"need a folder without another README.md for the card, but there is {there}.")
    with tempfile.TemporaryDirectory() as folder:  # all that is to be written, before any of it is
        file = checkpoint.export(Path(folder) / out.name, model)
        if options.card:
            _write_card(file, model, out.stem, source)
        for path in sorted(Path(folder).iterdir()):
            write_atomically(out.parent / path.name, partial(shutil.copyfile, path))
    print(f"{out}: {out.stat().st_size / 1e6:.2f} MB, sha256 {file_sha256(out)}")
    if options.card:
        print(f"{there}: its card")
    return 0


def push(options: argparse.Namespace) -> int:
    """Upload a run's model, its description and its card to the Hub."""
    source = checkpoint.find(options.checkpoint)
    model = checkpoint.load(source)
    with tempfile.TemporaryDirectory() as folder:
        file = checkpoint.save(folder, model)
        _write_card(file, model, options.name, source)
        print(f"{hub.push(Path(folder), options.name, options.private)}: sha256 {file_sha256(file)}")
    return 0


def evaluation(model: Path) -> dict | None:
    """What `evaluate RUN --json RUN/evaluation.json` wrote beside this file, or None. Raises ValueError if it is of
    another model."""
    path = model.parent / EVALUATION
    if not path.is_file():
        return None
    found = json.loads(path.read_text("utf-8"))
    if (then := found["model_sha256"]) != (now := file_sha256(model)):
        raise ValueError(
            f"need {path} to be of this very model, with sha256 {now[:12]}..., but it is of one with {then[:12]}...; "
            "evaluate it again, or remove the file."
        )
    return found


def _write_card(file: Path, model: Model, name: str, source: Path) -> None:
    """The card of `file`, and beside it the picture, from what lies beside the model that it was made of."""
    picture = source.parent / PICTURE
    if shown := picture.is_file():
        shutil.copyfile(picture, file.parent / PICTURE)
    text = model_card.card(model, file, name=name, results=evaluation(source), picture=PICTURE if shown else None)
    (file.parent / CARD).write_text(text, "utf-8")
