"""The equation that changes and Jensen's gap, from Python: what they hold, and what they refuse."""

import math

import pytest

from ddpm_core.book import widgets
from ddpm_core.book.widgets.morphing import _LINES, _TOKENS

SIZES = {"4.3": 1, "4.4": 1, "4.5": 1, "4.6": 4, "4.7": 4, "4.8": 4, "4.9": 5, "4.10": 4, "4.11": 4}
VALUES = {x0: {line: [x0 + k for k in range(n)] for line, n in SIZES.items()} for x0 in (-0.5, 0.0, 0.5)}


def test_frames_are_the_summands():
    figure = widgets.morph_bound(VALUES, label="the bound")
    assert figure.frame("4.9", 0.5) == [0.5, 1.5, 2.5, 3.5, 4.5]


def test_every_factor_is_known_and_stands_once_in_a_line():
    for line in _LINES.values():
        keys = [key for term in line["terms"] for key in term["top"] + term["bottom"]]
        assert len(keys) == len(set(keys)) and set(keys) <= set(_TOKENS)


@pytest.mark.parametrize(("line", "next_line"), [("4.8", "4.9"), ("4.9", "4.10")])
def test_what_is_struck_out_is_equal_and_gone_in_the_next_line(line, next_line):
    """Equal densities, one above and one below a line of a fraction with the same sign, or opposite ones."""
    one, other = _LINES[line]["goes"]
    assert _TOKENS[one] == _TOKENS[other]
    left = {key for term in _LINES[next_line]["terms"] for key in term["top"] + term["bottom"]}
    stood = {key for term in _LINES[line]["terms"] for key in term["top"] + term["bottom"]}
    assert stood - left == {one, other} and left <= stood
    power = {}
    for term in _LINES[line]["terms"]:
        sign = 1 if "+" in term["lead"] else -1
        power |= {key: sign for key in term["top"]} | {key: -sign for key in term["bottom"]}
    assert power[one] == -power[other]


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (lambda: widgets.morph_bound({}, label="x"), "for each x_0 the summands"),
        (lambda: widgets.morph_bound({0.0: {**VALUES[0.0], "4.9": [1.0]}}, label="x"), "as many as each line has"),
        (lambda: widgets.morph_bound(VALUES, label="x", opens="4.2"), "a line of .*'4.2'"),
        (lambda: widgets.morph_bound(VALUES, label="x").frame("4.3", 0.1), r"an x_0 of .*0\.1"),
        (lambda: widgets.morph_bound(VALUES, label=""), "label"),
        (lambda: widgets.open_gap(label="x", opens=1.0), r"a spread in 0\.\.0\.99.*1\.0"),
        (lambda: widgets.open_gap(label="x").frame(-0.1), "a spread"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(bad, told):
    with pytest.raises(ValueError, match=told):
        bad()


def test_the_gap_is_the_concavity_of_the_logarithm():
    figure = widgets.open_gap(label="gap")
    assert figure.frame(0.0) == (0.0, 0.0, 0.0)
    assert figure.frame(0.8)[2] == pytest.approx(-0.5 * math.log(1 - 0.64))
