"""The house: four rooms in the root, folders around them, and data that flows one way through them."""

import ast
from pathlib import Path

import pytest

import ddpm_core

FOLDER = Path(ddpm_core.__file__).parent
ROOMS = ["schedule", "unet", "trainer", "sampler"]
# What stands in one line may know each other and what stands above it.
FLOORS = [
    ["schedule"],
    ["diffusion"],
    ["sampler"],
    ["networks", "unet"],
    ["storage"],
    ["data"],
    ["training", "trainer"],
    ["recipes"],
    ["evaluation"],
    ["sharing"],
    ["book"],
    ["cli"],
]
FLOOR = {name: number for number, names in enumerate(FLOORS) for name in names}
SOURCES = {path.relative_to(FOLDER).as_posix(): path.read_text("utf-8") for path in sorted(FOLDER.rglob("*.py"))}
EVERY_FILE = pytest.mark.parametrize("file", SOURCES)


def place(file):
    """The folder that a file stands in, or the room that it is."""
    return file.split("/")[0].removesuffix(".py")


def imports(source):
    """(own modules, foreign packages) that a source imports, at the top or inside a function, with dotted names."""
    own, foreign = set(), set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports say where from: from ddpm_core.x import y"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            first, _, rest = name.partition(".")
            if first == "ddpm_core":
                own |= {rest} - {""}
            else:
                foreign.add(first)
    return own, foreign


def test_the_reader_of_imports_sees_every_way_to_write_one():
    source = """
import numpy.linalg, ddpm_core.unet
from torch import nn
from ddpm_core import data, trainer as loop
from ddpm_core.diffusion.gaussian import kl
def later():
    from ddpm_core import sampler
"""
    own = {"unet", "data", "trainer", "diffusion.gaussian.kl", "sampler"}
    assert imports(source) == (own, {"numpy", "torch"})


def test_the_root_holds_four_rooms_and_the_folders_around_them():
    assert sorted(path.stem for path in FOLDER.glob("*.py")) == sorted(["__init__", "__main__", *ROOMS])
    folders = {path.name for path in FOLDER.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == set(FLOOR) - set(ROOMS)
    assert all((FOLDER / name / "__init__.py").is_file() for name in folders)


@EVERY_FILE
def test_imports_go_one_way(file):
    own = {name.split(".")[0] for name in imports(SOURCES[file])[0]}
    if file == "__main__.py":
        assert own == {"cli"}
    elif file == "__init__.py":
        assert own == set()
    else:
        assert {name for name in own if FLOOR[name] > FLOOR[place(file)]} == set()


def module_of(name):
    """The file that a dotted name of the package is, or stands in: the longest part of it that is a file."""
    parts = name.split(".")
    for k in range(len(parts), 0, -1):
        for file in ("/".join(parts[:k]) + ".py", "/".join(parts[:k]) + "/__init__.py"):
            if file in SOURCES:
                return file
    return None


def test_no_circle():
    """No file reaches itself through imports."""
    knows = {}
    for file, source in SOURCES.items():
        found = {module_of(name) for name in imports(source)[0]} - {None, file}
        knows[file] = found

    def reach(file, seen):
        for other in knows[file]:
            if other not in seen:
                seen.add(other)
                reach(other, seen)
        return seen

    assert [file for file in SOURCES if file in reach(file, set())] == []


@pytest.mark.parametrize("package", ["matplotlib", "ipywidgets", "IPython"])
def test_a_heavy_package_is_for_chapters_alone(package):
    assert {place(file) for file, source in SOURCES.items() if package in imports(source)[1]} <= {"book"}


@pytest.mark.parametrize("package", ["torchvision", "diffusers", "transformers", "datasets", "pandas", "scipy"])
def test_some_packages_have_no_room(package):
    """But for the code that is written beside a model, for diffusers, and that nothing here imports; and for the one
    file that loads a text encoder of others, where it is called."""
    rooms = {"sharing/travelling.py"} | ({"storage/text_encoder.py"} if package == "transformers" else set())
    assert {file for file, source in SOURCES.items() if package in imports(source)[1]} <= rooms
    assert not {file for file, source in SOURCES.items() if "sharing.travelling" in " ".join(imports(source)[0])}


def test_left_of_storage_there_is_torch_and_python_alone():
    python = {"math", "collections", "dataclasses", "functools", "itertools", "warnings", "hashlib", "copy", "re"}
    python |= {"unicodedata", "contextlib", "typing", "inspect", "types", "numbers"}
    for file, source in SOURCES.items():
        if file not in ("__init__.py", "__main__.py") and FLOOR[place(file)] < FLOOR["storage"]:
            assert imports(source)[1] <= python | {"torch"}, file


def test_only_the_command_line_and_chapters_know_the_book():
    users = {place(file) for file, source in SOURCES.items() if any(n.startswith("book") for n in imports(source)[0])}
    assert users <= {"book", "cli"}


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
    found = {file: lines for file, source in SOURCES.items() if (lines := broadcasts(ast.parse(source)))}
    assert list(found) == ["schedule.py"] and len(found["schedule.py"]) == 1
    functions = [n for n in ast.parse(SOURCES["schedule.py"]).body if isinstance(n, ast.FunctionDef)]
    (at,) = (n for n in functions if n.name == "at")
    assert at.lineno < found["schedule.py"][0] <= at.end_lineno


def test_no_room_is_too_large():
    lines = {file: source.count("\n") for file, source in SOURCES.items()}
    assert {file: n for file, n in lines.items() if n > 250} == {}
    assert sum(lines[f"{room}.py"] for room in ROOMS) <= 915
    # 1,300 for chapters 0 to 10, what a learned variance, guidance, scores and differential equations add, and what
    # looks at arguments.
    assert sum(n for file, n in lines.items() if place(file) in ("schedule", "diffusion", "sampler")) <= 1980


def test_there_is_no_lumber_room():
    assert not {"utils", "util", "helpers", "misc", "common"} & {part for file in SOURCES for part in file.split("/")}


@EVERY_FILE
def test_every_file_and_what_it_offers_says_what_it_is(file):
    tree = ast.parse(SOURCES[file])
    assert ast.get_docstring(tree)
    public = [n for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef) and not n.name.startswith("_")]
    assert [n.name for n in public if not ast.get_docstring(n)] == []


def test_a_name_has_one_home():
    """What one file defines no other defines as well, but for words that mean something else in each place."""
    homes = {}
    for file, source in SOURCES.items():
        for node in ast.parse(source).body:
            if isinstance(node, ast.ClassDef) or (isinstance(node, ast.FunctionDef) and node.name[0] != "_"):
                homes.setdefault(node.name, []).append(file)
    twice = {name for name, files in homes.items() if len({place(file) for file in files}) > 1}
    assert twice == MEANT


# A load and a save of data, of checkpoints, of results; commands, called like what they call; two networks' Attention.
MEANT = {
    "Attention", "bits_per_dim", "described", "draw", "export", "load", "model", "push", "resume", "save", "train"
}  # fmt: skip
