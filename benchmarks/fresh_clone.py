"""What the README's two commands cost on a fresh clone, and `make book` again, in seconds.

python -m benchmarks.fresh_clone [--test]      --test: `make test` too, which takes some minutes
"""

import argparse
import subprocess
import tempfile
import time
from pathlib import Path

from experiments.common.results_file import Stopwatch, write

ROOT = Path(__file__).resolve().parents[1]


def seconds(command: list[str], folder: Path) -> float:
    """How long the command takes in this folder; it must succeed."""
    began = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return round(time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--test", action="store_true")
    options, clock = parser.parse_args(), Stopwatch()
    with tempfile.TemporaryDirectory() as parent:
        clone = Path(parent) / "clone"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        results = {
            "make_book_fresh_seconds": seconds(["make", "book"], clone),
            "make_book_again_seconds": seconds(["make", "book"], clone),
            "make_test_seconds": seconds(["make", "test"], clone) if options.test else "not measured",
            "note": "packages came from a registry near by; make test installs what make book did not, torch above all",
        }
    print(results)
    write("fresh_clone", results, clock)


if __name__ == "__main__":
    main()
