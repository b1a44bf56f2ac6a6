"""A table says the same in HTML and in text, and refuses what would not fit."""

import re
from xml.etree import ElementTree

import pytest

from ddpm_core.book.table import Table

HEADER = ["T", "schedule", "bits/dim", "Fréchet"]
ROWS = [["16", "linear", "0.12 ± 0.01", "not measured"], ["1,000", "cosine & <own>", "<0.001", "3.5"]]


def table(**options):
    return Table(HEADER, ROWS, **options)


def parsed(shown):
    """The table's elements: its HTML is well-formed, so that a parser of XML reads it."""
    return ElementTree.fromstring(shown._repr_html_())


def texts(element, name):
    return ["".join(found.itertext()) for found in element.iter(name)]


def test_the_page_gets_a_table_with_headers_of_columns_and_rows():
    page = parsed(table())
    assert [(th.get("scope"), th.text) for th in page.find(".//thead/tr")] == [("col", word) for word in HEADER]
    rows = page.findall(".//tbody/tr")
    assert [["".join(cell.itertext()) for cell in row] for row in rows] == ROWS
    assert [(row[0].tag, row[0].get("scope")) for row in rows] == [("th", "row")] * 2
    assert {cell.tag for row in rows for cell in row[1:]} == {"td"}


def test_an_empty_corner_is_no_header():
    corner, column = parsed(Table(["", "a"], [["x", "1"], ["", "2"]])).find(".//thead/tr")
    assert (corner.tag, corner.get("scope"), column.tag) == ("td", None, "th")


def test_numbers_stand_right_and_words_left():
    sides = [[cell.get("style") for cell in row] for row in parsed(table()).iter("tr")]
    assert sides == [[f"text-align: {side}" for side in ("right", "left", "right", "right")]] * 3
    assert not Table(["a"], [["–"], ["not measured"]])._right[0]
    assert Table(["a"], [["–"], ["−3.1 %"]])._right[0]
    assert not Table(["a"], [["1 of these"], ["none of them"]])._right[0]


def test_text_says_the_same_in_columns():
    shown = repr(table(strong={(1, 2)}, caption="Two schedules", note="Three seeds."))
    assert shown.split("\n") == [
        "Two schedules",
        "    T  schedule            bits/dim       Fréchet",
        "   16  linear          0.12 ± 0.01   not measured",
        "1,000  cosine & <own>       <0.001*           3.5",
        "Three seeds.",
    ]


def test_a_decisive_cell_is_bold_and_not_by_colour_alone():
    page = parsed(table(strong=[(0, 0), (1, 2)]))
    assert texts(page, "strong") == ["16", "<0.001"]


def test_caption_and_note_are_escaped():
    page = parsed(table(caption="a < b & c", note='"x" < y'))
    assert texts(page, "caption") == ["a < b & c"] and texts(page, "p") == ['"x" < y']
    assert texts(parsed(table()), "caption") == texts(parsed(table()), "p") == []


def test_the_keyboard_reaches_the_box_that_scrolls_and_hears_what_it_is():
    assert [box.get("aria-label") for box in parsed(table()).iter("div") if box.get("tabindex") == "0"] == [
        "T, schedule, bits/dim, Fréchet"
    ]
    assert 'aria-label="Two &quot;schedules&quot;"' in table(caption='Two "schedules"')._repr_html_()


@pytest.mark.parametrize(
    ("header", "rows", "options", "sentence"),
    [
        (HEADER, [*ROWS, ["1", "2"]], {}, "need 4 cells in each row, but row 2 has 2: ['1', '2']."),
        (["a"], [], {}, "need a header and rows, but got 1 columns and 0 rows."),
        ([], [[]], {}, "need a header and rows, but got 0 columns and 1 rows."),
        (["a", "b"], [["x", 0.5]], {}, "need cells of text, formatted already, but got float 0.5."),
        (HEADER, ROWS, {"strong": [(2, 0), (0, 1)]}, "need strong cells inside 2 x 4, but got [(2, 0)]."),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(header, rows, options, sentence):
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        Table(header, rows, **options)
