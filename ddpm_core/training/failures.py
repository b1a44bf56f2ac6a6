"""What may go wrong in the middle of training, and what is said then: one sentence, and a state that is still whole."""

import contextlib
import signal
import threading
import traceback
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from ddpm_core.training.state import TrainState

OVERFLOWS = 20  # in a row; a sound fp16 run begins with a few, while its loss scale of 2^16 is halved to what fits
STOPS = (signal.SIGINT, signal.SIGTERM)  # Ctrl-C, and how a cluster or a launcher asks a process to end


@contextlib.contextmanager
def defer_signals() -> Iterator[Callable[[], bool]]:
    """Hold the first Ctrl-C (or SIGTERM) back until the step is whole: yields a function that tells whether it came.

    A second one acts at once. A signal that this process ignores stays ignored. Outside the main thread, where Python
    hands out no signals: nothing.
    """
    asked = []
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    previous = {number: found for number in STOPS if (found := signal.getsignal(number)) not in (None, signal.SIG_IGN)}

    def remember(number, frame):
        asked.append(True)
        signal.signal(number, previous[number])

    for number in previous:
        signal.signal(number, remember)
    try:
        yield lambda: bool(asked)
    finally:
        for number, found in previous.items():
            signal.signal(number, found)


@contextlib.contextmanager
def draw_again(state: TrainState) -> Iterator[Callable[[], None]]:
    """Give back the random numbers that a step has drawn which an interrupt cut short: taken again, it draws the same.

    Yields a function that is called when a step is whole.
    """
    held = [torch.get_rng_state()]

    def whole() -> None:
        held[0] = torch.get_rng_state()

    try:
        yield whole
    except KeyboardInterrupt:
        if state.consistent:
            torch.set_rng_state(held[0])
        raise


@contextlib.contextmanager
def explain_errors(state: TrainState, accumulate: int) -> Iterator[None]:
    """Turn the two accidents of a machine into one sentence each, and let go of what the failed step held in memory.

    MemoryError      a step that did not fit; it names the settings that need less, and the weights are as before it
    ConnectionError  another process of this run is gone
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if _out_of_memory(error):
            traceback.clear_frames(error.__traceback__)
            raise MemoryError(_what_needs_less(state, accumulate)) from error
        if state.accelerator.num_processes > 1 and _lost_connection(error):
            index, n = state.accelerator.process_index, state.accelerator.num_processes
            raise ConnectionError(
                f"process {index} of {n} lost another one at step {state.step + 1}: it ended or cannot be reached."
            ) from error
        raise


def halve_scale(state: TrainState, overflows: int) -> int:
    """What is left to do after an fp16 gradient overflowed: the weights stay, the loss scale halves, the step is taken
    again. Raises FloatingPointError after OVERFLOWS of them in a row; returns how many it has been."""
    state.optimizer.step()  # which the scaler knows to be empty
    state.optimizer.zero_grad()
    if overflows == OVERFLOWS:
        scale = state.accelerator.scaler.get_scale()
        raise FloatingPointError(
            f"the fp16 gradient overflowed {overflows} times in a row at step {state.step + 1}, down to a loss scale "
            f"of {scale:g}; bf16 and full precision hold larger numbers."
        )
    return overflows


def not_finite(step: int, loss: Tensor, norm: Tensor) -> FloatingPointError:
    """The error to raise for a step whose loss or gradient is lost."""
    what, value = ("gradient's length", norm) if loss.isfinite() else ("loss", loss)
    return FloatingPointError(f"the {what} became {value.item()} at step {step}.")


def _out_of_memory(error: Exception) -> bool:
    """A GPU's error has a class of its own; the CPU's and Apple's are known by what they say."""
    said = ("not enough memory", "can't allocate memory", "out of memory")
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(words in str(error) for words in said)


def _lost_connection(error: Exception) -> bool:
    """NCCL's errors have classes of their own; gloo's, on CPUs, name the file they come from."""
    return isinstance(error, getattr(torch.distributed, "DistError", ())) or "gloo" in str(error)


def _what_needs_less(state: TrainState, accumulate: int) -> str:
    short = f"need more memory at step {state.step + 1} than {state.accelerator.device} has"
    if state.batch is None:
        return f"{short}: not even the batch itself did fit; a smaller one (--batch) may."
    share = state.batch // state.accelerator.num_processes  # images of a step that are this process's
    now = share // accumulate
    finer = next((k for k in range(accumulate + 1, share + 1) if share % k == 0), None)
    parts = f"accumulate={finer} (--accumulate {finer}) takes {share // finer} to the same end, " if finer else ""
    return (
        f"{short}: {now} image{'s' * (now > 1)} at once did not fit; {parts}net.checkpointing = True (--checkpointing) "
        f"keeps less of each, and a batch below {state.batch} (--batch) is smaller."
    )
