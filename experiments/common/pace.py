"""How many training steps one processor core makes in a minute, measured once: then other work changes nothing."""

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

from ddpm_core.trainer import Progress
from experiments.common.settings import cached

WARM = 30  # steps that do not count


def timed(run: Iterable[Progress], clock: Callable[[], float] = time.process_time) -> Iterator[tuple[float, float]]:
    """Of each report the seconds that it took by the clock, without the caller's, and the loss."""
    began = clock()
    for progress in run:
        yield clock() - began, progress.loss
        began = clock()


def steps_a_minute(file: Path, run: Callable[[], Iterator[tuple[float, float]]]) -> float:
    """Of a `timed` run that reports every step; `file` keeps it."""

    def measured() -> float:
        seconds = [spent for spent, _ in islice(run(), WARM, None)]
        return 60 * len(seconds) / sum(seconds)

    return cached(file, measured)
