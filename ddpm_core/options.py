"""The command line's words: python -m ddpm_core train | sample, and what each option means."""

import argparse
from collections.abc import Callable

from . import recipe

Command = Callable[[argparse.Namespace], int]  # does what the options say; returns the exit status


def parser(about: str, train: Command, sample: Command) -> argparse.ArgumentParser:
    """Reads a command line; the result's `command` is the function to call with it."""
    whole = argparse.ArgumentParser(prog="python -m ddpm_core", description=about)
    commands = whole.add_subparsers(required=True)
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
    p.add_argument("--batch", type=_positive(int), help="images a step, of all processes (default: the recipe's)")
    p.add_argument("--lr", type=_positive(float), help="peak learning rate (default: the recipe's)")
    p.add_argument("--device", help="cpu, cuda, mps (default: a GPU if there is one)")
    p.add_argument("--save-every", type=_positive(float), default=60, metavar="SECONDS")
    p.add_argument("--log", metavar="DIR", help="curves of the run for TensorBoard")
    less = p.add_argument_group("less memory, the same step")
    less.add_argument(
        "--accumulate", type=_positive(int), default=1, metavar="K", help="take each batch in K parts (default 1)"
    )
    less.add_argument(
        "--checkpointing", action="store_true", help="compute the network's insides again on the way back"
    )
    faster = p.add_argument_group("faster on a GPU")
    faster.add_argument(
        "--mixed-precision", choices=["no", "auto", "fp16", "bf16"], default="no",
        help="auto: bf16 where the GPU computes in it, else fp16 (default no)",
    )  # fmt: skip
    faster.add_argument("--compile", action="store_true", help="torch.compile, left out where it does not work")
    faster.add_argument(
        "--resident", action="store_true", help="keep the images on the device and draw noise there: another stream"
    )
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
    return whole


def _positive(kind):
    def parse(text: str):
        value = kind(text)
        if not value > 0:  # nan included
            raise argparse.ArgumentTypeError(f"need a number above 0, but got {text}")
        return value

    parse.__name__ = kind.__name__
    return parse
