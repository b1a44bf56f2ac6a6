"""The chapters' numbers are compared as numbers: what passes, what fails, and what a failure says.

First the comparison by itself, then nbval with the book's own conftest.py on a planted notebook.
"""

import re
import shutil
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import nbformat
import notebooks
import printed
import pytest

ROOT = Path(__file__).resolve().parents[2]
TABLE = "   t     mean    std\n   1    0.600  0.010\n 100   -0.569  0.321\n"


def agree(stored, now, stated=None):
    return not printed.text_complaints(stored, now, printed.tolerance(stated))


# ---- Numbers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stored", "now"),
    [
        ("loss 0.1234", "loss 0.1235"),
        ("loss 0.1234", "loss 0.123"),
        ("loss 0.99", "loss 1.00"),
        ("price 7.3e-06 bits", "price 7.4e-06 bits"),
        ("price 9.99e-06", "price 1.00e-05"),
        ("1,234.5 bits", "1,234.6 bits"),
        ("mean -0.00", "mean 0.00"),
        ("mean -0.0001", "mean 0.0000"),
        ("b = −0.47", "b = −0.48"),
        ("p = .047", "p = .048"),
        ("from -9..6.4", "from -9..6.5"),
        ("0.83±0.22", "0.84±0.21"),
        ("of these 47 %", "of these 48 %"),
        ("  33%", "  32%"),
        ("[0.1, -0.2]", "[0.1, -0.3]"),
        ("<td>0.12</td>", "<td>0.13</td>"),
    ],
)
def test_one_unit_in_the_last_place_passes(stored, now):
    assert agree(stored, now)
    assert agree(now, stored)


@pytest.mark.parametrize(
    ("stored", "now"),
    [
        ("loss 0.1234", "loss -0.1234"),
        ("loss +0.14", "loss -0.14"),
        ("loss 0.1234", "loss 0.1324"),
        ("loss 0.1234", "loss 0.1236"),
        ("loss 0.1234", "loss 1.234"),
        ("loss 0.1234", "loss nan"),
        ("loss inf", "loss -inf"),
        ("loss inf", "loss 0.12"),
        ("price 7.3e-06", "price 7.3e-05"),
        ("price 7.3e-06", "price 7.5e-06"),
        ("1,234.5 bits", "1,334.5 bits"),
        ("47 %", "49 %"),
        ("0.5-0.3", "0.5 -0.3"),
    ],
)
def test_more_than_that_fails(stored, now):
    assert not agree(stored, now)
    assert not agree(now, stored)


@pytest.mark.parametrize(
    ("stored", "now"),
    [
        ("12 pictures", "13 pictures"),
        ("12,345 pictures", "12,346 pictures"),
        ("12 pictures", "12.0 pictures"),
        ("shape (3, 32, 32)", "shape (3, 32, 33)"),
        ("1x32x32", "1x33x32"),
        ("steps 1..5", "steps 1..6"),
        ("version 3.11.2", "version 3.11.3"),
        ("x_0.5 is", "x_0.6 is"),
        ("color: #1e90ff", "color: #1e91ff"),
        ("loss is 0.1234", "loss was 0.1234"),
        ("rising: True", "rising: False"),
        ("a 0.1 b 0.2", "a 0.1 b"),
        ("0.1 0.2", "0.1"),
        ("0.1", "0.1 0.2"),
    ],
)
@pytest.mark.parametrize("stated", [None, "within 20 % or 0.5"])
def test_words_counts_shapes_and_names_are_exact(stored, now, stated):
    assert not agree(stored, now, stated)
    assert not agree(now, stored, stated)


def test_ten_percent_fail_with_and_without_a_tolerance():
    for stated in (None, "within 2 %"):
        assert not agree("loss 0.1234", "loss 0.1357", stated)
        assert not agree("loss 0.1234", "loss -0.1234", stated)
        assert not agree("loss 0.1234", "loss nan", stated)


def test_a_stated_tolerance_is_a_share_of_the_stored_number_or_a_difference():
    assert agree("loss 200.0", "loss 203.0", "within 2 %")
    assert not agree("loss 200.0", "loss 204.1", "within 2 %")
    assert agree("drift 0.0001", "drift -0.0040", "within 2 % or 0.005")
    assert not agree("drift 0.0001", "drift -0.0050", "within 2 % or 0.005")
    assert agree("drift 0.100", "drift 0.105", "within 0.005")
    assert agree("90 %", "88 %", "within 3 %")


@pytest.mark.parametrize(
    ("stated", "percent", "absolute"),
    [
        ("within 2 %", "2", "0"),
        ("within 0.5%", "0.5", "0"),
        ("within 0.01", "0", "0.01"),
        ("within 2 % or 1", "2", "1"),
    ],
)
def test_reads_a_tolerance(stated, percent, absolute):
    assert printed.tolerance(stated) == printed.Tolerance(Decimal(percent), Decimal(absolute))


@pytest.mark.parametrize(
    "stated", ["2 %", "about 2 %", "within", "within 2 % or", "within -2 %", "within 2 %, 1", 2, {}]
)
def test_an_unreadable_tolerance_is_an_error(stated):
    with pytest.raises(ValueError, match="not readable"):
        printed.tolerance(stated)


@pytest.mark.parametrize("name", notebooks.chapters())
def test_every_chapter_states_readable_tolerances(name):
    for cell in nbformat.read(ROOT / "book" / f"{name}.ipynb", as_version=4).cells:
        printed.tolerance(cell.metadata.get("numbers"))


# ---- Lines and outputs -------------------------------------------------------------------------------------


def test_a_sign_or_a_digit_may_move_its_neighbours():
    assert agree(" 100    0.000  0.321\n", " 100   -0.000  0.321\n")
    assert agree("a 9.99   b", "a 10.00  b")
    assert agree("[ 0.00, 0.5]", "[-0.00, 0.5]")


@pytest.mark.parametrize(
    "now",
    [
        TABLE.replace("   1    0.600  0.010\n", ""),
        TABLE + "1000    0.004  1.000\n",
        TABLE.replace("  0.321", ""),
        TABLE.replace("  0.321", "  0.321  0.321"),
        TABLE.replace("0.600  0.010", "0.600"),
        TABLE.replace("   1    0.600  0.010", "   1           0.010"),
        TABLE.replace("-0.569  0.321", "       -0.569  0.321"),
        TABLE.replace("mean    std", "std    mean"),
        TABLE.rstrip("\n"),
        "",
    ],
)
def test_a_line_or_a_column_that_goes_or_comes_fails(now):
    assert agree(TABLE, TABLE)
    assert not agree(TABLE, now)
    assert not agree(now, TABLE)


def test_a_number_in_an_empty_column_fails():
    assert not agree("a   0.12             -", "a             0.12   -")


def test_a_complaint_is_a_sentence_with_both_numbers_and_the_limit():
    (said,) = printed.text_complaints("t\n0.1234 0.5", "t\n0.1434 0.5", printed.tolerance("within 2 %"))
    assert said == (
        "line 2: 0.1234 is stored, 0.1434 was printed: 0.0200 apart, allowed is 0.002468 (2 % of 0.1234)"
        "\n    stored:  0.1234 0.5\n    printed: 0.1434 0.5"
    )
    (said,) = printed.text_complaints("2.5e-03", "2.7e-03", printed.tolerance(None))
    assert "0.0002 apart, allowed is 0.0001 (one unit in the last place)" in said


def test_a_long_line_is_quoted_where_it_changes():
    (said,) = printed.text_complaints("x" * 10_000 + " here", "x" * 10_000 + " there", printed.tolerance(None))
    assert len(said) < 1000
    assert " here" in said
    assert " there" in said


def test_a_lost_line_is_one_complaint_about_lines():
    found = printed.text_complaints("a\nb\nc\nd", "a\nc\nd", printed.tolerance(None))
    assert found[0] == "4 lines are stored, 3 were printed"
    assert len(found) == 2


def test_an_output_that_goes_or_comes_fails():
    wide = printed.tolerance("within 50 %")
    stored = {"stdout": ["0.1\n"], "text/plain": ["a", "b"]}
    assert not printed.complaints(stored, {kind: list(texts) for kind, texts in stored.items()}, wide)
    for other in (
        {"text/plain": ["a", "b"]},
        {"stdout": ["0.1\n"], "text/plain": ["a"]},
        {"stdout": ["0.1\n"], "text/plain": ["b", "a"]},
        stored | {"stderr": ["warning\n"]},
    ):
        assert printed.complaints(stored, other, wide)
        assert printed.complaints(other, stored, wide)


def test_data_that_is_no_text_is_exact():
    wide = printed.tolerance("within 50 %")
    assert not printed.complaints({"application/json": [{"a": 1.0}]}, {"application/json": [{"a": 1.0}]}, wide)
    assert printed.complaints({"application/json": [{"a": 1.0}]}, {"application/json": [{"a": 1.1}]}, wide)


# ---- In nbval, with the book's conftest.py -----------------------------------------------------------------

# name: what the cell states, what it prints, what is stored of it, and whether that passes
PLANTED = {
    "last place": ("", "loss 0.1235", "loss 0.1234", True),
    "seconds": ("", "12 s and 0.1235", "9.5 s and 0.1234", True),
    "within": (":numbers: within 2 %\n", "loss 101.5", "loss 100.0", True),
    "near zero": (":numbers: within 2 % or 0.005\n", "drift -0.0040", "drift 0.0001", True),
    "ten percent": ("", "loss 0.1357", "loss 0.1234", False),
    "ten percent of two": (":numbers: within 2 %\n", "loss 110.0", "loss 100.0", False),
    "flipped": ("", "loss -0.1234", "loss 0.1234", False),
    "transposed": ("", "loss 0.1324", "loss 0.1234", False),
    "count": (":numbers: within 20 %\n", "101 pictures", "100 pictures", False),
    "word": ("", "sum 0.1234", "loss 0.1234", False),
    "nan": (":numbers: within 2 %\n", "loss nan", "loss 0.1234", False),
    "lost line": ("", "a 0.1", "a 0.1\\nb 0.2", False),
    "extra line": ("", "a 0.1\\nb 0.2", "a 0.1", False),
    "lost number": ("", "a 0.1", "a 0.1 0.2", False),
    "vanished": ("", "", "loss 0.1234", False),
    "appeared": ("", "loss 0.1234", "", False),
    "unreadable": (":numbers: about 2 %\n", "loss 0.1234", "loss 0.1234", False),
}


def stream(text):
    """What a cell that prints this text stores."""
    return [nbformat.v4.new_output("stream", text=text.replace("\\n", "\n"))] if text else []


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """What pytest says of the planted cells, run and compared as the chapters are."""
    folder = tmp_path_factory.mktemp("planted")
    cells = [
        f'```{{code-cell}} ipython3\n{states}print("{prints}", end="")\n```' for states, prints, *_ in PLANTED.values()
    ]
    notebook = notebooks.from_text("\n\n".join(cells))
    for cell, (_, _, stored, _) in zip(notebook.cells, PLANTED.values(), strict=True):
        cell.outputs, cell.execution_count = stream(stored), 1
    nbformat.write(notebook, folder / "planted.ipynb")
    for file in ("tests/sanitize.cfg", "book/conftest.py", "tools/printed.py"):
        shutil.copy(ROOT / file, folder)
    options = "-v --color=no --rootdir=. -c /dev/null -p no:cacheprovider -W default"
    options += " --nbval --nbval-current-env --nbval-sanitize-with=sanitize.cfg"
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options.split(), "planted.ipynb"],
        cwd=folder, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


@pytest.mark.parametrize("name", PLANTED)
def test_nbval_passes_and_fails_as_it_should(run, name):
    number = list(PLANTED).index(name)
    verdict = re.search(rf"::Cell {number} (PASSED|FAILED)", run.stdout)
    assert verdict, run.stdout + run.stderr
    assert (verdict[1] == "PASSED") is PLANTED[name][-1]


def test_nbval_says_what_is_wrong(run):
    assert run.returncode == 1
    assert "stdout, line 1: 100.0 is stored, 110.0 was printed: 10.0 apart, allowed is 2.0 (2 % of 100.0)" in run.stdout
    assert "stdout: 1 stored, 0 printed" in run.stdout
    number = list(PLANTED).index("unreadable")
    assert f"Cell {number}: `numbers: about 2 %` is not readable" in run.stdout
