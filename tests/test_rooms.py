"""The house has a bottom and a top: a room imports only from rooms above it in this list."""

import ast
from pathlib import Path

import pytest

import ddpm_core

FOLDER = Path(ddpm_core.__file__).parent
CORE = ["schedule", "gaussian", "predict", "weighting", "variance", "loss", "sampler"]
CHECKS = sorted(path.stem for path in FOLDER.glob("checks/chapter*.py"))
ROOMS = [
    *CORE, "flow", "times", "exact", "bound", "elbo", "files", "origin", "hub", "seeds", "told", "unet", "mlp", "paper",
    "cost", "images", "data", "fid", "devices", "state", "mishaps", "trainer", "journal", "checkpoint", "published",
    "shelf", "evaluate", "recipe", "cookbook", "card", "options",
    "show", "live", "stage", "branches", "widgets", "rows", "choices", "sketches", "curves", "blocks", "verdict",
    *CHECKS, "exercises", "drawing", "training", "evaluation", "sharing", "__main__",
]  # fmt: skip
SOURCES = {
    path.stem: path.read_text()
    for path in sorted([*FOLDER.glob("*.py"), *FOLDER.glob("checks/*.py")])
    if path.stem != "__init__"
}
EVERY_ROOM = pytest.mark.parametrize("room", SOURCES)


def imports(source):
    """(names of own rooms, names of foreign packages) that a source imports, at the top or inside a function."""
    own, foreign = set(), set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
            own |= {name[1] for name in names if name[0] == "ddpm_core" and len(name) > 1}
            foreign |= {name[0] for name in names if name[0] != "ddpm_core"}
        elif isinstance(node, ast.ImportFrom):
            parts = node.module.split(".") if node.module else []
            if node.level == 0 and parts[0] != "ddpm_core":
                foreign.add(parts[0])
            else:
                inside = parts if node.level else parts[1:]
                own |= {inside[0]} - {"checks"} if inside else {alias.name for alias in node.names} - {"checks"}
    return own, foreign


def test_the_reader_of_imports_sees_every_way_to_write_one():
    source = """
import numpy.linalg, ddpm_core.unet
from torch import nn
from . import data, predict as questions
from .schedule import at
def later():
    from ddpm_core import sampler
    from ddpm_core.exact import mixture
"""
    own = {"unet", "data", "predict", "schedule", "sampler", "exact"}
    assert imports(source) == (own, {"numpy", "torch"})


def test_every_room_has_its_place():
    assert sorted(SOURCES) == sorted(ROOMS)


@EVERY_ROOM
def test_a_room_imports_only_from_rooms_above_it(room):
    above = set(ROOMS[: ROOMS.index(room)])
    assert imports(SOURCES[room])[0] - above == set()


@pytest.mark.parametrize(("package", "home"), [("matplotlib", "show"), ("ipywidgets", "widgets")])
def test_a_heavy_package_has_one_room(package, home):
    assert [room for room, source in SOURCES.items() if package in imports(source)[1]] == [home]


@pytest.mark.parametrize("package", ["torchvision", "diffusers", "transformers", "datasets", "pandas", "scipy"])
def test_some_packages_have_no_room(package):
    assert [room for room, source in SOURCES.items() if package in imports(source)[1]] == []


@pytest.mark.parametrize("room", CORE)
def test_the_core_is_torch_and_python(room):
    assert imports(SOURCES[room])[1] <= {"torch", "math", "collections", "dataclasses", "functools", "itertools"}


def broadcasts(tree):
    """Lines that shape a number per example for a batch of images: reshape or view with -1 and ones."""
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("reshape", "view")
        and node.args
        and ast.unparse(node.args[0]) in ("-1", "(-1, 1, 1, 1)", "[-1, 1, 1, 1]")
        and "1" in [c for a in node.args for c in ast.unparse(a).replace("-1", "")]
    ]


def test_only_at_broadcasts_a_time_over_images():
    bad = "x.view(-1, 1, 1, 1)\nx.reshape((-1, 1, 1, 1))\nx.reshape(-1, *[1] * 3)\nx.reshape(-1, n)\nx.reshape(3, 1)"
    assert broadcasts(ast.parse(bad)) == [1, 2, 3]
    found = {room: lines for room, source in SOURCES.items() if (lines := broadcasts(ast.parse(source)))}
    assert list(found) == ["schedule"] and len(found["schedule"]) == 1
    (at,) = (n for n in ast.parse(SOURCES["schedule"]).body if isinstance(n, ast.FunctionDef) and n.name == "at")
    assert at.lineno < found["schedule"][0] <= at.end_lineno


def test_no_room_is_too_large():
    lines = {room: source.count("\n") for room, source in SOURCES.items()}
    assert {room: n for room, n in lines.items() if n > 250} == {}
    assert sum(lines[room] for room in CORE) <= 700


def test_there_is_no_lumber_room():
    assert not {"utils", "util", "helpers", "misc", "common"} & {path.stem for path in FOLDER.rglob("*.py")}


@EVERY_ROOM
def test_every_room_and_what_it_offers_says_what_it_is(room):
    tree = ast.parse(SOURCES[room])
    assert ast.get_docstring(tree)
    public = [n for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef) and not n.name.startswith("_")]
    assert [n.name for n in public if not ast.get_docstring(n)] == []
