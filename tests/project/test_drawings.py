"""A drawing in a page: inline, in the page's colours, two of a kind apart, with its words for those who listen."""

import re
from types import SimpleNamespace
from xml.etree import ElementTree

import drawings
import pytest
from docutils import nodes
from docutils.utils import new_document
from matplotlib.figure import Figure

from ddpm_core.book import plot, vector


@pytest.fixture(scope="module")
def svg():
    figure = Figure(figsize=(4, 2), layout="constrained")
    ax = figure.subplots()
    ax.plot([1, 2], color="#0072B2", label="one")
    ax.axhline(1.5, color="0.35")
    ax.plot([2, 1], "o", color="black", markeredgecolor="white")
    ax.text(0, 1, "here", color="#d55e00")
    return vector.svg(figure)


def test_both_drawings_stand_in_the_page_with_the_words(svg):
    page = ElementTree.fromstring(drawings.inline(svg, 'a "curve" & a line', "d1").replace("xlink:", ""))
    assert [part.get("class") for part in page] == ["wide", "narrow"]
    for part in page:
        assert part.get("role") == "img" and part.get("aria-label") == 'a "curve" & a line'
        assert part.get("viewBox") and not part.get("display") and len(list(part.iter("text"))) > 4


def test_the_paper_is_gone_and_greys_are_the_pages(svg):
    html = drawings.inline(svg, "words", "d1")
    assert "background: #" not in html and not re.search(r"#(000000|ffffff|595959|b0b0b0)", html)
    assert "stroke: currentColor" in html and "stroke: var(--pst-color-background)" in html
    assert "color-mix(in srgb, currentColor 65%, var(--pst-color-background))" in html
    assert "stroke: #0072b2" in html and 'style="fill: #d55e00"' in html


def test_colours_with_a_meaning_are_the_pages():
    assert drawings.MEANT == {plot.CLEAN: "clean", plot.NOISE: "noise", plot.NOISY: "noisy"}
    assert drawings.coloured(f"stroke: {plot.NOISE}; fill: #123456") == "stroke: var(--noise, #a97800); fill: #123456"


def test_names_of_two_drawings_do_not_meet(svg):
    one, two = (drawings.inline(svg, "words", prefix) for prefix in ("d1", "d2"))
    names = [re.findall(r' id="([^"]+)"', html) for html in (one, two)]
    assert len(names[0]) == len(set(names[0])) and not set(names[0]) & set(names[1])
    for html, own in zip((one, two), names, strict=True):
        assert set(re.findall(r"(?:url\(|href=\")#([\w-]+)", html)) == set(own)


def test_only_drawings_are_taken_up(svg, tmp_path):
    (tmp_path / "ours.svg").write_text(svg)
    (tmp_path / "logo.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    page = new_document("page")
    page += [nodes.image(uri="/ours.svg", alt="a curve"), nodes.image(uri="/logo.svg"), nodes.image(uri="photo.png")]
    drawings.in_the_page(SimpleNamespace(srcdir=tmp_path), page)
    raw, *rest = page.children
    assert isinstance(raw, nodes.raw) and 'aria-label="a curve"' in raw.astext() and raw["format"] == "html"
    assert [image["uri"] for image in rest] == ["/logo.svg", "photo.png"]
