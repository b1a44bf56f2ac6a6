"""Trainings by name: each is whole, yields to the command line, and reads what it cost and reached from its file."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from ddpm_core import checkpoint, cookbook, recipe, shelf
from ddpm_core.__main__ import main
from ddpm_core.cookbook import BY_NAME, Plan
from ddpm_core.cost import training_flops
from ddpm_core.data import load_images
from ddpm_core.unet import parameter_count
from ddpm_core.weighting import min_snr

SMALL = recipe.Recipe(channels=(8, 16), attention=(), batch=4, steps=2)
PLAN = Plan("squares", data="digits", recipe=SMALL, images=(1797, 1, 8, 8), classes=10, steps=2, result="squares")


@pytest.fixture
def squares(monkeypatch, tmp_path):
    """A recipe of two small steps, an empty shelf, and a folder to work in; plan(...) changes it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(shelf, "__file__", str(tmp_path / "site-packages" / "ddpm_core" / "shelf.py"))
    monkeypatch.setattr(shelf, "_known", dict)

    def plan(**changes):
        monkeypatch.setitem(BY_NAME, "squares", replace(PLAN, **changes))

    plan()
    return plan


def train(*more):
    return main(["train", "--recipe", "squares", "--device", "cpu", *map(str, more)])


def about(out="runs/squares"):
    return checkpoint.load(out).about


def refused(capsys, *more, arguments=None):
    capsys.readouterr()
    assert (train(*more) if arguments is None else main(arguments)) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    return line


# ---- each is whole ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BY_NAME)
def test_a_plan_is_whole(name):
    plan = BY_NAME[name]
    assert (plan.steps is None) != (plan.minutes is None) and plan.device in ("cpu", "gpu")
    assert plan.data == "digits" or plan.data.count("/") == 1
    assert len(plan.pixels_sha256) == 64 and [other.result for other in BY_NAME.values()].count(plan.result) == 1
    n, *shape = plan.images
    net = cookbook.network(plan)
    side = -(-shape[1] // net.multiple) * net.multiple
    x = torch.empty(2, shape[0], side, side, device="meta")
    assert net(x, torch.ones(2, dtype=torch.long, device="meta")).shape == x.shape and n >= plan.recipe.batch
    assert (plan.classes is not None) == (plan.recipe.by_class and plan.only is None)
    assert json.loads(json.dumps(cookbook.described(plan))) == cookbook.described(plan)


def test_the_digits_are_those_that_the_plan_was_made_with():
    digits, plan = load_images("digits"), BY_NAME["digits"]
    assert digits.pixels_sha256 == plan.pixels_sha256 and digits.images.shape == plan.images
    assert digits.num_classes == plan.classes


@pytest.mark.parametrize(("name", "channels"), [("digits", 1), ("fashion32", 1), ("cars32", 3)])
def test_a_recipe_with_a_name_is_the_one_that_suits_its_images(name, channels):
    side = BY_NAME[name].images[-1]
    images = replace(load_images("digits"), images=torch.zeros(2, channels, side, side, dtype=torch.uint8))
    assert recipe.suits(images) is BY_NAME[name].recipe


def test_a_recipe_in_plain_values_tells_every_change_apart():
    plain = recipe.described(SMALL)
    changes = dict(
        channels=(8, 24), attention=(1,), blocks=2, patch=2, dropout=0.1, flips=True, predict=recipe.EPS,
        weight=cookbook.described, batch=5, lr=1e-3, ema_decay=0.9, by_class=False, label_drop=0.2, sampler="ddim",
        steps=3, schedule=recipe.linear(1000), sentences=("a {}",),
    )  # fmt: skip
    assert changes.keys() == plain.keys()
    for key, value in changes.items():
        now = recipe.described(replace(SMALL, **{key: value}))
        assert {k for k in plain if plain[k] != now[k]} == {key}


def test_weights_that_differ_in_a_number_are_told_apart():
    one, other, again = (recipe.described(replace(SMALL, weight=min_snr(gamma)))["weight"] for gamma in (5.0, 1.0, 5))
    assert one == again == "min_snr(5.0)" and other == "min_snr(1.0)"
    assert recipe.described(SMALL)["weight"] == "uniform"


def test_noise_is_drawn_where_the_generator_lives(monkeypatch):
    class Elsewhere:
        device = torch.device("meta")

    asked, plain = [], torch.randn
    trained = checkpoint.Trained(recipe.network(SMALL, 1, None), recipe.COSINE, recipe.V, {"size": [8, 8]})
    monkeypatch.setattr(
        torch, "randn", lambda *shape, generator, **where: asked.append((generator, where)) or plain(*shape, **where)
    )
    here = Elsewhere()
    _, x_T = next(recipe.chain(trained, 2, generator=here, device="meta"))
    assert asked == [(here, {"device": here.device})] and x_T.shape == (2, 1, 8, 8)


# ---- by the command line ---------------------------------------------------------------------------------------


def test_a_recipe_is_trained_in_a_folder_of_its_name_and_recorded(squares):
    assert train() == 0
    found = about()
    assert found["recipe"] == "squares" and found["settings"] == recipe.described(SMALL)
    assert found["trained_steps"] == 2 and found["length"] == {"steps": 2} and found["batch"] == 4
    assert found["pixels_sha256"] == load_images("digits").pixels_sha256
    assert checkpoint.load("runs/squares").net.config["channels"] == [8, 16]


def test_the_command_line_comes_before_the_recipe(squares, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (9, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "mine.npz", images=images, labels=np.arange(9) % 3)
    squares(only="7", resident=True)
    assert train("--data", tmp_path / "mine.npz", "--only", "", "--steps", 1, "--batch", 3, "--lr", 0.5) == 0
    found = about()
    assert (found["batch"], found["lr"], found["trained_steps"], found["only"]) == (3, 0.5, 1, None)
    assert found["data"].endswith("mine.npz") and found["resident"] is True
    assert found["settings"] == recipe.described(replace(SMALL, batch=3, lr=0.5))
    assert train("--no-resident", "--minutes", 0.001, "--out", "other") == 0
    assert about("other")["resident"] is False and about("other")["only"] == "7"
    assert about("other")["length"] == {"minutes": 0.001}


def test_a_network_that_is_not_told_the_class_has_none(squares):
    squares(recipe=replace(SMALL, by_class=False))
    assert train() == 0
    trained = checkpoint.load("runs/squares")
    assert trained.net.num_classes is None and trained.about["names"] is None


def test_other_pictures_are_said_to_be_others(squares, capsys):
    pixels = load_images("digits").pixels_sha256
    squares(pixels_sha256=pixels)
    assert train() == 0
    assert "other pictures" not in capsys.readouterr().out
    squares(pixels_sha256="f" * 64)
    assert train("--out", "other") == 0
    assert f"the sha256 of theirs is ffffffffffff..., of these {pixels[:12]}..." in capsys.readouterr().out


def test_a_run_is_resumed_by_its_own_recipe_or_not_at_all(squares, capsys, monkeypatch):
    assert train() == 0
    monkeypatch.setitem(BY_NAME, "other", PLAN)
    plain = ["train", "--device", "cpu", "--resume", "--steps", "4", "--out", "runs/squares"]
    for arguments, got in ((["--recipe", "other"], "'other'"), ([], "None")):
        said = refused(capsys, arguments=[*plain, *arguments])
        assert f"need the run's own recipe to resume it, which is 'squares', but got {got}" in said
    for changes, key in (
        ({"flips": True}, "flips"),
        ({"label_drop": 0.5}, "label_drop"),
        ({"dropout": 0.3}, "dropout"),
    ):
        squares(recipe=replace(SMALL, **changes))
        assert f"need the run's own {key}" in refused(capsys, "--resume", "--steps", 4)
    squares()
    assert train("--resume", "--steps", 3) == 0 and about()["trained_steps"] == 3


# ---- what a CPU cannot do --------------------------------------------------------------------------------------


def pace(monkeypatch, found):
    def result(name, recipe=None):
        if found is None:
            raise FileNotFoundError(name)
        return {"device": "3 CPU cores", "results": found}

    monkeypatch.setattr(shelf, "result", result)


def test_a_gpus_recipe_on_a_cpu_says_how_long_one_look_would_take(capsys, monkeypatch):
    pace(monkeypatch, {"images_seen": 1000, "minutes": 0.5})
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    said = refused(capsys, arguments=["train", "--recipe", "cifar10"])
    flops = [
        training_flops(cookbook.network(BY_NAME[n]), s)
        for n, s in (("cifar10", (3, 32, 32)), ("fashion32", (1, 32, 32)))
    ]
    hours = 50_000 * flops[0] / (1000 * flops[1] / 30) / 3600
    assert f"3 CPU cores would look once at its 50,000 images in about {hours:.1f} hours" in said
    assert "need a GPU for the recipe cifar10" in said and "--recipe digits or fashion32 or cars32" in said


def test_without_a_measured_pace_it_says_the_rest(capsys, monkeypatch):
    pace(monkeypatch, None)
    assert cookbook.why_not_on_a_cpu("cifar10").startswith("need a GPU for the recipe cifar10; --recipe digits or")


def test_a_gpus_recipe_goes_on_a_cpu_if_one_insists(squares, capsys, monkeypatch):
    squares(device="gpu", images=(1797, 1, 8, 8))
    assert "need a GPU for the recipe squares" in refused(capsys)  # --device cpu alone is no length
    assert "need a GPU" in refused(capsys, arguments=["train", "--recipe", "squares", "--steps", "1"])
    assert train("--steps", 1) == 0


# ---- what it cost and reached ----------------------------------------------------------------------------------

ROWS = {
    "recognised": {"drawn": 0.875, "real": 0.9},
    "bits_per_dim": {"bound": 3.6543, "images": 4, "split": "held-out"},
}


def shelve(squares, tmp_path, **changes):
    """A results file as `evaluate --json` writes it."""
    found = dict(command="python -m ddpm_core evaluate", commit="1", device="an abacus", date="1642-01-01", minutes=1)
    found |= {"recipe": cookbook.described(PLAN), "results": {"training": {"minutes": 12.5}, "rows": ROWS}} | changes
    folder = tmp_path / "book" / "results"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "squares.json").write_text(json.dumps(found))
    squares(reached=cookbook.of_evaluation)


def test_what_nobody_has_run_is_not_measured(squares):
    assert cookbook.measured(PLAN) == "not measured"


def test_what_was_measured_is_read_from_its_file(squares, tmp_path):
    shelve(squares, tmp_path)
    said = cookbook.measured(BY_NAME["squares"])
    assert said.startswith("12.5 minutes; recognised 0.875 (real 0.9), at most 3.654 bits per dimension (4 held-out")
    assert said.endswith("images) (an abacus, 1642-01-01)")


def test_a_file_that_another_recipe_made_is_refused(squares, tmp_path):
    for key, value in {"lr": 0.5, "training_steps": 3, "pixels_sha256": "0" * 64}.items():
        shelve(squares, tmp_path, recipe=cookbook.described(PLAN) | {key: value})
        with pytest.raises(ValueError, match=f"need a results file of this very recipe, with {key} "):
            shelf.result("squares", cookbook.described(PLAN))
        assert shelf.result("squares")["device"] == "an abacus"  # for whoever asks for no recipe
        assert cookbook.measured(BY_NAME["squares"]).startswith("not measured: need a results file of this very recipe")


def test_a_file_that_cannot_be_fetched_is_not_called_unmeasured(squares, monkeypatch):
    monkeypatch.setattr(shelf, "_known", lambda: {"squares.json": "0" * 64})
    monkeypatch.setattr(shelf, "repository", lambda: "http://127.0.0.1:9/nowhere")
    assert cookbook.measured(PLAN) == "in squares.json, which could not be fetched"


def test_the_listing_names_them_all_with_figures_from_their_files(capsys):
    assert main(["recipes"]) == 0
    printed = capsys.readouterr().out
    blocks = {block.split("\n")[0]: block for block in printed.strip().split("\n\n")}
    assert list(blocks) == list(BY_NAME)
    for name, plan in BY_NAME.items():
        assert f"{parameter_count(cookbook.network(plan)) / 1e6:.2f} M" in blocks[name] and plan.data in blocks[name]
    fashion = shelf.result("fashion32")["results"]
    assert f"{fashion['best']['recognised']:.3f} recognised" in blocks["fashion32"]
    assert f"{fashion['real_frechet']:.2f})" in blocks["fashion32"]
    digits = [run["held_out"]["frechet"] for run in shelf.result("digits")["results"]["runs"]]
    assert f"Fréchet distance {np.mean(digits):.2f}" in blocks["digits"]
    assert f"{shelf.result('cars32')['results']['images_seen']:,} images seen" in blocks["cars32"]
    longest = shelf.result("car_minutes")["results"]["steps"][str(BY_NAME["cars32-gpu"].steps)]
    assert f"{longest['minutes']:.1f} minutes; {longest['images']:,} images seen" in blocks["cars32-gpu"]
    assert f"{longest['solved']['recognised'][0]:.3f} recognised" in blocks["cars32-gpu"]


def test_an_unknown_recipe_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["train", "--recipe", "soup"])
    assert "invalid choice: 'soup'" in capsys.readouterr().err
