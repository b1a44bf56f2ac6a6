"""The check behind each exercise: a hint first, then how to go on; never a traceback.

`check("1.1", answer)` runs the reader's function or looks at the reader's value and returns a `Verdict`, whose text the
notebook shows. What each exercise asks for stands in `ddpm_core.checks`, one module a chapter.
"""

import pkgutil
from importlib import import_module

from . import checks
from .verdict import Exercise, NotYet, Verdict

EXERCISES: dict[str, Exercise] = {}
for _module in sorted(found.name for found in pkgutil.iter_modules(checks.__path__)):
    EXERCISES |= import_module(f".{_module}", checks.__name__).CHECKS


def check(number: str, answer: object) -> Verdict:
    """Judge the answer to exercise `number`: a function, or a value. Raises KeyError only for an unknown number."""
    exercise = EXERCISES[number]
    try:
        exercise.check(answer)
    except NotYet as verdict:
        text = str(verdict)
    except Exception as error:  # the reader's own code may raise anything
        text = f"your code raised {type(error).__name__}: {error}"
    else:
        return Verdict(True, f"Exercise {number}: solved.")
    if _untouched(answer):
        text = f"hint: {exercise.hint}"
    return Verdict(False, f"Exercise {number}, not yet: {text}")


def _stub(): ...


def _untouched(answer: object) -> bool:
    """A stub: `...` as the value, or a function whose whole body is `...`."""
    code = getattr(answer, "__code__", None)
    return answer is None or answer is ... or (code is not None and code.co_code == _stub.__code__.co_code)
