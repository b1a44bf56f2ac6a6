"""python -m ddpm_core evaluate: every figure is the one that the rooms below compute, and says how it was made."""

import io
import json
import shutil
import subprocess
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

from ddpm_core import sampler
from ddpm_core.cli import evaluate, main
from ddpm_core.data import load, to_float
from ddpm_core.diffusion import elbo, prediction, variance
from ddpm_core.diffusion.model import Model
from ddpm_core.diffusion.noise import seeded
from ddpm_core.diffusion.prediction import EPS, V
from ddpm_core.evaluation import classifier, metrics, references
from ddpm_core.networks import ddpm_unet
from ddpm_core.recipes import config
from ddpm_core.schedule import cosine
from ddpm_core.storage import checkpoint, pretrained, provenance
from ddpm_core.storage.files import file_sha256
from ddpm_core.storage.hub import Absent
from ddpm_core.unet import UNet

T = 12
SMALL = config.TrainingConfig(channels=(8, 16), attention=(), schedule=cosine(T), batch=8, steps=4)
NAMES = ["dark", "grey", "bright"]


def pictures(n, seed):
    """n grey squares of 8x8, darker or brighter by class, with some noise."""
    chance = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    return (60 + 70 * labels[:, None, None] + chance.integers(0, 60, (n, 8, 8))).astype(np.uint8), labels


def shard(path, images, labels=None):
    cells = []
    for image in images:
        stream = io.BytesIO()
        Image.fromarray(image).save(stream, "png")
        cells.append({"bytes": stream.getvalue(), "path": "a.png"})
    features = {"image": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": NAMES}}
    about = {"huggingface": json.dumps({"info": {"features": features}})}
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = {"image": cells} | ({} if labels is None else {"label": labels})
    pq.write_table(pa.table(columns).replace_schema_metadata(about), path)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A data set with two splits, and three runs on it: by class, of one class, and on images without labels."""
    root = tmp_path_factory.mktemp("world")
    for split, n, seed in (("train", 48, 0), ("test", 18, 1)):
        shard(root / "data" / f"{split}-00000-of-00001.parquet", *pictures(n, seed))
    np.savez(root / "bare.npz", images=pictures(12, 2)[0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(config, "DIGITS", SMALL)
        for name, source, more in (
            ("classes", "data", []), ("bright", "data", ["--only", "bright"]), ("bare", "bare.npz", []),
        ):  # fmt: skip
            out = ["--out", str(root / name), "--steps", "3", "--device", "cpu"]
            assert main(["train", "--data", str(root / source), *out, *more]) == 0
    return root


@pytest.fixture(autouse=True)
def judge(monkeypatch, tmp_path_factory):
    """One kept judge for all tests, of few steps."""
    plain = classifier.train
    monkeypatch.setattr(classifier, "train", lambda images, *, steps: plain(images, steps=30, batch=16))
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
    labels = sampler.balanced_labels(9, 3)
    drawn = sampler.draw(trained, 9, labels=labels, seed=3, steps=4, sampler="dpm")
    train, test = load(world / "data"), load(world / "data", "test")
    judge = classifier.cached(train, steps=600)
    held = torch.randperm(18, generator=seeded(3, 1))[:9]
    reference = judge.features(train.images)

    def near(x):
        return pytest.approx(x, abs=1e-4)

    assert rows["recognised"]["drawn"] == near(judge.accuracy(drawn, labels))
    assert rows["recognised"]["real"] == near(judge.accuracy(test.images[held], test.labels[held]))
    assert rows["recognised"]["real"] > 0.5  # else the judge would judge nothing
    assert rows["frechet"]["drawn"] == near(metrics.frechet(reference, judge.features(drawn)))
    assert rows["frechet"]["real"] == near(metrics.frechet(reference, judge.features(test.images[held])))
    assert rows["edges"]["drawn"] == near(metrics.sharpness(drawn))
    assert rows["edges"]["real"] == near(metrics.sharpness(test.images[held]))
    assert rows.keys() == {"recognised", "frechet", "edges"}
    printed = capsys.readouterr().out
    assert f"{rows['frechet']['drawn']:10.4g}{rows['frechet']['real']:10.4g}" in printed
    assert "9 images beside 9 held-out ones, 4 steps of dpm, guidance 0, seed 3" in printed and "note:" not in printed
    assert "need at least 65 images for a Fréchet distance in 64 features, but got 9: most of it is" in printed


def test_it_says_of_how_many_real_images_a_figure_is(world, capsys):
    about = found(world, "classes", "--n", 30)
    assert about["results"]["images"] == 30 and about["results"]["real_images"] == 18  # all that are held out
    assert "30 images beside 18 held-out ones" in capsys.readouterr().out
    assert "as many as were drawn or as there are (real_images)" in about["results"]["note"]
    assert found(world, "classes")["results"]["real_images"] == 9
    assert found(world, "bare", source="bare.npz")["results"]["real_images"] == 0
    assert "9 images beside no held-out ones" in capsys.readouterr().out


def test_what_it_writes_says_how_many_were_drawn_at_once_since_the_noise_depends_on_it(world):
    parts = found(world, "classes", "--at-once", 4)["results"]
    assert parts["how"]["at_once"] == 4
    trained, labels = checkpoint.load(world / "classes"), sampler.balanced_labels(9, 3)
    drawn = sampler.draw(trained, 9, labels=labels, steps=4, sampler="dpm", at_once=4)
    assert parts["rows"]["edges"]["drawn"] == pytest.approx(metrics.sharpness(drawn), abs=1e-4)


def test_what_it_writes_says_how_it_was_made_and_names_no_private_path(world):
    about = found(world, "classes")
    missing = {"command", "commit", "device", "date", "minutes", "torch", "data_sha256", "results"} - about.keys()
    assert not missing and str(world) not in json.dumps(about)
    assert about["command"].startswith("python -m ddpm_core evaluate classes --data data --n 9")
    assert about["model_sha256"] == file_sha256(world / "classes" / "model.safetensors")
    assert about["data_sha256"] == load(world / "data").sha256
    trained = checkpoint.load(world / "classes")
    assert about["recipe"] == trained.about["settings"] | {
        "minutes": None, "training_steps": 3, "only": None, "pixels_sha256": load(world / "data").pixels_sha256,
    }  # fmt: skip
    assert about["results"]["training"]["loss"] == trained.about["loss"]
    assert about["results"]["how"] == {"sampler": "dpm", "steps": 4, "guidance": 0.0, "seed": 0, "at_once": 250}
    assert "not FID" in about["results"]["note"]


def test_a_private_path_is_left_out_however_an_option_is_written(world):
    about = found(world, "classes", f"--data={world / 'data'}", f"--json={world / 'classes.json'}")
    assert about["command"].endswith(" --data=data --json=classes.json") and str(world) not in json.dumps(about)
    assert provenance.public("--data=uoft-cs/cifar10") == "--data=uoft-cs/cifar10"


def test_a_commit_is_that_of_the_packages_own_checkout(tmp_path, monkeypatch):
    """A package that is installed below another's checkout is not at that commit."""
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b.c"]
    package, here = tmp_path / "ddpm_core", "storage/provenance.py"
    (package / "storage").mkdir(parents=True)
    (package / here).write_text("")
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "all"]):
        subprocess.run([*git, *words], check=True)
    head = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    monkeypatch.setattr(provenance, "__file__", str(package / here))
    assert provenance.commit() == head
    (package / here).write_text("changed")
    assert provenance.commit() == head + "+"
    shutil.copytree(package, tmp_path / "lib" / "ddpm_core")
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "lib" / "ddpm_core" / here))
    assert provenance.commit() is None
    monkeypatch.setenv("DDPM_COMMIT", "abc1234")  # said to a copy without its history
    assert provenance.commit() == "abc1234"


def test_a_model_of_one_class_is_held_to_that_class(world):
    rows = found(world, "bright")["results"]["rows"]
    train, test = load(world / "data"), load(world / "data", "test")
    judge = classifier.cached(train, steps=600)
    held = test.images[test.labels == 2]
    assert rows["recognised"]["real"] == pytest.approx(judge.accuracy(held, torch.full((6,), 2)), abs=1e-4)
    reference = judge.features(train.images[train.labels == 2])
    drawn = sampler.draw(checkpoint.load(world / "bright"), 9, steps=4, sampler="dpm")
    assert rows["frechet"]["drawn"] == pytest.approx(metrics.frechet(reference, judge.features(drawn)), abs=1e-4)
    assert rows["recognised"]["drawn"] == pytest.approx(judge.accuracy(drawn, torch.full((9,), 2)), abs=1e-4)


def test_without_labels_there_is_no_judge_and_without_a_split_nothing_held_out(world):
    rows = found(world, "bare", source="bare.npz")["results"]["rows"]
    assert rows.keys() == {"edges"}
    real = metrics.sharpness(load(world / "bare.npz").images)
    assert rows["edges"]["real"] == pytest.approx(real, abs=1e-4)


def test_other_data_are_said_to_be_others(world, tmp_path, capsys):
    shard(tmp_path / "other" / "train.parquet", *pictures(48, 5))
    found(world, "classes", "--data", tmp_path / "other")
    assert "note: other is not, file for file, what the model was trained on" in capsys.readouterr().out


def test_held_out_images_whose_labels_are_kept_back_are_held_against_without_them(world, tmp_path):
    shutil.copytree(world / "data", tmp_path / "data")
    shard(tmp_path / "data" / "test-00000-of-00001.parquet", pictures(18, 1)[0], [-1] * 18)
    rows = found(world, "classes", "--data", tmp_path / "data")["results"]["rows"]
    assert rows["recognised"]["real"] is None and rows["recognised"]["drawn"] >= 0
    assert rows["frechet"]["real"] > 0 and rows["edges"]["real"] > 0


def test_a_model_by_class_is_not_priced_without_labels(world, capsys):
    command = ["evaluate", world / "classes", "--data", world / "bare.npz", "--n", 3, "--bits-per-dim"]
    assert main([str(word) for word in [*command, "--device", "cpu"]]) == 2
    assert "error: need labels for a model that is told classes, but" in capsys.readouterr().err


def test_only_a_split_that_is_not_there_means_that_nothing_is_held_out(world, tmp_path, monkeypatch, capsys):
    trained = checkpoint.load(world / "classes")
    shutil.copytree(world / "data", tmp_path / "data")
    test = tmp_path / "data" / "test-00000-of-00001.parquet"
    test.write_bytes(test.read_bytes()[:-20])
    assert main(["evaluate", str(world / "classes"), "--data", str(tmp_path / "data"), "--device", "cpu"]) == 2
    assert "error: need a whole parquet file, but" in capsys.readouterr().err
    test.unlink()
    assert evaluate.real_images(str(tmp_path / "data"), trained).held_out is None

    def loading(error):
        return lambda source, split="train", **how: load(tmp_path / "data") if split == "train" else fail(error)

    def fail(error):
        raise error

    monkeypatch.setattr(references.data, "load", loading(FileNotFoundError("the Hub did not give it")))
    with pytest.raises(FileNotFoundError, match="the Hub did not give it"):
        evaluate.real_images("club/hats", trained)
    monkeypatch.setattr(references.data, "load", loading(Absent("the Hub has none")))
    assert evaluate.real_images("club/hats", trained).held_out is None


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
    images = load(world / source, "test" if name == "classes" else "train")
    rows = torch.randperm(len(images), generator=seeded(0, 2))[:4]
    net = trained.network if name == "bare" else partial(trained.network, labels=images.labels[rows])
    denoise = prediction.clip_denoised(prediction.denoiser(net, trained.schedule, trained.prediction))
    widths = {"beta": variance.beta, "beta_tilde": variance.interpolated(torch.zeros(()))}
    x0 = to_float(images.images[rows])
    terms = elbo.vlb_terms(denoise, trained.schedule, x0, seeded(0, 3, int(rows[0])), widths[width])
    bits = elbo.bits_per_dim(terms, x0)
    assert row["bound"] == pytest.approx(bits.sum(0).mean().item(), rel=1e-4)
    assert row["L_T"] + row["L_t"] + row["L_0"] == pytest.approx(row["bound"], rel=1e-3)
    assert row["L_0"] == pytest.approx(bits[1].mean().item(), rel=1e-4)
    assert row["error"] == pytest.approx(bits.sum(0).std().item() / 2, rel=0.05)
    split = "held-out" if name == "classes" else "training"
    assert (row["images"], row["split"], row["variance"]) == (4, split, width)


def test_the_bound_calls_the_network_T_times_for_each_image(world, monkeypatch):
    asked, plain = [], prediction.denoiser

    def counted(net, *more):
        denoise = plain(net, *more)
        return lambda x, t: asked.append(len(x)) or denoise(x, t)

    monkeypatch.setattr(prediction, "denoiser", counted)
    found(world, "classes", "--bits-per-dim", "--bits-per-dim-images", 5, "--at-once", 2)
    assert asked == T * [2] + T * [2] + T * [1]


# ---- FID -------------------------------------------------------------------------------------------------------


def test_fid_is_taken_of_as_many_images_as_asked_against_the_training_images(world, monkeypatch, capsys):
    asked, package = [], types.SimpleNamespace(FeatureExtractorInceptionV3=lambda *a: None)
    package.calculate_metrics = lambda **k: asked.append(k) or {"frechet_inception_distance": 12.34567}
    monkeypatch.setitem(sys.modules, "torch_fidelity", package)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)  # --device cpu is meant all the same
    about = found(world, "classes", "--fid", "--fid-images", 20)
    row = about["results"]["rows"]["fid"]
    assert row == {"drawn": 12.346, "images": 20, "reference": "48 training images of data"}
    assert len(asked[0]["input1"]) == 20 and len(asked[0]["input2"]) == 48 and asked[0]["cuda"] is False
    assert about["results"]["images"] == 9  # the others are still judged by what was asked for
    plain = found(world, "classes")["results"]["rows"]
    assert "fid" not in plain
    assert "FID 12.35: 20 against 48 training images of data" in capsys.readouterr().out


def test_without_the_package_nothing_is_drawn(world, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    monkeypatch.setattr(sampler, "draw_batches", lambda *a, **k: pytest.fail("drew images first"))
    assert main(["evaluate", str(world / "classes"), "--data", str(world / "data"), "--fid"]) == 2
    assert capsys.readouterr().err.startswith("error: need the package torch-fidelity for --fid")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere"),
        (["CLASSES", "--data", "nowhere"], "no such data"),
        (["CLASSES", "--data", "DATA", "--sampler", "dpm", "--steps", "13"], "between 1 and T = 12 steps, but got 13"),
        (["CLASSES", "--data", "DATA", "--device", "cuda"], "'cuda' is not available"),
        (["CLASSES", "--data", "DATA", "--sampler", "ddpm", "--steps", "4"], "need all T = 12 steps for the sampler"),
        (["CLASSES", "--data", "DATA", "--variance", "beta"], "need --bits-per-dim for --variance beta"),
        (
            ["CLASSES", "--data", "DATA", "--bits-per-dim-images", "9"],
            "need --bits-per-dim for --bits-per-dim-images 9",
        ),
        (["CLASSES", "--data", "DATA", "--bits-per-dim", "--fid-images", "9"], "need --fid for --fid-images 9"),
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
    net = ddpm_unet.DDPMUNet(1, (8, 16), blocks=1, attention=(), groups=8).eval()
    about = {"size": [8, 8], "names": None, "data": pretrained.NAME, "sampler": "ddim1", "steps": 3}
    asked, theirs = [], Model(net, cosine(T), EPS, about)
    monkeypatch.setattr(pretrained, "load_diffusers", lambda name, **_: asked.append(name) or theirs)
    out = world / "published.json"
    command = [
        "evaluate",
        pretrained.NAME,
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
    assert asked == [pretrained.NAME] and pretrained.NAME in found["command"] and found["model_sha256"] is None
    assert found["results"]["rows"].keys() == {"frechet", "edges", "bits_per_dim"}
    x0 = to_float(load(world / "data", "test").images[torch.randperm(18, generator=seeded(0, 2))[:2]])
    denoise = prediction.clip_denoised(prediction.denoiser(net, theirs.schedule, EPS))
    first = int(torch.randperm(18, generator=seeded(0, 2))[0])
    bits = elbo.bits_per_dim(elbo.vlb_terms(denoise, theirs.schedule, x0, seeded(0, 3, first)), x0).sum(0).mean()
    assert found["results"]["rows"]["bits_per_dim"]["bound"] == pytest.approx(bits.item(), rel=1e-4)


@pytest.mark.parametrize("named", ["digits", "zalando-datasets/fashion_mnist", "world/bare.npz"])
def test_the_default_data_are_those_that_the_checkpoint_names(named, world, tmp_path, monkeypatch, capsys):
    """A name that leads to them wherever it is read, or a path that is here."""
    asked, trained = [], checkpoint.load(world / "classes")
    checkpoint.save(tmp_path / "run", replace(trained, about=trained.about | {"data": named}))

    def load(source, split="train", **how):
        asked.append(source)
        raise FileNotFoundError(source)

    monkeypatch.setattr(references.data, "load", load)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "world").symlink_to(world)
    assert main(["evaluate", "run"]) == 2 and asked == [named]


def test_the_end_of_a_local_path_is_not_taken_for_a_name_on_the_hub(world, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(references.data, "load", lambda *a, **k: pytest.fail("asked for other data"))
    named = checkpoint.load(world / "classes").about["data"]
    assert main(["evaluate", str(world / "classes")]) == 2
    said = capsys.readouterr().err
    assert "error: need --data: the model was trained on a local folder" in said and f"than {named!r}." in said


def test_a_checkpoint_that_says_next_to_nothing_is_evaluated_on_data_that_are_named(world, capsys):
    checkpoint.save(world / "terse", Model(UNet(1, (8,)), cosine(T), V, {"size": [8, 8]}))
    assert main(["evaluate", str(world / "terse")]) == 2
    assert "error: need --data, since the model's file does not say what it was trained on." in capsys.readouterr().err
    results = found(world, "terse")["results"]
    assert results["rows"].keys() == {"frechet", "edges"}
    assert (results["how"]["sampler"], results["how"]["steps"]) == ("dpm", T)  # a recipe's 20, but there are no more


def test_a_grey_model_may_be_smaller_than_its_padding(world, monkeypatch):
    """Images are padded as they were for training, for the judge too."""
    trained = checkpoint.load(world / "classes")
    larger = replace(trained, about=trained.about | {"size": [10, 12]})
    real = evaluate.real_images(str(world / "data"), larger)
    assert real.known.images.shape[2:] == (10, 12) == real.held_out.images.shape[2:]
    assert (real.known.images[:, :, 0] == 0).all()
