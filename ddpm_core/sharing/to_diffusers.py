"""A model in the layout of the library diffusers, which needs not be here to write it.

model_index.json                   which pipeline, which parts
unet/config.json                   the network, and its weights beside it
scheduler/scheduler_config.json    schedule and prediction

The paper's network is a UNet2DModel there, with a plain DDPMPipeline. Ours is none of theirs: its code travels with it,
and whoever loads it says `trust_remote_code=True`, having read one file.
"""

import json
import re
from importlib.resources import files
from pathlib import Path

from torch import Tensor

from ddpm_core.diffusion.model import Model
from ddpm_core.networks.conditioning import check_reads_itself
from ddpm_core.networks.ddpm_unet import DDPMUNet
from ddpm_core.storage import scheduler_config
from ddpm_core.storage.files import write_atomically, write_tensors
from ddpm_core.storage.pretrained import CONFIG, LAYOUT, WEIGHTS
from ddpm_core.unet import UNet

INDEX, CODE = "model_index.json", "travelling.py"
SOURCES = (
    "networks/layout.py",
    "networks/cross_attention.py",
    "networks/frozen_text.py",
    "networks/conditioning.py",
    "unet.py",
)


def save_diffusers(folder: str | Path, model: Model) -> Path:
    """Write the model into `folder` as a pipeline of diffusers; returns the folder.

    With all T steps its DDPM scheduler walks as `sampler.ancestral` does, with steps that divide T its DDIM scheduler
    as `sampler.ddim`, told `use_clipped_model_output=True`. Raises ValueError for another network than a `UNet` or a
    `DDPMUNet`, for one whose text encoder others have trained, and for the prediction MEAN.
    """
    check_reads_itself(model.network)
    folder, scheduler = Path(folder), scheduler_config.scheduler_config(model.schedule, model.prediction)
    if isinstance(model.network, DDPMUNet):
        of_pipeline, of_network, description = "DDPMPipeline", ["diffusers", "UNet2DModel"], _as_unet2d(model)
        tensors, code = model.network.state_dict(), {}
    elif isinstance(model.network, UNet):
        of_pipeline, of_network = (["travelling", f"Travelling{part}"] for part in ("Pipeline", "UNet"))
        description = _as_ours(model)
        tensors = {f"network.{name}": tensor for name, tensor in model.network.state_dict().items()}
        code = dict.fromkeys((CODE, f"unet/{CODE}"), alone())  # the library looks for a pipeline here, for a part there
    else:
        raise ValueError(f"need a UNet or a DDPMUNet for diffusers, but got a {type(model.network).__name__}.")
    index = {"_class_name": of_pipeline, "unet": of_network, "scheduler": ["diffusers", "DDPMScheduler"]}
    texts = {f"unet/{CONFIG}": _text(description), f"scheduler/{scheduler_config.FILE}": _text(scheduler)}
    _write_tensors(folder / "unet" / WEIGHTS, tensors)
    for name, text in (code | texts | {INDEX: _text(index)}).items():
        write_atomically(folder / name, lambda path, text=text: path.write_text(text, "utf-8"))
    return folder


def alone() -> str:
    """One file of Python that needs torch and diffusers alone: our network, its conditioning, and the pipeline.

    The sources follow each other with their docstrings; names from one that stands above are no longer imported.
    """
    parts = [files("ddpm_core").joinpath(name).read_text("utf-8") for name in (*SOURCES, f"sharing/{CODE}")]
    kept = re.sub(r"^from ddpm_core\.\S+ import .*\n", "", "\n\n".join(parts), flags=re.MULTILINE)
    kept = re.sub(r"\bconditioning\.(?=\w)", "", kept)
    return f"# The code of ddpm_core.unet, to be used without the package.\n{kept}"


def _as_unet2d(model: Model) -> dict:
    """The description of a UNet2DModel that `pretrained.layout` reads."""
    config = model.network.config
    kinds = ["Attn" if level in config["attention"] else "" for level in range(len(config["channels"]))]
    return LAYOUT | {
        "sample_size": _sides(model), "in_channels": config["in_channels"], "out_channels": config["in_channels"],
        "block_out_channels": config["channels"], "layers_per_block": config["blocks"],
        "down_block_types": [f"{kind}DownBlock2D" for kind in kinds],
        "up_block_types": [f"{kind}UpBlock2D" for kind in reversed(kinds)],
        "norm_num_groups": config["groups"], "dropout": config["dropout"],
    }  # fmt: skip


def _as_ours(model: Model) -> dict:
    about = model.about
    return {
        "_class_name": "TravellingUNet", "layout": model.network.config, "sample_size": list(about["size"]),
        "names": about.get("names"),
    }  # fmt: skip


def _sides(model: Model) -> int | list[int]:
    """One number for a square, as most describe it."""
    height, width = model.about["size"]
    return height if height == width else [height, width]


def _write_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    write_tensors(path, tensors, {"format": "pt"})  # by which diffusers knows whose tensors they are


def _text(what: dict) -> str:
    return json.dumps(what, indent=1) + "\n"
