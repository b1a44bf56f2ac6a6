"""Kills, full disks, folders that nobody may write to, clocks that jump: a training goes on as if nothing had been."""

import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import torch

from ddpm_core import data, trainer
from ddpm_core.__main__ import main
from ddpm_core.cli import run_folder
from ddpm_core.diffusion import loss
from ddpm_core.recipes.config import TrainingConfig
from ddpm_core.storage import checkpoint
from ddpm_core.storage.files import claimed, read_tensors
from ddpm_core.unet import UNet

ROOT = Path(__file__).resolve().parents[2]
CONFIG = TrainingConfig(channels=(8, 16), attention=())


def test_a_training_that_is_killed_or_interrupted_comes_to_what_it_would_have_come_to():
    """In another process, which forks: bit for bit, with both optimisers, in the middle of saving, too."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.faults", "--kills", "6", "--interrupts", "2", "--dry"],
        cwd=ROOT, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    for accident, most in (("kills", 6), ("interrupts", 2)):
        for optimizer in ("adam", "muon"):
            assert found[accident][optimizer]["differences"] == []
            assert found[accident][optimizer]["accidents"] == most // 2


# ---- a small training, saved after each step -------------------------------------------------------------------


def training(folder, steps=4):
    """Train in this folder, or go on there; yields after each step that was saved."""
    torch.manual_seed(0)
    state = trainer.start(UNet(1, (8, 16), dropout=0.1), device="cpu")
    if (folder / checkpoint.TRAINING).exists():
        trainer.resume(state, folder / checkpoint.TRAINING)
    images = torch.randint(0, 256, (50, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(2))
    batch_at = data.batches(images, CONFIG.schedule, batch=4)
    for report in trainer.run(
        state, batch_at, loss.objective(CONFIG.schedule, CONFIG.predict), steps=4, report_every=1
    ):
        run_folder.keep(folder, state, CONFIG, {}, report.loss)
        yield report.step
        if report.step == steps:
            return


def tensors(folder):
    return {name: read_tensors(folder / name)[0] for name in (checkpoint.TRAINING, checkpoint.MODEL)}


def assert_same(one, other):
    for name, found in tensors(one).items():
        torch.testing.assert_close(found, tensors(other)[name], rtol=0, atol=0)


@pytest.fixture
def whole(tmp_path):
    """The folder of a training that nobody disturbed."""
    list(training(tmp_path / "whole"))
    return tmp_path / "whole"


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def small_disk(tmp_path):
    """A disk of four megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs the right to mount a disk")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


def test_a_full_disk_keeps_the_last_checkpoint_and_there_the_run_goes_on(small_disk, whole):
    run, place = training(small_disk / "run"), small_disk / "run"
    next(run)
    before = contents(place)
    with contextlib.suppress(OSError), open(small_disk / "filler", "wb", buffering=0) as filler:
        while True:
            filler.write(bytes(1 << 12))
    with pytest.raises(OSError, match=r"could not write .*No space left on device; the file .* is whole"):
        next(run)
    assert contents(place) == before
    (small_disk / "filler").unlink()
    list(training(place))
    assert_same(whole, place)


@pytest.fixture
def nobody():
    """A folder of root's in which everybody may read; the test is nobody in particular."""
    if os.geteuid():
        pytest.skip("needs the right to be somebody else")
    with tempfile.TemporaryDirectory(dir="/tmp") as place:
        os.chmod(place, 0o755)
        yield Path(place)


def test_a_folder_that_becomes_read_only_keeps_the_last_checkpoint(nobody, whole):
    place = nobody / "run"
    run = training(place)
    next(run)
    before = contents(place)
    os.seteuid(65534)
    try:
        with pytest.raises(OSError, match=r"could not write .*training.safetensors: Permission denied"):
            next(run)
    finally:
        os.seteuid(0)
    assert contents(place) == before
    list(training(place))
    assert_same(whole, place)


def test_a_clock_that_jumps_changes_nothing(tmp_path, whole, monkeypatch):
    plain, draw = time.time, random.Random(0)
    monkeypatch.setattr(time, "time", lambda: plain() + draw.choice([-1e9, -4000.0, 0.0, 4000.0, 1e9]))
    place = tmp_path / "jumping"
    list(training(place, steps=2))
    list(training(place))
    assert_same(whole, place)
    seconds = json.loads(read_tensors(place / checkpoint.TRAINING)[1]["progress"])["seconds"]
    assert 0 < seconds < 600  # of a clock that only goes forward


# ---- two in one folder -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("resume", [[], ["--resume"]])
def test_two_runs_do_not_share_a_folder(resume, whole, capsys):
    before = contents(whole)
    with claimed(whole):
        status = main(["train", "--device", "cpu", "--steps", "1", "--out", str(whole), *resume])
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert status == 2 and ("another one writes to" in said or resume)
    assert contents(whole) == before and not whole.with_name("whole-1").exists()


def test_a_claim_ends_with_its_process_and_with_its_block(tmp_path):
    wait = "import sys, time; from ddpm_core.storage.files import claimed\n"
    wait += "with claimed(sys.argv[1]): print(1, flush=True); time.sleep(60)"
    other = subprocess.Popen([sys.executable, "-c", wait, tmp_path], cwd=ROOT, stdout=subprocess.PIPE)
    try:
        assert other.stdout.readline() == b"1\n"
        with (
            pytest.raises(ValueError, match="need a folder for each training, but another one writes to"),
            claimed(tmp_path),
        ):
            pass
    finally:
        other.kill()
        other.communicate()
    for _ in range(2):
        with claimed(tmp_path):
            pass
    assert list(tmp_path.iterdir()) == []
