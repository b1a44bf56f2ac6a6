"""The glossary: each term once, in order, with an address that exists."""

import glossary
import pytest

TERMS = glossary.load((glossary.ROOT / "book" / "terms.tsv").read_text("utf-8"))
PAGES = {"01-planted": '# 1. P\n\n## A part\n\n<a id="eq-1-1"></a>\n\n```python\n## no part\n```'}


def term(name, anchor="a-part", page="01-planted"):
    named = {"term": name, "explanation": "So it is.", "page": page, "anchor": anchor}
    return named | {"said": name, "where": "everywhere"}


def test_every_term_stands_once_and_leads_somewhere():
    assert glossary.complaints(TERMS, glossary.pages()) == []


def test_every_chapter_explains_a_term():
    assert {page for page in glossary.pages()} == {entry["page"] for entry in TERMS}


def test_the_page_is_up_to_date():
    written = (glossary.ROOT / "book" / "glossary.md").read_text("utf-8")
    assert written == glossary.render(TERMS), "run `make notebooks`"


def test_a_good_list_passes():
    assert glossary.complaints([term("Émile"), term("fan", "eq-1-1")], PAGES) == []


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        ([term("b"), term("a")], "not sorted"),
        ([term("a"), term("A")], "'a' stands twice"),
        ([term("a", "no-part")], "has no anchor no-part"),
        ([term("a", page="02-none")], "no page 02-none"),
        ([term("a") | {"where": "there"}], "where is there"),
        ([term("a") | {"said": "-"}], "where is everywhere"),
        ([term("a") | {"where": "-"}], "where is -"),
    ],
)
def test_what_is_wrong_is_named(terms, said):
    assert any(said in sentence for sentence in glossary.complaints(terms, PAGES))


def test_a_line_that_lacks_something_is_refused():
    with pytest.raises(ValueError, match="line 2: a term has 6 parts, here are 3"):
        glossary.load("term\texplanation\tpage\tanchor\tsaid\twhere\nx\ty\tz")
    with pytest.raises(ValueError, match="the first line should be"):
        glossary.load("word\texplanation\tpage\tanchor")


def test_a_term_links_to_its_chapter():
    assert '<a href="01-planted.html#eq-1-1">Chapter 1</a>.' in glossary.render([term("a", "eq-1-1")])
