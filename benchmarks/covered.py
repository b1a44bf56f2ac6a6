"""Which lines of the package no unit test visits.

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
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pytest", "-q", "-n", str(options.processes), "-p", "no:cacheprovider"]
        how = ["--cov=ddpm_core", f"--cov-report=json:{report}", "--ignore=tests/browser", *options.tests]
        kept = os.environ | {"COVERAGE_FILE": str(Path(folder) / "data")}
        done = subprocess.run([*command, *how], cwd=ROOT, env=kept, capture_output=True, text=True)
        if not report.is_file():
            raise SystemExit(f"need pytest-cov and tests that run, but got: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        print(done.stdout.splitlines()[-1])
        files = lines(json.loads(report.read_text()))
    trust.note("coverage", {"files": files, "tests": options.tests, "passed": done.returncode == 0}, clock)


if __name__ == "__main__":
    main()
