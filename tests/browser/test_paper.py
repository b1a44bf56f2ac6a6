"""A chapter on paper: nothing wider than the sheet, nothing folded away, code and figures in one piece."""

import re

import pytest

CHAPTER = "/book/03-posterior.html"
A4 = {"width": 718, "height": 1000}  # less its margins


@pytest.fixture
def printed(open_page):
    page = open_page(CHAPTER, **A4)
    page.emulate_media(media="print")
    return page


def test_a_chapter_is_a_document_of_a4_sheets(printed):
    pdf = printed.pdf(format="A4", margin=dict.fromkeys(("top", "bottom", "left", "right"), "15mm"))
    sheets = re.findall(rb"/MediaBox \[0 0 (\d+)[\d.]* (\d+)", pdf)
    assert len(sheets) > 8 and set(sheets) <= {(b"594", b"841"), (b"595", b"842")}


def test_nothing_is_wider_than_the_sheet(printed):
    wide = printed.evaluate("""() => [...document.querySelectorAll(
        '.bd-article :not(svg *), .bd-article svg text')].filter(e => {
        const {left, right, width} = e.getBoundingClientRect();
        return width > 1 && !e.closest('.copybtn') && (left < -1 || right > document.documentElement.clientWidth + 1);
    }).map(e => `${e.tagName} ${e.className}: ${e.textContent.trim().slice(0, 60)}`)""")
    assert wide == []


def test_what_is_folded_on_the_screen_is_open_on_paper(printed):
    closed = printed.evaluate("""() => [...document.querySelectorAll('.bd-article details')].filter(
        fold => [...fold.children].some(e => e.tagName !== 'SUMMARY' && e.offsetHeight === 0 && !e.closest('.ddpm-line')
            && !e.closest('div.cell:has(.ddpm-line)'))).map(fold => fold.textContent.trim().slice(0, 60))""")
    assert printed.locator(".bd-article details").count() > 10
    assert closed == []


def test_code_and_figures_are_not_cut_by_the_edge_of_a_sheet(printed):
    cut = printed.evaluate("""() => [...document.querySelectorAll(
        '.bd-article :is(pre, .ddpm-drawing, .ddpm-figure, .ddpm-table, div.math)')].filter(
        e => e.offsetHeight && getComputedStyle(e).breakInside !== 'avoid').map(e => e.outerHTML.slice(0, 80))""")
    assert cut == []


def test_what_stands_around_the_text_stays_on_the_screen(printed):
    for what in (".bd-sidebar-primary", ".bd-sidebar-secondary", ".bd-header-article", ".prev-next-footer"):
        assert printed.locator(what).count() and not printed.locator(what).first.is_visible(), what
