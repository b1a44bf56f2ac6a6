"""Run the cells of the workshop's paths, as a room would, and hold each path to its budget of compute.

    python tools/rehearse.py [45 90 180]       by default all three; exits with 1 where a path is over its budget
    python tools/rehearse.py --record          and note in workshop/measured.json what each took

Counted are seconds of the processor, which do not depend on what else this machine does. One thread computes, as in the
tests: whoever has two cores waits no longer than that.
"""

import datetime
import json
import os
import sys
import time
from pathlib import Path

import paths
import sections
from nbclient import NotebookClient
from nbformat import v4

ROOT = Path(__file__).resolve().parent.parent
CLOCK = "import time as _time; print(_time.process_time())"
WHERE = "import torch as _t; print('GPU' if _t.cuda.is_available() else 'processor')"


class Room:
    """A chapter in a running kernel: each cell runs once, in the order in which the path comes to it."""

    def __init__(self, chapter: str, root: Path = ROOT):
        self.cells, self.ran = sections.chapter(chapter, root), set()
        self.client = NotebookClient(
            v4.new_notebook(),
            timeout=1800,
            kernel_name="python3",
            resources={"metadata": {"path": str(root / "book")}},
            extra_arguments=["--IPKernelApp.log_level=ERROR"],
        )
        self.client.create_kernel_manager()
        self.client.start_new_kernel()
        self.client.start_new_kernel_client()

    def say(self, source: str) -> str:
        """Run some code; returns what it printed. Raises CellExecutionError where it fails."""
        cell = v4.new_code_cell(source)
        self.client.nb.cells.append(cell)
        self.client.execute_cell(cell, len(self.client.nb.cells) - 1)
        return "".join(output.get("text", "") for output in cell.outputs)

    def run(self, step: dict) -> float:
        """Run a step's cells that have not run yet; returns the seconds of the processor."""
        start = float(self.say(CLOCK))
        for number in paths.cells_of(step, self.cells):
            if number not in self.ran:
                self.ran.add(number)
                self.say(sections.source(self.cells[number]))
        return float(self.say(CLOCK)) - start

    def close(self):
        self.client._cleanup_kernel()


def walk(path: dict, root: Path = ROOT) -> dict:
    """Run a path. Returns the seconds of the processor of each step, of all, and those on the clock."""
    rooms, steps, began, device = {}, [], time.perf_counter(), "nothing"
    try:
        for step in path["steps"]:
            if "chapter" in step and step["chapter"] not in rooms:
                rooms[step["chapter"]] = Room(step["chapter"], root)
            spent = rooms[step["chapter"]].run(step) if "chapter" in step else 0.0
            steps.append(round(spent, 1))
            print(f"  {step.get('chapter', step.get('title'))}: {spent:.1f} s", flush=True)
        if rooms:
            device = next(iter(rooms.values())).say(WHERE).strip()
    finally:
        for room in rooms.values():
            room.close()
    clock = round(time.perf_counter() - began, 1)
    return {"steps": steps, "processor": round(sum(steps), 1), "clock": clock, "device": device}


def verdict(path: dict, took: dict) -> str:
    """What is wrong with what a path took: '' when it fits."""
    over = took["processor"] > path["compute"]
    return f"the cells took {took['processor']:.0f} s of the processor, {path['compute']} were allowed" if over else ""


def main(lengths: list[int], record: bool = False, root: Path = ROOT) -> int:
    os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"
    os.environ["PYTHONPATH"] = os.pathsep.join([str(root), *filter(None, [os.environ.get("PYTHONPATH")])])
    file, failed = root / "workshop" / "measured.json", False
    measured = json.loads(file.read_text()) if file.exists() else {}
    for length in lengths:
        path = paths.load(length, root)
        print(f"{length} minutes:", flush=True)
        took = walk(path, root)
        wrong = verdict(path, took)
        print(f"  {wrong or 'within the budget'}: {took['processor']:.0f} of {path['compute']} s", flush=True)
        failed = failed or bool(wrong)
        measured[str(length)] = {**took, "date": datetime.date.today().isoformat(), "cores": os.cpu_count()}
        if record:
            file.write_text(json.dumps(dict(sorted(measured.items(), key=lambda item: int(item[0]))), indent=1) + "\n")
    return int(failed)


if __name__ == "__main__":
    asked = [int(argument) for argument in sys.argv[1:] if argument != "--record"]
    sys.exit(main(asked or list(paths.LENGTHS), record="--record" in sys.argv))
