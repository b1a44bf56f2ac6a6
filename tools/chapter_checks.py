"""What must hold for every chapter: functions from a notebook to a list of complaints."""

import ast
import re
from pathlib import Path

from ddpm_core import __version__

COLAB = """import sys
if "google.colab" in sys.modules:
    %pip install -q --no-deps "git+{repository}"
try:
    from ddpm_core.book import release
except ImportError:
    raise ImportError(
        "ddpm_core is missing here, or older than this notebook. "
        "If you can open "
        "{repository}, run "
        "%pip install git+{repository} "
        "and restart the kernel; if not, take the book's offline archive."
    ) from None
release.fits("RELEASE")""".replace("RELEASE", ".".join(__version__.split(".")[:2]))
LARGEST = 1_000_000  # bytes; a page should open on a phone
PICTURES = ("image/png", "image/jpeg", "image/svg+xml", "image/gif")
TEXTS = ("text/plain", "text/html", "text/markdown", "text/latex")
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def address_in(config):
    """The repository's address out of the text of _config.yml, where it stands once."""
    return re.search(r"(?m)^repository:\n(?:[ ]+.*\n)*?[ ]+url:[ ]*[\"']?([^\s\"'#]+)", config).group(1)


def cells_of(notebook, kind):
    """(number, cell) for the cells of one kind, numbered from 1 as they stand in the notebook."""
    return [(number, cell) for number, cell in enumerate(notebook.cells, start=1) if cell.cell_type == kind]


def texts_of(cell):
    """All the text that a code cell put out, except payloads in base64, where any letters may meet."""
    outputs = cell.get("outputs", [])
    texts = [output.text for output in outputs if output.output_type == "stream"]
    texts += [output.data[kind] for output in outputs for kind in TEXTS if kind in output.get("data", {})]
    return [re.sub(r"base64,[A-Za-z0-9+/=]+|data-payload=([\"']).*?\1", "", text, flags=re.S) for text in texts]


def prose(markdown):
    """Markdown without its fenced code; a fence with {braces} is a directive and stays to be found."""
    return re.sub(r"(?ms)^([ ]*)(```+|~~~+)(?!\s*\{).*?^\1\2[ ]*$", "", markdown)


# ---- Cells -------------------------------------------------------------------------------------------------


def unrun_cells(notebook):
    """Code cells without an execution count: nbval would pass over them without a word."""
    return [f"cell {n} was never run" for n, cell in cells_of(notebook, "code") if cell.execution_count is None]


def failed_cells(notebook):
    """Cells that show a traceback."""
    return [
        f"cell {n} ends in {output.ename}: {output.evalue}"
        for n, cell in cells_of(notebook, "code")
        for output in cell.outputs
        if output.output_type == "error"
    ]


def colab_cell(notebook, repository):
    """The first code cell installs the package in Colab, from exactly this repository, and asks whether the two fit.

    It is hidden on the page.
    """
    code = cells_of(notebook, "code")
    if not code or code[0][1].source != COLAB.format(repository=repository):
        return [f"its first code cell must be exactly:\n{COLAB.format(repository=repository)}"]
    hidden = "remove-cell" in code[0][1].metadata.get("tags", [])
    return [] if hidden else ["its first code cell must be tagged remove-cell"]


def stamp(notebook):
    """The last code cell says when and on what the chapter ran."""
    code = cells_of(notebook, "code")
    if code:
        calls = [node for node in ast.walk(python(code[-1][1].source)) if isinstance(node, ast.Call)]
        if any(ast.unparse(call.func) == "plot.ran_on" for call in calls):
            return []
    return ["its last code cell must call plot.ran_on()"]


def python(source):
    """The syntax tree of a cell; lines that only a notebook understands are left out."""
    return ast.parse(re.sub(r"(?m)^(\s*)[%!].*$", r"\1pass", source))


# ---- Text --------------------------------------------------------------------------------------------------


def raw_myst(notebook):
    """Roles, directives and targets of MyST: the page would render them, Colab shows them as typed."""
    found = []
    for number, cell in cells_of(notebook, "markdown"):
        text = prose(cell.source)
        spots = (
            re.findall(r"(?<![\w\\}_^$`])\{[a-zA-Z][\w:.+-]*\}`[^`]*`", text)
            + re.findall(r"(?m)^[ >]*(?:```+|~~~+|:::+)[ ]*\{.*$", text)
            + re.findall(r"(?m)^[ ]*\([\w.:-]+\)=[ ]*$", text)
        )
        found += [f"cell {number}: Colab shows {spot.strip()!r} as it stands" for spot in spots]
    return found


def pictures_without_words(notebook):
    """Pictures without an alt text: outputs, Markdown images and HTML images."""
    found = []
    for number, cell in cells_of(notebook, "code"):
        shows = any(kind in output.get("data", {}) for output in cell.outputs for kind in PICTURES)
        alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
        if shows and not str(alt).strip():
            found.append(f"cell {number} shows a picture; give it `mystnb: {{image: {{alt: ...}}}}`")
        found += [f"cell {number}: {tag}" for text in texts_of(cell) for tag in bare_images(text)]
    for number, cell in cells_of(notebook, "markdown"):
        text = prose(cell.source)
        spots = re.findall(r"!\[\s*\]\([^)]*\)", text) + bare_images(text)
        found += [f"cell {number}: {spot} has no alt text" for spot in spots]
    return found


def bare_images(html):
    """The <img> tags without a word in alt."""
    tags = re.findall(r"<img\b[^>]*>", html)
    return [tag[:80] for tag in tags if not re.search(r"\balt\s*=\s*(\"[^\"]*\S[^\"]*\"|'[^']*\S[^']*')", tag)]


def links_in(text):
    """The addresses that Markdown or HTML points to, pictures included."""
    text = re.sub(r"`[^`\n]*`", "", prose(text))
    return re.findall(r"\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)", text) + re.findall(
        r"<(?:a|img|source|script)\b[^>]*?\b(?:href|src)\s*=\s*[\"']([^\"']+)[\"']", text
    )


def dead_links(notebook, folder):
    """Relative links to files that are not there.

    A link to NAME.html needs NAME.ipynb or NAME.md; ../_static is where a page finds what lies in book/_static.
    """
    found = []
    for number, cell in cells_of(notebook, "markdown"):
        for link in links_in(cell.source):
            path = re.sub(r"^\.\./_static/", "_static/", link.split("#")[0].split("?")[0])
            if path and not re.match(r"[a-z][a-z0-9+.-]*:|//", link) and not leads_somewhere(folder / path):
                found.append(f"cell {number}: {link} leads nowhere")
    return found


def leads_somewhere(path):
    """Whether a file is there, or the source of the page of that name."""
    sources = [path.with_suffix(end) for end in (".ipynb", ".md")] if path.suffix == ".html" else []
    return any(Path(candidate).exists() for candidate in [path, *sources])


# ---- Outputs -----------------------------------------------------------------------------------------------


def widget_state(notebook):
    """Stored state or views of widgets: dead weight on a page without a kernel."""
    found = ["its metadata holds widget state"] if "widgets" in notebook.metadata else []
    return found + [
        f"cell {n} stores a widget's view; tag it live and run make notebooks"
        for n, cell in cells_of(notebook, "code")
        if any(WIDGET_VIEW in output.get("data", {}) for output in cell.outputs)
    ]


def passing_outputs(notebook):
    """Outputs that differ from run to run: memory addresses and random identifiers."""
    address = r"\b0x[0-9a-f]{8,}\b"
    uuid = r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b|\b[0-9a-f]{32}\b"
    return [
        f"cell {n} shows {spot.group()}, which changes from run to run"
        for n, cell in cells_of(notebook, "code")
        for text in texts_of(cell)
        for spot in re.finditer(f"{address}|{uuid}", text)
    ]


def too_large(path, limit=LARGEST):
    """A notebook above the limit."""
    size = path.stat().st_size
    return [f"it weighs {size:,} bytes; at most {limit:,} are allowed"] if size > limit else []
