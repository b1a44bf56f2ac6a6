"""The page on a hub: book/workshop/hub.md, from workshop/hub.md and from what one person was measured to use.

python tools/hub.py
"""

import json
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CHAPTERS = ("00-ten-minute-generator", "01-forward-process", "06-simple-loss")
PEOPLE, ROOM, HUB = 30, 1.4, 128  # people, headroom and MB of the hub itself: resource-estimation in the hub's guide


def table(found: dict | None) -> str:
    """One row a chapter; "not measured" where the results file has none."""
    rows = {} if found is None else found["results"]["rows"]
    lines = [f"| chapter | memory | processor | memory for {PEOPLE} |", "|---|--:|--:|--:|"]
    for name in CHAPTERS:
        head = f"| [{int(name[:2])}](../{name}.ipynb) |"
        if name not in rows:
            lines.append(f"{head} not measured | not measured | not measured |")
            continue
        memory, seconds = rows[name]["peak_mib"], rows[name]["processor_seconds"]
        of_all = (PEOPLE * ROOM * memory + HUB) / 1024
        lines.append(f"{head} {memory:,} MiB | {seconds:.0f} s | {of_all:.0f} GiB |")
    if found is not None:
        made = f"*`{found['command']}`, {found['date']}, {found['device']}, torch {found['torch']}."
        note = found["results"]["note"]
        lines += ["", f"{made} {note[0].upper()}{note[1:]}.*"]
    return "\n".join(lines)


def page(root: Path = ROOT) -> str:
    """The whole page."""
    path = root / "book" / "results" / "one_person.json"
    found = json.loads(path.read_text("utf-8")) if path.is_file() else None
    text = (root / "workshop" / "hub.md").read_text("utf-8").replace("MEASURED", table(found))
    return "<!-- Written by tools/hub.py from workshop/hub.md: edit that. -->\n\n" + text


if __name__ == "__main__":
    (ROOT / "book" / "workshop" / "hub.md").write_text(page(), "utf-8")
