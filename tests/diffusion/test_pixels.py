"""Pixels as bytes and as numbers: there and back without loss, and what lies outside is cut off."""

import torch

from ddpm_core.diffusion import pixels


def test_every_byte_comes_back():
    grey = torch.arange(256, dtype=torch.uint8)
    x = pixels.to_float(grey)
    assert (x[0], x[-1]) == (-1, 1) and torch.equal(pixels.to_uint8(x), grey)


def test_what_lies_outside_is_cut_off():
    x = torch.tensor([-3.0, -1.5, -1.0, 1.0, 1.5, 3.0])
    assert pixels.to_uint8(x).tolist() == [0, 0, 0, 255, 255, 255]
