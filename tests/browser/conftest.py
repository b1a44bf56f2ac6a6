"""Fixtures: ``site``, ``browser``, ``open_page``, also named ``page``, for built pages; ``bare_page`` for figures."""

import os

import chromium
import pytest
from bare import page_of
from playwright.sync_api import sync_playwright
from serving import HTML, listen, served, settle


@pytest.fixture(scope="session")
def site():
    """The address of the built book, e.g. ``http://127.0.0.1:40123``; pages lie under ``/book/``."""
    if not (HTML / "index.html").exists():
        pytest.fail("There is no built book to look at: run `make book` first.", pytrace=False)
    with served(HTML) as base:
        yield base


@pytest.fixture(scope="session")
def browser():
    """One Chromium for the session, with a new empty profile. Skips where there is none, fails so in CI."""
    path = chromium.find()
    if path is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(chromium.MISSING)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(chromium.FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser, site):
    """A function that opens an address and gives the settled page, with its ``log``.

    open_page("/book/intro.html", width=390, height=844, color_scheme="dark", reduced_motion="reduce")

    ``base`` is the server that all of the page's requests must stay on, by default ``site``. Every page has a
    context of its own, without storage or cache of an earlier one, and is closed at the end of the test. Its policy
    would stop what a test waits for, so it holds only where a test asks for it with bypass_csp=False.
    """
    contexts = []

    def opener(path, width=1280, height=900, color_scheme="light", base=site, wait=True, **options):
        options = {"bypass_csp": True} | options
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=color_scheme, **options)
        contexts.append(context)
        page = listen(context.new_page(), base)
        page.goto(base + path)
        if wait:
            settle(page)
        return page

    yield opener
    for context in contexts:
        context.close()


@pytest.fixture
def page(open_page):
    """The same function under the name the tests of one page read best with: ``page("/book/intro.html")``."""
    return open_page


@pytest.fixture
def bare_page(browser, tmp_path):
    """A function that opens some HTML on a bare page; at the end every page must have behaved.

    bare_page(figure._repr_html_(), width=390, dark=True, reduced_motion="reduce")
    """
    contexts, complaints = [], []

    def opener(html, width=1000, dark=False, **options):
        address = tmp_path / "page.html"
        address.write_text(page_of(html, dark), encoding="utf-8")
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: message.type == "error" and complaints.append(message.text))
        page.on("request", lambda request: request.url != address.as_uri() and complaints.append(request.url))
        page.goto(address.as_uri())
        return page

    yield opener
    for context in contexts:
        context.close()
    assert complaints == []  # no errors, and no request but for the page itself
