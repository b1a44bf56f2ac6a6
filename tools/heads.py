"""A Sphinx extension: the head of a page, so that it opens quickly and says what it is about.

It says a page's description, fetches the text's font at once, lets no script hold up the first paint, and leaves out
the theme's 1.5 MB of icons as a script: the book's fonts have the two dozen that the pages show.
"""

import re
from pathlib import Path

from docutils import nodes

SHORTEST, LONGEST = 50, 158  # letters of a description
FONT = "fonts/source-serif-400-normal.woff2"
LEFT_OUT = ("fontawesome.js",)
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
    font = f"{root[1] if root else ''}_static/{FONT}"
    font = f'<link rel="preload" href="{font}" as="font" type="font/woff2" crossorigin />'
    head = head.replace("<title>", font + "\n    <title>", 1)
    page = head + end + body
    for name in LEFT_OUT:
        page = re.sub(rf'\s*<script[^>]*src="[^"]*{re.escape(name)}[^"]*"[^>]*></script>', "", page)
    asked = rf'<script src="[^"]*{re.escape(OPTIONS)}[^"]*"></script>'
    page = re.sub(asked, lambda _: f"<script>{options}</script>", page)
    return re.sub(r"<script (?![^>]*\b(?:defer|async)\b)([^>]*\bsrc=)", r"<script defer \1", page)


def lighten(app, failed):
    if failed or app.builder.format != "html":
        return
    out = Path(app.outdir)
    options = (out / "_static" / OPTIONS).read_text("utf-8")
    for path in out.rglob("*.html"):
        if "_static" not in path.parts and 'class="bd-main"' in (html := path.read_text("utf-8")):
            path.write_text(lightened(html, options), "utf-8")


def setup(app):
    app.connect("html-page-context", describe)
    app.connect("build-finished", lighten)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
