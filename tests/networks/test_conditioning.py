"""What a network is told: words become numbers, a caption a vector, and who is told "bright" draws bright pictures."""

import io
import unicodedata
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from ddpm_core import data, sampler
from ddpm_core.cli import main
from ddpm_core.data import load
from ddpm_core.evaluation import references
from ddpm_core.networks import conditioning
from ddpm_core.recipes import config, recipes
from ddpm_core.recipes.recipes import RECIPES, Recipe
from ddpm_core.schedule import cosine
from ddpm_core.sharing import model_card
from ddpm_core.storage import checkpoint
from ddpm_core.unet import UNet

WORDS = ["bites", "dog", "man"]
SMALL = config.TrainingConfig(
    channels=(8, 16), attention=(), schedule=cosine(50), batch=16, lr=1e-2, ema_decay=0.9, steps=4,
    sentences=("a photo of a {}", "the {}"),
)  # fmt: skip


# ---- words -----------------------------------------------------------------------------------------------------


def test_words_are_what_stands_between_signs():
    assert conditioning.tokenize("A red car, isn't it?  (T-shirt; 2nd)") == [
        "a",
        "red",
        "car",
        "isn't",
        "it",
        "t-shirt",
        "2nd",
    ]
    assert conditioning.tokenize(" ... ") == conditioning.tokenize("") == []
    assert conditioning.tokenize("Blåbær på fjellet") == ["blåbær", "på", "fjellet"]
    apart = unicodedata.normalize("NFD", "Blåbær på fjellet")  # as names of folders may be written
    assert len(apart) > 17 and conditioning.tokenize(apart) == conditioning.tokenize("Blåbær på fjellet")
    assert conditioning.tokenize("isn\u2019t नमस्ते - 'quoted'") == ["isn't", "नमस्ते", "quoted"]


def test_sentences_about_names_have_their_article():
    assert conditioning.fill_templates(["a photo of a {}", "{}"], ["cat", "airplane"]) == [
        "a photo of a cat", "a photo of an airplane", "cat", "airplane",
    ]  # fmt: skip
    assert conditioning.fill_templates(["a {} on a type a engine"], ["automobile"]) == [
        "an automobile on a type a engine"
    ]
    assert conditioning.fill_templates(["A {}", "the {}"], ["Ankle boot"]) == ["An Ankle boot", "the Ankle boot"]
    assert conditioning.fill_templates(["a {}"], ["{0} cat"]) == ["a {0} cat"]


def test_tokens_spell_the_caption_and_nothing_follows():
    words = conditioning.vocabulary(["man bites dog", "Dog!"])
    rows = conditioning.encode(["Dog bites man", "man", ""], words)
    assert words == WORDS and rows.shape == (3, conditioning.MAX_WORDS) and rows.dtype == torch.int64
    assert [[words[k - 1] for k in row if k != conditioning.PAD] for row in rows.tolist()] == [
        ["dog", "bites", "man"], ["man"], [],
    ]  # fmt: skip
    assert (rows[1, 1:] == conditioning.PAD).all()


@pytest.mark.parametrize(
    ("caption", "message"),
    [
        ("dog bites cat", r"need words that the network has learned \(bites, dog, man\), but got 'cat'"),
        ("cats, dog and mats; cats!", r"but got 'cats', 'and', 'mats'\.$"),
        (" ".join(f"w{k}" for k in range(9)), r"but got 'w0', 'w1', 'w2', 'w3', 'w4' and 4 more\.$"),
        ("dog " * 17, "need a caption of at most 16 words, but 'dog .*' has 17"),
    ],
)
def test_a_caption_that_cannot_be_said_is_refused(caption, message):
    with pytest.raises(ValueError, match=message):
        conditioning.encode([caption], WORDS)


# ---- the encoder -----------------------------------------------------------------------------------------------


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    return conditioning.TextEncoder(len(WORDS), 16)


@pytest.mark.parametrize("learning", [True, False])
def test_what_fills_a_caption_up_does_not_count(encoder, learning):
    """Without gradients torch takes a way of its own through the layers."""
    rows = conditioning.encode(["dog", ""], WORDS)
    with torch.set_grad_enabled(learning):
        before = encoder.train(learning)(rows)
        with torch.no_grad():
            encoder.word.weight[conditioning.PAD] += torch.randn(16)
            encoder.place[1:] += torch.randn(conditioning.MAX_WORDS - 1, 16)
        torch.testing.assert_close(encoder(rows), before)
        with torch.no_grad():
            encoder.place[0] += torch.randn(16)
        assert (encoder(rows) - before).abs().max() > 1e-2


def test_the_layers_begin_apart(encoder):
    one, other = (layer.linear1.weight for layer in encoder.layers)
    assert not torch.equal(one, other)


def test_what_is_heard_of_a_caption_are_the_words_that_were_learned():
    assert conditioning.keep_known_words("The dog bites a Man, often.", WORDS) == "dog bites man"
    assert conditioning.tokenize(conditioning.keep_known_words("dog " * 40, WORDS)) == ["dog"] * conditioning.MAX_WORDS
    assert conditioning.keep_known_words("cats", WORDS) == ""


def test_the_order_of_the_words_counts(encoder):
    one, other, again = encoder(conditioning.encode(["dog bites man", "man bites dog", "Dog bites man."], WORDS))
    assert (one - other).abs().max() > 1e-2
    torch.testing.assert_close(one, again)


def test_a_caption_is_read_alone(encoder):
    rows = conditioning.encode(["dog bites man", "man", ""], WORDS)
    apart = torch.cat([encoder(row[None]) for row in rows])
    torch.testing.assert_close(encoder(rows), apart)


def test_training_reaches_every_word_of_the_caption_and_no_other(encoder):
    encoder(conditioning.encode(["dog bites"], WORDS))[:, 0].sum().backward()
    moved = encoder.word.weight.grad.abs().sum(1) > 0
    assert moved.tolist() == [False, True, True, False]


def test_classes_or_captions_or_neither():
    assert conditioning.encoder(None, None, 8) is None
    assert conditioning.encoder(3, None, 8)(torch.tensor([0, 3])).shape == (2, 8)
    with pytest.raises(ValueError, match="need classes or captions to be told, but got 3 classes and 3 words"):
        conditioning.encoder(3, WORDS, 8)
    with pytest.raises(ValueError, match="need captions with words in them, but got none"):
        conditioning.encoder(None, [], 8)


@pytest.mark.parametrize(
    ("encoder", "labels", "message"),
    [
        (None, torch.tensor([0]), "need a network that is told classes or captions"),
        (
            conditioning.ClassEmbedding(4, 8),
            torch.tensor([0, 1]),
            r"need one label for each of 1 images, but got shape \(2,\)",
        ),
        (conditioning.ClassEmbedding(4, 8), torch.tensor([3]), r"need labels in 0..2 for this network, but got 3..3"),
        (conditioning.TextEncoder(3, 8), torch.tensor([0]), r"need one caption of 16 tokens for each of 1 images"),
        (conditioning.TextEncoder(3, 8), torch.full((1, 16), 4), r"tokens in 0..3 for this network, but got 4..4"),
        (conditioning.TextEncoder(3, 8), torch.full((1, 16), -1), r"tokens in 0..3 for this network, but got -1..-1"),
        (
            conditioning.ClassEmbedding(4, 8),
            torch.tensor([1.0]),
            r"need labels as int64 or int32, but got torch.float32",
        ),
        (conditioning.ClassEmbedding(4, 8), torch.tensor([True]), r"need labels as int64 or int32, but got torch.bool"),
        (conditioning.TextEncoder(3, 8), torch.zeros(1, 16), r"need tokens as int64 or int32, but got torch.float32"),
    ],
)
def test_what_an_encoder_has_not_learned_is_refused(encoder, labels, message):
    with pytest.raises(ValueError, match=message):
        conditioning.check_labels(encoder, labels, 1)


@pytest.mark.parametrize(
    ("told_of", "labels", "message"),
    [
        (dict(num_classes=3), torch.tensor([0, 4]), r"need labels in 0..3 for this network, but got 0..4"),
        (dict(num_classes=3), torch.tensor([-1, 2]), r"need labels in 0..3 for this network, but got -1..2"),
        (dict(num_classes=3), torch.tensor([0.0, 1.0]), "need labels as int64 or int32, but got torch.float32"),
        (dict(vocabulary=WORDS), torch.full((2, 16), 4), r"need tokens in 0..3 for this network, but got 4..4"),
        (dict(vocabulary=WORDS), torch.zeros(2, 16), "need tokens as int64 or int32, but got torch.float32"),
    ],
)
def test_a_network_refuses_what_it_has_not_learned(told_of, labels, message):
    """The label behind the last one, 3 of 0..2, means "none given"."""
    net, x, t = UNet(1, (8, 16), **told_of), torch.randn(2, 1, 8, 8), torch.tensor([3, 4])
    with pytest.raises(ValueError, match=message):
        net(x, t, labels)


def test_nobody_may_be_told_something():
    assert conditioning.ClassEmbedding(4, 8)(torch.zeros(0, dtype=torch.long)).shape == (0, 8)
    conditioning.check_labels(conditioning.ClassEmbedding(4, 8), torch.zeros(0, dtype=torch.long), 0)


# ---- the network -----------------------------------------------------------------------------------------------


def woken(net):
    with torch.no_grad():
        for p in net.parameters():
            p.add_(0.1 * torch.randn_like(p))
    return net.eval()


def test_a_network_that_is_told_nothing_is_told_the_empty_caption():
    net, x, t = woken(UNet(1, (8, 16), vocabulary=WORDS)), torch.randn(2, 1, 8, 8), torch.tensor([3, 4])
    empty, dog = (net(x, t, conditioning.encode([caption] * 2, WORDS)) for caption in ("", "dog"))
    torch.testing.assert_close(net(x, t), empty)
    assert (dog - empty).abs().max() > 1e-4
    assert UNet(**net.config).config == net.config


def test_a_network_wants_one_caption_an_image():
    net, x, t = UNet(1, (8, 16), vocabulary=WORDS), torch.randn(2, 1, 8, 8), torch.tensor([3, 4])
    for labels in (torch.tensor([1, 2]), conditioning.encode(["dog"], WORDS)):
        with pytest.raises(ValueError, match="need one caption of 16 tokens for each of 2 images"):
            net(x, t, labels)


def test_a_share_of_the_captions_is_hidden_whole():
    rows = conditioning.encode(["dog bites man"] * 50, WORDS)
    images = torch.zeros(50, 1, 8, 8, dtype=torch.uint8)
    *_, said = data.batches(images, cosine(10), batch=4000, label_drop=0.25, labels=rows)(0)
    hidden = (said == conditioning.PAD).all(1)
    assert (said[~hidden] == rows[0]).all()
    assert abs(hidden.double().mean() - 0.25) < 4 * (0.25 * 0.75 / 4000) ** 0.5


# ---- from the command line -------------------------------------------------------------------------------------


def square(name, chance):
    return (chance.integers(0, 40, (8, 8)) + (200 if name == "bright" else 10)).astype(np.uint8)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Dark squares and bright ones in folders of their name, and the same with captions of their own."""
    root, chance = tmp_path_factory.mktemp("told"), np.random.default_rng(0)
    cells, captions = [], []
    for k in range(40):
        name = ("dark", "bright")[k % 2]
        (root / "named" / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(square(name, chance)).save(root / "named" / name / f"{k}.png")
        stream = io.BytesIO()
        Image.fromarray(square(name, chance)).save(stream, "png")
        cells.append({"bytes": stream.getvalue(), "path": "a.png"})
        captions.append(f"something {name}")
    pq.write_table(pa.table({"image": cells, "caption": captions}), root / "train.parquet")
    plan = Recipe("squares", data="digits", config=SMALL, images=(40, 1, 8, 8), names=("bright", "dark"), steps=150)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(RECIPES, "told", plan)
        for name, source in (("named", "named"), ("said", "train.parquet")):
            out = ["--out", str(root / f"run-{name}"), "--data", str(root / source), "--device", "cpu"]
            assert main(["train", "--recipe", "told", *out]) == 0
        yield root


def brightness(world, *words, run="run-named"):
    """Mean of twelve pictures, 0..255, drawn as the words say."""
    out = world / "drawn.npz"
    assert main(["sample", str(world / run), "--n", "12", "--out", str(out), "--device", "cpu", *words]) == 0
    with np.load(out) as drawn:
        return drawn["images"].astype(float).mean(axis=(1, 2, 3)), drawn.get("labels")


@pytest.mark.parametrize(
    ("run", "dark", "bright"),
    [
        ("run-named", "a photo of a dark", "a photo of a bright"),
        ("run-named", "the dark", "the bright"),
        ("run-said", "something dark", "something bright"),
    ],
)
def test_what_is_said_is_drawn(world, run, dark, bright):
    assert brightness(world, "--prompt", dark, run=run)[0].max() < 90
    assert brightness(world, "--prompt", bright, run=run)[0].min() > 140


def test_guidance_pulls_away_from_the_empty_caption(world):
    net, x = checkpoint.load(world / "run-named"), {}
    for guidance in (0.0, 3.0):
        (x[guidance],) = sampler.draw_batches(
            net, 4, labels=conditioning.encode(["the dark"] * 4, net.network.vocabulary), guidance=guidance, steps=4
        )
    assert not torch.equal(x[0.0], x[3.0]) and x[3.0].float().mean() < 90


def test_without_a_prompt_the_classes_come_in_turn(world):
    shades, labels = brightness(world)
    assert labels.tolist() == [0, 1] * 6  # bright, dark: folders in alphabetical order
    assert shades[::2].min() > 140 and shades[1::2].max() < 90
    shades, labels = brightness(world, "--label", "dark")
    assert labels.tolist() == [1] * 12 and shades.max() < 90
    about = checkpoint.load(world / "run-named").about
    assert about["prompts"] == ["a photo of a bright", "a photo of a dark"] and about["names"] == ["bright", "dark"]


def test_captions_of_the_data_come_before_sentences_about_classes(world):
    trained = checkpoint.load(world / "run-said")
    assert trained.network.vocabulary == ["bright", "dark", "something"]
    assert trained.about["prompts"] == ["something dark", "something bright"] and trained.about["names"] is None
    shades, labels = brightness(world, run="run-said")
    assert labels is None and shades[::2].max() < 90 and shades[1::2].min() > 140


@pytest.mark.parametrize(("run", "source"), [("run-named", "named"), ("run-said", "train.parquet")])
def test_its_drawings_and_its_bound_are_measured_with_their_captions(world, run, source, monkeypatch, capsys):
    heard, plain = [], UNet.forward
    monkeypatch.setattr(
        UNet, "forward", lambda net, x, t, labels=None: heard.append(labels) or plain(net, x, t, labels)
    )
    monkeypatch.setenv("DDPM_CORE_CACHE", str(world / "judges"))
    command = ["evaluate", str(world / run), "--data", str(world / source), "--n", "8", "--device", "cpu"]
    assert main([*command, "--bits-per-dim", "--bits-per-dim-images", "4"]) == 0
    printed = capsys.readouterr().out
    assert ("recognised" in printed) == (run == "run-named") and "bits per dimension, discrete bound" in printed
    images, words = load(world / source).captioned(SMALL.sentences), checkpoint.load(world / run).network.vocabulary
    known = {tuple(row) for row in conditioning.encode(images.captions, words).tolist()}
    assert len(heard) == 4 + 50  # steps of the sampler, and T of the bound
    assert all({tuple(row) for row in rows.tolist()} <= known for rows in heard)
    assert heard[0].shape == (8, conditioning.MAX_WORDS) and heard[-1].shape == (4, conditioning.MAX_WORDS)


def test_held_out_captions_may_have_words_that_were_not_learned(world):
    trained, images = checkpoint.load(world / "run-said"), load(world / "train.parquet")
    strange = replace(images, captions=["something utterly dark", *images.captions[1:]])
    assert torch.equal(references.conditions_of(trained, strange), references.conditions_of(trained, images))
    said = references.captions_like(strange, trained, 30, seed=0)
    assert set(said) == {"something dark", "something bright"}


def test_a_run_is_resumed_and_one_class_is_told_apart_from_the_others(world, tmp_path, capsys):
    words = [
        "train",
        "--recipe",
        "told",
        "--data",
        str(world / "named"),
        "--device",
        "cpu",
        "--out",
        str(tmp_path / "a"),
    ]
    assert main([*words, "--steps", "2", "--only", "dark"]) == 0
    assert main([*words, "--steps", "3", "--only", "dark", "--resume"]) == 0
    about = checkpoint.load(tmp_path / "a").about
    assert about["trained_steps"] == 3 and about["names"] is None
    assert about["prompts"] == ["a photo of a dark", "the dark"]
    capsys.readouterr()
    assert main([*words, "--steps", "4", "--only", "bright", "--resume"]) == 2
    assert "need the run's own only" in capsys.readouterr().err


def test_its_card_says_what_it_is_told(world):
    trained = checkpoint.load(world / "run-named")
    trained = replace(trained, about=trained.about | {"prompts": ['a "bright" photo']})
    said = model_card.card(trained, world / "run-named" / "model.safetensors", name="told")
    assert "pipeline_tag: text-to-image" in said and "captions from a vocabulary of 6 words" in said
    code = said.split("```python\n")[1].split("```")[0]
    code = code.replace('checkpoint.load("model.safetensors"', f'checkpoint.load("{world / "run-named"}"')
    names = {}
    exec(code, names)
    assert names["images"].shape == (20, 1, 8, 8)


NO_LABEL = "need one of the labels in 0..1 or one of bright, dark for this model, but got --label "
NO_WORD = "need words that the network has learned (a, bright, dark, of, photo, the), but got 'cat'"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--prompt", "a cat"], NO_WORD),
        (["--label", "2"], NO_LABEL + "2"),
        (["--label", "cat"], NO_LABEL + "cat"),
        (["--prompt", "..."], "need words to draw by, but got --prompt '...'"),
    ],
)
def test_what_it_does_not_know_is_refused(world, words, message, capsys):
    command = ["sample", str(world / "run-named"), "--out", str(world / "x.png"), "--device", "cpu", *words]
    assert main(command) == 2
    assert message in capsys.readouterr().err


def test_a_model_without_captions_takes_no_prompt(world, tmp_path, capsys):
    assert main(["train", "--steps", "1", "--device", "cpu", "--out", str(tmp_path / "digits")]) == 0
    capsys.readouterr()
    assert main(["sample", str(tmp_path / "digits"), "--prompt", "a two", "--out", str(tmp_path / "x.png")]) == 2
    assert "need a model that is told captions to draw 'a two', but this one is not" in capsys.readouterr().err


def test_a_sentence_needs_a_name():
    bare = replace(load("digits"), names=None)
    with pytest.raises(ValueError, match="need captions, or classes with names to speak of, but digits has neither"):
        bare.captioned(["a {}"])


def test_the_sentences_take_turns_and_fit_their_class():
    digits = load("digits").captioned(["the digit {}", "a {}"])
    for name in digits.names:
        mine = [text for text, label in zip(digits.captions, digits.labels, strict=True) if digits.names[label] == name]
        assert mine[:3] == [f"the digit {name}", f"a {name}", f"the digit {name}"]


@pytest.mark.parametrize(
    ("captions", "heard"),
    [([None, "a"], ["", "a"]), ([["a", "one"], ["b"]], ["a", "b"]), ([" ", "a "], ["", "a"])],
)
def test_a_missing_caption_is_the_empty_one_and_of_several_the_first_counts(captions, heard, tmp_path):
    cell = {"bytes": (lambda s: Image.new("L", (4, 4)).save(s, "png") or s.getvalue())(io.BytesIO()), "path": "a.png"}
    pq.write_table(pa.table({"image": [cell] * 2, "caption": captions}), tmp_path / "train.parquet")
    assert load(tmp_path / "train.parquet").captioned([]).captions == heard


def test_captions_in_some_of_the_files_only_are_refused(tmp_path):
    cell = {"bytes": (lambda s: Image.new("L", (4, 4)).save(s, "png") or s.getvalue())(io.BytesIO()), "path": "a.png"}
    pq.write_table(pa.table({"image": [cell] * 2}), tmp_path / "train-0.parquet")
    pq.write_table(pa.table({"image": [cell] * 2, "text": ["a", "b"]}), tmp_path / "train-1.parquet")
    with pytest.raises(ValueError, match=r"need one caption per image, but .* has 4 images, 2 captions"):
        load(tmp_path)


def test_the_recipe_for_cifar_10_says_every_class():
    plan = RECIPES["cifar10-text"]
    net = recipes.network(plan)
    said = conditioning.fill_templates(plan.config.sentences, plan.names)
    assert said[:2] == ["a photo of an airplane", "a photo of an automobile"] and len(said) == 40
    assert conditioning.encode(said, net.vocabulary).shape == (40, conditioning.MAX_WORDS) and net.num_classes is None
