"""How readers find the book: words of the search, the list of pages, what a link shows, how it is cited."""

import sys
import unicodedata
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tools"))

import citation  # noqa: E402
import finding  # noqa: E402


@pytest.mark.parametrize(
    ("tex", "wanted"),
    [
        (r"\tilde\beta_t", {"beta", "β", "tilde", "β̃"}),
        (r"\bar{\alpha}_t", {"alpha", "α", "bar", "ᾱ"}),
        (r"\hat x_0 - \epsilon_\theta", {"hat", "x̂", "epsilon", "ϵ", "ε", "eps", "theta", "θ"}),
        (r"\frac{a}{b}", set()),
    ],
)
def test_letters_are_found_by_name_and_by_sign(tex, wanted):
    def whole(words):
        return {unicodedata.normalize("NFD", word) for word in words}

    assert whole(finding.words(tex)) == whole(wanted)


def test_the_list_of_pages_is_one_that_search_engines_read():
    home = "https://one.github.io/book/"
    tree = ElementTree.fromstring(finding.sitemap(home, ["book/b", "book/a"]).encode())
    found = [place.text for place in tree.iter("{http://www.sitemaps.org/schemas/sitemap/0.9}loc")]
    assert found == [home + "book/a.html", home + "book/b.html"]


def test_a_link_shows_title_and_picture():
    tags = finding.preview(
        '3. "One" & more', "", "https://one.github.io/book/book/x.html", "https://one.github.io/book/"
    )
    assert 'property="og:title" content="3. &quot;One&quot; &amp; more"' in tags and "og:description" not in tags
    assert f'content="https://one.github.io/book/{finding.PICTURE}"' in tags
    with Image.open(ROOT / "book" / finding.PICTURE) as picture:
        assert picture.size == finding.PICTURE_SIZE


def test_the_citation_on_the_page_is_that_of_the_file():
    assert citation.BIB.read_text("utf-8") == citation.written(), "run `make notebooks`"


def test_people_and_clubs_are_cited():
    of = {"title": "A Book", "date-released": "2026-01-02", "license": "MIT", "repository-code": "u"}
    entry = citation.bibtex(of | {"authors": [{"name": "A Club"}, {"family-names": "Ho", "given-names": "J."}]})
    assert "author = {{A Club} and Ho, J.}" in entry and "year = {2026}" in entry and "month = {1}" in entry
