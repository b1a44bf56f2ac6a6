"""Where a Chromium stands on this machine. As a command: prints the path, or exits with 1."""

import os
import shutil
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
MISSING = (
    "The pages need a Chromium to be tested in: install your system's `chromium` package, "
    "or run `python -m playwright install chromium`, or set CHROMIUM to the path of one."
)


def downloaded():
    """The browser that `playwright install chromium` fetched, or None."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if os.path.exists(path) else None


def find():
    """The path of a Chromium: the one CHROMIUM names, the system's, Playwright's own, else None."""
    system = (shutil.which(name) for name in (os.environ.get("CHROMIUM", ""), *NAMES) if name)
    return next((path for path in system if path), None) or downloaded()


if __name__ == "__main__":
    path = find()
    if path is None:
        sys.exit(MISSING)
    print(f"Browser: {path}")
