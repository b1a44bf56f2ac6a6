"""What a run tells while it lasts: a bar in the terminal, curves for TensorBoard."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor
from tqdm.auto import tqdm

from ddpm_core.training.state import TrainState

BatchAt = Callable[[int], tuple[Tensor, ...]]  # step -> the tensors of that step's batch, each (B, ...)


@dataclass(frozen=True)
class Progress:
    """What `run` yields: how far it is, and the means since the last report.

    step, images   so far; `images` counts those of all processes
    loss           mean since the last report
    seconds        of training so far, without what the caller does between reports
    fraction       share done, 0..1
    lr             learning rate of the last step
    grad_norm      length of the gradient before it is cut to 1, mean since the last report
    """

    step: int
    loss: float
    images: int
    seconds: float
    fraction: float
    lr: float
    grad_norm: float


Note = Callable[[Progress], None]  # takes a report down


def training_bar(quiet: bool) -> tqdm:
    """A bar of the share that is done."""
    return tqdm(total=100, bar_format="{l_bar}{bar}| {elapsed}<{remaining}{postfix}", disable=quiet)


def ticking(batch_at: BatchAt, bar: tqdm) -> BatchAt:
    """The same batches; each one that is asked for lets the bar's clock go on, where reports are seconds apart."""

    def at(step: int) -> tuple[Tensor, ...]:
        bar.update(0)
        return batch_at(step)

    return at


def progress_bar(
    run: Iterator[Progress],
    keep: Callable[[float | None], None],
    save_every: float,
    note: Note,
    quiet: bool = False,
    bar: tqdm | None = None,
) -> None:
    """Go through a run with a progress bar, its own or this one, and note each report.

    keep(smoothed loss) is called every `save_every` seconds, at the end, and when the run is interrupted.
    """
    loss, saved, progress = None, time.monotonic(), None
    try:
        with training_bar(quiet) if bar is None else bar as bar:
            for progress in run:
                loss = progress.loss if loss is None else 0.9 * loss + 0.1 * progress.loss
                rate = progress.images / progress.seconds
                bar.set_postfix_str(f"step {progress.step}, loss {loss:.4f}, {rate:.0f} images/s", refresh=False)
                bar.update(100 * progress.fraction - bar.n)
                note(progress)
                if time.monotonic() - saved > save_every:
                    keep(loss)
                    saved = time.monotonic()
        if progress is not None:  # else --resume found nothing left to do
            keep(loss)
    except KeyboardInterrupt:  # in the middle of the last keep(loss), too
        keep(loss)
        raise


def for_tensorboard(folder: str | Path | None, state: TrainState) -> AbstractContextManager[Note]:
    """A context that hands out a `Note`: curves of loss, learning rate, gradient length and images/s over the steps.

    Points that an interrupted run drew beyond the state's step are hidden. With folder None nothing is written. Raises
    ValueError if the package tensorboard is not installed.
    """
    if folder is None:
        return nullcontext(lambda progress: None)
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ValueError("need the package tensorboard for --log: pip install tensorboard, or leave it out.") from error
    return _curves(SummaryWriter, str(folder), state.step, state.images, state.seconds)


@contextmanager
def _curves(writer: Callable, folder: str, step: int, images: int, seconds: float) -> Iterator[Note]:
    open_writer = writer(folder, purge_step=step + 1 if step else None)
    before = images, seconds

    def note(progress: Progress) -> None:
        nonlocal before
        images, seconds = before
        before = progress.images, progress.seconds
        rate = (progress.images - images) / (progress.seconds - seconds)
        curves = {"loss": progress.loss, "lr": progress.lr, "gradient": progress.grad_norm, "images per second": rate}
        for name, value in curves.items():
            open_writer.add_scalar(name, value, progress.step)

    try:
        yield note
    finally:
        open_writer.close()
