"""Turn the text of a chapter into its notebook: sync the cells, run them when needed, store what they show.

    python tools/notebooks.py               every chapter that is out of step
    python tools/notebooks.py 01-forward-process
    python tools/notebooks.py --all         run all of them again
    python tools/notebooks.py --check       change nothing; name what is out of step and exit with 1

The text twin ``book/src/NAME.md`` is the source. ``book/NAME.ipynb`` holds the same cells plus their outputs,
is committed, and is what the page and Colab show. A cell's id is a hash of its source, so that the same text
always gives the same notebook, and a stored output belongs to exactly the source that printed it.
"""

import argparse
import ast
import hashlib
import os
import re
import sys
import time
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

ROOT = Path(__file__).resolve().parent.parent
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
CELL_TIMEOUT = 600  # seconds, as in the tests: it only ends a cell that hangs
# Kept this short, or every reader's Python version would show up in the diff.
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python", "pygments_lexer": "ipython3"},
}


# ---- From text to cells ------------------------------------------------------------------------------------


def sha(*texts):
    """The sha256 of some texts, each ended by a zero byte so that no two lists of texts share a hash."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode() + b"\0")
    return digest.hexdigest()


def with_ids(notebook):
    """Give every cell the id that follows from its kind, its source and how often that occurred before."""
    seen = {}
    for cell in notebook.cells:
        key = sha(cell.cell_type, cell.source)
        seen[key] = seen.get(key, 0) + 1
        cell.id = sha(key, str(seen[key]))[:8]
    return notebook


def from_text(text):
    """Read a chapter's text (MyST Markdown) as a notebook without outputs."""
    read = jupytext.reads(text, fmt="md:myst")
    notebook = nbformat.v4.new_notebook(cells=read.cells, metadata=nbformat.from_dict(METADATA))
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return with_ids(notebook)


def with_outputs_of(notebook, old):
    """Take over outputs, counts and the record of the last run wherever the cell is still the same."""
    stored = {cell.id: cell for cell in old.cells if cell.cell_type == "code"}
    for cell in notebook.cells:
        if cell.cell_type == "code" and cell.id in stored:
            cell.outputs = stored[cell.id].outputs
            cell.execution_count = stored[cell.id].execution_count
    if "ddpm" in old.metadata:
        notebook.metadata["ddpm"] = old.metadata["ddpm"]
    return notebook


def differences(twin, stored):
    """Say how the stored notebook's cells differ from those of its text; an empty list when they agree."""
    found = []
    if len(twin.cells) != len(stored.cells):
        found.append(f"the text has {len(twin.cells)} cells, the notebook {len(stored.cells)}")
    for number, (ours, theirs) in enumerate(zip(twin.cells, stored.cells, strict=False), start=1):
        for part in ("cell_type", "source", "metadata", "id"):
            if ours[part] != theirs[part]:
                found.append(f"cell {number}: its {part} is not that of the text")
                break
    return found


# ---- When a chapter must run again -------------------------------------------------------------------------


def code_of(notebook):
    """The sources of the code cells."""
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def imported(source):
    """The dotted names below ``ddpm_core`` that some Python source imports: ``diffusion.gaussian.kl``, ``unet``."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.removeprefix("ddpm_core.") for name in names if name.startswith("ddpm_core.")}


def without_magics(source):
    """Python that parses: lines that only a notebook understands become ``pass``."""
    return re.sub(r"(?m)^(\s*)[%!].*$", r"\1pass", source)


def file_of(name, package):
    """The file that a dotted name of the package is, or stands in; a folder is its ``__init__``. None if none is."""
    parts = name.split(".")
    for k in range(len(parts), -1, -1):
        stem = package.joinpath(*parts[:k])
        for path in (stem.with_suffix(".py"), stem / "__init__.py"):
            if path.is_file():
                return path
    return None


def reached(sources, package):
    """All modules of the package that some code uses, directly or through other modules."""
    found, names = set(), set().union({"__init__"}, *(imported(without_magics(source)) for source in sources))
    todo = {file_of(name, package) for name in names} - {None}
    while todo:
        path = todo.pop()
        found.add(path)
        todo |= {file_of(name, package) for name in imported(path.read_text("utf-8"))} - {None} - found
    return sorted(found)


def named_in(texts, folder):
    """The files of a folder whose name or stem stands in quotes in one of the texts."""
    quoted = "\n".join(re.findall(r"[\"'][^\"'\n]*[\"']", "\n".join(texts)))
    return [
        path
        for path in sorted(folder.glob("*"))
        if path.is_file() and re.search(rf"[\"'/]{re.escape(path.stem)}(\.\w+)?[\"']", quoted)
    ]


def uses(notebook, root=ROOT):
    """The files a chapter's outputs depend on: modules of the package, their data, the results it loads.

    Not the list of all results' hashes, which changes with each of them: those that it loads are counted themselves.
    """
    code = code_of(notebook)
    modules = reached(code, root / "ddpm_core")
    texts = [path.read_text("utf-8") for path in modules]
    folders = {path.parent for path in modules} | {path.parent / "assets" for path in modules}
    beside = [path for folder in sorted(folders) for path in named_in(texts, folder) if path.name != "hashes.json"]
    results = named_in(code, root / "book" / "results")
    return sorted({*modules, *beside, *results})


def record(notebook, root=ROOT):
    """What is noted after a run and compared before the next: a hash of the code, one of what it uses."""
    files = uses(notebook, root)
    contents = [
        f"{path.relative_to(root).as_posix()} {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in files
    ]
    return {"code": sha(*code_of(notebook)), "uses": sha(*contents)}


def reason_to_run(notebook, root=ROOT):
    """Why the stored outputs no longer belong to the code, in words; '' when they do."""
    ran, now = notebook.metadata.get("ddpm", {}), record(notebook, root)
    if not ran:
        return "it was never run"
    if ran.get("code") != now["code"]:
        return "its code changed"
    if any(cell.cell_type == "code" and cell.execution_count is None for cell in notebook.cells):
        return "a cell was never run"
    if ran.get("uses") != now["uses"]:
        return "the package or a result it loads changed"
    return ""


# ---- Running and storing -----------------------------------------------------------------------------------


def without_widget_state(notebook):
    """Drop what only a running kernel can bring to life; a live cell's text output stays to be compared."""
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(WIDGET_VIEW, None)
    return notebook


def execute(notebook, folder):
    """Run all cells in a fresh kernel whose working directory is ``folder``; raises where a cell fails."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
        extra_arguments=["--IPKernelApp.log_level=ERROR"],  # no word about unencrypted loopback
    )
    client.execute()
    notebook.metadata = nbformat.from_dict(METADATA)
    return without_widget_state(notebook)


def write(notebook, path):
    """Store a notebook all at once: whoever reads, or pulls the plug, finds the old or the new one, whole."""
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(nbformat.writes(notebook).rstrip("\n") + "\n")
    os.replace(temporary, path)


def prepare(name, root=ROOT):
    """The notebook as it should be before running: the text's cells, with the outputs still theirs."""
    notebook = from_text((root / "book" / "src" / f"{name}.md").read_text())
    path = root / "book" / f"{name}.ipynb"
    return with_outputs_of(notebook, nbformat.read(path, as_version=4)) if path.exists() else notebook


def update(name, again=False, root=ROOT):
    """Bring one notebook in step with its text, running it if needed. Returns a sentence on what was done."""
    path = root / "book" / f"{name}.ipynb"
    notebook = prepare(name, root)
    reason = "asked for" if again else reason_to_run(notebook, root)
    if reason:
        print(f"{name}: running, {reason} ...", flush=True)
        start = time.perf_counter()
        execute(notebook, root / "book")
        notebook.metadata["ddpm"] = record(notebook, root)
        done = f"ran in {time.perf_counter() - start:.1f} s"
    elif path.exists() and nbformat.read(path, as_version=4) == notebook:
        return f"{name}: in step"
    else:
        done = "text updated, outputs kept"
    write(notebook, path)
    return f"{name}: {done}"


def out_of_step(name, root=ROOT):
    """What ``update`` would mend, as sentences."""
    path = root / "book" / f"{name}.ipynb"
    if not path.exists():
        return [f"book/{name}.ipynb is missing"]
    stored = nbformat.read(path, as_version=4)
    found = differences(from_text((root / "book" / "src" / f"{name}.md").read_text()), stored)
    reason = "" if found else reason_to_run(stored, root)
    return [f"book/{name}.ipynb: {sentence}" for sentence in found + ([reason] if reason else [])]


# ---- The command -------------------------------------------------------------------------------------------


def chapters(root=ROOT):
    """The names of all chapters, in order."""
    return sorted(path.stem for path in (root / "book" / "src").glob("*.md"))


def orphans(root=ROOT):
    """Notebooks without a text twin: edits to them would be lost or never reviewed."""
    return [
        f"book/{path.name} has no text in book/src"
        for path in sorted((root / "book").glob("*.ipynb"))
        if path.stem not in chapters(root)
    ]


def check(names, root=ROOT):
    """Print what is out of step; the exit status says whether anything is."""
    found = orphans(root) + [sentence for name in names for sentence in out_of_step(name, root)]
    if found:
        print(*found, "Run `make notebooks`.", sep="\n")
    return 1 if found else 0


def run(names, again=False, root=ROOT):
    """Update the named chapters; stop at the first cell that fails, leaving the stored notebook as it was."""
    for name in names:
        try:
            print(update(name, again, root), flush=True)
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            print(f"{error}\n{name}: a cell failed; book/{name}.ipynb is left as it was.", file=sys.stderr)
            return 1
    return 0


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="chapters, by default all")
    parser.add_argument("--all", action="store_true", help="run them even where nothing changed")
    parser.add_argument("--check", action="store_true", help="change nothing, exit with 1 if something is out of step")
    arguments = parser.parse_args(argv)
    names = [Path(name).stem for name in arguments.names] or chapters()
    unknown = sorted(set(names) - set(chapters()))
    if unknown:
        parser.error(f"no text for {', '.join(unknown)} in book/src; there are {', '.join(chapters()) or 'none'}.")
    return check(names) if arguments.check else run(names, again=arguments.all)


if __name__ == "__main__":
    sys.exit(main())
