"""A model's card: what it is, how it was made, what it reaches and how to load it, from its own header alone.

The Hub shows a README.md beside the weights as such a card; `front_matter` is what it reads by machine.
"""

from pathlib import Path

from ddpm_core.diffusion.model import Model
from ddpm_core.networks.ddpm_unet import DDPMUNet
from ddpm_core.networks.flops import parameter_count
from ddpm_core.networks.frozen_text import FrozenText
from ddpm_core.recipes import RECIPES
from ddpm_core.sharing import of_use
from ddpm_core.storage import provenance
from ddpm_core.storage.files import file_sha256

MARK = "library_name: ddpm_core"  # by which a card of ours is known


def card(model: Model, file: Path, *, name: str, results: dict | None = None, picture: str | None = None) -> str:
    """The card of the model in `file`, as Markdown.

    name: what it is called, or "owner/name" where it will lie on the Hub; results: what `evaluate --json` wrote of this
    very model; picture: an image file beside the card.
    """
    source = name if name.count("/") == 1 else file.name
    parts = [
        front_matter(model),
        f"# {name.split('/')[-1]}",
        f"A denoising diffusion model that draws {_what(model)}, made with the code of the book at "
        f"<{provenance.repository()}>.",
        f"![Images drawn by the model]({picture})" if picture else "",
        "## How it was made",
        as_table(facts(model)),
        "## What it reaches",
        as_table(measured(results)) if results else "Not measured.",
        "## How to load it",
        f"```bash\npip install {_packages(model)}\npython -m ddpm_core sample {source} --n 60 --out samples.png\n```",
        f"```python\nfrom ddpm_core import sampler\n{_import(model)}{_loading(model, source, file)}\n"
        f"{_drawing(model)}\n```",
        "A file with another sha256, or with a weight too many or too few, is refused.",
        *of_use.sections(model, _data(model.about)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def front_matter(model: Model) -> str:
    """The lines that the Hub reads: licence, library, task, tags, data set."""
    plan = RECIPES.get(model.about.get("recipe"))
    lines = [
        "license: mit",
        MARK,
        f"pipeline_tag: {'text-to-image' if model.network.vocabulary else 'unconditional-image-generation'}",
        "tags:",
        "- diffusion",
        "- ddpm",
        *(["- class-conditional"] if model.network.num_classes else []),
        *([f"datasets:\n- {plan.data}"] if plan and "/" in plan.data else []),
    ]
    return "---\n" + "\n".join(lines) + "\n---"


def facts(model: Model) -> dict[str, str]:
    """What the header says of the making, in words; what it does not say is left out."""
    about, config, schedule = model.about, model.network.config, model.schedule
    size = "x".join(map(str, [config["in_channels"], *about["size"]]))
    found = {
        "recipe": about.get("recipe"),
        "data": _data(about),
        "class": about.get("only"),
        "sha256 of the data": about.get("data_sha256"),
        "images": f"{size}, {_told(model) or 'no classes'}",
        "network": f"{parameter_count(model.network):,} parameters, widths {', '.join(map(str, config['channels']))}",
        "predicts": f"{model.prediction}, over T = {schedule.T} steps",
    }
    if "trained_steps" in about:
        found["training"] = (
            f"{about['trained_steps']:,} steps of {about['batch']}: {about['images_seen']:,} images in "
            f"{about['minutes']} minutes on {about['device']}"
        )
        found["learning rate"] = f"{about['lr']:g} at most, weights averaged with {about['ema_decay']:g}"
        found["seed"], found["date"] = str(about["seed"]), about["date"]
        found["loss"] = None if about["loss"] is None else f"{about['loss']:.4f} at the end"
    if "sampler" in about:
        found["draws with"] = f"{about['steps']} steps of {about['sampler']}, if not told otherwise"
    return {key: value for key, value in found.items() if value is not None}


def measured(results: dict) -> dict[str, str]:
    """What `evaluate --json` found, in words."""
    rows, found = results["results"]["rows"], {}
    for key, row in rows.items():
        if key == "bits_per_dim":
            error = "" if row.get("error") is None else f" ± {row['error']:g}"
            images = f"{row['images']} {row['split']} images"
            found["bits per dimension"] = f"{row['bound']:.4g}{error} by the discrete bound, on {images}"
        elif key == "fid":
            found["FID"] = f"{row['drawn']:.4g}: {row['images']:,} images against {row['reference']}"
        else:
            real = "" if row["real"] is None else f" (real images {row['real']:.4g})"
            found[key] = f"{row['drawn']:.4g}{real}"
    found["measured"] = f"on {results['device']}, {results['date']}: `{results['command']}`"
    return found | {"in words": results["results"]["note"]}


def table(rows: dict[str, dict]) -> str:
    """The measurements of `evaluate` as lines of text."""
    names = {"recognised": "recognised", "frechet": "Fréchet distance, small classifier's", "edges": "edges"}
    lines = [f"{'':36}{'drawn':>10}{'real':>10}"]
    for key, name in names.items():
        if key in rows:
            real = rows[key]["real"]
            lines.append(f"{name:36}{rows[key]['drawn']:10.4g}{'-' if real is None else format(real, '.4g'):>10}")
    if "fid" in rows:
        found = rows["fid"]
        lines.append(f"FID {found['drawn']:.4g}: {found['images']:,} against {found['reference']}, by torch-fidelity")
    if "bits_per_dim" in rows:
        found = rows["bits_per_dim"]
        parts = " + ".join(f"{key} {found[key]:.4g}" for key in ("L_T", "L_t", "L_0"))
        error = "" if found["error"] is None else f" +- {found['error']:g}"
        lines.append(
            f"bits per dimension, discrete bound {found['bound']:.4g}{error} = {parts}: {found['images']} "
            f"{found['split']} images, variance {found['variance']}"
        )
    return "\n".join(lines)


def as_table(rows: dict[str, str]) -> str:
    """Two columns of Markdown."""
    return "| | |\n|---|---|\n" + "\n".join(f"| {key} | {value} |" for key, value in rows.items())


def _what(model: Model) -> str:
    plan, about = RECIPES.get(model.about.get("recipe")), model.about
    size = "x".join(map(str, about["size"]))
    by = "caption" if model.network.vocabulary else "class" if model.network.num_classes else None
    return plan.draws if plan else f"images of {size} pixels" + (f" by {by}" if by else "")


def _data(about: dict) -> str | None:
    """The name of the data on the Hub, where the recipe has one and these are its pixels; else what the file says."""
    plan = RECIPES.get(about.get("recipe"))
    return plan.data if plan and about.get("pixels_sha256") == plan.pixels_sha256 else about.get("data")


def _told(model: Model) -> str | None:
    """What the network is told, in words: its classes or its vocabulary; None for nothing."""
    net = model.network
    if isinstance(net.vocabulary, FrozenText):
        return f"captions, read by {net.vocabulary.name} (sha256 {net.vocabulary.about['sha256']})"
    if net.vocabulary is not None:
        return f"captions from a vocabulary of {len(net.vocabulary)} words"
    return f"{net.num_classes} classes" if net.num_classes else None


def _packages(model: Model) -> str:
    also = " transformers" if isinstance(model.network.vocabulary, FrozenText) else ""
    return f"git+{provenance.repository()}{also}"


def _loading(model: Model, source: str, file: Path) -> str:
    """The lines that import what loads the model, and load it; the paper's layout is a folder, ours a file."""
    home, load = "storage", "checkpoint.load"
    if isinstance(model.network, DDPMUNet):
        home, load = "sharing", "from_pretrained"
    name = load.split(".")[0]
    return f'from ddpm_core.{home} import {name}\n\nmodel = {load}("{source}", sha256="{file_sha256(file)}")'


def _import(model: Model) -> str:
    return "from ddpm_core.networks import conditioning\n" if model.network.vocabulary else ""


def _drawing(model: Model) -> str:
    how = "".join(f", {key}={model.about[key]!r}" for key in ("steps", "sampler") if key in model.about)
    labels, before = "", ""
    if model.network.num_classes:
        labels = f", labels=sampler.balanced_labels(20, {model.network.num_classes})"
    if model.network.vocabulary:
        before = f"captions = conditioning.encode([{model.about['prompts'][0]!r}] * 20, model.network.vocabulary)\n"
        labels = ", labels=captions"
    return f"{before}images = sampler.draw(model, 20{labels}{how})  # uint8 (20, C, H, W)"
