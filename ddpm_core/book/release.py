"""Whether a notebook and the package that it found belong together: what a chapter's first cell asks.

The first two numbers of a version name a release: 0.1.0 and 0.1.7 are of release 0.1, and fit its notebooks. In Colab,
which hands out what is free, the cell also says what it got.
"""

import sys

import ddpm_core
from ddpm_core.storage.provenance import repository


def fits(notebook: str) -> None:
    """Nothing, if this package is of the notebook's release, such as "0.1"; in Colab a line on the device.

    Raises ImportError, with the versions that fit and what to do, if it is of another; ValueError for no release.
    """
    parts = notebook.split(".") if isinstance(notebook, str) else []
    if len(parts) != 2 or not all(part.isdecimal() for part in parts):
        raise ValueError(f"need a release like '0.1', but got {notebook!r}.")
    version = ddpm_core.__version__
    here, theirs = [int(part) for part in version.split(".")[:2]], [int(part) for part in parts]
    said = f"this notebook is of release {notebook} and fits ddpm_core {notebook}.x, but here is"
    if here > theirs:
        raise ImportError(
            f"{said} {version}, a newer one: open the chapter anew from {repository()}, or let "
            f"this cell install git+{repository()}@v{notebook}.0 and restart the kernel."
        )
    if here < theirs:
        raise ImportError(
            f"{said} {version}, an older one: run %pip install --upgrade git+{repository()} and restart the kernel."
        )
    if "google.colab" in sys.modules:
        print(_device())


def _device() -> str:
    from ddpm_core.training.devices import check_device, device_name  # torch: only where the line is said

    device = check_device(None)
    if device == "cpu":
        what = f"{device_name()} and no GPU, so that it trains and draws on the processor"
    else:
        what = f"{device_name(device)}, which trains and draws; a processor would do"
    return f"This session has {what}. Where the book was made, no chapter's cells took a minute on a processor."
