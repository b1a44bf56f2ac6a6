"""A Sphinx extension: a drawing that a chapter made stands in the page itself, in its font and its colours.

`ddpm_core.book.vector` keeps a figure as SVG on white paper, in black, with a second drawing for narrow pages inside.
Here the paper goes; black and greys become shades between the page's text and its ground, so that they follow light
and dark; the two drawings stand side by side, and book.css shows the one that fits; the words for those who listen are
the cell's alt text.
"""

import re
from html import escape
from itertools import count
from pathlib import Path

from docutils import nodes

IS_ONE = 'class="ddpm-drawing"'
MEANT = {"#2f7fe0": "clean", "#a97800": "noise", "#0f8f6a": "noisy"}  # book/_static/design.css has them for each theme
INSIDE = re.compile(r'<svg class="narrow" display="none"(.*?)>\n(.*)</svg>\n</svg>\s*\Z', re.S)


def shade(colour: re.Match) -> str:
    """#404040 as so much of the text's colour on the ground's, a colour with a meaning as the page's; else as it is."""
    if colour[0] in MEANT:
        return f"var(--{MEANT[colour[0]]}, {colour[0]})"
    red, green, blue = (int(colour[0][k : k + 2], 16) for k in (1, 3, 5))
    if not red == green == blue:
        return colour[0]
    if red == 0:
        return "currentColor"
    ground = "var(--pst-color-background)"
    return ground if red == 255 else f"color-mix(in srgb, currentColor {100 - red / 2.55:.0f}%, {ground})"


def coloured(drawing: str) -> str:
    """A drawing whose greys are the page's. Only styles know how to mix, so that colours of texts move there."""
    drawing = re.sub(r' fill="#000000"', "", drawing)
    drawing = re.sub(r' fill="(#[0-9a-f]{6})"', r' style="fill: \1"', drawing)
    return re.sub(r"(?<=[:] )#[0-9a-f]{6}\b", shade, drawing)


def own(drawing: str, prefix: str) -> str:
    """A drawing whose names for its parts no other on the page uses."""
    names = set(re.findall(r' id="([^"]+)"', drawing))
    return re.sub(r'(?<= id=")[^"]+|(?<=#)[\w-]+', lambda name: prefix * (name[0] in names) + name[0], drawing)


def inline(svg: str, alt: str, prefix: str) -> str:
    """The HTML of a drawing, wide and narrow."""
    root, rest = re.match(r"<svg(.*?)>\n(.*)", svg, re.S).groups()
    narrow = INSIDE.search(rest)
    size = re.search(r'width="[^"]*" height="[^"]*" viewBox="[^"]*"', root)[0]
    both = []
    for name, box, inner in (("wide", size, rest[: narrow.start()]), ("narrow", narrow[1].strip(), narrow[2])):
        words = f'role="img" aria-label="{escape(alt)}"'
        inner = coloured(own(inner, f"{prefix}{name[0]}-"))
        both.append(f'<svg class="{name}" {words} {box} stroke-linejoin="round">\n{inner}</svg>')
    return f"<div {IS_ONE}>{''.join(both)}</div>"


def in_the_page(app, doctree):
    numbers = count(1)
    for image in list(doctree.findall(nodes.image)):
        uri = image.get("uri", "")
        if not uri.endswith(".svg"):
            continue
        path = (
            Path(app.srcdir, uri.lstrip("/"))
            if uri.startswith("/")
            else Path(app.env.doc2path(app.env.docname)).parent / uri
        )
        svg = path.read_text("utf-8") if path.is_file() else ""
        if IS_ONE in svg[:500]:
            html = inline(svg, image.get("alt", ""), f"drawing{next(numbers)}")
            image.replace_self(nodes.raw("", html, format="html"))


def setup(app):
    app.connect("doctree-read", in_the_page, priority=400)  # before Sphinx collects the images that it is to copy
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
