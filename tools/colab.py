"""Run the chapters with the widget and kernel versions of Colab, which are years older than the book's own.

    python tools/colab.py [NAME...]      default: every chapter

The environment .venv-colab has Colab's ipython, ipykernel and ipywidgets; torch and the rest come from .venv. A
cell that fails there fails the command. Outputs are thrown away: the versions print their widgets differently.
"""

import subprocess
import sys
import sysconfig
from pathlib import Path

import colab_versions
import nbformat
from jupyter_client.manager import AsyncKernelManager as KernelManager
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / ".venv-colab"
COLAB = [*colab_versions.pins(), "setuptools<81"]  # the list with its date: tools/colab.txt


def prepare() -> Path:
    """The interpreter of .venv-colab, made if it is missing; what it lacks it finds in the book's environment."""
    python = PLACE / "bin" / "python"
    if not (PLACE / ".ready").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", PLACE], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *COLAB], check=True)
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        site = PLACE / "lib" / version / "site-packages"
        (site / "book.pth").write_text(f"{sysconfig.get_path('purelib')}\n{ROOT}\n")
        (PLACE / ".ready").touch()
    return python


def kernel(python: Path) -> KernelManager:
    """A kernel of that interpreter, whatever kernels this machine knows."""
    manager = KernelManager()
    manager.kernel_spec.argv = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    return manager


def run(name: str, python: Path) -> None:
    """Execute book/NAME.ipynb there; raises CellExecutionError where a cell fails."""
    notebook = nbformat.read(ROOT / "book" / f"{name}.ipynb", as_version=4)
    check = nbformat.v4.new_code_cell("import IPython, ipywidgets; print(IPython.__version__, ipywidgets.__version__)")
    notebook.cells.insert(0, check)
    client = NotebookClient(notebook, km=kernel(python), timeout=600, resources={"metadata": {"path": ROOT / "book"}})
    client.execute()
    print(f"{name}: runs with ipython and ipywidgets {check_output(notebook)}")


def check_output(notebook) -> str:
    """What the first cell printed."""
    return notebook.cells[0].outputs[0].text.strip()


if __name__ == "__main__":
    interpreter = prepare()
    for chapter in sys.argv[1:] or sorted(path.stem for path in (ROOT / "book").glob("*.ipynb")):
        run(chapter, interpreter)
