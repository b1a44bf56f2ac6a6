"""`make test` goes on after a stage that fails, says at the end which one it was, and fails itself."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import stages

ROOT = Path(__file__).resolve().parents[2]
# What make hands to the programs it starts, among them these tests, would steer the make that they start.
OUTSIDE = {name: text for name, text in os.environ.items() if not name.startswith("MAKE")}


def run(folder, *targets):
    (folder / "Makefile").write_text("good:\n\t@echo this is good\nbad:\n\t@echo this is bad; false\n")
    command = [sys.executable, ROOT / "tools" / "stages.py", *targets]
    return subprocess.run(command, cwd=folder, env=OUTSIDE, capture_output=True, text=True, timeout=60)


def planned(target):
    """What make would do for a target of the book's Makefile."""
    command = ["make", "--dry-run", "--always-make", target]
    return subprocess.run(command, cwd=ROOT, env=OUTSIDE, capture_output=True, text=True, timeout=60)


def test_goes_on_after_a_failure_and_fails(tmp_path):
    result = run(tmp_path, "bad", "good")
    assert result.returncode == 1
    assert "this is good" in result.stdout
    assert [line.split()[:2] for line in result.stdout.splitlines()[-2:]] == [["FAILED", "bad"], ["passed", "good"]]


def test_a_target_that_is_not_there_fails(tmp_path):
    assert run(tmp_path, "good", "missing").returncode == 1


def test_all_passed(tmp_path):
    assert run(tmp_path, "good").returncode == 0


def test_a_line_a_stage():
    assert stages.summary({"lint": (True, 1.6), "test-unit": (False, 123.4)}) == (
        "passed   lint           2 s\nFAILED   test-unit    123 s"
    )


@pytest.mark.parametrize(("target", "count"), [("test", 5), ("test-portable", 6)])
def test_every_stage_is_a_target(target, count):
    names = planned(target).stdout.split("tools/stages.py")[1].replace("\\", "").split()
    assert len(names) == count
    for name in names:
        assert planned(name).returncode == 0, name


@pytest.mark.parametrize(("make", "setting"), [("avx2", "MKL_CBWR=AVX2"), ("sse", "MKL_CBWR=COMPATIBLE")])
def test_another_make_of_processor_runs_the_same_stage(make, setting):
    assert setting in planned(f"test-unit-{make}").stdout
    assert "-m pytest" in planned(f"test-unit-{make}").stdout
