"""A chapter cut at its headings: what each section says, and which of its cells belong to it.

A section begins at a heading of the second level and ends before the next. What stands above the first one, the
title, the aims and the imports, is the section called "".
"""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

from docutils.nodes import make_id

ROOT = Path(__file__).resolve().parent.parent
FENCE = re.compile(r"(?ms)^[ ]*(```+|~~~+).*?^[ ]*\1[ ]*$")


@dataclass
class Section:
    """A heading, the Markdown below it, and the numbers of the code cells below it (the first cell is number 0)."""

    title: str
    text: str = ""
    cells: list[int] = field(default_factory=list)

    @property
    def anchor(self) -> str:
        """Its address on the page."""
        return address(self.title)


def address(title: str) -> str:
    """A heading's address as Sphinx makes it, after straight quotes have become curly ones, which it drops."""
    return make_id(title.strip().replace("'", "\u2019"))


def cut(cells) -> list[Section]:
    """The sections of a notebook's cells, in order."""
    found = [Section("")]
    for number, cell in enumerate(cells):
        if cell["cell_type"] == "code":
            found[-1].cells.append(number)
            continue
        before, *rest = re.split(r"(?m)^## (.+)$", guarded(source(cell)))
        found[-1].text += "\n" + before
        for title, text in zip(rest[::2], rest[1::2], strict=True):
            found.append(Section(title.strip(), text))
    return found


def guarded(text: str) -> str:
    """Markdown without fenced code, whose comments look like headings."""
    return FENCE.sub("", text)


def chapter(name: str, root: Path = ROOT) -> list[dict]:
    """The cells of a chapter's notebook."""
    path = root / "book" / f"{name}.ipynb"
    if not path.is_file():
        there = sorted(path.stem for path in (root / "book").glob("*.ipynb"))
        raise FileNotFoundError(f"There is no chapter {name!r} in book. There are: {', '.join(there)}.")
    return json.loads(path.read_text("utf-8"))["cells"]


def source(cell) -> str:
    """What stands in a cell, as one text."""
    return cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])


def title(cells) -> str:
    """A chapter's title with its number: the first heading."""
    for cell in cells:
        if cell["cell_type"] == "markdown" and (found := re.search(r"(?m)^# (.+)$", source(cell))):
            return found[1].strip()
    return ""
