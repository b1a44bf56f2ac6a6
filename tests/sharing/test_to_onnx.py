"""The network as an ONNX file, refereed by onnxruntime: number by number, and over whole chains."""

import importlib.util
import json

import numpy as np
import onnxruntime
import pytest
import torch

from ddpm_core import sampler
from ddpm_core.diffusion import timesteps
from ddpm_core.diffusion.model import Model
from ddpm_core.diffusion.prediction import V, clip_denoised, denoiser
from ddpm_core.networks.ddpm_unet import DDPMUNet
from ddpm_core.schedule import cosine, from_betas
from ddpm_core.sharing import export_onnx, to_onnx
from ddpm_core.storage import checkpoint
from ddpm_core.unet import UNet

STEMS = pytest.mark.parametrize("stem", ["digits", "fashion32", "cars32-gpu", "shapes"])


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """exported(stem): (the model on the shelf, its ONNX file read by onnxruntime), made once."""
    folder, made = tmp_path_factory.mktemp("onnx"), {}

    def give(stem):
        if stem not in made:
            model = checkpoint.load(f"book/results/{stem}.safetensors")
            file = export_onnx(folder / f"{stem}.onnx", model)
            made[stem] = model, onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
        return made[stem]

    return give


def network(session):
    """The session as a network of ours: (x_t, t, labels) -> output."""

    def call(x_t, t, labels=None):
        given = {"x_t": x_t.contiguous().numpy(), "t": t.numpy()}
        return torch.from_numpy(session.run(None, given | ({} if labels is None else {"labels": labels.numpy()}))[0])

    return call


def told(model, n):
    """Labels of n pictures, "none given" among them; or captions, the empty one among them."""
    net = model.network
    if net.vocabulary is not None:
        tokens = torch.randint(0, len(net.vocabulary) + 1, (n, 16))
        tokens[0] = 0
        return tokens
    return None if net.num_classes is None else torch.arange(n) % (net.num_classes + 1)


@STEMS
@pytest.mark.parametrize("n", [1, 13])
def test_it_answers_as_the_network_does(stem, n, exported):
    model, session = exported(stem)
    x_t, t = (
        torch.randn(n, model.network.in_channels, *model.about["size"]),
        torch.randint(1, model.schedule.T + 1, (n,)),
    )
    labels = told(model, n)
    with torch.no_grad():
        wanted = model.network(x_t, t, labels)
    torch.testing.assert_close(network(session)(x_t, t, labels), wanted, rtol=0, atol=1e-5)


@STEMS
def test_whole_chains_are_the_same(stem, exported):
    """DDIM, and every number of the way: what the two networks differ by does not grow."""
    model, session = exported(stem)
    n, labels = 2, told(model, 2)
    x_T, times = torch.randn(n, model.network.in_channels, *model.about["size"]), timesteps.uniform(model.schedule, 20)

    def way(net):
        asked = lambda x_t, t: net(x_t, t) if labels is None else net(x_t, t, labels)  # noqa: E731
        denoise = clip_denoised(denoiser(asked, model.schedule, model.prediction))
        return sampler.ddim(denoise, model.schedule, x_T, times)

    for (t, ours), (_, theirs) in zip(way(model.network), way(network(session)), strict=True):
        torch.testing.assert_close(theirs, ours, rtol=0, atol=1e-4, msg=f"t = {t}")


@STEMS
def test_the_file_says_what_it_is(stem, exported):
    model, session = exported(stem)
    said = json.loads(session.get_modelmeta().custom_metadata_map["description"])
    assert said == checkpoint.described(model)
    assert torch.equal(from_betas(said["betas"]).beta, model.schedule.beta)
    inputs = {given.name: (given.type, given.shape) for given in session.get_inputs()}
    side = model.about["size"]
    assert inputs["x_t"] == ("tensor(float)", ["batch", model.network.in_channels, *side])
    assert inputs["t"] == ("tensor(int64)", ["batch"]) and session.get_outputs()[0].shape[0] == "batch"
    assert ("labels" in inputs) == (stem != "cars32-gpu")


def test_half_precision_on_the_shelf_is_written_in_full(exported):
    model, session = exported("digits")
    assert next(model.network.parameters()).dtype == torch.float32
    assert network(session)(torch.zeros(1, 1, 8, 8), torch.tensor([1]), torch.tensor([0])).numpy().dtype == np.float32


def test_what_cannot_be_written_is_refused(tmp_path, monkeypatch):
    about = {"size": [8, 8]}
    with pytest.raises(ValueError, match=r"need a UNet, .*, but got a DDPMUNet"):
        export_onnx(tmp_path / "a.onnx", Model(DDPMUNet(1, (8,), 1, (), 4), cosine(20), V, about))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"need the library onnx to write such a file, .* pip install"):
        export_onnx(tmp_path / "a.onnx", Model(UNet(1, (8,)), cosine(20), V, about))
    assert list(tmp_path.iterdir()) == [] and to_onnx.OPSET == 17
