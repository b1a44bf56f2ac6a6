"""Pictures in, batches out: data sets from files and the Hub, what is done to their pixels, and the batch of a step."""

from ddpm_core.data.batching import batches, rows_at
from ddpm_core.data.dataset import ImageDataset
from ddpm_core.data.loading import load
from ddpm_core.data.preparation import Preparation, at_size, in_colour
from ddpm_core.data.transforms import multiple_size, pad_to, pad_to_multiple, random_flip, shrink, tile
from ddpm_core.diffusion.pixels import to_float, to_uint8

__all__ = [
    "ImageDataset", "Preparation", "at_size", "batches", "in_colour", "load", "multiple_size", "pad_to",
    "pad_to_multiple", "random_flip", "rows_at", "shrink", "tile", "to_float", "to_uint8",
]  # fmt: skip
