"""Run the chapters with the versions of Colab: those of its widgets and its kernel are years older than the book's own.

    python tools/colab.py [NAME...]      default: every chapter

The environment .venv-colab has Colab's ipython, ipykernel, ipywidgets, numpy, matplotlib and scikit-learn, and its
torch where pip finds a build of it for a processor; the rest comes from .venv. A cell that fails there fails the
command. Outputs are thrown away: the versions print their widgets differently.
"""

import subprocess
import sys
import sysconfig
from pathlib import Path

import colab_versions
import nbformat
from jupyter_client.manager import AsyncKernelManager as KernelManager
from jupyter_core.utils import run_sync
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / ".venv-colab"
COLAB = [*colab_versions.pins(), "setuptools<81"]  # the list with its date: tools/colab.txt
TORCH = f"torch=={colab_versions.known()['torch'].partition('+')[0]}+cpu"
SAY = """import importlib.metadata as _of
print(*(f"{name} {_of.version(name)}" for name in ("ipython", "ipywidgets", "numpy", "torch")), sep=", ")"""


def prepare() -> Path:
    """The interpreter of .venv-colab, made anew when the list has changed; what it lacks it finds in the book's own."""
    python, ready, wanted = PLACE / "bin" / "python", PLACE / ".ready", "\n".join([*COLAB, TORCH])
    if not ready.exists() or ready.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", PLACE], check=True)
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, *COLAB], check=True)
        if subprocess.run([*install, "--no-deps", TORCH], capture_output=True).returncode:
            print(f"pip finds no {TORCH} here (PyTorch's own index has it): the book's torch stands for it")
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        site = PLACE / "lib" / version / "site-packages"
        (site / "book.pth").write_text(f"{sysconfig.get_path('purelib')}\n{ROOT}\n")
        ready.write_text(wanted)
    return python


def kernel(python: Path) -> KernelManager:
    """A kernel of that interpreter, whatever kernels this machine knows."""
    manager = KernelManager()
    manager.kernel_spec.argv = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    return manager


def execute(notebook, python: Path, folder: Path) -> None:
    """Run its cells in that folder; raises CellExecutionError where one fails. No kernel is left behind."""
    manager = kernel(python)
    client = NotebookClient(notebook, km=manager, timeout=600, resources={"metadata": {"path": folder}})
    try:
        client.execute()
    finally:
        if client.kc is not None:
            client.kc.stop_channels()
        run_sync(manager.shutdown_kernel)(now=True)


def run(name: str, python: Path) -> None:
    """Execute book/NAME.ipynb there; raises CellExecutionError where a cell fails."""
    notebook = nbformat.read(ROOT / "book" / f"{name}.ipynb", as_version=4)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(SAY))
    execute(notebook, python, ROOT / "book")
    print(f"{name}: runs with {check_output(notebook)}")


def check_output(notebook) -> str:
    """What the first cell printed."""
    return notebook.cells[0].outputs[0].text.strip()


if __name__ == "__main__":
    interpreter = prepare()
    for chapter in sys.argv[1:] or sorted(path.stem for path in (ROOT / "book").glob("*.ipynb")):
        run(chapter, interpreter)
