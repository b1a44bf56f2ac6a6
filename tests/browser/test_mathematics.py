"""Formulas on the page: set without a script, in the book's font, where they belong, and readable on a phone."""

import io

import numpy as np
import pytest
from PIL import Image

CHAPTER = "/book/05-prediction.html"


def fonts_of(page, what):
    """The names of the fonts that a browser took for the letters of some elements, from its own tools."""
    tools = page.context.new_cdp_session(page)
    tools.send("DOM.enable")
    tools.send("CSS.enable")
    root = tools.send("DOM.getDocument")["root"]["nodeId"]
    found = set()
    for node in tools.send("DOM.querySelectorAll", {"nodeId": root, "selector": what})["nodeIds"]:
        used = tools.send("CSS.getPlatformFontsForNode", {"nodeId": node})["fonts"]
        found |= {font["familyName"] for font in used if font["isCustomFont"] or font["glyphCount"]}
    return found


def test_formulas_are_there_without_a_script(open_page):
    page = open_page(CHAPTER, java_script_enabled=False, wait=False)
    page.wait_for_load_state("networkidle")
    assert page.locator("math").count() > 200
    box = page.locator("p:has(#eq-5-9) + div.math math").first.bounding_box()
    assert box["height"] > 100 and box["width"] > 200


@pytest.mark.parametrize("path", [CHAPTER, "/book/04-elbo.html", "/book/07-unet.html", "/book/notation.html"])
def test_every_letter_comes_from_the_books_font(open_page, path):
    page = open_page(path)
    page.evaluate("document.querySelectorAll('details').forEach(fold => fold.open = true)")
    assert fonts_of(page, "math :is(mi, mo, mn, mtext)") == {"NewComputerModernMath"}


def test_a_number_stands_at_the_right_edge_and_its_equation_in_the_middle(open_page):
    page = open_page(CHAPTER)
    column = page.locator(".bd-article section").first.bounding_box()
    number = page.locator("div.math > .number").first.bounding_box()
    formula = page.locator("div.math:has(> .number) math").first.bounding_box()
    assert number["x"] + number["width"] == pytest.approx(column["x"] + column["width"], abs=1)
    assert formula["x"] + formula["width"] / 2 == pytest.approx(column["x"] + column["width"] / 2, abs=12)


def test_the_columns_of_an_aligned_equation_meet_at_the_sign(open_page):
    """What stands left of = ends where it begins, in every line."""
    page = open_page("/book/03-posterior.html")
    edges = page.evaluate("""[...document.querySelectorAll('div.math math')].flatMap(math =>
        [[...math.querySelectorAll('mtd.tml-right:has(:not(:empty))')].map(e => Math.round(
            e.getBoundingClientRect().right))])""")
    assert any(len(edge) > 1 for edge in edges)
    assert all(max(edge) - min(edge) <= 1 for edge in edges if len(edge) > 1)


def test_on_a_phone_an_equation_scrolls_and_its_number_stays(open_page):
    page = open_page(CHAPTER, width=390, height=844)
    page.evaluate("document.querySelectorAll('details').forEach(fold => fold.open = true)")
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    wide = page.evaluate("""[...document.querySelectorAll('div.math > .formula')].filter(
        e => e.scrollWidth > e.clientWidth + 1).map(e => [e.tabIndex, e.clientWidth,
            (e.nextElementSibling || e).getBoundingClientRect().right])""")
    assert len(wide) > 3
    for tab, width, right in wide:
        assert tab == 0 and width > 200 and right <= 390


def test_nothing_moves_while_a_page_loads(open_page):
    """Layout shift as a browser counts it, from the first paint to the last font."""
    page = open_page("/book/04-elbo.html", width=412, height=823)
    shift = page.evaluate("""new Promise(done => {
        let sum = 0;
        new PerformanceObserver(list => list.getEntries().forEach(e => { sum += e.value; }))
            .observe({type: 'layout-shift', buffered: true});
        setTimeout(() => done(sum), 500);
    })""")
    assert shift < 0.05


def test_a_reader_hears_mathematics_and_copies_it(open_page):
    page = open_page(CHAPTER)
    tree = page.locator("div.math math").first.aria_snapshot()
    assert "math" in tree
    page.evaluate("""() => { const range = document.createRange();
        range.selectNodeContents(document.querySelector('p:has(#eq-5-7) + div.math math'));
        getSelection().removeAllRanges(); getSelection().addRange(range); }""")
    assert "=" in page.evaluate("getSelection().toString()")


def test_a_brace_below_a_long_term_is_painted_whole(open_page):
    """Its ink is the same when the browser is made to look for it far around."""
    page = open_page("/book/04-elbo.html")
    equation = page.locator("p:has(#eq-4-11) + div.math")
    assert equation.locator("munder > mo").count() >= 3

    def ink():
        return int((np.array(Image.open(io.BytesIO(equation.screenshot())).convert("L")) < 128).sum())

    before = ink()
    page.add_style_tag(content="munder > mo { outline: 12em solid transparent; }")
    assert ink() == pytest.approx(before, rel=0.01)
