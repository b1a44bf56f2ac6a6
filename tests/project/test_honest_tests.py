"""The tests of the tests: each can fail, every cell of a notebook has run, and a small change to a source is small."""

import ast
import importlib
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))
NOTEBOOKS = sorted((ROOT / "book").glob("*.ipynb"))
RAISING = {"raises", "warns", "fail", "deprecated_call"}


def functions(tree):
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def called(node):
    """Names of what is called anywhere within, without what they belong to."""
    calls = [n.func for n in ast.walk(node) if isinstance(n, ast.Call)]
    return {f.attr if isinstance(f, ast.Attribute) else f.id for f in calls if isinstance(f, ast.Attribute | ast.Name)}


def asserts(node):
    """Whether it can fail by itself: an assert, an expected error, or a function called after what it asserts."""
    return any(isinstance(n, ast.Assert) for n in ast.walk(node)) or any(
        name in RAISING or "assert" in name or name.startswith(("check", "expect")) for name in called(node)
    )


def idle(tree, helpers=frozenset()):
    """Tests that cannot fail: they assert nothing, nor does any helper that they call, however far down."""
    known = {f.name: f for f in functions(tree)}
    strong = {name for name, f in known.items() if asserts(f)} | set(helpers)
    while more := {name for name, f in known.items() if name not in strong and called(f) & strong}:
        strong |= more
    return [name for name in known if name.startswith("test_") and name not in strong]


def helpers():
    """Functions of the tests' own helper files that assert."""
    files = [path for path in (ROOT / "tests").rglob("*.py") if not path.name.startswith("test_")]
    return {f.name for path in files for f in functions(ast.parse(path.read_text())) if asserts(f)}


def test_the_reader_of_tests_tells_idle_ones():
    source = """
def helper():
    assert x
def test_by_itself(): assert 1
def test_by_a_helper(): helper()
def test_by_an_error():
    with pytest.raises(ValueError): f()
def test_by_torch(): torch.testing.assert_close(a, b)
def test_nothing(): print(helper)
async def test_later(): await f()
def test_with_a_stand_in():
    def f(): raise ValueError
    g(f)
"""
    assert idle(ast.parse(source)) == ["test_nothing", "test_later", "test_with_a_stand_in"]


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_no_test_is_without_an_assertion(path):
    assert idle(ast.parse(path.read_text()), helpers()) == []


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_no_test_hides_another_of_its_name(path):
    names = [node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_cell_of_a_notebook_has_run_in_order(path):
    cells = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
    counts = [cell["execution_count"] for cell in cells if "".join(cell["source"]).strip()]
    assert counts == list(range(1, len(counts) + 1))


def test_a_mutant_differs_in_one_place_and_is_a_source():
    mutation = importlib.import_module("benchmarks.rig.mutation")
    source = (
        'def f(x: int = 1):\n    """1 + 1"""\n    if x < 0:\n        raise ValueError(f"{1 + 1}")\n    return -x**2\n'
    )
    found = mutation.mutants(source)
    said = ["1 -> 2", "x < 0 -> x <= 0", "0 -> 1", "-x ** 2 -> x ** 2", "x ** 2 -> x * 2", "2 -> 3"]
    assert sorted(map(str, found)) == sorted(said)
    for mutant in found:
        compile(mutant.source, "mutant", "exec")
        pairs = zip(source.splitlines(), mutant.source.splitlines(), strict=True)
        assert [k for k, (a, b) in enumerate(pairs, 1) if a != b] == [mutant.line]


def test_every_file_of_the_mathematics_has_its_tests():
    table = importlib.import_module("benchmarks.mutants").TESTS
    files = {f"diffusion/{p.name}" for p in (ROOT / "ddpm_core" / "diffusion").glob("*.py") if p.stem != "__init__"}
    assert set(table) == files | {"schedule.py", "sampler.py", "training/muon.py"}
    assert all((ROOT / "tests" / name).is_file() for names in table.values() for name in names)


def test_every_reason_is_that_of_one_change():
    """Each names a part of a line that one change to its file brings about, so none excuses another change."""
    trial = importlib.import_module("benchmarks.mutants")
    rows = [trial.row(file, m) for file, m in trial.every()]
    for (file, part), why in trial.REASONS.items():
        same = [row for row in rows if row["where"].startswith(f"{file}: ") and part in row["code"]]
        assert len(same) == 1 and same[0]["reason"] == why, (file, part)


def test_a_survivor_that_a_test_notices_by_now_is_called_a_gap(monkeypatch):
    trial = importlib.import_module("benchmarks.mutants")
    first, second, *_, last = ((file, m) for file, m in trial.every() if trial.row(file, m)["reason"] == trial.UNKNOWN)
    monkeypatch.setattr(trial, "outcomes", lambda cases, processes: [(*cases[0], True), (*cases[1], False)])
    rows = [trial.row(*case) for case in (first, second)] + [trial.row(*last) | {"code": "a line that is gone"}]
    found = trial.again({"tried": 9, "survivors": rows}, 1)
    assert [row["reason"] for row in found["survivors"]] == [trial.ADDED, trial.UNKNOWN, trial.UNKNOWN]
    assert found["tried"] == 9 and [row["where"] for row in found["survivors"]] == [row["where"] for row in rows]


def test_a_trial_runs_the_calls_with_bad_input_that_are_the_files_own():
    concerned = importlib.import_module("benchmarks.mutants").concerned
    assert concerned("diffusion/elbo.py").endswith("(not in_one_sentence or mathematics-elbo.)")
    assert concerned("diffusion/arguments.py").endswith("(not in_one_sentence or mathematics-)")
