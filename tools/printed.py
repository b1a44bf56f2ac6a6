"""Compare what two runs of a cell printed: words as words, numbers as numbers.

Processors round differently, so the last digit of a number may change from one to another. A decimal number, one with
a point or an exponent, may differ by one unit in its last printed place, of the coarser print where they differ; so
may a whole number of percent. All else must be equal: words, whole numbers, nan and inf, and how many lines there are.

A cell whose numbers depend more on the processor says by how much, in its metadata:

    ```{code-cell} ipython3
    :numbers: within 2 %                  of the stored number
    :numbers: within 0.01                 for numbers near zero
    :numbers: within 2 % or 0.01          whichever is wider
    ```
"""

import re
from dataclasses import dataclass
from decimal import Decimal

WHOLE = r"(?:\d{1,3}(?:,\d{3})+|\d+)"
POWER = r"[eE][+-]?\d+"
# No part of a word (x_0.5, #1e90ff) nor of a version (3.11.2). After a digit a sign is a dash: 0.5-0.7 are two numbers.
NUMBER = re.compile(
    r"( *)(?<![\w#])(?<!\d\.)"
    rf"([+\-−]?(?:{WHOLE}\.\d+(?:{POWER})?|(?<!\.)\.\d+(?:{POWER})?|{WHOLE}{POWER}|{WHOLE}(?= ?%)))"
    r"(?!\.?\d)( *)"
)
PLAIN = r"\d+(?:\.\d+)?"
READABLE = (rf"within (?P<percent>{PLAIN}) ?%(?: or (?P<absolute>{PLAIN}))?", rf"within (?P<absolute>{PLAIN})")
SHIFT = 2  # a gap may lose a space to the number on either side, where a sign or a digit comes or goes
QUOTED = 300  # characters of a line that a complaint shows


# ---- How far apart two numbers may be ----------------------------------------------------------------------


@dataclass(frozen=True)
class Tolerance:
    """What a cell allows beyond one unit in the last place: a share of the stored number, or a difference."""

    percent: Decimal = Decimal(0)
    absolute: Decimal = Decimal(0)


def tolerance(stated):
    """Read what a cell's metadata says of its `numbers`, None where it says nothing. Raises ValueError."""
    if stated is None:
        return Tolerance()
    for pattern in READABLE:
        found = re.fullmatch(pattern, str(stated))
        if found:
            return Tolerance(**{name: Decimal(number) for name, number in found.groupdict().items() if number})
    raise ValueError(f"`numbers: {stated}` is not readable: say `within 2 %`, `within 0.01` or `within 2 % or 0.01`.")


def value(text):
    """The number that is printed, exactly."""
    return Decimal(text.replace(",", "").replace("−", "-"))


def unit(text):
    """One unit in the last printed place: 0.01 for 1.35, 0.0001 for 2.5e-03."""
    return Decimal(1).scaleb(value(text).as_tuple().exponent)


def limit(stored, printed, allowed):
    """How far a printed number may be from the stored one, and why."""
    return max(
        (max(unit(stored), unit(printed)), "one unit in the last place"),
        (abs(value(stored)) * allowed.percent / 100, f"{allowed.percent} % of {stored}"),
        (allowed.absolute, "as the cell states"),
    )


def apart(stored, printed, allowed):
    """A sentence where two printed numbers are too far apart, else ''."""
    difference = abs(value(stored) - value(printed))
    widest, why = limit(stored, printed, allowed)
    if difference <= widest:
        return ""
    return f"{stored} is stored, {printed} was printed: {difference:g} apart, allowed is {widest:g} ({why})"


# ---- Lines, texts, outputs ---------------------------------------------------------------------------------


def parts(line):
    """A line's words, its decimal numbers, and the widths of the gaps before and after each of them."""
    words, before, numbers, after = (NUMBER.split(line)[start::4] for start in range(4))
    return words, numbers, [len(gap) for gap in before + after]


def line_complaints(stored, printed, allowed):
    """How a printed line differs from the stored one, as sentences."""
    if stored == printed:
        return []
    (words, numbers, gaps), (new_words, new_numbers, new_gaps) = parts(stored), parts(printed)
    if words != new_words:
        return ["more than a decimal number changed"]
    if any(abs(gap - new) > SHIFT for gap, new in zip(gaps, new_gaps, strict=True)):
        return ["a number stands in another column"]
    found = (apart(old, new, allowed) for old, new in zip(numbers, new_numbers, strict=True))
    return [sentence for sentence in found if sentence]


def quoted(stored, printed):
    """The two lines one above the other; of long ones the part where they begin to differ."""
    start = 0
    if max(len(stored), len(printed)) > QUOTED:
        changed = (place for place, (old, new) in enumerate(zip(stored, printed, strict=False)) if old != new)
        start = max(0, next(changed, 0) - QUOTED // 2)
    old, new = (line[start : start + QUOTED] for line in (stored, printed))
    return f"\n    stored:  {old}\n    printed: {new}"


def text_complaints(stored, printed, allowed):
    """How a printed text differs from the stored one, as sentences, each with the lines that it is about."""
    if not (isinstance(stored, str) and isinstance(printed, str)):
        return [] if stored == printed else [f"the data differ{quoted(str(stored), str(printed))}"]
    lines, new_lines = stored.split("\n"), printed.split("\n")
    found = [
        f"line {number}: {'; '.join(sentences)}{quoted(old, new)}"
        for number, (old, new) in enumerate(zip(lines, new_lines, strict=False), start=1)
        if (sentences := line_complaints(old, new, allowed))
    ]
    if len(lines) != len(new_lines):  # what follows a lost line differs too: one complaint is enough
        return [f"{len(lines)} lines are stored, {len(new_lines)} were printed", *found[:1]]
    return found


def complaints(stored, printed, allowed):
    """How a cell's outputs differ from the stored ones; both are {stream or kind of data: its texts in order}."""
    found = []
    for kind in sorted(stored.keys() | printed.keys()):
        old, new = stored.get(kind, []), printed.get(kind, [])
        if len(old) != len(new):
            found.append(f"{kind}: {len(old)} stored, {len(new)} printed")
        for pair in zip(old, new, strict=False):
            found += [f"{kind}, {sentence}" for sentence in text_complaints(*pair, allowed)]
    return found
