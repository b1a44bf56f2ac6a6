"""The index of exercises: book/exercises.md, written from the chapters' own words and workshop/exercises.yml.

    python tools/exercises.py

Number, title and whether an experiment is changed are read from the chapters; level and minutes stand in the list.
As a Sphinx extension it gives each exercise of a page an address of its own, to which the index links.
"""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

import sections
import yaml
from docutils import nodes

ROOT = Path(__file__).resolve().parent.parent
LEVELS = {1: "Short", 2: "Some work", 3: "Long"}
MEANT = {
    1: "A formula becomes a few lines, or one line is changed.",
    2: "Some steps, on paper or in code.",
    3: "A derivation or an investigation of your own.",
}
FRONT = """<!-- Written by tools/exercises.py from the chapters and workshop/exercises.yml: edit those. -->

# All exercises

Have you ten minutes, or an evening? Here you find an exercise that fits. Each has a check that says what to mend,
two hints, and a folded solution.

Level and minutes are the author's guess. No room has been timed yet. In front of a chapter each exercise counts as ten
minutes, which is their mean to the minute. A star marks an exercise that changes an experiment of its chapter and asks
what happens: guess before you run it.
"""


@dataclass(frozen=True)
class Exercise:
    """An exercise as its chapter asks it."""

    number: str
    title: str
    page: str
    changes: bool  # it changes an experiment of its chapter

    @property
    def link(self) -> str:
        star = " ★" if self.changes else ""
        return f'<a href="{self.page}.html#{anchor(self.number)}">{self.number}</a> {self.title}{star}'


def anchor(number: str) -> str:
    """The address of exercise `number` on its page."""
    return f"exercise-{number.replace('.', '-')}"


def load(root: Path = ROOT) -> dict[str, dict]:
    """Level and minutes of each exercise, by its number."""
    return yaml.safe_load((root / "workshop" / "exercises.yml").read_text("utf-8"))


def asked(page: str, text: str) -> list[Exercise]:
    """The exercises of a chapter's text."""
    found = re.split(
        r"(?m)^\*\*(\d+\.\d+) (.+?)\*\*", re.sub(r"(?s)<details>.*?</details>", "", sections.guarded(text))
    )
    return [
        Exercise(number, title.rstrip("."), page, bool(re.search(r"[Cc]hange the [\w\s]*?experiment", title + body)))
        for number, title, body in zip(found[1::3], found[2::3], found[3::3], strict=True)
    ]


def second_hints(number: str, text: str) -> list[str]:
    """What is folded as a second hint between an exercise's own words and its solution."""
    part = re.split(rf"(?m)^\*\*{re.escape(number)} |^<summary>Solution {re.escape(number)}</summary>$", text)
    hints = re.findall(r"(?s)<summary>A second hint</summary>\s*(.*?)\s*</details>", part[1] if len(part) == 3 else "")
    return [hint for hint in hints if hint]


def pages(root: Path = ROOT) -> dict[str, str]:
    """The text of each chapter, in the book's order."""
    names = re.findall(r"book/((?:\d\d-|engineering)[\w-]*)", (root / "_toc.yml").read_text("utf-8"))
    return {name: (root / "book" / "src" / f"{name}.md").read_text("utf-8") for name in names}


def complaints(texts: dict[str, str], listed: dict[str, dict]) -> list[str]:
    """What does not fit, as sentences: an empty list when all is well."""
    every = [exercise for page, text in texts.items() for exercise in asked(page, text)]
    numbers = [exercise.number for exercise in every]
    found = [f"{number} stands in a chapter, but not in the list" for number in numbers if number not in listed]
    found += [f"{number} stands in the list, but in no chapter" for number in listed if number not in numbers]
    found += [f"{number} stands twice" for number in dict.fromkeys(numbers) if numbers.count(number) > 1]
    for page in texts:
        if "exercises" not in {sections.address(head) for head in re.findall(r"(?m)^## (.+)$", texts[page])}:
            found.append(f"{page} has no heading Exercises to link to")
        here = [exercise for exercise in every if exercise.page == page]
        if len(here) < 2:
            found.append(f"{page} needs two exercises, but has {len(here)}")
        if not any(exercise.changes for exercise in here):
            found.append(f"{page} has no exercise that changes an experiment")
        for number in [exercise.number for exercise in here]:
            if (hints := len(second_hints(number, texts[page]))) != 1:
                found.append(f"{number} needs one second hint above its solution, but has {hints}")
    for number, entry in listed.items():
        if entry.keys() != {"level", "minutes"} or entry["level"] not in LEVELS or not 0 < entry["minutes"] <= 60:
            found.append(f"{number} needs a level of 1, 2 or 3 and minutes up to 60, but has {entry}")
    return found


def render(texts: dict[str, str], listed: dict[str, dict]) -> str:
    """The page: by chapter, then by level and minutes."""
    every = [exercise for page, text in texts.items() for exercise in asked(page, text)]
    lines = [FRONT, "## By chapter", "", "| exercise | level | minutes |", "|---|---|---|"]
    for exercise in every:
        entry = listed[exercise.number]
        lines.append(f"| {exercise.link} | {LEVELS[entry['level']].lower()} | {entry['minutes']} |")
    for level, name in LEVELS.items():
        lines += ["", f"## {name}", "", MEANT[level], ""]
        here = [exercise for exercise in every if listed[exercise.number]["level"] == level]
        for minutes in sorted({listed[exercise.number]["minutes"] for exercise in here}):
            fitting = [exercise.link for exercise in here if listed[exercise.number]["minutes"] == minutes]
            lines.append(f"- **{minutes} minutes:** {'; '.join(fitting)}")
    return "\n".join(lines) + "\n"


def place(doctree: nodes.document) -> None:
    """Give each paragraph that asks an exercise its address."""
    for section in doctree.findall(lambda node: isinstance(node, nodes.section) and "exercises" in node["ids"]):
        for paragraph in section.findall(nodes.paragraph):
            first = next((child for child in paragraph if child.astext()), None)
            if isinstance(first, nodes.strong) and (number := re.match(r"\d+\.\d+(?= )", first.astext())):
                paragraph["ids"].append(anchor(number[0]))


def setup(app):
    app.connect("doctree-read", lambda app, doctree: place(doctree))
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def main(root: Path = ROOT) -> int:
    texts, listed = pages(root), load(root)
    if found := complaints(texts, listed):
        print("workshop/exercises.yml:", *found, sep="\n  ", file=sys.stderr)
        return 1
    (root / "book" / "exercises.md").write_text(render(texts, listed), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
