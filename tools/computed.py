"""A Sphinx extension: below a numbered equation of a chapter, the function that computes it.

Its name leads to the equation's line on the page of equations and functions, where its source and its test are linked.
The name stands in the room that is between an equation and the text, so that nothing moves.
"""

import re
from html import escape

import equations
from docutils import nodes

CHAPTER = re.compile(r"book/(\d\d-[\w-]+|engineering)")


def named(number: str, entry: dict) -> str:
    """The HTML of the link."""
    names = [equations.shown(name) for name in equations.several(entry["function"])]
    said = f"{number}, {entry['name']}: {', '.join(names)}"
    more = ", …" * (len(names) > 1)
    return (
        f'<p class="computed-by"><a href="equations.html#{equations.line(number)}" title="{escape(said)}">'
        f"{escape(names[0])}</a>{more}</p>"
    )


def insert(app, doctree):
    if not CHAPTER.fullmatch(app.env.docname):
        return
    entries = equations.read_entries()
    for block in list(doctree.findall(nodes.math_block)):
        for number in equations.tags(block.astext())[:1]:
            if number in entries:
                place = block.parent.index(block) + 1
                block.parent.insert(place, nodes.raw("", named(number, entries[number]), format="html"))


def setup(app):
    app.connect("doctree-read", insert)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
