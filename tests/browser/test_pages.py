"""Every page of the built book in a real browser: quiet, reachable, readable on a phone, open to everyone.

    make book && .venv/bin/python -m pytest tests/browser

The end of this file plants a bad page to show that each check would catch it.
"""

import json
import re
from html.parser import HTMLParser
from importlib.resources import files
from urllib.parse import unquote, urljoin, urlsplit

import pytest
import yaml
from serving import HTML, served

ROOT = HTML.parents[1]
AXE = (files("axe_playwright_python") / "axe.min.js").read_text()
HEAVIEST = 1_000_000  # bytes a page may bring along, without what the theme shares among all pages

# What axe finds in the theme itself, by rule and element; anything else, and the same rule elsewhere, is a failure.
THEME: set[tuple[str, str]] = set()
# Errors on the console that belong to the theme: none since _config.yml names the default mode.
CONSOLE = set()


def contents():
    """The pages of the book as paths, from its table of contents, and those that Sphinx adds."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    chapters = [entry["file"] for part in toc["parts"] for entry in part["chapters"]]
    return [f"/{name}.html" for name in [toc["root"], *chapters]]


PAGES = contents()
EVERY = [*PAGES, "/index.html", "/search.html", "/genindex.html"]
LOOKS = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {"width": 390, "height": 844, "color_scheme": "light"},
}


# ---- The checks --------------------------------------------------------------------------------------------


def violations(page):
    """What axe-core complains about beyond the theme's own flaws, as sentences."""
    page.evaluate(AXE)
    # A colour that is still fading in would be measured half-way.
    page.evaluate(
        """Promise.all(document.getAnimations().filter(a => isFinite(a.effect.getComputedTiming().endTime))
            .map(a => a.finished.catch(() => null)))"""
    )
    found = page.evaluate("axe.run({resultTypes: ['violations']})")["violations"]
    return [
        f"{rule['id']} at {' '.join(map(str, node['target']))}: {rule['help']}: {node['html'][:120]}"
        for rule in found
        for node in rule["nodes"]
        if (rule["id"], " ".join(map(str, node["target"]))) not in THEME
    ]


def sideways(page):
    """How many pixels a reader can scroll to the right, and what sticks out."""
    return page.evaluate(
        """() => {
            const width = document.documentElement.clientWidth;
            if (document.scrollingElement.scrollWidth <= width) return [];
            const scrolls = e => {
                for (let p = e.parentElement; p && p !== document.body; p = p.parentElement)
                    if (getComputedStyle(p).overflowX !== 'visible') return true;
                return false;
            };
            const wide = [...document.body.querySelectorAll('*')].filter(
                e => e.getBoundingClientRect().right > width + 1 && !scrolls(e));
            return [document.scrollingElement.scrollWidth - width + ' px too wide: '
                + wide.slice(0, 5).map(e => e.tagName + '.' + e.className).join(', ')];
        }"""
    )


def cut_off(page):
    """Equations, tables and code that are wider than the page and that nothing lets a reader scroll."""
    return page.evaluate(
        """() => {
            const scrolls = e => e.scrollWidth > e.clientWidth + 1
                && ['auto', 'scroll'].includes(getComputedStyle(e).overflowX);
            const scroller = e => !e || e.matches('.bd-article, body') ? null
                : scrolls(e) ? e : scroller(e.parentElement);
            const wide = document.documentElement.clientWidth;
            return [...document.querySelectorAll('.math, .bd-article table, .bd-article pre')].flatMap(e => {
                const {left, right, width} = (scroller(e) || e).getBoundingClientRect();
                return width === 0 || (left >= -1 && right <= wide + 1) ? [] : [e.tagName + ' from '
                    + Math.round(left) + ' to ' + Math.round(right) + ': ' + e.textContent.trim().slice(0, 60)];
            });
        }"""
    )


def weight(page):
    """Bytes of a page's own, HTML and pictures, in all and by file; what lies in _static is shared by all pages.

    Formulas are not counted: they stand in the page, set, in the place of a script that would set them.
    """
    asked = page.evaluate("performance.getEntriesByType('resource').map(resource => resource.name)")
    paths = {unquote(urlsplit(address).path) for address in [page.url, *asked]}
    own = [HTML / path.lstrip("/") for path in sorted(paths) if not path.startswith("/_static/")]
    sizes = {path.name: path.stat().st_size for path in own if path.is_file()}
    sizes["formulas, not counted"] = -sum(map(len, re.findall(r"<math.*?</math>", page.content(), re.DOTALL)))
    return sum(sizes.values()), sizes


def lost_on_paper(page):
    """What a page loses when it is printed: code and output beyond the margin, text too light for white paper."""
    page.emulate_media(media="print")
    return page.evaluate(
        """() => {
            const cut = [...document.querySelectorAll('.bd-article pre')]
                .filter(e => e.scrollWidth > e.clientWidth + 1);
            const light = e => { const [r, g, b] = getComputedStyle(e).color.match(/[\\d.]+/g).map(Number);
                                 return 0.299 * r + 0.587 * g + 0.114 * b > 150; };
            const pale = [...document.querySelectorAll('.bd-article p, .bd-article pre, .bd-article td')].filter(light);
            return [...cut.map(e => 'cut at the margin: ' + e.textContent.trim().slice(0, 60)),
                    ...pale.map(e => 'too light for paper: ' + e.textContent.trim().slice(0, 60))];
        }"""
    )


class Addresses(HTMLParser):
    """Collects the links of a page and the ids that others may link to."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.links, self.ids = [], set()

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.ids |= {values[name] for name in ("id", "name") if values.get(name)}
        if tag == "a" and values.get("href"):
            self.links.append(values["href"])


def read(html):
    """The links and ids in some HTML."""
    parser = Addresses()
    parser.feed(html)
    return parser


def dead_links(pages, exists):
    """Links within the site that lead to no file or no place; ``exists`` tells of paths that are no pages."""
    parsed = {path: read(html) for path, html in pages.items()}
    found = []
    for path, page in parsed.items():
        for link in page.links:
            url = urlsplit(urljoin(f"http://site{path}", link))
            target = unquote(url.path)
            if url.scheme != "http" or url.netloc != "site":
                continue
            if target not in parsed and not exists(target):
                found.append(f"{path}: {link} leads to no page")
            elif "=" in url.fragment:  # not a place, but settings for the page's own script
                continue
            elif target in parsed and url.fragment and unquote(url.fragment) not in parsed[target].ids:
                found.append(f"{path}: {link} leads to no place on its page")
    return found


# ---- The book ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("path", EVERY)
def test_page(open_page, path, look):
    """Opens quietly, stays on its site, axe finds nothing, nothing sticks out."""
    page = open_page(path, bypass_csp=False, **LOOKS[look])
    page.log.console_errors = [text for text in page.log.console_errors if text not in CONSOLE]
    found = page.log.complaints() + violations(page)
    if look == "phone":
        found += sideways(page) + cut_off(page)
    assert not found, "\n".join(["", *found])


@pytest.mark.parametrize("path", PAGES)
def test_page_is_light(open_page, path):
    total, sizes = weight(open_page(path))
    assert total <= HEAVIEST, f"{total:,} bytes: {json.dumps(sizes, indent=1)}"


A4 = {"width": 718, "height": 1000}  # less its margins


@pytest.mark.parametrize("path", PAGES)
def test_nothing_is_lost_on_paper(open_page, path):
    """From the dark theme, whose colours would not do."""
    found = lost_on_paper(open_page(path, color_scheme="dark", **A4))
    assert not found, "\n".join(["", *found])


def test_every_link_leads_somewhere():
    pages = {f"/{path.relative_to(HTML).as_posix()}": path.read_text() for path in HTML.rglob("*.html")}
    pages = {path: html for path, html in pages.items() if not path.startswith("/_static/")}
    found = dead_links(pages, lambda path: (HTML / path.lstrip("/")).is_file())
    assert not found, "\n".join(["", *found])


def test_the_build_holds_the_contents_and_nothing_else():
    built = {f"/{path.relative_to(HTML).as_posix()}" for path in (HTML / "book").rglob("*.html")}
    assert built == set(PAGES), "run `make book`"


@pytest.mark.parametrize("look", ["light", "dark"])
def test_pictures_and_widgets_fit_the_theme(open_page, look):
    """An HTML output stands on the page, not on a light box; a drawing has the page's text colour and no ground."""
    page = open_page("/book/01-forward-process.html", **LOOKS[look])
    boxes = page.evaluate(
        """[...document.querySelectorAll('.cell_output .text_html')].map(
            e => getComputedStyle(e).backgroundColor)"""
    )
    assert set(boxes) <= {"rgba(0, 0, 0, 0)"}
    drawings, text = page.evaluate(
        """[[...document.querySelectorAll('.ddpm-drawing > svg')].flatMap(svg => [getComputedStyle(svg).backgroundColor,
            ...[...svg.querySelectorAll('text')].map(text => getComputedStyle(text).fill)]),
            getComputedStyle(document.querySelector('.bd-article section section > p')).color]"""
    )
    assert set(drawings) == {"rgba(0, 0, 0, 0)", text} and len(drawings) > 40


# ---- A bad page --------------------------------------------------------------------------------------------

BAD = """<!doctype html><html lang="en"><head><title>Bad</title>
<link rel="icon" href="data:,"><script src="/missing.js"></script><script src="http://elsewhere.invalid/x.js"></script>
</head><body><main class="bd-article"><h1>Bad</h1><img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">
<p style="color:#ccc;background:#fff">too pale</p><table style="width:900px"><tr><td>wide</td></tr></table>
<a id="here" href="#there">x</a></main>
<script>console.error("planted"); throw new Error("thrown")</script></body></html>
"""
FINE = """<!doctype html><html lang="en"><head><title>Fine</title><link rel="icon" href="data:,"></head>
<body><main class="bd-article"><h1>Fine</h1><div style="overflow-x:auto" tabindex="0">
<table style="width:900px"><tr><td>wide</td></tr></table></div></main></body></html>
"""


@pytest.fixture
def planted(tmp_path):
    """A site of a bad page and a fine one."""
    (tmp_path / "bad.html").write_text(BAD)
    (tmp_path / "fine.html").write_text(FINE)
    with served(tmp_path) as base:
        yield base


@pytest.fixture
def open_planted(open_page, planted):
    """Opens a planted page on a phone."""
    return lambda path: open_page(path, base=planted, width=390, height=844)


def test_a_fine_page_passes(open_planted):
    page = open_planted("/fine.html")
    assert page.log.complaints() + violations(page) + sideways(page) + cut_off(page) == []


def test_the_gate_catches_a_bad_page(open_planted):
    page = open_planted("/bad.html")
    assert page.log.page_errors == ["thrown"]
    assert "planted" in page.log.console_errors
    assert [text.split()[0] for text in page.log.bad_responses] == ["404"]
    assert page.log.outside == ["http://elsewhere.invalid/x.js"]
    assert {text.split()[0] for text in violations(page)} >= {"image-alt", "color-contrast"}
    assert "px too wide" in sideways(page)[0]
    assert cut_off(page)[0].startswith("TABLE")


def test_the_gate_catches_what_paper_would_lose(open_page, tmp_path):
    bad = f'<div class="bd-article"><p style="color: #ddd">pale</p><pre>{"wide " * 200}</pre></div>'
    (tmp_path / "bad.html").write_text(FINE.replace("<h1>Fine</h1>", f"<h1>Fine</h1>{bad}"))
    with served(tmp_path) as base:
        cut, pale = lost_on_paper(open_page("/bad.html", base=base, **A4))
        assert cut.startswith("cut at the margin: wide wide") and pale == "too light for paper: pale"


def test_the_gate_catches_dead_links():
    links = '<a href="y.html#p">y</a> <a href="z.html">z</a> <a href="#q">q</a> <a href="y.html#steps=3&n=1">s</a>'
    pages = {"/a/x.html": links, "/a/y.html": "<p id=p>"}
    assert dead_links(pages, lambda path: False) == [
        "/a/x.html: z.html leads to no page",
        "/a/x.html: #q leads to no place on its page",
    ]
    assert dead_links(pages, lambda path: path == "/a/z.html") == ["/a/x.html: #q leads to no place on its page"]
