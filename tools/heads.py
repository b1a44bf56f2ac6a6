"""A Sphinx extension: the head of a page, so that it opens quickly and says what it is about.

It says a page's description, fetches the fonts of text and formulas at once, and lets no script hold up the first
paint. It leaves out the theme's 1.5 MB of icons as a script, since the book's fonts
have the two dozen that the pages show, and the index of the search on all pages but its own. A dozen style sheets
become one, without the rules that no page uses.
"""

import hashlib
import posixpath
import re
from functools import cache
from pathlib import Path

import sheets
from docutils import nodes

SHORTEST, LONGEST = 50, 158  # letters of a description
FONT = "fonts/source-serif-400-normal.woff2"
OF_FORMULAS = "fonts/mathematics.woff2"
LEFT_OUT = ("fontawesome.js",)
OF_SEARCH = ("searchindex.js", "searchtools.js", "language_data.js")
# Those that the book's fonts have (book/_static/fonts/README.md): the theme's rules for 1,500 others are left out.
ICONS = (
    "f002 f00d f019 f03a f042 f053 f054 f058 f05a f062 f065 f06a f071 f078 f08e f09b f0c1 f0c9 f0eb f104 f105 f107 "
    "f135 f15b f185 f186 f1c1"
)
OPTIONS = "documentation_options.js"  # inline scripts need it at once, so it stands in the page


def described(doctree: nodes.document) -> str:
    """The first sentences of a page's first real paragraph, as many as a search engine shows."""
    for paragraph in doctree.findall(nodes.paragraph):
        text = " ".join(paragraph.astext().split())
        if len(text) >= SHORTEST and isinstance(paragraph.parent, nodes.section):
            break
    else:
        return ""
    if len(text) <= LONGEST:
        return text
    sentences = re.match(r".*[.?!](?= )", text[: LONGEST + 1])
    return sentences[0] if sentences else text[: LONGEST - 3].rpartition(" ")[0] + " ..."


def describe(app, pagename, templatename, context, doctree):
    text = described(doctree) if doctree is not None else ""
    if text and 'name="description"' not in context.get("metatags", ""):
        said = text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
        context["metatags"] = context.get("metatags", "") + f'<meta name="description" content="{said}" />\n'


def lightened(html: str, options: str) -> str:
    """A page's HTML whose scripts wait for it: `options` is what documentation_options.js says."""
    head, end, body = html.partition("</head>")
    seen = []

    def once(match):
        seen.append(match)
        return match[0] if len(seen) == 1 else ""

    head = re.sub(r'\s*<meta name="viewport"[^>]*>', once, head)
    root = re.search(r'data-content_root="([^"]*)"', head)
    fonts = [FONT, OF_FORMULAS] if "<math" in body else [FONT]
    here = f"{root[1] if root else ''}_static/"
    early = [f'<link rel="preload" href="{here}{font}" as="font" type="font/woff2" crossorigin />' for font in fonts]
    head = re.sub(r'\s*<link rel="preload" as="script"[^>]*>', "", head)  # they come early enough, and styles first
    head = head.replace("<title>", "\n    ".join([*early, "<title>"]), 1)
    # The logo stands in the sidebar, which is a landmark, so that it is reached by one, too.
    sidebar = 'class="bd-sidebar-primary bd-sidebar'
    body = body.replace(sidebar, f'role="complementary" aria-label="The book" {sidebar}', 1)
    page = head + end + body
    searches = 'id="search-results"' in body
    for name in LEFT_OUT if searches else LEFT_OUT + OF_SEARCH:
        page = re.sub(rf'\s*<script[^>]*src="[^"]*{re.escape(name)}[^"]*"[^>]*></script>', "", page)
    asked = rf'<script src="[^"]*{re.escape(OPTIONS)}[^"]*"></script>'
    page = re.sub(asked, lambda _: f"<script>{options}</script>", page)
    return re.sub(r"<script (?![^>]*\b(?:defer|async)\b)([^>]*\bsrc=)", r"<script defer \1", page)


@cache
def gathered(static: Path, names: tuple[str, ...], known: frozenset[str] | None = None) -> str:
    """The name of one style sheet, written into the folder `static`, that says what all of `names` say, in order.

    Where words are `known`, without the rules that ask for others.
    """
    text = "\n".join(moved(static, name) for name in names)
    text = text if known is None else sheets.needed(text, known)
    name = f"all-{hashlib.sha256(text.encode()).hexdigest()[:8]}.css"
    (static / name).write_text(text, "utf-8")
    return name


def moved(static: Path, sheet: str) -> str:
    """A style sheet with what it imports, its addresses as they read from the folder `static` itself."""

    def here(place):
        return posixpath.normpath(posixpath.join(posixpath.dirname(sheet), place.strip("\"' ")))

    def address(match):
        if match[1]:
            return moved(static, here(match[1]))
        place = match[2].strip("\"' ")
        return match[0] if re.match(r"[a-z]+:|[/#]", place) else f"url({here(place)})"

    def icon(match):
        return match[0] if match[2] in ICONS else ""

    text = re.sub(r"/\*.*?\*/", "", (static / sheet).read_text("utf-8"), flags=re.S)
    text = re.sub(r'((?:\.fa-[\w-]+:before,?)+)\{content:"\\([0-9a-f]+)"\}', icon, text)
    return re.sub(r"""@import\s+(?:url\()?["']?([^"')]+)["']?\)?\s*;|url\(([^)]*)\)""", address, text)


def styled(html: str, static: Path, known: frozenset[str] | None = None) -> str:
    """A page's HTML with one style sheet in place of those it asks for in a row."""
    links = list(re.finditer(r'<link[^>]*href="([^"]*?_static/)([^"?]+)[^"]*"[^>]*rel="stylesheet"[^>]*>', html))
    links += re.finditer(r'<link rel="stylesheet"[^>]*href="([^"]*?_static/)([^"?]+)[^"]*"[^>]*>', html)
    links.sort(key=lambda link: link.start())
    name = gathered(static, tuple(link[2] for link in links), known)
    for link in reversed(links[1:]):
        html = html[: link.start()] + html[link.end() :]
    return html.replace(links[0][0], f'<link href="{links[0][1]}{name}" rel="stylesheet" />', 1)


def lighten(app, failed):
    if failed or app.builder.format != "html":
        return
    out = Path(app.outdir)
    known = frozenset(sheets.words(out))
    options = (out / "_static" / OPTIONS).read_text("utf-8")
    gathered.cache_clear()
    for path in out.rglob("*.html"):
        if "_static" not in path.parts and 'class="bd-main"' in (html := path.read_text("utf-8")):
            path.write_text(lightened(styled(html, out / "_static", known), options), "utf-8")


def setup(app):
    app.connect("html-page-context", describe)
    app.connect("build-finished", lighten, priority=900)  # after the theme has written its colours of code
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
