"""How long one caller waits for one picture from the Space, from the press until the last file is here.

python -m benchmarks.the_space [--turns 15]

The Space runs on this machine, asked by one client over the loopback: no network is measured. Each turn asks every
model once; the first turn, which loads the models, stands apart.
"""

import argparse
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from experiments.common.results_file import ROOT, Stopwatch, significant, write

MODELS = {  # title, class, caption
    "digits": ("Handwritten digits, 8x8", "3", ""),
    "garments": ("Garments, 32x32", "Bag", ""),
    "cars": ("Cars, 32x32", "any", ""),
    "shapes": ("Shapes from a caption, 32x32", "any", "a small blue ring at the top"),
}
STEPS, THREADS = 20, 2


def started(words: Path) -> tuple[subprocess.Popen, str]:
    """The Space in a process of its own, and its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = dict(PYTHONPATH=str(ROOT), OMP_NUM_THREADS=str(THREADS), PYTHONUNBUFFERED="1", HF_HUB_OFFLINE="1")
    with words.open("w") as said:
        command = [sys.executable, "space/app.py", "--port", str(port)]
        app = subprocess.Popen(command, cwd=ROOT, env=os.environ | settings, stdout=said, stderr=subprocess.STDOUT)
    while not (found := re.search(r"http://127\.0\.0\.1:\d+", words.read_text())):
        if app.poll() is not None:
            raise RuntimeError(f"need the Space to start, but it ended: {words.read_text()[-500:]}")
        time.sleep(0.2)
    return app, found[0]


def seconds(client, title: str, label: str, caption: str, seed: int) -> float:
    """From the press to the picture: one, with guidance where a class or a caption is given."""
    began = time.perf_counter()
    _, said = client.predict(title, label, caption, 1, STEPS, "DPM-Solver++", 1, seed, api_name="/draw")
    if not said.startswith("Finished"):
        raise RuntimeError(f"need a finished picture, but the Space said {said!r}.")
    return time.perf_counter() - began


def summary(waits: list[float]) -> dict[str, float]:
    """What half wait no longer than; the longest."""
    return {"p50": significant(statistics.median(waits)), "longest": significant(max(waits))}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=15)
    options, watch = parser.parse_args(arguments), Stopwatch("benchmarks.the_space", arguments)
    from gradio_client import Client

    with tempfile.TemporaryDirectory() as folder:
        app, address = started(Path(folder) / "words")
        try:
            client = Client(address, verbose=False, download_files=folder)
            first = {name: significant(seconds(client, *asked, 0)) for name, asked in MODELS.items()}
            waits = {name: [] for name in MODELS}
            for turn in range(options.turns):
                for name, asked in MODELS.items():
                    waits[name].append(seconds(client, *asked, turn))
        finally:
            app.terminate()
            app.wait(30)
    rows = {name: summary(found) | {"first": first[name]} for name, found in waits.items()}
    note = (
        "seconds from the call to the last file; one picture, DPM-Solver++, guidance 1 where a class or a caption is "
        "given; first: loads the model; load_average: how many wanted to compute at the end, this and all else that "
        "the machine did"
    )
    results = {"rows": rows, "steps": STEPS, "threads": THREADS, "turns": options.turns}
    results |= {"load_average": round(os.getloadavg()[0], 1), "note": note}
    write("the_space", results, watch, device=f"{THREADS} CPU cores")


if __name__ == "__main__":
    main()
