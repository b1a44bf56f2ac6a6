"""First uses of terms in the built chapters: they lead to the glossary, say the explanation, and look like text."""

from html.parser import HTMLParser

import glossary
import pytest
from serving import HTML

TERMS = glossary.load((glossary.ROOT / "book" / "terms.tsv").read_text("utf-8"))
PAGE = "/book/10-few-steps.html"


class Links(HTMLParser):
    """(address, title) of each link to the glossary."""

    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed((HTML / "book" / f"{page}.html").read_text("utf-8"))

    def handle_starttag(self, tag, attrs):
        at = dict(attrs)
        if tag == "a" and "of-glossary" in at.get("class", "").split():
            self.found.append((at["href"], at["title"]))


LINKS = {page: Links(page).found for page in glossary.pages()}


def test_every_term_that_words_say_is_linked_once_on_a_page_at_most():
    linked = [title for found in LINKS.values() for _, title in found]
    assert {entry["explanation"] for entry in TERMS if entry["said"] != "-"} == set(linked)
    assert all(len(found) == len(set(found)) > 5 for found in LINKS.values())


def test_a_link_leads_to_its_own_entry():
    page = (HTML / "book" / "glossary.html").read_text("utf-8").replace("\u2019", "'")
    for address, title in {link for found in LINKS.values() for link in found}:
        name, _, anchor = address.partition("#")
        after = page.partition(f'<dt id="{anchor}">')[2].partition("<dt ")[0]
        assert name == "glossary.html" and title.replace("\u2019", "'").split()[-1] in after, address


def test_other_pages_and_slides_have_none():
    others = [path for path in HTML.rglob("*.html") if path.stem not in LINKS]
    assert len(others) > 20 and not [path for path in others if "of-glossary" in path.read_text("utf-8")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_they_look_like_text_take_no_room_and_are_not_seen_on_paper(open_page, width, scheme):
    page = open_page(PAGE, width=width, color_scheme=scheme)
    drawn = page.evaluate(
        """() => [...document.querySelectorAll('a.of-glossary')].map(a => {
            const own = getComputedStyle(a), around = getComputedStyle(a.parentElement);
            const alike = ['color', 'fontWeight', 'fontSize', 'fontStyle', 'lineHeight', 'letterSpacing']
                .every(key => own[key] === around[key]);
            return [alike, own.textDecorationStyle, own.padding, own.margin];
        })"""
    )
    assert len(drawn) == len(LINKS["10-few-steps"])
    assert set(map(tuple, drawn)) == {(True, "dotted", "0px", "0px")}
    height = "document.querySelector('.bd-article').getBoundingClientRect().height"
    before = page.evaluate(height)
    page.evaluate("document.querySelectorAll('a.of-glossary').forEach(a => a.replaceWith(...a.childNodes))")
    assert page.evaluate(height) == before
    page.reload()
    page.emulate_media(media="print")
    shown = "[...document.querySelectorAll('a.of-glossary')].map(a => getComputedStyle(a).textDecorationLine)"
    assert set(page.evaluate(shown)) == {"none"}
