"""The folder of a run: an earlier run there is resumed or moved aside, and whatever is kept is whole at any moment."""

import os
from pathlib import Path

import torch

from ddpm_core import trainer
from ddpm_core.data import scanning
from ddpm_core.data.decoding import endings
from ddpm_core.data.preparation import AS_IT_IS
from ddpm_core.diffusion.model import Model
from ddpm_core.recipes import TrainingConfig
from ddpm_core.recipes.config import EARLIER
from ddpm_core.storage import checkpoint
from ddpm_core.storage.files import claimed
from ddpm_core.training.state import TrainState

ITS_OWN = ("data_sha256", "only", "prepared", "seed", "batch", "lr", "resident")  # with what a run is resumed


def earlier(out: Path) -> dict:
    """What the model of the run in this folder says of itself; nothing if there is none."""
    return checkpoint.load(out).about if (out / checkpoint.MODEL).is_file() else {}


def resume(out: Path, state: TrainState, config: TrainingConfig, about: dict) -> None:
    """Fill the state with what the run in this folder has come to.

    Raises ValueError if it did not begin with this recipe, these data and these settings.
    """
    if (out / checkpoint.MODEL).exists():
        _check_same(checkpoint.load(out), config, about)
    trainer.resume(state, out / checkpoint.TRAINING)


def _check_same(began: Model, config: TrainingConfig, now: dict) -> None:
    earlier = {"resident": False, "prepared": AS_IT_IS.plain()} | began.about  # files of earlier versions do not say
    pairs = {"recipe": (earlier["recipe"], now["recipe"])} if "recipe" in earlier else {}
    pairs |= {key: (earlier.get(key), now[key]) for key in ITS_OWN}
    pairs["prediction"] = began.prediction, config.predict
    if not torch.equal(began.schedule.beta, config.schedule.beta):
        pairs["schedule"] = began.schedule, config.schedule
    then, here = EARLIER | earlier.get("settings", {}), now["settings"]
    pairs |= {key: (then[key], here[key]) for key in sorted(then.keys() & here.keys() - {"predict", "schedule"})}
    for key, (then, here) in pairs.items():
        if then != here:
            raise ValueError(f"need the run's own {key} to resume it, which is {then!r}, but got {here!r}.")


def keep(out: Path, state: TrainState, config: TrainingConfig, about: dict, loss: float | None) -> None:
    """Write what `resume` needs, then the model. loss: the smoothed one, or None before the first report."""
    if not state.consistent:
        print("\nstopped within a step: the checkpoint before it stands")
        return
    reached = {"trained_steps": state.step, "images_seen": state.images, "minutes": round(state.seconds / 60, 2)}
    trainer.save(state, out / checkpoint.TRAINING)
    if state.accelerator.is_main_process:
        loss = earlier(out).get("loss") if loss is None else loss
        checkpoint.save(out, trainer.model(state, config.schedule, config.predict, about | reached | {"loss": loss}))


def what_stands(out: Path) -> str:
    """What is left after a training that failed, as a part of a sentence."""
    there = (out / checkpoint.MODEL).exists()
    return f"the checkpoint in {out} is the last good one" if there else "nothing was saved before"


def move_aside(out: Path) -> Path | None:
    """An earlier run in `out` is moved to out-1, out-2, ...: nothing is overwritten; None if there is none.

    A folder with pictures of others stays where it is, and so does the one that we stand in: of it only the run's own
    files are moved. Raises ValueError if a run that still goes on writes there.
    """
    if not (out / checkpoint.MODEL).exists() and not (out / checkpoint.TRAINING).exists():
        return None
    with claimed(out):
        return _moved_aside(out)


def _moved_aside(out: Path) -> Path:
    place = out if out.name not in ("", "..") else out.resolve()
    number = 1
    while (aside := place.with_name(f"{place.name}-{number}")).exists():
        number += 1
    if not _is_anothers(out):
        os.rename(place, aside)
        return aside
    aside.mkdir()
    for name in scanning.OF_A_RUN:
        if (out / name).exists():
            os.rename(out / name, aside / name)
    return aside


def _is_anothers(out: Path) -> bool:
    """Whether pictures lie here that the run did not draw, or this is the folder that we stand in, or one above it."""
    known = endings()
    pictures = (file for file in scanning.scan(out).files if file.ending in known)
    return Path.cwd().is_relative_to(out.resolve()) or any(True for _ in pictures)
