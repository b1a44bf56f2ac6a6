"""Make some targets one after the other, all of them even where one fails, and say at the end which failed.

python tools/stages.py lint test-unit ...     exits with 1 if any failed
"""

import os
import subprocess
import sys
import time


def made(target, make):
    """Make one target; returns whether that worked and the seconds it took."""
    print(f"== {target}", flush=True)
    start = time.perf_counter()
    worked = subprocess.run([make, "--no-print-directory", target]).returncode == 0
    return worked, time.perf_counter() - start


def summary(results):
    """A line for each {target: (whether it worked, seconds)}."""
    width = max(map(len, results))
    return "\n".join(
        f"{'passed' if worked else 'FAILED'}   {target:{width}} {seconds:6.0f} s"
        for target, (worked, seconds) in results.items()
    )


def main(targets):
    results = {target: made(target, os.environ.get("MAKE", "make")) for target in targets}
    print(f"\n{summary(results)}")
    return 0 if all(worked for worked, _ in results.values()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
