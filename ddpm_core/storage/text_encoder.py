"""CLIP's text encoder by its name, from a folder or from the Hub, held to the hash of its weights.

config.json          what it looks like, by itself or as a part of a whole CLIP
model.safetensors    its weights, with or without those of CLIP's other half; a pickle, which may run code, is not read
tokenizer.json, or vocab.json and merges.txt    its tokens

It computes by the library transformers, which is needed for it alone: pip install transformers.
"""

from functools import lru_cache
from pathlib import Path

from safetensors import safe_open

from ddpm_core.networks.frozen_text import FrozenText
from ddpm_core.storage.files import CheckpointError, file_sha256
from ddpm_core.storage.hub import MODEL, first_line, folder_of

FILES = ("config.json", MODEL, "tokenizer*.json", "vocab.json", "merges.txt", "special_tokens_map.json")


def text_encoder(name: str, sha256: str | None = None) -> FrozenText:
    """The text encoder in a folder, or in the repository "owner/name" on the Hub; with `sha256`, of these very weights.

    Raises CheckpointError in one sentence.
    """
    folder = Path(name).expanduser()
    if not folder.is_dir():
        try:
            folder = folder_of(name, *FILES)
        except FileNotFoundError as error:
            raise CheckpointError(f"need the text encoder {name}, but {error}") from error
    if not (folder / MODEL).is_file():
        raise CheckpointError(f"need {MODEL} of the text encoder {name}, but {folder} has none.")
    found = _read(name, folder, (folder / MODEL).stat().st_mtime_ns)
    if sha256 not in (None, found.about["sha256"]):
        was, now = sha256[:12], found.about["sha256"][:12]
        raise CheckpointError(f"need the text encoder {name} with sha256 {was}..., but its weights have {now}....")
    return found


def with_text_encoder(layout: dict) -> dict:
    """The arguments of a `UNet` as a checkpoint has them, with the text encoder itself where they only name one.

    Raises CheckpointError as `text_encoder` does.
    """
    said = layout.get("vocabulary")
    if not isinstance(said, dict):
        return layout
    return layout | {"vocabulary": text_encoder(said["text_encoder"], said["sha256"])}


@lru_cache(maxsize=1)  # it is large, the same for all that ask, and nobody changes it
def _read(name: str, folder: Path, changed: int) -> FrozenText:
    try:
        from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer
    except ImportError as error:
        raise CheckpointError(
            f"need the library transformers for the text encoder {name}: pip install transformers (it said: "
            f"{first_line(error)})."
        ) from error
    try:
        model = CLIPTextModel(CLIPTextConfig.from_pretrained(folder, local_files_only=True))
        tokenizer = CLIPTokenizer.from_pretrained(folder, local_files_only=True)
        own = {_short(key): key for key in model.state_dict()}
        with safe_open(folder / MODEL, framework="pt") as stored:
            weights = {own[_short(key)]: stored.get_tensor(key) for key in stored.keys() if _short(key) in own}  # noqa: SIM118
    except Exception as error:  # each of the libraries has its own classes
        raise CheckpointError(
            f"need a text encoder of CLIP, but {name} cannot be read ({type(error).__name__}: {first_line(error)})."
        ) from error
    if len(tokenizer) != (size := model.config.vocab_size):
        raise CheckpointError(
            f"need a tokenizer of {size} tokens for the text encoder {name}, but its own has {len(tokenizer)}."
        )
    wrong = [key for key, of in model.state_dict().items() if key not in weights or weights[key].shape != of.shape]
    if wrong:
        raise CheckpointError(
            f"need the weights of a text encoder of CLIP, but {name} lacks {len(wrong)} of them, or has "
            f"them in another shape, {wrong[0]} among them."
        )
    model.load_state_dict(weights)
    return FrozenText(model, tokenizer, {"text_encoder": name, "sha256": file_sha256(folder / MODEL)})


def _short(key: str) -> str:
    """A weight's name without its home, which a whole CLIP gives it and a text encoder by itself need not."""
    return key.removeprefix("text_model.")
