"""Change the address of the book's repository everywhere it stands, links derived from it included.

    python tools/repository.py https://github.com/YOU/YOUR-BOOK

The address stands once as a setting, in _config.yml; notebooks, links to Colab and to sources, and the
package's metadata repeat it. A notebook that was in step stays so: an address is no reason to run it again.
"""

import re
import sys
from pathlib import Path

import equations
import nbformat
import notebooks

ROOT = Path(__file__).resolve().parent.parent
TEXTS = {
    ".md",
    ".ipynb",
    ".yml",
    ".yaml",
    ".toml",
    ".cff",
    ".py",
    ".js",
    ".json",
    ".txt",
    ".cfg",
    ".html",
    ".css",
    "",
}
SKIPPED = {
    ".git",
    ".venv",
    ".venv-colab",
    ".pytest_cache",
    ".ruff_cache",
    "_build",
    "runs",
    "node_modules",
    "vendor",
    "__pycache__",
}


def slug(address):
    """OWNER/NAME of an address on GitHub, the only place from which Colab opens notebooks by address."""
    match = re.fullmatch(r"https://github\.com/([\w.-]+/[\w.-]+?)(?:\.git)?/?", address.strip())
    if not match:
        raise ValueError(f"need an address like https://github.com/OWNER/NAME, but got {address!r}.")
    return match.group(1)


def moved(text, old, new):
    """A text with one repository's OWNER/NAME replaced by another's, wherever it stands as a whole."""
    return re.sub(rf"(?<![\w.-]){re.escape(old)}(?![\w-]|\.(?!git\b)\w)", new, text)


def files(root=ROOT):
    """All text files of the checkout that people wrote or commit."""
    for path in sorted(root.rglob("*")):
        parts = path.relative_to(root).parts
        if not SKIPPED & set(parts) and not parts[0].endswith(".egg-info") and path.suffix in TEXTS and path.is_file():
            yield path


def restamped(name, root=ROOT):
    """Give a notebook the ids and the record that follow from its new text."""
    path = root / "book" / f"{name}.ipynb"
    notebook = notebooks.with_ids(nbformat.read(path, as_version=4))
    notebook.metadata["ddpm"] = notebooks.record(notebook, root)
    notebooks.write(notebook, path)


def move(address, root=ROOT):
    """Replace the present address by a new one. Returns the paths of the files that changed."""
    old, new = slug(equations.read_repository(root)), slug(address)
    in_step = [name for name in notebooks.chapters(root) if not notebooks.out_of_step(name, root)]
    changed = []
    for path in files(root):
        try:
            before = path.read_text()
        except UnicodeDecodeError:
            continue
        after = moved(before, old, new)
        if after != before:
            path.write_text(after)
            changed.append(path.relative_to(root).as_posix())
    for name in in_step:
        restamped(name, root)
    return changed


def main(arguments):
    """Move, and say what changed."""
    if len(arguments) != 1 or not arguments[0]:
        return "Say where to: make repository URL=https://github.com/OWNER/NAME"
    try:
        changed = move(arguments[0])
    except ValueError as error:
        return f"repository: {error}"
    print(*changed, f"{len(changed)} files changed.", sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
