"""python -m ddpm_core evaluate: every figure is the one that the rooms below compute, and says how it was made."""

import io
import json
import sys
import types
from dataclasses import replace
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from ddpm_core import bound, checkpoint, evaluate, evaluation, paper, published, recipe, sampler, variance
from ddpm_core.__main__ import main
from ddpm_core.data import load_images, to_float
from ddpm_core.files import file_sha256
from ddpm_core.predict import EPS
from ddpm_core.schedule import cosine
from ddpm_core.seeds import seeded

T = 12
SMALL = recipe.Recipe(channels=(8, 16), attention=(), schedule=cosine(T), batch=8, steps=4)
NAMES = ["dark", "grey", "bright"]


def pictures(n, seed):
    """n grey squares of 8x8, darker or brighter by class, with some noise."""
    chance = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    return (60 + 70 * labels[:, None, None] + chance.integers(0, 60, (n, 8, 8))).astype(np.uint8), labels


def shard(path, images, labels):
    cells = []
    for image in images:
        stream = io.BytesIO()
        Image.fromarray(image).save(stream, "png")
        cells.append({"bytes": stream.getvalue(), "path": "a.png"})
    features = {"image": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": NAMES}}
    about = {"huggingface": json.dumps({"info": {"features": features}})}
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"image": cells, "label": labels}).replace_schema_metadata(about), path)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A data set with two splits, and three runs on it: by class, of one class, and on images without labels."""
    root = tmp_path_factory.mktemp("world")
    for split, n, seed in (("train", 48, 0), ("test", 18, 1)):
        shard(root / "data" / f"{split}-00000-of-00001.parquet", *pictures(n, seed))
    np.savez(root / "bare.npz", images=pictures(12, 2)[0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recipe, "DIGITS", SMALL)
        for name, source, more in (
            ("classes", "data", []), ("bright", "data", ["--only", "bright"]), ("bare", "bare.npz", []),
        ):  # fmt: skip
            out = ["--out", str(root / name), "--steps", "3", "--device", "cpu"]
            assert main(["train", "--data", str(root / source), *out, *more]) == 0
    return root


@pytest.fixture(autouse=True)
def judge(monkeypatch, tmp_path_factory):
    """One kept judge for all tests, of few steps."""
    plain = evaluate.train_judge
    monkeypatch.setattr(evaluate, "train_judge", lambda images, *, steps: plain(images, steps=30, batch=16))
    monkeypatch.setenv("DDPM_CORE_CACHE", str(tmp_path_factory.getbasetemp() / "judges"))


def found(world, name, *more, source="data"):
    """What `evaluate --json` writes."""
    out = world / f"{name}.json"
    command = ["evaluate", world / name, "--data", world / source, "--n", 9, "--device", "cpu", "--json", out, *more]
    assert main([str(word) for word in command]) == 0
    return json.loads(out.read_text())


def test_a_model_by_class_is_judged_beside_held_out_images(world, capsys):
    about = found(world, "classes", "--seed", 3)
    rows, trained = about["results"]["rows"], checkpoint.load(world / "classes")
    labels = recipe.every_label(9, 3)
    drawn = recipe.sample(trained, 9, labels=labels, seed=3, steps=4, sampler="dpm")
    train, test = load_images(world / "data"), load_images(world / "data", "test")
    judge = evaluate.kept_judge(train, steps=600)
    held = torch.randperm(18, generator=seeded(3, 1))[:9]
    reference = judge.features(train.images)

    def near(x):
        return pytest.approx(x, abs=1e-4)

    assert rows["recognised"]["drawn"] == near(judge.accuracy(drawn, labels))
    assert rows["recognised"]["real"] == near(judge.accuracy(test.images[held], test.labels[held]))
    assert rows["recognised"]["real"] > 0.5  # else the judge would judge nothing
    assert rows["frechet"]["drawn"] == near(evaluate.frechet(reference, judge.features(drawn)))
    assert rows["frechet"]["real"] == near(evaluate.frechet(reference, judge.features(test.images[held])))
    assert rows["edges"]["drawn"] == near(evaluate.gradient_energy(drawn))
    assert rows["edges"]["real"] == near(evaluate.gradient_energy(test.images[held]))
    assert rows.keys() == {"recognised", "frechet", "edges"}
    printed = capsys.readouterr().out
    assert f"{rows['frechet']['drawn']:10.4g}{rows['frechet']['real']:10.4g}" in printed
    assert "9 images, 4 steps of dpm, guidance 0, seed 3" in printed and "note:" not in printed


def test_what_it_writes_says_how_it_was_made_and_names_no_private_path(world):
    about = found(world, "classes")
    missing = {"command", "commit", "device", "date", "minutes", "torch", "data_sha256", "results"} - about.keys()
    assert not missing and str(world) not in json.dumps(about)
    assert about["command"].startswith("python -m ddpm_core evaluate classes --data data --n 9")
    assert about["model_sha256"] == file_sha256(world / "classes" / "model.safetensors")
    assert about["data_sha256"] == load_images(world / "data").sha256
    trained = checkpoint.load(world / "classes")
    assert about["recipe"] == trained.about["settings"] | {
        "minutes": None, "training_steps": 3, "only": None, "pixels_sha256": load_images(world / "data").pixels_sha256,
    }  # fmt: skip
    assert about["results"]["training"]["loss"] == trained.about["loss"]
    assert about["results"]["how"] == {"sampler": "dpm", "steps": 4, "guidance": 0.0, "seed": 0}
    assert "not FID" in about["results"]["note"]


def test_a_model_of_one_class_is_held_to_that_class(world):
    rows = found(world, "bright")["results"]["rows"]
    train, test = load_images(world / "data"), load_images(world / "data", "test")
    judge = evaluate.kept_judge(train, steps=600)
    held = test.images[test.labels == 2]
    assert rows["recognised"]["real"] == pytest.approx(judge.accuracy(held, torch.full((6,), 2)), abs=1e-4)
    reference = judge.features(train.images[train.labels == 2])
    drawn = recipe.sample(checkpoint.load(world / "bright"), 9, steps=4, sampler="dpm")
    assert rows["frechet"]["drawn"] == pytest.approx(evaluate.frechet(reference, judge.features(drawn)), abs=1e-4)
    assert rows["recognised"]["drawn"] == pytest.approx(judge.accuracy(drawn, torch.full((9,), 2)), abs=1e-4)


def test_without_labels_there_is_no_judge_and_without_a_split_nothing_held_out(world):
    rows = found(world, "bare", source="bare.npz")["results"]["rows"]
    assert rows.keys() == {"edges"}
    real = evaluate.gradient_energy(load_images(world / "bare.npz").images)
    assert rows["edges"]["real"] == pytest.approx(real, abs=1e-4)


def test_other_data_are_said_to_be_others(world, tmp_path, capsys):
    shard(tmp_path / "other" / "train.parquet", *pictures(48, 5))
    found(world, "classes", "--data", tmp_path / "other")
    assert "note: other is not, file for file, what the model was trained on" in capsys.readouterr().out


# ---- bits per dimension ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "source", "width"),
    [("classes", "data", "beta"), ("classes", "data", "beta_tilde"), ("bare", "bare.npz", "beta")],
)
def test_the_bound_is_the_bound(world, name, source, width):
    """Labels are given to a network that knows them; beta_tilde_2 stands in for beta_tilde_1 = 0."""
    more = ["--bits-per-dim", "--bits-per-dim-images", 4, "--at-once", 4, "--variance", width]
    row = found(world, name, *more, source=source)["results"]["rows"]["bits_per_dim"]
    trained = checkpoint.load(world / name)
    images = load_images(world / source, "test" if name == "classes" else "train")
    rows = torch.randperm(len(images), generator=seeded(0, 2))[:4]
    net = trained.net if name == "bare" else partial(trained.net, labels=images.labels[rows])
    denoise = sampler.clamped(sampler.denoiser(net, trained.schedule, trained.predict))
    widths = {"beta": variance.beta, "beta_tilde": variance.interpolated(torch.zeros(()))}
    x0 = to_float(images.images[rows])
    terms = bound.terms(denoise, trained.schedule, x0, seeded(0, 3, int(rows[0])), widths[width])
    bits = bound.bits_per_dim(terms, x0)
    assert row["bound"] == pytest.approx(bits.sum(0).mean().item(), rel=1e-4)
    assert row["L_T"] + row["L_t"] + row["L_0"] == pytest.approx(row["bound"], rel=1e-3)
    assert row["L_0"] == pytest.approx(bits[1].mean().item(), rel=1e-4)
    assert row["error"] == pytest.approx(bits.sum(0).std().item() / 2, rel=0.05)
    split = "held-out" if name == "classes" else "training"
    assert (row["images"], row["split"], row["variance"]) == (4, split, width)


def test_the_bound_calls_the_network_T_times_for_each_image(world, monkeypatch):
    asked, plain = [], sampler.denoiser

    def counted(net, *more):
        denoise = plain(net, *more)
        return lambda x, t: asked.append(len(x)) or denoise(x, t)

    monkeypatch.setattr(evaluation.sampler, "denoiser", counted)
    found(world, "classes", "--bits-per-dim", "--bits-per-dim-images", 5, "--at-once", 2)
    assert asked == T * [2] + T * [2] + T * [1]


# ---- FID -------------------------------------------------------------------------------------------------------


def test_fid_is_taken_of_as_many_images_as_asked_against_the_training_images(world, monkeypatch, capsys):
    asked, package = [], types.SimpleNamespace(FeatureExtractorInceptionV3=lambda *a: None)
    package.calculate_metrics = lambda **k: asked.append(k) or {"frechet_inception_distance": 12.34567}
    monkeypatch.setitem(sys.modules, "torch_fidelity", package)
    about = found(world, "classes", "--fid", "--fid-images", 20)
    row = about["results"]["rows"]["fid"]
    assert row == {"drawn": 12.346, "images": 20, "reference": "48 training images of data"}
    assert len(asked[0]["input1"]) == 20 and len(asked[0]["input2"]) == 48
    assert about["results"]["images"] == 9  # the others are still judged by what was asked for
    plain = found(world, "classes")["results"]["rows"]
    assert "fid" not in plain
    assert "FID 12.35: 20 against 48 training images of data" in capsys.readouterr().out


def test_without_the_package_nothing_is_drawn(world, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    monkeypatch.setattr(recipe, "in_parts", lambda *a, **k: pytest.fail("drew images first"))
    assert main(["evaluate", str(world / "classes"), "--data", str(world / "data"), "--fid"]) == 2
    assert capsys.readouterr().err.startswith("error: need the package torch-fidelity for --fid")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere"),
        (["CLASSES", "--data", "nowhere"], "no such data"),
        (["CLASSES", "--data", "DATA", "--sampler", "dpm", "--steps", "13"], "between 1 and T = 12 steps, but got 13"),
        (["CLASSES", "--data", "DATA", "--device", "cuda"], "'cuda' is not available"),
    ],
)
def test_a_mistake_is_one_sentence(arguments, message, world, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    put = {"CLASSES": str(world / "classes"), "DATA": str(world / "data")}
    assert main(["evaluate", *[put.get(word, word) for word in arguments]]) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and message in errors[0]


def test_the_papers_published_weights_are_measured_too(world, monkeypatch):
    """With a small network in the place of the one on the Hub: no test leaves this machine."""
    torch.manual_seed(0)
    net = paper.PaperUNet(1, (8, 16), blocks=1, attention=(), groups=8).eval()
    about = {"size": [8, 8], "names": None, "data": published.NAME, "sampler": "ddim1", "steps": 3}
    asked, theirs = [], checkpoint.Trained(net, cosine(T), EPS, about)
    monkeypatch.setattr(published, "load", lambda name: asked.append(name) or theirs)
    out = world / "published.json"
    command = [
        "evaluate",
        published.NAME,
        "--data",
        str(world / "data"),
        "--n",
        "4",
        "--bits-per-dim",
        "--json",
        str(out),
    ]
    assert main([*command, "--bits-per-dim-images", "2", "--device", "cpu"]) == 0
    found = json.loads(out.read_text())
    assert asked == [published.NAME] and published.NAME in found["command"] and found["model_sha256"] is None
    assert found["results"]["rows"].keys() == {"frechet", "edges", "bits_per_dim"}
    x0 = to_float(load_images(world / "data", "test").images[torch.randperm(18, generator=seeded(0, 2))[:2]])
    denoise = sampler.clamped(sampler.denoiser(net, theirs.schedule, EPS))
    first = int(torch.randperm(18, generator=seeded(0, 2))[0])
    bits = bound.bits_per_dim(bound.terms(denoise, theirs.schedule, x0, seeded(0, 3, first)), x0).sum(0).mean()
    assert found["results"]["rows"]["bits_per_dim"]["bound"] == pytest.approx(bits.item(), rel=1e-4)


def test_the_default_data_are_those_of_the_checkpoint(world, monkeypatch):
    asked = []

    def load(source, split="train"):
        asked.append(source)
        raise FileNotFoundError(source)

    monkeypatch.setattr(evaluation.data, "load_images", load)
    assert main(["evaluate", str(world / "classes")]) == 2
    assert asked == [checkpoint.load(world / "classes").about["data"]]


def test_a_grey_model_may_be_smaller_than_its_padding(world, monkeypatch):
    """Images are padded as they were for training, for the judge too."""
    trained = checkpoint.load(world / "classes")
    larger = replace(trained, about=trained.about | {"size": [10, 12]})
    real = evaluation.real_images(str(world / "data"), larger)
    assert real.known.images.shape[2:] == (10, 12) == real.held_out.images.shape[2:]
    assert (real.known.images[:, :, 0] == 0).all()
