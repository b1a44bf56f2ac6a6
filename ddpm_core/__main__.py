"""python -m ddpm_core train | sample: from a data set to a checkpoint, and from a checkpoint to pictures."""

import argparse
import os
import sys
import time
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path

import numpy as np
import torch

from . import checkpoint, data, devices, journal, recipe, show, trainer
from .files import replace_file
from .options import parser


def main(arguments: list[str] | None = None) -> int:
    """Run the command; a mistake of the user's is one sentence on stderr and exit status 2."""
    options = parser(__doc__, train, sample).parse_args(arguments)
    try:
        return options.command(options)
    except (ValueError, FloatingPointError, MemoryError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def train(options: argparse.Namespace) -> int:
    """Train on a data set; OUT gets model.safetensors, config.json, training.safetensors and samples.png."""
    out, images, device = Path(options.out), data.load_images(options.data), trainer.check_device(options.device)
    if options.only is not None:
        images = images.only(options.only)
    cook = recipe.suits(images)
    cook = replace(cook, **{k: v for k in ("batch", "lr") if (v := getattr(options, k)) is not None})
    torch.manual_seed(options.seed)
    net = recipe.network(cook, images.images.shape[1], images.num_classes)
    net.checkpointing = options.checkpointing
    pixels = recipe.fitted(images.images, net.multiple)
    why_not = devices.why_not_compile(device) if options.compile else None
    if options.compile and why_not is None:
        net.compile()
    state = trainer.start(
        net, lr=cook.lr, ema_decay=cook.ema_decay, mixed_precision=options.mixed_precision, device=device
    )
    main_process, processes = state.accelerator.is_main_process, state.accelerator.num_processes
    if why_not is not None and main_process:
        print(f"--compile is left out, it does not work here: {why_not}.")
    about = {
        "size": list(pixels.shape[2:]), "names": images.names, "sampler": cook.sampler, "steps": cook.steps,
        "data": "/".join(Path(options.data).parts[-2:]), "data_sha256": images.sha256, "only": options.only,
        "seed": options.seed, "batch": cook.batch, "lr": cook.lr, "ema_decay": cook.ema_decay,
        "resident": options.resident, "mixed_precision": state.accelerator.mixed_precision, "processes": processes,
        "device": show.device_name(state.accelerator.device), "date": date.today().isoformat(),
    }  # fmt: skip
    if options.resume:
        if (out / checkpoint.MODEL).exists():
            _same_run(checkpoint.load(out), cook, about)
        trainer.resume(state, out / checkpoint.TRAINING)
    trainer.parts_of(state, cook.batch, options.accumulate)
    curves = journal.for_tensorboard(options.log if main_process else None, state)
    if options.resume and main_process:
        print(f"resuming {out} at step {state.step}")
    elif main_process and (aside := _move_aside(out)) is not None:
        print(f"{out} held an earlier run; it now lies in {aside}")
    if processes > 1 and main_process:
        print(f"{processes} processes share each batch of {cook.batch} images")

    batch_at = recipe.batches(
        pixels, images.labels, cook.schedule, batch=cook.batch, seed=options.seed,
        label_drop=cook.label_drop, no_label=images.num_classes, flips=cook.flips,
        device=state.accelerator.device if options.resident else None,
    )  # fmt: skip
    length = {"minutes": options.minutes} if options.minutes else {"steps": options.steps}
    loss = recipe.objective(cook.schedule, cook.predict, cook.weight)
    try:
        run = trainer.run(state, batch_at, loss, accumulate=options.accumulate, **length)
        with curves as note:
            keep = partial(_keep, state, cook, about, out)
            journal.with_a_bar(run, keep, options.save_every, note, quiet=not main_process)
    except KeyboardInterrupt:
        if main_process:
            print(f"\nstopped at step {state.step}, nothing is lost; go on with the same command and --resume")
        return 130
    except (FloatingPointError, MemoryError, ConnectionError) as error:
        raise type(error)(f"{error} Training stopped; {_what_stands(out)}.{_advice(error)}") from error
    if main_process:
        trained = checkpoint.load(out)
        how = dict(steps=cook.steps, sampler=cook.sampler, seed=options.seed, device=state.accelerator.device)
        _write(out / "samples.png", *_draw(trained, 60, None, **how))
        seen, minutes, loss = (trained.about[key] for key in ("images_seen", "minutes", "loss"))
        print(
            f"{out}: {state.step} steps, {seen} images in {minutes} minutes, loss {loss:.4f}; see {out / 'samples.png'}"
        )
    state.accelerator.end_training()
    return 0


def _what_stands(out: Path) -> str:
    there = (out / checkpoint.MODEL).exists()
    return f"the checkpoint in {out} is the last good one" if there else "nothing was saved before"


def _advice(error: Exception) -> str:
    if isinstance(error, ConnectionError):
        return " Start all processes again with --resume."
    return " A smaller --lr may help." if isinstance(error, FloatingPointError) else ""


def _keep(state: trainer.State, cook: recipe.Recipe, about: dict, out: Path, loss: float | None) -> None:
    """What `--resume` needs, then the model; each file is whole at any moment."""
    if not state.whole:
        print("\nstopped within a step: the checkpoint before it stands")
        return
    reached = {"trained_steps": state.step, "images_seen": state.images, "minutes": round(state.seconds / 60, 2)}
    trainer.save(state, out / checkpoint.TRAINING)
    if state.accelerator.is_main_process:
        about = about | reached | {"loss": loss}
        checkpoint.save(out, checkpoint.Trained(trainer.averaged(state), cook.schedule, cook.predict, about))


def _same_run(earlier: checkpoint.Trained, cook: recipe.Recipe, now: dict) -> None:
    """A run is resumed with the data and settings that it began with, or not at all."""
    began = {"resident": False} | earlier.about  # files of earlier versions do not say
    pairs = {key: (began.get(key), now[key]) for key in ("data_sha256", "only", "seed", "batch", "lr", "resident")}
    pairs["prediction"] = earlier.predict, cook.predict
    if not torch.equal(earlier.schedule.beta, cook.schedule.beta):
        pairs["schedule"] = earlier.schedule, cook.schedule
    for key, (then, here) in pairs.items():
        if then != here:
            raise ValueError(f"need the run's own {key} to resume it, which is {then!r}, but got {here!r}.")


def sample(options: argparse.Namespace) -> int:
    """Draw from a checkpoint into an .npz (images uint8 (N, H, W, C), labels) or a .png grid."""
    if Path(options.out).suffix not in (".npz", ".png"):
        raise ValueError(f"need --out to end in .npz or .png, but got {options.out}.")
    device, trained = trainer.check_device(options.device), checkpoint.load(options.checkpoint)
    sampler = options.sampler or trained.about["sampler"]
    steps = trained.schedule.T if sampler == "ddpm" else options.steps or trained.about["steps"]
    how = dict(steps=steps, sampler=sampler, guidance=options.guidance, seed=options.seed, device=device)
    began = time.perf_counter()
    drawn = _draw(trained, options.n, options.label, **how)
    seconds = time.perf_counter() - began
    _write(Path(options.out), *drawn)
    said = f"{steps} steps of {sampler}, guidance {options.guidance:g}, seed {options.seed}"
    print(f"{options.out}: {options.n} images, {said}, drawn in {seconds:.1f} s")
    return 0


def _draw(trained: checkpoint.Trained, n: int, label: str | None, **how) -> tuple[torch.Tensor, torch.Tensor | None]:
    """n images uint8 (n, C, H, W) of one class, or of all in turn, and their labels if the network has any."""
    if n < 1:
        raise ValueError(f"need at least one image to draw, but got --n {n}.")
    classes, labels = trained.net.num_classes, None
    if label is not None and not classes:
        raise ValueError(f"this model has no classes to choose from, but got --label {label}.")
    if label is not None:
        names = trained.about["names"] or []
        number = names.index(label) if label in names else int(label) if label.isdigit() else -1
        labels = torch.full((n,), number)
    elif classes:
        labels = recipe.every_label(n, classes)
    return recipe.sample(trained, n, labels=labels, **how), labels


def _write(path: Path, images: torch.Tensor, labels: torch.Tensor | None) -> None:
    if path.suffix == ".png":
        enlarge = max(1, 32 // images.shape[-1])
        sheet = show.tile(images, columns=10, enlarge=enlarge)
        replace_file(path, lambda temporary: sheet.save(temporary, format="png"))
    else:
        arrays = {"images": images.permute(0, 2, 3, 1).numpy()}
        arrays |= {} if labels is None else {"labels": labels.numpy()}
        replace_file(path, lambda temporary: _savez(temporary, arrays))


def _savez(path: Path, arrays: dict[str, np.ndarray]) -> None:
    with open(path, "wb") as stream:  # numpy would add a second suffix to a name
        np.savez_compressed(stream, **arrays)


def _move_aside(out: Path) -> Path | None:
    """An earlier run in `out` is moved to out-1, out-2, ...: nothing is overwritten."""
    if not (out / checkpoint.MODEL).exists() and not (out / checkpoint.TRAINING).exists():
        return None
    number = 1
    while (aside := out.with_name(f"{out.name}-{number}")).exists():
        number += 1
    os.rename(out, aside)
    return aside


if __name__ == "__main__":
    sys.exit(main())
