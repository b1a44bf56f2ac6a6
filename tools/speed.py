"""Write book/speed.md: how fast the package is beside its peers, from the files that `make bench` makes.

python tools/speed.py

Every figure comes out of book/results; what nobody has measured says so.
"""

import json
import statistics
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OURS, OUR_UNET = "ddpm_core.paper", "ddpm_core.unet"
SIZES = ("0.7 M", "2.25 M", "35.7 M")  # those of benchmarks/rig/peers.py


def page(results: Path) -> str:
    """The whole page, from the results files in a folder; a part whose file is missing says "not measured"."""
    parts = [
        "<!-- Written by tools/speed.py from book/results: make those anew with `make bench`. -->",
        "# Speed, beside others",
        "How long a step of training takes, how good a model is after a minute, how cost grows: measured by "
        "`make bench`, which installs the peers into an environment of their own and takes turns, so that whatever "
        "else the machine does meets all of them alike. Figures are medians; the smallest and the largest stand in "
        "brackets, or in the results file.",
    ]
    for title, name, part in (
        ("A step of training", "training_step", training_step),
        ("Digits, in equal seconds", "equal_seconds", equal_seconds),
        ("How cost grows", "growth", growth),
        ("One process and two, on the same threads", "processes", processes),
        ("On a GPU", "on_a_gpu", on_a_gpu),
    ):
        found = read(results, name)
        body = ["Not measured."] if found is None else [*part(found["results"]), made_by(found)]
        parts += [f"## {title}", *body]
    return "\n\n".join(parts) + "\n"


def read(results: Path, name: str) -> dict | None:
    path = results / f"{name}.json"
    return json.loads(path.read_text()) if path.is_file() else None


def made_by(found: dict) -> str:
    """Where the figures come from."""
    return (
        f"*`{found['command']}`, {found['date']}, {found['device']}, {found['minutes']:g} minutes, "
        f"torch {found['torch']}. {found['results']['note']}.*"
    )


def table(heads: list[str], rows: list[list[str]]) -> str:
    """Markdown; all columns but the first to the right."""
    lines = [heads, ["---", *["--:"] * (len(heads) - 1)], *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def between(three: list[float], digits: str = ".3g") -> str:
    """A median with its extremes."""
    return f"{three[0]:{digits}} ({three[1]:{digits}} to {three[2]:{digits}})"


def training_step(results: dict) -> list[str]:
    """One table a size, then what others do better."""
    parts = [
        f"Forward, backward, clip, fused Adam, moving average, on {results['threads']} threads. `{OURS}` is the "
        "paper's layout (its weights are interchangeable with those of diffusers), "
        f"`{OUR_UNET}` the book's own network, which has fewer blocks and skips. Peers come as they are, and once more "
        "in the memory format channels_last, which our trainer sets.",
    ]
    for size, found in results["sizes"].items():
        layout, rows = found["layout"], found["rows"]
        shape = "x".join(str(layout[key]) for key in ("in_channels", "side", "side"))
        head = [
            f"{size}, {shape}, batch {layout['batch']}", "same layout", "weights", "GFLOP an image", "images/s",
            "share of GEMM", "ours faster by", "peak MiB",
        ]  # fmt: skip
        lines = [
            [
                f"`{name}`" if name.startswith("ddpm_core") else name,
                "yes" if row["same_layout"] else "no",
                f"{row['parameters']:,}",
                f"{row['gflop_per_image']:.3g}",
                f"{row['images_per_second'][0]:.3g}",
                f"{row['share_of_gemm'][0]:.2f}",
                "" if name == OURS else f"{row['ours_is_faster_by'][0]:.2f} x",
                f"{row['peak_mib']:.0f}",
            ]
            for name, row in rows.items()
        ]
        parts += [table(head, lines), *better(rows)]
    missing = [size for size in SIZES if size not in results["sizes"]]
    return [*parts, f"Not measured: {', '.join(missing)}."] if missing else parts


def better(rows: dict) -> list[str]:
    """What others do better at this size, in sentences; nothing where they do not."""
    ours, others = rows[OURS], {name: row for name, row in rows.items() if name != OURS}
    rate = ours["images_per_second"][0]
    faster = [name for name, row in others.items() if row["images_per_second"][0] > rate]
    leaner = [name for name, row in others.items() if row["gflop_per_image"] < 0.7 * ours["gflop_per_image"]]
    smaller = [name for name, row in others.items() if row["peak_mib"] < ours["peak_mib"]]
    said = [
        (faster, "More images a second than `ddpm_core.paper`: {}."),
        (leaner, "At least three tenths fewer operations an image: {}."),
        (smaller, "Less memory: {}."),
    ]
    sentences = [words.format(", ".join(names)) for names, words in said if names]
    return [" ".join(sentences)] if sentences else []


ARMS = {  # rows of equal_seconds: what the network is asked for and under which schedule, where the guess is clamped
    "ddpm_core": ("v, cosine", "at each step"),
    "ddpm_core, Muon": ("v, cosine", "at each step"),
    "diffusers, our recipe": ("v, cosine", "at each step"),
    "diffusers, our optimiser and batch": ("eps, linear", "at the end"),
    "diffusers, as in its example": ("eps, linear", "at the end"),
}


def equal_seconds(results: dict) -> list[str]:
    """Each arm for what it is; one that is not in the file was not measured."""
    bound = "continuous bound, bits/dim"
    heads = [f"{results['seconds']:g} s each", "asked, schedule", "clamp", bound, "Fréchet distance", "images seen"]
    rows = []
    for name, what in ARMS.items():
        row = results["rows"].get(name)
        forms = {"bits_per_dim": ".3g", "frechet": ".3g", "images": ".0f"}
        cells = [between(row[key], form) if row else "not measured" for key, form in forms.items()]
        rows.append([name, *what, *cells])
    error = f"{results['standard_error']:.2g}" if "standard_error" in results else "not measured"
    told = [f"The bound is of the same held-out digits for all; standard error over them: {error}."]
    return [table(heads, rows), *told, *ahead(results)]


PEER = "diffusers, our recipe"  # equal to ours in everything but the library


def ahead(results: dict) -> list[str]:
    """In how many seeds each of our arms is ahead of the equal peer, and by what factor in the middle one."""
    by_row = {name: [run for run in results.get("runs", []) if run["row"] == name] for name in ARMS}
    told, theirs = [], by_row[PEER]
    for name in ("ddpm_core", "ddpm_core, Muon") if theirs else ():
        ours = by_row[name]
        pairs = list(zip(ours, theirs, strict=True))
        lower = {key: sum(a[key] < b[key] for a, b in pairs) for key in ("bits_per_dim", "frechet")}
        factor = statistics.median(b["frechet"] / a["frechet"] for a, b in pairs)
        told.append(
            f"{name} against {PEER}: a lower bound in {lower['bits_per_dim']} of {len(pairs)} seeds, a lower Fréchet "
            f"distance in {lower['frechet']}, smaller by a factor of {factor:.2g} in the middle seed."
        )
    return [" ".join(told)] if told else []


UNITS = {"gflop": "GFLOP", "T": "T"}


def growth(results: dict) -> list[str]:
    """What grows, and by how much more than the arithmetic says."""
    parts, sizes = [], {"resolution": ("side", "gflop"), "batch": ("batch", "gflop"), "steps_of_a_chain": ("T", "T")}
    for name, (key, unit) in sizes.items():
        rows, growths = results[name]["rows"], ["", *(f"{x:.2f}" for x in results[name]["growth"])]
        more = f"growth of seconds / of {UNITS[unit]}"
        heads = [name.replace("_", " "), *([] if unit == key else [UNITS[unit]]), "seconds", more]
        lines = [
            [str(row[key]), *([] if unit == key else [f"{row[unit]:g}"]), between(row["seconds"]), grew]
            for row, grew in zip(rows, growths, strict=True)
        ]
        parts.append(table(heads, lines))
    return [*parts, "Below 1 the seconds grow more slowly than what is to be computed, above it faster."]


def processes(results: dict) -> list[str]:
    """Images a second by the number of processes that share the same threads."""
    rows = [[str(row["processes"]), between(row["images_per_second"])] for row in results["rows"]]
    return [table(["processes", "images/s"], rows)]


def on_a_gpu(results: dict) -> list[str]:
    """The rows as they are; a figure is [median, smallest, largest], or "not measured"."""
    heads = {"images_per_second": "images/s", "share_of_matmul": "share of the matmul rate", "peak_mib": "peak MiB"}

    def cell(value: object) -> str:
        return between(value) if isinstance(value, list) else str(value)

    rows = [[name, *(cell(row[key]) for key in heads)] for name, row in results["rows"].items()]
    faster = cell(results["ours_is_faster_by"])
    return [
        f"The paper's network in {results['precision']}, in our trainer and in the loop of diffusers' own example. "
        f"Ours is faster by: {faster}.",
        table(["35.7 M", *heads.values()], rows),
    ]


if __name__ == "__main__":
    (ROOT / "book" / "speed.md").write_text(page(ROOT / "book" / "results"))
