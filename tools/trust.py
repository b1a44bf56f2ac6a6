"""Write book/trust.md: what was done to make the package fail, and what came of it, from book/results/trust.json.

python tools/trust.py

A section of the page is a function of a section of the file; what nobody has measured says so.
"""

import json
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SECTIONS: dict[str, tuple[str, Callable[[dict], list[str]]]] = {}  # name in the file -> (title, paragraphs)


def section(name: str, title: str):
    """A function of what the file says under this name, which gives the paragraphs of that part of the page."""

    def known(paragraphs: Callable[[dict], list[str]]) -> Callable[[dict], list[str]]:
        SECTIONS[name] = title, paragraphs
        return paragraphs

    return known


def page(results: Path) -> str:
    """The whole page, from the results files in a folder."""
    path = results / "trust.json"
    found = json.loads(path.read_text())["results"] if path.is_file() else {}
    parts = [
        "<!-- Written by tools/trust.py from book/results/trust.json. -->",
        "# How we know that it works",
        "Formulas are tested where they stand: each equation names its test in the [index](equations.md). This page is "
        "about everything else. What happens when the power fails, a bit flips, or an argument is wrong? Each part "
        "says what was tried, how often, and what came of it. The command below it does it all again.",
    ]
    for name, (title, paragraphs) in SECTIONS.items():
        body = [*paragraphs(found[name]), made_by(found[name])] if name in found else ["Not measured."]
        parts += [f"## {title}", *body]
    return "\n\n".join(parts) + "\n"


def made_by(found: dict) -> str:
    """Where the figures come from."""
    return f"*`{found['command']}`, {found['date']}, {found['device']}, {found['minutes']:g} minutes.*"


def table(heads: list[str], rows: list[list[str]]) -> str:
    """Markdown; all columns but the first to the right."""
    lines = [heads, ["---", *["--:"] * (len(heads) - 1)], *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |" for cells in lines)


PHASES = "before the first step", "within a step", "while saving"


def accidents(found: dict) -> str:
    """A row for each optimiser."""
    rows = [
        [optimizer.capitalize(), *(f"{row[phase]}" for phase in PHASES), str(len(row["differences"]))]
        for optimizer, row in found.items()
        if isinstance(row, dict)
    ]
    return table(["optimiser", *PHASES, "differences"], rows)


@section("kills", "A training that is killed")
def kills(found: dict) -> list[str]:
    return [
        f"A training of {found['steps']} steps saves after each of them. At a random moment it is killed, without a "
        "chance to tidy up. It goes on from its last file, is killed again, and so on to the end. Then it is compared "
        "with a training that nobody touched: weights, average, optimiser, random numbers, and every batch. All must "
        "be equal, bit for bit.",
        accidents(found),
    ]


@section("interrupts", "Ctrl-C, twice")
def interrupts(found: dict) -> list[str]:
    return [
        "The first Ctrl-C waits for the step to end. The second does not: it cuts the step short. What the step has "
        "drawn for its dropout is then given back, so that the same step is taken again.",
        accidents(found),
    ]


@section("bits", "A file with one wrong bit")
def bits(found: dict) -> list[str]:
    return [
        "Every checkpoint carries the hash of its tensors and its header, and every load compares. A random bit is "
        "changed, the file is loaded, and the next bit has its turn. Half of the bits lie in the header.",
        f"Bits changed: {found['changed']:,}. Seen: {found['seen']:,}.",
        "A file of an earlier version carries no hash. It loads with a warning, and has one once it is saved again. "
        "Files are safetensors and JSON. A pickle may run code when it is opened, so the package opens none.",
    ]


OUTCOMES = {"refused": "one sentence that names it", "works": "it works, for a stated reason", "nan": "nan in, nan out"}


@section("input", "Wrong arguments")
def wrong_arguments(found: dict) -> list[str]:
    rows = [[words, f"{found.get(outcome, 0):,}"] for outcome, words in OUTCOMES.items()]
    others = found["cases"] - sum(found.get(outcome, 0) for outcome in OUTCOMES)
    return [
        f"{found['functions']} public functions are called with one argument made wrong: another shape, type, device "
        f"or range, nan, nothing at all. That makes {found['cases']:,} calls. Each ends in one of three ways.",
        table(["what comes of it", "calls"], [*rows, ["anything else", f"{others:,}"]]),
        "The mathematics and the networks look at kinds and shapes alone, never at every number of a picture: on a GPU "
        "that would wait. So nan in a picture comes out as nan. The trainer, the bound, the last step to pixels, and "
        "what judges pictures refuse it.",
    ]


@section("mutants", "Tests that notice")
def noticed(found: dict) -> list[str]:
    share = found["noticed"] / found["tried"]
    rows = [
        [f"`{row['where']}` in `{row['code'].partition('  #')[0]}`", row["reason"]]  # the line as it then reads
        for row in found["survivors"]
    ]
    return [
        "Would a test fail if a formula were wrong? One sign, number, comparison or condition of the mathematics is "
        "changed, in the schedules, `diffusion`, the samplers and Muon. Then the tests of that file run, but for "
        f"{found['tests_left_out']} kinds of test that take long.",
        f"Possible changes: {found['possible']:,}. Tried, drawn at random: {found['tried']:,}. Noticed: "
        f"{found['noticed']:,}, or {share:.0%}. These were not, and why:",
        table(["change", "reason"], rows).replace("| --: |", "| --- |"),
    ]


MATHEMATICS = ("schedule.py", "sampler.py", "diffusion/", "training/muon.py")


@section("coverage", "Lines that no test visits")
def coverage(found: dict) -> list[str]:
    files = found["files"]

    def visited(named: list[str]) -> str:
        lines, missed = (sum(files[name][k] for name in named) for k in (0, 1))
        return f"{1 - missed / lines:.1%} of {lines:,} statements"

    formulas = [name for name in files if name.startswith(MATHEMATICS)]
    whole = found["tests"] == ["tests"]
    counted = files if whole else {name: files[name] for name in formulas}
    most = sorted(counted.items(), key=lambda row: -row[1][1])[:10]
    of_all = (
        f"Of the whole package it is {visited(list(files))}." if whole else "The rest of the package: not measured."
    )
    return [
        "Of the mathematics, the schedules, `diffusion`, the samplers and Muon, the tests visit "
        f"{visited(formulas)}. {of_all} What runs in a process of its own, as a command does, counts if it ends in "
        "peace. The files with the most that is left:",
        table(["file", "statements", "not visited"], [[f"`{file}`", f"{n}", f"{left}"] for file, (n, left) in most]),
    ]


PYTHONS = ("3.10", "3.12", "3.13")  # besides 3.11, on which all tests run
COUNTS = "passed", "failed", "skipped"


def ran(row: dict) -> list[str]:
    """The cells of the table for what one Python did."""
    tests = [f"{row['tests'][count]:,}" for count in COUNTS] if "tests" in row else ["not run", "–", "–"]
    return [row["python"], *tests, f"{row['cells']['passed']:,}" if "cells" in row else "not run"]


@section("versions", "Other versions of Python")
def versions(found: dict) -> list[str]:
    whole, lowest = (
        [row for row in found["rows"] if row.get("at_bounds", False) == at_bounds] for at_bounds in (False, True)
    )
    missing = ", ".join(found["bounds_missing"]) or "none"
    left = [v for v in PYTHONS if not any(row["python"].startswith(f"{v}.") for row in whole)]
    measured = f" Python {' and '.join(left)}: not measured here." if left else ""
    heads = ["Python", *COUNTS, "cells"]
    at_bounds = [
        f"On Python {row['python']}, with all that the package always needs at its lower bound, {packages(row)}: "
        f"{row['modules']} modules imported; of the tests of the package {row['tests']['passed']:,} passed, "
        f"{row['tests']['failed']:,} failed, {row['tests']['skipped']:,} were skipped."
        for row in lowest
    ]
    return [
        "All tests run on Python 3.11. On the Pythons below, with the packages that `requirements.txt` pins for them, "
        "all modules were imported, and all tests but those in a browser were run. Cells are those of the notebooks; "
        f"each that is counted gave the output that the book shows.{measured} Each published change runs on all four.",
        *([table(heads, [ran(row) for row in whole])] if whole else []),
        f"Lower bounds of `pyproject.toml`: {len(found['bounds'])}. Of these the index lacks: {missing}.",
        *(at_bounds or ["The package at its lower bounds: not measured."]),
    ]


def packages(row: dict) -> str:
    return ", ".join(f"{name} {version}" for name, version in row["packages"].items())


def holes(known: dict[str, list[str]]) -> str:
    return "; ".join(f"{package}: {', '.join(names)}" for package, names in known.items()) or "none"


def of_pip(found: dict) -> list[str]:
    return [package for package in found.get("listed_holes", {}) if package.startswith("pip ")]


@section("audit", "What others find in it")
def audit(found: dict) -> list[str]:
    known = found["known_holes"]
    asked = (
        f"Holes known in these packages: {known}. "
        if isinstance(known, str)
        else f"PyPI was asked for holes known in the pinned packages, and answered for {found['answered']} of them: "
        f"{holes(known)}. It had no answer for {', '.join(found['unanswered']) or 'none'}. "
    )
    pip = " The pip is the one that Python's `venv` brings." if of_pip(found) else ""
    listed = (
        [
            f"All {found['installed']} packages of the environment were looked up in a list of "
            f"{found['list_advisories']:,} advisories as well, that of {found['list']}, made on {found['list_made']}. "
            f"Found: {holes(found['listed_holes'])}.{pip}"
        ]
        if "list" in found
        else []
    )
    return [
        f"A test looks at every tracked file for {found['kinds_of_secrets']} kinds of keys and passwords. Found: "
        f"{found['secrets']}. `make sbom` writes the pinned packages as a CycloneDX list, of "
        f"{found['components']} entries.",
        asked + "`make audit` asks PyPI for each release, and needs the Internet. Where the project is published it "
        "runs once a week.",
        *listed,
    ]


if __name__ == "__main__":
    (ROOT / "book" / "trust.md").write_text(page(ROOT / "book" / "results"))
