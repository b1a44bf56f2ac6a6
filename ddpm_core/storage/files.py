"""Files that are whole or not there: tensors on disk, hashes, and replacing a file in one move."""

import contextlib
import glob
import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor


def cache() -> Path:
    """The folder for what was fetched or worked out once: DDPM_CORE_CACHE, else ~/.cache/ddpm_core."""
    return Path(os.environ.get("DDPM_CORE_CACHE", "~/.cache/ddpm_core")).expanduser()


class CheckpointError(ValueError):
    """A checkpoint that is missing, broken, or of another network."""


def write_tensors(path: str | Path, tensors: dict[str, Tensor], header: dict[str, str]) -> None:
    """A safetensors file, written beside its place and moved there when it is whole."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    # not save_file: it writes to a name of its own making, which a kill would leave lying about
    write_atomically(path, lambda temporary: temporary.write_bytes(save(tensors, header)))


def read_tensors(path: str | Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and header of a safetensors file. Raises CheckpointError if it is missing or broken."""
    if not Path(path).is_file():
        raise CheckpointError(f"need a checkpoint, but there is no file {path}.")
    try:
        with safe_open(path, framework="pt") as stored:
            return {name: stored.get_tensor(name) for name in stored.keys()}, stored.metadata() or {}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        if Path(path).suffix in (".pt", ".pth", ".ckpt", ".bin", ".pkl"):
            raise CheckpointError(
                f"need a .safetensors file, but {path} is of another kind, as torch.save writes it."
            ) from error
        raise CheckpointError(f"need a whole checkpoint, but {path} is truncated or damaged ({error}).") from error


def file_sha256(*paths: str | Path) -> str:
    """One hash over the bytes of all these files in order, 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()


def write_atomically(path: str | Path, write: Callable[[Path], object]) -> None:
    """write(temporary), to the disk, then rename: whoever reads `path` sees the old file or the new one, whole.

    The temporary file is this process's own, so two that write the same file take turns; what a killed one left lying
    is swept away after an hour.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    for left in path.parent.glob(f"{glob.escape(path.name)}.*.tmp"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > 3600:
                left.unlink()
    try:
        write(temporary)
        with open(temporary, "rb+") as stream:
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except OSError as error:
        stands = "; the file that was there before is whole" if path.exists() else ""
        raise OSError(f"could not write {path}: {error.strerror or error}{stands}.") from error
    finally:
        temporary.unlink(missing_ok=True)
