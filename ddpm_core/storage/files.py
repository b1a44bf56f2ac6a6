"""Files that are whole or not there: tensors on disk, hashes, and replacing a file in one move."""

import contextlib
import glob
import hashlib
import json
import os
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor


def cache() -> Path:
    """The folder for what was fetched or worked out once: DDPM_CORE_CACHE, else ~/.cache/ddpm_core."""
    return Path(os.environ.get("DDPM_CORE_CACHE", "~/.cache/ddpm_core")).expanduser()


class CheckpointError(ValueError):
    """A checkpoint that is missing, broken, or of another network."""


SEAL, BLANK = (
    "sha256",
    "0" * 64,
)  # in a file's header: the hash of the whole file, as it is with zeros in the hash's place


def write_tensors(path: str | Path, tensors: dict[str, Tensor], header: dict[str, str]) -> None:
    """A safetensors file that carries its own hash, written beside its place and moved there when it is whole."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    # not save_file: it writes to a name of its own making, which a kill would leave lying about
    raw = memoryview(save(tensors))
    length = 8 + int.from_bytes(raw[:8], "little")
    described = {"__metadata__": header | {SEAL: BLANK}} | json.loads(raw[8:length].tobytes())
    head = json.dumps(described, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    head = len(head).to_bytes(8, "little") + head
    digest = hashlib.sha256(head)
    digest.update(raw[length:])
    blank, sealed = (f'"{SEAL}":"{said}"'.encode() for said in (BLANK, digest.hexdigest()))

    def write(temporary: Path) -> None:
        with temporary.open("wb") as stream:
            stream.writelines((head.replace(blank, sealed, 1), raw[length:]))

    write_atomically(path, write)


def read_tensors(path: str | Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and header of a safetensors file. Raises CheckpointError if it is missing or broken, or if its contents
    have another hash than it carries: one bit that changed is enough. One without a hash is read as it is."""
    if not Path(path).is_file():
        raise CheckpointError(f"need a checkpoint, but there is no file {path}.")
    try:
        with safe_open(path, framework="pt") as stored:
            header = stored.metadata() or {}
            _check_seal(path, header)
            return {name: stored.get_tensor(name) for name in stored.keys()}, header  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        if Path(path).suffix in (".pt", ".pth", ".ckpt", ".bin", ".pkl"):
            raise CheckpointError(
                f"need a .safetensors file, but {path} is of another kind, as torch.save writes it."
            ) from error
        raise CheckpointError(f"need a whole checkpoint, but {path} is truncated or damaged ({error}).") from error


def warn_unsealed(path: str | Path, header: dict[str, str]) -> None:
    """Warn of a checkpoint without a hash, as earlier versions wrote it: nobody would see a bit of it change."""
    if SEAL not in header:
        warnings.warn(
            f"need a hash in {path} to see whether it is damaged, but it has none, as earlier versions wrote it; saved "
            "again (train --resume, or export) it has one.",
            stacklevel=3,
        )


def _check_seal(path: str | Path, header: dict[str, str]) -> None:
    """Raises CheckpointError unless the file's contents have the hash that its header carries, if it carries one."""
    like_ours = (said for key, said in header.items() if (len(key), len(said)) == (len(SEAL), len(BLANK)))
    said = next(like_ours, None)  # by its length: in the name, too, a bit may have changed
    if said is None:
        return
    with open(path, "rb") as stream:
        first = stream.read(8)
        head = stream.read(int.from_bytes(first, "little")).replace(said.encode(), BLANK.encode(), 1)
        digest = hashlib.sha256(first + head)
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    if (found := digest.hexdigest()) != said:
        raise CheckpointError(
            f"need a whole checkpoint, but {path} is truncated or damaged (it says sha256 {said[:12]}..., and its "
            f"contents have {found[:12]}...)."
        )


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
    is swept away after an hour. What a process of this machine still writes stays, whatever the clock says.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    for left in path.parent.glob(f"{glob.escape(path.name)}.*.tmp"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > 3600 and not _runs(left.suffixes[-2][1:]):
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


@contextlib.contextmanager
def claimed(folder: str | Path) -> Iterator[None]:
    """This folder is this process's own meanwhile, made if need be; a kill, too, gives it back. Raises ValueError if
    another process has claimed it. Where the system or the disk knows no such claims (Windows, some networks): nothing.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    is_new = not Path(folder).exists()
    Path(folder).mkdir(parents=True, exist_ok=True)
    opened = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ValueError(f"need a folder for each training, but another one writes to {folder}.") from error
        except OSError:
            pass  # a disk that knows no claims
        yield
    finally:
        os.close(opened)
        if is_new:
            with contextlib.suppress(OSError):  # what was kept in it stays
                Path(folder).rmdir()


def _runs(process: str) -> bool:
    """Whether a process of this number runs on this machine, as far as one can ask."""
    if os.name != "posix" or not process.isdecimal():
        return False
    try:
        os.kill(int(process), 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True
