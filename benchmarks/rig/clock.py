"""Timing things beside each other: in turns, so that what else the machine does meets all of them alike."""

import gc
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[2]


def in_turns(
    steps: dict[str, Callable[[], object]],
    rounds: int,
    warm: int = 1,
    now: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Seconds of every call: each step once, then each again, and so on; the first `warm` rounds do not count.

    now: the clock; `time.process_time` counts what the processor did for this process, whatever else it does.
    """
    found: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(warm + rounds):
        for name, step in steps.items():
            gc.collect()
            began = now()
            step()
            if turn >= warm:
                found[name].append(now() - began)
    return found


def middle(values: list[float]) -> list[float]:
    """[median, smallest, largest], four digits each."""
    return [float(f"{v:.4g}") for v in (statistics.median(values), min(values), max(values))]


def ratio(slow: list[float], fast: list[float]) -> list[float]:
    """How many times faster `fast` is, turn by turn: [median, smallest, largest]."""
    return middle([a / b for a, b in zip(slow, fast, strict=True)])


def growth(sizes: list[float], seconds: list[float]) -> list[float]:
    """Each size against the one before: by how much more the seconds grew than the size; 1 is in step with it."""
    return [float(f"{(seconds[k] / seconds[k - 1]) / (sizes[k] / sizes[k - 1]):.3g}") for k in range(1, len(sizes))]


def product(n: int = 2048, **how) -> Callable[[], object]:
    """One product of two n x n matrices, 2 n^3 operations: what the machine computes fastest."""
    a, b = torch.randn(n, n, **how), torch.randn(n, n, **how)
    return lambda: a @ b


def memory_of(module: str, *arguments: str) -> dict[str, float]:
    """Peak memory in MiB of a process of its own that runs this module and prints what `most_held` returns."""
    before, most = printed_by(module, *arguments)[-2:]
    return {"peak_mib": round(most), "of_the_steps_mib": round(most - before)}


def printed_by(module: str, *arguments: str) -> list[float]:
    """The numbers in the last line that a process of its own prints, running this module."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return [float(number) for number in done.stdout.strip().splitlines()[-1].split()]


def held() -> float:
    """Memory that this process has taken for itself, in MiB; files that lie in memory do not count."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("RssAnon:")) / 1024


def most_held(work: Callable[[], object]) -> tuple[float, float]:
    """`held` before the work, and the most of it while the work was going on, looked at every two milliseconds."""
    before = most = held()
    done = threading.Event()

    def look() -> None:
        nonlocal most
        while not done.wait(0.002):
            most = max(most, held())

    watch = threading.Thread(target=look)
    watch.start()
    try:
        work()
    finally:
        done.set()
        watch.join()
    return before, most
