"""FID, by the package torch-fidelity: the Frechet distance in the features of the one Inception network of 2015.

An optional extra: pip install 'ddpm-core[fid]'. Its weights are downloaded when they are first needed.
"""

import torch
from torch import Tensor
from torch.utils.data import Dataset

from ddpm_core.storage.hub import first_line

FEATURES, WIDTH = "inception-v3-compat", "2048"


class Pictures(Dataset):
    """uint8 images (N, C, H, W), one by one as torch-fidelity takes them: (3, H, W), grey ones three times.

    Raises ValueError for images that are neither grey nor of three colours.
    """

    def __init__(self, images: Tensor):
        if not isinstance(images, Tensor) or images.dtype != torch.uint8 or images.ndim != 4:
            found = f"{images.dtype} {tuple(images.shape)}" if isinstance(images, Tensor) else type(images).__name__
            raise ValueError(f"need images as uint8 (N, C, H, W) for FID, but got {found}.")
        _check_channels(images.shape[1])
        self.images = images.expand(-1, 3, -1, -1)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, k: int) -> Tensor:
        return self.images[k]


def ready(channels: int) -> None:
    """See to it that package and weights are there, and take images of this many channels, before anything is drawn.
    Raises ValueError in one sentence."""
    _check_channels(channels)
    package = _package()
    try:
        package.FeatureExtractorInceptionV3(FEATURES, [WIDTH])
    except Exception as error:  # no network, no room, a broken file: each its own class
        raise ValueError(
            "need the weights of the Inception network for --fid, which torch-fidelity downloads once, but got "
            f"{type(error).__name__}: {first_line(error)}."
        ) from error


def fid(drawn: Tensor, real: Tensor, device: str = "cpu") -> float:
    """FID of uint8 images (N, C, H, W) to (M, C, H, W), N and M as large as you can: 50,000 are the custom.

    C is 1 or 3. torch-fidelity computes on "cuda" or, for any other device, on the CPU.   [Heusel 2017]
    """
    found = _package().calculate_metrics(
        input1=Pictures(drawn), input2=Pictures(real), fid=True, cuda=device == "cuda", verbose=False,
        feature_extractor=FEATURES, feature_layer_fid=WIDTH, cache=False,
    )  # fmt: skip
    return float(found["frechet_inception_distance"])


def _check_channels(channels: int) -> None:
    if channels not in (1, 3):
        raise ValueError(f"need images of 1 or 3 channels for FID, but these have {channels}.")


def _package():
    try:
        import torch_fidelity
    except Exception as error:  # not only ImportError: a torchvision of another torch fails in its own way
        raise ValueError(
            f"need the package torch-fidelity for --fid: pip install 'ddpm-core[fid]' (it said: {first_line(error)})."
        ) from error
    return torch_fidelity
