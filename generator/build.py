"""Compile kernels.c into the kernels.wasm that the page loads: python generator/build.py [FILE].

The compiler is clang, as `ziglang` on PyPI brings it; its version is pinned, so that the same source gives the same
bytes on every machine.
"""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
WASM = HERE.parent / "book" / "_static" / "generator" / "kernels.wasm"
COMMAND = [
    *("-target", "wasm32-freestanding", "-O3", "-msimd128", "-nostdlib"),
    *("-Wl,--no-entry", "-Wl,--strip-all", "-Wl,--export=__heap_base"),
]


def build(target: Path) -> None:
    """Compile the kernels into `target`. Raises CalledProcessError with what the compiler says."""
    command = [sys.executable, "-m", "ziglang", "cc", *COMMAND, "-o", str(target), "kernels.c"]
    subprocess.run(command, check=True, cwd=HERE)


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else WASM
    build(target.resolve())
    print(f"{target}: {target.stat().st_size:,} bytes")
