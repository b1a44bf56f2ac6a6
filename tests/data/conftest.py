"""Small made-up pictures for the tests of the data room, and a cache of their own."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("DDPM_CORE_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def noise():
    """noise(h, w, c): random uint8 pixels, (h, w) for c = 1."""
    chance = np.random.default_rng(0)

    def pixels(h=6, w=6, c=3):
        return chance.integers(0, 256, (h, w, c) if c > 1 else (h, w), dtype=np.uint8)

    return pixels


@pytest.fixture
def save(tmp_path, noise):
    """save(path below tmp_path[, picture, options of Pillow]): one more picture file, by default of noise."""

    def write(path, picture=None, **how):
        path = tmp_path / Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = noise() if picture is None else picture
        (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(path, **how)
        return path

    return write
