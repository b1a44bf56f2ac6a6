"""Every committed model draws what it drew when it was committed, whatever has been moved or renamed since."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ddpm_core import sampler
from ddpm_core.data import to_uint8
from ddpm_core.diffusion import timesteps
from ddpm_core.storage import checkpoint

SHELF = Path(__file__).parents[2] / "book" / "results"
DRAWN = np.load(Path(__file__).with_name("drawn.npz"))  # made by the package as it was before its rooms were moved


def test_no_model_is_left_out():
    assert {name.rsplit("_", 1)[0] for name in DRAWN} == {path.stem for path in SHELF.glob("*.safetensors")}


@pytest.mark.parametrize("name", DRAWN)
def test_it_draws_the_same_pixels(name):
    """Four pictures from one noise in five steps: equal but for rounding, which differs from processor to processor."""
    file, way = name.rsplit("_", 1)
    model = checkpoint.load(SHELF / f"{file}.safetensors")
    x_T = torch.randn(4, model.network.in_channels, *model.about["size"], generator=torch.Generator().manual_seed(7))
    labels = None if model.network.num_classes is None else torch.arange(4)
    chain = sampler.SAMPLERS[way](
        model.denoiser(labels), model.schedule, x_T, timesteps.uniform(model.schedule, 5),
        generator=torch.Generator().manual_seed(8),
    )  # fmt: skip
    difference = (to_uint8(sampler.final(chain)).int() - torch.from_numpy(DRAWN[name]).int()).abs()
    assert difference.max() <= 1
