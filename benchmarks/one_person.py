"""What one person at a chapter costs a shared machine: peak memory and processor seconds of the notebook's kernel.

python -m benchmarks.one_person [NAME...]      default: chapters 0, 1 and 6; rows of other chapters are kept
"""

import argparse
import json
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from experiments.common.results_file import RESULTS, ROOT, Stopwatch, write

CHAPTERS = ("00-ten-minute-generator", "01-forward-process", "06-simple-loss")
SAYS = """
import time as _time
_lines = open("/proc/self/status").read().splitlines()
print(next(_line.split()[1] for _line in _lines if _line.startswith("VmHWM:")), _time.process_time())
"""


def row(notebook: Path) -> dict[str, float]:
    """Run every cell of a notebook in a kernel of its own. Raises CellExecutionError if one fails."""
    book = nbformat.read(notebook, as_version=4)
    book.cells.append(nbformat.v4.new_code_cell(SAYS))
    began = time.perf_counter()
    place = {"metadata": {"path": notebook.parent}}
    NotebookClient(book, timeout=1800, kernel_name="python3", resources=place).execute()
    kib, seconds = map(float, book.cells[-1].outputs[0].text.split())
    clock = round(time.perf_counter() - began, 1)
    return {"peak_mib": round(kib / 1024), "processor_seconds": round(seconds, 1), "clock_seconds": clock}


def kept(folder: Path = RESULTS) -> dict[str, dict]:
    """The rows that were measured before."""
    path = folder / "one_person.json"
    return json.loads(path.read_text("utf-8"))["results"]["rows"] if path.is_file() else {}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=CHAPTERS)
    names, clock = parser.parse_args().names, Stopwatch()
    rows = kept() | {name: row(ROOT / "book" / f"{name}.ipynb") for name in names}
    note = (
        "of the kernel that runs all cells of the chapter, from its start: peak_mib is its largest resident memory, "
        "code of libraries included, which several kernels share; clock_seconds depend on what else the machine does. "
        "The server of the notebook is not counted"
    )
    print(rows)
    write("one_person", {"rows": dict(sorted(rows.items())), "note": note}, clock)


if __name__ == "__main__":
    main()
