"""A Sphinx extension: slides of the workshop's paths, of what the chapters say, set and drew. Nothing is written twice.

A path (workshop/NN.yml) names sections. Of each the slides show its heading with its first sentences, its numbered
formulas, its drawings and its tables; what a reader moves is a link into the chapter. What the path tells the teacher
is a note, which the key N shows. The pages lie in slides/ beside the book's own, their script in book/_static/slides.
"""

import re
from functools import cache
from html import escape
from pathlib import Path

import drawings
import exercises
import formulas
import paths
import sections
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin

WORDS = 45  # of a section's first paragraph that a slide shows: whole sentences, at least one
TOGETHER = 2  # formulas on a slide
STYLES = ("fonts", "book", "design", "formulas", "slides/slides")
NOTES = (("do", "Do"), ("without_gpu", "Without a GPU"), ("with_gpu", "With a GPU"), ("late", "When late"))
KEYS = "Arrows go on and back, N shows notes, D turns the lights off. Printed, it is one slide a page."
PAGE = """<!DOCTYPE html>
<html lang="en" data-theme="light">
<head>
<meta charset="utf-8" />
<meta name="viewport" content="width=device-width, initial-scale=1" />
<title>{title}: slides</title>
{styles}
<link rel="icon" href="../_static/favicon.svg" />
<script src="../_static/slides/slides.js"></script>
</head>
<body>
<main class="bd-article">
<h1 class="unseen">Slides: {title}</h1>
{slides}
</main>
</body>
</html>
"""

# ---- Words -------------------------------------------------------------------------------------------------


@cache
def markdown() -> MarkdownIt:
    """A chapter's Markdown with its formulas, and of its links the words alone."""
    md = MarkdownIt("commonmark", {"typographer": True}).enable(["replacements", "smartquotes", "table"])
    md.use(dollarmath_plugin, double_inline=True)
    md.add_render_rule("math_inline", lambda self, tokens, k, *_: formulas.in_a_line(tokens[k].content))
    for name in ("link_open", "link_close", "html_inline"):
        md.add_render_rule(name, lambda *_: "")
    return md


def line(text: str) -> str:
    """The HTML of a line of Markdown."""
    return markdown().renderInline(text.strip())


def first_sentences(text: str, most: int = WORDS) -> str:
    """Of a section's first paragraph of words as many sentences as fit, but at least one; '' where it has none."""
    tokens = markdown().parse(re.sub(r"(?s)<details.*?</details>", "", text))
    said = [
        token.content
        for token, before in zip(tokens[1:], tokens, strict=False)
        if before.type == "paragraph_open" and before.level == 0 and re.match(r"[\w*`$\[(\"']", token.content)
    ]
    if not said:
        return ""
    kept, *rest = re.split(r"(?<=[.?!])\s+(?=[\w$\"*`])", said[0])
    for sentence in rest:
        if len(f"{kept} {sentence}".split()) > most:
            break
        kept += " " + sentence
    return re.sub(r":$", ".", kept)


def equations(text: str) -> list[str]:
    """The numbered formulas of a section; where none has a number, its first."""
    found = re.findall(r"\$\$(.+?)\$\$", re.sub(r"(?s)<details.*?</details>", "", text), re.S)
    return [tex for tex in found if r"\tag{" in tex] or found[:1]


def tables(text: str) -> list[str]:
    """The HTML of the tables that stand in a section's own text."""
    return [markdown().render(table) for table in re.findall(r"(?m)(?:^\|.*(?:\n|\Z))+", text)]


# ---- Slides ------------------------------------------------------------------------------------------------


def slide(when: str, heading: str, inner: str, notes: str = "") -> str:
    head = f'<p class="when">{when}</p>\n<h2>{heading}</h2>'
    return f'<section class="slide">\n{head}\n{inner}\n{notes}</section>'


def shown(cell: dict, prefix: str) -> list[str]:
    """The HTML of what a cell drew or tabled, and for what a reader moves an empty text."""
    found = []
    for number, output in enumerate(cell.get("outputs", [])):
        data = {
            kind: "".join(said) for kind, said in output.get("data", {}).items() if kind.startswith(("text", "image"))
        }
        html = data.get("text/html", "")
        if drawings.IS_ONE in (svg := data.get("image/svg+xml", ""))[:500]:
            alt = cell["metadata"].get("mystnb", {}).get("image", {}).get("alt", "")
            found.append(drawings.inline(svg, alt, f"{prefix}-{number}"))
        elif "<script" in html:
            found.append("")
        elif 'class="ddpm-table"' in html:
            found.append(html)
    return found


def notes_of(step: dict) -> str:
    said = [f"<p><b>{name}:</b> {line(step[key])}</p>" for key, name in NOTES if key in step]
    return f'<aside class="note" aria-label="Notes">{"".join(said)}</aside>\n'


def of_section(part: sections.Section, cells: list, when: str, chapter: str, notes: str, prefix: str) -> list[str]:
    """The slides of a section: its heading and first formula, further formulas, then what its cells show."""
    address = f"../book/{chapter}.html#{part.anchor}"
    heading = line(part.title)
    sets = [formulas.displayed(tex) for tex in equations(part.text)]
    first = [f'<p class="said">{line(first_sentences(part.text))}</p>', *sets[:1]]
    inner = [shown(cells[number], f"{prefix}-{number}") for number in part.cells]
    pictures = [html for found in inner for html in found]
    if "" in pictures:
        first.append(f'<p><a href="{address}">Move it yourself, in the chapter</a></p>')
    rest = ["".join(sets[k : k + TOGETHER]) for k in range(1, len(sets), TOGETHER)]
    rest += [html for html in pictures if html] + tables(part.text)
    return [slide(when, heading, "\n".join(first), notes), *(slide(when, heading, html, notes) for html in rest)]


def of_step(step: dict, start: int, number: int, read) -> list[str]:
    """The slides of a step of a path, which begins after `start` minutes."""
    when, notes = f"{start}–{start + step['minutes']} min", notes_of(step)
    if "chapter" not in step:
        return [slide(when, line(step["title"]), f'<p class="said">{line(step["do"])}</p>')]
    chapter, cells = step["chapter"], read(step["chapter"])
    when += f" · {line(sections.title(cells))}"
    parts = {part.title: part for part in sections.cut(cells)}
    made = []
    for place, title in enumerate(step.get("sections", [])):
        made += of_section(parts[title], cells, when, chapter, notes, f"s{number}-{place}")
    if names := step.get("exercises"):
        link = f'<p><a href="../book/{chapter}.html#{exercises.anchor(names[0])}">To the chapter</a></p>'
        inner = f'<p class="said">{line(step["do"])}</p>\n{link}'
        made.append(slide(when, f"Exercise{'s' * (len(names) > 1)} {', '.join(names)}", inner, notes))
    return made


def render(path: dict, read=sections.chapter) -> str:
    """The page of a path's slides."""
    home = f'<p class="keys">{KEYS}</p>\n<p><a href="../book/workshop/{path["minutes"]}-minutes.html">The path</a></p>'
    aim = f'<p class="said">{line(path["aim"])}</p>{home}'
    made = [slide(f"{path['minutes']} minutes", line(path["title"]), aim)]
    start = 0
    for number, step in enumerate(path["steps"]):
        made += of_step(step, start, number, read)
        start += step["minutes"]
    styles = "\n".join(f'<link rel="stylesheet" href="../_static/{name}.css" />' for name in STYLES)
    return PAGE.format(title=escape(path["title"]), styles=styles, slides="\n".join(made))


def write(out: Path) -> list[Path]:
    """Write the slides of every path beside the pages of a built book."""
    (out / "slides").mkdir(exist_ok=True)
    pages = [out / "slides" / f"{length}.html" for length in paths.LENGTHS]
    for page, length in zip(pages, paths.LENGTHS, strict=True):
        page.write_text(render(paths.load(length)), "utf-8")
    return pages


def beside_the_book(app, failed):
    if not failed and app.builder.format == "html":
        write(Path(app.outdir))


def setup(app):
    app.connect("build-finished", beside_the_book, priority=850)  # before tools/policy.py says what a page may run
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
