"""A Sphinx extension: in front of each chapter, how long it takes to read, and how long its cells ran.

Minutes are counted, not guessed, by the rates below. They are those of somebody who follows with a pen: 5,000 words and
15 numbered equations are two and a half hours. What is folded, a solution or an aside of algebra, does not count.
The time of a run is what the notebook's last cell printed.
"""

import re
from dataclasses import dataclass
from html import escape

import sections
from docutils import nodes

WORDS = 60  # a minute, outside of code and formulas
NUMBERED = 4.5  # minutes for a numbered equation
DISPLAYED = 1.0  # for another displayed one
EXERCISE = 10.0
CHAPTER = re.compile(r"book/(\d\d-[\w-]+|engineering)")
STAMP = re.compile(r"Ran on (\S+) on (.+) in (\d+) s")


@dataclass(frozen=True)
class Counts:
    """What there is to read in a text."""

    words: int = 0
    numbered: int = 0
    displayed: int = 0

    @property
    def minutes(self) -> float:
        return self.words / WORDS + NUMBERED * self.numbered + DISPLAYED * self.displayed

    def __add__(self, other):
        return Counts(self.words + other.words, self.numbered + other.numbered, self.displayed + other.displayed)


def count(text: str) -> Counts:
    """The words, numbered equations and other displayed equations of some Markdown, folds and code left out."""
    text = re.sub(r"(?s)<details>.*?</details>", " ", sections.guarded(text))
    formulas = re.findall(r"(?s)\$\$.*?\$\$", text)
    numbered = sum(r"\tag{" in formula for formula in formulas)
    text = re.sub(r"(?s)\$\$.*?\$\$", " ", text)
    text = re.sub(r"\$[^$]+\$", " x ", text)  # a formula in a line is read as a word
    text = re.sub(r"<[^>]+>|\]\([^)]*\)|[|#*>`_\[\]]", " ", text)
    words = len(re.findall(r"[^\W\d_][\w'’-]*", text))
    return Counts(words, numbered, len(formulas) - numbered)


def spoken(minutes: float) -> str:
    """Minutes as one says them: to the next five, from an hour on in hours."""
    five = max(5, 5 * round(minutes / 5))
    hours, rest = divmod(five, 60)
    return " ".join(part for part in (f"{hours} h" * bool(hours), f"{rest} min" * bool(rest)) if part)


def exercises(cells) -> int:
    """How many exercises a chapter has: its cells that ask for a check."""
    return sum('exercises.check("' in sections.source(cell) for cell in cells if cell["cell_type"] == "code")


def ran(cells) -> str:
    """What the stamp of the last run says, as a sentence; that it was not measured where there is none."""
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    texts = ["".join(output.get("text", "")) for cell in code[-1:] for output in cell.get("outputs", [])]
    if not (found := STAMP.search("\n".join(texts))):
        return "How long its cells run was not measured"
    _, device, seconds = found.groups()
    return f"Its cells ran in {seconds} s on {device}" + (", no GPU needed" if "CPU" in device else "")


def front(cells) -> str:
    """The HTML in front of a chapter: one line, and the sections in a fold."""
    parts = [(part, count(part.text)) for part in sections.cut(cells)]
    reading = [(part, counts) for part, counts in parts if part.title != "Exercises"]
    total, asked = sum((counts for _, counts in reading), Counts()), exercises(cells)
    line = [f"Reading: {spoken(total.minutes)}."]
    if asked:
        line.append(f"{asked} exercises: {spoken(EXERCISE * asked)}.")
    line.append(f"{ran(cells)}.")
    rows = "".join(
        f'<li><a href="#{part.anchor}">{escape(re.sub("[$]", "", part.title))}</a>, {spoken(counts.minutes)}</li>'
        for part, counts in reading
        if part.title
    )
    counted = (
        f"Counted for somebody with a pen: {total.words:,} words at {WORDS} a minute, {total.numbered} numbered "
        f"equations at {NUMBERED} minutes, {total.displayed} others at {DISPLAYED:.0f}. Folds are left out."
    )
    return (
        f'<div class="pace"><p>{escape(" ".join(line))}</p><details><summary>Minutes by section</summary>'
        f"<ul>{rows}</ul><p>{escape(counted)}</p></details></div>"
    )


def insert(app, doctree):
    if not (found := CHAPTER.fullmatch(app.env.docname)):
        return
    title = next(doctree.findall(nodes.title), None)
    if title is not None:
        place = title.parent.index(title) + 1
        title.parent.insert(place, nodes.raw("", front(sections.chapter(found[1])), format="html"))


def setup(app):
    app.connect("doctree-read", insert)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
