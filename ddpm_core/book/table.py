"""Tables: numbers that belong together, as HTML where a page can show it and as columns of text elsewhere."""

import re
import textwrap
from collections.abc import Collection, Sequence
from html import escape

# Signs, digits, units: what stands right in its column. Words that stand in for a number don't decide where it stands.
_NUMBER = re.compile(r"[+\-−<>≤≥≈~±]? ?\d[\d,]*(\.\d+)?")
_NO_NUMBER = {"", "-", "–", "—", "not measured", "none", "impossible"}
_WIDTH = 100  # characters of a line of text, for the note below


class Table:
    """A table of cells that are formatted already; the first column names its row.

    header   one word or a few for each column; the first may be empty
    rows     for each row as many texts as the header has
    strong   the cells that decide, as (row, column), counted from 0: bold on the page, with a star in text
    note     a sentence or two below
    caption  a sentence above

    Columns of numbers stand right. A table that is wider than the page scrolls in its own box, past its first column.
    Raises ValueError where a row is too long or too short, a cell isn't text, or `strong` names no cell.
    """

    def __init__(
        self,
        header: Sequence[str],
        rows: Sequence[Sequence[str]],
        *,
        strong: Collection[tuple[int, int]] = (),
        note: str | None = None,
        caption: str | None = None,
    ) -> None:
        self.header, self.rows = list(header), [list(row) for row in rows]
        self.strong, self.note, self.caption = {tuple(place) for place in strong}, note, caption
        if not self.header or not self.rows:
            raise ValueError(f"need a header and rows, but got {len(self.header)} columns and {len(self.rows)} rows.")
        for i, row in enumerate(self.rows):
            if len(row) != len(self.header):
                raise ValueError(f"need {len(self.header)} cells in each row, but row {i} has {len(row)}: {row}.")
        for cell in (*self.header, *(cell for row in self.rows for cell in row)):
            if not isinstance(cell, str):
                raise ValueError(f"need cells of text, formatted already, but got {type(cell).__name__} {cell!r}.")
        cells = {(i, j) for i in range(len(self.rows)) for j in range(len(self.header))}
        if self.strong - cells:
            outside = sorted(self.strong - cells)
            raise ValueError(f"need strong cells inside {len(rows)} x {len(header)}, but got {outside}.")
        self._right = [_holds_numbers([row[j] for row in self.rows]) for j in range(len(self.header))]

    def __repr__(self) -> str:
        rows = [[cell + "*" * ((i, j) in self.strong) for j, cell in enumerate(row)] for i, row in enumerate(self.rows)]
        starred = {j for _, j in self.strong}  # so that a star stands beside its column
        rows = [[cell + " " * (j in starred and not cell.endswith("*")) for j, cell in enumerate(row)] for row in rows]
        lines = [self.header, *rows]
        widths = [max(len(line[j]) for line in lines) for j in range(len(self.header))]
        shown = [
            "  ".join(
                cell.rjust(width) if right else cell.ljust(width)
                for cell, width, right in zip(line, widths, self._right, strict=True)
            ).rstrip()
            for line in lines
        ]
        around = [textwrap.fill(text, _WIDTH) if text else "" for text in (self.caption, self.note)]
        return "\n".join(filter(None, [around[0], *shown, around[1]]))

    def _repr_html_(self) -> str:
        head = "".join(
            self._cell("th" if word else "td", j, word, ' scope="col"') for j, word in enumerate(self.header)
        )
        body = "\n".join(
            "<tr>" + "".join(self._body_cell(i, j, cell) for j, cell in enumerate(row)) + "</tr>"
            for i, row in enumerate(self.rows)
        )
        caption = f"<caption>{escape(self.caption)}</caption>\n" if self.caption else ""
        note = f'\n<p class="note">{escape(self.note)}</p>' if self.note else ""
        label = escape(self.caption or ", ".join(filter(None, self.header)))
        # The box scrolls, so the keyboard must reach it; what it needs where there is no style sheet stands beside it.
        return f"""<div class="ddpm-table">
<div class="box" style="overflow-x: auto" role="group" tabindex="0" aria-label="{label}">
<table>
{caption}<thead>
<tr>{head}</tr>
</thead>
<tbody>
{body}
</tbody>
</table>
</div>{note}
</div>"""

    def _body_cell(self, i: int, j: int, text: str) -> str:
        name = "th" if j == 0 and text else "td"
        return self._cell(name, j, text, ' scope="row"', strong=(i, j) in self.strong)

    def _cell(self, name: str, j: int, text: str, scope: str, strong: bool = False) -> str:
        inner = f"<strong>{escape(text)}</strong>" if strong else escape(text)
        side = "right" if self._right[j] else "left"
        return f'<{name}{scope if name == "th" else ""} style="text-align: {side}">{inner}</{name}>'


def _holds_numbers(cells: Sequence[str]) -> bool:
    """Whether a column is one of numbers: at least one, and nothing else but words that stand in for one."""
    said = [cell.strip() for cell in cells if cell.strip().lower() not in _NO_NUMBER]
    return bool(said) and all(_NUMBER.match(cell) for cell in said)
