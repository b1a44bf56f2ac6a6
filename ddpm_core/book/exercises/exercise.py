"""What an exercise is: a hint, and a check that raises `NotYet` with the next thing to try."""

import textwrap
from collections.abc import Callable
from dataclasses import dataclass


class NotYet(Exception):
    """The answer is not right yet; the message says how to go on."""


def require(condition: bool, how_to_go_on: str) -> None:
    """Raise NotYet unless the condition holds."""
    if not condition:
        raise NotYet(how_to_go_on)


def function(answer: object) -> Callable:
    """The answer as a function that raises NotYet where it raises or returns nothing."""
    require(callable(answer), f"the answer should be a function, but it is {type(answer).__name__}.")

    def asked(*given):
        try:
            got = answer(*given)
        except Exception as error:  # the reader's own code may raise anything
            raise NotYet(f"your code raised {type(error).__name__}: {error}") from None
        require(got is not None, "your function returns nothing; end it with `return`.")
        return got

    return asked


@dataclass(frozen=True)
class Verdict:
    """Whether an exercise is solved, and the sentence that the reader sees."""

    solved: bool
    message: str

    def __repr__(self) -> str:
        return textwrap.fill(self.message, 80)  # a page shows text as it is, without folding it


@dataclass(frozen=True)
class Exercise:
    """A hint for the untouched stub, a check of the answer, and what the answer is read as: a function, a number."""

    hint: str
    check: Callable[[object], None]
    read: Callable[[object], object] = function

    def judge(self, answer: object) -> None:
        """Raise NotYet with the next thing to try, unless the answer is right."""
        self.check(self.read(answer))
