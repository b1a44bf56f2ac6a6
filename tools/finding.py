"""A Sphinx extension: how a reader finds the book, and what they look for in it.

The search knows the letters of a page's formulas by name and by sign: "beta tilde" and "β̃" lead where a formula says
\\tilde\\beta. sitemap.xml lists the pages for search engines, and each page says what a link to it shows elsewhere: its
title, its description and the book's picture.
"""

import re
from html import escape
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import heads
from docutils import nodes

LETTERS = {
    **{"alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ϵ", "eta": "η", "theta": "θ"},
    **{"lambda": "λ", "mu": "μ", "sigma": "σ", "tau": "τ", "phi": "φ"},
}
OTHERWISE = {"epsilon": ("ε", "eps"), "sigma": ("Σ",)}
MARKS = {"tilde": "\u0303", "bar": "\u0304", "hat": "\u0302"}
PICTURE = "_static/front/social.png"
PICTURE_SIZE = (1200, 630)


def words(tex: str) -> set[str]:
    """What a reader may type to find a formula: its Greek letters and its marks, as names and as signs."""
    found = set()
    for name in re.findall(r"\\(?:var)?([a-zA-Z]+)", tex):
        if name in LETTERS:
            found |= {name, LETTERS[name], *OTHERWISE.get(name, ())}
        elif name in MARKS:
            found.add(name)
    for mark, letter in re.findall(r"\\(tilde|bar|hat)\s*\{?\s*\\?(?:var)?([a-zA-Z]+)", tex):
        found.add(LETTERS.get(letter, letter) + MARKS[mark])
    return found


def tell_the_search(app, doctree):
    tex = "\n".join(node.astext() for node in doctree.findall(lambda n: isinstance(n, nodes.math | nodes.math_block)))
    if found := words(tex):
        doctree += nodes.meta("", name="keywords", content=",".join(sorted(found)))


def address(config) -> str:
    """Where the book is published, with a / at its end: html_baseurl, else the repository's own GitHub pages."""
    if config.html_baseurl:
        return config.html_baseurl.rstrip("/") + "/"
    owner, name = urlsplit(config.html_theme_options["repository_url"]).path.strip("/").split("/")
    return f"https://{owner.lower()}.github.io/{name}/"


def preview(title: str, description: str, url: str, home: str) -> str:
    """What a page says to those who show a link to it."""
    said = {"og:type": "article", "og:title": title, "og:description": description, "og:url": url}
    said |= {"og:image": urljoin(home, PICTURE), "og:image:alt": "Sixteen cars that a model of this book has drawn"}
    said |= {"og:image:width": str(PICTURE_SIZE[0]), "og:image:height": str(PICTURE_SIZE[1])}
    tags = [f'<meta property="{name}" content="{escape(text)}" />' for name, text in said.items() if text]
    return "\n".join([*tags, '<meta name="twitter:card" content="summary_large_image" />', ""])


def show(app, pagename, templatename, context, doctree):
    if doctree is None:
        return
    home = address(app.config)
    title = re.sub(r"<[^>]*>", "", context.get("title", "")) or app.config.html_title
    tags = preview(title, heads.described(doctree), f"{home}{pagename}.html", home)
    context["metatags"] = context.get("metatags", "") + tags


def sitemap(home: str, pages) -> str:
    places = "\n".join(f"  <url><loc>{escape(urljoin(home, page + '.html'))}</loc></url>" for page in sorted(pages))
    head = '<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">'
    return f"{head}\n{places}\n</urlset>\n"


def list_pages(app, failed):
    if not failed and app.builder.format == "html":
        (Path(app.outdir) / "sitemap.xml").write_text(sitemap(address(app.config), app.env.found_docs), "utf-8")


def setup(app):
    app.connect("doctree-read", tell_the_search)
    app.connect("html-page-context", show, priority=600)
    app.connect("build-finished", list_pages)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
