"""A Sphinx extension: a chapter's first use of a term leads to the glossary, with the explanation as a tooltip.

book/terms.tsv says by which spellings a term is known, and where they mean it: `everywhere`, or only `here`, on the
page that explains it. An everyday word of the second kind is linked where the page sets it in bold or italics, if it
does. Headings, links, code, formulas, figures, tables and folded text stay as they are.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import glossary
from docutils import nodes

PAGE = re.compile(r"book/(\d\d-[\w-]+|engineering)")
APART = (
    nodes.title, nodes.reference, nodes.literal, nodes.literal_block, nodes.math, nodes.math_block, nodes.table,
    nodes.figure, nodes.image, nodes.comment,
)  # fmt: skip


@dataclass(frozen=True)
class Use:
    """The place of a term in a text of the page."""

    term: str
    text: nodes.Text
    start: int
    end: int


def prose(doctree: nodes.Node) -> Iterator[nodes.Text]:
    """The texts that a reader reads in sentences, in order; not those inside of raw links and folds."""
    inside = 0

    def walk(node):
        nonlocal inside
        if isinstance(node, nodes.raw):
            inside += len(re.findall(r"<(?:a|details)\b", node.astext())) - len(
                re.findall(r"</(?:a|details)>", node.astext())
            )
        elif isinstance(node, nodes.Text):
            if not inside:
                yield node
        elif not isinstance(node, APART) and "cell" not in node["classes"]:
            for child in node.children:
                yield from walk(child)

    return walk(doctree)


def spelled(spelling: str) -> str:
    """A pattern for a spelling; it may begin a sentence, be broken between lines and stand in the plural."""
    first = f"[{spelling[0]}{spelling[0].upper()}]" if spelling[0].islower() else re.escape(spelling[0])
    rest = re.escape(spelling[1:]).replace(r"\ ", r"\s+").replace("'", "['\u2019]")
    return rf"{first}{rest}(?:e?s)?"


def of_page(terms: list[dict], page: str) -> list[dict]:
    """The terms that a page may link."""
    return [term for term in terms if term["where"] == "everywhere" or (term["where"], term["page"]) == ("here", page)]


def meant(terms: list[dict], page: str) -> dict[str, dict]:
    """Pattern -> term, for those that a page may link; the longest spelling first."""
    every = [(spelling, term) for term in of_page(terms, page) for spelling in term["said"].split("; ")]
    return {spelled(spelling): term for spelling, term in sorted(every, key=lambda entry: -len(entry[0]))}


def first_uses(texts: list[nodes.Text], known: dict[str, dict]) -> list[Use]:
    """Of each term the place to be linked, no two of which overlap."""
    found = {}
    for text in texts:
        if isinstance(text.parent, nodes.strong | nodes.emphasis):
            for pattern, term in known.items():
                if term["where"] == "here" and re.fullmatch(pattern, text.astext()):
                    found.setdefault(term["term"], Use(term["term"], text, 0, len(text.astext())))
    one = re.compile("|".join(rf"(?<![\w-])({pattern})(?![\w-])" for pattern in known) or r"(?!)")
    terms = list(known.values())
    for text in texts:
        for match in one.finditer(text.astext()):
            name = terms[match.lastindex - 1]["term"]
            found.setdefault(name, Use(name, text, *match.span()))
    return list(found.values())


def link(uses: list[Use], reference) -> None:
    """Put into the place of each use what `reference(term, words)` makes of it."""
    for text in {id(use.text): use.text for use in uses}.values():
        said, parts, end = text.astext(), [], 0
        for use in sorted((use for use in uses if use.text is text), key=lambda use: use.start):
            parts += [nodes.Text(said[end : use.start]), reference(use.term, said[use.start : use.end])]
            end = use.end
        text.parent.replace(text, [part for part in [*parts, nodes.Text(said[end:])] if part.astext()])


def straight(name: str) -> str:
    """A name as it was typed, before quotes became curly."""
    return name.replace("\u2019", "'")


def link_terms(app, doctree, docname):
    if not (page := PAGE.fullmatch(docname)):
        return
    terms = glossary.load((glossary.ROOT / "book" / "terms.tsv").read_text("utf-8"))
    explained, objects = {term["term"]: term["explanation"] for term in terms}, app.env.get_domain("std").objects
    places = {straight(name): place for (kind, name), place in objects.items() if kind == "term"}

    def reference(term, words):
        target, anchor = places[straight(term)]
        address = f"{app.builder.get_relative_uri(docname, target)}#{anchor}"
        return nodes.reference(
            "", words, internal=True, refuri=address, reftitle=explained[term], classes=["of-glossary"]
        )

    link(first_uses(list(prose(doctree)), meant(terms, page[1])), reference)


def setup(app):
    app.connect("doctree-resolved", link_terms)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
