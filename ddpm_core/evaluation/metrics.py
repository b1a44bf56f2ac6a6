"""Measures of drawn pictures: the Frechet distance between two sets of features, its floor, and sharpness."""

import torch
from torch import Tensor

from ddpm_core.diffusion.arguments import all_numbers, checked, in_range


@checked
def frechet(a: Tensor, b: Tensor) -> float:
    """Frechet distance between Gaussians fitted to two sets of features (N, D) and (M, D):

    |mean_a - mean_b|^2 + tr(C_a + C_b - 2 (C_a^{1/2} C_b C_a^{1/2})^{1/2}).

    It is too large by some `floor`: see `enough_rows`. Raises ValueError for other shapes or a single row.
    [Dowson and Landau 1982; Heusel 2017; chapter 12, Eq. 12.1]
    """
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise ValueError(
            f"need two sets of feature rows (N, D) of one width, but got {tuple(a.shape)} and {tuple(b.shape)}."
        )
    all_numbers(a=a, b=b)
    a, b = a.double(), b.double()
    root = _square_root(_covariance(a))
    cross = torch.linalg.eigvalsh(root @ _covariance(b) @ root).clamp(min=0).sqrt().sum()
    distance = ((a.mean(0) - b.mean(0)) ** 2).sum() + a.var(0).sum() + b.var(0).sum() - 2 * cross
    return distance.item()


@checked
def enough_rows(features: Tensor) -> Tensor:
    """The same features (N, D), if there are enough of them for a covariance of full rank: N > D.

    Fewer give a number, too, but mostly its floor. Raises ValueError that says how many are needed.
    """
    _rows("features", features)
    n, width = features.shape
    if n <= width:
        raise ValueError(f"need at least {width + 1} samples for a Fréchet distance in {width} features, but got {n}.")
    return features


@checked
def floor(features: Tensor, n: int) -> float:
    """The Frechet distance that n samples of the very same distribution would have, on average, to leading order:

    1/n ( sum_i l_i + sum_ij l_i l_j (1 + [i = j]) / (2 (l_i + l_j)) ),  l_i the eigenvalues of the covariance.

    features (N, D) of the real pictures, N large. If the n are drawn from these very N, without putting back, it is
    (1 - n / N) times that. Gaussian features are assumed.   [Chong and Forsyth 2020; chapter 12, Eq. 12.3]
    """
    _rows("features", features)
    in_range("n", n, 1)
    values = torch.linalg.eigvalsh(_covariance(features.double())).clamp(min=0)
    a, b = values[:, None], values[None]
    pairs = a * b / (2 * (a + b)).clamp(min=1e-300)
    return ((values.sum() + pairs.sum() + pairs.diagonal().sum()) / n).item()


@checked
def without_floor(distances: dict[int, float]) -> float:
    """The Frechet distance of infinitely many samples, from those of several numbers n of them: n -> distance.

    The straight line distance = a + b / n by least squares; a is returned. It may be a little below 0. Raises
    ValueError for fewer than two numbers.   [Chong and Forsyth 2020, Section 3.3; chapter 12, Eq. 12.4]
    """
    if len(distances) < 2:
        raise ValueError(f"need distances for at least two numbers of samples, but got those for {list(distances)}.")
    x = 1 / torch.tensor(list(distances), dtype=torch.float64)
    y = torch.tensor(list(distances.values()), dtype=torch.float64)
    slope = ((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum()
    return (y.mean() - slope * x.mean()).item()


@checked
def sharpness(images: Tensor) -> float:
    """Mean absolute difference of neighbouring pixels of uint8 images: how sharp they are, beside real ones."""
    if images.ndim < 2 or min(images.shape[-2:]) < 2 or not images.numel():
        raise ValueError(f"need images (..., H, W) of at least 2x2 pixels, but got shape {tuple(images.shape)}.")
    all_numbers(images=images)
    x = images.float()
    return ((x.diff(dim=-1).abs().mean() + x.diff(dim=-2).abs().mean()) / 2).item()


def _rows(name: str, x: Tensor) -> None:
    """Raises ValueError for what is not rows (N, D), two at least, of finite numbers."""
    if x.ndim != 2 or len(x) < 2:
        raise ValueError(f"need {name} as rows (N, D), two at least, but got shape {tuple(x.shape)}.")
    all_numbers(**{name: x})


def _covariance(x: Tensor) -> Tensor:
    return torch.cov(x.T).reshape(x.shape[1], x.shape[1])  # torch makes a scalar of one feature


def _square_root(matrix: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(matrix)
    return vectors @ torch.diag(values.clamp(min=0).sqrt()) @ vectors.T
