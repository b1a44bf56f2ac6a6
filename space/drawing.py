"""What the Space draws: a request is checked, in sentences, and then drawn step by step. This file has no Gradio."""

import json
import math
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from PIL import Image

from ddpm_core import sampler
from ddpm_core.data.transforms import tile
from ddpm_core.diffusion.model import Model
from ddpm_core.diffusion.pixels import to_uint8
from ddpm_core.networks.conditioning import MAX_WORDS, encode, tokenize
from ddpm_core.storage import checkpoint
from ddpm_core.storage.files import CheckpointError

MODELS = {  # title -> file on the shelf
    "Garments, 32x32": "fashion32",
    "Handwritten digits, 8x8": "digits",
    "Cars, 32x32": "cars32-gpu",
    "Shapes from a caption, 32x32": "shapes",
}
EXAMPLES = {"Shapes from a caption, 32x32": "a large red circle on the right on a white background"}  # to begin with
SAMPLERS = {
    "DPM-Solver++": "dpm",
    "DDIM": "ddim",
    "DDIM with fresh noise (eta = 1)": "ddim1",
    "ancestral (DDPM)": "ddpm",
}
ANY, EACH = "any", "each in turn"
HERE = Path(__file__).resolve().parent
GENERATOR = HERE.parent / "book" / "_static" / "generator"


def bounds() -> dict[str, int]:
    """How much may be asked for, as on the book's page of the generator: from a file beside this one, or the book's."""
    files = [folder / "bounds.json" for folder in (HERE, GENERATOR)]
    return json.loads(next((file for file in files if file.is_file()), files[0]).read_text("utf-8"))


MOST = bounds()
FRAMES = 12  # pictures of the way that are shown, at most
SIDE = 128  # pixels of a picture on the screen, about


class Refused(ValueError):
    """A request that cannot be drawn; its message is a sentence for whoever asked."""


@dataclass(frozen=True)
class Request:
    """A drawing that can be made: see `asked` for what was said of it."""

    title: str
    n: int
    steps: int
    sampler: str
    guidance: float
    seed: int
    label: str
    caption: str


@cache
def model(title: str) -> Model:
    """The model of this title, from the shelf: the folder SHELF, `models` beside this file, or the book's results.

    Raises Refused if its file is missing, cut short or changed; what exactly, the log says.
    """
    shelves = [Path(os.environ.get("SHELF", HERE / "models")), HERE.parent / "book" / "results"]
    files = [shelf / f"{MODELS[title]}.safetensors" for shelf in shelves]
    try:
        return checkpoint.load(next((file for file in files if file.is_file()), files[0]))
    except CheckpointError as error:
        print(error, file=sys.stderr, flush=True)
        raise Refused(f"The file of {title} is missing here, cut short or changed: choose another model.") from error


def choices(title: str) -> list[str]:
    """The classes that can be asked for."""
    names = model(title).about.get("names") if model(title).network.num_classes else None
    return [ANY, *([EACH, *names] if names else [])]


def words(title: str) -> list[str] | None:
    """The words that captions are made of; None for a model that reads none."""
    return model(title).network.vocabulary


def known(what: str, value, names) -> None:
    """Raises Refused unless the value is one of these names."""
    if not isinstance(value, str) or value not in names:
        raise Refused(f"There is no {what} {short(value)}: choose one of {', '.join(names)}.")


def asked(title, label, caption, n, steps, sampler_name, guidance, seed) -> Request:
    """The request for these values, which may come from anybody and be anything. Raises Refused in one sentence."""
    known("model", title, MODELS)
    known("sampler", sampler_name, SAMPLERS)
    if label not in choices(title):
        raise Refused(f"{title} knows no class {short(label)}: choose one of {', '.join(choices(title))}.")
    return Request(
        title,
        _whole("number of pictures", n, 1, MOST["pictures"]),
        _whole("number of steps", steps, 1, MOST["steps"]),
        SAMPLERS[sampler_name],
        _number("guidance", guidance, 0, MOST["guidance"]),
        _whole("seed", seed, 0, MOST["seed"]),
        label,
        _readable(title, caption),
    )


def drawn(request: Request) -> Iterator[tuple[list[Image.Image], str]]:
    """The pictures on their way, some FRAMES times, and a sentence about each state; the finished ones come last."""
    wanted, labels = model(request.title), None
    names = choices(request.title)[2:]
    if request.caption:
        labels = encode([request.caption] * request.n, words(request.title))
    elif request.label == EACH:
        labels = sampler.balanced_labels(request.n, len(names))
    elif request.label != ANY:
        labels = sampler.balanced_labels(request.n, len(names)) * 0 + names.index(request.label)
    way = sampler.trajectory(
        wanted, request.n, labels=labels, steps=request.steps, sampler=request.sampler,
        guidance=request.guidance if labels is not None else 0.0, seed=request.seed,
    )  # fmt: skip
    every = max(1, round(request.steps / FRAMES))
    for k, (t, x_t) in enumerate(way):
        if t == 0 or k % every == 0:
            said = f"Finished: {request.steps} steps, seed {request.seed}." if t == 0 else f"t = {t}, step {k}"
            pictures = to_uint8(x_t)
            enlarge = max(1, SIDE // pictures.shape[-1])
            yield [tile(picture[None], enlarge=enlarge) for picture in pictures], said


def _readable(title: str, caption) -> str:
    """The caption, which the model can be told, or "" for none; the sentences are those of the generator's page."""
    if not isinstance(caption, str) or len(caption) > MOST["letters"]:
        raise Refused(f"A caption is a text of at most {MOST['letters']} letters.")
    caption, vocabulary = caption.strip(), words(title)
    said = tokenize(caption)
    if caption and vocabulary is None:
        raise Refused(f"{title} takes no caption: choose a class.")
    if caption and not said:
        raise Refused("There is no word in this caption.")
    if unknown := [word for word in dict.fromkeys(said) if word not in vocabulary]:
        some, more = ", ".join(f"“{word[:30]}”" for word in unknown[:3]), len(unknown) - 3
        some += f" and {more} more" if more > 0 else ""
        raise Refused(f"The model has never read {some}: it knows {len(vocabulary)} words.")
    if len(said) > MAX_WORDS:
        raise Refused(f"A caption has at most {MAX_WORDS} words, but this one has {len(said)}.")
    return caption


def _whole(what: str, value, least: int, most: int) -> int:
    number = _number(what, value, least, most)
    if number != int(number):
        raise Refused(f"The {what} must be a whole number from {least} to {most}, but it is {short(value)}.")
    return int(number)


def _number(what: str, value, least: float, most: float) -> float:
    said = f"The {what} must be a number from {least} to {most}, but it is {short(value)}."
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refused(said)
    if not math.isfinite(value) or not least <= value <= most:
        raise Refused(said)
    return value


def short(value) -> str:
    """What came, in few letters; of a long text only what is shown is looked at."""
    text = repr(value[:40] if isinstance(value, str) else value)
    return text if len(text) <= 40 else text[:37] + "..."
