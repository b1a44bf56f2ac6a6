"""A Sphinx extension: formulas are set when the book is built, as MathML, so that a page needs no script for them.

A chapter writes TeX. Temml, which lies in tools/vendor, turns it into MathML, and the browser sets that as it sets
words: at once, in the book's own font, to be selected, printed and read aloud. Here x_0, eps and x_t get their
colours (book/_static/design.css), and a numbered equation its number, which stays in sight where the equation scrolls.
TeX that cannot be set is a warning with its place, which ends the build.
"""

import re
from functools import cache
from html import escape
from pathlib import Path
from xml.etree import ElementTree

from docutils import nodes
from math_font import unknown
from sphinx.util import logging

TEMML = Path(__file__).parent / "vendor" / "temml.min.js"
NOISY = re.compile(r"([tTsr]|\d+)([−+]\d)?")
SCRIPTS = ("msub", "msup", "msubsup", "munder", "mover", "munderover")
ACCENTS = {"~": "˜", "‾": "¯"}
LONG = 24  # letters and signs of a formula in a line; a longer one may need to scroll on a phone

logger = logging.getLogger(__name__)


@cache
def temml():
    """Temml's function from TeX and whether it is displayed to MathML."""
    from quickjs import Context

    context = Context()
    context.eval(TEMML.read_text("utf-8"))
    return context.eval("(tex, displayMode) => [temml.renderToString(tex, {displayMode, throwOnError: true})].join('')")


# ---- From TeX to MathML ------------------------------------------------------------------------------------


def parted(tex: str) -> tuple[str, str]:
    """A formula without its \\tag, and the tag."""
    tag = re.search(r"\\tag\{([^}]*)\}", tex)
    return (tex.replace(tag[0], "").strip(), tag[1]) if tag else (tex.strip(), "")


def in_lines(tex: str) -> str:
    """A formula of several lines stands in an environment for that."""
    inner = re.sub(r"\\begin\{(\w+\*?)\}.*?\\end\{\1\}", "", tex, flags=re.S)
    return rf"\begin{{split}}{tex}\end{{split}}" if r"\\" in inner else tex


@cache
def mathml(tex: str, display: bool) -> str:
    """The MathML of a formula in TeX; a ValueError if it cannot be set."""
    from quickjs import JSException

    try:
        html = temml()(in_lines(tex), display)
    except JSException as error:
        raise ValueError(str(error).splitlines()[0]) from None
    root = ElementTree.fromstring(html)
    for node in root.iter():
        spell(node)
    colour(root)
    tighten(root)
    loosen(root)
    tidy(root)
    return ElementTree.tostring(root, encoding="unicode", short_empty_elements=False)


def spell(node) -> None:
    """Accents as small as TeX draws them, brackets close to what they hold, no letter that the font lacks."""
    node.text = ACCENTS.get(node.text, node.text) if node.tag == "mo" else node.text
    if node.get("minsize"):  # \big and its like, which browsers would take for signs between two things
        node.set("lspace", "0")
        node.set("rspace", "0")
    lacking = unknown(node.tag, node.text or "", node.get("mathvariant") == "normal")
    if lacking:
        raise ValueError(f"the font lacks {' '.join(sorted(lacking))}, see tools/math_font.py")


def base(node):
    """What a symbol is without its hat, its bar and its brackets: they mark a guess of the same thing."""
    if (node.tag == "mrow" and len(node) == 1) or node.tag == "mover":
        return base(node[0])
    return node


def meaning(node) -> str | None:
    """The class of a symbol that the book gives a colour to: x_0, eps or x_t."""
    if base(node).text == "ϵ":
        return "of-noise"
    if node.tag not in ("msub", "msubsup"):
        return None
    letter, below = base(node[0]).text, "".join(node[1].itertext())
    if letter == "ϵ":
        return "of-noise"
    if letter != "x":
        return None
    return "of-clean" if below == "0" else "of-noisy" if NOISY.fullmatch(below) else None


def colour(node) -> None:
    """Mark the symbols with a meaning, the outermost of each."""
    found = meaning(node)
    if found:
        node.set("class", " ".join(filter(None, [node.get("class"), found])))
    else:
        for child in node:
            colour(child)


def tighten(node, script=False) -> None:
    """No room around the signs in a subscript or a superscript: browsers leave it, TeX does not."""
    for k, child in enumerate(node):
        inside = script or (node.tag in SCRIPTS and k > 0)
        if inside and child.tag == "mo" and child.get("stretchy") != "true":
            child.set("lspace", "0")
            child.set("rspace", "0")
        tighten(child, inside)


def loosen(node) -> None:
    """A thin space before the name of an operator, such as log or Var, that follows a letter or a bracket."""
    for child in node:
        loosen(child)
    for k, child in reversed(list(enumerate(node))):
        if k > 0 and node.tag in ("mrow", "mtd", "math") and is_name(child) and is_ordinary(node[k - 1]):
            node.insert(k, ElementTree.Element("mspace", width="0.1667em"))


def is_name(node) -> bool:
    """Whether a part of a formula begins with the name of an operator."""
    if node.tag in SCRIPTS or (node.tag == "mrow" and len(node)):
        return is_name(node[0])
    return node.tag == "mi" and len(node.text or "") > 1


def is_ordinary(node) -> bool:
    """Whether a part of a formula is a letter, a number or brackets, rather than a sign, words or a space."""
    return node.tag not in ("mo", "mspace", "mtext") and not (node.tag == "mrow" and len(node) == 0)


def tidy(root) -> None:
    """Say nothing twice: what the style sheet knows needs no attribute."""
    for node in root.iter():
        style = (
            node.get("style", "").replace("padding-left:0em;padding-right:0em;", "").replace("display:block math;", "")
        )
        if style:
            node.set("style", style)
        else:
            node.attrib.pop("style", None)
        if node.tag == "mo" and node.get("fence") == "true":
            del node.attrib["fence"]


# ---- On the page -------------------------------------------------------------------------------------------


def in_a_line(tex: str) -> str:
    """The HTML of a formula in a line of text."""
    formula = mathml(tex.strip(), False)
    long = " long" * (len(re.sub(r"<[^>]*>", "", formula)) > LONG)
    return f'<span class="math{long}">{formula}</span>'


def displayed(tex: str) -> str:
    """The HTML of a formula that stands alone, with its number at the right."""
    tex, tag = parted(tex)
    number = f'<span class="number">({escape(tag)})</span>' if tag else ""
    return f'<div class="math"><div class="formula">{mathml(tex, True)}</div>{number}</div>\n'


def write(translator, node: nodes.Element, html_of) -> None:
    try:
        translator.body.append(html_of(node.astext()))
    except ValueError as error:
        logger.warning("this formula cannot be set: %s: %s", node.astext().strip(), error, location=node)
    raise nodes.SkipNode


def setup(app):
    app.add_html_math_renderer(
        "mathml",
        (lambda translator, node: write(translator, node, in_a_line), None),
        (lambda translator, node: write(translator, node, displayed), None),
    )
    app.config.html_math_renderer = "mathml"
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
