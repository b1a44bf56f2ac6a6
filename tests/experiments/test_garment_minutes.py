"""Quality against minutes on garments: each budget a run of its own, kept, and gone on with."""

import json
from dataclasses import replace
from itertools import count

import pytest

from ddpm_core import trainer
from experiments.ch08 import garment_minutes
from experiments.ch08.garment_minutes import BOOK, Settings


def ticking(stop=None):
    """A clock of which each step takes a minute; Ctrl-C is pressed when it is looked at for the time `stop`."""
    ticks = count()

    def clock():
        if (now := next(ticks)) == stop:
            raise KeyboardInterrupt
        return 60.0 * now

    return clock


@pytest.fixture
def small(garments, written, tmp_path):
    """The script over 40 squares, a narrow network and ten steps a minute, saved at each; run(...) is its results."""
    config = replace(BOOK.config, channels=(8, 16), patch=1, batch=4, steps=3)
    folders = dict(results=tmp_path, runs=tmp_path / "runs")
    tiny = dict(samples=6, priced=3, columns=3, judging=4, save_every=-1, matrix=8)
    settings = Settings(data=garments, config=config, **folders, **tiny)
    settings.kept.mkdir(parents=True)
    (settings.kept / "rate.json").write_text("11.7")

    def run(*arguments, **other):
        garment_minutes.main(list(arguments), replace(settings, **other))
        return written("garment_minutes")["results"]

    return run


@pytest.fixture
def kept(tmp_path):
    return tmp_path / "runs" / "garment_minutes"


def test_a_minute_is_so_many_steps_and_what_is_kept_is_not_made_again(small, kept):
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
    for path in kept.glob("*.safetensors"):
        path.write_text("nothing to go on from")
    again = small("--minutes", "0.5", "1")
    assert again | {"gemm_gflops": found["gemm_gflops"]} == found


@pytest.fixture
def a_minute(small):
    """The script for one training of one minute; each step takes a minute of its own."""
    return lambda **other: small("--minutes", "1", "--seeds", "0", **{"clock": ticking()} | other)["runs"][0]


@pytest.fixture
def whole(a_minute, kept):
    """What a training comes to that nobody stops; it is forgotten."""
    found = a_minute()
    for path in kept.glob("10-*"):
        path.unlink()
    return found


def test_a_training_goes_on_where_it_was_stopped(whole, a_minute, kept):
    with pytest.raises(KeyboardInterrupt):
        a_minute(clock=ticking(stop=8))
    assert json.loads((kept / "10-0.json").read_text())["4"] == 240
    assert a_minute() == whole


@pytest.mark.parametrize("which", ["seconds", "weights"])
@pytest.mark.parametrize("call", [1, 4, 11])
def test_seconds_and_weights_belong_together_wherever_a_kill_falls(which, call, whole, a_minute, monkeypatch):
    assert whole["minutes_of_processor"] == 10
    calls, (room, name) = [], {"seconds": (garment_minutes, "write_atomically"), "weights": (trainer, "save")}[which]
    plain = getattr(room, name)

    def killed(*arguments):
        calls.append(1)
        if len(calls) == call:
            raise KeyboardInterrupt
        return plain(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(room, name, killed)
        with pytest.raises(KeyboardInterrupt):
            a_minute()
    assert a_minute() == whole


def test_a_training_whose_seconds_are_not_known_begins_again(a_minute, kept, capsys):
    whole = a_minute()
    for name in ("10-0.pt", "10-0.json"):
        (kept / name).unlink()
    capsys.readouterr()
    assert a_minute() == whole
    assert "10-0.json does not say how long 10-0.safetensors took" in capsys.readouterr().out


def test_a_note_of_one_number_is_of_the_weights_beside_it(a_minute, kept):
    a_minute()
    (kept / "10-0.pt").unlink()
    (kept / "10-0.json").write_text("150.0")
    assert a_minute()["minutes_of_processor"] == 2.5
