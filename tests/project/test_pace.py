"""Reading times are counted from the text, by rates that are written down."""

import notebooks
import pace
import pytest
import sections


def test_five_thousand_words_and_fifteen_equations_are_two_and_a_half_hours():
    assert pace.spoken(pace.Counts(words=5000, numbered=15).minutes) == "2 h 30 min"


@pytest.mark.parametrize(
    ("text", "counted"),
    [
        ("Four words are here.", (4, 0, 0)),
        ("A formula $x_t + 1$ is a word.", (6, 0, 0)),
        ("$$ a = b \\tag{1.1} $$\n\nSo\n\n$$ c $$", (1, 1, 1)),
        ("See [the book](01-forward-process.html).", (3, 0, 0)),
        ("One\n\n<details>\n<summary>Why?</summary>\n\nMany words.\n\n$$ x $$\n\n</details>\n\ntwo", (2, 0, 0)),
        ("One\n\n```python\nmany = words\n```\n\ntwo", (2, 0, 0)),
        ('<a id="eq-1-1"></a>\n\n| one | two |\n|---|---|', (2, 0, 0)),
    ],
)
def test_what_counts(text, counted):
    assert pace.count(text) == pace.Counts(*counted)


@pytest.mark.parametrize(("minutes", "said"), [(0, "5 min"), (33, "35 min"), (60, "1 h"), (104, "1 h 45 min")])
def test_minutes_are_said_to_the_next_five(minutes, said):
    assert pace.spoken(minutes) == said


def stamped(text):
    return [{"cell_type": "code", "source": "plot.ran_on()", "outputs": [{"text": [text]}]}]


def test_the_run_is_what_the_stamp_says():
    assert pace.ran(stamped("Ran on 2026-11-30 on 1 CPU core in 27 s\n")) == (
        "Its cells ran in 27 s on 1 CPU core, no GPU needed"
    )
    assert pace.ran(stamped("Ran on 2026-11-30 on NVIDIA X in 9 s\n")) == "Its cells ran in 9 s on NVIDIA X"
    assert "not measured" in pace.ran([]) and "not measured" in pace.ran(stamped("Ran away"))


@pytest.mark.parametrize("name", notebooks.chapters())
def test_every_chapter_says_how_long_it_takes(name):
    cells = sections.chapter(name)
    shown = pace.front(cells)
    assert "Reading: " in shown and "not measured" not in shown
    for part in sections.cut(cells):
        assert part.title in ("", "Exercises") or f'href="#{part.anchor}"' in shown
