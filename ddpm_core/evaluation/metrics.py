"""Measures of drawn pictures: the Frechet distance between two sets of features, and sharpness."""

import torch
from torch import Tensor


def frechet(a: Tensor, b: Tensor) -> float:
    """Frechet distance between Gaussians fitted to two sets of features (N, D) and (M, D):

    |mean_a - mean_b|^2 + tr(C_a + C_b - 2 (C_a^{1/2} C_b C_a^{1/2})^{1/2}).  [Dowson and Landau 1982; Heusel 2017]
    """
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise ValueError(
            f"need two sets of feature rows (N, D) of one width, but got {tuple(a.shape)} and {tuple(b.shape)}."
        )
    a, b = a.double(), b.double()
    root = _square_root(torch.cov(a.T))
    cross = torch.linalg.eigvalsh(root @ torch.cov(b.T) @ root).clamp(min=0).sqrt().sum()
    distance = ((a.mean(0) - b.mean(0)) ** 2).sum() + a.var(0).sum() + b.var(0).sum() - 2 * cross
    return distance.item()


def sharpness(images: Tensor) -> float:
    """Mean absolute difference of neighbouring pixels of uint8 images: how sharp they are, beside real ones."""
    x = images.float()
    return ((x.diff(dim=-1).abs().mean() + x.diff(dim=-2).abs().mean()) / 2).item()


def _square_root(matrix: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(matrix)
    return vectors @ torch.diag(values.clamp(min=0).sqrt()) @ vectors.T
