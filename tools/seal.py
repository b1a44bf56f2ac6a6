"""Give checkpoints of earlier versions the hash that `files.write_tensors` writes; their weights stay as they are.

python tools/seal.py FILE...     what names the file's old sha256 in book/ names the new one then
"""

import sys
from pathlib import Path

from ddpm_core.storage.files import SEAL, file_sha256, read_tensors, write_tensors

ROOT = Path(__file__).resolve().parent.parent
NAMED_IN = ("book/results/*.json", "book/results/*.md", "book/_static/generator/models.json")


def seal(path: Path) -> tuple[str, str]:
    """The file's sha256 before and now; they are one where it had its hash already."""
    before, (tensors, header) = file_sha256(path), read_tensors(path)
    if SEAL not in header:
        write_tensors(path, tensors, header)
    return before, file_sha256(path)


def main(paths: list[str]) -> None:
    renamed = {}
    for path in map(Path, paths):
        before, now = seal(path)
        renamed[before] = now
        print(f"{path.name}: {before[:12]}... -> {now[:12]}...")
    for file in (file for pattern in NAMED_IN for file in sorted(ROOT.glob(pattern))):
        text = changed = file.read_text("utf-8")
        for before, now in renamed.items():
            changed = changed.replace(before, now)
        if changed != text:
            file.write_text(changed, "utf-8")
            print(f"{file.relative_to(ROOT)}: the new hash")


if __name__ == "__main__":
    main(sys.argv[1:])
