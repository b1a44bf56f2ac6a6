"""More pictures than memory: how soon a training begins, what it holds in memory, and what mapping its pixels costs.

python -m benchmarks.many_pictures [--pictures 200000] [--side 64]

The pictures are made up here: a few hundred PNGs, each many times over with another comment inside, so that no two
files are the same. They lie in a folder of the system's temporary place, as does the cache, and are removed at the end.
"""

import argparse
import io
import os
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from tqdm.auto import trange

from benchmarks.rig import clock
from ddpm_core import data, trainer
from ddpm_core.diffusion import loss
from ddpm_core.diffusion.prediction import V
from ddpm_core.recipes import config
from experiments.common.results_file import Stopwatch, write

KINDS, STEPS, TURNS, BATCH = 256, 2, 7, 32
IEND = 12  # bytes of a PNG's last chunk


def made_up(folder: Path, n: int, side: int) -> None:
    """n PNGs in colour, smooth and noisy ones, in folders of a thousand."""
    generator, encoded = np.random.default_rng(0), []
    for _ in range(KINDS):
        small = Image.fromarray(generator.integers(0, 256, (8, 8, 3), dtype=np.uint8)).resize((side, side))
        noise = generator.integers(-8, 9, (side, side, 3))
        stream = io.BytesIO()
        Image.fromarray((np.asarray(small) + noise).clip(0, 255).astype(np.uint8)).save(stream, "png")
        encoded.append(stream.getvalue())
    for k in trange(n, desc="pictures"):
        place = folder / f"{k // 1000:04}"
        if k % 1000 == 0:
            place.mkdir()
        text = b"tEXt" + b"number\0%d" % k
        comment = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
        picture = encoded[k % KINDS]
        (place / f"{k}.png").write_bytes(picture[:-IEND] + comment + picture[-IEND:])


def start(folder: str) -> None:
    """In a process of its own: the seconds until the data set is there."""
    began = time.perf_counter()
    images = data.load(folder)
    print(time.perf_counter() - began, len(images))


def training(folder: str) -> None:
    """In a process of its own: the most memory held, in MiB, while some batches are trained on."""
    images = data.load(folder).images

    def train() -> None:
        run = batches_of(images)
        for step in range(2 * STEPS):
            run(step)

    print(clock.most_held(train)[1])


def batches_of(images: torch.Tensor):
    """A function that trains on the batch of a step."""
    wanted, side = config.FASHION32, images.shape[-1]
    torch.manual_seed(0)
    state = trainer.start(config.network(wanted, images.shape[1], None), device="cpu")
    batch_at = data.batches(images, wanted.schedule, batch=BATCH, size=(side, side))
    objective = loss.objective(wanted.schedule, V)

    def train(step: int) -> None:
        list(trainer.run(state, batch_at, objective, steps=state.step + 1))

    return train


def paces(folder: str) -> dict[str, list[float]]:
    """Images a second from the mapped file and from the same pixels in memory, in turns."""
    mapped = data.load(folder).images
    runs = {"mapped": batches_of(mapped), "in_memory": batches_of(mapped.clone())}
    found = clock.in_turns(
        {name: lambda run=run: [run(step) for step in range(STEPS)] for name, run in runs.items()}, TURNS
    )
    return {
        "mapped_images_per_second": clock.middle([BATCH * STEPS / s for s in found["mapped"]]),
        "in_memory_images_per_second": clock.middle([BATCH * STEPS / s for s in found["in_memory"]]),
        "mapped_is_faster_by": clock.ratio(found["in_memory"], found["mapped"]),
    }


def of_a_process(what: str, folder: Path) -> list[float]:
    """The numbers that `start` or `training` prints in a process of its own."""
    command = [sys.executable, "-m", __spec__.name, "--worker", what, "--folder", str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return [float(number) for number in done.stdout.strip().splitlines()[-1].split()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=200_000)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--worker", choices=["start", "training"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    options, watch = parser.parse_args(), Stopwatch()
    torch.set_num_threads(1)
    if options.worker:
        {"start": start, "training": training}[options.worker](options.folder)
        return
    with tempfile.TemporaryDirectory() as place:
        os.environ["DDPM_CORE_CACHE"] = str(Path(place) / "cache")
        folder = Path(place) / "pictures"
        folder.mkdir()
        made_up(folder, options.pictures, options.side)
        time.sleep(3)  # files younger than a tick of the clock are not trusted to stay
        first, n = of_a_process("start", folder)
        second, _ = of_a_process("start", folder)
        results = {
            "pictures": int(n),
            "side": options.side,
            "first_start_seconds": round(first, 1),
            "second_start_seconds": round(second, 2),
            "held_by_a_training_mib": round(of_a_process("training", folder)[0]),
            **paces(str(folder)),
            "threads": 1,
            "batch": BATCH,
            "note": "a start: from the call of data.load until the data set is there, in a fresh process; held: own "
            "memory of the process, without the mapped file; images a second: training steps of the network of "
            "fashion32 on these pictures, [median, least, most] over turns",
        }
    print(results)
    write("many_pictures", results, watch)


if __name__ == "__main__":
    main()
