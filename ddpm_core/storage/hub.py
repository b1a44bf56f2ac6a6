"""What comes from the Hugging Face Hub, or from its local copies when there is no network, and what goes there."""

from fnmatch import fnmatch
from pathlib import Path

MODEL = "model.safetensors"


class Absent(FileNotFoundError):
    """The folder or the Hub has been asked, and what it holds is not what was asked for."""


def dataset_folder(name: str, split: str) -> Path:
    """The folder with a data set's parquet files for this split. Raises FileNotFoundError in one sentence: Absent if
    the data set has no such split."""
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.constants import HF_HUB_CACHE

    tried = f"there is no path {Path(name).absolute()}"
    if not _is_hub_name(name):
        raise FileNotFoundError(f"no such data: {tried}, and {name!r} is neither `digits` nor a Hub name owner/name.")
    wanted = [f"*{split}-*.parquet", f"*{split}.parquet", f"*{split}_*.parquet", f"*{split}/*.parquet"]
    try:
        folder = Path(snapshot_download(name, repo_type="dataset", allow_patterns=wanted))
        there = [path.relative_to(folder).as_posix() for path in folder.rglob("*.parquet")]
        found = any(fnmatch(path, pattern) for path in there for pattern in wanted)
        if not found:
            HfApi().dataset_info(name, revision="main")  # without a network a copy of other splits says nothing of this
    except Exception as error:  # unknown name, no network, no permission: each its own class
        raise FileNotFoundError(
            f"no such data: {tried}, no copy of the split {split!r} of {name!r} in {HF_HUB_CACHE}, and the Hub did not "
            f"give it ({type(error).__name__}: {first_line(error)}); `digits` needs no network."
        ) from error
    if not found:
        raise Absent(f"need parquet files called {split}-*.parquet, but the Hub's {name!r} has none.")
    return folder


def model_file(name: str, revision: str | None = None) -> Path:
    """The model file of a repository on the Hub, at a branch, tag or commit of it, by default the newest. Raises
    FileNotFoundError in one sentence."""
    from huggingface_hub import hf_hub_download

    if not _is_hub_name(name):
        raise FileNotFoundError(f"need a folder with {MODEL}, such a file, or a Hub name owner/name, but got {name!r}.")
    try:
        return Path(hf_hub_download(name, MODEL, revision=revision))
    except Exception as error:  # as above
        raise FileNotFoundError(
            f"no checkpoint: there is no path {Path(name).absolute()}, and the Hub did not give {name!r}"
            f"{_at(revision)} ({type(error).__name__}: {first_line(error)})."
        ) from error


def folder_of(name: str, *wanted: str) -> Path:
    """A folder with the files of the repository "owner/name" on the Hub that fit one of the patterns wanted. Raises
    FileNotFoundError in one sentence."""
    from huggingface_hub import snapshot_download

    if not _is_hub_name(name):
        raise FileNotFoundError(f"there is no path {Path(name).absolute()}, and {name!r} is no Hub name owner/name.")
    try:
        return Path(snapshot_download(name, allow_patterns=list(wanted)))
    except Exception as error:  # as above
        raise FileNotFoundError(
            f"there is no path {Path(name).absolute()}, and the Hub did not give {name!r} "
            f"({type(error).__name__}: {first_line(error)})."
        ) from error


def first_file(name: str, *names: str, revision: str | None = None) -> Path:
    """The first of these files that the repository "owner/name" on the Hub has, at a branch, tag or commit of it.

    Raises FileNotFoundError in one sentence: Absent if it has none of them.
    """
    from huggingface_hub import hf_hub_download

    if not _is_hub_name(name):
        raise FileNotFoundError(f"there is no path {Path(name).absolute()}, and {name!r} is no Hub name owner/name.")
    errors = []
    for wanted in names:
        try:
            return Path(hf_hub_download(name, wanted, revision=revision))
        except Exception as error:  # as above
            errors.append(error)
    if all(_says_absent(error, name, wanted, revision) for error, wanted in zip(errors, names, strict=True)):
        raise Absent(f"need {' or '.join(names)}, but the Hub's {name!r}{_at(revision)} has none.")
    raise FileNotFoundError(
        f"there is no path {Path(name).absolute()}, and the Hub did not give {' or '.join(names)} of {name!r}"
        f"{_at(revision)} ({type(errors[-1]).__name__}: {first_line(errors[-1])})."
    )


def _says_absent(error: Exception, name: str, file: str, revision: str | None) -> bool:
    """Whether the Hub, or the copy that it was asked for before, says that the repository has no such file."""
    from huggingface_hub import _CACHED_NO_EXIST, try_to_load_from_cache
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    if isinstance(error, LocalEntryNotFoundError):  # one of the others too, but it means that nobody answered
        return try_to_load_from_cache(name, file, revision=revision) is _CACHED_NO_EXIST
    return isinstance(error, EntryNotFoundError)


def push(folder: Path, name: str, private: bool = False) -> str:
    """Upload a folder as the model repository "owner/name", made if need be; returns its address.

    Who may write there is known from `hf auth login` or HF_TOKEN. Raises OSError in one sentence.
    """
    return _upload(folder, name, "A model of ddpm_core", private=private, repo_type="model")


def push_space(folder: Path, name: str, private: bool = False) -> str:
    """Upload a folder as the Gradio Space "owner/name", as `push` does a model."""
    return _upload(folder, name, "The generator", private=private, repo_type="space", space_sdk="gradio")


def _upload(folder: Path, name: str, message: str, *, repo_type: str, **made) -> str:
    from huggingface_hub import HfApi

    check_name(name)
    try:
        api = HfApi()
        address = api.create_repo(name, repo_type=repo_type, exist_ok=True, **made)
        api.upload_folder(repo_id=name, repo_type=repo_type, folder_path=folder, commit_message=message)
    except Exception as error:  # no token, no permission, no network: each its own class
        raise OSError(
            f"the Hub did not take {name!r} ({type(error).__name__}: {first_line(error)}); log in with "
            "hf auth login, or set HF_TOKEN."
        ) from error
    return str(address)


def check_name(name: str) -> None:
    """Raises OSError, in one sentence, for what is no name owner/name to push to."""
    if not _is_hub_name(name):
        raise OSError(f"need a Hub name owner/name to push to, but got {name!r}.")


def first_line(error: Exception) -> str:
    """The first line of an error's text, without its full stop; of a long one, 200 letters."""
    line = (str(error).strip().splitlines() or ["no details"])[0].rstrip(".")
    return line if len(line) <= 200 else line[:200] + "..."


def _at(revision: str | None) -> str:
    return "" if revision is None else f" at revision {revision!r}"


def _is_hub_name(name: str) -> bool:
    return name.count("/") == 1 and not name.startswith((".", "/", "~")) and not name.endswith("/")
