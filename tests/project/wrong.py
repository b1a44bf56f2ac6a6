"""Arguments made wrong in every way that their kind can be, and what comes of each.

A table of cases is {name: (function, given)}, where given() are the arguments of a call that works.
"""

import inspect
import itertools
import re
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ddpm_core import schedule
from ddpm_core.diffusion import arguments


def wrong(name, value):
    """kind of mistake -> a value in its place."""
    yield "None", None
    yield "text", "a"
    if isinstance(value, Tensor) and value.is_floating_point():
        yield "dtype", value.long()
        yield "one more example", torch.cat([value, value[:1]])
        yield "one example for all", value[:1]
        yield "another axis", value[None]
        yield "device", value.to("meta")
        yield "nan", torch.full_like(value, torch.nan)
        yield "empty", value[:0]
        yield "a list", value.tolist()
    elif isinstance(value, Tensor) and value.dtype == torch.uint8:
        yield "dtype", value.float()
        yield "empty", value[:0]
        yield "another axis", value[None]
        yield "a list", value.tolist()
    elif isinstance(value, np.ndarray):
        yield from {"dtype": value.astype(complex), "nan": np.full(value.shape, np.nan), "empty": value[:0]}.items()
        yield from {"another axis": value[None, None], "a list": value.tolist()}.items()
    elif isinstance(value, Tensor):
        yield "dtype", value.double()
        yield "truth", value > 0
        yield "one time for all", value[:1]
        yield "one more", torch.cat([value, value[:1]])
        yield "another axis", value[:, None]
        yield "below", value - 100
        yield "beyond", value + 100
        yield "huge", value + 2**62
        yield "empty", value[:0]
        yield "a list", value.tolist()
    elif isinstance(value, bool):
        yield from {"a number": 3, "nan": float("nan")}.items()
    elif isinstance(value, int):
        yield from {"half": 2.5, "nan": float("nan"), "below": -1, "zero": 0, "truth": True, "huge": 10**12}.items()
    elif isinstance(value, float):
        yield from {"nan": float("nan"), "infinite": float("inf"), "below": -1e9, "a tensor": torch.ones(2)}.items()
    elif isinstance(value, dict):
        yield from {"empty": {}, "a number": 3}.items()
    elif isinstance(value, list | tuple) and value and isinstance(value[0], str):
        yield from {"empty": [], "numbers": [5, 5], "a number": 3, "some None": [None, *value[1:]]}.items()
    elif isinstance(value, str | Path):
        yield from {"empty": type(value)(""), "a number": 3, "a list": [value]}.items()
    elif isinstance(value, list | tuple):
        yield from {
            "empty": [],
            "one": [5],
            "twice": [5, 5],
            "beyond": [99, 0],
            "a number": 3,
            "nan": [0.1, float("nan")],
        }.items()
    else:
        yield "a number", 3


# A sentence may speak of what an argument decides, in the words of the formula.
ALSO_CALLED = {
    "like": "(batch|like|images)", "eps": "(batch|eps)", "score": "(batch|score)", "x_t": "(batch|x_t|points)",
    "x": "(x|points|batch)", "factor": "(sides|factor)",
    "x0": "(x0|pixels)", "sigma": "(sigma|t|T)", "clock": "(clock|times)", "n": "(n|label)",
    "log_snr": "(log_snr|ln SNR)", "height": "(height|room)", "width": "(width|room)",
    "captions": "captions?", "net": "(net|network)", "channels": "(channels|level widths)",
    "cross_attention": "(cross_attention|attention levels|captions)",
    "vocabulary": "(vocabulary|words|captions)", "labels": "(label|token|caption)", "patch": "(patch|sides)",
    "path": "(path|checkpoint)", "name_or_path": "(name_or_path|path|Hub)", "raw": "(raw|images)", "side": "side",
    "values": "(values|labels|images|class)", "batch": "batch", "b": "(b|two sets|rows)", "a": "(a|two sets|rows)",
    "images": "(images|x)", "size": "(size|height|width)", "weight": "(weight|matrix)", "label": "(label|class)",
    "errors": "(errors|loss)", "weights": "(weights|loss)", "names": "(names?|classes)",
}  # fmt: skip


def outcome(function, how, name):
    """ "refused", or what is wrong: another error, a sentence that says too little, nan; or "works"."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = function(**how)
            found = list(itertools.islice(found, 20)) if inspect.isgenerator(found) else found
    except FileNotFoundError as error:
        return "refused" if "\n" not in str(error) else f"says {error}"
    except ValueError as error:
        said = str(error)
        called = ALSO_CALLED.get(name, name.split("_")[0].rstrip("s"))  # betas: "but beta_2 is 5"
        named = re.search(rf"(?<!\w){called}", said)
        return "refused" if said.startswith("need ") and named and "\n" not in said else f"says {said!r}"
    except Exception as error:
        return f"raises {type(error).__name__}: {str(error)[:80]!r}"
    return "nan" if has_nan(found) else "works"


def has_nan(found):
    if isinstance(found, Tensor):
        return found.device.type == "cpu" and found.is_floating_point() and bool(found.isnan().any())
    if isinstance(found, schedule.Schedule):
        return has_nan(found.beta)
    if isinstance(found, torch.nn.Module):
        return any(map(has_nan, found.parameters()))
    if isinstance(found, dict):
        return any(map(has_nan, found.values()))
    return any(map(has_nan, found)) if isinstance(found, list | tuple) else isinstance(found, float) and found != found


def tried(cases):
    """(function, argument, mistake), and what comes of it."""
    for name, (function, given) in cases.items():
        pictures = [key for key, value in given().items() if key in arguments.IMAGES and torch.is_tensor(value)]
        for argument, value in given().items():
            if argument == "table":  # a schedule's own
                continue
            for kind, other in wrong(argument, value):
                if kind == "device" and not (argument in pictures and len(pictures) > 1):
                    continue  # alone, it may lie anywhere
                yield (name, argument, kind), outcome(function, given() | {argument: other}, argument)


def broken(cases):
    """The calls that do not work as they stand, and why."""
    found = {name: outcome(function, given(), "") for name, (function, given) in cases.items()}
    return {name: said for name, said in found.items() if said != "works"}


def silent(cases, works):
    """What is neither refused nor known to work: {(argument, mistake): why} with an asterisk for every argument."""
    found = {}
    for key, said in tried(cases):
        excused = key[1:] in works or ("*", key[2]) in works
        if said != "refused" and not (excused and said in ("works", "nan")):
            found[key] = said
    return found


def number(cases):
    """How many calls a table makes."""
    return sum(len(list(wrong(*pair))) for _, given in cases.values() for pair in given().items())
