"""Our models in diffusers: from the same noise the same picture, in the paper's layout and in ours, there and back."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from diffusers import DDIMPipeline, DDIMScheduler, DDPMPipeline, DiffusionPipeline

from ddpm_core import sampler
from ddpm_core.diffusion import timesteps
from ddpm_core.diffusion.model import Model
from ddpm_core.diffusion.noise import one_each, standard_normal
from ddpm_core.diffusion.prediction import EPS, MEAN, X0, V
from ddpm_core.networks.ddpm_unet import DDPMUNet
from ddpm_core.networks.mlp import MLP
from ddpm_core.schedule import cosine, linear
from ddpm_core.sharing import from_pretrained, save_diffusers, to_diffusers
from ddpm_core.storage import checkpoint, scheduler_config
from ddpm_core.storage.files import CheckpointError
from ddpm_core.unet import UNet

ABOUT = {"size": [8, 8], "names": None}
PAPER = dict(in_channels=1, channels=(16, 24), blocks=1, attention=(1,), groups=8)


def woken(net, by=0.05):
    with torch.no_grad():
        for p in net.parameters():
            p.add_(by * torch.randn_like(p))
    return net.eval()


def noise(n, channels, draws):
    """(x_T, and the z of each step): what both walks are given."""
    generator = one_each(5, 0, n)
    return [standard_normal(torch.empty(n, channels, 8, 8), generator) for _ in range(draws)]


def given(monkeypatch, module, draws):
    """The pipelines of diffusers draw their noise with one function; it hands out ours."""
    left = iter(draws)
    monkeypatch.setattr(module, "randn_tensor", lambda *_, **__: next(left))


def pixels(x0):
    return (x0 / 2 + 0.5).clamp(0, 1)


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    """Code that came with a model is copied to a folder of this test's own."""
    monkeypatch.setattr("diffusers.utils.dynamic_modules_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))


# ---- the paper's layout ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("predict", [EPS, X0, V])
@pytest.mark.parametrize("noising", [linear(50, 1e-3, 0.3), cosine(50)])
def test_the_papers_pipeline_draws_our_picture(predict, noising, tmp_path, monkeypatch):
    """Ancestral over all T steps: DDPMPipeline as it stands, with no argument but the batch."""
    model = Model(woken(DDPMUNet(**PAPER)), noising, predict, ABOUT)
    pipeline = DDPMPipeline.from_pretrained(save_diffusers(tmp_path / "m", model))
    pipeline.set_progress_bar_config(disable=True)
    draws = noise(3, 1, 1 + 50)
    for module in ("diffusers.pipelines.ddpm.pipeline_ddpm", "diffusers.schedulers.scheduling_ddpm"):
        given(monkeypatch, sys.modules[module], draws[:1] if "pipeline" in module else draws[1:])
    found = pipeline(batch_size=3, num_inference_steps=50, output_type="pt", return_dict=False)[0]
    steps = sampler.ancestral(model.denoiser(), noising, draws[0], generator=Given(draws[1:]))
    torch.testing.assert_close(found, pixels(sampler.final(steps)), rtol=0, atol=1e-4)


class Given(torch.Generator):
    """Hands out these draws, one a call, in the place of a generator."""

    def __new__(cls, draws):
        given = super().__new__(cls)
        given.left = iter(draws)
        return given


@pytest.fixture(autouse=True)
def _draws_that_are_given(monkeypatch):
    real = sampler.standard_normal
    mine = lambda x, generator: next(generator.left) if isinstance(generator, Given) else real(x, generator)  # noqa: E731
    monkeypatch.setattr(sampler, "standard_normal", mine)


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_its_ddim_draws_our_picture(eta, tmp_path, monkeypatch):
    model = Model(woken(DDPMUNet(**PAPER)), linear(100, 1e-4, 0.1), EPS, ABOUT)
    pipeline = DDIMPipeline.from_pretrained(save_diffusers(tmp_path / "m", model))
    pipeline.set_progress_bar_config(disable=True)
    draws = noise(3, 1, 1 + 20)
    for module in ("diffusers.pipelines.ddim.pipeline_ddim", "diffusers.schedulers.scheduling_ddim"):
        given(monkeypatch, sys.modules[module], draws[:1] if "pipeline" in module else draws[1:])
    found = pipeline(
        batch_size=3, num_inference_steps=20, eta=eta, use_clipped_model_output=True, output_type="np"
    ).images
    times = timesteps.uniform(model.schedule, 20)
    ours = sampler.ddim(model.denoiser(), model.schedule, draws[0], times, eta=eta, generator=Given(draws[1:]))
    wanted = pixels(sampler.final(ours)).permute(0, 2, 3, 1)
    torch.testing.assert_close(torch.from_numpy(found), wanted, rtol=0, atol=1e-4)


def test_what_went_out_comes_back_the_same(tmp_path):
    for k, (predict, noising) in enumerate([(EPS, linear(30, 1e-4, 0.5)), (V, cosine(30))]):
        model = Model(woken(DDPMUNet(**PAPER, dropout=0.1)), noising, predict, {"size": [8, 12], "names": None})
        back = from_pretrained(save_diffusers(tmp_path / str(k), model))
        assert back.prediction is predict and back.network.config == model.network.config
        assert torch.equal(back.schedule.beta, noising.beta) and back.about["size"] == [8, 12]
        ours, theirs = model.network.state_dict(), back.network.state_dict()
        assert ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)
        assert sampler.draw(back, 2, steps=5).shape == (2, 1, 8, 12)


@pytest.mark.parametrize(
    "said, wanted",
    [
        (dict(beta_schedule="squaredcos_cap_v2"), cosine(1000).beta),
        (dict(beta_schedule="scaled_linear", beta_start=1e-4, beta_end=0.01), None),
        (dict(prediction_type="v_prediction"), linear(1000).beta),
    ],
)
def test_a_schedule_of_theirs_is_ours(said, wanted):
    theirs = DDIMScheduler(**said)
    found, predict = scheduler_config.schedule_and_prediction(json.loads(theirs.to_json_string()))
    assert predict is (V if "prediction_type" in said else EPS)
    torch.testing.assert_close(found.alpha_bar[1:].float(), theirs.alphas_cumprod, rtol=1e-3, atol=1e-7)
    assert wanted is None or torch.equal(found.beta, wanted)


# ---- our own network, whose code travels with it -----------------------------------------------------------------


@pytest.mark.parametrize("stem", ["digits", "fashion32", "shapes"])
def test_our_own_pipeline_draws_our_picture(stem, tmp_path):
    model = checkpoint.load(f"book/results/{stem}.safetensors")
    pipeline = DiffusionPipeline.from_pretrained(save_diffusers(tmp_path / stem, model), trust_remote_code=True)
    pipeline.scheduler = DDIMScheduler.from_config(pipeline.scheduler.config)
    pipeline.set_progress_bar_config(disable=True)
    if model.network.vocabulary:
        told = {"prompt": model.about["prompts"][:2]}
        labels = to_labels(told["prompt"], model)
    else:
        told, labels = {"class_labels": [3, 7]}, torch.tensor([3, 7])
    way = list(sampler.trajectory(model, 2, labels=labels, steps=10, sampler="ddim", guidance=1.5, seed=2))
    found = pipeline(
        **told, latents=way[0][1], guidance_scale=1.5, num_inference_steps=10, use_clipped_model_output=True,
        output_type="pt",
    ).images  # fmt: skip
    torch.testing.assert_close(found, pixels(way[-1][1]), rtol=0, atol=1e-4)


def to_labels(captions, model):
    from ddpm_core.networks.conditioning import encode

    return encode(captions, model.network.vocabulary)


ALONE = """
import sys
sys.modules["ddpm_core"] = None  # an import of the package fails
import torch
from diffusers import DiffusionPipeline
pipeline = DiffusionPipeline.from_pretrained(sys.argv[1], trust_remote_code=True)
pipeline.set_progress_bar_config(disable=True)
print(pipeline(class_labels=[1, 2], num_inference_steps=20, generator=torch.Generator().manual_seed(0)).images[1].size)
"""


def test_it_travels_without_the_package(tmp_path):
    torch.manual_seed(0)
    model = Model(woken(UNet(1, (8, 16), num_classes=3)), cosine(20), V, ABOUT | {"names": ["a", "b", "c"]})
    folder = save_diffusers(tmp_path / "m", model)
    assert sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()) == [
        "model_index.json", "scheduler/scheduler_config.json", "travelling.py", "unet/config.json",
        "unet/diffusion_pytorch_model.safetensors", "unet/travelling.py",
    ]  # fmt: skip
    bare = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | dict(HF_HOME=str(tmp_path), OMP_NUM_THREADS="1")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ALONE, folder], cwd=tmp_path, env=bare, capture_output=True, text=True
    )
    assert done.stdout.strip() == "(8, 8)", done.stderr


def test_its_code_runs_only_for_whoever_trusts_it(tmp_path):
    model = Model(UNet(1, (8,)), cosine(20), V, ABOUT)
    with pytest.raises(ValueError, match="trust_remote_code"):
        DiffusionPipeline.from_pretrained(save_diffusers(tmp_path / "m", model))


def test_one_file_holds_the_code_as_it_is_in_the_package():
    code = to_diffusers.alone()
    compile(code, "travelling.py", "exec")
    assert "from ddpm_core" not in code and "import ddpm_core" not in code and "conditioning.encode" not in code
    body = Path("ddpm_core/unet.py").read_text().split("class ResidualBlock")[1]
    assert body.rstrip() in code


# ---- what cannot go ----------------------------------------------------------------------------------------------


def test_what_diffusers_has_no_word_for_is_refused(tmp_path):
    with pytest.raises(ValueError, match="need one of the predictions EPS, X0, V for diffusers, but got MEAN"):
        save_diffusers(tmp_path, Model(DDPMUNet(**PAPER), cosine(20), MEAN, ABOUT))
    with pytest.raises(ValueError, match="need a UNet or a DDPMUNet for diffusers, but got a MLP"):
        save_diffusers(tmp_path, Model(MLP(), cosine(20), V, ABOUT))
    assert list(tmp_path.iterdir()) == []


def test_a_pipeline_with_our_own_network_is_not_the_papers(tmp_path):
    folder = save_diffusers(tmp_path / "m", Model(UNet(1, (8,)), cosine(20), V, ABOUT))
    with pytest.raises(CheckpointError, match="need the paper's network, where _class_name is 'UNet2DModel'"):
        from_pretrained(folder)
