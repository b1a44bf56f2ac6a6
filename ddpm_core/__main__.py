"""python -m ddpm_core train | sample: from a data set to a checkpoint, and from a checkpoint to pictures."""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path

import numpy as np
import torch
from tqdm.auto import tqdm

from . import checkpoint, data, recipe, show, trainer
from .files import replace_file


def main(arguments: list[str] | None = None) -> int:
    """Run the command; a mistake of the user's is one sentence on stderr and exit status 2."""
    options = _parser().parse_args(arguments)
    try:
        return options.command(options)
    except (ValueError, FloatingPointError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def train(options: argparse.Namespace) -> int:
    """Train on a data set; OUT gets model.safetensors, config.json, training.safetensors and samples.png."""
    out, images = Path(options.out), data.load_images(options.data)
    if options.only is not None:
        images = images.only(options.only)
    cook = recipe.suits(images)
    cook = replace(cook, **{k: v for k in ("batch", "lr") if (v := getattr(options, k)) is not None})
    torch.manual_seed(options.seed)
    net = recipe.network(cook, images.images.shape[1], images.num_classes)
    pixels = recipe.fitted(images.images, net.multiple)
    state = trainer.start(
        net, lr=cook.lr, ema_decay=cook.ema_decay, mixed_precision=options.mixed_precision, device=options.device
    )
    main_process = state.accelerator.is_main_process
    about = {
        "size": list(pixels.shape[2:]), "names": images.names, "sampler": cook.sampler, "steps": cook.steps,
        "data": "/".join(Path(options.data).parts[-2:]), "data_sha256": images.sha256, "only": options.only,
        "seed": options.seed, "batch": cook.batch, "lr": cook.lr, "ema_decay": cook.ema_decay,
        "device": show.device_name(state.accelerator.device), "date": date.today().isoformat(),
    }  # fmt: skip
    if options.resume:
        if (out / checkpoint.MODEL).exists():
            _same_run(checkpoint.load(out).about, about)
        trainer.resume(state, out / checkpoint.TRAINING)
        print(f"resuming {out} at step {state.step}")
    elif main_process and (aside := _move_aside(out)) is not None:
        print(f"{out} held an earlier run; it now lies in {aside}")

    batch_at = recipe.batches(
        pixels, images.labels, cook.schedule, batch=cook.batch, seed=options.seed,
        label_drop=cook.label_drop, no_label=images.num_classes, flips=cook.flips,
    )  # fmt: skip
    length = {"minutes": options.minutes} if options.minutes else {"steps": options.steps}
    loss = recipe.objective(cook.schedule, cook.predict, cook.weight)
    try:
        run, keep = trainer.run(state, batch_at, loss, **length), partial(_keep, state, cook, about, out)
        _with_a_bar(run, keep, options.save_every, quiet=not main_process)
    except KeyboardInterrupt:
        print(f"\nstopped at step {state.step}, nothing is lost; go on with the same command and --resume")
        return 130
    except FloatingPointError as error:
        there = (out / checkpoint.MODEL).exists()
        kept = f"the checkpoint in {out} is the last good one" if there else "nothing was saved before"
        raise FloatingPointError(f"{error} Training stopped; {kept}. A smaller --lr may help.") from error
    if main_process:
        trained = checkpoint.load(out)
        how = dict(steps=cook.steps, sampler=cook.sampler, seed=options.seed, device=state.accelerator.device)
        _write(out / "samples.png", *_draw(trained, 60, None, **how))
        seen, minutes, loss = (trained.about[key] for key in ("images_seen", "minutes", "loss"))
        print(
            f"{out}: {state.step} steps, {seen} images in {minutes} minutes, loss {loss:.4f}; see {out / 'samples.png'}"
        )
    return 0


def _with_a_bar(
    run: Iterator[trainer.Progress], keep: Callable[[float | None], None], save_every: float, quiet: bool
) -> None:
    """Go through a run with a progress bar; keep it every so many seconds, at its end, and when it is interrupted."""
    loss, saved, progress = None, time.monotonic(), None
    try:
        with tqdm(total=100, bar_format="{l_bar}{bar}| {elapsed}<{remaining}{postfix}", disable=quiet) as bar:
            for progress in run:
                loss = progress.loss if loss is None else 0.9 * loss + 0.1 * progress.loss
                rate = progress.images / progress.seconds
                bar.set_postfix_str(f"step {progress.step}, loss {loss:.4f}, {rate:.0f} images/s", refresh=False)
                bar.update(100 * progress.fraction - bar.n)
                if time.monotonic() - saved > save_every:
                    keep(loss)
                    saved = time.monotonic()
    except KeyboardInterrupt:
        keep(loss)
        raise
    if progress is not None:  # else --resume found nothing left to do
        keep(loss)


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


def _same_run(earlier: dict, now: dict) -> None:
    """A run is resumed with the data and settings that it began with, or not at all."""
    for key in ("data_sha256", "only", "seed", "batch", "lr"):
        if earlier.get(key) != now[key]:
            raise ValueError(
                f"need the run's own {key} to resume it, which is {earlier.get(key)!r}, but got {now[key]!r}."
            )


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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ddpm_core", description=__doc__)
    commands = parser.add_subparsers(required=True)
    p = commands.add_parser("train", help=train.__doc__, description=train.__doc__)
    p.set_defaults(command=train)
    p.add_argument("--data", default="digits", help="digits (default), a path, or a data set on the Hub: owner/name")
    p.add_argument("--only", help="one class, by number or name; the model is then unconditional")
    length = p.add_mutually_exclusive_group()
    length.add_argument("--steps", type=_positive(int), default=600, help="optimiser steps (default 600)")
    length.add_argument("--minutes", type=_positive(float), help="train this long instead")
    p.add_argument("--out", default="runs/digits", help="folder for the checkpoint (default runs/digits)")
    p.add_argument("--resume", action="store_true", help="go on from OUT's training.safetensors")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--batch", type=_positive(int), help="images a step (default: the recipe's)")
    p.add_argument("--lr", type=_positive(float), help="peak learning rate (default: the recipe's)")
    p.add_argument("--device", help="cpu, cuda, mps (default: a GPU if there is one)")
    p.add_argument("--mixed-precision", choices=["no", "fp16", "bf16"], default="no")
    p.add_argument("--save-every", type=_positive(float), default=60, metavar="SECONDS")
    p = commands.add_parser("sample", help=sample.__doc__, description=sample.__doc__)
    p.set_defaults(command=sample)
    p.add_argument(
        "checkpoint", nargs="?", default="runs/digits",
        help="a run's folder, a .safetensors file, or owner/name on the Hub (default runs/digits)",
    )  # fmt: skip
    p.add_argument("--n", type=int, default=64, help="how many images")
    p.add_argument("--steps", type=_positive(int), help="network calls an image (default: the recipe's)")
    p.add_argument("--sampler", choices=list(recipe.SAMPLERS), help="default: the recipe's")
    p.add_argument("--guidance", type=float, default=0.0, help="0 (default) is plain conditional sampling")
    p.add_argument("--label", help="one class, by number or name (default: all in turn)")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--device", help="cpu, cuda, mps (default: a GPU if there is one)")
    p.add_argument("--out", default="samples.png", help=".png for a grid, .npz for arrays")
    return parser


def _positive(kind):
    def parse(text: str):
        value = kind(text)
        if not value > 0:  # nan included
            raise argparse.ArgumentTypeError(f"need a number above 0, but got {text}")
        return value

    parse.__name__ = kind.__name__
    return parse


if __name__ == "__main__":
    sys.exit(main())
