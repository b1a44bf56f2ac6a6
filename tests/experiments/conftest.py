"""What the experiments are run on here: a few random pictures as data sets, and a narrow ladder."""

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from ddpm_core import unet
from experiments.ch16 import club, rungs

BOOKS = Path(__file__).parents[2] / "book" / "results"


def shards(folder, names, shape, train, test):
    """Random pictures of these classes in turn, as two splits of a data set on the Hub."""
    chance = np.random.default_rng(0)
    about = {"huggingface": json.dumps({"info": {"features": {"label": {"names": names}}}})}
    for split, n in (("train", train), ("test", test)):
        cells = []
        for image in chance.integers(0, 256, (n, *shape), dtype=np.uint8):
            stream = io.BytesIO()
            Image.fromarray(image).save(stream, "png")
            cells.append({"bytes": stream.getvalue(), "path": "a.png"})
        table = pa.table({"image": cells, "label": np.arange(n) % len(names)})
        pq.write_table(table.replace_schema_metadata(about), folder / f"{split}-0.parquet")
    return str(folder)


@pytest.fixture(scope="session")
def garments(tmp_path_factory):
    """Grey squares of 16x16 in ten classes."""
    return shards(tmp_path_factory.mktemp("garments"), [f"garment {k}" for k in range(10)], (16, 16), 40, 20)


@pytest.fixture(scope="session")
def cars(tmp_path_factory):
    """Coloured squares of 32x32: cars, and horses."""
    return shards(tmp_path_factory.mktemp("cars"), ["horse", "automobile"], (32, 32, 3), 24, 10)


@pytest.fixture(scope="session")
def small_cars(tmp_path_factory):
    """The same of 8x8."""
    return shards(tmp_path_factory.mktemp("small_cars"), ["horse", "automobile"], (8, 8, 3), 24, 12)


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _judges_are_kept_here(cache, monkeypatch):
    """A classifier of the same pictures is trained once for all tests."""
    monkeypatch.setenv("DDPM_CORE_CACHE", str(cache))


@pytest.fixture
def written(tmp_path):
    """written(name) is the results file that a script has left; it says what the book's own of this name says."""

    def read(name):
        found, books = (json.loads((folder / f"{name}.json").read_text()) for folder in (tmp_path, BOOKS))
        assert found.keys() - {"recipe"} == books.keys() - {"recipe"}
        assert found["results"].keys() == books["results"].keys()
        return found

    return read


@pytest.fixture(scope="session")
def narrow():
    """The ladder with narrow networks, for pictures of any size, and with 3 calls instead of 50."""
    networks = {
        rungs.clubs: lambda side, steps: club.Club(side, club.Counted(steps), width=8),
        rungs.with_waves: lambda side, steps: club.Club(side, rungs.Waves(), width=8),
        rungs.without_attention: lambda side, steps: unet.UNet(3, (8,), attention=[]),
        rungs.ours: lambda side, steps: unet.UNet(3, (8, 16)),
    }
    calls = {16: 16, 50: 3}
    return tuple(replace(rung, network=networks[rung.network], calls=calls[rung.calls]) for rung in rungs.LADDER)
