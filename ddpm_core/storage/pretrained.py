"""A model by its name, whoever saved it: one of ours, or one laid out as the weights published with the paper are.

Those weights, "google/ddpm-cifar10-32" and its like on the Hub, lie there as the library diffusers keeps them:

config.json                            what the network looks like, in the words of the library diffusers
diffusion_pytorch_model.safetensors    its weights; the older .bin is a pickle, which may run code, and is refused
scheduler_config.json                  the schedule; where there is none, the paper's own
In folders that a pipeline of diffusers has saved, these lie in unet/ and scheduler/.
"""

import json
from pathlib import Path

import torch
from torch import Tensor

from ddpm_core.diffusion.model import Model
from ddpm_core.networks.ddpm_unet import DDPMUNet
from ddpm_core.storage import checkpoint, scheduler_config
from ddpm_core.storage.checkpoint import difference
from ddpm_core.storage.files import CheckpointError, file_sha256, read_tensors
from ddpm_core.storage.hub import Absent, first_file

NAME = "google/ddpm-cifar10-32"
CONFIG, SCHEDULE = "config.json", scheduler_config.FILE
WEIGHTS, PICKLED = "diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin"

# What makes a UNet2DModel of diffusers the paper's network. The first six must be said, since by default the library
# does otherwise; the others only must not be said otherwise.
LAYOUT = {
    "_class_name": "UNet2DModel", "attention_head_dim": None, "downsample_padding": 0, "flip_sin_to_cos": False,
    "freq_shift": 1, "norm_eps": 1e-6,
    "act_fn": "silu", "add_attention": True, "attn_norm_num_groups": None, "center_input_sample": False,
    "class_embed_type": None, "downsample_type": "conv", "mid_block_scale_factor": 1, "num_class_embeds": None,
    "resnet_time_scale_shift": "default", "time_embedding_dim": None, "time_embedding_type": "positional",
    "upsample_type": "conv",
}  # fmt: skip
OLD_NAMES = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}  # of attention, until 2023


def from_pretrained(name_or_path: str | Path, sha256: str | None = None, revision: str | None = None) -> Model:
    """The model in a folder, in a file, or in the repository "owner/name" on the Hub, at that revision of it.

    Ours is found by its model.safetensors (`checkpoint.load`), the paper's layout by its config.json
    (`load_diffusers`). Loading is strict. Raises CheckpointError in one sentence. The Hub is asked only for what cannot
    be a path: where the folder around it is here, so would the model be.
    """
    path = Path(name_or_path).expanduser()
    try:
        return checkpoint.load(name_or_path, sha256, revision)
    except CheckpointError as error:
        if path.parent.exists() and not path.is_dir():
            raise
        try:
            return load_diffusers(name_or_path, sha256=sha256, revision=revision)
        except CheckpointError as other:
            raise (other if _is_of_diffusers(name_or_path, revision) else error) from None


def load_diffusers(name_or_path: str | Path = NAME, *, sha256: str | None = None, revision: str | None = None) -> Model:
    """The paper's network with published weights, in eval mode, its schedule and its prediction.

    name_or_path: a repository on the Hub, or a folder laid out like one; revision: a branch, tag or commit of it.
    Loading is strict: every weight must be there, and no other; with `sha256` the weights' file must have that hash.
    Raises CheckpointError in one sentence.
    """
    description = _json(_file(name_or_path, CONFIG, revision=revision))
    with torch.device("meta"):
        wanted = {name: tensor.shape for name, tensor in DDPMUNet(**layout(description)).state_dict().items()}
    file = _weights(name_or_path, revision)
    tensors = renamed(read_tensors(file)[0])
    if sha256 is not None and (hashed := file_sha256(file)) != sha256:
        raise CheckpointError(f"need {file} with sha256 {sha256[:12]}..., but it has {hashed[:12]}....")
    found = {name: tensor.shape for name, tensor in tensors.items()}
    if wanted != found:
        raise CheckpointError(f"need the weights that {CONFIG} describes, but {difference(wanted, found)}.")
    net = DDPMUNet(**layout(description))
    net.load_state_dict(tensors, strict=True)
    scheduler = _found(name_or_path, SCHEDULE, revision=revision)
    schedule, prediction = scheduler_config.schedule_and_prediction({} if scheduler is None else _json(scheduler))
    sides = description.get("sample_size") or 32
    about = {
        "size": [sides, sides] if isinstance(sides, int) else list(sides), "names": None, "data": str(name_or_path),
        "sampler": "ddim1", "steps": min(100, schedule.T),
    }  # fmt: skip
    return Model(net.eval(), schedule, prediction, about)


def layout(description: dict) -> dict:
    """The arguments of `DDPMUNet` for a diffusers description of a UNet2DModel. Raises CheckpointError for another."""
    _agree(dict.fromkeys(list(LAYOUT)[:6], "nothing") | description, LAYOUT, CONFIG)
    try:
        down, up = description["down_block_types"], description["up_block_types"]
        attention = [level for level, kind in enumerate(down) if kind == "AttnDownBlock2D"]
        mirrored = [kind.replace("Up", "Down") for kind in reversed(up)]
        if mirrored != list(down) or set(down) - {"DownBlock2D", "AttnDownBlock2D"}:
            raise ValueError(f"levels that mirror each other, not {', '.join(down)} and {', '.join(up)}")
        if len(down) != len(description["block_out_channels"]):
            raise ValueError(f"a width for each of {len(down)} levels, not {description['block_out_channels']}")
        if description["in_channels"] != description["out_channels"]:
            raise ValueError(f"as many channels out as in, not {description['out_channels']}")
        found = dict(
            in_channels=description["in_channels"], channels=description["block_out_channels"],
            blocks=description["layers_per_block"], attention=attention, groups=description["norm_num_groups"],
            dropout=description.get("dropout", 0.0),
        )  # fmt: skip
        with torch.device("meta"):
            DDPMUNet(**found)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"need a description of the paper's network, but {CONFIG} has none: {error}.") from error
    return found


def renamed(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same weights under the names of today: only those of attention have changed since they were published."""

    def today(name: str) -> str:
        head, _, tail = name.rpartition(".")
        stem, _, last = head.rpartition(".")
        return f"{stem}.{OLD_NAMES[last]}.{tail}" if ".attentions." in name and last in OLD_NAMES else name

    return {today(name): tensor for name, tensor in tensors.items()}


def _is_of_diffusers(name_or_path: str | Path, revision: str | None) -> bool:
    """Whether there is a description in that library's words, however wrong."""
    try:
        path = _found(name_or_path, CONFIG, revision=revision)
        return path is not None and "_class_name" in _json(path)
    except CheckpointError:
        return False


def _agree(said: dict, wanted: dict, where: str) -> None:
    for key, value in wanted.items():
        if said.get(key, value) != value:
            raise CheckpointError(
                f"need the paper's network, where {key} is {value!r}, but {where} says {said[key]!r}."
            )


def _file(name_or_path: str | Path, *names: str, revision: str | None) -> Path:
    """The first of these files that is there. Raises CheckpointError if none is."""
    path = _found(name_or_path, *names, revision=revision)
    if path is None:
        raise CheckpointError(f"need {' or '.join(names)} in {name_or_path}, but there is none.")
    return path


def _found(name_or_path: str | Path, *names: str, revision: str | None) -> Path | None:
    """The first of these files that is there, in the folder itself or in the part that a pipeline keeps it in; None if
    none is. Raises CheckpointError if the Hub does not say."""
    part = "scheduler" if SCHEDULE in names else "unet"
    folder, wanted = Path(name_or_path).expanduser(), [*names, *(f"{part}/{name}" for name in names)]
    if folder.is_dir():
        if revision is not None:
            raise CheckpointError(f"need a Hub name for revision {revision!r}, but {name_or_path} is on this machine.")
        return next((path for name in wanted if (path := folder / name).is_file()), None)
    try:
        return first_file(str(name_or_path), *wanted, revision=revision)
    except Absent:
        return None
    except FileNotFoundError as error:
        raise CheckpointError(f"need published weights, but {error}") from error


def _json(path: Path) -> dict:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"need a description in {path}, but it cannot be read: {error}.") from error
    if not isinstance(found, dict):
        raise CheckpointError(f"need a description in {path}, but it holds a {type(found).__name__}.")
    return found


def _weights(name_or_path: str | Path, revision: str | None) -> Path:
    """The file of the weights. Raises CheckpointError if there is none, or none but a pickle."""
    path = _found(name_or_path, WEIGHTS, revision=revision)
    if path is not None:
        return path
    if _found(name_or_path, PICKLED, revision=revision) is None:
        raise CheckpointError(f"need {WEIGHTS} in {name_or_path}, but there is none.")
    raise CheckpointError(
        f"need {WEIGHTS} in {name_or_path}, but there is only {PICKLED}: a pickle may run code when it is opened, so "
        "it is not; `save_pretrained` of diffusers writes the other."
    )
