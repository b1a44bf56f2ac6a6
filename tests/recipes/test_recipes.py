"""Trainings by name: each is whole, and yields to the command line."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from ddpm_core.book import results
from ddpm_core.cli import main
from ddpm_core.data import load
from ddpm_core.data.times import logit_normal
from ddpm_core.diffusion.loss import min_snr, sample_timesteps
from ddpm_core.recipes import config, recipes
from ddpm_core.recipes.recipes import RECIPES, Recipe
from ddpm_core.storage import checkpoint
from ddpm_core.training import optimizers

SMALL = config.TrainingConfig(channels=(8, 16), attention=(), batch=4, steps=2)
PLAN = Recipe("squares", data="digits", config=SMALL, images=(1797, 1, 8, 8), classes=10, steps=2)


@pytest.fixture
def squares(monkeypatch, tmp_path):
    """A recipe of two small steps, an empty shelf, and a folder to work in; plan(...) changes it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(results, "__file__", str(tmp_path / "site-packages" / "ddpm_core" / "book" / "results.py"))
    monkeypatch.setattr(results, "_known", dict)

    def plan(**changes):
        monkeypatch.setitem(RECIPES, "squares", replace(PLAN, **changes))

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


@pytest.mark.parametrize("name", RECIPES)
def test_a_plan_is_whole(name):
    plan = RECIPES[name]
    assert (plan.steps is None) != (plan.minutes is None) and plan.device in ("cpu", "gpu")
    assert plan.data in ("digits", "shapes") or plan.data.count("/") == 1
    assert len(plan.pixels_sha256) == 64
    n, *shape = plan.images
    net = recipes.network(plan)
    side = -(-shape[1] // net.multiple) * net.multiple
    x = torch.empty(2, shape[0], side, side, device="meta")
    assert net(x, torch.ones(2, dtype=torch.long, device="meta")).shape == x.shape and n >= plan.config.batch
    assert (plan.classes is not None) == (plan.config.by_class and plan.only is None and not plan.words)
    assert json.loads(json.dumps(recipes.described(plan))) == recipes.described(plan)


def test_the_digits_are_those_that_the_plan_was_made_with():
    digits, plan = load("digits"), RECIPES["digits"]
    assert digits.pixels_sha256 == plan.pixels_sha256 and digits.images.shape == plan.images
    assert digits.num_classes == plan.classes


@pytest.mark.parametrize(("name", "channels"), [("digits", 1), ("fashion32", 1), ("cars32", 3)])
def test_a_recipe_with_a_name_is_the_one_that_suits_its_images(name, channels):
    side = RECIPES[name].images[-1]
    images = replace(load("digits"), images=torch.zeros(2, channels, side, side, dtype=torch.uint8))
    assert config.suits(images) == replace(RECIPES[name].config, flips=False)  # nobody's pictures are mirrored unasked


def test_a_recipe_in_plain_values_tells_every_change_apart():
    plain = config.described(SMALL)
    changes = dict(
        channels=(8, 24), attention=(1,), blocks=2, patch=2, dropout=0.1, flips=True, predict=config.EPS,
        weight=recipes.described, batch=5, lr=1e-3, ema_decay=0.9, by_class=False, label_drop=0.2, sampler="ddim",
        steps=3, schedule=config.linear(1000), sentences=("a {}",), cross_attention=(1,),
        optimizer=optimizers.muon(0.02), times=logit_normal(), text_encoder="owner/name",
    )  # fmt: skip
    assert changes.keys() == plain.keys()
    for key, value in changes.items():
        now = config.described(replace(SMALL, **{key: value}))
        assert {k for k in plain if plain[k] != now[k]} == {key}


def test_ways_to_draw_times_are_told_apart():
    ways = (sample_timesteps, logit_normal(), logit_normal(0.5, 2))
    names = [config.described(replace(SMALL, times=times))["times"] for times in ways]
    assert names == ["uniform", "logit_normal(0.0, 1.0)", "logit_normal(0.5, 2.0)"]


def test_weights_that_differ_in_a_number_are_told_apart():
    one, other, again = (config.described(replace(SMALL, weight=min_snr(gamma)))["weight"] for gamma in (5.0, 1.0, 5))
    assert one == again == "min_snr(5.0)" and other == "min_snr(1.0)"
    assert config.described(SMALL)["weight"] == "uniform"


# ---- by the command line ---------------------------------------------------------------------------------------


def test_a_recipe_is_trained_in_a_folder_of_its_name_and_recorded(squares):
    assert train() == 0
    found = about()
    assert found["recipe"] == "squares" and found["settings"] == config.described(SMALL)
    assert found["trained_steps"] == 2 and found["length"] == {"steps": 2} and found["batch"] == 4
    assert found["pixels_sha256"] == load("digits").pixels_sha256
    assert checkpoint.load("runs/squares").network.config["channels"] == [8, 16]


def test_the_command_line_comes_before_the_recipe(squares, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (9, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "mine.npz", images=images, labels=np.arange(9) % 3)
    squares(only="7", resident=True)
    assert train("--data", tmp_path / "mine.npz", "--only", "", "--steps", 1, "--batch", 3, "--lr", 0.5) == 0
    found = about()
    assert (found["batch"], found["lr"], found["trained_steps"], found["only"]) == (3, 0.5, 1, None)
    assert found["data"].endswith("mine.npz") and found["resident"] is True
    assert found["settings"] == config.described(replace(SMALL, batch=3, lr=0.5))
    assert train("--no-resident", "--minutes", 0.001, "--out", "other") == 0
    assert about("other")["resident"] is False and about("other")["only"] == "7"
    assert about("other")["length"] == {"minutes": 0.001}


def test_a_network_that_is_not_told_the_class_has_none(squares):
    squares(config=replace(SMALL, by_class=False))
    assert train() == 0
    trained = checkpoint.load("runs/squares")
    assert trained.network.num_classes is None and trained.about["names"] is None


def test_other_pictures_are_said_to_be_others(squares, capsys):
    pixels = load("digits").pixels_sha256
    squares(pixels_sha256=pixels)
    assert train() == 0
    assert "other pictures" not in capsys.readouterr().out
    squares(pixels_sha256="f" * 64)
    assert train("--out", "other") == 0
    assert f"the sha256 of theirs is ffffffffffff..., of these {pixels[:12]}..." in capsys.readouterr().out


def test_a_run_is_resumed_by_its_own_recipe_or_not_at_all(squares, capsys, monkeypatch):
    assert train() == 0
    monkeypatch.setitem(RECIPES, "other", PLAN)
    plain = ["train", "--device", "cpu", "--resume", "--steps", "4", "--out", "runs/squares"]
    for arguments, got in ((["--recipe", "other"], "'other'"), ([], "None")):
        said = refused(capsys, arguments=[*plain, *arguments])
        assert f"need the run's own recipe to resume it, which is 'squares', but got {got}" in said
    for changes, key in (
        ({"flips": True}, "flips"),
        ({"label_drop": 0.5}, "label_drop"),
        ({"dropout": 0.3}, "dropout"),
    ):
        squares(config=replace(SMALL, **changes))
        assert f"need the run's own {key}" in refused(capsys, "--resume", "--steps", 4)
    squares()
    assert train("--resume", "--steps", 3) == 0 and about()["trained_steps"] == 3


# ---- what a CPU cannot do --------------------------------------------------------------------------------------


def test_a_gpus_recipe_on_a_cpu_says_how_long_one_look_would_take(capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    said = refused(capsys, arguments=["train", "--recipe", "cifar10"])
    assert re.search(r"would look once at its 50,000 images in about [\d.]+ hours", said)
    assert "need a GPU for the recipe cifar10" in said and "--recipe digits or fashion32 or cars32" in said


def test_a_gpus_recipe_goes_on_a_cpu_if_one_insists(squares, capsys, monkeypatch):
    squares(device="gpu", images=(1797, 1, 8, 8))
    monkeypatch.setattr(recipes, "pace", lambda name: "")
    assert "need a GPU for the recipe squares" in refused(capsys)  # --device cpu alone is no length
    assert "need a GPU" in refused(capsys, arguments=["train", "--recipe", "squares", "--steps", "1"])
    assert train("--steps", 1) == 0


def test_an_unknown_recipe_is_refused(capsys):
    said = refused(capsys, arguments=["train", "--recipe", "soup"])
    assert said == f"error: need one of the recipes {', '.join(RECIPES)}, but got --recipe soup."
