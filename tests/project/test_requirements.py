"""What builds the pages is a short list: `make book` on a fresh clone does not wait for torch."""

import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PAGES, ALL = ROOT / "book" / "requirements.txt", ROOT / "requirements.txt"
EXTENSIONS = yaml.safe_load((ROOT / "_config.yml").read_text())["sphinx"]["local_extensions"]
HEAVY = ("torch", "numpy", "matplotlib", "sklearn", "ddpm_core")  # an import of one of these fails


def names(lines):
    """The packages that some requirements name, without those that only an extra asks for."""
    wanted = [
        re.match(r"[\w.-]+", line) for line in lines if not line.startswith(("#", "-")) and "extra ==" not in line
    ]
    return {name[0].lower().replace("_", "-") for name in wanted if name}


def brought_by(package):
    try:
        return names(requires(package) or [])
    except PackageNotFoundError:  # for another Python or another system
        return set()


def reached(packages):
    """These packages and all that they bring."""
    found, todo = set(), set(packages)
    while todo:
        package = todo.pop()
        found.add(package)
        todo |= brought_by(package) - found
    return found


def test_the_pages_need_no_torch():
    assert not reached(names(PAGES.read_text().splitlines())) & {"torch", "numpy", "matplotlib", "scikit-learn"}


@pytest.mark.parametrize("name", EXTENSIONS)
def test_what_adds_to_the_pages_imports_nothing_that_is_not_there_yet(name):
    lines = f"import sys; sys.modules |= dict.fromkeys({HEAVY!r}); import {name}"
    done = subprocess.run([sys.executable, "-c", lines], cwd=ROOT / EXTENSIONS[name], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_whole_list_begins_with_the_pages_and_repeats_none_of_them():
    lines = ALL.read_text().splitlines()
    assert "-r book/requirements.txt" in lines
    assert not names(lines) & names(PAGES.read_text().splitlines())
    assert "torch" in names(lines)
