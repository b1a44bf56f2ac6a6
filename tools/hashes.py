"""Write ddpm_core/book/hashes.json: the sha256 of every file in book/results, to which a fetched one is held.

python tools/hashes.py
"""

import json
from pathlib import Path

from ddpm_core.storage.files import file_sha256

ROOT = Path(__file__).resolve().parent.parent
LIST = ROOT / "ddpm_core" / "book" / "hashes.json"


def hashes() -> dict[str, str]:
    """File name -> sha256 of what lies in book/results now."""
    return {path.name: file_sha256(path) for path in sorted((ROOT / "book" / "results").iterdir()) if path.is_file()}


if __name__ == "__main__":
    LIST.write_text(json.dumps(hashes(), indent=1) + "\n")
