"""The exercises of chapter 12, is it any good?"""

import torch
from torch import Tensor

from ddpm_core import data
from ddpm_core.book.exercises.answers import expect, noise, number, whole, within
from ddpm_core.book.exercises.exercise import Exercise
from ddpm_core.evaluation import neighbours


def _precision(function) -> None:
    for seed, k in ((0, 3), (1, 1)):
        drawn, real = noise(seed, 60, 2) * 1.5 + 2, noise(seed + 9, 90, 2)
        got, right = number(function(drawn, real, k)), neighbours.precision(drawn, real, k)
        near = torch.cdist(drawn, real)
        self_counted, widest = (torch.cdist(real, real).sort()[0][:, j] for j in (k - 1, -1))
        mistakes = {
            "that is recall: the balls belong around the real ones.": neighbours.recall(drawn, real, k),
            "each real point is its own nearest neighbour, at distance 0: go one further.": (
                (near <= self_counted).any(1).double().mean().item()
            ),
            "a ball reaches to the k-th neighbour, not to the farthest point.": (
                (near <= widest).any(1).double().mean().item()
            ),
            "one ball is enough: a point need not be in all of them.": (
                (near <= _radius(real, k)).all(1).double().mean().item()
            ),
            "that is how many; the share is asked for.": right * len(drawn),
        }
        expect(got, right, mistakes, f"for k = {k} the share should be {right:.4f}, but yours is {got:.4f}.")


def _radius(x: Tensor, k: int) -> Tensor:
    return torch.cdist(x, x).sort()[0][:, k]


def two_sets(values: Tensor, n: int, m: int) -> float:
    """The mean Frechet distance of n samples to m others, of one Gaussian with these eigenvalues of its covariance."""
    pairs = values[:, None] * values / (2 * (values[:, None] + values))
    return ((values.sum() + pairs.sum() + pairs.diag().sum()) * (1 / n + 1 / m)).item()


def _train_against_test(function) -> None:
    for seed, n, m in ((0, 2000, 2000), (1, 50, 1000)):
        values = noise(seed, 7).square() + 0.1
        got, right = number(function(values, n, m)), two_sets(values, n, m)
        factor = right / (1 / n + 1 / m)
        pairs = values[:, None] * values / (2 * (values[:, None] + values))
        mistakes = {
            "both sets are samples: each has an error of its own, and they add up.": factor / n,
            "that is the floor of all n + m samples together.": factor / (n + m),
            "the pairs with i = j count twice.": (values.sum() + pairs.sum()).item() * (1 / n + 1 / m),
            "the mean is missing, the first sum.": (pairs.sum() + pairs.diag().sum()).item() * (1 / n + 1 / m),
            "the covariance is missing, the second sum.": values.sum().item() * (1 / n + 1 / m),
        }
        expect(got, right, mistakes, f"for n = {n} and m = {m} it should be {right:.5f}, but yours is {got:.5f}.")


def copies_among_real(share: float = 0.5, k: int = 20, first: int = 1) -> int:
    """How many digits would count as copies of another one, by Equation 12.9."""
    digits = data.load("digits").images
    distance = neighbours.nearest(digits, digits, k + first)[0][:, first:]
    return int((distance[:, 0] < share * distance.mean(1)).sum())


def _false_alarms(answer: int) -> None:
    right = copies_among_real()
    mistakes = {
        "each digit is its own nearest neighbour: leave the first column out.": copies_among_real(first=0),
        "that is with a share of 1/3; the chapter has one half.": copies_among_real(share=1 / 3),
        "that is with 50 neighbours, as in the paper; the chapter has 20.": copies_among_real(k=50),
    }
    expect(answer, right, mistakes, f"it should be near {right}, but yours is {answer}.", within(1.5))


EXERCISES = {
    "12.1": Exercise("how far does the ball around a real point reach, and which drawn points lie in one?", _precision),
    "12.2": Exercise("12.3 is for one sample against the truth; what does the second sample add?", _train_against_test),
    "12.3": Exercise("neighbours.nearest(images, images, 21) holds each digit itself first.", _false_alarms, whole),
}
