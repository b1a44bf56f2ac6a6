"""What an exercise is: a hint, and a check that calls `need` for each thing that a right answer has."""

import textwrap
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Verdict:
    """Whether an exercise is solved, and the sentence that the reader sees."""

    solved: bool
    message: str

    def __repr__(self) -> str:
        return textwrap.fill(self.message, 80)  # a page shows text as it is, without folding it


@dataclass(frozen=True)
class Exercise:
    """A hint for the untouched stub, and a check that raises `NotYet` with the next thing to try."""

    hint: str
    check: Callable[[object], None]


class NotYet(Exception):
    """The answer is not right yet; the message says how to go on."""


def number(answer: object) -> float:
    """The answer as a number: a Python number, or a tensor or array that holds one. Raises NotYet for anything else."""
    try:
        if isinstance(answer, bool | str):
            raise TypeError
        return float(answer)
    except (TypeError, ValueError, RuntimeError):
        raise NotYet(f"the answer should be a number, but it is {type(answer).__name__}.") from None


def need(condition: bool, how_to_go_on: str) -> None:
    """Raise NotYet unless the condition holds."""
    if not condition:
        raise NotYet(how_to_go_on)
