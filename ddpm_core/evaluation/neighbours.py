"""Nearest neighbours: how far each picture is from a set of others, and what follows for quality and variety."""

import torch
from torch import Tensor


def nearest(a: Tensor, b: Tensor, k: int = 1) -> tuple[Tensor, Tensor]:
    """The k nearest rows of b to each row of a: Euclidean distances (N, k), rising, and row numbers (N, k).

    a (N, ...) and b (M, ...) are pictures, uint8 or float, or features; N, k >= 1. To leave each picture itself out,
    take `nearest(b, b, k + 1)` and drop the first column. Raises ValueError for other shapes or fewer than k rows.
    [chapter 12, Eq. 12.7]
    """
    if a.ndim < 2 or a.shape[1:] != b.shape[1:] or not len(a):
        raise ValueError(f"need two sets of rows of one shape, but got {tuple(a.shape)} and {tuple(b.shape)}.")
    if not 1 <= k <= len(b):
        raise ValueError(f"need at least k = {k} rows to look for neighbours among, but there are {len(b)}.")
    to = b.flatten(1).double()
    found = [torch.cdist(part.flatten(1).double(), to).topk(k, largest=False) for part in a.split(1000)]
    return torch.cat([values for values, _ in found]), torch.cat([rows for _, rows in found])


def covered(a: Tensor, b: Tensor, k: int = 3) -> Tensor:
    """For each row of a (N, D), whether it lies in a ball around some row of b (M, D): its estimated manifold.

    The ball around a row of b reaches as far as its k-th nearest neighbour in b.   [Kynkaanniemi 2019, Eq. 1]
    """
    radius = nearest(b, b, k + 1)[0][:, -1]
    to = b.double()
    return torch.cat([(torch.cdist(part.double(), to) <= radius).any(1) for part in a.split(1000)])


def precision(drawn: Tensor, real: Tensor, k: int = 3) -> float:
    """Share of the drawn features (N, D) that lie in the real ones' manifold (M, D): are they good?

    [Kynkaanniemi 2019, Eq. 2; chapter 12, Eq. 12.5]
    """
    return covered(drawn, real, k).double().mean().item()


def recall(drawn: Tensor, real: Tensor, k: int = 3) -> float:
    """Share of the real features (M, D) that lie in the drawn ones' manifold (N, D): is everything there?

    [Kynkaanniemi 2019, Eq. 2; chapter 12, Eq. 12.5]
    """
    return covered(real, drawn, k).double().mean().item()


def variance_within(x: Tensor, labels: Tensor) -> float:
    """Variance inside classes: mean squared distance of each row of x (N, ...) to the mean of its class, labels (N,).

    Unbiased: divided by N less the number of classes. Raises ValueError without a class that has two members.
    [chapter 12, Eq. 12.6]
    """
    if len(labels) != len(x):
        raise ValueError(f"need one label a row, but got {len(labels)} labels for {len(x)} rows.")
    rows, classes = x.flatten(1).double(), labels.unique()
    if len(rows) <= len(classes):
        raise ValueError(f"need more rows than classes, but got {len(rows)} rows of {len(classes)} classes.")
    squares = sum(((mine := rows[labels == k]) - mine.mean(0)).square().sum() for k in classes)
    return squares.item() / (len(rows) - len(classes))
