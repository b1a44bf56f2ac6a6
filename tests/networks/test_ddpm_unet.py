"""The paper's network is the one that its published weights are of: names, shapes and answers, by diffusers' own."""

import json
from pathlib import Path

import pytest
import torch
from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel
from huggingface_hub.errors import EntryNotFoundError
from safetensors.torch import load_file, save_file

from ddpm_core import sampler
from ddpm_core.diffusion import elbo, prediction
from ddpm_core.diffusion.prediction import EPS
from ddpm_core.networks.ddpm_unet import Attention, DDPMUNet, Upsample
from ddpm_core.schedule import linear
from ddpm_core.storage import hub, pretrained
from ddpm_core.storage.files import CheckpointError
from ddpm_core.storage.pretrained import WEIGHTS

CIFAR10 = dict(in_channels=3, channels=(128, 256, 256, 256), blocks=2, attention=(1,), groups=32)
SMALL = dict(in_channels=1, channels=(16, 24), blocks=1, attention=(1,), groups=8)
LAYOUTS = [
    SMALL,
    dict(in_channels=3, channels=(8, 16, 16), blocks=2, attention=(0, 2), groups=4),
    dict(in_channels=2, channels=(12, 8, 20), blocks=3, attention=(), groups=4),
    dict(in_channels=1, channels=(16,), blocks=1, attention=(0,), groups=16),
]


def peer(in_channels, channels, blocks, attention, groups, **how):
    """The same layout built by diffusers, as the published description would ask for it."""
    kinds = ["Attn" if level in attention else "" for level in range(len(channels))]
    return UNet2DModel(
        sample_size=32, in_channels=in_channels, out_channels=in_channels, block_out_channels=channels,
        down_block_types=[f"{kind}DownBlock2D" for kind in kinds],
        up_block_types=[f"{kind}UpBlock2D" for kind in reversed(kinds)],
        layers_per_block=blocks, norm_num_groups=groups,
        **dict(attention_head_dim=None, downsample_padding=0, flip_sin_to_cos=False, freq_shift=1, norm_eps=1e-6) | how,
    )  # fmt: skip


def woken(net, by=0.05):
    """The same network with every weight moved, so that norms scale and shift and nothing is zero any more."""
    with torch.no_grad():
        for p in net.parameters():
            p.add_(by * torch.randn_like(p))
    return net.eval()


def both(layout, by=0.05):
    theirs, ours = woken(peer(**layout), by), DDPMUNet(**layout).eval()
    ours.load_state_dict(theirs.state_dict(), strict=True)
    return theirs, ours


# ---- the network -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_answers_and_gradients_are_those_of_diffusers(layout, memory):
    """Its times are one less than ours: they count from 0."""
    theirs, ours = (net.double() for net in both(layout))
    ours = ours.to(memory_format=memory)
    x = torch.randn(3, layout["in_channels"], 16, 8, dtype=torch.float64)
    t, weight = torch.tensor([1, 400, 1000]), torch.randn_like(x)
    # diffusers computes the sines in float32
    wanted, found = theirs(x, t - 1).sample, ours(x, t)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5)
    for answer in (wanted, found):
        (answer * weight).sum().backward()
    slopes = dict(theirs.named_parameters())
    for name, p in ours.named_parameters():
        torch.testing.assert_close(p.grad, slopes[name].grad, rtol=1e-4, atol=1e-4, msg=name)


def test_the_default_is_the_network_of_the_paper_on_cifar10():
    theirs, ours = both(CIFAR10, by=0.01)
    assert DDPMUNet().config == ours.config | {"dropout": 0.0}
    assert sum(p.numel() for p in ours.parameters()) == 35_746_307
    x, t = torch.randn(1, 3, 32, 32), torch.tensor([1000])
    with torch.no_grad():
        torch.testing.assert_close(ours(x, t), theirs(x, t - 1).sample, rtol=0, atol=1e-5)


def test_a_network_can_be_built_again_from_its_description():
    net = DDPMUNet(**SMALL, dropout=0.1)
    again = DDPMUNet(**json.loads(json.dumps(net.config)))
    assert again.config == net.config and again.state_dict().keys() == net.state_dict().keys()


def test_a_new_network_answers_zero_and_every_weight_learns():
    net = DDPMUNet(**SMALL)
    x, t = torch.randn(6, 1, 8, 8), torch.tensor([1, 5, 50, 200, 500, 1000])
    assert (net(x, t) == 0).all()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    for _ in range(4):
        optimizer.zero_grad()
        ((net(x, t) - x) ** 2).mean().backward()
        optimizer.step()
    silent = [name for name, p in net.named_parameters() if p.grad.abs().max() < 1e-9]
    # a number that is added to all keys moves all of a row's scores alike, which the softmax does not see
    assert [name for name in silent if not name.endswith("to_k.bias")] == []


def test_dropout_acts_in_training_only():
    net, x, t = woken(DDPMUNet(**SMALL, dropout=0.5)), torch.randn(1, 1, 8, 8), torch.tensor([3])
    assert torch.equal(net(x, t), net(x, t))
    assert not torch.equal(net.train()(x, t), net(x, t))


def test_growing_is_a_convolution_of_a_picture_in_which_every_pixel_stands_four_times():
    grow = Upsample(6).double()
    x = torch.randn(2, 6, 5, 3, dtype=torch.float64, requires_grad=True)
    four = x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    torch.testing.assert_close(grow(x), grow.conv(four), rtol=0, atol=1e-12)
    weight = torch.randn(2, 6, 10, 6, dtype=torch.float64)
    slopes = [
        torch.autograd.grad((answer * weight).sum(), (x, *grow.parameters())) for answer in (grow(x), grow.conv(four))
    ]
    for found, wanted in zip(*slopes, strict=True):
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-10)


def test_attention_averages_over_the_keys():
    """With the same value at every pixel, any average of values is that value."""
    layer, x = woken(Attention(8, 4)).double(), torch.randn(2, 8, 3, 4, dtype=torch.float64)
    with torch.no_grad():
        layer.to_q.weight.mul_(20)  # sharp, so that a sum over the wrong axis would be far from one
        layer.to_v.weight.zero_()
        layer.to_out[0].weight.copy_(torch.eye(8))
        layer.to_out[0].bias.zero_()
        moved = layer(x) - x
    torch.testing.assert_close(moved, layer.to_v.bias.detach()[:, None, None].expand_as(x), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (dict(in_channels=0), "need in_channels as a whole number from 1 to 1,000,000, but got 0"),
        (dict(blocks=0), "need blocks as a whole number from 1 .*, but got 0"),
        (dict(groups=5), r"multiples of groups = 5.*\[16, 24\]"),
        (dict(channels=()), "level widths"),
        (dict(channels=(2, 24), groups=2), "the first even and at least 4"),
        (dict(attention=(2,)), r"attention levels in 0\.\.1"),
        (dict(attention=(-1,)), "attention levels"),
    ],
)
def test_a_network_that_cannot_be_is_refused(config, message):
    with pytest.raises(ValueError, match=message):
        DDPMUNet(**SMALL | config)


@pytest.mark.parametrize("shape", [(2, 3, 8, 8), (2, 8, 8), (2, 1, 9, 8), (2, 1, 8, 7)])
def test_images_that_do_not_fit_are_refused(shape):
    with pytest.raises(ValueError, match=r"need images \(B, 1, H, W\) whose sides are divisible by 2, but got shape"):
        DDPMUNet(**SMALL)(torch.zeros(shape), torch.tensor([1, 2]))
    with pytest.raises(ValueError, match=r"one time per image: t has shape \(1,\), but the batch has 2"):
        DDPMUNet(**SMALL)(torch.zeros(2, 1, 8, 8), torch.tensor([1]))


# ---- its published weights -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def theirs():
    torch.manual_seed(1)
    return woken(peer(**SMALL))


@pytest.fixture
def folder(theirs, tmp_path):
    theirs.save_pretrained(tmp_path)
    return tmp_path


def same(trained, theirs):
    x, t = torch.randn(2, 1, 8, 8), torch.tensor([1, 1000])
    with torch.no_grad():
        torch.testing.assert_close(trained.network(x, t), theirs(x, t - 1).sample, rtol=0, atol=1e-5)
    return trained


def test_a_folder_of_diffusers_loads(folder, theirs):
    trained = same(pretrained.load_diffusers(folder), theirs)
    assert trained.prediction is EPS and not trained.network.training and trained.about["size"] == [32, 32]
    assert torch.equal(trained.schedule.beta, linear(1000).beta)  # the paper's, since the folder names none
    same(pretrained.load_diffusers(str(folder)), theirs)


def test_the_older_names_load(folder, theirs):
    """As the weights of 2022 have them, attention speaks of query, key, value and proj_attn."""
    tensors = load_file(folder / WEIGHTS)
    today = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    for new, old in today.items():
        tensors = {name.replace(f".{new}.", f".{old}."): tensor for name, tensor in tensors.items()}
    assert sum(".proj_attn." in name for name in tensors) == 2 * 4 and not any(".to_" in name for name in tensors)
    save_file(tensors, folder / WEIGHTS)
    same(pretrained.load_diffusers(folder), theirs)


def test_names_of_today_stay_as_they_are(theirs):
    assert pretrained.renamed(theirs.state_dict()).keys() == theirs.state_dict().keys()
    assert list(pretrained.renamed({"key.query.weight": 1})) == ["key.query.weight"]  # not of attention


def test_a_pipeline_of_diffusers_loads_with_its_schedule(theirs, tmp_path):
    DDPMPipeline(unet=theirs, scheduler=DDPMScheduler(50, beta_start=1e-3, beta_end=0.3)).save_pretrained(tmp_path)
    trained = same(pretrained.load_diffusers(tmp_path), theirs)
    torch.testing.assert_close(trained.schedule.beta, linear(50, 1e-3, 0.3).beta, rtol=1e-6, atol=0)


def test_a_repository_on_the_hub_loads_by_its_name(folder, theirs, monkeypatch):
    """The client's own function is replaced by one that serves a folder, and knows no scheduler."""
    asked = []

    def served(name, wanted, revision=None):
        asked.append((name, wanted))
        if not (folder / wanted).is_file():
            raise EntryNotFoundError(f"404: {wanted}")
        return str(folder / wanted)

    monkeypatch.setattr("huggingface_hub.hf_hub_download", served)
    same(pretrained.load_diffusers("google/ddpm-cifar10-32"), theirs)
    assert asked[0] == ("google/ddpm-cifar10-32", "config.json")


def test_without_a_network_the_hub_is_a_sentence():
    with pytest.raises(CheckpointError, match=r"there is no path .*ddpm-cifar10-32, and the Hub did not give config"):
        pretrained.load_diffusers("google/ddpm-cifar10-32")
    with pytest.raises(CheckpointError, match="'nowhere' is no Hub name owner/name"):
        pretrained.load_diffusers("nowhere")
    with pytest.raises(FileNotFoundError, match="no Hub name"):
        hub.first_file("/a/b", "config.json")


def test_what_is_loaded_draws_and_is_priced(folder):
    trained = pretrained.load_diffusers(folder)
    drawn = sampler.draw(trained, 2, steps=3, sampler="ddim")
    assert drawn.shape == (2, 1, 32, 32) and drawn.dtype == torch.uint8
    x0 = torch.zeros(2, 1, 8, 8) - 1
    denoise = prediction.denoiser(trained.network, trained.schedule, trained.prediction)
    assert elbo.continuous_time_vlb(denoise, trained.schedule, x0, torch.Generator(), levels=3).isfinite().all()


def refused(folder, message):
    with pytest.raises(CheckpointError, match=message) as caught:
        pretrained.load_diffusers(folder)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(downsample_padding=1), "where downsample_padding is 0, but config.json says 1"),
        (dict(freq_shift=0), "where freq_shift is 1, but config.json says 0"),
        (dict(attention_head_dim=8), "where attention_head_dim is None, but config.json says 8"),
        (dict(norm_eps=1e-5), "where norm_eps is 1e-06"),
        (dict(resnet_time_scale_shift="scale_shift"), "resnet_time_scale_shift"),
        (dict(_class_name="UNet2DConditionModel"), "where _class_name is 'UNet2DModel'"),
        (dict(flip_sin_to_cos=...), "where flip_sin_to_cos is False, but config.json says 'nothing'"),
        (dict(block_out_channels=[16, 32]), "need the weights that config.json describes, but .* has shape"),
        (dict(block_out_channels=[16, 24, 24]), "a width for each of 2 levels"),
        (dict(block_out_channels=[16, 20]), "multiples of groups = 8"),
        (dict(layers_per_block=2), "need the weights that config.json describes, but .* are missing"),
        (dict(up_block_types=["UpBlock2D", "AttnUpBlock2D"]), "levels that mirror each other"),
        (dict(down_block_types=["SkipDownBlock2D", "DownBlock2D"]), "levels that mirror each other"),
        (dict(out_channels=2), "as many channels out as in, not 2"),
        (dict(in_channels=...), "config.json has none: 'in_channels'"),
    ],
)
def test_another_layout_is_refused(change, message, folder):
    path = folder / "config.json"
    config = json.loads(path.read_text()) | change
    path.write_text(json.dumps({key: value for key, value in config.items() if value is not ...}))
    refused(folder, message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tensors: tensors.pop("conv_in.bias"), "1 are missing, conv_in.bias among them"),
        (lambda tensors: tensors.update(extra=torch.zeros(1)), "1 do not belong to it, extra among them"),
        (lambda tensors: tensors.update({"conv_in.bias": torch.zeros(9)}), r"has shape \(9,\) instead of \(16,\)"),
    ],
)
def test_missing_and_foreign_weights_are_refused(change, message, folder):
    path = folder / "diffusion_pytorch_model.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)
    refused(folder, message)


def test_damaged_weights_are_refused(folder):
    (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:-500])
    refused(folder, "truncated or damaged")


def test_a_pickle_is_not_opened(folder, tmp_path):
    """Not even a sound one; and one that would run code does not."""

    class Touch:
        def __reduce__(self):
            return Path.touch, (tmp_path / "ran",)

    (folder / WEIGHTS).unlink()
    for stored in ({"conv_in.bias": torch.zeros(16)}, {"conv_in.bias": Touch()}):
        torch.save(stored, folder / "diffusion_pytorch_model.bin")
        refused(folder, "there is only diffusion_pytorch_model.bin: a pickle may run code")
    assert not (tmp_path / "ran").exists()
    (folder / "diffusion_pytorch_model.bin").unlink()
    refused(folder, f"need {WEIGHTS} in .*, but there is none")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("config.json", "not json", "need a description in .*config.json, but it cannot be read"),
        ("config.json", "[1]", "but it holds a list"),
        ("scheduler_config.json", '{"beta_schedule": "sigmoid"}', "need a beta_schedule of .*, but .* says 'sigmoid'"),
        ("scheduler_config.json", '{"prediction_type": "flow"}', "need a prediction_type of .*, but .* says 'flow'"),
        ("scheduler_config.json", '{"trained_betas": [0.1, 2]}', "describes none: .*beta_2 is 2"),
        ("scheduler_config.json", '{"num_train_timesteps": "x"}', "need a noise schedule, but .* describes none"),
        ("scheduler_config.json", '{"beta_start": -1}', "need a noise schedule, but .* describes none"),
        ("scheduler_config.json", '{"thresholding": true}', "need a scheduler without thresholding"),
    ],
)
def test_descriptions_that_say_something_else_are_refused(name, text, message, folder):
    (folder / name).write_text(text)
    refused(folder, message)


def test_an_empty_folder_is_refused(tmp_path):
    refused(tmp_path, "need config.json in .*, but there is none")
