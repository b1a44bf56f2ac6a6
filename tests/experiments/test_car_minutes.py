"""Quality against minutes of a GPU: trainings made elsewhere are held to the recipe, and judged once."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from ddpm_core import data, unet
from ddpm_core.diffusion.model import Model
from ddpm_core.recipes import config, recipes
from ddpm_core.storage import checkpoint
from experiments.ch08 import car_minutes
from experiments.ch08.car_minutes import BOOK, Settings
from experiments.ch16 import club, judging

RECIPE = replace(BOOK.recipe, config=replace(config.CARS32_GPU, steps=3))
CARS = dict(settings=config.described(RECIPE.config), only=RECIPE.only, pixels_sha256=RECIPE.pixels_sha256)
ABOUT = CARS | dict(size=[8, 8], minutes=9.0, device="an abacus", loss=0.5)


@pytest.fixture
def kept(tmp_path):
    """Where the trainings lie: two of a seed each, the club's, and the pace."""
    return tmp_path / "runs" / "car_minutes"


@pytest.fixture
def small(small_cars, narrow, kept, written, tmp_path):
    """small(*arguments) runs the script over squares of 8x8, on what lies in `kept`."""
    sha256 = data.load(small_cars).sha256
    for steps in (2, 5):
        for seed in (0, 1):
            about = ABOUT | dict(length={"steps": steps}, seed=seed, data_sha256=sha256)
            about |= dict(trained_steps=steps, images_seen=4 * steps)
            checkpoint.save(kept / f"{steps}-{seed}", Model(unet.UNet(3, (8, 16)), config.COSINE, config.V, about))
    foot = narrow[0].network(8, club.T).state_dict()
    (kept / "club").mkdir()
    torch.save({"net": foot, "reports": [(1, 0.5, 60.0), (3, 0.25, 90.0)]}, kept / "club" / "training.pt")
    (kept / "pace.json").write_text(json.dumps({"steps_a_second": 0.1, "device": "an abacus"}))
    settings = Settings(
        results=tmp_path, runs=tmp_path / "runs", data=small_cars, side=8, samples=6, priced=0, judging=4,
        recipe=RECIPE, ladder=narrow, device="cpu",
    )  # fmt: skip

    def run(*arguments):
        car_minutes.main(["--steps", "2", "5", *arguments], settings)
        return written("car_minutes")

    return run


def test_a_minute_is_so_many_steps_and_the_file_names_the_device_of_the_trainings(small, small_cars, tmp_path):
    about = small()
    found = about["results"]
    assert {steps: row["minutes"] for steps, row in found["steps"].items()} == {"2": 0.33, "5": 0.83}  # at 6 a minute
    for row in found["steps"].values():
        assert row["seeds"] == [0, 1] and all(len(row[how]["frechet"]) == 2 for how in ("as_cars32", "solved"))
        assert row["bound"] is None  # which nobody has asked for
    assert all(run["frechet"] != run["solved"]["frechet"] for run in found["runs"])
    assert about["device"] == "an abacus" and about["data_sha256"] == data.load(small_cars).sha256
    assert about["recipe"] == recipes.described(RECIPE)
    assert about["command"] == "python -m experiments.ch08.car_minutes --steps 2 5"
    theirs = found["club"]
    assert (theirs["images"], theirs["minutes"], theirs["loss"]) == (3 * club.BATCH, 1.5, 0.25)
    assert about["minutes"] == pytest.approx(14 / 6 + 1.5, abs=0.06)
    assert (tmp_path / "car_minutes.png").is_file() and (tmp_path / "cars32-gpu.png").is_file()


def test_the_bound_is_summed_up_over_the_seeds():
    looks = dict.fromkeys(car_minutes.LOOKS, 1.0)
    run = looks | dict(steps=2, images=8, tera_flops=0.1, solved=looks)
    runs = [run | dict(seed=seed, bits_per_dim={"bound": 4.0 + seed}) for seed in (0, 1)]
    assert car_minutes.summary(runs, 0.1)["2"]["bound"] == [4.5, 0.71]


def test_what_is_judged_is_not_judged_again_but_for_other_weights(small, kept, capsys):
    def judged():
        return capsys.readouterr().out.count("'sha256'")

    found = small("--steps", "5")
    assert judged() == 5  # the club's, and both of ours in two ways
    assert small("--steps", "5")["results"] == found["results"] and judged() == 0
    made = checkpoint.load(kept / "5-1")
    for p in made.network.parameters():
        p.data.add_(0.1)
    checkpoint.save(kept / "5-1", made)
    assert small("--steps", "5")["results"] != found["results"] and judged() == 2  # as it draws in both ways


@pytest.mark.parametrize(("key", "value"), [("trained_steps", 4), ("seed", 7), ("data_sha256", "another"), ("lr", 7.0)])
def test_a_checkpoint_of_another_training_is_refused(small, kept, key, value):
    made = checkpoint.load(kept / "5-1")
    other = {"settings": made.about["settings"] | {key: value}} if key == "lr" else {key: value}
    checkpoint.save(kept / "5-1", replace(made, about=made.about | other))
    with pytest.raises(SystemExit, match=f"need 5-1 with {key} .*, but there it is {value!r}"):
        small()


def test_a_pace_of_another_device_is_refused(small, kept):
    (kept / "pace.json").write_text(json.dumps({"steps_a_second": 0.1, "device": "a slide rule"}))
    with pytest.raises(SystemExit, match="need trainings on the a slide rule of the pace, but got an abacus"):
        small()
    (kept / "pace.json").unlink()
    with pytest.raises(SystemExit, match="nobody has measured it: --pace does"):
        small()


def test_the_pace_is_of_the_steps_after_the_warm_ones():
    narrow = replace(config.CARS32_GPU, channels=(8, 16), attention=(), batch=4)
    clock = iter([100.0, 108.0])  # looked at after the warm steps, and at the end
    cars = torch.zeros(6, 3, 8, 8, dtype=torch.uint8)
    assert car_minutes.pace(cars, narrow, "cpu", steps=20, warm=10, clock=lambda: next(clock)) == 20 / 8


# ---- copies ----------------------------------------------------------------------------------------------------


def test_a_mirrored_picture_is_a_copy_and_noise_is_none():
    chance = torch.Generator().manual_seed(0)
    known = torch.randint(0, 256, (9, 3, 8, 8), generator=chance, dtype=torch.uint8)
    off_by_two = (known[:4].flip(-1).clamp(2, 253).int() + 2).byte()
    found = judging.copied(off_by_two, known)
    assert found["copies"] == 1 and found["nearest"] < 4
    noise = torch.randint(0, 256, (5, 3, 8, 8), generator=chance, dtype=torch.uint8)
    assert judging.copied(noise, known)["copies"] == 0


def test_the_distance_is_in_grey_values_and_the_second_is_of_another_picture():
    known = torch.full((3, 3, 8, 8), 100, dtype=torch.uint8)
    known[1], known[2, ..., 0] = 130, 250  # the third is no mirror image of itself
    first, second = judging.nearest(torch.full((1, 3, 8, 8), 104, dtype=torch.uint8), known)
    assert first.item() == pytest.approx(4, abs=1e-2) and second.item() == pytest.approx(26, abs=1e-2)
    wanted = np.sqrt((7 * 4**2 + 146**2) / 8)
    first, second = judging.nearest(torch.full((1, 3, 8, 8), 104, dtype=torch.uint8), known[1:])
    assert second.item() == pytest.approx(wanted, rel=1e-3)
