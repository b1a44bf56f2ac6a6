"""How the rungs of chapter 16's ladder are trained: as the club did, or by our trainer; with the same compute.

A training takes a rung, a fresh network and a `Job`; it returns the last weights, their average if there is one, and
what it took. It goes on where it was stopped.
"""

import json
import math
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from ddpm_core import data, schedule, trainer
from ddpm_core.recipes.config import CARS32
from ddpm_core.storage.files import write_atomically
from ddpm_core.trainer import TrainState
from experiments.ch16 import club
from experiments.common.results_file import significant


@dataclass(frozen=True)
class Rhythm:
    """Images a step (None: the club's or ours), steps from report to report, seconds from save to save."""

    batch: int | None = None
    report_every: int = 10
    save_every: float = 60


EVERY_MINUTE = Rhythm()


@dataclass(frozen=True)
class Job:
    """One training: its data (N, 3, side, side) uint8, seed, how many images it may see in all, device, and the file it
    is kept in."""

    images: Tensor
    seed: int
    budget: float
    device: str
    file: Path
    rhythm: Rhythm = EVERY_MINUTE

    def steps(self, batch: int) -> int:
        return max(1, round(self.budget / batch))


def as_the_club(rung, net: nn.Module, job: Job) -> tuple[nn.Module, nn.Module | None, dict]:
    """Adam as it comes, a rate that falls in rounds: the last weights, no average, and what it took."""
    net, rhythm, batch = net.to(job.device), job.rhythm, job.rhythm.batch or club.BATCH
    steps = job.steps(batch)
    batch_at = club.batches(job.images, rung.way.T, batch, job.seed)
    file = job.file.with_suffix(".training")  # of torch's own format
    run = list(club.train(net, batch_at, rung.loss, steps, file, rhythm.save_every, rhythm.report_every))
    return net, None, _took(steps, batch, run[-1][2], [(step, loss) for step, loss, _ in run])


def as_we_do(rung, net: nn.Module, job: Job) -> tuple[nn.Module, nn.Module | None, dict]:
    """The trainer with the recipe's batch and rate: the last weights, their average, and what it took."""
    rhythm, batch = job.rhythm, job.rhythm.batch or CARS32.batch
    steps = job.steps(batch)
    state = trainer.start(net, lr=CARS32.lr, ema_decay=CARS32.ema_decay, device=job.device)
    if job.file.exists():
        trainer.resume(state, job.file)
    times = rung.way.schedule or schedule.cosine(rung.way.T)  # which gives `batches` its T, and no more
    batch_at = data.batches(job.images, times, batch=batch, seed=job.seed, flips=rung.flips)
    saved, reports = time.monotonic(), _reported(job, state.step)
    for progress in trainer.run(state, batch_at, rung.loss, steps=steps, report_every=rhythm.report_every):
        reports.append((progress.step, progress.loss))
        if time.monotonic() - saved > rhythm.save_every:
            _keep(job, state, reports)
            saved = time.monotonic()
    _keep(job, state, reports)
    net = state.accelerator.unwrap_model(state.net).eval()
    return net, trainer.ema_model(state), _took(steps, batch, state.seconds, reports)


def _keep(job: Job, state: TrainState, reports: list[tuple[int, float]]) -> None:
    """The losses before the weights: what the weights have not reached is left out when both are read again."""
    write_atomically(job.file.with_suffix(".losses"), lambda temporary: temporary.write_text(json.dumps(reports)))
    trainer.save(state, job.file)


def _reported(job: Job, step: int) -> list[tuple[int, float]]:
    """(step, loss) of a training's first steps, as kept; nan if nothing was kept of them."""
    path = job.file.with_suffix(".losses")
    kept = json.loads(path.read_text()) if path.exists() else [(step, math.nan)]
    return [(then, loss) for then, loss in kept if 0 < then <= step]


def _took(steps: int, batch: int, seconds: float, reports: list[tuple[int, float]]) -> dict:
    """What a training took; its loss is None if one of its last twentieth is not known."""
    loss = statistics.fmean(loss for step, loss in reports if step > 0.95 * steps)
    return {
        "steps": steps, "images": steps * batch, "minutes": round(seconds / 60, 2),
        "loss": significant(loss) if math.isfinite(loss) else None,
    }  # fmt: skip
