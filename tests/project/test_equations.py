"""Equations are executable: each has a function and a test, and the index leads to all of them.

The first half looks at the book, the second plants one mistake for each check of tools/equations.py.
"""

import re

import equations
import pytest

ENTRIES = equations.read_entries()
PAGES = equations.read_pages()
MODULES = equations.read_python("ddpm_core")
TESTS = equations.read_python("tests")


def none(complaints):
    """Fail with the complaints, one a line."""
    assert not complaints, "\n".join(["", *complaints])


# ---- The book ----------------------------------------------------------------------------------------------


def test_every_equation_has_an_entry():
    none(equations.without_entry(ENTRIES, PAGES))


def test_every_entry_has_an_equation():
    none(equations.without_equation(ENTRIES, PAGES))


def test_no_number_is_used_twice():
    none(equations.used_twice(PAGES))


def test_every_equation_has_its_anchor():
    none(equations.without_anchor(PAGES))


def test_links_to_equations_lead_there():
    none(equations.dead_links(PAGES))


def test_every_function_exists():
    none(equations.missing_functions(ENTRIES, MODULES))


def test_every_test_exists():
    none(equations.missing_tests(ENTRIES, TESTS))


def test_docstrings_cite_equations_that_exist():
    none(equations.unknown_citations(ENTRIES, MODULES))


def test_the_page_is_up_to_date():
    page = (equations.ROOT / "book" / "equations.md").read_text()
    none(equations.out_of_date(page, ENTRIES, PAGES, equations.read_repository()))


# ---- Each check catches its mistake ------------------------------------------------------------------------

YML = """
"1.2":
  name: one step
  source: Ho 2020, Eq. 2
  function: ddpm_core.diffusion.gaussian.q_step
  test: tests/test_gaussian.py::test_step
  chapter: 01-forward
"1.10":
  name: the sum $a | b$
  source: this book
  function: [ddpm_core.diffusion.gaussian.q_step, ddpm_core.schedule.Schedule.snr]
  test: [tests/test_gaussian.py::test_step, "tests/test_schedule.py::TestSnr::test_falls[2]"]
  chapter: 01-forward
"""
CHAPTER = """# The forward process

See [1.2](#eq-1-2) and <a href="01-forward.html#eq-1-10">1.10</a>.

<a id="eq-1-2"></a>

$$ x = y \\tag{1.2} $$

<a id="eq-1-10"></a>
$$
a + b \\tag{1.10}
$$
"""
GOOD = equations.load(YML)
PAGE = {"01-forward": CHAPTER}
CODE = {
    "ddpm_core/diffusion/gaussian.py": 'def q_step(x):\n    """[Ho 2020, Eq. 2; chapter 1, Eqs. 1.2 and 1.10]"""\n',
    "ddpm_core/schedule.py": "class Schedule:\n    @property\n    def snr(self):\n        return 1\n",
}
CHECKED = {
    "tests/test_gaussian.py": "def test_step():\n    pass\n",
    "tests/test_schedule.py": "class TestSnr:\n    def test_falls(self, n):\n        pass\n",
}
ADDRESS = "https://example.org/somebody/book"


def changed(number, **fields):
    """The good entries with some fields of one entry replaced."""
    return {**GOOD, number: {**GOOD[number], **fields}}


def page(old, new):
    """The good chapter with one spot replaced."""
    assert old in CHAPTER
    return {"01-forward": CHAPTER.replace(old, new)}


def test_a_good_index_passes():
    assert not equations.without_entry(GOOD, PAGE)
    assert not equations.without_equation(GOOD, PAGE)
    assert not equations.used_twice(PAGE)
    assert not equations.without_anchor(PAGE)
    assert not equations.dead_links(PAGE)
    assert not equations.missing_functions(GOOD, CODE)
    assert not equations.missing_tests(GOOD, CHECKED)
    assert not equations.unknown_citations(GOOD, CODE)
    assert not equations.out_of_date(equations.render(GOOD, PAGE, ADDRESS), GOOD, PAGE, ADDRESS)


def test_an_empty_index_passes():
    assert equations.load("# nothing yet\n") == {}
    assert equations.render({}, {}, ADDRESS).count("#") == 1
    assert not equations.without_anchor({"intro": "# Words only"})


def test_finds_an_equation_without_entry():
    found = equations.without_entry(GOOD, page("{1.2}", "{1.3}"))
    assert found == ["01-forward: equation 1.3 has no entry in equations.yml"]


def test_finds_an_entry_without_equation():
    assert equations.without_equation(GOOD, page("{1.2}", "{1.3}")) == [
        "equations.yml: 1.2 is no equation of 01-forward"
    ]
    assert equations.without_equation(changed("1.2", chapter="02-other"), PAGE)


def test_finds_a_number_used_twice():
    assert "1.2 stands 2 times" in equations.used_twice({**PAGE, "02-other": "$$ z \\tag{1.2} $$"})
    assert "eq-1-2 stands 2 times" in equations.used_twice({**PAGE, "02-other": '<a id="eq-1-2"></a>'})


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('<a id="eq-1-2"></a>\n\n', ""),
        ('<a id="eq-1-2">', '<a id="eq-1-3">'),
        ('<a id="eq-1-2"></a>\n', '<a id="eq-1-2"></a>\n\nWords between.\n'),
    ],
    ids=["none", "another", "apart"],
)
def test_finds_an_equation_without_its_anchor(old, new):
    (first, *_) = equations.without_anchor(page(old, new))
    assert first == '01-forward: equation 1.2 needs <a id="eq-1-2"></a> before its $$'


def test_finds_an_anchor_without_equation():
    found = equations.without_anchor({"intro": '<a id="eq-1-9"></a>'})
    assert found == ["intro: the anchor eq-1-9 has no equation"]


@pytest.mark.parametrize("dead", ["[x](#eq-9-9)", '<a href="01-forward.html#eq-9-9">', "[x](02-none.ipynb#eq-1-2)"])
def test_finds_a_dead_link(dead):
    assert len(equations.dead_links({**PAGE, "intro": dead})) == 1


@pytest.mark.parametrize(
    "name", ["ddpm_core.diffusion.gaussian.q_stop", "ddpm_core.nowhere.q_step", "ddpm_core.schedule.Schedule.x"]
)
def test_finds_a_missing_function(name):
    found = equations.missing_functions(changed("1.2", function=name), CODE)
    assert found == [f"equations.yml: 1.2 names {name}, which does not exist"]


@pytest.mark.parametrize("name", ["tests/test_gaussian.py::test_stop", "tests/test_none.py::test_step"])
def test_finds_a_missing_test(name):
    assert equations.missing_tests(changed("1.2", test=name), CHECKED) == [
        f"equations.yml: 1.2 names {name}, which does not exist"
    ]


def test_finds_a_docstring_that_cites_an_unknown_equation():
    wrong = {"ddpm_core/loss.py": 'x = 1\n\n\ndef f():\n    """[Ho 2020, Eq. 14; chapter 1, Eqs. 1.2, 1.3]"""\n'}
    assert equations.unknown_citations(GOOD, wrong) == [
        "ddpm_core/loss.py:4 cites equation 1.3, which equations.yml does not know"
    ]


def test_finds_an_old_page():
    old = equations.render(GOOD, PAGE, ADDRESS)
    assert equations.out_of_date(old, changed("1.2", name="two steps"), PAGE, ADDRESS)
    assert equations.out_of_date(old, GOOD, page("# The forward process", "# Forwards"), ADDRESS)
    assert equations.out_of_date(old, GOOD, PAGE, "https://example.org/somebody/else")


def test_refuses_numbers_that_yaml_would_round():
    with pytest.raises(ValueError, match="in quotes"):
        equations.load(YML.replace('"1.10"', "1.10"))
    with pytest.raises(ValueError, match=re.escape("1.2 lacks source, test")):
        equations.load(re.sub(r"(?m)^  (source|test): .*Ho.*\n|^  test: tests/\S+\n", "", YML, count=2))


def test_the_page_leads_both_ways():
    text = equations.render(GOOD, PAGE, ADDRESS)
    assert text.index(">1.2</a>") < text.index(">1.10</a>")
    assert '<a href="01-forward.html#eq-1-2">1.2</a>' in text
    assert f"[`gaussian.q_step`]({ADDRESS}/blob/main/ddpm_core/diffusion/gaussian.py)" in text
    assert "the sum $a \\| b$" in text
    assert "## The forward process" in text
    back = text[text.index("## From function to equation") :]
    assert back.index("1.2</a>, <a") < back.index("`schedule.Schedule.snr`")
