"""What a run keeps on the way and at its end, and that an interrupt loses nothing of it."""

from dataclasses import dataclass

import pytest

from ddpm_core.training import progress


@dataclass
class Report:
    step: int
    loss: float = 0.5
    images: int = 64
    seconds: float = 1.0
    fraction: float = 0.5


def bar(run, keep, save_every=1e9):
    progress.progress_bar(run, keep, save_every, lambda progress: None, quiet=True)


def test_a_run_is_kept_once_at_its_end_with_its_smoothed_loss():
    kept = []
    bar(iter([Report(1, 1.0), Report(2, 2.0)]), kept.append)
    assert kept == [pytest.approx(0.9 * 1.0 + 0.1 * 2.0)]


def test_a_run_that_was_over_is_not_kept_again():
    kept = []
    bar(iter([]), kept.append)
    assert kept == []


def test_reports_are_kept_as_often_as_was_asked():
    kept = []
    bar(iter([Report(k) for k in range(3)]), kept.append, save_every=-1)
    assert len(kept) == 4  # after each report, and at the end


@pytest.mark.parametrize("at", ["in a step", "while it is kept", "while the end is kept"])
def test_an_interrupt_keeps_what_there_is_and_is_passed_on(at):
    kept, calls = [], []

    def run():
        yield Report(1)
        if at == "in a step":
            raise KeyboardInterrupt

    def keep(loss):
        calls.append(loss)
        if len(calls) == 1 and at != "in a step":
            raise KeyboardInterrupt
        kept.append(loss)

    with pytest.raises(KeyboardInterrupt):
        bar(run(), keep, save_every=-1 if at == "while it is kept" else 1e9)
    assert kept[-1] == 0.5
