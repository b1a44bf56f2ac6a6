"""The command line's words: python -m ddpm_core train | sample | ..., and what each option means."""

import argparse
import math
from collections.abc import Callable

BELONGS = {  # options that say more of another one, and what they are by default
    "bits_per_dim_images": ("bits_per_dim", 64),
    "variance": ("bits_per_dim", "beta"),
    "fid_images": ("fid", 50_000),
}


def parser() -> argparse.ArgumentParser:
    """Reads a command line; the result's `command` is the name of what to do."""
    root = argparse.ArgumentParser(
        prog="python -m ddpm_core", description="From a data set to a checkpoint, and onwards."
    )
    commands = root.add_subparsers(required=True, dest="command", metavar="COMMAND")
    for name, (about, add) in COMMANDS.items():
        add(commands.add_parser(name, help=about, description=about))
    return root


def with_defaults(options: argparse.Namespace) -> argparse.Namespace:
    """The options, those in `BELONGS` by default as it says. Raises ValueError for one without what it belongs to."""
    found = dict(vars(options))
    for name, (of, default) in BELONGS.items():
        if found[name] is None:
            found[name] = default
        elif not found[of]:
            wanted, said = (f"--{word.replace('_', '-')}" for word in (of, name))
            raise ValueError(f"need {wanted} for {said} {found[name]} to say more of, but got it alone.")
    return argparse.Namespace(**found)


def _of_training(p: argparse.ArgumentParser) -> None:
    p.add_argument(
        "--recipe", metavar="NAME", help="a training by name, as `recipes` lists them; other options come before it"
    )
    p.add_argument(
        "--data", help="digits, a path, or a data set on the Hub: owner/name (default: the recipe's, else digits)"
    )
    p.add_argument("--only", help="one class, by number or name; the model is then unconditional ('' for all)")
    both = argparse.BooleanOptionalAction
    pixels = p.add_argument_group("images that come in several sizes or colours, or look one way")
    pixels.add_argument(
        "--size", type=_positive(int), metavar="SIDE",
        help="shorter side brought to SIDE pixels, the middle cut out (default: as they are)",
    )  # fmt: skip
    pixels.add_argument(
        "--colour", choices=["grey", "rgb", "rgba"],
        help="of all images; without an alpha channel, what is transparent becomes white (default: as they are)",
    )  # fmt: skip
    pixels.add_argument("--flips", action=both, help="mirror images at random, or not (default: the recipe's, else no)")
    length = p.add_mutually_exclusive_group()
    length.add_argument("--steps", type=_positive(int), help="optimiser steps (default: the recipe's, else 600)")
    length.add_argument("--minutes", type=_positive(float), help="train this long instead")
    p.add_argument("--out", help="folder for the checkpoint (default runs/NAME of the recipe, else runs/digits)")
    p.add_argument("--resume", action="store_true", help="go on from OUT's training.safetensors")
    _seed(p)
    p.add_argument("--batch", type=_positive(int), help="images a step, of all processes (default: the recipe's)")
    p.add_argument(
        "--optimizer", choices=["adam", "muon"],
        help="muon: for the matrices inside the network, Adam for the rest (default: the recipe's)",
    )  # fmt: skip
    p.add_argument("--lr", type=_positive(float), help="Adam's peak learning rate (default: the recipe's)")
    p.add_argument(
        "--text-encoder", metavar="NAME",
        help="captions read by a CLIP from the Hub, as openai/clip-vit-large-patch14, or from a folder; it stays as it "
        "is (default: a small one, trained along; needs pip install transformers)",
    )  # fmt: skip
    _device(p)
    p.add_argument("--save-every", type=_positive(float), default=60, metavar="SECONDS")
    p.add_argument("--log", metavar="DIR", help="curves of the run for TensorBoard")
    less = p.add_argument_group("less memory, the same step")
    less.add_argument(
        "--accumulate", type=_positive(int), default=1, metavar="K", help="take each batch in K parts (default 1)"
    )
    less.add_argument(
        "--checkpointing", action="store_true", help="compute the network's insides again on the way back"
    )
    faster = p.add_argument_group("faster on a GPU (default: the recipe's, else no)")
    faster.add_argument(
        "--mixed-precision", choices=["no", "auto", "fp16", "bf16"],
        help="auto: bf16 where the GPU computes in it, else fp16",
    )  # fmt: skip
    faster.add_argument("--compile", action=both, help="torch.compile, left out where it does not work")
    faster.add_argument(
        "--resident", action=both, help="keep the images on the device and draw noise there: another stream"
    )


def _of_sampling(p: argparse.ArgumentParser) -> None:
    _checkpoint(p)
    p.add_argument("--n", type=int, default=64, help="how many images")
    _sampler(p)
    what = p.add_mutually_exclusive_group()
    what.add_argument("--label", help="one class, by number or name (default: all in turn)")
    what.add_argument("--prompt", help="a caption, for a model that is told captions")
    _seed(p)
    _device(p)
    p.add_argument("--out", default="samples.png", help=".png for a grid, .npz for arrays")


def _of_evaluation(p: argparse.ArgumentParser) -> None:
    _checkpoint(p)
    p.add_argument("--data", help="what it was trained on (default: what the checkpoint says, if not a path)")
    p.add_argument("--n", type=_positive(int), default=1000, help="how many images to draw (default 1000)")
    _sampler(p)
    _seed(p)
    _device(p)
    p.add_argument("--at-once", type=_positive(int), default=250, help="images in memory at once (default 250)")
    p.add_argument("--json", metavar="FILE", help="write the figures and how they were made")
    p.add_argument("--bits-per-dim", action="store_true", help="the bound on held-out images: T network calls for each")
    p.add_argument("--bits-per-dim-images", type=_positive(int), metavar="N", help="how many (default 64)")
    p.add_argument("--variance", choices=["beta", "beta_tilde"], help="of the bound (default beta)")
    p.add_argument("--fid", action="store_true", help="FID by torch-fidelity: pip install 'ddpm-core[fid]'")
    p.add_argument("--fid-images", type=_positive(int), metavar="N", help="how many (default 50,000)")


def _of_export(p: argparse.ArgumentParser) -> None:
    _checkpoint(p)
    p.add_argument("--out", required=True, help="what to write: NAME.safetensors, NAME.onnx, or a folder")
    kind = p.add_mutually_exclusive_group()
    kind.add_argument("--onnx", action="store_true", help="the network in float32 as an ONNX file, for other runtimes")
    kind.add_argument("--diffusers", action="store_true", help="a folder that DiffusionPipeline.from_pretrained reads")
    p.add_argument("--card", action="store_true", help="and its model card, README.md beside it")
    p.add_argument("--sampler", metavar="NAME", help="what it draws with if not told otherwise, from now")
    p.add_argument("--steps", type=_positive(int), help="network calls an image, likewise")


def _of_push(p: argparse.ArgumentParser) -> None:
    p.add_argument("checkpoint", help="a run's folder or a .safetensors file")
    p.add_argument("name", help="where to on the Hub: owner/name")
    p.add_argument("--private", action="store_true", help="for your eyes only, if it is new")


def _checkpoint(p: argparse.ArgumentParser) -> None:
    p.add_argument(
        "checkpoint", nargs="?", default="runs/digits",
        help="a run's folder, a .safetensors file, or owner/name on the Hub (default runs/digits)",
    )  # fmt: skip


def _sampler(p: argparse.ArgumentParser) -> None:
    p.add_argument("--steps", type=_positive(int), help="network calls an image (default: the recipe's)")
    p.add_argument("--sampler", metavar="NAME", help="dpm, ddim, ddim1 or ddpm (default: the recipe's)")
    p.add_argument("--guidance", type=_finite, default=0.0, help="0 (default) is plain conditional sampling")


def _seed(p: argparse.ArgumentParser) -> None:
    fits = _number(int, lambda value: -(2**63) <= value < 2**63, "a whole number of at most 63 bits")
    p.add_argument("--seed", type=fits, default=0)


def _device(p: argparse.ArgumentParser) -> None:
    p.add_argument("--device", help="cpu, cuda, mps (default: a GPU if there is one)")


def _number(kind, holds: Callable[[float], bool], wanted: str):
    def parse(text: str):
        value = kind(text)
        if not holds(value):
            raise argparse.ArgumentTypeError(f"need {wanted}, but got {text}")
        return value

    parse.__name__ = kind.__name__
    return parse


def _positive(kind):
    return _number(kind, lambda value: value > 0, "a number above 0")  # nan is not


_finite = _number(float, math.isfinite, "a finite number")

COMMANDS = {
    "train": (
        "Train on a data set; OUT gets model.safetensors, config.json, training.safetensors and samples.png.",
        _of_training,
    ),
    "sample": ("Draw from a checkpoint into an .npz (images uint8 (N, H, W, C), labels) or a .png grid.", _of_sampling),
    "evaluate": (
        "Measure what a checkpoint draws, beside real images; with --bits-per-dim its bound, with --fid its FID.",
        _of_evaluation,
    ),
    "export": (
        "Write a run's model as one file in half precision; with --card a model card beside it; or for other tools.",
        _of_export,
    ),
    "push": ("Upload a run's model, its description and its card to the Hub.", _of_push),
    "recipes": ("List the trainings that have a name: what each draws, needs, cost and reached.", lambda p: None),
}
