"""Nearest neighbours: how far each picture is from a set of others, and what follows for quality and variety."""

import torch
from torch import Tensor

from ddpm_core.diffusion.arguments import all_numbers, checked


def check_sets(k: int = 1, **sets: Tensor) -> None:
    """Raises ValueError unless two sets are rows of one shape, of finite numbers, and the second has k of them."""
    (name, a), (other, b) = sets.items()
    if a.ndim < 2 or a.shape[1:] != b.shape[1:] or not len(a):
        found = f"{name} of shape {tuple(a.shape)} and {other} of shape {tuple(b.shape)}"
        raise ValueError(f"need two sets of rows of one shape, but got {found}.")
    if not 1 <= k <= len(b):
        raise ValueError(f"need at least k = {k} rows to look for neighbours among, but {other} has {len(b)}.")
    all_numbers(**sets)


@checked
def nearest(a: Tensor, b: Tensor, k: int = 1) -> tuple[Tensor, Tensor]:
    """The k nearest rows of b to each row of a: Euclidean distances (N, k), rising, and row numbers (N, k).

    a (N, ...) and b (M, ...) are pictures, uint8 or float, or features; N, k >= 1. To leave each picture itself out,
    take `nearest(b, b, k + 1)` and drop the first column. Raises ValueError for other shapes or fewer than k rows.
    [chapter 12, Eq. 12.7]
    """
    check_sets(k, a=a, b=b)
    to = b.flatten(1).double()
    found = [torch.cdist(part.flatten(1).double(), to).topk(k, largest=False) for part in a.split(1000)]
    return torch.cat([values for values, _ in found]), torch.cat([rows for _, rows in found])


@checked
def covered(a: Tensor, b: Tensor, k: int = 3) -> Tensor:
    """For each row of a (N, D), whether it lies in a ball around some row of b (M, D): its estimated manifold.

    The ball around a row of b reaches as far as its k-th nearest neighbour in b.   [Kynkaanniemi 2019, Eq. 1]
    """
    check_sets(k + 1, a=a, b=b)
    radius = nearest(b, b, k + 1)[0][:, -1]
    to = b.flatten(1).double()
    return torch.cat([(torch.cdist(part.flatten(1).double(), to) <= radius).any(1) for part in a.split(1000)])


@checked
def precision(drawn: Tensor, real: Tensor, k: int = 3) -> float:
    """Share of the drawn features (N, D) that lie in the real ones' manifold (M, D): are they good?

    [Kynkaanniemi 2019, Eq. 2; chapter 12, Eq. 12.5]
    """
    check_sets(k + 1, drawn=drawn, real=real)
    return covered(drawn, real, k).double().mean().item()


@checked
def recall(drawn: Tensor, real: Tensor, k: int = 3) -> float:
    """Share of the real features (M, D) that lie in the drawn ones' manifold (N, D): is everything there?

    [Kynkaanniemi 2019, Eq. 2; chapter 12, Eq. 12.5]
    """
    check_sets(k + 1, real=real, drawn=drawn)
    return covered(real, drawn, k).double().mean().item()


@checked
def variance_within(a: Tensor, labels: Tensor) -> float:
    """Variance inside classes: mean squared distance of each row of a (N, ...) to the mean of its class, labels (N,).

    Unbiased: divided by N less the number of classes. Raises ValueError without a class that has two members.
    [chapter 12, Eq. 12.6]
    """
    if a.ndim < 2 or labels.shape != a.shape[:1] or not len(a):
        raise ValueError(
            f"need rows a (N, ...) and one label a row, but got shapes {tuple(a.shape)} and {tuple(labels.shape)}."
        )
    all_numbers(a=a)
    rows, classes = a.flatten(1).double(), labels.unique()
    if len(rows) <= len(classes):
        raise ValueError(f"need more rows than classes, but got {len(rows)} rows of {len(classes)} classes.")
    squares = sum(((mine := rows[labels == k]) - mine.mean(0)).square().sum() for k in classes)
    return squares.item() / (len(rows) - len(classes))
