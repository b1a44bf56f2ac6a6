"""Run the notebooks of the offline archive as its README says: from a fresh folder, with no network to be had.

    python tools/unpacked.py [NAME...]      of _build/diffusion-book-offline.zip; by default every notebook

Where `make offline WITH=--wheels` packed the packages, they and ddpm_core are installed from the archive. Else the
archive's ddpm_core is used as it lies there, with the packages of this environment. All of it runs in a network of
its own, which leads nowhere: this takes Linux.
"""

import os
import subprocess
import sys
import sysconfig
import tempfile
import time
import zipfile
from pathlib import Path

import colab
import nbformat
import offline
from nbclient.exceptions import CellExecutionError

ARCHIVE = offline.ROOT / "_build" / f"{offline.TOP}.zip"
CUT = ["unshare", "--net", "--map-root-user"]
HERE = ["ip", "link", "set", "lo", "up"]  # this machine itself: a notebook talks to its kernel by it
PIP = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--root-user-action", "ignore", "--no-index"]
REFUSED = (
    f"Nobody may cut off the network here: `{' '.join(CUT + HERE)}` fails. It takes Linux with `ip`; Ubuntu allows it "
    "until the next start by `sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0`."
)


def cuttable() -> bool:
    """May a command here run in a network of its own?"""
    try:
        return subprocess.run([*CUT, *HERE], capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


def unpack(archive: Path, folder: Path) -> Path:
    """The archive's own folder, unpacked, each file held to its hash."""
    zipfile.ZipFile(archive).extractall(folder)
    top = folder / offline.TOP
    subprocess.run(["sha256sum", "--check", "--quiet", "MANIFEST.sha256"], cwd=top, check=True)
    return top


def install(top: Path) -> Path:
    """The interpreter of a new environment with what the archive installs."""
    subprocess.run([sys.executable, "-m", "venv", top / ".venv"], check=True)
    python = top / ".venv" / "bin" / "python"
    if (top / "wheels").is_dir():
        subprocess.run([python, *PIP, "--find-links", "wheels", "-r", "wheels.txt", "."], cwd=top, check=True)
    else:
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        site = top / ".venv" / "lib" / version / "site-packages"
        (site / "here.pth").write_text(f"{top}\n{sysconfig.get_path('purelib')}\n")
    return python


def run(notebook: Path, python: Path) -> str:
    """Execute a notebook where it lies; returns what is wrong, '' for nothing."""
    try:
        colab.execute(nbformat.read(notebook, as_version=4), python, notebook.parent)
    except CellExecutionError as error:
        return f"{error.ename}: {error.evalue}"
    return ""


def inside(archive: Path, names: list[str]) -> int:
    """Unpack, install and run, where there is no network; exits with 1 where a notebook fails."""
    subprocess.run(HERE, check=True)
    for name in [name for name in os.environ if name == "PYTHONPATH" or name.startswith(("DDPM_", "HF_", "PIP_"))]:
        del os.environ[name]
    os.environ["PIP_CONFIG_FILE"] = os.devnull
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        os.environ["HOME"] = folder  # nothing that this machine keeps or sets helps
        top = unpack(archive, Path(folder))
        python = install(top)
        for name in names or sorted(path.stem for path in (top / "book").glob("*.ipynb")):
            start = time.perf_counter()
            wrong = run(top / "book" / f"{name}.ipynb", python)
            failed += [name] if wrong else []
            print(f"{name}: {wrong or f'runs, {time.perf_counter() - start:.0f} s'}", flush=True)
    return int(bool(failed))


def main(names: list[str], archive: Path = ARCHIVE) -> int:
    if not archive.is_file():
        print(f"There is no {archive}: run `make offline` first.", file=sys.stderr)
        return 2
    if not cuttable():
        print(REFUSED, file=sys.stderr)
        return 2
    return subprocess.run([*CUT, sys.executable, __file__, "--inside", archive, *names]).returncode


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        sys.exit(inside(Path(sys.argv[2]), sys.argv[3:]))
    sys.exit(main(sys.argv[1:]))
