"""A formula in a figure as text: the signs it is made of, and which of them are slanted, raised, lowered."""

import re
from pathlib import Path

import pytest

from ddpm_core.book.labels import Run, plain, runs

SOURCES = sorted(Path(__file__).parents[2].glob("book/src/*.md"))


def test_words_stay_and_letters_of_a_formula_are_slanted():
    assert runs("error of $x_t$, 5 \\$") == [
        Run("error of "),
        Run("x", italic=True),
        Run("t", italic=True, script=-1),
        Run(", 5 $"),
    ]


@pytest.mark.parametrize(
    ("formula", "signs"),
    [
        (r"\tilde\beta_t\, /\, \beta_t", "β\u0303t\u2009/\u2009βt"),
        (r"\sqrt{1 - \bar\alpha_t}", "√(1\u2009−\u2009α\u0304t)"),
        (r"\sqrt t", "√t"),
        (r"\frac{1}{T}", "1/T"),
        (r"-\log p_\theta(x_0)", "−log\u2009pθ(x0)"),
        (r"\mathrm{Var}[x_{t-1}\mid x_t]", "Var[xt−1\u2009|\u2009xt]"),
        (r"\mathdefault{10^{-3}}", "10−3"),
        (r"\sigma_t^2 = \beta_t", "σt2\u2009=\u2009βt"),
        (r"f(-1) < +2", "f(−1)\u2009<\u2009+2"),
    ],
)
def test_signs_of_a_formula(formula, signs):
    assert plain(f"${formula}$") == signs


def test_indices_are_lowered_and_powers_raised():
    assert [(run.text, run.script) for run in runs(r"$\sigma_t^2$")] == [("σ", 0), ("t", -1), ("2", 1)]
    assert [(run.text, run.script) for run in runs(r"$x_{t-1} = 10^{-3}$")] == [
        ("x", 0), ("t", -1), ("−1", -1), ("\u2009=\u200910", 0), ("−3", 1),
    ]  # fmt: skip


def test_roman_and_bold():
    assert runs(r"$L_\mathrm{simple}$") == [Run("L", italic=True), Run("simple", script=-1)]
    assert runs(r"$\mathbf{x}$") == [Run("x", bold=True)]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (r"$\oiint x$", r"no way to set \\oiint as text"),
        (r"$x_{t$", "a bracket opens that never closes"),
        (r"$x}$", "a bracket closes that never opened"),
        ("$x_$", "something is missing"),
    ],
)
def test_what_it_cannot_set_is_refused(words, reason):
    with pytest.raises(ValueError, match=reason):
        runs(words)
    assert plain(words) == words


def test_every_formula_in_the_figures_of_the_book_can_be_set():
    code = [
        block for path in SOURCES for block in re.findall(r"(?ms)^```\{code-cell\}.*?^```", path.read_text("utf-8"))
    ]
    found = [formula for block in code for formula in re.findall(r"\$[^$\n]+\$", block.replace("\\\\", "\\"))]
    assert len(found) > 30
    for formula in found:
        runs(formula.replace("{{", "{").replace("}}", "}"))  # of f-strings
