"""Style sheets without the rules that nothing asks for."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / "tools"))

import sheets

CSS = """@charset "utf-8"; .a, .b > .c:not(.z), p.d { color: red } @font-face { src: url("data:x;})('") }
@media (min-width: 1px) { .b { x: "}" } .a { & .b { y: 1 } } } @supports (a: b) { .b {} } #e .a, .bs-made { z: 1 }"""


def test_rules_stay_where_all_their_names_are_known():
    assert sheets.needed(CSS, {"a", "d"}).splitlines() == [
        '@charset "utf-8";',
        ".a,p.d{color: red}",
        """@font-face{ src: url("data:x;})('") }""",
        "@media (min-width: 1px){.a{& .b { y: 1 }}}",
        ".bs-made{z: 1}",
    ]
    assert sheets.needed(CSS, {"a", "b", "c", "d", "e"}).count(".b") == 5
    assert sheets.parted(":is(a, b:not(c, d)) > p, q[x='1,2']") == [":is(a, b:not(c, d)) > p", " q[x='1,2']"]


def test_words_are_those_of_pages_and_scripts(tmp_path):
    (tmp_path / "a.html").write_text('<p class="one two-three">four</p>')
    (tmp_path / "b.mjs").write_text("x.classList.add('five')")
    (tmp_path / "c.css").write_text(".six {}")
    assert {"one", "two-three", "four", "five"} <= sheets.words(tmp_path)
    assert "six" not in sheets.words(tmp_path)
