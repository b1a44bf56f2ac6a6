"""The index holds every exercise of every chapter, once, and its links lead somewhere."""

import re

import exercises as index
import pace
import pytest
import sections
from docutils import nodes
from docutils.utils import new_document

from ddpm_core.book import exercises

TEXTS, LISTED = index.pages(), index.load()


def test_the_page_is_up_to_date():
    assert index.complaints(TEXTS, LISTED) == []
    assert (index.ROOT / "book" / "exercises.md").read_text("utf-8") == index.render(TEXTS, LISTED), (
        "run `make notebooks`"
    )


def test_every_exercise_that_has_a_check_stands_on_the_page():
    checked = {number for chapter in exercises.CHAPTERS for number in exercises.of_chapter(chapter)}
    page = (index.ROOT / "book" / "exercises.md").read_text("utf-8")
    by_chapter, by_level = page.split("## By chapter")[1].split("## Short")
    for part in (by_chapter, by_level):
        found = re.findall(r'#exercise-[\d-]+">([\d.]+)</a>', part)
        assert sorted(found) == sorted(checked)


def test_every_link_leads_to_the_address_of_an_exercise_of_that_chapter():
    page = (index.ROOT / "book" / "exercises.md").read_text("utf-8")
    links = re.findall(r'<a href="([\w-]+)\.html#([\w-]+)">([\d.]+)</a>', page)
    assert page.count("<a ") == len(links) > 0
    for chapter, anchor, number in set(links):
        cells = sections.chapter(chapter)
        assert anchor == index.anchor(number)
        assert any(f'exercises.check("{number}"' in sections.source(cell) for cell in cells)


def test_their_mean_is_what_an_exercise_counts_in_front_of_a_chapter():
    assert round(sum(entry["minutes"] for entry in LISTED.values()) / len(LISTED)) == pace.EXERCISE


def test_the_page_is_in_the_book_and_made_with_the_others():
    assert "file: book/exercises\n" in (index.ROOT / "_toc.yml").read_text("utf-8")
    assert "tools/exercises.py" in (index.ROOT / "Makefile").read_text("utf-8")


def test_the_paragraph_that_asks_has_the_address():
    document = new_document("01-planted")
    asked = nodes.section("", nodes.title("", "Exercises"), ids=["exercises"])
    for strong, rest in (("1.1 First.", " Do."), ("Mind this.", " Or not."), ("1.12 Last?", " Change it.")):
        asked += nodes.paragraph("", "", nodes.Text(""), nodes.strong("", strong), nodes.Text(rest))
    before = nodes.section("", nodes.paragraph("", "", nodes.strong("", "1.3 of the picture")), ids=["a-part"])
    document += [before, asked]
    index.place(document)
    assert [node["ids"] for node in document.findall(nodes.paragraph)] == [[], ["exercise-1-1"], [], ["exercise-1-12"]]


HINT = "<details>\n<summary>A second hint</summary>\n\nDo this.\n\n</details>\n\n"
FOLDED = "<details>\n<summary>Solution {}</summary>\n\n**1.9 Folded.**\n\n</details>\n\n"
PLANTED = {
    "01-planted": f"# 1\n\n## Exercises\n\n**1.1 First.** Do.\n\n{HINT}{FOLDED.format('1.1')}"
    f"**1.2 Second?** Change the last\nexperiment.\n\n{HINT}{FOLDED.format('1.2')}"
}
GOOD = {"1.1": {"level": 1, "minutes": 5}, "1.2": {"level": 3, "minutes": 20}}


def test_title_and_star_are_read_from_the_chapter():
    first, second = index.asked("01-planted", PLANTED["01-planted"])
    assert (first.number, first.title, first.changes) == ("1.1", "First", False)
    assert (second.number, second.title, second.changes) == ("1.2", "Second?", True)
    assert index.complaints(PLANTED, GOOD) == []
    page = index.render(PLANTED, GOOD)
    assert '| <a href="01-planted.html#exercise-1-1">1.1</a> First | short | 5 |' in page
    assert '- **20 minutes:** <a href="01-planted.html#exercise-1-2">1.2</a> Second? ★' in page


@pytest.mark.parametrize(
    ("texts", "listed", "said"),
    [
        (PLANTED, {"1.1": GOOD["1.1"]}, "1.2 stands in a chapter, but not in the list"),
        (PLANTED, GOOD | {"1.3": GOOD["1.1"]}, "1.3 stands in the list, but in no chapter"),
        (PLANTED | {"02-again": PLANTED["01-planted"]}, GOOD, "1.1 stands twice"),
        ({"01-planted": PLANTED["01-planted"].replace("## Ex", "## ex").replace("ises", "ise")}, GOOD, "no heading"),
        ({"01-planted": PLANTED["01-planted"].replace(HINT, "", 1)}, GOOD, "1.1 needs one second hint"),
        ({"01-planted": PLANTED["01-planted"].replace("Do this.", "")}, GOOD, "1.2 needs one second hint"),
        (
            {"01-planted": PLANTED["01-planted"].replace(HINT, HINT * 2)},
            GOOD,
            "1.1 needs one second hint above its sol",
        ),
        (
            {"01-planted": PLANTED["01-planted"].replace("Change the last", "Run the last")},
            GOOD,
            "no exercise that changes",
        ),
        ({"01-planted": PLANTED["01-planted"].replace("**1.1 First.**", "First.")}, GOOD, "needs two exercises, but"),
        ({**PLANTED, "02-bare": "# 2\n\n## Exercises\n"}, GOOD, "02-bare needs two exercises, but has 0"),
        (PLANTED, GOOD | {"1.1": {"level": 4, "minutes": 5}}, "1.1 needs a level of 1, 2 or 3"),
        (PLANTED, GOOD | {"1.1": {"level": 1}}, "1.1 needs a level of 1, 2 or 3"),
    ],
)
def test_what_does_not_fit_is_named(texts, listed, said):
    assert any(said in sentence for sentence in index.complaints(texts, listed))
