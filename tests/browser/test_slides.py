"""The workshop's slides in a browser: by keyboard and by button, under the book's policy, on paper and in the dark."""

import re
import shutil
from importlib.resources import files
from types import SimpleNamespace

import pytest
import slides
from policy import guard
from serving import HTML, served

AXE = (files("axe_playwright_python") / "axe.min.js").read_text()
STATIC = HTML.parents[1] / "book" / "_static"


@pytest.fixture(scope="module")
def beside(tmp_path_factory):
    """The address of the slides, written now, with the book's style sheets and script and its policy."""
    out = tmp_path_factory.mktemp("html")
    slides.write(out)
    guard(SimpleNamespace(outdir=out, builder=SimpleNamespace(format="html")), None)
    shutil.copytree(STATIC, out / "_static")
    with served(out) as base:
        yield base


@pytest.fixture
def deck(open_slides):
    return open_slides("/slides/45.html")


@pytest.fixture
def open_slides(browser, beside):
    contexts = []

    def opener(path, color_scheme="light", width=1280, height=720, **options):
        size = {"width": width, "height": height}
        contexts.append(browser.new_context(viewport=size, color_scheme=color_scheme, **options))
        page = contexts[-1].new_page()
        page.problems = []
        page.on("pageerror", lambda error: page.problems.append(str(error)))
        page.on("console", lambda message: message.type == "error" and page.problems.append(message.text))
        page.on("response", lambda answer: answer.status >= 400 and page.problems.append(answer.url))
        page.goto(beside + path)
        page.wait_for_load_state("networkidle")
        return page

    yield opener
    for context in contexts:
        context.close()


def place(page):
    """Which slide is shown: its number from 1, and that there is just one."""
    seen = [k for k, slide in enumerate(page.locator(".slide").all(), start=1) if slide.is_visible()]
    assert len(seen) == 1
    assert page.locator("nav span").text_content() == f"{seen[0]} of {page.locator('.slide').count()}"
    return seen[0]


def test_arrows_go_on_and_back(deck):
    assert place(deck) == 1
    for key, then in [
        ("ArrowRight", 2), ("ArrowRight", 3), ("ArrowLeft", 2), ("PageDown", 3), ("ArrowUp", 2), ("Home", 1),
        ("ArrowLeft", 1), ("End", deck.locator(".slide").count()), ("ArrowRight", deck.locator(".slide").count()),
    ]:  # fmt: skip
        deck.keyboard.press(key)
        assert place(deck) == then, key
    deck.get_by_label("Back", exact=True).click()
    assert place(deck) == deck.locator(".slide").count() - 1
    assert deck.problems == []


def test_an_address_names_a_slide(open_slides):
    page = open_slides("/slides/90.html#5")
    assert place(page) == 5
    page.keyboard.press("ArrowRight")
    assert page.url.endswith("#6")


def test_notes_and_the_lights(deck):
    deck.keyboard.press("ArrowRight")
    note = deck.locator(".slide.shown .note")
    assert not note.is_visible()
    deck.keyboard.press("n")
    assert note.is_visible()
    ground = "getComputedStyle(document.body).backgroundColor"
    before = deck.evaluate(ground)
    deck.keyboard.press("d")
    assert before == "rgb(255, 255, 255)" != deck.evaluate(ground)


def test_it_begins_as_dark_as_the_reader_likes(open_slides):
    page = open_slides("/slides/45.html", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 24, 30)"


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_everyone_can_read_a_slide_and_its_notes(open_slides, color_scheme):
    page = open_slides("/slides/45.html", color_scheme=color_scheme, bypass_csp=True)
    page.evaluate(AXE)
    page.keyboard.press("n")
    for _ in range(page.locator(".slide").count()):
        found = page.evaluate("axe.run().then(said => said.violations.map(v => v.id + ': ' + v.nodes[0].html))")
        assert found == [], page.url
        page.keyboard.press("ArrowRight")


@pytest.mark.parametrize("length", [45, 90, 180])
def test_on_paper_every_slide_has_its_page(open_slides, length):
    page = open_slides(f"/slides/{length}.html")
    paper = page.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type /Page\b", paper)) == page.locator(".slide").count()


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("length", [45, 90, 180])
def test_nothing_is_cut_off_at_the_side(open_slides, length, width):
    page = open_slides(f"/slides/{length}.html", width=width, height=800)
    for _ in range(page.locator(".slide").count()):
        assert page.evaluate("(s => s.scrollWidth <= s.clientWidth + 1)(document.querySelector('.shown'))"), page.url
        page.keyboard.press("ArrowRight")
    assert page.problems == []


def test_without_a_script_all_of_them_stand_one_below_the_other(open_slides):
    page = open_slides("/slides/45.html", java_script_enabled=False)
    assert all(slide.is_visible() for slide in page.locator(".slide").all())
