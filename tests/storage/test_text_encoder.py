"""A text encoder of others, against CLIP's own library, on a tiny one that is made here: nothing is fetched."""

import copy
import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPTextModel

from ddpm_core.cli import main
from ddpm_core.diffusion.model import Model
from ddpm_core.diffusion.prediction import V
from ddpm_core.networks.conditioning import encode, keep_known_words
from ddpm_core.networks.cross_attention import watched
from ddpm_core.recipes import config
from ddpm_core.schedule import cosine
from ddpm_core.sharing import export_onnx, model_card, save_diffusers
from ddpm_core.storage import checkpoint, hub, text_encoder
from ddpm_core.storage.files import CheckpointError, file_sha256, read_tensors
from ddpm_core.unet import UNet

LENGTH = 30  # tokens of a caption at most
SAID = ["a red frog", "", "A  red\nfrog!", "red " * LENGTH, "ü"]
SMALL = config.TrainingConfig(
    channels=(8, 16), attention=(1,), cross_attention=(1,), schedule=cosine(10), batch=8, sentences=("a {}",), steps=2
)


def write_tokens(folder):
    """Every byte, alone and at a word's end, and "red", in three merges."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]  # these bytes are written as their own letters
    letters = [chr(byte) for byte in plain] + [chr(256 + k) for k in range(256 - len(plain))]
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), "re", "red</w>", "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({token: number for number, token in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\nr e\nre d</w>\n")
    return len(tokens)


def written(folder):
    """A tiny CLIP's text encoder, random and saved by its own library."""
    folder.mkdir()
    n = write_tokens(folder)
    shape = dict(hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, projection_dim=16)
    about = CLIPTextConfig(
        vocab_size=n, max_position_embeddings=LENGTH + 2, bos_token_id=n - 2, eos_token_id=n - 1, pad_token_id=n - 1,
        **shape,
    )  # fmt: skip
    CLIPTextModel(about).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A tiny text encoder in a folder, made once; tests that change it work on their own copy."""
    return written(tmp_path_factory.mktemp("clip") / "tiny")


@pytest.fixture
def folder(made, tmp_path):
    return shutil.copytree(made, tmp_path / "clip")


@pytest.fixture
def text(made):
    return text_encoder.text_encoder(str(made))


def told_by(text):
    """A network whose every layer says something, told by this encoder."""
    net = UNet(1, (8, 16), vocabulary=text, cross_attention=(1,))
    for weight in net.parameters():
        torch.nn.init.normal_(weight, std=0.1)
    return net.eval()


def kept(text, folder):
    """A model told by it, in the folder."""
    checkpoint.save(folder, Model(told_by(text), cosine(10), V, {"size": [8, 8], "prompts": ["a red frog"]}))
    return folder


@pytest.fixture
def train(monkeypatch, tmp_path):
    """train(*options): three steps on the digits as captions, "a 7"; returns the run's folder."""
    monkeypatch.setattr(config, "DIGITS", SMALL)
    monkeypatch.chdir(tmp_path)

    def call(*options, status=0):
        assert main(["train", "--device", "cpu", "--steps", "3", "--out", "run", *map(str, options)]) == status
        return Path("run")

    return call


def refused(capsys, *arguments):
    """The one sentence with which the command line refuses this."""
    capsys.readouterr()
    assert main([*map(str, arguments)]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    return line.removeprefix("error: ")


# ---- it reads as its own library does ----------------------------------------------------------------------------


def test_vectors_are_those_of_its_own_library(text):
    ids = text.tokenizer(SAID, padding="max_length", max_length=LENGTH + 2, return_tensors="pt")
    with torch.no_grad():
        wanted = text.model(input_ids=ids["input_ids"])
    vectors, words = text.read(encode(SAID, text))
    torch.testing.assert_close(vectors, wanted.pooler_output)
    assert (~words.empty).sum(1).tolist() == [8, 2, 9, LENGTH + 2, 4]  # begin, tokens, end
    torch.testing.assert_close(words.vectors[~words.empty], wanted.last_hidden_state[~words.empty])


def test_of_a_whole_clip_the_text_encoder_is_read(made, tmp_path):
    seeing = dict(hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2, image_size=32)
    about = CLIPTextConfig.from_pretrained(made).to_dict()
    whole = CLIPModel(CLIPConfig(text_config=about, vision_config=seeing, projection_dim=16)).eval()
    whole.save_pretrained(tmp_path)
    write_tokens(tmp_path)
    found = text_encoder.text_encoder(str(tmp_path))
    own, other = found.model.state_dict(), whole.text_model.state_dict()
    assert [value.tolist() for value in own.values()] == [value.tolist() for value in other.values()]


def test_what_is_too_long_for_it_is_cut_between_words(text):
    assert keep_known_words("red " * LENGTH + "frog", text) == " ".join(["red"] * LENGTH)
    assert keep_known_words("a red frog", text) == "a red frog"
    with pytest.raises(ValueError, match=rf"at most {LENGTH} tokens .* but 'red .* has {LENGTH + 1}\.$"):
        encode(["red " * (LENGTH + 1)], text)


def test_tokens_that_it_has_not_are_refused(text):
    net, x, t = told_by(text), torch.zeros(1, 1, 8, 8), torch.tensor([3])
    tokens = encode(["red"], text)
    with pytest.raises(ValueError, match=rf"need tokens in 0\.\.{text.known - 1}"):
        net(x, t, tokens.masked_fill(tokens == 0, text.known))
    with pytest.raises(ValueError, match=f"one caption of {LENGTH} tokens for each of 1 images"):
        net(x, t, tokens[:, 1:])


# ---- in a network ------------------------------------------------------------------------------------------------


def test_the_empty_caption_is_no_caption(text):
    net, x, t = told_by(text), torch.randn(2, 1, 8, 8), torch.tensor([3, 9])
    assert torch.equal(net(x, t), net(x, t, encode(["", ""], text)))
    assert not torch.allclose(net(x, t), net(x, t, encode(["red", "frog"], text)))


def test_guidance_pulls_between_the_caption_and_none(text):
    model = Model(told_by(text), cosine(10), V, {"size": [8, 8]})
    x, t, tokens = torch.randn(2, 1, 8, 8) / 9, torch.tensor([3, 9]), encode(["red", "frog"], text)
    with torch.no_grad():
        told, free = (model.denoiser(labels)(x, t) for labels in (tokens, encode(["", ""], text)))
        pulled = model.denoiser(tokens, guidance=0.5)(x, t)
    assert told.abs().max() < 1 and not torch.allclose(told, free)  # the clamp did nothing
    torch.testing.assert_close(pulled, (told + 0.5 * (told - free)).clamp(-1, 1))


def test_each_place_takes_of_words_that_are_there(text):
    net = told_by(text)
    with torch.no_grad(), watched(net) as looks:
        net(torch.randn(1, 1, 8, 8), torch.tensor([3]), encode(["red"], text))
    share = looks[0][0].mean((1, 2))
    assert share.shape == (LENGTH + 2,) and (share[:3] > 0).all() and (share[3:] == 0).all()


def test_only_what_stands_behind_it_is_the_networks(text):
    net = told_by(text)
    own = {name for name, _ in net.named_parameters() if name.startswith("label.")}
    assert own == {f"label.{map_}.{what}" for map_ in ("vector", "word") for what in ("weight", "bias")}
    twin = copy.deepcopy(net)
    assert twin.vocabulary is twin.label.text is text and twin.label.vector is not net.label.vector
    net(torch.randn(1, 1, 8, 8), torch.tensor([3])).sum().backward()
    assert all(weight.grad is None for weight in text.model.parameters())
    assert all(weight.grad is not None for weight in net.label.parameters())


def test_without_cross_attention_every_weight_is_in_use(text):
    """Several processes that train together wait for the gradient of each."""
    net = UNet(1, (8, 16), vocabulary=text)
    assert net.label.read(encode(["red"], text))[1] is None
    net(torch.randn(1, 1, 8, 8), torch.tensor([3])).sum().backward()
    assert [name for name, weight in net.named_parameters() if weight.grad is None] == []


@pytest.mark.filterwarnings("ignore")  # a compiler's own
def test_a_compiled_network_reads_the_same(text):
    net, x, t = told_by(text), torch.randn(2, 1, 8, 8), torch.tensor([3, 9])
    tokens = encode(["red", "a frog"], text)
    with torch.no_grad():
        torch.testing.assert_close(torch.compile(net, backend="eager")(x, t, tokens), net(x, t, tokens))


# ---- from training to pictures -----------------------------------------------------------------------------------


def test_train_save_load_and_draw_what_was_typed(train, folder, capsys):
    before = file_sha256(folder / hub.MODEL)
    run = train("--text-encoder", folder)
    assert f"told by captions, read by {folder}" in capsys.readouterr().out
    assert file_sha256(folder / hub.MODEL) == before
    model = checkpoint.load(run)
    assert model.about["settings"]["text_encoder"] == str(folder) and model.about["prompts"][7] == "a 7"
    said = json.loads((run / "config.json").read_text())["network"]["vocabulary"]
    assert said == {"text_encoder": str(folder), "sha256": before}
    for file in (hub.MODEL, "training.safetensors"):
        assert not [name for name in read_tensors(run / file)[0] if "layers" in name or "token" in name]
    stored, now = load_file(folder / hub.MODEL), model.network.vocabulary.model.state_dict()
    assert [value.tolist() for _, value in sorted(stored.items())] == [v.tolist() for _, v in sorted(now.items())]
    for prompt in ("a 7, or two", "\u00fcber"):  # words that no caption of training had
        how = ["--steps", "2", "--guidance", "2", "--n", "2", "--device", "cpu", "--out", "drawn.npz"]
        assert main(["sample", str(run), "--prompt", prompt, *how]) == 0
        assert np.load("drawn.npz")["images"].shape == (2, 8, 8, 1)


def test_resuming_goes_on_with_the_same_encoder(train, folder, capsys):
    train("--text-encoder", folder)
    train("--text-encoder", folder, "--resume", "--steps", "5")
    assert checkpoint.load("run").about["trained_steps"] == 5
    train("--resume", status=2)
    assert f"need the run's own text_encoder to resume it, which is {str(folder)!r}" in capsys.readouterr().err


def test_a_model_in_half_precision_and_its_card_name_it(text, made, tmp_path):
    model = checkpoint.load(kept(text, tmp_path))
    halved = checkpoint.load(checkpoint.export(tmp_path / "half.safetensors", model))
    assert halved.network.vocabulary.about == text.about
    card = model_card.card(model, tmp_path / hub.MODEL, name="owner/name")
    assert f"captions, read by {made} (sha256 {text.about['sha256']})" in card and " transformers\n" in card


def test_the_help_tells_of_it(capsys):
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    assert "--text-encoder NAME" in capsys.readouterr().out


# ---- one sentence for what is not as it should be ----------------------------------------------------------------


def test_other_weights_than_it_was_trained_with_are_refused(folder, tmp_path, capsys):
    run = kept(text_encoder.text_encoder(str(folder)), tmp_path / "run")
    weights = load_file(folder / hub.MODEL)
    save_file({name: value + 1 for name, value in weights.items()}, folder / hub.MODEL, {"format": "pt"})
    was = json.loads((run / "config.json").read_text())["network"]["vocabulary"]["sha256"]
    said = refused(capsys, "sample", run, "--out", tmp_path / "x.png")
    now = file_sha256(folder / hub.MODEL)
    assert said == (
        f"need the text encoder {folder} with sha256 {was[:12]}..., but its weights have {now[:12]}...."
    )  # fmt: skip


def test_one_that_is_gone_is_named(folder, tmp_path, capsys):
    run = kept(text_encoder.text_encoder(str(folder)), tmp_path / "run")
    shutil.rmtree(folder)
    said = refused(capsys, "sample", run, "--out", tmp_path / "x.png")
    assert said.startswith(f"need the text encoder {folder}, but there is no path {folder}") and said.endswith(".")


def test_the_hub_is_asked_for_safetensors_alone(folder, monkeypatch):
    asked = {}

    def download(name, allow_patterns):
        asked[name] = allow_patterns
        return str(folder)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    assert text_encoder.text_encoder("owner/name").about["text_encoder"] == "owner/name"
    assert hub.MODEL in asked["owner/name"]
    assert not [file for file in asked["owner/name"] if not file.endswith((".json", ".txt", ".safetensors"))]


def test_without_a_network_the_hub_says_so():
    with pytest.raises(CheckpointError, match=r"^need the text encoder owner/none, but .* the Hub did not give .*\.$"):
        text_encoder.text_encoder("owner/none")


def test_without_the_library_it_says_what_to_install(folder, monkeypatch, capsys, train):
    monkeypatch.setitem(sys.modules, "transformers", None)  # an import of it fails
    train("--text-encoder", folder, "--data", "owner/none", status=2)  # it says so before it looks for data
    assert f"for the text encoder {folder}: pip install transformers" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("spoil", "wanted"),
    [
        (lambda folder: (folder / hub.MODEL).rename(folder / "pytorch_model.bin"), "need model.safetensors of"),
        (lambda folder: (folder / hub.MODEL).write_bytes(b"weights"), "cannot be read (SafetensorError"),
        (lambda folder: (folder / "config.json").write_text("{"), "cannot be read ("),
        (lambda folder: [(folder / file).unlink() for file in ("vocab.json", "merges.txt")], "need a tokenizer of 516"),
        (lambda folder: save_file({"x": torch.ones(1)}, folder / hub.MODEL), "lacks 36 of them"),
    ],
)
def test_what_is_no_text_encoder_is_refused(folder, spoil, wanted):
    spoil(folder)
    with pytest.raises(CheckpointError) as error:
        text_encoder.text_encoder(str(folder))
    said = str(error.value)
    assert wanted in said and str(folder) in said and said.endswith(".") and "\n" not in said


def test_captions_that_cannot_be_drawn_by(text, tmp_path, capsys):
    run, out = kept(text, tmp_path), tmp_path / "x.png"
    long = refused(capsys, "sample", run, "--out", out, "--prompt", "red " * (LENGTH + 1))
    assert long.startswith(f"need a caption of at most {LENGTH} tokens for the text encoder")
    assert refused(capsys, "sample", run, "--out", out, "--prompt", "") == "need words to draw by, but got --prompt ''."


def test_it_needs_captions(folder, monkeypatch, train, capsys):
    monkeypatch.setattr(config, "DIGITS", replace(SMALL, sentences=(), cross_attention=()))
    train("--text-encoder", folder, status=2)
    assert f"need captions for the text encoder {folder}, but this training tells none" in capsys.readouterr().err
    with pytest.raises(ValueError, match="10 classes and 516 words"):
        UNet(1, (8, 16), num_classes=10, vocabulary=text_encoder.text_encoder(str(folder)))


@pytest.mark.parametrize("write", [export_onnx, save_diffusers])
def test_it_travels_nowhere_without_the_package(text, tmp_path, write):
    model = checkpoint.load(kept(text, tmp_path / "run"))
    with pytest.raises(ValueError, match=r"need a network that reads captions by itself, but this one needs .*tiny"):
        write(tmp_path / "out.onnx", model)
    assert not (tmp_path / "out.onnx").exists()
