"""Right and wrong answers to the exercises of chapter 15, and what a wrong one is told."""

import torch

from ddpm_core.book import clinic
from ddpm_core.diffusion.mixture import isotropic
from ddpm_core.diffusion.noise import seeded
from ddpm_core.schedule import cosine


def never_asked(code, times=lambda T: range(1, T + 1), count=lambda wanted, asked: len(wanted - asked)):
    asked = set()

    class Spy(torch.nn.Module):
        def forward(self, x, t):
            asked.update(t.tolist())
            return torch.zeros_like(x)

    code.draw(Spy(), torch.zeros(1, 1, 8, 8))
    return count(set(times(code.T)), asked)


def silence(schedule, square, first=1, power=1):
    kept = schedule.alpha_bar[first:]
    return (kept**power + (1 - kept) ** power * square).mean()


def widths(s, names=("noise in the last step",), seed=0):
    x_T = torch.randn(4000, 1, generator=seeded(seed)).double()
    copies = clinic.planted(), clinic.planted(*map(clinic.by_name, names))
    exact = clinic.Exact(cosine(100), isotropic([1.0], [[0.0]], s))
    return [code.draw(exact, x_T).std().item() / s for code in copies]


RIGHT = {
    "15.1": [(10, 13, 5), torch.tensor([10, 13, 5])],
    "15.2": [never_asked],
    "15.3": [silence, lambda schedule, square: 1 + (square - 1) * (1 - schedule.alpha_bar[1:].mean())],
    "15.4": [tuple(widths(0.02, seed=seed)) for seed in (1, 2)],
}

WRONG = {
    "15.1": [
        ([1, 13, 5], "not scaled that is sick in A: which check"),
        ([10, 12, 5], "not guess that is sick in B: the last step is right"),
        ([10, 13, 6], "not Attention that is sick in C: it passes all thirteen"),
        ([10, 13, 15], "counted from 1 to 14, but for C you have 15"),
        ([0, 13, 5], "for A you have 0"),
        ([10, 13], "three numbers"),
        (7, "three numbers"),
        ([10.5, 13, 5], "a whole number"),
    ],
    "15.2": [
        (lambda code: never_asked(code, count=lambda wanted, asked: len(wanted & asked)), "turned round"),
        (lambda code: never_asked(code, times=lambda T: range(T + 1)), "and 0 does not"),
        (lambda code: never_asked(code, times=lambda T: range(T)), "and 0 does not"),
        (lambda code: 0, "for clock off by one it should be 1"),
        (lambda code: 0.5, "a whole number"),
    ],
    "15.3": [
        (lambda schedule, square: square - (square - 1) * (1 - schedule.alpha_bar[1:].mean()), "turned round"),
        (lambda schedule, square: silence(schedule, square, first=0), "row 0"),
        (lambda schedule, square: 1.0, "for eps"),
        (lambda schedule, square: silence(schedule, square, power=2), "square is one too many"),
        (lambda schedule, square: silence(schedule, square) * schedule.T, "sum over t"),
        (lambda schedule, square: silence(schedule, square) + 0.1, "it should be"),
    ],
    "15.4": [
        (widths(0.02)[::-1], "the other way round"),
        ([0.02 * width for width in widths(0.02)], "divide them by s"),
        ([width**2 for width in widths(0.02)], "ratios of variances"),
        ((1.0, 1.6), "as wide as the world, either"),
        (widths(0.2), "what a wide world gives"),
        (widths(0.02, names=()), "something else than"),
        (widths(0.02)[0], "return two values"),
    ],
}
