"""Write book/front/citation.bib, as which the book is cited, from CITATION.cff.

python tools/citation.py
"""

from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
BIB = ROOT / "book" / "front" / "citation.bib"


def bibtex(citation: dict) -> str:
    """The entry for BibTeX of what a CITATION.cff says."""
    authors = " and ".join(
        f"{{{person['name']}}}" if "name" in person else f"{person['family-names']}, {person['given-names']}"
        for person in citation["authors"]
    )
    year, month, _ = str(citation["date-released"]).split("-")
    fields = {
        "title": f"{{{citation['title']}}}",
        "author": authors,
        "year": year,
        "month": str(int(month)),
        "url": citation["repository-code"],
        "note": f"{citation['license']} licence",
    }
    key = "".join(word for word in citation["title"].split(",")[0].split()).lower() + year
    return f"@misc{{{key},\n" + "".join(f"  {name} = {{{text}}},\n" for name, text in fields.items()) + "}\n"


def written() -> str:
    return bibtex(yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8")))


if __name__ == "__main__":
    BIB.write_text(written(), "utf-8")
