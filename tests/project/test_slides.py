"""The slides of a path show what the chapters say, set and drew, and nothing that was written for them."""

import re
from types import SimpleNamespace

import paths
import policy
import pytest
import sections
import slides

EVERY = pytest.mark.parametrize("length", paths.LENGTHS)
SVG = '<svg xmlns="http://www.w3.org/2000/svg" class="ddpm-drawing" width="9" height="9" viewBox="0 0 9 9">\n'
SVG += '<path id="p"/><use href="#p"/><svg class="narrow" display="none" viewBox="0 0 4 4">\n<path/></svg>\n</svg>\n'
TEXT = (
    """# 3. A chapter

## A $x_0$ of one

Short and *clean* [at last](03-posterior.ipynb). It goes on. """
    + "And on, word after word after word. " * 9
    + """

$$ a = b \\tag{3.1} $$

$$ not = numbered $$

$$ c = d \\tag{3.2} $$

| x | y |
|---|---|
| 1 | 2 |

<details>

$$ folded = away \\tag{3.9} $$

</details>

## Another
"""
)


def cell(**data):
    told = {"mystnb": {"image": {"alt": "A <path>."}}}
    return {"cell_type": "code", "source": "", "metadata": told, "outputs": [{"data": data}]}


@pytest.fixture
def page():
    """The slides of a planted path through a planted chapter."""
    text, end = TEXT.split("## Another")
    widget, table = "<div><script>1</script></div>", '<div class="ddpm-table">numbers</div>'
    cells = [
        {"cell_type": "markdown", "source": text},
        cell(**{"image/svg+xml": SVG}),
        cell(**{"text/html": widget}),
        cell(**{"text/html": table}),
        {"cell_type": "markdown", "source": "## Another" + end},
        cell(**{"text/html": '<div class="ddpm-table">not asked for</div>'}),
    ]
    steps = [
        {"minutes": 7, "chapter": "03-x", "sections": ["A $x_0$ of one"], "do": "Ask `why`.", "late": "Do not."},
        {"minutes": 3, "title": "A break", "do": "Breathe."},
        {"minutes": 5, "chapter": "03-x", "exercises": ["3.1", "3.2"], "do": "In pairs."},
    ]
    return slides.render({"title": "One & two", "aim": "All see.", "minutes": 15, "steps": steps}, lambda name: cells)


def test_a_section_becomes_its_words_formulas_drawings_and_tables(page):
    one = page.split('<section class="slide">')[1:]
    assert len(one) == 8  # title; words with 3.1 and a link; 3.2; drawing, table, table in the text; break; exercises
    assert "<h2>One &amp; two</h2>" in one[0] and "All see." in one[0]
    assert (
        "Short and <em>clean</em> at last. It goes on." in one[1] and "(3.1)" in one[1] and 'class="of-clean"' in one[1]
    )
    assert len(re.sub(r"<[^>]*>", " ", one[1].partition('class="said"')[2].partition("</p>")[0]).split()) <= 50
    assert "../book/03-x.html#" in one[1] and "Move it yourself" in one[1]
    assert "(3.2)" in one[2] and "(3.1)" not in one[2]
    assert 'aria-label="A &lt;path&gt;."' in one[3] and "numbers" in one[4] and "<td>1</td>" in one[5]
    assert "A break" in one[6] and "7–10 min" in one[6]
    assert "Exercises 3.1, 3.2" in one[7] and "10–15 min" in one[7]
    assert "numbered<" not in page and "(3.9)" not in page and "not asked for" not in page
    assert "<b>Do:</b> Ask <code>why</code>." in one[1] and "<b>When late:</b> Do not." in one[1]


@EVERY
def test_every_section_of_a_path_has_its_slides(length):
    path = paths.load(length)
    page = slides.render(path)
    headings = re.findall(r"<h2>(.*?)</h2>", page)
    for step in path["steps"]:
        assert {slides.line(name) for name in step.get("sections", [])} <= set(headings)
        for name in step.get("sections", []):
            part = next(part for part in sections.cut(sections.chapter(step["chapter"])) if part.title == name)
            for tag in re.findall(r"\\tag\{(.+?)\}", re.sub(r"(?s)<details.*?</details>", "", part.text)):
                assert f">({tag})<" in page, f"{name} lacks {tag}"


@EVERY
def test_no_markdown_is_left_and_every_part_has_its_own_name(length):
    page = slides.render(paths.load(length))
    words = re.sub(r"<[^>]*>", "", re.sub(r"(?s)<(svg|math|code)\b.*?</\1>", "", page))
    assert not re.findall(r"\*\*|\$|\]\(|`", words)
    names = re.findall(r'\bid="([^"]+)"', page)
    assert len(names) == len(set(names))
    assert "<script>" not in page and not re.search(r"\son\w+=", re.sub(r"(?s)<svg.*?</svg>", "", page))


def test_they_are_written_beside_a_book_that_was_built_and_keep_its_policy(tmp_path):
    app = SimpleNamespace(outdir=tmp_path, builder=SimpleNamespace(format="latex"))
    slides.beside_the_book(app, None)
    assert not list(tmp_path.iterdir())
    app.builder.format = "html"
    slides.beside_the_book(app, None)
    policy.guard(app, None)
    for length in paths.LENGTHS:
        html = (tmp_path / "slides" / f"{length}.html").read_text("utf-8")
        assert "script-src 'self'\"" in html  # no script stands in the page


def test_the_policy_comes_after_the_slides():
    when = {}
    for extension in (slides, policy):
        app = SimpleNamespace(connect=lambda event, act, priority=500, of=extension: when.__setitem__(of, priority))
        extension.setup(app)
    assert when[slides] < when[policy]
