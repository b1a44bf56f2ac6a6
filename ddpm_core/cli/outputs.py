"""Where results shall go is tried before the work, so that no training ends in a sentence about a folder."""

import contextlib
import os
from pathlib import Path


def try_file(path: str | Path, option: str) -> None:
    """Raises OSError, which names the option, unless a file of this name can be written. Leaves nothing behind."""
    path = Path(path)
    if path.is_dir():
        raise OSError(f"need a file to write for {option}, but {path} is a folder.")
    _try(path.with_name(f"{path.name}.{os.getpid()}.tmp"), path, option)


def try_folder(path: str | Path, option: str) -> None:
    """Raises OSError, which names the option, unless there is a folder of this name to write in, or one can be made.
    Leaves nothing behind."""
    path = Path(path)
    if path.is_file():
        raise OSError(f"need a folder for {option}, but {path} is a file.")
    _try(path / f"{os.getpid()}.tmp", path, option)


def _try(trial: Path, wanted: Path, option: str) -> None:
    if not is_first_process():
        return
    made = []
    try:
        made += [folder for folder in trial.parents if not folder.exists()]
        trial.parent.mkdir(parents=True, exist_ok=True)
        trial.write_bytes(b"")
        trial.unlink()
    except OSError as error:
        files = [str(above) for above in trial.parents if above.is_file()]
        why = f"{files[0]} is a file" if files else error.strerror or error
        raise OSError(f"need a place to write to for {option}, but {wanted} is none: {why}.") from error
    finally:
        for folder in made:
            with contextlib.suppress(OSError):  # it may not have come to be
                folder.rmdir()


def say(*words: str) -> None:
    """Print, in the first of the processes that train together."""
    if is_first_process():
        print(*words, flush=True)


def is_first_process() -> bool:
    """Of those that train together, as a launcher tells each of them; one alone is the first."""
    return os.environ.get("RANK", "0") == "0"
