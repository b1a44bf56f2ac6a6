"""Formulas as MathML: colours, spaces, numbers, and what cannot be set."""

import re
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[2] / "tools"))

import formulas
import math_font


def classes(tex):
    return re.findall(r'class="(of-\w+)"', formulas.mathml(tex, False))


@pytest.mark.parametrize(
    ("tex", "wanted"),
    [
        ("x_0", ["of-clean"]),
        (r"\hat x_0", ["of-clean"]),
        (r"\hat{x}_0", ["of-clean"]),
        ("x_t", ["of-noisy"]),
        ("x_{t-1}^2", ["of-noisy"]),
        ("x_T", ["of-noisy"]),
        ("x_{12}", ["of-noisy"]),
        ("x", []),
        ("x_{1:T}", []),
        ("y_0", []),
        (r"\epsilon", ["of-noise"]),
        (r"\hat\epsilon_t", ["of-noise"]),
        (r"\epsilon_\theta(x_t, t)", ["of-noise", "of-noisy"]),
        (r"\bar\alpha_t", []),
    ],
)
def test_a_symbol_with_a_meaning_has_its_class(tex, wanted):
    assert classes(tex) == wanted


def test_a_number_leaves_its_formula_and_stands_beside_it():
    html = formulas.displayed(r" a &= b \\ &= c \tag{1.2}")
    assert html.endswith('<span class="number">(1.2)</span></div>\n')
    assert html.count("<mtr>") == 2 and "tag" not in re.sub(r"<span.*", "", html)
    assert "number" not in formulas.displayed("a = b")


def test_signs_in_an_index_have_no_room_around_them():
    assert '<mo lspace="0" rspace="0">−</mo>' in formulas.mathml("x_{t-1}", False)
    assert "lspace" not in formulas.mathml("t - 1", False)


def test_an_operator_stands_apart_from_what_is_before_it():
    assert '</mrow><mspace width="0.1667em"></mspace><mi>Var</mi>' in formulas.mathml(
        r"(a)\operatorname{Var}[x]", False
    )
    assert formulas.mathml(r"a + \operatorname{Var}[x]", False).count("mspace") == 0


def test_only_a_long_formula_in_a_line_may_scroll():
    assert 'class="math"' in formulas.in_a_line("x_t = 1")
    assert 'class="math long"' in formulas.in_a_line("a + b + c + d + e + f + g + h + i + j + k + l + m")


def test_brackets_of_a_fixed_size_stand_close_to_what_they_hold():
    html = formulas.mathml(r"\big| a \big|", True)
    assert html.count('lspace="0" rspace="0"') == 2


@pytest.mark.parametrize("tex", [r"\nosuch{x}", r"\frac{1}", r"\left( x", "x_"])
def test_what_cannot_be_set_is_refused(tex):
    with pytest.raises(ValueError, match="Error: "):
        formulas.mathml(tex, False)


def test_a_letter_that_the_font_lacks_is_named():
    with pytest.raises(ValueError, match="the font lacks Ж"):
        formulas.mathml(r"\text{Ж}", False)
    assert math_font.unknown("mi", "x") == set() and math_font.unknown("mo", "⨌") == {"⨌"}
