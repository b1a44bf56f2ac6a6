"""A user's own pictures by the command line: what a run says before it begins, and what it must never do with them."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ddpm_core.cli import main
from ddpm_core.cli.arguments import parser
from ddpm_core.data import load
from ddpm_core.data.preparation import COLOURS
from ddpm_core.evaluation import classifier
from ddpm_core.recipes import config
from ddpm_core.storage import checkpoint

SMALL = config.TrainingConfig(channels=(8, 16), attention=(), batch=4, steps=2)


@pytest.fixture(autouse=True)
def _small(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DDPM_CORE_CACHE", str(tmp_path / ".cache"))
    for name in ("DIGITS", "FASHION32", "COLOUR32"):
        monkeypatch.setattr(config, name, SMALL)


@pytest.fixture
def save():
    """save(path[, h, w, c]): one more picture of noise."""
    chance = np.random.default_rng(0)

    def write(path, h=8, w=8, c=3, **how):
        pixels = chance.integers(0, 256, (h, w, c), dtype=np.uint8)
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels[..., 0] if c == 1 else pixels).save(path, **how)

    return write


@pytest.fixture
def pics(save):
    for k in range(4):
        save(f"pics/{k}.png")
    return "pics"


def train(*words, out="run"):
    return main(["train", "--steps", "1", "--batch", "2", "--device", "cpu", "--out", str(out), *map(str, words)])


def first_line(capsys):
    return capsys.readouterr().out.splitlines()[0]


def refused(capsys, *words):
    """The one sentence of a command that must fail."""
    capsys.readouterr()
    assert main([*map(str, words)]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    return line


# ---- the first line --------------------------------------------------------------------------------------------


def test_a_run_begins_with_what_it_trains_on(save, capsys):
    for k in range(3):
        save(f"pics/train/cat/{k}.tif")
    save("pics/train/dog/0.png")
    save("pics/test/dog/0.png")
    Path("pics/film.mp4").write_bytes(b"?")
    assert train("--data", "pics") == 0
    what = "4 images (3 .tif, 1 .png) of 8x8, rgb, 2 classes (cat, dog), not mirrored"
    assert first_line(capsys) == f"{what}; left out: 1 .mp4, 1 of the split test"
    assert train("--data", "pics", "--only", "cat", "--flips") == 0
    assert first_line(capsys).startswith("3 images (3 .tif, 1 .png) of 8x8, rgb, of the class cat, mirrored at random;")


def test_digits_and_captions_are_said_too(save, pics, capsys):
    assert train() == 0
    assert first_line(capsys) == "1,797 images of 8x8, grey, 10 classes (0, 1, 2, 3, 4, 5, 6, 7, 8, 9), not mirrored"
    for k in range(4):
        Path(f"pics/{k}.txt").write_text("a caption" if k else "", "utf-8")
    assert train("--data", pics) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[:2] == ["4 images of 8x8, rgb, no classes, not mirrored", "note: 1 have no caption"]


def test_captions_of_a_folder_are_learned(pics, monkeypatch, capsys):
    """Missing ones are the empty caption; prompts to draw by are those that say something."""
    Path("pics/metadata.jsonl").write_text(
        "\n".join(json.dumps({"file_name": f"{k}.png", "text": text}) for k, text in enumerate(["a cat", "", "a dog"]))
    )
    monkeypatch.setattr(config, "DIGITS", replace(SMALL, sentences=("a {}",)))
    assert train("--data", pics) == 0
    assert "told by captions of 3 words" in first_line(capsys)
    assert checkpoint.load("run").about["prompts"] == ["a cat", "a dog"]


# ---- splits and held-out images --------------------------------------------------------------------------------


def test_one_cannot_draw_the_class_test(save, capsys):
    for split in ("train", "test"):
        save(f"pics/{split}/0.png")
    assert train("--data", "pics") == 0
    assert "no classes to choose from" in refused(capsys, "sample", "run", "--label", "test", "--out", "x.png")


def test_nothing_is_called_held_out_that_is_not(pics, capsys):
    assert train("--data", pics) == 0
    assert main(["evaluate", "run", "--data", pics, "--n", "4", "--steps", "1", "--device", "cpu"]) == 0
    assert "4 images beside no held-out ones" in capsys.readouterr().out


def test_held_out_classes_are_the_models_own(save, monkeypatch, capsys):
    """Of a test split that lacks a class, and has another one."""
    plain = classifier.train
    monkeypatch.setattr(classifier, "train", lambda images, *, steps: plain(images, steps=3, batch=4))
    for name in ("train/ant", "train/cat", "train/dog", "test/cat", "test/dog", "test/yak"):
        for k in range(3):
            save(f"pics/{name}/{k}.png")
    assert train("--data", "pics") == 0
    assert checkpoint.load("run").about["names"] == ["ant", "cat", "dog"]
    command = ["evaluate", "run", "--data", "pics", "--n", "9", "--steps", "1", "--device", "cpu", "--json", "e.json"]
    assert main(command) == 0
    found = json.loads(Path("e.json").read_text("utf-8"))["results"]
    assert found["real_images"] == 6 and 0 <= found["rows"]["recognised"]["real"] <= 1


# ---- mirroring -------------------------------------------------------------------------------------------------


def test_nobodys_pictures_are_mirrored_unasked(pics, monkeypatch, capsys):
    monkeypatch.undo()
    for side, channels in ((8, 1), (32, 1), (32, 3), (64, 4)):
        images = load("digits", size=side, colour={1: "grey", 3: "rgb", 4: "rgba"}[channels])
        assert not config.suits(images).flips
    assert config.CARS32.flips  # a recipe by name keeps its own


@pytest.mark.parametrize(("words", "flips"), [([], False), (["--flips"], True), (["--no-flips"], False)])
def test_mirroring_is_asked_for_and_can_be_refused(pics, words, flips, capsys):
    assert train("--data", pics, *words) == 0
    assert ("mirrored at random" in first_line(capsys)) == flips
    assert checkpoint.load("run").about["settings"]["flips"] is flips
    if flips:
        said = refused(capsys, "train", "--data", pics, "--steps", 2, "--batch", 2, "--resume", "--out", "run")
        assert "need the run's own flips to resume it, which is True, but got False" in said


# ---- sizes and colours -----------------------------------------------------------------------------------------


@pytest.fixture
def mixed(save):
    for k, shape in enumerate([(20, 30, 3), (30, 20, 4), (16, 16, 1)]):
        save(f"mixed/{k}.png", *shape)
    return "mixed"


def test_all_sorts_are_trained_on_in_one_command_and_remembered(mixed, capsys):
    said = refused(capsys, "train", "--data", mixed, "--steps", 1, "--device", "cpu")
    assert "mixed/0.png" in said and "--size 16 --colour rgb takes them all" in said and not Path("runs").exists()
    options = ["--size", "8", "--colour", "grey"]
    assert train("--data", mixed, *options) == 0
    assert first_line(capsys).startswith("3 images of 8x8, grey, ")
    about = checkpoint.load("run").about
    assert about["prepared"] == {"size": 8, "colour": "grey"} and about["size"] == [8, 8]
    assert about["pixels_sha256"] == load(mixed, size=8, colour="grey").pixels_sha256
    resume = ["train", "--data", mixed, "--steps", "2", "--batch", "2", "--device", "cpu", "--out", "run", "--resume"]
    assert "need the run's own prepared to resume it" in refused(capsys, *resume, "--size", "16")
    assert main(resume) == 0  # with its own, unasked
    assert checkpoint.load("run").about["prepared"] == {"size": 8, "colour": "grey"}
    assert main(["evaluate", "run", "--data", mixed, "--n", "4", "--steps", "1", "--device", "cpu"]) == 0
    assert "note:" not in capsys.readouterr().out  # these are what it was trained on


def test_a_run_of_an_earlier_version_was_trained_on_what_was_there(pics, capsys):
    assert train("--data", pics) == 0
    trained = checkpoint.load("run")
    del trained.about["prepared"]
    checkpoint.save("run", trained)
    assert train("--data", pics, "--resume") == 0
    resume = ["train", "--data", pics, "--batch", 2, "--steps", 1, "--resume", "--out", "run", "--size", "4"]
    assert "need the run's own prepared" in refused(capsys, *resume)
    assert main(["evaluate", "run", "--data", pics, "--n", "4", "--steps", "1", "--device", "cpu"]) == 0


def test_images_of_another_colour_are_not_held_against(pics, save, capsys):
    assert train("--data", pics) == 0
    save("grey/0.png", c=1)
    said = refused(capsys, "evaluate", "run", "--data", "grey", "--n", "4", "--steps", "1", "--device", "cpu")
    assert "need images of 3 channels, as the model draws them, but grey's have 1" in said


def test_the_command_line_names_the_colours_there_are():
    help_of_training = parser()._subparsers._group_actions[0].choices["train"].format_help()
    assert "{" + ",".join(COLOURS) + "}" in help_of_training and "mirror images at random" in help_of_training


# ---- where results go ------------------------------------------------------------------------------------------

PLACES = [
    (["train", "--out", "taken"], "--out"), (["train", "--out", "taken/run"], "--out"),
    (["train", "--log", "taken"], "--log"), (["sample", "run", "--out", "taken/s.png"], "--out"),
    (["sample", "run", "--out", "folder.png"], "--out"), (["evaluate", "run", "--json", "taken/e.json"], "--json"),
    (["evaluate", "run", "--json", "folder.png"], "--json"),
    (["export", "run", "--out", "taken/m.safetensors"], "--out"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "option"), PLACES)
def test_where_results_shall_go_is_tried_before_the_work(words, option, pics, monkeypatch, capsys):
    assert train("--data", pics) == 0
    Path("taken").write_text("a file of that name")
    Path("folder.png").mkdir()
    for work in ("ddpm_core.sampler.draw_batches", "ddpm_core.trainer.run", "ddpm_core.storage.checkpoint.export"):
        monkeypatch.setattr(work, lambda *a, **k: pytest.fail("worked first"))
    data = ["--data", pics] if words[0] in ("train", "evaluate") else []
    before = sorted(Path().rglob("*"))
    said = refused(capsys, *words, *data)
    assert f"for {option}, but " in said and ("taken is a file" in said or "is a folder" in said)
    assert sorted(Path().rglob("*")) == before


def test_trying_leaves_nothing_behind(pics, capsys):
    assert "no such data" in refused(capsys, "train", "--data", "nowhere", "--out", "a/b/c", "--log", "d/e")
    assert sorted(path.name for path in Path().iterdir()) == ["pics"]


# ---- a folder that is the user's -------------------------------------------------------------------------------


def test_a_runs_own_samples_are_no_pictures(pics, monkeypatch, capsys):
    monkeypatch.chdir("pics")
    for words in (["--data", "."], ["--data", ".", "--resume", "--steps", "2"]):
        assert main(["train", "--steps", "1", "--batch", "2", "--device", "cpu", *words]) == 0
        assert first_line(capsys).startswith("4 images of 8x8")
    assert main(["sample", "--n", "4", "--steps", "1", "--device", "cpu"]) == 0  # samples.png, beside the pictures
    assert train("--data", ".") == 0
    assert "1 drawn by this package" in capsys.readouterr().out
    assert checkpoint.load("run").about["data"] == "pics"
    assert main(["evaluate", "--data", ".", "--n", "4", "--steps", "1", "--device", "cpu"]) == 0


def test_a_folder_with_the_users_pictures_is_never_moved(pics, capsys):
    for seed in (0, 1, 2):
        assert train("--data", pics, "--seed", seed, out=pics) == 0
    assert "it now lies in pics-2" in capsys.readouterr().out
    seeds = {str(folder): checkpoint.load(folder).about["seed"] for folder in ("pics-1", "pics-2", "pics")}
    assert seeds == {"pics-1": 0, "pics-2": 1, "pics": 2}
    assert sorted(path.name for path in Path("pics").glob("[0-9].png")) == ["0.png", "1.png", "2.png", "3.png"]
    assert not list(Path("pics-1").glob("[0-9].png"))


def test_the_folder_that_we_stand_in_stays_too(pics, monkeypatch, tmp_path):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for _ in range(2):
        assert train("--data", tmp_path / pics, out=".") == 0
    assert Path.cwd() == tmp_path / "here" and checkpoint.load(".") and checkpoint.load(tmp_path / "here-1")


# ---- words -----------------------------------------------------------------------------------------------------


def test_a_class_from_a_mac_is_found_as_it_is_typed(save, capsys):
    for name in ("cafe\u0301", "bar"):
        save(f"pics/{name}/0.png")
    assert train("--data", "pics", "--only", "caf\u00e9") == 0
    assert train("--data", "pics", out="all") == 0
    assert main(["sample", "all", "--label", "cafe\u0301", "--n", "1", "--device", "cpu", "--out", "x.png"]) == 0


@pytest.mark.parametrize("command", ["train", "sample", "evaluate"])
def test_a_seed_that_no_generator_takes_is_refused(command, capsys):
    with pytest.raises(SystemExit):
        main([command, "--seed", str(10**20)])
    assert "argument --seed: need a whole number of at most 63 bits, but got 1000" in capsys.readouterr().err


def test_an_empty_picture_is_named(pics, capsys):
    Path("pics/zero.png").write_bytes(b"")
    assert "need images that decode, but pics/zero.png is empty" in refused(capsys, "train", "--data", pics)


@pytest.mark.parametrize("raw", [b"PK\x03\x04" + bytes(60), b"anything"])
def test_a_pt_file_is_of_another_kind(raw, capsys):
    Path("old.pt").write_bytes(raw)
    assert "old.pt is of another kind, as torch.save writes it" in refused(capsys, "sample", "old.pt")


def test_one_picture_twice_is_at_a_distance_that_means_something(capsys):
    np.savez(
        "few.npz", images=np.repeat(np.random.default_rng(0).integers(0, 256, (1, 8, 8), np.uint8), 2, 0), labels=[0, 1]
    )
    assert train("--data", "few.npz") == 0
    command = ["evaluate", "run", "--data", "few.npz", "--steps", "1", "--device", "cpu", "--json", "e.json", "--n"]
    assert main([*command, "5"]) == 0
    assert 0 < json.loads(Path("e.json").read_text())["results"]["rows"]["frechet"]["drawn"] < 1e4
    assert main([*command, "1"]) == 0  # one has no spread, so no distance either
    assert "frechet" not in json.loads(Path("e.json").read_text())["results"]["rows"]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_a_terminal_of_few_letters_is_written_to_all_the_same(encoding):
    """`recipes` speaks of a Fréchet distance, and a folder may be called anything."""
    told = os.environ | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0", "LC_ALL": "C"}
    done = subprocess.run([sys.executable, "-m", "ddpm_core", "recipes"], env=told, capture_output=True)
    assert done.returncode == 0 and b"chet distance" in done.stdout
    command = [sys.executable, "-m", "ddpm_core", "sample", "\u732b\u00e9", "--device", "cpu", "--out", "x.png"]
    done = subprocess.run(command, env=told, capture_output=True)
    assert done.returncode == 2 and done.stderr.startswith(b"error: ") and b"Traceback" not in done.stderr
