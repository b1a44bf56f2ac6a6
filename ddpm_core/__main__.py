"""python -m ddpm_core train | sample: from a data set to a checkpoint, and from a checkpoint to pictures."""

import argparse
import os
import sys
import time
from dataclasses import replace
from datetime import date
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
    out = Path(options.out)
    images = data.load_images(options.data)
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
    if options.resume:
        trainer.resume(state, out / checkpoint.TRAINING)
        print(f"resuming {out} at step {state.step}")
    elif (aside := _move_aside(out)) is not None:
        print(f"{out} held an earlier run; it now lies in {aside}")
    about = {
        "size": list(pixels.shape[2:]), "names": images.names, "sampler": cook.sampler, "steps": cook.steps,
        "data": "/".join(Path(options.data).parts[-2:]), "data_sha256": images.sha256, "only": options.only,
        "seed": options.seed, "batch": cook.batch, "lr": cook.lr, "ema_decay": cook.ema_decay,
        "device": show.device_name(state.accelerator.device), "date": date.today().isoformat(),
    }  # fmt: skip

    def keep(loss: float | None) -> None:
        """Both files; each is whole at any moment."""
        reached = {
            "trained_steps": state.step,
            "images_seen": state.images,
            "minutes": round(state.seconds / 60, 2),
            "loss": loss,
        }
        trainer.save(state, out / checkpoint.TRAINING)
        if state.accelerator.is_main_process:
            trained = checkpoint.Trained(trainer.averaged(state), cook.schedule, cook.predict, about | reached)
            checkpoint.save(out, trained)

    batch_at = recipe.batches(
        pixels, images.labels, cook.schedule, batch=cook.batch, seed=options.seed,
        label_drop=cook.label_drop, no_label=images.num_classes, flips=cook.flips,
    )  # fmt: skip
    loss, saved = None, time.monotonic()
    bar = tqdm(total=100, unit="%", disable=not state.accelerator.is_main_process, bar_format="{l_bar}{bar}| {postfix}")
    steps = None if options.minutes else options.steps
    try:
        for progress in trainer.run(
            state,
            batch_at,
            recipe.objective(cook.schedule, cook.predict, cook.weight),
            steps=steps,
            minutes=options.minutes,
        ):
            loss = progress.loss if loss is None else 0.9 * loss + 0.1 * progress.loss
            bar.update(100 * progress.fraction - bar.n)
            bar.set_postfix_str(
                f"step {progress.step}, loss {loss:.4f}, {progress.images / progress.seconds:.0f} images/s"
            )
            if time.monotonic() - saved > options.save_every:
                keep(loss)
                saved = time.monotonic()
    except KeyboardInterrupt:
        keep(loss)
        bar.close()
        print(f"\nstopped at step {state.step}, nothing is lost; go on with the same command and --resume")
        return 130
    except FloatingPointError as error:
        bar.close()
        kept = (
            f"the checkpoint in {out} is the last good one"
            if (out / checkpoint.MODEL).exists()
            else "nothing was saved before"
        )
        raise FloatingPointError(f"{error} Training stopped; {kept}. A smaller --lr may help.") from error
    bar.close()
    if loss is not None:  # else --resume found nothing left to do
        keep(loss)
    trained = checkpoint.load(out)
    _write(
        out / "samples.png",
        *_draw(trained, 60, cook.steps, 0.0, options.seed, cook.sampler, None, state.accelerator.device),
    )
    seen, minutes, loss = (trained.about[key] for key in ("images_seen", "minutes", "loss"))
    print(
        f"{out}: {state.step} steps, {seen} images in {minutes} minutes, loss {loss:.4f}; look at {out / 'samples.png'}"
    )
    return 0


def sample(options: argparse.Namespace) -> int:
    """Draw from a checkpoint into an .npz (images uint8 (N, H, W, C), labels) or a .png grid."""
    if Path(options.out).suffix not in (".npz", ".png"):
        raise ValueError(f"need --out to end in .npz or .png, but got {options.out}.")
    trainer.check_device(options.device)
    trained = checkpoint.load(options.checkpoint)
    steps, sampler = options.steps or trained.about["steps"], options.sampler or trained.about["sampler"]
    drawn = _draw(
        trained, options.n, steps, options.guidance, options.seed, sampler, options.label, options.device or "cpu"
    )
    _write(Path(options.out), *drawn)
    how = f"{steps} steps of {sampler}, guidance {options.guidance:g}, seed {options.seed}"
    print(f"{options.out}: {options.n} images, {how}")
    return 0


def _draw(trained, n: int, steps: int, guidance: float, seed: int, sampler: str, label: str | None, device):
    if n < 1:
        raise ValueError(f"need at least one image to draw, but got --n {n}.")
    classes, labels = trained.net.num_classes, None
    if label is not None:
        names = trained.about["names"] or []
        number = names.index(label) if label in names else int(label) if label.isdigit() else -1
        labels = torch.full((n,), number)
    elif classes:
        labels = recipe.every_label(n, classes)
    how = dict(labels=labels, steps=steps, guidance=guidance, seed=seed, sampler=sampler, device=device)
    return recipe.sample(trained, n, **how), labels


def _write(path: Path, images: torch.Tensor, labels: torch.Tensor | None) -> None:
    if path.suffix == ".png":
        replace_file(path, lambda temporary: show.tile(images, columns=10).save(temporary, format="png"))
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
    p.add_argument("checkpoint", help="a run's folder, a .safetensors file, or owner/name on the Hub")
    p.add_argument("--n", type=int, default=64, help="how many images")
    p.add_argument("--steps", type=_positive(int), help="network calls an image (default: the recipe's)")
    p.add_argument("--sampler", choices=list(recipe.SAMPLERS), help="default: the recipe's")
    p.add_argument("--guidance", type=float, default=0.0, help="0 (default) is plain conditional sampling")
    p.add_argument("--label", help="one class, by number or name (default: all in turn)")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--device", help="cpu (default), cuda, mps")
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
