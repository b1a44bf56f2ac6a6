"""A Sphinx extension: the figures and the tables of a chapter have numbers, such as Figure 3.2.

They are counted as they come. A table says its number before its caption, a figure below itself; where a cell gives
no caption, there is the number alone. Figures that move have their own labels and no number.
"""

import re
from itertools import count

from docutils import nodes
from drawings import IS_ONE

CHAPTER = re.compile(r"(?:.*/)?(\d\d)-[\w-]+")
TABLE = re.compile(r'(<div class="ddpm-table">.*?<table>\s*)(?:<caption>(.*?)</caption>)?', re.S)


def table(html: str, name: str) -> str:
    """The HTML of a table with its number before its caption."""

    def named(match):
        said = f'<span class="ddpm-number">{name}{"." * bool(match[2])}</span>'
        return f"{match[1]}<caption>{' '.join(filter(None, [said, match[2]]))}</caption>"

    return TABLE.sub(named, html, count=1)


def below(name: str) -> nodes.raw:
    """What stands below a figure."""
    return nodes.raw("", f'<p class="ddpm-number">{name}</p>', format="html")


def of_a_cell(node: nodes.Node) -> bool:
    """Whether a node is part of what a cell put out."""
    while node is not None:
        if "cell_output" in getattr(node, "attributes", {}).get("classes", ()):
            return True
        node = node.parent
    return False


def number(doctree: nodes.document, chapter: int) -> None:
    figures, tables = count(1), count(1)
    for node in list(doctree.findall(lambda node: isinstance(node, nodes.raw | nodes.image))):
        if not of_a_cell(node):
            continue
        html = node.astext() if isinstance(node, nodes.raw) else ""
        if isinstance(node, nodes.image) or f"<div {IS_ONE}>" in html:
            name = f"Figure {chapter}.{next(figures)}"
            node.parent.insert(node.parent.index(node) + 1, below(name))
        elif 'class="ddpm-table"' in html:
            named = table(html, f"Table {chapter}.{next(tables)}")
            node.replace_self(nodes.raw("", named, format="html"))


def number_chapter(app, doctree):
    chapter = CHAPTER.fullmatch(app.env.docname)
    if chapter:
        number(doctree, int(chapter[1]))


def setup(app):
    app.connect("doctree-read", number_chapter, priority=410)  # after tools/drawings.py
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
