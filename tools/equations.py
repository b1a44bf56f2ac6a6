"""The index of the book's equations: what each says, which function computes it, which test holds both.

    python tools/equations.py            write book/equations.md from book/equations.yml

Every numbered equation of a chapter stands like this, and has an entry in ``book/equations.yml``:

    <a id="eq-1-2"></a>

    $$ ... \\tag{1.2} $$

The checks below take texts, not files, and return complaints: an empty list when all is well. A ``page`` is
the name of a chapter, e.g. ``01-forward-process``; ``pages`` maps it to its text; ``modules`` and ``tests``
map paths to Python sources.
"""

import ast
import re
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
FIELDS = ("name", "source", "function", "test", "chapter")
NUMBER = r"(?:\d+|[A-Z])\.\d+"


# ---- Reading -----------------------------------------------------------------------------------------------


def load(text):
    """The entries of equations.yml: number -> fields. Refuses bare numbers: YAML reads 1.10 as 1.1."""
    entries = yaml.safe_load(text) or {}
    for number, entry in entries.items():
        if not isinstance(number, str) or not re.fullmatch(NUMBER, number):
            raise ValueError(f'equations.yml: write the number {number!r} in quotes, like "1.10".')
        missing = [field for field in FIELDS if not entry.get(field)]
        if missing:
            raise ValueError(f"equations.yml: {number} lacks {', '.join(missing)}.")
    return entries


def in_order(numbers):
    """Equation numbers as a reader counts: 1.2 before 1.10, chapters before appendices."""

    def key(number):
        chapter, count = number.split(".")
        return (not chapter.isdigit(), int(chapter) if chapter.isdigit() else 0, chapter, int(count))

    return sorted(numbers, key=key)


def several(value):
    """A field that holds one thing or a list of things, as a list."""
    return value if isinstance(value, list) else [value]


def anchor(number):
    """The id of an equation's anchor: 1.2 -> eq-1-2."""
    return "eq-" + number.replace(".", "-")


def line(number):
    """The id of an equation's line in the index: 1.2 -> of-1-2."""
    return "of-" + number.replace(".", "-")


def tags(text):
    """The numbers of the equations in a text, in order."""
    return re.findall(rf"\\tag\{{({NUMBER})\}}", text)


def anchors(text):
    """The ids of all anchors for equations in a text."""
    return re.findall(r"<a id=\"(eq-[\w-]+)\"></a>", text)


def defined(source):
    """Dotted names of everything a Python source defines at its top level and in its classes."""
    names = set()

    def collect(body, prefix):
        for node in body:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                names.add(prefix + node.name)
                if isinstance(node, ast.ClassDef):
                    collect(node.body, f"{prefix}{node.name}.")
            elif isinstance(node, (ast.Assign, ast.AnnAssign)):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                names.update(prefix + target.id for target in targets if isinstance(target, ast.Name))

    collect(ast.parse(source).body, "")
    return names


def docstrings(source):
    """(line, docstring) of a module and everything documented in it."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, kinds)]
    return [(getattr(node, "lineno", 1), ast.get_docstring(node)) for node in nodes if ast.get_docstring(node)]


def cited(docstring):
    """The book's equations that a docstring cites: `Eq. 1.3`, `Eqs. 1.3 and 1.4`. Papers' have one part."""
    lists = re.findall(rf"\bEqs?\.\s+((?:{NUMBER}(?:\s*(?:,|and|to)\s*)*)+)", docstring)
    return [number for numbers in lists for number in re.findall(NUMBER, numbers)]


# ---- What may be wrong -------------------------------------------------------------------------------------


def without_entry(entries, pages):
    """Numbered equations that the index does not know."""
    return [
        f"{page}: equation {number} has no entry in equations.yml"
        for page, text in pages.items()
        for number in tags(text)
        if number not in entries
    ]


def without_equation(entries, pages):
    """Entries whose chapter does not number such an equation."""
    return [
        f"equations.yml: {number} is no equation of {entry['chapter']}"
        for number, entry in entries.items()
        if number not in tags(pages.get(entry["chapter"], ""))
    ]


def used_twice(pages):
    """Numbers given to two equations, and anchors that stand twice."""
    numbers = [number for text in pages.values() for number in tags(text)]
    ids = [name for text in pages.values() for name in anchors(text)]
    return [
        f"{name} stands {found.count(name)} times"
        for found in (numbers, ids)
        for name in dict.fromkeys(found)
        if found.count(name) > 1
    ]


def without_anchor(pages):
    """Equations that do not have their anchor directly before them, and anchors without an equation."""
    found = []
    for page, text in pages.items():
        led = re.findall(rf"<a id=\"(eq-[\w-]+)\"></a>\s*\$\$(?:(?!\$\$).)*?\\tag\{{({NUMBER})\}}", text, re.S)
        good = {number for name, number in led if name == anchor(number)}
        found += [
            f'{page}: equation {number} needs <a id="{anchor(number)}"></a> before its $$'
            for number in tags(text)
            if number not in good
        ]
        wanted = {anchor(number) for number in tags(text)}
        found += [f"{page}: the anchor {name} has no equation" for name in anchors(text) if name not in wanted]
    return found


def dead_links(pages):
    """Links to an anchor of an equation that is not on the page they name."""
    found = []
    for page, text in pages.items():
        for target, name in re.findall(r"[(\"']([\w./-]*)#(eq-[\w-]+)[)\"']", text):
            there = Path(target).stem or page
            if name not in anchors(pages.get(there, "")):
                found.append(f"{page}: the link {target}#{name} leads nowhere")
    return found


def missing_functions(entries, modules):
    """Entries that name a function which no module defines."""
    known = {
        f"{path.removesuffix('.py').replace('/', '.')}.{name}"
        for path, text in modules.items()
        for name in defined(text)
    }
    return [
        f"equations.yml: {number} names {function}, which does not exist"
        for number, entry in entries.items()
        for function in several(entry["function"])
        if function not in known
    ]


def missing_tests(entries, tests):
    """Entries that name a test which no file defines."""
    known = {f"{path}::{name.replace('.', '::')}" for path, text in tests.items() for name in defined(text)}
    return [
        f"equations.yml: {number} names {test}, which does not exist"
        for number, entry in entries.items()
        for test in several(entry["test"])
        if test.split("[")[0] not in known
    ]


def unknown_citations(entries, modules):
    """Docstrings that cite an equation which the index does not know."""
    return [
        f"{path}:{line} cites equation {number}, which equations.yml does not know"
        for path, source in modules.items()
        for line, text in docstrings(source)
        for number in cited(text)
        if number not in entries
    ]


def out_of_date(page, entries, pages, repository):
    """The rendered index against what the entries give now."""
    fresh = page == render(entries, pages, repository)
    return [] if fresh else ["book/equations.md is out of date: run `make notebooks`"]


# ---- The page ----------------------------------------------------------------------------------------------


def title(text, page):
    """A chapter's title: its first heading."""
    heading = re.search(r"(?m)^# (.+)$", text)
    return heading.group(1).strip() if heading else page


def link(number, entries):
    """An equation's number as a link to where it stands."""
    return f'<a href="{entries[number]["chapter"]}.html#{anchor(number)}">{number}</a>'


def source_link(path, shown, repository):
    """A name of code as a link to its file in the repository."""
    return f"[`{shown}`]({repository}/blob/main/{path})"


def file_of(function):
    """The file of a dotted name: ddpm_core.diffusion.gaussian.q_step -> ddpm_core/diffusion/gaussian.py."""
    parts = function.split(".")
    paths = ["/".join(parts[:k]) + ".py" for k in range(len(parts) - 1, 0, -1)]
    return next((path for path in paths if (ROOT / path).is_file()), paths[0])


def shown(function):
    """How a function is written in a chapter: ddpm_core.diffusion.gaussian.q_step -> gaussian.q_step."""
    module = file_of(function).removesuffix(".py").replace("/", ".")
    return function.removeprefix(module.rpartition(".")[0] + ".")


def row(*columns):
    """A line of a Markdown table."""
    return "| " + " | ".join(column.replace("|", r"\|") for column in columns) + " |"


def chapter_table(numbers, entries, repository):
    """The equations of one chapter: number, meaning, source, and the function with the test below it."""
    lines = [row("Equation", "What it says", "Source", "Function, and its test"), "|---|---|---|---|"]
    for number in numbers:
        entry = entries[number]
        functions = [(file_of(name), shown(name)) for name in several(entry["function"])]
        tests = [(name.split("::")[0], name.split("::")[-1]) for name in several(entry["test"])]
        links = [source_link(path, name, repository) for path, name in functions + tests]
        here = f'<a id="{line(number)}"></a>{link(number, entries)}'
        lines.append(row(here, entry["name"], entry["source"], "<br>".join(links)))
    return "\n".join(lines)


def function_table(entries, repository):
    """The way back: function -> equations."""
    by_function = {}
    for number in in_order(entries):
        for function in several(entries[number]["function"]):
            by_function.setdefault(function, []).append(number)
    lines = [row("Function", "Equations"), "|---|---|"]
    for function in sorted(by_function):
        code = source_link(file_of(function), shown(function), repository)
        lines.append(row(code, ", ".join(link(number, entries) for number in by_function[function])))
    return "\n".join(lines)


def render(entries, pages, repository):
    """The page book/equations.md."""
    parts = [
        "# Equations and functions",
        "Every numbered equation of this book is computed by a function of `ddpm_core`, and a test holds the "
        "two together. This page is the way from one to the other and back.",
    ]
    for chapter in dict.fromkeys(entries[number]["chapter"] for number in in_order(entries)):
        numbers = [number for number in in_order(entries) if entries[number]["chapter"] == chapter]
        parts += [f"## {title(pages.get(chapter, ''), chapter)}", chapter_table(numbers, entries, repository)]
    if entries:
        parts += ["## From function to equation", function_table(entries, repository)]
    return "\n\n".join(["<!-- Written by tools/equations.py from book/equations.yml: edit that. -->", *parts]) + "\n"


# ---- Files -------------------------------------------------------------------------------------------------


def read_entries(root=ROOT):
    """The index file; nothing while there is none."""
    path = root / "book" / "equations.yml"
    return load(path.read_text()) if path.exists() else {}


def read_pages(root=ROOT):
    """All pages written as text: the chapters' sources and the plain pages, without the index itself."""
    paths = [*(root / "book" / "src").glob("*.md"), *(root / "book").glob("*.md")]
    return {path.stem: path.read_text() for path in sorted(paths) if path.name != "equations.md"}


def read_python(folder, root=ROOT):
    """The Python sources under a folder: path from the root -> source."""
    return {path.relative_to(root).as_posix(): path.read_text() for path in sorted((root / folder).rglob("*.py"))}


def read_repository(root=ROOT):
    """The repository's address, which stands once, in _config.yml."""
    return yaml.safe_load((root / "_config.yml").read_text())["repository"]["url"]


def main(root=ROOT):
    """Write the page if it changed."""
    path = root / "book" / "equations.md"
    try:
        page = render(read_entries(root), read_pages(root), read_repository(root))
    except ValueError as error:
        return str(error)
    if not path.exists() or path.read_text() != page:
        path.write_text(page)
        print("book/equations.md: written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
