"""A page's first use of a term leads to the glossary; what is no prose stays as it is."""

import first_uses
import glossary
import pytest
from docutils import nodes
from docutils.utils import new_document

TERMS = glossary.load((glossary.ROOT / "book" / "terms.tsv").read_text("utf-8"))


def term(name, said, where="everywhere", page="01-planted"):
    return {"term": name, "explanation": "So it is.", "page": page, "anchor": "x", "said": said, "where": where}


def paragraph(*inside):
    return nodes.paragraph("", "", *(nodes.Text(part) if isinstance(part, str) else part for part in inside))


def raw(html):
    return nodes.raw("", html, format="html")


def linked(document, terms, page="01-planted"):
    """[(term, words)] in the order of the page, after the links were put in; the words of the page stay the same."""
    before = document.astext()
    uses = first_uses.first_uses(list(first_uses.prose(document)), first_uses.meant(terms, page))
    first_uses.link(uses, lambda name, words: nodes.reference("", words, refuri=f"#{name}"))
    assert document.astext() == before
    found = [node for node in document.findall(nodes.reference) if node.get("refuri", "").startswith("#")]
    return [(node["refuri"][1:], node.astext()) for node in found]


def test_only_the_first_use_is_linked_also_in_bold_in_the_plural_and_across_lines():
    document = new_document("01-planted")
    document += paragraph("Every ", nodes.strong("", "batch"), " has its\nlearning\nrate. A batch again.")
    document += paragraph("Schedules of learning rates. Schedules.")
    terms = [term("batch", "batch"), term("rate", "learning rate"), term("schedule", "schedule")]
    expected = [("batch", "batch"), ("rate", "learning\nrate"), ("schedule", "Schedules")]
    assert linked(document, terms) == expected


def test_the_longest_spelling_wins_and_no_part_of_a_word_counts():
    document = new_document("01-planted")
    document += paragraph(
        "The posterior\u2019s mean, a cross-attention, an unattentional batched snatch; the posterior."
    )
    terms = [term("posterior", "posterior"), term("mean", "posterior's mean; posterior mean"), term("a", "attention")]
    assert linked(document, [*terms, term("batch", "batch")]) == [
        ("mean", "posterior\u2019s mean"),
        ("posterior", "posterior"),
    ]


def test_capitals_mean_what_they_say():
    document = new_document("01-planted")
    document += paragraph("A man called adam has an epoch. Epochs of Adam.")
    assert linked(document, [term("Adam", "Adam"), term("epoch", "epoch")]) == [("epoch", "epoch"), ("Adam", "Adam")]


def test_an_everyday_word_is_linked_on_its_own_page_alone_and_there_where_it_is_named():
    def page():
        document = new_document("01-planted")
        document += paragraph("Make sure. Call it ", nodes.emphasis("", "sure"), ".")
        return document

    here = [term("sure", "sure", "here")]
    document = page()
    assert linked(document, here) == [("sure", "sure")]
    assert isinstance(next(iter(document.findall(nodes.reference))).parent, nodes.emphasis)
    assert linked(page(), here, "02-other") == []
    assert linked(page(), [term("sure", "-", "-")]) == []


@pytest.mark.parametrize(
    "apart",
    [
        nodes.section("", nodes.title("", "A batch")),
        paragraph(nodes.reference("", "batch", refuri="x.html")),
        paragraph(nodes.literal("", "batch"), nodes.math("", "batch")),
        nodes.literal_block("", "batch"),
        nodes.math_block("", "batch"),
        nodes.table("", nodes.paragraph("", "batch")),
        nodes.figure("", nodes.caption("", "batch")),
        nodes.container("", paragraph("batch"), classes=["cell"]),
        paragraph(raw('<a href="x.html">'), "batch", raw("</a>")),
        nodes.container("", raw("<details>\n<summary>Solution</summary>"), paragraph("batch"), raw("</details>")),
    ],
    ids=lambda node: node.tagname,
)
def test_what_is_no_prose_is_left_alone(apart):
    document = new_document("01-planted")
    document += [apart, paragraph("The last ", raw('<a id="eq-1-1"></a>'), "batch.")]
    first_uses_of = linked(document, [term("batch", "batch")])
    assert first_uses_of == [("batch", "batch")]
    assert next(node for node in document.findall(nodes.reference) if "#batch" in node["refuri"]).parent is document[1]


def test_only_chapters_are_linked():
    assert first_uses.PAGE.fullmatch("book/03-posterior")[1] == "03-posterior"
    assert first_uses.PAGE.fullmatch("book/engineering")
    assert not first_uses.PAGE.fullmatch("book/glossary") and not first_uses.PAGE.fullmatch("book/workshop/notes")


def test_no_spelling_belongs_to_two_terms_of_a_page():
    for page in glossary.pages():
        known = first_uses.of_page(TERMS, page)
        said = [spelling for entry in known for spelling in entry["said"].split("; ")]
        assert len(said) == len(set(said)), page
