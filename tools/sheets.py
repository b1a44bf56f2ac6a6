"""Style sheets without the rules that no page of the book can use: most of what the theme brings along.

A rule stays if every class and every name in one of its selectors is a word somewhere in the pages or their scripts.
What stands in brackets, as in :not(.a), is not asked for.
"""

import re
from pathlib import Path

NESTED = ("@media", "@supports", "@container", "@layer")
COMPOSED = ("bs-", "tippy-")  # classes that scripts put together from parts
STRING = r'"(?:[^"\\]|\\.)*"|' + r"'(?:[^'\\]|\\.)*'"
STEP = re.compile(rf"url\([^)\"']*\)|{STRING}|[{{}};]")


def words(folder: Path) -> set[str]:
    """Every word of the pages below a folder, and of the scripts that they may run."""
    found = set()
    for path in folder.rglob("*"):
        if path.suffix in (".html", ".js", ".mjs"):
            found |= set(re.findall(r"[\w-]+", path.read_text("utf-8")))
    return found


def rules(css: str):
    """(what stands before the braces, what stands in them) for each rule; nothing in them for a statement."""
    start = depth = opened = 0
    for step in STEP.finditer(css):
        if step[0] == "{":
            if depth == 0:
                opened = step.end()
            depth += 1
        elif step[0] == "}":
            depth -= 1
            if depth == 0:
                yield css[start : opened - 1].strip(), css[opened : step.start()]
                start = step.end()
        elif step[0] == ";" and depth == 0:
            yield css[start : step.end()].strip(), None
            start = step.end()


def outside_brackets(selector: str) -> str:
    before = None
    while before != selector:
        before, selector = selector, re.sub(r"\([^()]*\)|\[[^\[\]]*\]", "", selector)
    return selector


def parted(selectors: str) -> list[str]:
    """A list of selectors, parted at the commas that stand in no brackets."""
    return re.findall(r"(?:\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)|\[[^\]]*\]|[^,(\[])+", selectors)


def may_match(selector: str, known: set[str]) -> bool:
    """Whether all classes and names that a selector asks for are among the known words."""
    asked = re.findall(r"[.#](-?[A-Za-z_][\w-]*)", outside_brackets(selector))
    return all(name in known or name.startswith(COMPOSED) for name in asked)


def needed(css: str, known: set[str]) -> str:
    """The rules of a style sheet that may match something, in their order."""
    kept = []
    for before, inside in rules(css):
        if inside is None:
            kept.append(before)
        elif before.startswith(NESTED):
            rest = needed(inside, known)
            if rest:
                kept.append(f"{before}{{{rest}}}")
        elif before.startswith("@"):
            kept.append(f"{before}{{{inside}}}")
        else:
            selectors = [selector.strip() for selector in parted(before) if may_match(selector, known)]
            if selectors:
                kept.append(f"{','.join(selectors)}{{{inside.strip()}}}")
    return "\n".join(kept)
