"""A model goes out: into a folder laid out as the Hub lays it out, or to the Hub itself, with its card."""

import shutil
import tempfile
from pathlib import Path

from ddpm_core import sampler
from ddpm_core.data.transforms import tile
from ddpm_core.diffusion.model import Model
from ddpm_core.networks.conditioning import encode
from ddpm_core.networks.ddpm_unet import DDPMUNet
from ddpm_core.sharing import model_card
from ddpm_core.sharing.to_diffusers import save_diffusers
from ddpm_core.storage import checkpoint, hub
from ddpm_core.storage.files import file_sha256
from ddpm_core.storage.pretrained import WEIGHTS

CARD, PICTURE = "README.md", "samples.png"
SHOWN = 20  # pictures on a card


def save_pretrained(
    folder: str | Path, model: Model, *, name: str | None = None, results: dict | None = None,
    picture: str | Path | None = None,
) -> Path:  # fmt: skip
    """Write the model, its description and its card into a folder that `from_pretrained` reads; returns the weights.

    A `UNet` goes into model.safetensors, the paper's network into a pipeline of diffusers.
    name     what the card calls it, "owner/name" for the Hub; the folder's own if not told otherwise
    results  what `evaluate --json` wrote of this very model, for the card; without it nothing was measured
    picture  an image file of what it draws; without one some pictures are drawn
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(model.network, DDPMUNet):
        weights = save_diffusers(folder, model) / "unet" / WEIGHTS
    else:
        weights = checkpoint.save(folder, model)
    if picture is None:
        sheet(model).save(folder / PICTURE)
    elif Path(picture).resolve() != (folder / PICTURE).resolve():
        shutil.copyfile(picture, folder / PICTURE)
    text = model_card.card(model, weights, name=name or folder.resolve().name, results=results, picture=PICTURE)
    (folder / CARD).write_text(text, "utf-8")
    return weights


def push_to_hub(
    model: Model, name: str, *, results: dict | None = None, picture: str | Path | None = None, private: bool = False
) -> str:
    """Upload the model with its card as the repository "owner/name" on the Hub; returns where, and the weights' sha256.

    The rest as in `save_pretrained`. Who may write there is known from `hf auth login` or HF_TOKEN.
    Raises OSError in one sentence.
    """
    hub.check_name(name)
    with tempfile.TemporaryDirectory() as folder:
        weights = save_pretrained(folder, model, name=name, results=results, picture=picture)
        return f"{hub.push(Path(folder), name, private)}: sha256 {file_sha256(weights)}"


def sheet(model: Model):
    """A sheet of pictures, all classes or the model's own captions in turn, as it draws if not told otherwise."""
    about, net, labels = model.about, model.network, None
    if net.num_classes:
        labels = sampler.balanced_labels(SHOWN, net.num_classes)
    if net.vocabulary and about.get("prompts"):
        labels = encode([about["prompts"][k % len(about["prompts"])] for k in range(SHOWN)], net.vocabulary)
    how = {key: about[key] for key in ("steps", "sampler") if key in about}
    how.setdefault("steps", min(20, model.schedule.T))
    images = sampler.draw(model, SHOWN, labels=labels, **how)
    return tile(images, columns=10, enlarge=max(1, 64 // images.shape[-1]))
