"""The offline archive, packed and unpacked: every page and every slider works there, and nothing is asked of elsewhere.

Each page is opened from the small server that its README names, and one of each kind by a double click, as a file.
"""

import re
import zipfile
from pathlib import Path

import offline
import pytest
from playwright.sync_api import expect
from serving import HTML, listen, served

COMPUTE = ["book/13-guidance.html", "book/generator.html", "book/intro.html", "book/playground.html"]
QUIZ = "book/workshop/quiz.html"
OTHERS = ["book/00-ten-minute-generator.html", "book/03-posterior.html", "book/glossary.html", QUIZ, "slides/45.html"]
# What Chromium says of a file that it may not read ahead of its need, a font, or not at all, a module.
FILES = r"(fonts/[\w-]+\.woff2|(generator|playground)/\w+\.mjs)"
BY_FILE = re.compile(
    rf"console error: (Access to (font|script) at 'file:\S+/_static/{FILES}' from origin 'null' has been blocked .*"
    "|Failed to load resource: net::ERR_FAILED)"
)
# What no slider moves; the canvas of a file that shows another file is sealed, and passes.
IDLE = """async () => {
    const frame = () => new Promise(requestAnimationFrame), idle = [];
    for (const slider of document.querySelectorAll('.ddpm-figure input[type=range]')) {
        const figure = slider.closest('.ddpm-figure');
        const drawn = canvas => { try { return canvas.toDataURL() } catch { return Math.random() } };
        const seen = () => figure.innerHTML + [...figure.querySelectorAll('canvas')].map(drawn).join();
        const before = seen();
        slider.value = +slider.value < +slider.max ? slider.max : slider.min;
        slider.dispatchEvent(new Event('input', {bubbles: true}));
        for (let k = 0; k < 30 && seen() === before; k++) await frame();
        if (seen() === before) idle.push(`nothing follows the slider ${slider.getAttribute('aria-label')}`);
    }
    return idle;
}"""
DRAWN = "document.querySelector('.ddpm-generator .status')?.textContent.includes('Drawn in')"
STEPS = "parseInt(document.querySelector('.ddpm-playground .figures').textContent || 0) > 50"


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    """The pages of the archive."""
    if not (HTML / "index.html").exists():
        pytest.fail("There is no built book to pack: run `make book` first.", pytrace=False)
    folder = tmp_path_factory.mktemp("archive")
    held = offline.contents(HTML)
    offline.pack({name: raw for name, raw in held.items() if name.startswith("pages/")}, folder / "it.zip")
    zipfile.ZipFile(folder / "it.zip").extractall(folder)
    return folder / offline.TOP / "pages"


def swept(browser, start, names):
    """What went wrong on each page below an address: {page: sentences}."""
    found = {}
    with browser.new_context() as context:
        for name in names:
            page = listen(context.new_page(), start)
            page.goto(f"{start}/{name}", wait_until="load")
            if name == "index.html":  # leads on at once
                page.wait_for_url(f"{start}/book/intro.html")
            found[name] = page.evaluate(IDLE) + page.log.complaints()
            page.close()
    return found


def test_every_page_works_from_the_server_that_the_readme_names(browser, unpacked):
    names = [path.relative_to(unpacked).as_posix() for path in sorted(unpacked.rglob("*.html"))]
    names = [name for name in names if not name.startswith("_static/")]
    assert len(names) >= 49 and {*COMPUTE, *OTHERS} < {*names}
    assert "python -m http.server --directory pages" in offline.README
    with served(unpacked) as base:
        found = swept(browser, base, names)
    assert {name: said for name, said in found.items() if said} == {}


def test_by_a_double_click_all_works_but_what_computes(browser, unpacked):
    found = swept(browser, unpacked.as_uri(), COMPUTE + OTHERS)
    left = {name: [sentence for sentence in said if not BY_FILE.fullmatch(sentence)] for name, said in found.items()}
    assert {name: said for name, said in left.items() if said} == {}
    assert [name for name, said in found.items() if any(".mjs" in sentence for sentence in said)] == COMPUTE


@pytest.mark.parametrize("name", COMPUTE)
def test_by_a_double_click_a_page_that_computes_says_what_to_run(browser, unpacked, name):
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{unpacked.as_uri()}/{name}")
        place = page.locator(".ddpm-generator, .ddpm-playground")
        (said,) = place.locator(".by-file").all_inner_texts()
        folder = re.search(r'python -m http.server --directory "(.+)" 8000', said)[1]
        assert Path(folder) == unpacked and said.endswith(f" http://localhost:8000/{name}.")
        with served(unpacked) as base:
            page.goto(f"{base}/{name}")
            assert place.count() == 1 and place.locator(".by-file").count() == 0


def test_by_a_double_click_the_quiz_answers_and_the_search_finds(browser, unpacked):
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{unpacked.as_uri()}/{QUIZ}")
        first = page.locator(".quiz").first
        first.locator("label").first.click()
        expect(first.locator(".why:visible")).to_contain_text("No. No such pairs exist")
        expect(first.locator(".said")).to_contain_text("No. No such pairs exist")
        page.goto(f"{unpacked.as_uri()}/search.html?q=beta+tilde")
        expect(page.locator("#search-results li > a").first).to_be_visible()
        assert any(text.startswith("3.") for text in page.locator("#search-results li > a").all_inner_texts())


def test_generator_and_playground_compute_there(browser, unpacked):
    with served(unpacked) as base, browser.new_context(bypass_csp=True) as context:
        page = listen(context.new_page(), base)
        page.goto(f"{base}/book/generator.html#model=shapes&n=1&steps=10&seed=2")
        page.locator(".ddpm-generator .begin").click()
        page.wait_for_function(DRAWN)
        assert page.log.complaints() == []
        page.goto(f"{base}/book/playground.html")
        page.locator(".ddpm-playground .go").click()
        page.wait_for_function(STEPS)
        assert page.log.complaints() == []


def test_a_page_that_asks_elsewhere_or_whose_slider_is_dead_is_found(browser, tmp_path):
    (tmp_path / "bad.html").write_text(
        '<link rel="icon" href="data:,"><img src="http://elsewhere.invalid/x.png"><div class="ddpm-figure">'
        '<input type="range" aria-label="dead"></div>'
    )
    with served(tmp_path) as base, browser.new_context() as context:
        page = listen(context.new_page(), base)
        page.goto(f"{base}/bad.html")
        assert page.evaluate(IDLE) == ["nothing follows the slider dead"]
        assert page.log.outside == ["http://elsewhere.invalid/x.png"]
