"""python -m ddpm_core evaluate: what a checkpoint draws, beside real images, and its bound on those."""

import argparse
import json
import time
from datetime import date
from importlib.metadata import version
from pathlib import Path

import torch

from ddpm_core.cli import outputs, sample
from ddpm_core.cli.arguments import with_defaults
from ddpm_core.diffusion.model import Model
from ddpm_core.evaluation import fid
from ddpm_core.evaluation.likelihood import bits_per_dim
from ddpm_core.evaluation.references import References, captions_like, conditions_of, real_images, sample_quality
from ddpm_core.recipes.config import EARLIER
from ddpm_core.recipes.recipes import RECIPES
from ddpm_core.sharing import model_card
from ddpm_core.storage import checkpoint, pretrained, provenance
from ddpm_core.storage.files import file_sha256, write_atomically
from ddpm_core.training import devices

NOTE = (
    "recognised: share of the images that a small classifier, trained on the real training images, calls what they "
    "should show; frechet: distance to the training images in that classifier's standardised features, so not FID; "
    "edges: mean difference of neighbouring pixels; real: held-out images, as many as were drawn or as there "
    "are (real_images), judged alike (edges of training images where none are held out); bits_per_dim: the "
    "discrete variational bound, one draw of x_t for each t, its standard error over the images; fid: by torch-fidelity"
)


def evaluate(options: argparse.Namespace) -> int:
    """Measure what a checkpoint draws, beside real images; with --bits-per-dim its bound, with --fid its FID."""
    began, device, options = time.perf_counter(), devices.check_device(options.device), with_defaults(options)
    if options.json:
        outputs.try_file(options.json, "--json")
    model = pretrained.from_pretrained(options.checkpoint)
    if options.fid:
        fid.ready(model.network.in_channels)
    real = real_images(options.data or _trained_on(model.about), model)
    if not real.is_what_it_was_trained_on(model):
        print(f"note: {provenance.public(real.known.source)} is not, file for file, what the model was trained on")
    how = sample.settings(model, options.sampler, options.steps) | {"guidance": options.guidance}
    n = max(options.n, options.fid_images if options.fid else 0)
    captions = captions_like(real.known, model, n, options.seed)
    if options.bits_per_dim:
        conditions_of(model, real.held_out or real.known)  # of which the bound will be: they are there, or it says so
    print(f"{options.checkpoint}: drawing {n:,} images, {sample.in_words(how)}, seed {options.seed}", flush=True)
    drawn, labels = sample.draw(
        model, n, captions=captions, seed=options.seed, at_once=options.at_once, device=device, **how
    )
    few = drawn[: options.n], None if labels is None else labels[: options.n]
    rows = sample_quality(real, *few, options.seed)
    if options.bits_per_dim:
        rows["bits_per_dim"] = bits_per_dim(
            model, real, images=options.bits_per_dim_images, variance=options.variance,
            seed=options.seed, at_once=options.at_once, device=device,
        )  # fmt: skip
    if options.fid:
        rows["fid"] = {
            "drawn": round(fid.fid(drawn[: options.fid_images], real.known.images, device), 3),
            "images": options.fid_images,
            "reference": f"{len(real.known):,} training images of {provenance.public(real.known.source)}",
        }
    beside = 0 if real.held_out is None else min(options.n, len(real.held_out))
    results = {
        "training": _training(model), "images": options.n, "real_images": beside,
        "how": how | {"seed": options.seed, "at_once": options.at_once}, "rows": rows,
    }  # fmt: skip
    if options.json:
        about = made_by(options, model, real, device, (time.perf_counter() - began) / 60)
        text = json.dumps(about | {"results": results | {"note": NOTE}}, indent=1) + "\n"
        write_atomically(options.json, lambda temporary: temporary.write_text(text, "utf-8"))
    counts = f"{options.n:,} images beside {format(beside, ',') if beside else 'no'} held-out ones"
    print(f"{options.checkpoint}: {counts}, {sample.in_words(how)}, seed {options.seed}")
    print(model_card.table(rows))
    if "frechet" in rows and options.n <= (width := len(real.judge.feature_mean)):
        print(
            f"need at least {width + 1} images for a Fréchet distance in {width} features, but got {options.n}: "
            "most of it is what so few of the real ones would have, too"
        )
    return 0


def _trained_on(about: dict) -> str:
    """The data that a checkpoint names. Raises ValueError where the name need not lead to them: of a path it keeps the
    last two parts, which may be another's name on the Hub."""
    named = about.get("data")
    if named is None:
        raise ValueError("need --data, since the model's file does not say what it was trained on.")
    if named not in {recipe.data for recipe in RECIPES.values()} and not Path(named).exists():
        raise ValueError(
            "need --data: the model was trained on a local folder, or on data without a recipe, and its file says no "
            f"more of them than {named!r}."
        )
    return named


def made_by(
    options: argparse.Namespace, model: Model, real: References, device: str, minutes: float
) -> dict[str, object]:
    """How, on what, when and for how long the figures were made, and of which model."""
    return {
        "command": "python -m ddpm_core " + " ".join(provenance.public(a) for a in options.words),
        "commit": provenance.commit(),
        "version": version("ddpm-core"),
        "device": devices.device_name(device),
        "torch": torch.__version__,
        "date": date.today().isoformat(),
        "minutes": round(minutes, 1),
        "data_sha256": real.known.sha256,
        "model_sha256": _model_sha256(options.checkpoint),
        "recipe": recipe_of(model.about),
    }


def _model_sha256(name: str) -> str | None:
    """None for weights that others have published: their name stands in the command."""
    try:
        return file_sha256(checkpoint.find(name))
    except (checkpoint.CheckpointError, FileNotFoundError):
        return None


def recipe_of(about: dict) -> dict | None:
    """By which recipe the model was made, as `recipes.described` has it; None if its file does not say."""
    if "settings" not in about:
        return None
    length = {"minutes": about["length"].get("minutes"), "training_steps": about["length"].get("steps")}
    return EARLIER | about["settings"] | length | {key: about[key] for key in ("only", "pixels_sha256")}


def _training(model: Model) -> dict:
    """What the checkpoint says of its making."""
    keys = ("recipe", "minutes", "images_seen", "trained_steps", "seed", "loss", "device", "date")
    return {key: model.about.get(key) for key in keys}
