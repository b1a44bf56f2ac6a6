"""The design in a browser: fonts, weights, colours of symbols, asides; at every width, on paper, at 200 %."""

import re

import pytest

DESIGN = "/book/design.html"
CHAPTER = "/book/05-prediction.html"


def style(page, what, name):
    return page.locator(what).first.evaluate("(e, name) => getComputedStyle(e)[name]", name)


def test_the_books_own_fonts_are_what_is_shown(open_page):
    page = open_page(DESIGN)
    loaded = page.evaluate(
        "[...document.fonts].filter(f => f.status === 'loaded').map(f => f.family + f.weight + f.style)"
    )
    assert {"Source Serif400normal", "Source Serif600normal", "Source Sans400normal", "Source Code400normal"} <= {
        name.replace('"', "") for name in loaded
    }
    assert '"Source Serif"' in style(page, ".bd-article p", "fontFamily")
    assert '"Source Code"' in style(page, ".bd-article code", "fontFamily")


def test_a_heading_is_lighter_than_the_one_above_it(open_page):
    page = open_page("/book/04-elbo.html")
    assert int(style(page, ".bd-article h2", "fontWeight")) > int(style(page, ".bd-article h3", "fontWeight"))


def test_mathematics_has_one_size(open_page):
    page = open_page(DESIGN)
    sizes = page.evaluate("""[...document.querySelectorAll('section > p math, div.math math')]
        .map(e => getComputedStyle(e).fontSize)""")
    assert len(sizes) >= 2 and len(set(sizes)) == 1


@pytest.mark.parametrize("look", ["light", "dark"])
def test_each_symbol_has_its_colour_in_formulas_and_in_code(open_page, look):
    page = open_page(DESIGN, color_scheme=look)
    for name in ("clean", "noise", "noisy"):
        wanted = page.evaluate(
            "name => { const e = document.createElement('i'); e.style.color = `var(--${name})`;"
            " document.body.append(e); return getComputedStyle(e).color; }",
            name,
        )
        assert style(page, f"math .of-{name}", "color") == wanted
        assert style(page, f"code.of-{name}", "color") == wanted


def test_only_the_symbols_are_coloured(open_page):
    page = open_page(DESIGN)
    marked = page.evaluate("""[...document.querySelectorAll('div.math math [class^=of-]')].map(e => e.classList[0])""")
    assert marked == ["of-noisy", "of-clean", "of-noise"]


def test_an_aside_stands_in_the_margin_where_there_is_room(open_page):
    for width, beside in ((1280, True), (1100, False), (390, False)):
        page = open_page(DESIGN, width=width)
        aside = page.locator("blockquote.margin").bounding_box()
        text = page.locator("#asides > p").bounding_box()
        assert (aside["x"] >= text["x"] + text["width"]) == beside, width
        assert aside["x"] + aside["width"] <= width
    page = open_page(DESIGN)
    page.emulate_media(media="print")
    assert page.locator("blockquote.margin").bounding_box()["x"] < 400


@pytest.mark.parametrize("path", [DESIGN, "/book/intro.html"])
def test_nothing_sticks_out_at_twice_the_size(open_page, path):
    """A window of 1280 pixels at 200 % is one of 640."""
    page = open_page(path, width=640, height=450, device_scale_factor=2)
    assert page.evaluate("document.scrollingElement.scrollWidth") <= 640


def test_every_page_says_what_it_is_about(open_page):
    said = set()
    for path in ("/book/intro.html", CHAPTER, DESIGN, "/book/speed.html"):
        page = open_page(path, wait=False)
        text = page.locator('meta[name="description"]').get_attribute("content")
        assert 40 <= len(text) <= 160 and not re.search(r"\\[a-z]|\$", text)
        said.add(text)
    assert len(said) == 4


def test_a_page_fetches_no_other_icons_than_its_own(open_page):
    """Also where the list of sections gives way to an aside, and shows an icon for that."""
    page = open_page(DESIGN)
    page.locator("blockquote.margin").scroll_into_view_if_needed()
    page.wait_for_selector(".bd-sidebar-secondary.hide")
    page.wait_for_load_state("networkidle")
    asked = page.evaluate("performance.getEntriesByType('resource').map(r => r.name)")
    assert any("icons-solid" in name for name in asked)
    assert not [name for name in asked if "fontawesome" in name]


def test_a_fold_is_a_line_of_text(open_page):
    page = open_page("/book/03-posterior.html")
    assert style(page, "div.cell details.hide", "boxShadow") == "none"
    assert style(page, "div.cell details.hide > summary > p", "fontWeight") == "400"


def test_the_glass_does_not_cover_what_one_looks_for(open_page):
    page = open_page(DESIGN)
    page.keyboard.press("Control+k")
    glass = page.locator("#pst-search-dialog .fa-magnifying-glass").bounding_box()
    field = page.locator("#pst-search-dialog input")
    assert glass["x"] + glass["width"] <= field.bounding_box()["x"] + 12
