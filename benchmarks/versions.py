"""The package on another Python: modules imported, quick tests of the mathematics run; and each lower bound looked up.

python -m benchmarks.versions PYTHON...      PYTHON: an interpreter whose environment holds requirements.txt

What was found of other versions stays. The bounds are those of pyproject.toml: the index must have each. Nothing was
installed at them.
"""

import argparse
import json
import os
import re
import subprocess
import sys

from benchmarks.mutants import LEFT_OUT
from benchmarks.rig import trust
from experiments.common.results_file import RESULTS, ROOT, Stopwatch

TESTS = ["tests/diffusion", "tests/test_schedule.py", "tests/test_sampler.py", "tests/test_unet.py"]
IMPORTS = """
import importlib, pkgutil, platform, torch, ddpm_core
names = [m.name for m in pkgutil.walk_packages(ddpm_core.__path__, "ddpm_core.") if not m.name.endswith("__main__")]
for name in names: importlib.import_module(name)
print(platform.python_version(), torch.__version__, len(names))
"""


def said(python: str, *arguments: str) -> str:
    """What it prints; it must succeed."""
    settings = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run([python, *arguments], cwd=ROOT, env=settings, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{python} {arguments[:2]}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def row(python: str) -> dict:
    """What one interpreter did."""
    version, torch, modules = said(python, "-c", IMPORTS).split()[-3:]
    left_out = f"not ({' or '.join(LEFT_OUT)})"
    told = said(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", left_out, *TESTS)
    passed = int(re.search(r"(\d+) passed", told)[1])
    return {"python": version, "torch": torch, "modules": int(modules), "tests_passed": passed}


def bounds(text: str) -> list[str]:
    """The requirements of pyproject.toml with a lower bound, as "name==bound"."""
    return sorted({f"{name}=={bound}" for name, bound in re.findall(r'"([\w-]+)>=([\d.]+)"', text) if bound != "77"})


def is_there(bound: str) -> bool:
    """Whether the index has it, under this number or one with zeros behind it."""
    name, number = bound.split("==")
    done = subprocess.run(
        [sys.executable, "-m", "pip", "index", "versions", name], capture_output=True, text=True, check=True
    )
    return bool(re.search(rf"[ ,]{re.escape(number)}(\.0)*(,|\n|$)", done.stdout))


def noted() -> list[dict]:
    """The rows that the results file has."""
    path = RESULTS / f"{trust.NAME}.json"
    return json.loads(path.read_text())["results"].get("versions", {}).get("rows", []) if path.is_file() else []


def merged(before: list[dict], now: list[dict]) -> list[dict]:
    """A row for each version of Python, the newest finding of each, in the order of the versions."""
    rows = {found["python"]: found for found in before + now}
    return sorted(rows.values(), key=lambda found: [int(part) for part in found["python"].split(".")])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("python", nargs="*")
    options, clock = parser.parse_args(), Stopwatch(arguments=["PYTHON"])
    if not options.python:
        return print("not measured: name the interpreters of other environments")
    asked = bounds((ROOT / "pyproject.toml").read_text())
    missing = [bound for bound in asked if not is_there(bound)]
    rows = merged(noted(), [row(python) for python in options.python])
    trust.note("versions", {"rows": rows, "bounds": asked, "bounds_missing": missing}, clock)


if __name__ == "__main__":
    main()
