"""Run the cells of the workshop's paths, as a room would, and hold each path to its budget of compute.

    python tools/rehearse.py [45 90 180]       by default all three; exits with 1 where a path is over its budget
    python tools/rehearse.py --record          and note in workshop/measured.json what each took
    python tools/rehearse.py --alone           as in Colab: with no results or checkpoints beside the notebook

Counted are seconds of the processor, which do not depend on what else this machine does. One thread computes, as in the
tests: whoever has two cores waits no longer than that.
"""

import datetime
import json
import os
import shutil
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
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


class Repository(SimpleHTTPRequestHandler):
    """Serves a checkout as the published repository does: ADDRESS/raw/main/PATH. `asked` gathers the names of files."""

    def __init__(self, *arguments, asked: list[str], **options):
        self.asked = asked
        super().__init__(*arguments, **options)

    def translate_path(self, path):
        return super().translate_path(path.removeprefix("/raw/main"))

    def log_request(self, *of):
        self.asked.append(Path(self.path).name)


@contextmanager
def alone(root: Path = ROOT):
    """A folder with the notebooks and the package, and nothing beside them: yields it, and a list of what gets fetched.

    The results of the checkout are served on this machine, at the address that the package there takes for the
    repository's; its cache is empty. So each checkpoint is fetched once and held to its hash, as in Colab.
    """
    asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Repository, directory=str(root), asked=asked))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    before = os.environ.get("DDPM_CORE_CACHE")
    with tempfile.TemporaryDirectory() as name:
        there = Path(name)
        (there / "book").mkdir()
        for notebook in (root / "book").glob("*.ipynb"):
            shutil.copy(notebook, there / "book")
        shutil.copytree(root / "ddpm_core", there / "ddpm_core", ignore=shutil.ignore_patterns("__pycache__"))
        (there / "ddpm_core-0.dist-info").mkdir()
        (there / "ddpm_core-0.dist-info" / "METADATA").write_text(
            "Metadata-Version: 2.1\nName: ddpm-core\nVersion: 0\n"
            f"Project-URL: Repository, http://127.0.0.1:{server.server_port}\n"
        )
        os.environ["DDPM_CORE_CACHE"] = str(there / "cache")
        try:
            yield there, asked
        finally:
            os.environ.pop("DDPM_CORE_CACHE")
            os.environ |= {"DDPM_CORE_CACHE": before} if before is not None else {}
            server.shutdown()
            server.server_close()


def rehearse(length: int, root: Path, where: Path) -> dict:
    """Run the path of a checkout with the notebooks and the package of a folder. Returns what it took."""
    os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(where), *filter(None, [before])])
    path = paths.load(length, root)
    print(f"{length} minutes:", flush=True)
    try:
        took = walk(path, where)
    finally:
        os.environ.pop("PYTHONPATH")
        os.environ |= {"PYTHONPATH": before} if before is not None else {}
    wrong = verdict(path, took)
    print(f"  {wrong or 'within the budget'}: {took['processor']:.0f} of {path['compute']} s", flush=True)
    return took | {"date": datetime.date.today().isoformat(), "cores": os.cpu_count()}


def main(lengths: list[int], record: bool = False, root: Path = ROOT) -> int:
    measured = paths.measurements(root)
    for length in lengths:
        kept = {key: value for key, value in measured.get(str(length), {}).items() if key == "alone"}
        measured[str(length)] = rehearse(length, root, root) | kept
        if record:
            note(measured, root)
    return over_budget(measured, lengths, root)


def main_alone(lengths: list[int], record: bool = False, root: Path = ROOT) -> int:
    """As main, of the paths where nothing lies beside the notebook; `fetched` names what each had to fetch."""
    measured, found = paths.measurements(root), {}
    for length in lengths:
        with alone(root) as (where, asked):
            found[str(length)] = rehearse(length, root, where) | {"fetched": sorted(set(asked))}
        print(f"  fetched: {', '.join(sorted(set(asked))) or 'nothing'}", flush=True)
        if record:
            measured.setdefault(str(length), {})["alone"] = found[str(length)]
            note(measured, root)
    return over_budget(found, lengths, root)


def over_budget(measured: dict, lengths: list[int], root: Path) -> int:
    return int(any(verdict(paths.load(length, root), measured[str(length)]) for length in lengths))


def note(measured: dict, root: Path) -> None:
    ordered = dict(sorted(measured.items(), key=lambda item: int(item[0])))
    (root / "workshop" / "measured.json").write_text(json.dumps(ordered, indent=1) + "\n")


if __name__ == "__main__":
    asked = [int(argument) for argument in sys.argv[1:] if argument.isdecimal()] or list(paths.LENGTHS)
    sys.exit((main_alone if "--alone" in sys.argv else main)(asked, record="--record" in sys.argv))
