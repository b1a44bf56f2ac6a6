"""Quality against minutes on garments: each budget a run of its own, kept, and gone on with."""

import json
import sys
import time
from dataclasses import replace
from functools import partial
from itertools import count
from types import SimpleNamespace

import garment_minutes
import numpy as np
import provenance
import pytest

from ddpm_core import trainer


@pytest.fixture
def small(tmp_path, monkeypatch):
    """The script over 24 squares in two classes, a narrow network and ten steps a minute; run(...) is its results."""
    chance = np.random.default_rng(0)
    for split, n in (("train", 24), ("test", 10)):
        images = chance.integers(0, 256, (n, 16, 16), dtype=np.uint8)
        np.savez(tmp_path / f"{split}.npz", images=images, labels=np.arange(n) % 2)
    load, judge = garment_minutes.data.load_images, garment_minutes.evaluate.train_judge
    monkeypatch.setattr(garment_minutes.data, "load_images", lambda source, split: load(f"{source}/{split}.npz"))
    monkeypatch.setattr(garment_minutes.evaluate, "kept_judge", lambda images, steps: judge(images, steps=4, batch=8))
    narrow = replace(garment_minutes.RECIPE, channels=(8, 16), patch=1, batch=4, steps=3)
    monkeypatch.setattr(garment_minutes, "RECIPE", narrow)
    for name, value in {"SAMPLES": 6, "PRICED": 3, "COLUMNS": 3, "KEPT": tmp_path / "runs"}.items():
        monkeypatch.setattr(garment_minutes, name, value)
    monkeypatch.setattr(garment_minutes, "RESULTS", tmp_path)
    monkeypatch.setattr(provenance, "RESULTS", tmp_path)
    monkeypatch.setattr(garment_minutes, "gemm", lambda: 1.0)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "rate.json").write_text("11.7")

    def run(*more):
        monkeypatch.setattr(sys, "argv", ["experiments/garment_minutes.py", "--data", str(tmp_path), *more])
        garment_minutes.main()
        return json.loads((tmp_path / "garment_minutes.json").read_text())["results"]

    return run


def test_a_minute_is_so_many_steps_and_what_is_kept_is_not_made_again(small, monkeypatch, capsys):
    found = small("--minutes", "0.5", "1")
    assert found["steps_a_minute"] == 10
    assert {name: (row["steps"], row["images"]) for name, row in found["minutes"].items()} == {
        "0.5": (5, 20), "1": (10, 40),
    }  # fmt: skip
    for row in found["minutes"].values():
        assert row["seeds"] == [0, 1]
        assert all(len(row[key]) == 2 for key in ("frechet", "recognised", "bound", "minutes_of_processor"))
    assert len({run["frechet"] for run in found["runs"]}) == 4  # every training is another
    assert found["real"]["frechet"] > 0 and set(found["other_machines"].values()) == {"not measured"}
    monkeypatch.setattr(garment_minutes.trainer, "run", lambda *a, **k: pytest.fail("trained again"))
    assert small("--minutes", "0.5", "1") == found


def test_a_training_goes_on_where_it_was_stopped(small, tmp_path, monkeypatch):
    whole = small("--minutes", "1", "--seeds", "0")["runs"][0]
    for path in (tmp_path / "runs").glob("10-*"):
        path.unlink()
    monkeypatch.setattr(garment_minutes, "SAVE_EVERY", -1)
    run, after = trainer.run, iter(range(100))

    def stopped(*arguments, **how):
        for report in run(*arguments, **how):
            yield report
            if next(after) == 3:
                raise KeyboardInterrupt

    monkeypatch.setattr(garment_minutes.trainer, "run", stopped)
    with pytest.raises(KeyboardInterrupt):
        small("--minutes", "1", "--seeds", "0")
    monkeypatch.setattr(garment_minutes.trainer, "run", partial(run))
    again = small("--minutes", "1", "--seeds", "0")["runs"][0]
    for key in ("frechet", "bound", "images", "steps"):
        assert again[key] == whole[key]


@pytest.fixture
def a_minute_a_step(small, monkeypatch):
    """The script, saving at every step, by a clock of which each step takes a minute."""
    ticks = count()
    clock = SimpleNamespace(process_time=lambda: 60.0 * next(ticks), monotonic=time.monotonic)
    monkeypatch.setattr(garment_minutes, "time", clock)
    monkeypatch.setattr(garment_minutes, "SAVE_EVERY", -1)
    return lambda: small("--minutes", "1", "--seeds", "0")["runs"][0]


@pytest.mark.parametrize("which", ["seconds", "weights"])
@pytest.mark.parametrize("call", [1, 4, 11])
def test_seconds_and_weights_belong_together_wherever_a_kill_falls(which, call, a_minute_a_step, tmp_path, monkeypatch):
    whole = a_minute_a_step()
    assert whole["minutes_of_processor"] == 10
    for path in (tmp_path / "runs").glob("10-*"):
        path.unlink()
    calls, (room, name) = [], {"seconds": (garment_minutes, "replace_file"), "weights": (trainer, "save")}[which]
    plain = getattr(room, name)

    def killed(*arguments):
        calls.append(1)
        if len(calls) == call:
            raise KeyboardInterrupt
        return plain(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(room, name, killed)
        with pytest.raises(KeyboardInterrupt):
            a_minute_a_step()
    assert a_minute_a_step() == whole


def test_a_training_whose_seconds_are_not_known_begins_again(a_minute_a_step, tmp_path, capsys):
    whole = a_minute_a_step()
    for name in ("10-0.pt", "10-0.json"):
        (tmp_path / "runs" / name).unlink()
    capsys.readouterr()
    assert a_minute_a_step() == whole
    assert capsys.readouterr().out.startswith("10-0.json does not say how long 10-0.safetensors took")


def test_a_note_of_one_number_is_of_the_weights_beside_it(a_minute_a_step, tmp_path):
    a_minute_a_step()
    (tmp_path / "runs" / "10-0.pt").unlink()
    (tmp_path / "runs" / "10-0.json").write_text("150.0")
    assert a_minute_a_step()["minutes_of_processor"] == 2.5
