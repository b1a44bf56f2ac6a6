"""The design: fonts that are free and light, colours that everyone can tell apart, defined once."""

import re
import sys
from itertools import combinations, product
from pathlib import Path

import numpy as np
import pytest
from docutils import nodes
from docutils.core import publish_doctree

from ddpm_core.book import plot

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tools"))

import heads  # noqa: E402
import marks  # noqa: E402

STATIC = ROOT / "book" / "_static"
FONTS = STATIC / "fonts"
DESIGN = (STATIC / "design.css").read_text("utf-8")
MEANINGS = {"clean": plot.CLEAN, "noise": plot.NOISE, "noisy": plot.NOISY}
GROUNDS = {"light": "#ffffff", "dark": "#121212"}  # of the theme
# What a reader without one kind of cone sees, in linear light (Machado, Oliveira and Fernandes 2009, severity 1).
EYES = {
    "usual": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def light(colour):
    """Red, green and blue of "#rrggbb" as amounts of light."""
    c = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def contrast(one, other):
    """The contrast of WCAG, 1 to 21."""
    low, high = sorted(float(light(colour) @ [0.2126, 0.7152, 0.0722]) for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


def difference(one, other, eye):
    """How far apart two colours look: Delta E of 1976; about 2 is the least that anyone sees side by side."""

    def lab(colour):
        rgb = np.clip(np.array(EYES[eye]) @ light(colour), 0, 1)
        xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ rgb
        white = xyz / [0.9505, 1, 1.089]
        x, y, z = np.where(white > 0.008856, np.cbrt(white), 7.787 * white + 16 / 116)
        return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])

    return float(np.linalg.norm(lab(one) - lab(other)))


def of_theme(theme):
    """The accent and the three colours of one theme."""
    rule = re.search(rf'html\[data-theme="{theme}"\] {{ (--accent[^}}]*)}}', DESIGN)[1]
    return dict(re.findall(r"--([a-z]+): (#[0-9a-f]{6})", rule))


def test_contrast_is_that_of_the_standard():
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert difference("#000000", "#ffffff", "usual") == pytest.approx(100, abs=0.1)


@pytest.mark.parametrize("theme", GROUNDS)
def test_every_colour_can_be_read_as_text(theme):
    found = of_theme(theme)
    assert set(found) == {"accent", *MEANINGS}
    assert min(contrast(colour, GROUNDS[theme]) for colour in found.values()) >= 4.5


def test_a_plots_colours_stand_out_on_both_grounds():
    assert min(contrast(c, ground) for c, ground in product(MEANINGS.values(), GROUNDS.values())) >= 3


@pytest.mark.parametrize("eye", EYES)
@pytest.mark.parametrize("colours", [*GROUNDS, "plots"])
def test_no_reader_takes_one_colour_for_another(colours, eye):
    found = MEANINGS if colours == "plots" else {name: of_theme(colours)[name] for name in MEANINGS}
    assert min(difference(one, other, eye) for one, other in combinations(found.values(), 2)) >= 15


def test_widgets_fall_back_on_the_colours_of_plots():
    used = set()
    for style in (ROOT / "ddpm_core" / "book" / "widgets" / "assets").glob("*.css"):
        used |= set(re.findall(r"var\(--(clean|noise|noisy), (#[0-9a-f]{6})\)", style.read_text("utf-8")))
    assert used == set(MEANINGS.items())


def test_fonts_are_light_and_each_is_used():
    files = {path.name for path in FONTS.glob("*.woff2")}
    assert sum((FONTS / name).stat().st_size for name in files) <= 150_000
    assert files == set(re.findall(r"url\(fonts/([^)]*)\)", (STATIC / "fonts.css").read_text("utf-8")))
    assert heads.FONT.removeprefix("fonts/") in files


def test_a_licence_lies_beside_each_font():
    assert "GUST Font License" in (FONTS / "LICENSE-mathematics.txt").read_text("utf-8")
    for name in {re.match(r"[a-z]+(-(serif|sans|code))?", path.name)[0] for path in FONTS.glob("*.woff2")} - {
        "mathematics"
    }:
        words = (FONTS / f"LICENSE-{name}.txt").read_text("utf-8")
        assert words.startswith("Copyright") and "SIL OPEN FONT LICENSE Version 1.1" in words


# ---- Marks and heads -----------------------------------------------------------------------------------------


def read(text):
    doctree = publish_doctree(text)
    marks.mark(None, doctree)
    return doctree


@pytest.mark.parametrize(
    "text, classes",
    [
        ("  **Mind this.** A short word.", ["margin"]),
        ("  **Aside.** A short word.", ["margin"]),
        ("  **Something else.** A short word.", []),
        ("  A short word.", []),
        ("  **Mind this.** One paragraph.\n\n  And another.", []),
        ("  **Mind this.** " + "Long. " * 100, []),
    ],
)
def test_a_short_aside_goes_to_the_margin(text, classes):
    (quote,) = read(f"Before.\n\n{text}\n\nAfter.\n").findall(nodes.block_quote)
    assert quote["classes"] == classes


def test_code_that_is_a_symbol_has_its_colour():
    found = read("The code ``x_t`` mixes ``x_0`` and ``eps`` but not ``x_test``.\n").findall(nodes.literal)
    assert [code["classes"] for code in found] == [["of-noisy"], ["of-clean"], ["of-noise"], []]


def test_a_page_is_described_by_its_first_sentences():
    text = "Chapter\n=======\n\nShort.\n\n  A quotation that is long enough, but is no part of the page's own text.\n\n"
    first = "How do you destroy a picture so gently that the damage could be undone? "
    doctree = publish_doctree(text + first + "We " + "really " * 20 + "do.\n\nEnd\n===\n\nx\n")
    assert heads.described(doctree) == first.strip()
    assert len(heads.described(publish_doctree("word " * 60))) <= 158
    assert heads.described(publish_doctree("")) == ""


def test_scripts_of_a_page_wait_for_it():
    html = """<html data-content_root="../"><head><meta name="viewport" content="a" />
<meta name="viewport" content="b"/>
<title>T</title><script defer src="../_static/scripts/fontawesome.js?digest=1"></script>
<script src="../_static/documentation_options.js?v=1"></script><script src="x.js"></script><script>inline</script>
<script defer="defer" src="y.js"></script></head><body class="bd-main"><script async src="z.js"></script></body>"""
    found = heads.lightened(html, "const DOCUMENTATION_OPTIONS = {};")
    assert found.count("viewport") == 1 and "fontawesome" not in found
    assert f'href="../_static/{heads.FONT}"' in found.partition("<title>")[0]
    assert "<script>const DOCUMENTATION_OPTIONS = {};</script>" in found
    assert '<script defer src="x.js">' in found and "<script>inline</script>" in found
    assert '<script defer="defer" src="y.js">' in found and '<script async src="z.js">' in found


def test_a_page_with_formulas_fetches_their_font_at_once_and_no_other_does():
    html = '<html data-content_root="../"><head><title>T</title></head><body class="bd-main">{}</body>'
    assert f'href="../_static/{heads.OF_FORMULAS}" as="font"' in heads.lightened(html.format("<math></math>"), "")
    assert heads.OF_FORMULAS not in heads.lightened(html.format("<p>mathematics</p>"), "")


def test_the_index_of_the_search_is_on_its_own_page_alone():
    html = '<head><script src="searchindex.js"></script></head><body class="bd-main">{}</body>'
    assert "searchindex" not in heads.lightened(html.format(""), "")
    assert "searchindex" in heads.lightened(html.format('<div id="search-results"></div>'), "")


def test_style_sheets_become_one_and_their_addresses_hold(tmp_path):
    (tmp_path / "styles").mkdir()
    (tmp_path / "styles" / "a.css").write_text('@import "../b.css";\n.a { src: url("../fonts/a.woff2"); } /* a word */')
    (tmp_path / "b.css").write_text(".b { src: url(b.png), url(data:x), url(https://c.d/e) }")
    (tmp_path / "c.css").write_text('.fa-sun:before{content:"\\f185"}.fa-x:before,.fa-y:before{content:"\\f999"}.c{}')
    links = '<link href="../_static/styles/a.css?digest=1" rel="stylesheet" />\n'
    links += '<link rel="stylesheet" type="text/css" href="../_static/c.css?v=2" />'
    html = heads.styled(f"<head><title>T</title>{links}</head>", tmp_path)
    (name,) = re.findall(r'<link href="\.\./_static/(all-[0-9a-f]+\.css)" rel="stylesheet" />', html)
    assert html.count("<link") == 1
    text = (tmp_path / name).read_text()
    assert text.index(".b {") < text.index(".a {") < text.index(".c{")
    assert re.findall(r"url\(([^)]*)\)", text) == ["b.png", "data:x", "https://c.d/e", "fonts/a.woff2"]
    assert "f185" in text and "f999" not in text and "a word" not in text
