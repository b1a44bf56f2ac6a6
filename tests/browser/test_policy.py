"""The content-security policy, in a browser: the book's own scripts run, and nobody else's."""

import pytest
from playwright.sync_api import expect
from serving import HTML

WIDGETS = "/book/01-forward-process.html"
# Notes what the browser refused, from before the first script on.
LISTEN = """window.refused = [];
document.addEventListener("securitypolicyviolation", e => refused.push(`${e.violatedDirective}: ${e.blockedURI}`));"""
PLANT = """const picture = '<img src="nowhere.png" onerror="window.ran = 1">';
document.querySelector('h1').insertAdjacentHTML('beforeend', picture);
const script = document.createElement('script');
script.textContent = 'window.ran = 2';
document.body.append(script);
const other = document.createElement('script');
other.src = 'https://elsewhere.invalid/x.js';
document.body.append(other);"""


@pytest.fixture
def open_watched(open_page):
    """Opens a page that notes in ``refused`` what its policy forbade."""

    def opener(path):
        page = open_page("/search.html", wait=False, bypass_csp=False)
        page.add_init_script(LISTEN)
        page.goto(page.url.replace("/search.html", path))
        page.wait_for_load_state("networkidle")
        return page

    return opener


@pytest.mark.parametrize(
    "path", [WIDGETS, "/book/04-elbo.html", "/book/07-unet.html", "/book/intro.html", "/search.html?q=noise"]
)
def test_the_books_own_scripts_run(open_watched, path):
    page = open_watched(path)
    for slider in page.locator(".ddpm-figure input[type=range]").all()[:3]:
        slider.press("ArrowRight")
    assert page.evaluate("refused") == []


def test_the_generator_draws_under_it(open_watched):
    page = open_watched("/book/generator.html")
    page.locator(".ddpm-generator .begin").click()
    expect(page.locator(".ddpm-generator .status")).to_contain_text("Drawn in", timeout=60_000)
    assert page.evaluate("refused") == []


def test_the_playground_trains_under_it(open_watched):
    page = open_watched("/book/playground.html")
    page.locator(".ddpm-playground .go").click()
    expect(page.locator(".ddpm-playground .figures")).to_contain_text("steps; loss", timeout=60_000)
    assert page.evaluate("refused") == []


def test_a_planted_script_does_not_run(open_watched):
    page = open_watched(WIDGETS)
    page.evaluate(PLANT)
    page.wait_for_timeout(500)
    assert page.evaluate("window.ran") is None
    refused = page.evaluate("refused")
    assert any(text.startswith("script-src-attr") for text in refused)
    assert "script-src-elem: inline" in refused
    assert any("elsewhere.invalid" in text for text in refused)


def test_every_page_has_a_policy():
    pages = [path for path in HTML.rglob("*.html") if "_static" not in path.parts and "<body" in path.read_text()]
    assert len(pages) > 20
    assert all('<meta http-equiv="Content-Security-Policy"' in path.read_text() for path in pages)


def test_the_book_opens_from_a_folder(browser):
    """By its file, without a server, the policy lets the same scripts run."""
    page = browser.new_page()
    page.add_init_script(LISTEN)
    page.goto((HTML / WIDGETS.lstrip("/")).as_uri())
    page.wait_for_timeout(1500)
    assert page.evaluate("refused") == [] and page.evaluate(
        "!!window.bootstrap || !!document.querySelector('.copybtn')"
    )
    page.close()
