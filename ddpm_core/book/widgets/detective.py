"""The detective's desk: three runs with their curves and pictures, one of them to be accused."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ddpm_core.book.widgets.figure import InteractiveFigure, encode_array, on_screen

LETTERS = "ABC"


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is known of one run.

    losses    of its training, as many as all runs on the desk have, all above 0
    pictures  that it drew, (N, C, H, W), uint8 or floats on the scale of [-1, 1]
    facts     name -> words, such as {"bound": "3.2 bits"}; each run of a case has the same names
    """

    losses: Sequence[float]
    pictures: Tensor
    facts: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class Case:
    """Three runs, of which one did it.

    charge   what one of them did, as a question
    runs     their evidence
    guilty   which it was: 0, 1 or 2
    reasons  what is said to a reader who accuses each
    """

    charge: str
    runs: Sequence[Evidence]
    guilty: int
    reasons: Sequence[str]


def accuse(cases: Sequence[Case], *, sound: Sequence[float], label: str, columns: int = 3) -> InteractiveFigure:
    """Case after case: three runs side by side, a button to accuse each, and an answer with its reason.

    sound: the losses of a run that is known to be sound, drawn beside every curve, which stand on one logarithmic
    scale. `columns` pictures stand in a row.
    `.frame(case, run)` is the answer in Python: whether run did it, and what is said. Raises ValueError for a case
    without three runs and reasons, runs of different shapes or facts, or losses that are not above 0.
    """
    if not cases:
        raise ValueError("need at least one case for the desk, but got none.")
    for number, case in enumerate(cases):
        _check(case, f"case {number + 1}", tuple(cases[0].runs[0].pictures.shape), len(sound))
    losses = torch.tensor([[list(run.losses) for run in case.runs] for case in cases])
    if not ((losses > 0).all() and min(sound) > 0):
        raise ValueError(f"need losses above 0 for a logarithmic scale, but the smallest is {losses.min():g}.")
    pictures = torch.stack([torch.stack([on_screen("the pictures", run.pictures) for run in c.runs]) for c in cases])
    N, C, H, W = pictures.shape[2:]
    columns = min(columns, N)
    payload = {
        "shape": [N, C, H, W],
        "columns": columns,
        "cases": [
            {"charge": case.charge, "guilty": case.guilty, "reasons": list(case.reasons)}
            | {"facts": [list(run.facts.items()) for run in case.runs]}
            for case in cases
        ],
        "arrays": {
            "pictures": encode_array(pictures, torch.uint8)[1],
            "losses": encode_array(losses, torch.float32)[1],
            "sound": encode_array(torch.tensor(list(sound)), torch.float32)[1],
        },
    }
    rows = -(-N // columns)
    runs = "".join(_RUN.format(letter, columns * W, rows * H, N, columns, rows) for letter in LETTERS)
    body = f'<p class="charge" aria-live="polite"></p><div class="runs">{runs}</div>{_FOOT}'

    def answer(case: int, run: int) -> tuple[bool, str]:
        return run == cases[case].guilty, cases[case].reasons[run]

    return InteractiveFigure("desk", label, payload, body, ["tile", "desk"], answer)


def _check(case: Case, name: str, shape: tuple[int, ...], steps: int) -> None:
    counts = len(case.runs), len(case.reasons)
    if counts != (3, 3) or case.guilty not in range(3):
        raise ValueError(
            f"need three runs, three reasons and one of 0, 1, 2 as the guilty, but {name} has {counts[0]}, {counts[1]} "
            f"and {case.guilty}."
        )
    if len(shape) != 4 or shape[1] not in (1, 3) or 0 in shape:
        raise ValueError(f"need pictures (N, C, H, W) with C = 1 or 3, but those of the first run are {shape}.")
    for run in case.runs:
        if tuple(run.pictures.shape) != shape or len(run.losses) != steps:
            raise ValueError(
                f"need {steps} losses, as the sound run has, and pictures {shape}, as the first run has, but in {name} "
                f"there are {len(run.losses)} and {tuple(run.pictures.shape)}."
            )
        if list(run.facts) != list(case.runs[0].facts):
            raise ValueError(f"need the same facts of every run of {name}, but got {list(run.facts)}.")


_RUN = """<section class="run"><p class="name">Run {0}<span class="sign"></span></p>
<div class="curve"><span class="high"></span><svg viewBox="0 0 100 50" preserveAspectRatio="none" role="img" \
aria-label="the loss of run {0}"><path class="sound"/><path class="loss"/></svg><span class="low"></span></div>
<canvas role="img" width="{1}" height="{2}" style="--cell: calc(100% / {4}) calc(100% / {5})" \
aria-label="{3} pictures that run {0} drew"></canvas>
<dl></dl><button type="button" aria-label="accuse run {0}">accuse {0}</button></section>"""
_FOOT = """<output role="status"></output>
<div class="foot"><span class="count"></span><button type="button" class="next">Next case</button></div>"""
