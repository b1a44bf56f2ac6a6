"""The club challenge: workshop/leaderboard.json and its page, written from workshop/entries.yml and the evaluations.

    python tools/challenge.py

An entry names a file that `python -m ddpm_core evaluate --json` wrote. Every figure is taken from it, and the
file is held by its sha256.
"""

import json
import sys
from pathlib import Path

import yaml

from ddpm_core.storage.files import file_sha256

ROOT = Path(__file__).resolve().parent.parent
TRACKS = {"fidelity": "Fidelity", "control": "Control", "speed": "Speed"}
KEYS = {"name", "by", "data", "tracks", "evaluation"}
JUDGE = "python -m ddpm_core evaluate "
IMAGES = 1000  # a Fréchet distance depends on how many are drawn
ROOM = 1.5  # by how much control and speed may cost distance, against the first entry of the same data


def load(root: Path = ROOT) -> list[dict]:
    """The entries, as they were handed in."""
    return yaml.safe_load((root / "workshop" / "entries.yml").read_text("utf-8"))


def row(entry: dict, root: Path = ROOT) -> dict:
    """An entry with what its evaluation says of it: calls are those of the network for one image."""
    path = root / entry["evaluation"]
    about = json.loads(path.read_text("utf-8"))
    found, how = about["results"], about["results"]["how"]
    return entry | {
        "evaluation_sha256": file_sha256(path),
        "model_sha256": about["model_sha256"],
        "data_sha256": about["data_sha256"],
        "date": about["date"],
        "images": found["images"],
        "seed": how["seed"],
        "sampler": how["sampler"],
        "guidance": how["guidance"],
        "calls": how["steps"] * (2 if how["guidance"] else 1),
        "frechet": found["rows"].get("frechet", {}).get("drawn"),
        "recognised": found["rows"].get("recognised", {}).get("drawn"),
    }


def complaints(entries: list[dict], root: Path = ROOT) -> list[str]:
    """What does not fit, as sentences: an empty list when all is well."""
    found, rows = [], []
    for entry in entries:
        name = entry.get("name", "an entry without a name")
        if entry.keys() != KEYS or not set(entry["tracks"]) <= TRACKS.keys() or not entry["tracks"]:
            found.append(f"{name} needs {', '.join(sorted(KEYS))}, and tracks among {', '.join(TRACKS)}")
            continue
        if not (root / entry["evaluation"]).is_file():
            found.append(f"{name}: there is no file {entry['evaluation']}")
            continue
        about = json.loads((root / entry["evaluation"]).read_text("utf-8"))
        if not about.get("command", "").startswith(JUDGE):
            found.append(f"{name}: {entry['evaluation']} was not written by {JUDGE.strip()}")
            continue
        rows.append(row(entry, root))
        found += [f"{name}: {said}" for said in _faults(rows[-1], about, rows, root)]
    names = [entry.get("name") for entry in entries]
    return found + [f"{name} stands twice" for name in dict.fromkeys(names) if names.count(name) > 1]


def _faults(of: dict, about: dict, rows: list[dict], root: Path) -> list[str]:
    """What is wrong with one evaluation, the first of the same data being the yardstick."""
    found, first = [], next(other for other in rows if other["data"] == of["data"])
    if of["images"] != IMAGES or of["seed"] != 0:
        found.append(f"need {IMAGES:,} images and seed 0, but the evaluation has {of['images']:,} and {of['seed']}")
    if of["data_sha256"] != first["data_sha256"]:
        found.append(f"it was measured on other data than {first['name']}")
    if of["model_sha256"] is None:
        found.append("the evaluation does not say which file was measured")
    if of["frechet"] is None:
        found.append("the evaluation has no Fréchet distance")
    elif first["frechet"] and set(of["tracks"]) - {"fidelity"} and of["frechet"] > ROOM * first["frechet"]:
        most = ROOM * first["frechet"]
        found.append(f"need a Fréchet distance of at most {most:.3f}, but it is {of['frechet']:.3f}")
    if "control" in of["tracks"] and (of["recognised"] is None or (about["recipe"] or {}).get("only")):
        found.append("need a model that is told what to draw, for control")
    local = next((word for word in about["command"].split() if word.endswith(".safetensors")), None)
    if local and (root / local).is_file() and file_sha256(root / local) != of["model_sha256"]:
        found.append(f"{local} is another file than the one that was measured")
    return found


def board(rows: list[dict], track: str, data: str) -> list[dict]:
    """The entries of a track, the best first; what is equal keeps the order in which it came."""
    here = [of for of in rows if track in of["tracks"] and of["data"] == data]
    merit = {
        "fidelity": lambda of: of["frechet"],
        "control": lambda of: (-of["recognised"], of["frechet"]),
        "speed": lambda of: (of["calls"], of["frechet"]),
    }
    return sorted(here, key=merit[track])


def again(rows: list[dict]) -> str:
    """What the judge said of one and the same way to draw, each time that it was asked: as a sentence, or ''."""
    ways = {}
    for of in rows:
        ways.setdefault(tuple(of[key] for key in ("model_sha256", "sampler", "calls", "guidance")), []).append(of)
    for same in ways.values():
        if len(same) > 1:
            said = " and ".join(f"{of['frechet']:.3f} on {of['date']}" for of in same)
            return f"It has measured the book's {same[0]['name']} more than once, in {same[0]['calls']} calls: {said}."
    return ""


def tables(rows: list[dict]) -> str:
    """All boards as Markdown."""
    lines = []
    for track, title in TRACKS.items():
        lines += [f"### {title}", ""]
        for data in dict.fromkeys(of["data"] for of in rows):
            if not (here := board(rows, track, data)):
                continue
            lines += [
                f"On {data}:",
                "",
                "| entry | distance | recognised | calls |",
                "|---|--:|--:|--:|",
            ]
            lines += [
                f"| {of['name']}, by {of['by']} | {of['frechet']:.3f} | "
                f"{'–' if of['recognised'] is None else format(of['recognised'], '.3f')} | {of['calls']} |"
                for of in here
            ]
            lines.append("")
    return "\n".join(lines)


def render(text: str, rows: list[dict]) -> str:
    """The page: the rules, with the boards in their place."""
    mark = "<!-- Written by tools/challenge.py from workshop/challenge.md and workshop/entries.yml: edit those. -->\n\n"
    text = text.replace("BOARDS", tables(rows).strip()).replace("AGAIN", again(rows)).replace("ROOM", f"{ROOM:g}")
    return mark + text.replace("IMAGES", f"{IMAGES:,}")


def main(root: Path = ROOT) -> int:
    entries = load(root)
    if found := complaints(entries, root):
        print("workshop/entries.yml:", *found, sep="\n  ", file=sys.stderr)
        return 1
    rows = [row(entry, root) for entry in entries]
    text = (root / "workshop" / "challenge.md").read_text("utf-8")
    (root / "workshop" / "leaderboard.json").write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", "utf-8")
    (root / "book" / "workshop" / "challenge.md").write_text(render(text, rows), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
