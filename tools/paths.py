"""The workshop's paths: what stands in workshop/*.yml, whether it fits the chapters, and the pages made of it.

    python tools/paths.py            write book/workshop/NN-minutes.md

A path is a list of steps. A step names a chapter and sections of it, by their headings; the cells of those sections are
run, and before them those of the sections named by ``also``, on which they build. ``late`` says what to do when late.
"""

import ast
import builtins
import json
import re
import sys
from pathlib import Path

import exercises
import sections
import yaml

ROOT = Path(__file__).resolve().parent.parent
LENGTHS = (45, 90, 180)
KEYS = {"minutes", "title", "chapter", "sections", "also", "exercises", "do", "late", "without_gpu", "with_gpu"}


def load(length: int, root: Path = ROOT) -> dict:
    """The path of so many minutes."""
    if length not in LENGTHS:
        raise ValueError(f"There are paths of {', '.join(map(str, LENGTHS))} minutes, but none of {length}.")
    return yaml.safe_load((root / "workshop" / f"{length}.yml").read_text("utf-8"))


# ---- What a step runs --------------------------------------------------------------------------------------


def cells_of(step: dict, cells: list) -> list[int]:
    """The numbers of the cells that a step runs, in the chapter's order: always those above the first heading, too."""
    wanted = {"", *step.get("sections", []), *step.get("also", [])}
    numbers = {number for part in sections.cut(cells) if part.title in wanted for number in part.cells}
    for exercise in step.get("exercises", []):
        numbers |= {k for k, cell in enumerate(cells) if f'exercises.check("{exercise}"' in sections.source(cell)}
    return sorted(numbers)


def names(source: str) -> tuple[set[str], set[str]]:
    """(names that a cell uses from outside, names that it leaves behind)."""
    tree = ast.parse(re.sub(r"(?m)^(\s*)[%!].*$", r"\1pass", source))
    used, made = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            (used if isinstance(node.ctx, ast.Load) else made).add(node.id)
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            made.add(node.name)
        elif isinstance(node, ast.alias):
            made.add((node.asname or node.name).split(".")[0])
        elif isinstance(node, ast.arg):
            made.add(node.arg)
    return used - made - set(dir(builtins)), made


def lacking(path: dict, read=sections.chapter) -> list[str]:
    """Names that a path's cells use although none of its cells before them made them."""
    found, known = [], {}
    for step in path["steps"]:
        if "chapter" not in step:
            continue
        have, ran = known.setdefault(step["chapter"], (set(), set()))
        cells = read(step["chapter"])
        for number in cells_of(step, cells):
            if number in ran:
                continue
            ran.add(number)
            used, made = names(sections.source(cells[number]))
            found += [f"{step['chapter']}, cell {number}: nothing made {name}" for name in sorted(used - have)]
            have |= made
    return found


# ---- What may be wrong -------------------------------------------------------------------------------------


def complaints(path: dict, read=sections.chapter) -> list[str]:
    """What does not fit, as sentences: an empty list when all is well."""
    found, total = [], sum(step["minutes"] for step in path["steps"])
    if total != path["minutes"]:
        found.append(f"the steps take {total} minutes, the path {path['minutes']}")
    saved = sum(step["minutes"] for step in path["steps"] if "late" in step)
    if saved < path["minutes"] / 5:
        found.append(f"only {saved} minutes can be shortened when late, which is less than a fifth")
    for key in ("without_gpu", "with_gpu"):
        if not any(key in step for step in path["steps"]):
            found.append(f"no step says what to do {key.replace('_gpu', ' a GPU')}")
    for number, step in enumerate(path["steps"], start=1):
        found += [f"step {number}: unknown {key!r}" for key in step.keys() - KEYS]
        if not step.get("do"):
            found.append(f"step {number} does not say what to do")
        if "chapter" not in step:
            continue
        cells = read(step["chapter"])
        there = {part.title for part in sections.cut(cells)}
        asked = step.get("sections", []) + step.get("also", [])
        found += [f"step {number}: {step['chapter']} has no section {name!r}" for name in asked if name not in there]
        code = "\n".join(sections.source(cell) for cell in cells)
        for exercise in step.get("exercises", []):
            if f'exercises.check("{exercise}"' not in code:
                found.append(f"step {number}: {step['chapter']} has no exercise {exercise}")
    return found


# ---- The pages ---------------------------------------------------------------------------------------------


def links(step: dict, cells: list) -> str:
    """What a step reads, as links into the chapter."""
    there = {part.title: part.anchor for part in sections.cut(cells)}
    page, number = f"../{step['chapter']}", int(step["chapter"][:2])
    shown = [f'<a href="{page}.html#{there[name]}">{name}</a>' for name in step.get("sections", [])]
    shown += [
        f'<a href="{page}.html#{exercises.anchor(name)}">exercise {name}</a>' for name in step.get("exercises", [])
    ]
    return f"[Chapter {number}]({page}.ipynb): {'; '.join(shown)}"


def of_step(step: dict, start: int, read) -> list[str]:
    """The lines of a step: when, what, what to do."""
    cells = read(step["chapter"]) if "chapter" in step else []
    what = links(step, cells) if cells else step["title"]
    lines = [f"**{start}–{start + step['minutes']}** · {what}", "", step["do"]]
    if step.get("also"):
        lines[-1] += f" Run first, without reading: {'; '.join(step['also'])}."
    for key, said in (("without_gpu", "Without a GPU"), ("with_gpu", "With a GPU"), ("late", "When late")):
        if key in step:
            lines += ["", f"- *{said}:* {step[key]}"] if lines[-1][:2] != "- " else [f"- *{said}:* {step[key]}"]
    return [*lines, ""]


def took(path: dict, measured: dict) -> str:
    """What the cells of a path took when they were last run, as a sentence."""
    if "processor" not in (last := measured.get(str(path["minutes"]), {})):
        return "What they take was not measured."
    beside = " beside a GPU" if last["device"] == "GPU" else ""
    said = f"On {last['date']} they took {last['processor']:.0f} s{beside}."
    if alone := last.get("alone"):
        files = len(alone["fetched"])
        what = (
            f"the package fetches {files} file{'s' * (files > 1)} from the book's address"
            if files
            else "the path needs none"
        )
        said += f" Where no results lie beside the notebook, as in Colab, {what}: {alone['processor']:.0f} s."
    return said


def render(path: dict, read=sections.chapter, measured: dict | None = None) -> str:
    """The page of a path; `measured` is what workshop/measured.json holds."""
    lines = [f"<!-- Written by tools/paths.py from workshop/{path['minutes']}.yml: edit that. -->", ""]
    lines += [f"# {path['title']}", "", path["aim"], ""]
    lines += [
        f"A path of {path['minutes']} minutes. The numbers in front are minutes from the start. `make workshop` runs",
        f"all of its cells, and fails if they take more than {path['compute']} seconds of the processor.",
        took(path, measured or {}),
        "",
        f'<a href="../../slides/{path["minutes"]}.html">Its slides</a> show its headings, formulas and figures.',
        "",
    ]
    start = 0
    for step in path["steps"]:
        lines += of_step(step, start, read)
        start += step["minutes"]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).rstrip() + "\n"


def page(length: int, root: Path = ROOT) -> Path:
    return root / "book" / "workshop" / f"{length}-minutes.md"


def measurements(root: Path = ROOT) -> dict:
    """What `make workshop` has measured; nothing where it never ran."""
    file = root / "workshop" / "measured.json"
    return json.loads(file.read_text()) if file.exists() else {}


def main(root: Path = ROOT) -> int:
    """Write the pages; stop at a path that does not fit its chapters."""
    for length in LENGTHS:
        path = load(length, root)
        if found := complaints(path) + lacking(path):
            print(f"workshop/{length}.yml:", *found, sep="\n  ", file=sys.stderr)
            return 1
        page(length, root).parent.mkdir(exist_ok=True)
        page(length, root).write_text(render(path, measured=measurements(root)), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
