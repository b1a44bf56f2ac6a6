"""The package on other versions: all tests on another Python, its own with each requirement at its lower bound.

python -m benchmarks.versions PYTHON...           PYTHON: an interpreter whose environment holds requirements.txt
python -m benchmarks.versions --again PYTHON...   those of its tests that failed, once they have been mended
python -m benchmarks.versions --cells PYTHON...   the cells of the notebooks in place of the tests
python -m benchmarks.versions --bounds            prints what pip is to install for an environment at the lower bounds

An environment whose packages lie exactly at the bounds of pyproject.toml is known by them: there the tests OF_PACKAGE
run. What was found of other versions stays. The index is asked for each bound, those of the extras too.
"""

import argparse
import json
import os
import re
import subprocess
import sys

from packaging.version import Version

from benchmarks.rig import trust
from experiments.common.results_file import RESULTS, ROOT, Stopwatch

OF_PACKAGE = [
    f"tests/{name}"
    for name in (
        "cli", "data", "diffusion", "evaluation", "networks", "recipes", "storage", "training",
        "test_numbers.py", "test_sampler.py", "test_schedule.py", "test_trainer.py", "test_unet.py",
    )
] + ["--ignore=tests/storage/test_text_encoder.py"]  # transformers 5 asks for a newer huggingface_hub  # fmt: skip
CELLS = ["--nbval", "--nbval-current-env", "--nbval-cell-timeout=600", "--nbval-sanitize-with=tests/sanitize.cfg"]
IMPORTS = """
import importlib, importlib.metadata, json, pkgutil, platform, sys, torch, ddpm_core
names = [m.name for m in pkgutil.walk_packages(ddpm_core.__path__, "ddpm_core.") if not m.name.endswith("__main__")]
for name in names: importlib.import_module(name)
packages = {name: importlib.metadata.version(name) for name in sys.argv[1:]}
row = {"python": platform.python_version(), "torch": torch.__version__, "modules": len(names), "packages": packages}
print(json.dumps(row))
"""


def said(python: str, *arguments: str, fine: tuple[int, ...] = (0,)) -> str:
    """What it prints, which is shown too; its exit status must be one that is fine."""
    settings = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    told = []
    with subprocess.Popen([python, *arguments], cwd=ROOT, env=settings, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            told.append(line)
            print(line, end="", flush=True)
    if process.returncode not in fine:
        raise SystemExit(f"need an environment in which it ends well, but {python} ended with {process.returncode}.")
    return "".join(told)


def counted(summary: str) -> dict[str, int]:
    """How many passed, failed and were skipped, from the last line of pytest. An error is a failure."""
    of = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|skipped|error)", summary)}
    failed = of.get("failed", 0) + of.get("error", 0)
    return {"passed": of.get("passed", 0), "failed": failed, "skipped": of.get("skipped", 0)}


def tested(python: str, cache: str, *what: str) -> dict[str, int]:
    """What pytest counts there. In the folder it keeps which failed."""
    command = "-m", "pytest", "-q", "-n", "1", "-o", f"cache_dir={ROOT / '_build' / cache}"
    return counted(said(python, *command, *what, fine=(0, 1)).splitlines()[-1])


def mended(before: dict[str, int], now: dict[str, int]) -> dict[str, int]:
    """The counts after those that failed before have run again, all of them and no others."""
    if sum(now.values()) != before["failed"]:
        raise SystemExit(f"need the {before['failed']} tests that failed before, but {sum(now.values())} ran.")
    return {name: before[name] + now[name] for name in ("passed", "skipped")} | {"failed": now["failed"]}


def row(python: str, lowest: dict[str, str], cells: bool, again: list[dict]) -> dict:
    """What one interpreter did.

    lowest: package -> bound, of all that the package always needs. again: the rows known, where only what failed runs.
    """
    found = json.loads(said(python, "-c", IMPORTS, *lowest).splitlines()[-1])
    at_bounds = all(Version(Version(found["packages"][name]).public) == Version(lowest[name]) for name in lowest)
    found |= {"at_bounds": at_bounds}
    cache = f"versions-{found['python']}{'-bounds' if at_bounds else ''}"
    if cells:
        books = [str(path.relative_to(ROOT)) for path in sorted((ROOT / "book").glob("*.ipynb"))]
        return found | {"cells": tested(python, f"{cache}-cells", *CELLS, "-W", "default", *books)}
    tests = OF_PACKAGE if at_bounds else ["--ignore=tests/browser", "tests"]
    if not again:
        return found | {"tests": tested(python, cache, *tests)}
    (before,) = (known["tests"] for known in again if key(known) == key(found))
    return found | {"tests": mended(before, tested(python, cache, "--lf", "--lfnf=none", *tests))}


def bounds(text: str) -> dict[str, str]:
    """Package -> lower bound, of the requirements in a part of pyproject.toml."""
    return dict(sorted(re.findall(r'"([\w-]+)>=([\d.]+)"', text)))


def always(text: str) -> str:
    """The part of pyproject.toml about what the package always needs."""
    return re.search(r"(?ms)^dependencies = \[.*?^\]", text)[0]


def is_there(name: str, number: str) -> bool:
    """Whether the index has it, under this number or one with zeros behind it."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "index", "versions", name], capture_output=True, text=True, check=True
    )
    return bool(re.search(rf"[ ,]{re.escape(number)}(\.0)*(,|\n|$)", done.stdout))


def noted() -> list[dict]:
    """The rows that the results file has."""
    path = RESULTS / f"{trust.NAME}.json"
    return json.loads(path.read_text())["results"].get("versions", {}).get("rows", []) if path.is_file() else []


def key(found: dict) -> tuple:
    """What tells a row from the others: whether it is at the bounds, and the version of Python."""
    return found.get("at_bounds", False), *(int(part) for part in found["python"].split("."))


def merged(before: list[dict], now: list[dict]) -> list[dict]:
    """A row for each version of Python, and of those at the bounds: the newest findings, in order."""
    rows = {}
    for found in before + now:
        rows[key(found)] = rows.get(key(found), {}) | found
    return [rows[name] for name in sorted(rows)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("python", nargs="*")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--cells", action="store_true")
    parser.add_argument("--bounds", action="store_true")
    options, clock = parser.parse_args(), Stopwatch(arguments=["PYTHON"])
    project = (ROOT / "pyproject.toml").read_text().partition("[project]")[2]
    lowest, asked = bounds(always(project)), bounds(project)
    if options.bounds:
        return print(*(f"{name}=={number}" for name, number in lowest.items()))
    if not options.python:
        return print("not measured: name the interpreters of other environments")
    missing = [f"{name}=={number}" for name, number in asked.items() if not is_there(name, number)]
    again = noted() if options.again else []
    now = [row(python, lowest, options.cells, again) for python in options.python]
    about = {"rows": merged(noted(), now), "bounds": [f"{name}=={number}" for name, number in asked.items()]}
    trust.note("versions", about | {"bounds_missing": missing}, clock)


if __name__ == "__main__":
    main()
