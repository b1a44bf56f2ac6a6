"""The network as an ONNX file, which other runtimes compute with: the network alone, for the walk around it is short.

Inputs x_t (B, C, H, W) float32, t (B,) int64 in 1..T and, where the network is told them, labels (B,) or the tokens of
captions (B, MAX_WORDS), int64; output shaped like x_t. B is free, H and W are those of the training. The description of
the checkpoint stands in the file's metadata, as JSON under the name "description".
"""

import copy
import importlib.util
import json
import warnings
from pathlib import Path

import torch

from ddpm_core.diffusion.model import Model
from ddpm_core.networks import conditioning
from ddpm_core.storage import checkpoint
from ddpm_core.storage.files import write_atomically

OPSET = 17  # what onnxruntime reads since 2022


def export_onnx(path: str | Path, model: Model) -> Path:
    """Write the model's network as one ONNX file, in float32, and return its path.

    Raises ValueError for a network that is not a `UNet`, for one whose text encoder others have trained, and without
    the library onnx, which PyTorch writes with.
    """
    conditioning.check_reads_itself(model.network)
    if importlib.util.find_spec("onnx") is None:
        raise ValueError(
            "need the library onnx to write such a file, but there is none: pip install 'ddpm-core[onnx]'."
        )
    description = json.dumps(checkpoint.described(model))
    example, axes = _example(model), {"output": {0: "batch"}}
    axes |= {name: {0: "batch"} for name in example}
    net = copy.deepcopy(model.network).cpu().float().eval()
    write_atomically(path, lambda temporary: _write(temporary, net, example, axes, description))
    return Path(path)


def _write(path: Path, net: torch.nn.Module, example: dict, axes: dict, description: str) -> None:
    with warnings.catch_warnings():  # that there is a newer exporter, and that checks of the input are not kept
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net, tuple(example.values()), str(path), input_names=list(example), output_names=["output"],
            dynamic_axes=axes, opset_version=OPSET, dynamo=False,
        )  # fmt: skip
    import onnx

    written = onnx.load(path)
    onnx.helper.set_model_props(written, {"description": description})
    onnx.save(written, path)


def _example(model: Model) -> dict[str, torch.Tensor]:
    """Two pictures, two times and, where the network is told them, two labels or captions."""
    net = model.network
    found = {"x_t": torch.zeros(2, net.in_channels, *model.about["size"]), "t": torch.tensor([1, 2])}
    if net.num_classes:
        found["labels"] = torch.tensor([0, net.num_classes])
    if net.vocabulary:
        found["labels"] = torch.full((2, conditioning.MAX_WORDS), conditioning.PAD) + torch.tensor([[0], [1]])
    return found
