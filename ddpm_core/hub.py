"""What comes from the Hugging Face Hub, or from its local copies when there is no network."""

from pathlib import Path

MODEL = "model.safetensors"


def dataset_folder(name: str, split: str) -> Path:
    """The folder with a data set's parquet files for this split. Raises FileNotFoundError in one sentence."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.constants import HF_HUB_CACHE

    tried = f"there is no path {Path(name).absolute()}"
    if not _is_hub_name(name):
        raise FileNotFoundError(f"no such data: {tried}, and {name!r} is neither `digits` nor a Hub name owner/name.")
    wanted = [f"*{split}-*.parquet", f"*{split}.parquet"]
    try:
        folder = Path(snapshot_download(name, repo_type="dataset", allow_patterns=wanted))
    except Exception as error:  # unknown name, no network, no permission: each its own class
        raise FileNotFoundError(
            f"no such data: {tried}, no copy of a data set {name!r} in {HF_HUB_CACHE}, and the Hub did not give it "
            f"({type(error).__name__}: {first_line(error)}); `digits` needs no network."
        ) from error
    if not any(folder.rglob("*.parquet")):
        raise FileNotFoundError(f"need parquet files called {split}-*.parquet, but the Hub's {name!r} has none.")
    return folder


def model_file(name: str) -> Path:
    """The model file of a repository on the Hub. Raises FileNotFoundError in one sentence."""
    from huggingface_hub import hf_hub_download

    if not _is_hub_name(name):
        raise FileNotFoundError(f"need a folder with {MODEL}, such a file, or a Hub name owner/name, but got {name!r}.")
    try:
        return Path(hf_hub_download(name, MODEL))
    except Exception as error:  # as above
        raise FileNotFoundError(
            f"no checkpoint: there is no path {Path(name).absolute()}, and the Hub did not give {name!r} "
            f"({type(error).__name__}: {first_line(error)})."
        ) from error


def first_line(error: Exception) -> str:
    """The first line of an error's text, without its full stop."""
    return (str(error).strip().splitlines() or ["no details"])[0].rstrip(".")


def _is_hub_name(name: str) -> bool:
    return name.count("/") == 1 and not name.startswith((".", "/", "~")) and not name.endswith("/")
