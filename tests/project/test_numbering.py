"""Figures and tables have numbers, in the order in which a chapter shows them."""

import sys
from pathlib import Path

from docutils import nodes
from docutils.utils import new_document

sys.path.append(str(Path(__file__).resolve().parents[2] / "tools"))

import numbering

from ddpm_core.book.table import Table


def output(*inside):
    cell = nodes.container("", classes=["cell_output"])
    for node in inside:
        cell += nodes.container("", node)
    return cell


def raw(html):
    return nodes.raw("", html, format="html")


def shown(document):
    return [node.astext() for node in document.findall(nodes.raw)]


def test_figures_and_tables_are_counted_apart_and_in_order():
    document = new_document("03-posterior")
    document += output(raw('<div class="ddpm-drawing"><svg></svg></div>'))
    document += output(raw(Table(["a"], [["1"]], caption="What is left")._repr_html_()), nodes.image("", uri="a.png"))
    document += output(raw(Table(["a"], [["1"]])._repr_html_()), raw('<div class="ddpm-figure">moves</div>'))
    numbering.number(document, 3)
    figure, below, captioned, other, bare, moves = shown(document)
    assert "Figure" not in figure and below == '<p class="ddpm-number">Figure 3.1</p>'
    assert '<caption><span class="ddpm-number">Table 3.1.</span> What is left</caption>' in captioned
    assert "Figure 3.2" in other
    assert '<caption><span class="ddpm-number">Table 3.2</span></caption>' in bare
    assert moves == '<div class="ddpm-figure">moves</div>'


def test_a_picture_of_the_text_has_no_number():
    document = new_document("03-posterior")
    document += nodes.image("", uri="logo.png")
    numbering.number(document, 3)
    assert shown(document) == []


def test_only_chapters_number():
    assert numbering.CHAPTER.fullmatch("book/03-posterior")[1] == "03"
    assert not numbering.CHAPTER.fullmatch("book/speed")
