"""Three copies of the patient for exercise 15.1, each with a bug that is none of the twelve.

Whoever reads on has solved the exercise, and learned nothing.
"""

import ast
from types import ModuleType

from ddpm_core.book.clinic.bugs import Bug, planted, source

# The patient's functions and classes in the order of its file: the exercise counts them from 1.
FUNCTIONS = [node.name for node in ast.parse(source()).body if isinstance(node, ast.FunctionDef | ast.ClassDef)]

STRANGERS = {
    "A": Bug(
        "average and network exchanged",
        "update_average",
        "slow.lerp_(fast, 1 - decay)",
        "slow.lerp_(fast, decay)",
        "of two weights that add up to 1 the wrong one",
    ),
    "B": Bug(
        "a root forgotten in the mean",
        "step_back",
        "of_x0, of_xt = before.sqrt() * beta, (1 - beta).sqrt() * (1 - before)",
        "of_x0, of_xt = before.sqrt() * beta, (1 - beta) * (1 - before)",
        "alpha for its root",
    ),
    "C": Bug(
        "scores divided by the root of the number of places",
        "take",
        "scores = q @ k.transpose(1, 2) / math.sqrt(q.shape[2])",
        "scores = q @ k.transpose(1, 2) / math.sqrt(q.shape[1])",
        "axes are numbers",
    ),
}


def stranger(letter: str) -> ModuleType:
    """The copy of this letter. Raises ValueError for another letter."""
    if letter not in STRANGERS:
        raise ValueError(f"need one of the strangers {', '.join(STRANGERS)}, but got {letter!r}.")
    code = planted(STRANGERS[letter])
    code.__name__ = f"stranger {letter}"
    return code
