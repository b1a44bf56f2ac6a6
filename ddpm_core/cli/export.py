"""python -m ddpm_core export | push: a trained model as a file for some tool, or as a repository on the Hub."""

import argparse
import json
import shutil
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

from ddpm_core.cli import outputs, sample
from ddpm_core.diffusion.model import Model
from ddpm_core.sharing import export_onnx, from_pretrained, model_card, push_to_hub, save_diffusers
from ddpm_core.sharing.publishing import CARD, PICTURE
from ddpm_core.storage import checkpoint
from ddpm_core.storage.files import file_sha256, write_atomically

EVALUATION = "evaluation.json"


def export(options: argparse.Namespace) -> int:
    """Write a run's model as one file in half precision, with --card a model card beside it; with --onnx as an ONNX
    file, with --diffusers as a folder that this library reads."""
    if options.card and (options.onnx or options.diffusers):
        raise ValueError("need a .safetensors file to write a card for, but got --card with another kind of export.")
    if options.diffusers:
        return _for_diffusers(options)
    out = Path(options.out)
    if out.suffix != (suffix := ".onnx" if options.onnx else ".safetensors"):
        raise ValueError(f"need --out to end in {suffix}, but got {options.out}.")
    source = checkpoint.find(options.checkpoint)
    model = _drawing_with(options, checkpoint.load(source))
    if out.exists() and out.samefile(source):
        raise ValueError(f"need --out to be another file than the model, which its half would replace, but got {out}.")
    outputs.try_file(out, "--out")
    there = out.parent / CARD
    if options.card and there.is_file() and model_card.MARK not in there.read_text("utf-8", errors="replace"):
        raise ValueError(f"need a folder without another README.md for the card, but there is {there}.")
    with tempfile.TemporaryDirectory() as folder:  # all that is to be written, before any of it is
        file = (export_onnx if options.onnx else checkpoint.export)(Path(folder) / out.name, model)
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
    try:
        source = checkpoint.find(options.checkpoint)
        results, picture = evaluation(source), _picture(source)
    except FileNotFoundError:
        results, picture = None, None
    model = from_pretrained(options.checkpoint)
    print(push_to_hub(model, options.name, results=results, picture=picture, private=options.private))
    return 0


def evaluation(model: Path) -> dict | None:
    """What `evaluate RUN --json RUN/evaluation.json` wrote of this file, or beside NAME.safetensors into
    NAME-evaluated.json; None if nothing did. Raises ValueError if it is of another model."""
    path = _first(model.parent / EVALUATION, model.with_name(f"{model.stem}-evaluated.json"))
    if path is None:
        return None
    found = json.loads(path.read_text("utf-8"))
    if (then := found["model_sha256"]) != (now := file_sha256(model)):
        raise ValueError(
            f"need {path} to be of this very model, with sha256 {now[:12]}..., but it is of one with {then[:12]}...; "
            "evaluate it again, or remove the file."
        )
    return found


def _for_diffusers(options: argparse.Namespace) -> int:
    out = Path(options.out)
    outputs.try_folder(out, "--out")
    if out.is_dir() and any(out.iterdir()):
        raise ValueError(f"need an empty folder or a new one for --out, but {out} holds {next(out.iterdir()).name}.")
    save_diffusers(out, _drawing_with(options, from_pretrained(options.checkpoint)))
    print(f"{out}: a pipeline of diffusers")
    return 0


def _drawing_with(options: argparse.Namespace, model: Model) -> Model:
    if not (options.sampler or options.steps):
        return model
    return replace(model, about=model.about | sample.settings(model, options.sampler, options.steps))


def _picture(source: Path) -> Path | None:
    """What lies beside the model: a run's samples.png, or NAME.png beside NAME.safetensors."""
    return _first(source.parent / PICTURE, source.with_suffix(".png"))


def _first(*paths: Path) -> Path | None:
    return next((path for path in paths if path.is_file()), None)


def _write_card(file: Path, model: Model, name: str, source: Path) -> None:
    """The card of `file`, and beside it the picture, from what lies beside the model that it was made of."""
    if picture := _picture(source):
        shutil.copyfile(picture, file.parent / PICTURE)
    shown = PICTURE if picture else None
    text = model_card.card(model, file, name=name, results=evaluation(source), picture=shown)
    (file.parent / CARD).write_text(text, "utf-8")
