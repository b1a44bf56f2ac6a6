"""Which lines of the package no unit test visits, in its own process or in one that it starts.

python -m benchmarks.covered [--tests tests] [--processes 2]      needs pytest-cov
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.rig import trust
from experiments.common.results_file import ROOT, Stopwatch

HOW = "[run]\npatch = subprocess\n"  # every Python that a test starts counts its lines as well, if it ends in peace


def lines(report: dict) -> dict[str, tuple[int, int]]:
    """file of ddpm_core -> its statements, and how many of them nobody visited, from a report of coverage.py."""
    counted = {Path(file).as_posix().split("ddpm_core/", 1)[1]: of["summary"] for file, of in report["files"].items()}
    return {file: (count["num_statements"], count["missing_lines"]) for file, count in sorted(counted.items())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tests", nargs="+", default=["tests"])
    parser.add_argument("--processes", type=int, default=2)
    options, clock = parser.parse_args(), Stopwatch()
    with tempfile.TemporaryDirectory() as folder:
        report, config = Path(folder) / "report.json", Path(folder) / "coveragerc"
        config.write_text(HOW)
        workers = options.processes if options.processes > 1 else 0  # one is pytest itself
        command = [sys.executable, "-m", "pytest", "-q", "-n", str(workers), "-p", "no:cacheprovider"]
        what = [f"--cov={ROOT / 'ddpm_core'}", f"--cov-config={config}", f"--cov-report=json:{report}"]
        kept = os.environ | {"COVERAGE_FILE": str(Path(folder) / "data"), "PYTHONPATH": str(ROOT)}
        command += [*what, "--ignore=tests/browser", *options.tests]
        done = subprocess.run(command, cwd=ROOT, env=kept)
        if not report.is_file():
            raise SystemExit("need pytest-cov and tests that run, but pytest says what stands above.")
        files = lines(json.loads(report.read_text()))
    trust.note("coverage", {"files": files, "tests": options.tests, "passed": done.returncode == 0}, clock)


if __name__ == "__main__":
    main()
