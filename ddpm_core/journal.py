"""What a run tells while it lasts: a bar in the terminal, curves for TensorBoard."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from tqdm.auto import tqdm

from .trainer import Progress, State

Note = Callable[[Progress], None]  # takes a report down


def with_a_bar(
    run: Iterator[Progress], keep: Callable[[float | None], None], save_every: float, note: Note, quiet: bool
) -> None:
    """Go through a run with a progress bar and note each report.

    keep(smoothed loss) is called every `save_every` seconds, at the end, and when the run is interrupted.
    """
    loss, saved, progress = None, time.monotonic(), None
    try:
        with tqdm(total=100, bar_format="{l_bar}{bar}| {elapsed}<{remaining}{postfix}", disable=quiet) as bar:
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


def for_tensorboard(folder: str | Path | None, state: State) -> AbstractContextManager[Note]:
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
