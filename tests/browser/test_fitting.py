"""Nothing on a page is cut off, the words in figures can be read, and no figure is a white sheet in the dark."""

import re

import pytest
from fitting import misfits
from serving import served
from test_pages import PAGES

# Pages on which something is cut off, too small or white. One that fits must leave this list: no page joins it.
NOT_YET: set[str] = set()


@pytest.mark.parametrize("path", PAGES)
def test_everything_fits(open_page, path):
    found = misfits(open_page(path))
    if path in NOT_YET:
        assert found, f"{path} fits by now: take it off the list of those that do not."
    else:
        assert not found, "\n".join(["", *found])


# ---- A bad page --------------------------------------------------------------------------------------------

PAGE = """<!doctype html><html lang="en"><head><title>Page</title><link rel="icon" href="data:,">
<style>.bd-article {{ width: 600px; background: #111; }} pre, .box {{ overflow-x: auto; }}
.narrow {{ display: none; }} @media (max-width: 500px) {{ .wide {{ display: none; }} .narrow {{ display: block; }} }}
.bd-article {{ max-width: 100%; }} svg, img {{ max-width: 100%; height: auto; }}</style></head>
<body style="margin: 0"><main class="bd-article">{}</main></body></html>"""
DRAWING = """<div class="ddpm-drawing"><svg class="wide" width="{0}" height="100" viewBox="0 0 {0} 100">{1}</svg>
<svg class="narrow" width="300" height="100" viewBox="0 0 300 100"><text y="50" font-size="{2}">narrow</text></svg>
</div>"""
FINE = "<pre>short</pre><div class='box'><table><tr><td>1</td></tr></table></div>" + DRAWING.format(
    500, "<text y='50' font-size='12'>wide</text><path d='M0 0h5v5z' fill='#fff'/>", 12
)
WHITE = (
    "<svg xmlns='http://www.w3.org/2000/svg' width='90' height='90'><rect width='90' height='90' fill='white'/></svg>"
)


@pytest.fixture
def misfits_of(open_page, tmp_path):
    """The misfits of a page with this inside."""

    def measure(inside):
        (tmp_path / "page.html").write_text(PAGE.format(inside))
        with served(tmp_path) as base:
            return misfits(open_page("/page.html", base=base))

    return measure


def test_a_fine_page_fits(misfits_of):
    assert misfits_of(FINE) == []


@pytest.mark.parametrize(
    ("bad", "complaint"),
    [
        (f"<pre>x = 1\nlong = {'1 + ' * 50}</pre>", "at 1280 px, pre, .* px cut off: long = 1"),
        (
            f"<details><summary>code</summary><pre>{'folded ' * 50}</pre></details>",
            "at 1280 px, pre, .* cut off: folded",
        ),
        (
            "<div class='box'><table style='width: 900px'><tr><td>wide</td></tr></table></div>",
            "table, 300 px cut off: wide",
        ),
        ("<table style='width: 900px'><tr><td>out</td></tr></table>", "table, 299 px cut off: out"),
        (
            "<math display='block' style='width: 800px'><mn>1</mn><mo>+</mo><mn>1</mn></math>",
            "math, .* cut off: 1.1",
        ),
        (DRAWING.format(900, "<text y='50' font-size='12'>shrunk</text>", 12), "at 1280 px, 8.0 px: shrunk"),
        (DRAWING.format(500, "<text y='50' font-size='12'>fine</text>", 9), "on a phone, 9.0 px: narrow"),
        (DRAWING.format(500, "<rect width='400' height='90' fill='#fff'/>", 12), "a white sheet"),
        (f'<img alt="a plot" src="data:image/svg+xml,{WHITE.replace("#", "%23")}">', "a white sheet: a plot"),
    ],
)
def test_the_gate_catches_what_does_not_fit(misfits_of, bad, complaint):
    found = misfits_of(FINE + bad)
    assert len(found) == 1 and re.search(complaint, found[0]), found
