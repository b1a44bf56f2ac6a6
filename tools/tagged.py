"""A Sphinx extension: an equation with a \\tag and several lines, `\\\\`, keeps its number.

Sphinx puts whatever has several lines into a split environment, in which MathJax refuses a \\tag. Such a block is
handed on as it stands, between \\[ and \\].
"""

from docutils import nodes


def as_it_stands(app, doctree):
    for block in doctree.findall(nodes.math_block):
        text = block.astext()
        if not block.get("nowrap") and r"\\" in text and r"\tag" in text:
            block.children = [nodes.Text(rf"\[{text}\]")]
            block["nowrap"] = block["no-wrap"] = True  # the second is Sphinx's name for it from 8.2 on


def setup(app):
    app.connect("doctree-read", as_it_stands)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
