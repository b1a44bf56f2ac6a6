"""The glossary: book/glossary.md, written from book/terms.tsv.

    python tools/glossary.py

A line of the list is a term, its explanation, and the page and the anchor where the book explains it first; by which
spellings it is known ("-" where only formulas, headings or figures say it), and where these mean it: everywhere, or
only here, on that page. A page's first uses are linked by them (tools/first_uses.py).
"""

import csv
import re
import sys
import unicodedata
from pathlib import Path

import sections

ROOT = Path(__file__).resolve().parent.parent
HEAD = ["term", "explanation", "page", "anchor", "said", "where"]
WHERE = ("everywhere", "here", "-")
FRONT = """<!-- Written by tools/glossary.py from book/terms.tsv: edit that. -->

# Glossary

The terms of this book, each in a sentence, and where it is explained first. Letters have
[a page of their own](notation.md).

"""


def load(text: str) -> list[dict]:
    """The terms, one a line; refuses a line that lacks something."""
    head, *lines = csv.reader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    if head != HEAD:
        raise ValueError(f"terms.tsv: the first line should be {', '.join(HEAD)}, but it is {', '.join(head)}.")
    for number, line in enumerate(lines, start=2):
        if len(line) != len(HEAD) or not all(line):
            raise ValueError(f"terms.tsv, line {number}: a term has {len(HEAD)} parts, here are {len(line)}: {line}.")
    return [dict(zip(HEAD, line, strict=True)) for line in lines]


def key(term: str) -> str:
    """What a term is sorted by: small letters without accents."""
    return unicodedata.normalize("NFKD", term).encode("ascii", "ignore").decode().casefold()


def anchors(text: str) -> set[str]:
    """The addresses in a chapter: those of its headings and of its equations."""
    heads = re.findall(r"(?m)^#{2,4} (.+)$", sections.guarded(text))
    return {sections.address(head) for head in heads} | set(re.findall(r'<a id="([\w-]+)"></a>', text))


def complaints(terms: list[dict], pages: dict[str, str]) -> list[str]:
    """What is wrong with the list; `pages` maps a chapter's name to its text."""
    found, keys = [], [key(term["term"]) for term in terms]
    found += [f"{name!r} stands twice" for name in dict.fromkeys(keys) if keys.count(name) > 1]
    if keys != sorted(keys):
        found.append("the terms are not sorted")
    for term in terms:
        if term["page"] not in pages:
            found.append(f"{term['term']}: there is no page {term['page']}")
        elif term["anchor"] not in anchors(pages[term["page"]]):
            found.append(f"{term['term']}: {term['page']} has no anchor {term['anchor']}")
        if term["where"] not in WHERE or (term["where"] == "-") != (term["said"] == "-"):
            found.append(
                f"{term['term']}: should be said everywhere, here or not at all (-), but where is {term['where']}"
            )
    return found


def where(term: dict) -> str:
    """The link to where a term is explained."""
    page = term["page"]
    said = f"Chapter {int(page[:2])}" if page[:2].isdigit() else page.replace("-", " ").capitalize()
    return f'<a href="{page}.html#{term["anchor"]}">{said}</a>.'


def render(terms: list[dict]) -> str:
    """The page. Sphinx's own directive gives each term an address, and the search finds it by name."""
    entries = [f"{term['term']}\n  {term['explanation']} {where(term)}\n" for term in terms]
    return FRONT + "```{glossary}\n" + "\n".join(entries) + "```\n"


def pages(root: Path = ROOT) -> dict[str, str]:
    return {path.stem: path.read_text("utf-8") for path in (root / "book" / "src").glob("*.md")}


def main(root: Path = ROOT) -> int:
    terms = load((root / "book" / "terms.tsv").read_text("utf-8"))
    if found := complaints(terms, pages(root)):
        print("terms.tsv:", *found, sep="\n  ", file=sys.stderr)
        return 1
    (root / "book" / "glossary.md").write_text(render(terms), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
