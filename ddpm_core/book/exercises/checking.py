"""The check behind each exercise: a hint first, then how to go on; never a traceback.

`check("1.1", answer)` runs the reader's function or looks at the reader's value and returns a `Verdict`, whose text the
notebook shows. What each exercise asks for stands beside this file, one module a chapter, imported when it is asked.
"""

from importlib import import_module
from pathlib import Path

from ddpm_core.book.exercises.exercise import Exercise, NotYet, Verdict

CHAPTERS = sorted((path.stem.removeprefix("chapter") for path in Path(__file__).parent.glob("chapter*.py")), key=int)


def of_chapter(chapter: str) -> dict[str, Exercise]:
    """A chapter's exercises by their numbers. Raises ValueError for a chapter that has none."""
    if chapter not in CHAPTERS:
        raise ValueError(f"need a chapter with exercises, one of {', '.join(CHAPTERS)}, but got {chapter!r}.")
    return import_module(f"{__package__}.chapter{chapter}").EXERCISES


def check(number: str, answer: object) -> Verdict:
    """Judge the answer to exercise `number`: a function, or a value. Raises ValueError only for an unknown number."""
    chapter = str(number).partition(".")[0]
    exercise = of_chapter(chapter).get(str(number))
    if exercise is None:
        numbers = ", ".join(of_chapter(chapter))
        raise ValueError(f"need an exercise of chapter {chapter}, one of {numbers}, but got {number!r}.")
    try:
        exercise.judge(answer)
    except NotYet as verdict:
        text = str(verdict)
    except Exception as error:  # an answer may be stranger than the check expects
        text = f"this answer cannot be judged, {type(error).__name__}: {error}"
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
