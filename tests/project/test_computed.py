"""Below a numbered equation of a chapter stands the function that computes it, and leads to its line in the index."""

import re
from itertools import pairwise
from types import SimpleNamespace

import computed
import equations
import pytest
from docutils import nodes
from docutils.utils import new_document

ENTRIES = equations.read_entries()


def page(name, *formulas):
    """The links that a page with these formulas gets, each with what stands above it."""
    document = new_document(name)
    document += nodes.section("", *(nodes.math_block("", tex) for tex in formulas), ids=["x"])
    computed.insert(SimpleNamespace(env=SimpleNamespace(docname=f"book/{name}")), document)
    found = list(document[0])
    return [(above.astext(), raw.astext()) for above, raw in pairwise(found) if raw.tagname == "raw"]


def test_a_numbered_equation_of_a_chapter_and_no_other_gets_its_function():
    ((above, html),) = page("01-forward-process", r"a \tag{1.1}", "b", r"c \tag{99.1}")
    assert above == r"a \tag{1.1}"
    assert '<a href="equations.html#of-1-1" title="1.1, one step of the forward process: gaussian.q_step">' in html
    assert html.endswith("gaussian.q_step</a></p>")
    assert page("playground", r"a \tag{1.1}") == []


def test_of_several_functions_the_first_is_shown_and_all_are_said():
    html = computed.named("3.2", ENTRIES["3.2"])
    assert 'title="3.2, the step forgets the beginning: gaussian.q_step, gaussian.q_sample"' in html
    assert html.endswith(">gaussian.q_step</a>, …</p>")


@pytest.mark.parametrize("number", ENTRIES)
def test_every_link_leads_to_a_line_of_the_index_that_names_the_function(number):
    html = computed.named(number, ENTRIES[number])
    (place,), (name,) = re.findall(r"equations\.html#([\w-]+)", html), re.findall(r">([\w.]+)</a>", html)
    (line,) = re.findall(rf'^.*<a id="{place}"></a>.*$', (equations.ROOT / "book" / "equations.md").read_text(), re.M)
    assert f"[`{name}`]" in line
