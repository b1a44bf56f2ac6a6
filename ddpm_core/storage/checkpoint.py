"""A trained model on disk: one safetensors file that carries its own description, in a folder as the Hub lays it out.

runs/digits/model.safetensors      averaged weights; network, schedule, prediction and provenance in its header
runs/digits/config.json            the same description, for people and for the Hub
runs/digits/training.safetensors   what `--resume` needs
"""

import json
from pathlib import Path

import torch

from ddpm_core.diffusion.model import Model
from ddpm_core.diffusion.prediction import PREDICTIONS
from ddpm_core.schedule import from_betas
from ddpm_core.storage.files import (
    CheckpointError,
    file_sha256,
    read_tensors,
    warn_unsealed,
    write_atomically,
    write_tensors,
)  # fmt: skip
from ddpm_core.storage.hub import MODEL, model_file
from ddpm_core.storage.text_encoder import with_text_encoder
from ddpm_core.unet import UNet

TRAINING, CONFIG = "training.safetensors", "config.json"


def save(folder: str | Path, model: Model) -> Path:
    """Write model.safetensors and config.json into `folder`; each replaces its forerunner whole or not at all.

    Raises ValueError for a network that is not a `UNet`: `load` builds no other.
    """
    folder, description = Path(folder), described(model)
    write_tensors(folder / MODEL, model.network.state_dict(), {"description": json.dumps(description)})
    write_atomically(folder / CONFIG, lambda path: path.write_text(json.dumps(description, indent=1)))
    return folder / MODEL


def export(path: str | Path, model: Model) -> Path:
    """One file in half precision, which `load` takes like any other: half the size.

    Weights are kept to a 2000th of their size, those below 6e-5 to 3e-8. Raises ValueError for one beyond 65504, the
    largest number there is, and for a network that is not a `UNet`.
    """
    description, halves = described(model), {}
    for name, tensor in model.network.state_dict().items():
        halves[name] = tensor.half()
        if not halves[name].isfinite().all():
            size = tensor.abs().max().item()
            raise ValueError(f"need weights of at most 65504 for half precision, but one of {name} is {size:g}.")
    write_tensors(path, halves, {"description": json.dumps(description)})
    return Path(path)


def load(name_or_path: str | Path, sha256: str | None = None, revision: str | None = None) -> Model:
    """A checkpoint from a folder, a .safetensors file, or a Hub repository "owner/name"; its network is in eval mode.

    Loading is strict: every weight must be there, and no other. The file must have the hash that it carries; with
    `sha256`, that one, too. `revision` is a branch, tag or commit of the repository. A text encoder that others have
    trained is not in the file, which says where it is and which hash it has: see `text_encoder`. Raises CheckpointError
    in one sentence; warns of a file that carries no hash.
    """
    path = find(name_or_path, revision)
    tensors, header = read_tensors(path)
    if sha256 is not None and (found := file_sha256(path)) != sha256:
        raise CheckpointError(f"need {path} with sha256 {sha256[:12]}..., but it has {found[:12]}....")
    try:
        description = json.loads(header["description"])
        layout = with_text_encoder(description["network"])
        with torch.device("meta"):  # nothing is made of a description that the weights do not bear out
            wanted = {name: tensor.shape for name, tensor in UNet(**layout).state_dict().items()}
        schedule, predict = from_betas(description["betas"]), PREDICTIONS[description["predict"]]
        about = description["about"]
    except CheckpointError:  # of the text encoder
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"need a model of this package, but {path} does not describe one: {error!r}.") from error
    found = {name: tensor.shape for name, tensor in tensors.items()}
    if wanted != found:
        raise CheckpointError(f"need the weights of the network described in {path}, but {difference(wanted, found)}.")
    net = UNet(**layout)
    net.load_state_dict(tensors, strict=True)
    warn_unsealed(path, header)
    return Model(net.eval(), schedule, predict, about)


def described(model: Model) -> dict:
    """What is kept beside the weights: the network, the schedule, the prediction and what the model says of itself.

    Raises ValueError for a network that is not a `UNet`.
    """
    if not isinstance(model.network, UNet):
        raise ValueError(
            f"need a UNet, since `load` builds no other network, but got a {type(model.network).__name__}."
        )
    return {
        "network": model.network.config,
        "betas": model.schedule.beta[1:].tolist(),
        "predict": model.prediction.name,
        "about": model.about,
    }


def find(name_or_path: str | Path, revision: str | None = None) -> Path:
    """The model file itself: in a folder, by its own name, or from the Hub, at that revision of it.

    Raises CheckpointError in one sentence, also for a revision of what lies here, where there is but one.
    """
    path = Path(name_or_path).expanduser()
    if path.is_dir():
        path = path / MODEL
    if path.exists() or path.parent.exists():
        if revision is not None:
            raise CheckpointError(f"need a Hub name for revision {revision!r}, but {name_or_path} is on this machine.")
        return path
    try:
        return model_file(str(name_or_path), revision)
    except FileNotFoundError as error:
        raise CheckpointError(str(error)) from error


def difference(wanted: dict, found: dict) -> str:
    """How the weights found, name -> shape, differ from those wanted: half a sentence."""
    missing, extra = sorted(set(wanted) - set(found)), sorted(set(found) - set(wanted))
    if missing:
        return f"{len(missing)} are missing, {missing[0]} among them"
    if extra:
        return f"{len(extra)} do not belong to it, {extra[0]} among them"
    name = next(k for k in wanted if wanted[k] != found[k])
    return f"{name} has shape {tuple(found[name])} instead of {tuple(wanted[name])}"
