"""Quality against minutes of a GPU: trainings made elsewhere are held to the recipe, and judged once."""

import json
import sys
from dataclasses import replace
from types import SimpleNamespace

import car_minutes
import club
import ladder
import numpy as np
import provenance
import pytest
import torch

from ddpm_core import checkpoint, cookbook, recipe, unet

SQUARES = 12


@pytest.fixture
def small(tmp_path, monkeypatch):
    """small(*words) runs the script over squares of 8x8, with four checkpoints and a club of its own in tmp_path."""
    chance = torch.Generator().manual_seed(0)
    squares = torch.randint(0, 256, (SQUARES, 3, 8, 8), generator=chance, dtype=torch.uint8)
    judge = SimpleNamespace(
        features=lambda images: images.flatten(1)[:, :3].float(), accuracy=lambda images, labels: 0.25
    )
    world = ladder.World(squares, squares[:6], judge, judge.features(squares), 1, "the data's sha256")
    monkeypatch.setattr(ladder, "world", lambda source, side: world)
    price = {"bound": 4.0}
    monkeypatch.setattr(ladder, "price", lambda rung, *a: None if rung is car_minutes.CLUB else price)
    narrow = replace(car_minutes.PLAN, images=(SQUARES, 3, 8, 8), recipe=replace(recipe.CARS32_GPU, steps=3))
    monkeypatch.setattr(car_minutes, "PLAN", narrow)
    monkeypatch.setattr(club, "Club", lambda side: clubs())
    for module in (car_minutes, provenance):
        monkeypatch.setattr(module, "RESULTS", tmp_path)
    for name, value in {"KEPT": tmp_path / "runs", "SIDE": 8, "SAMPLES": 6, "PRICED": 0}.items():
        monkeypatch.setattr(car_minutes, name, value)
    for steps in (2, 5):
        for seed in (0, 1):
            about = {"settings": recipe.described(narrow.recipe), "length": {"steps": steps}, "only": narrow.only}
            about |= {"pixels_sha256": narrow.pixels_sha256, "data_sha256": world.sha256, "seed": seed, "loss": 0.5}
            about |= {
                "size": [8, 8],
                "trained_steps": steps,
                "images_seen": 4 * steps,
                "minutes": 9.0,
                "device": "an abacus",
            }
            made = checkpoint.Trained(unet.UNet(3, (8, 16)), recipe.COSINE, recipe.V, about)
            checkpoint.save(tmp_path / "runs" / f"{steps}-{seed}", made)
    whole = {"net": clubs().state_dict(), "step": 3, "reports": [(1, 0.5, 60.0), (3, 0.25, 90.0)]}
    (tmp_path / "runs" / "club").mkdir()
    torch.save(whole, tmp_path / "runs" / "club" / "training.pt")
    (tmp_path / "runs" / "pace.json").write_text(json.dumps({"steps_a_second": 0.1, "device": "an abacus"}))

    def run(*words):
        arguments = ["--device", "cpu", "--steps", "2", "5", *words]
        monkeypatch.setattr(sys, "argv", ["experiments/car_minutes.py", *arguments])
        car_minutes.main()
        return json.loads((tmp_path / "car_minutes.json").read_text())

    return run


def clubs():
    return CLUB(8, width=8)


CLUB = club.Club


def test_a_minute_is_so_many_steps_and_the_file_names_the_device_of_the_trainings(small, tmp_path):
    about = small()
    found = about["results"]
    assert {steps: row["minutes"] for steps, row in found["steps"].items()} == {"2": 0.33, "5": 0.83}  # at 6 a minute
    for row in found["steps"].values():
        assert row["seeds"] == [0, 1] and all(len(row[how]["frechet"]) == 2 for how in ("as_cars32", "solved"))
    assert all(run["frechet"] != run["solved"]["frechet"] for run in found["runs"])
    assert about["device"] == "an abacus" and about["data_sha256"] == "the data's sha256"
    assert about["recipe"] == cookbook.described(car_minutes.PLAN)
    theirs = found["club"]
    assert (theirs["images"], theirs["minutes"], theirs["loss"]) == (3 * club.BATCH, 1.5, 0.25)
    assert about["minutes"] == pytest.approx(14 / 6 + 1.5, abs=0.06)
    assert (tmp_path / "car_minutes.png").is_file() and (tmp_path / "cars32-gpu.png").is_file()


def test_what_is_judged_is_not_judged_again_but_for_other_weights(small, tmp_path, monkeypatch):
    found, asked = small(), []
    judged = ladder.judged
    monkeypatch.setattr(ladder, "judged", lambda *a: asked.append(1) or judged(*a))
    assert small()["results"] == found["results"] and not asked
    made = checkpoint.load(tmp_path / "runs" / "5-1")
    for p in made.net.parameters():
        p.data.add_(0.1)
    checkpoint.save(tmp_path / "runs" / "5-1", made)
    assert small()["results"] != found["results"] and len(asked) == 2  # as it draws in both ways


@pytest.mark.parametrize(("key", "value"), [("trained_steps", 4), ("seed", 7), ("data_sha256", "another"), ("lr", 7.0)])
def test_a_checkpoint_of_another_training_is_refused(small, tmp_path, key, value):
    made = checkpoint.load(tmp_path / "runs" / "5-1")
    other = {"settings": made.about["settings"] | {key: value}} if key == "lr" else {key: value}
    checkpoint.save(tmp_path / "runs" / "5-1", replace(made, about=made.about | other))
    with pytest.raises(SystemExit, match=f"need 5-1 with {key} .*, but there it is {value!r}"):
        small()


def test_a_pace_of_another_device_is_refused(small, tmp_path):
    (tmp_path / "runs" / "pace.json").write_text(json.dumps({"steps_a_second": 0.1, "device": "a slide rule"}))
    with pytest.raises(SystemExit, match="need trainings on the a slide rule of the pace, but got an abacus"):
        small()
    (tmp_path / "runs" / "pace.json").unlink()
    with pytest.raises(SystemExit, match="nobody has measured it: --pace does"):
        small()


# ---- copies ----------------------------------------------------------------------------------------------------


def test_a_mirrored_picture_is_a_copy_and_noise_is_none():
    chance = torch.Generator().manual_seed(0)
    known = torch.randint(0, 256, (9, 3, 8, 8), generator=chance, dtype=torch.uint8)
    off_by_two = (known[:4].flip(-1).clamp(2, 253).int() + 2).byte()
    found = car_minutes.copied(off_by_two, known)
    assert found["copies"] == 1 and found["nearest"] < 4
    noise = torch.randint(0, 256, (5, 3, 8, 8), generator=chance, dtype=torch.uint8)
    assert car_minutes.copied(noise, known)["copies"] == 0


def test_the_distance_is_in_grey_values_and_the_second_is_of_another_picture():
    known = torch.full((3, 3, 8, 8), 100, dtype=torch.uint8)
    known[1], known[2, ..., 0] = 130, 250  # the third is no mirror image of itself
    first, second = car_minutes.nearest(torch.full((1, 3, 8, 8), 104, dtype=torch.uint8), known)
    assert first.item() == pytest.approx(4, abs=1e-2) and second.item() == pytest.approx(26, abs=1e-2)
    wanted = np.sqrt((7 * 4**2 + 146**2) / 8)
    first, second = car_minutes.nearest(torch.full((1, 3, 8, 8), 104, dtype=torch.uint8), known[1:])
    assert second.item() == pytest.approx(wanted, rel=1e-3)


def test_the_pace_is_of_the_steps_after_the_warm_ones(monkeypatch):
    narrow = replace(recipe.CARS32_GPU, channels=(8, 16), attention=(), batch=4)
    monkeypatch.setattr(car_minutes, "RECIPE", narrow)
    images = torch.zeros(6, 3, 8, 8, dtype=torch.uint8)
    cars = SimpleNamespace(only=lambda name: SimpleNamespace(images=images))
    monkeypatch.setattr(car_minutes.data, "load_images", lambda source: cars)
    clock = iter([100.0, 108.0])  # looked at after the warm steps, and at the end
    monkeypatch.setattr(car_minutes, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    assert car_minutes.pace("cars", "cpu", steps=20, warm=10) == 20 / 8
