"""Public functions against bad arguments, and checkpoints against one changed bit: what comes of it.

python -m benchmarks.bad_input [arguments] [bits]

The cases are those of tests/project/test_bad_input.py and tests/storage/test_damage.py.
"""

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

from benchmarks.rig import trust
from experiments.common.results_file import ROOT, Stopwatch

sys.path[:0] = [str(ROOT / "tests" / "project"), str(ROOT / "tests" / "storage")]


def arguments() -> None:
    """Each argument of each function, made wrong in every way."""
    import calls_around_it
    import calls_of_the_mathematics
    import wrong

    clock, cases = Stopwatch(), calls_of_the_mathematics.CASES | calls_around_it.CASES
    functions, found = {name.partition(",")[0] for name in cases}, dict(wrong.tried(cases))
    trust.note("input", {"functions": len(functions), "cases": len(found), **Counter(found.values())}, clock)


def bits() -> None:
    """Each of so many bits of a checkpoint, changed."""
    import test_damage

    clock = Stopwatch()
    with tempfile.TemporaryDirectory() as folder:
        run, place = Path(folder) / "run", Path(folder) / "changed"
        place.mkdir()
        test_damage.trained_in(run)
        found = {name: test_damage.unseen(run, name, place) for name in test_damage.READERS}
    changed = 2 * len(found) * test_damage.BITS
    trust.note("bits", {"changed": changed, "seen": changed - sum(map(len, found.values()))}, clock)


PARTS = {"arguments": arguments, "bits": bits}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="*", help="arguments, bits; both, if not told otherwise")
    for name in parser.parse_args().part or PARTS:
        PARTS[name]()


if __name__ == "__main__":
    main()
