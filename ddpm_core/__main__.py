"""python -m ddpm_core train | sample | evaluate | export | push | recipes: from data to a checkpoint, and onwards."""

import argparse
import sys

import torch

from .cookbook import listing
from .drawing import sample
from .evaluation import evaluate
from .options import parser
from .sharing import export, push
from .training import train


def main(arguments: list[str] | None = None) -> int:
    """Run the command; a mistake of the user's is one sentence on stderr and exit status 2."""
    words = sys.argv[1:] if arguments is None else arguments
    options = parser(__doc__, train, sample, evaluate, export, push, recipes).parse_args(words)
    options.words = words  # for what a results file says of itself
    try:
        return options.command(options)
    except torch.OutOfMemoryError:
        print(
            "error: need more memory than the GPU has; fewer images at once (--n, --at-once, --batch) or --device cpu "
            "need less.",
            file=sys.stderr,
        )
        return 2
    except (ValueError, FloatingPointError, MemoryError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def recipes(options: argparse.Namespace) -> int:
    """List the trainings that have a name: what each draws, needs, cost and reached."""
    print(listing())
    return 0


if __name__ == "__main__":
    sys.exit(main())
