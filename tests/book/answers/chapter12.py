"""Right and wrong answers to the exercises of chapter 12, and what a wrong one is told."""

import torch

from ddpm_core.book.exercises.chapter12 import copies_among_real, two_sets
from ddpm_core.evaluation import neighbours


def precision(drawn, real, k, *, column=None, reduce=torch.any):
    column = k if column is None else column
    radius = torch.stack([torch.cdist(x[None], real)[0].sort()[0][column] for x in real])
    return reduce(torch.cdist(drawn, real) <= radius, 1).double().mean()


def floor(values, *, mean=1.0, covariance=1.0, twice=True):
    """The sums of Equation 12.3, one eigenvalue after the other."""
    total = mean * values.sum()
    for i, a in enumerate(values):
        for j, b in enumerate(values):
            total = total + covariance * (2 if twice and i == j else 1) * a * b / (2 * (a + b))
    return total


RIGHT = {
    "12.1": [precision, lambda *given: neighbours.precision(*given)],
    "12.2": [two_sets, lambda values, n, m: floor(values) * (n + m) / (n * m)],
    "12.3": [copies_among_real(), copies_among_real() + 1],
}

WRONG = {
    "12.1": [
        (lambda drawn, real, k: torch.cdist(drawn, real), "should be a number"),
        (lambda drawn, real, k: precision(real, drawn, k), "that is recall"),
        (lambda drawn, real, k: precision(drawn, real, k, column=k - 1), "its own nearest neighbour"),
        (lambda drawn, real, k: precision(drawn, real, k, column=-1), "not to the farthest point"),
        (lambda drawn, real, k: precision(drawn, real, k, reduce=torch.all), "one ball is enough"),
        (lambda drawn, real, k: 60 * precision(drawn, real, k), "the share is asked for"),
        (lambda drawn, real, k: 0.123, "the share should be"),
    ],
    "12.2": [
        (lambda values, n, m: values, "should be a number"),
        (lambda values, n, m: floor(values) / n, "each has an error of its own"),
        (lambda values, n, m: floor(values) / (n + m), "all n + m samples together"),
        (lambda values, n, m: floor(values, twice=False) * (1 / n + 1 / m), "count twice"),
        (lambda values, n, m: floor(values, mean=0) * (1 / n + 1 / m), "the mean is missing"),
        (lambda values, n, m: floor(values, covariance=0) * (1 / n + 1 / m), "the covariance is missing"),
        (lambda values, n, m: 2 * two_sets(values, n, m), "it should be"),
    ],
    "12.3": [
        ("many", "should be a number"),
        (0.5, "a whole number"),
        (copies_among_real(first=0), "leave the first column out"),
        (copies_among_real(share=1 / 3), "a share of 1/3"),
        (copies_among_real(k=50), "with 50 neighbours"),
        (500, "it should be near"),
    ],
}
