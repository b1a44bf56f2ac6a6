"""Where figures come from: the command that made them, and the commit that the code was at."""

import os
import subprocess
from importlib.metadata import metadata
from pathlib import Path


def public(word: str) -> str:
    """A word of a command line. A path becomes its last part, behind an option's "=" too: whose machine it was does not
    matter. A name on the Hub stays."""
    option, equals, path = word.partition("=") if word.startswith("-") else ("", "", word)
    return option + equals + (Path(path).name if path.startswith(("/", "~", ".")) else path)


def commit(*folders: str) -> str | None:
    """That of the checkout the package runs from, "+" with changes since in these folders of it (by default the
    package's own); None outside of one, or in another's. A copy without its history is told by DDPM_COMMIT."""
    if named := os.environ.get("DDPM_COMMIT"):
        return named
    package = Path(__file__).resolve().parents[1]

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=package, capture_output=True, text=True, check=False).stdout.strip()

    try:
        if git("rev-parse", "--show-toplevel") != str(package.parent):
            return None
        changed = git("status", "--porcelain", "--", *(f":/{folder}" for folder in folders or [package.name]))
        return git("rev-parse", "--short", "HEAD") + ("+" if changed else "") or None
    except OSError:  # no git
        return None


def repository() -> str:
    """The repository's address, from the package's own metadata."""
    urls = dict(entry.split(", ", 1) for entry in metadata("ddpm-core").get_all("Project-URL"))
    return urls["Repository"].rstrip("/")
