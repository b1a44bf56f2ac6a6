"""Public functions against bad arguments, and checkpoints against one changed bit: what comes of it.

python -m benchmarks.bad_input

The cases are those of tests/project/test_bad_input.py and tests/storage/test_damage.py.
"""

import sys
import tempfile
from collections import Counter
from pathlib import Path

from benchmarks.rig import trust
from experiments.common.results_file import ROOT, Stopwatch

sys.path[:0] = [str(ROOT / "tests" / "project"), str(ROOT / "tests" / "storage")]


def main() -> None:
    import test_bad_input
    import test_damage

    clock = Stopwatch()
    found = dict(test_bad_input.tried())
    trust.note(
        "input",
        {"functions": len(test_bad_input.CASES), "cases": len(found), **Counter(found.values())},
        clock,
    )
    clock = Stopwatch()
    with tempfile.TemporaryDirectory() as folder:
        run, place = Path(folder) / "run", Path(folder) / "changed"
        place.mkdir()
        test_damage.trained_in(run)
        bits = {name: test_damage.unseen(run, name, place) for name in test_damage.READERS}
    changed = 2 * len(bits) * test_damage.BITS
    trust.note("bits", {"changed": changed, "seen": changed - sum(map(len, bits.values()))}, clock)


if __name__ == "__main__":
    main()
