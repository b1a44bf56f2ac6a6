"""Kills, full disks, folders that nobody may write to, clocks that jump: a training goes on as if nothing had been."""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ddpm_core.__main__ import main

ROOT = Path(__file__).resolve().parents[2]


def test_a_training_that_is_killed_or_interrupted_comes_to_what_it_would_have_come_to():
    """In another process, which forks: bit for bit, with both optimisers, in the middle of saving, too."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.faults", "--kills", "6", "--interrupts", "2", "--dry"],
        cwd=ROOT, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    for accident, most in (("SIGKILL", 6), ("Ctrl-C twice", 2)):
        for optimizer in ("adam", "muon"):
            assert found[accident][optimizer]["differences"] == []
            assert found[accident][optimizer]["accidents"] == most // 2


def trained(out, *more):
    return main(["train", "--device", "cpu", "--batch", "4", "--optimizer", "adam", "--out", str(out), *more])


def failed(capsys, out, *more):
    capsys.readouterr()
    assert trained(out, *more) == 2
    sentence = capsys.readouterr().err.strip().splitlines()[-1]
    return sentence


@pytest.fixture
def small_disk(tmp_path):
    """A disk of six megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    if (
        os.geteuid()
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", place], capture_output=True).returncode
    ):
        pytest.skip("needs the right to mount a disk")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_full_disk_keeps_the_last_checkpoint_and_the_run_goes_on_when_there_is_room(small_disk, tmp_path, capsys):
    out, whole = small_disk / "run", tmp_path / "whole"
    assert trained(out, "--steps", "1") == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with contextlib.suppress(OSError), open(small_disk / "filler", "wb") as filler:
        while True:
            filler.write(bytes(1 << 12))
            filler.flush()
    assert "No space left on device" in failed(capsys, out, "--steps", "2", "--resume")
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    (small_disk / "filler").unlink()
    assert trained(out, "--steps", "2", "--resume") == 0
