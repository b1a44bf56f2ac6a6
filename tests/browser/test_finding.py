"""The search finds letters of formulas by name and by sign; pages lead on to their neighbours and name them."""

from xml.etree import ElementTree

import pytest
from serving import HTML


@pytest.mark.parametrize("asked", ["beta tilde", "β̃", "β"])
def test_the_search_finds_a_letter_of_a_formula(open_page, asked):
    page = open_page(f"/search.html?q={asked}", wait=False)
    page.wait_for_selector("#search-results li a", timeout=60_000)
    page.wait_for_load_state("networkidle")
    found = page.locator("#search-results li > a").all_inner_texts()
    assert any(text.startswith("3. The posterior") for text in found), found


def test_search_engines_find_every_page():
    tree = ElementTree.parse(HTML / "sitemap.xml")
    places = [place.text for place in tree.iter("{http://www.sitemaps.org/schemas/sitemap/0.9}loc")]
    built = {path.relative_to(HTML / "book").as_posix() for path in (HTML / "book").rglob("*.html")}
    assert {place.partition("/book/")[2] for place in places} == built
    assert all(place.startswith("https://") for place in places)


def test_a_page_says_what_a_link_to_it_shows():
    html = (HTML / "book" / "03-posterior.html").read_text("utf-8")
    for name in ("og:title", "og:description", "og:image"):
        assert f'<meta property="{name}" content="' in html
    place = html.partition('property="og:image" content="')[2].partition('"')[0].partition("_static/")[2]
    assert (HTML / "_static" / place).is_file()
