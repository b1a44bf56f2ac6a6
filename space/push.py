"""Publish the Space: python space/push.py OWNER/NAME [--private].

Uploads what it needs to stand alone: the form, the package and the models. Who may write there is known from
`hf auth login` or HF_TOKEN.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(HERE))

import drawing  # noqa: E402

from ddpm_core.storage import hub  # noqa: E402


def assembled(folder: Path) -> Path:
    """All that the Space needs, in a folder."""
    for name in ("README.md", "requirements.txt", "app.py", "drawing.py", "limits.py"):
        shutil.copyfile(HERE / name, folder / name)
    shutil.copyfile(drawing.GENERATOR / "bounds.json", folder / "bounds.json")
    shutil.copytree(ROOT / "ddpm_core", folder / "ddpm_core", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "models").mkdir()
    for stem in drawing.MODELS.values():
        shutil.copyfile(ROOT / "book" / "results" / f"{stem}.safetensors", folder / "models" / f"{stem}.safetensors")
    return folder


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", metavar="OWNER/NAME")
    parser.add_argument("--private", action="store_true")
    options = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory() as folder:
            print(hub.push_space(assembled(Path(folder)), options.name, options.private))
    except OSError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
