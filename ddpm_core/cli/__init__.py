"""The command line, python -m ddpm_core train | sample | evaluate | export | push | recipes: one module a command."""

import sys
from importlib import import_module

from ddpm_core.cli.arguments import parser

MODULES = {"push": "export"}  # commands that do not stand in a module of their own name


def main(arguments: list[str] | None = None) -> int:
    """Run the command; a mistake of the user's is one sentence on stderr and exit status 2.

    What a command needs is imported when it is called for: --help and `recipes` answer without torch.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # letters that a terminal does not know are written as \xe9
            stream.reconfigure(errors="backslashreplace")
    words = sys.argv[1:] if arguments is None else arguments
    options = parser().parse_args(words)
    options.words = words  # for what a results file says of itself
    command = getattr(import_module(f"ddpm_core.cli.{MODULES.get(options.command, options.command)}"), options.command)
    try:
        return command(options)
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if type(error).__name__ == "OutOfMemoryError":  # torch's, which is a RuntimeError and may not be imported here
            error = MemoryError(
                "need more memory than the GPU has; fewer images at once (--n, --at-once, --batch) or --device cpu "
                "need less."
            )
        if not isinstance(error, ValueError | FloatingPointError | MemoryError | OSError):
            raise
        print(f"error: {error}", file=sys.stderr)
        return 2
