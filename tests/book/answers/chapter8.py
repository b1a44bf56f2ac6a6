"""Right and wrong answers to the exercises of chapter 8, and what a wrong one is told."""

import math

import torch


def average(decay=lambda d, k: min(d, (1 + k) / (10 + k)), first=lambda x: x):
    """An answer to 8.1 with its decay or its beginning changed."""

    def answer(values, d):
        averages = [first(values[0])]
        for k in range(1, len(values)):
            now = decay(d, k)
            averages.append(now * averages[-1] + (1 - now) * values[k])
        return averages

    return answer


def parts(weigh=lambda part, batch, n: len(part) / len(batch), split=lambda batch, most: batch.split(most)):
    """An answer to 8.5 with the weight of a part or the parts changed."""

    def answer(gradient, batch, most):
        every = list(split(batch, most))
        return sum(weigh(part, batch, len(every)) * gradient(part) for part in every)

    return answer


def cut(factor=lambda longest, length: min(1.0, longest / length)):
    """An answer to 8.2 with another factor."""

    def answer(gradients, longest):
        length = float(torch.cat([g.flatten() for g in gradients]).norm())
        return [g * factor(longest, length) for g in gradients]

    return answer


def each_by_itself(gradients, longest):
    return [g * min(1.0, longest / float(g.norm())) for g in gradients]


def in_single_precision(gradient, batch, most):
    total = torch.zeros(batch.shape[1:])
    for part in batch.split(most):
        total += len(part) / len(batch) * gradient(part)
    return total


def in_place(gradients, longest):
    """Torch's own cut."""
    weights = [torch.nn.Parameter(torch.zeros_like(g)) for g in gradients]
    for weight, g in zip(weights, gradients, strict=True):
        weight.grad = g
    torch.nn.utils.clip_grad_norm_(weights, longest)
    return [weight.grad for weight in weights]


def steepest(change=lambda S: torch.ones_like(S), sign=-1.0):
    """An answer to 8.3 that makes of the singular values what `change` says."""

    def answer(G, r):
        U, S, Vh = torch.linalg.svd(G, full_matrices=False)
        return sign * r * U @ change(S).diag() @ Vh

    return answer


def by_roots(G, r):
    """U V^T = G (G^T G)^(-1/2), where that is a full rank."""
    tall = G if G.shape[0] >= G.shape[1] else G.T
    values, vectors = torch.linalg.eigh(tall.T @ tall)
    step = -r * tall @ vectors @ values.rsqrt().diag() @ vectors.T
    return step if tall is G else step.T


def scale(back=lambda k, largest: 2.0**k):
    """An answer to 8.6 from the exponent of the largest scale."""

    def answer(gradient):
        largest = float(gradient.abs().max())
        return back(math.floor(math.log2(65519 / largest)), largest)

    return answer


RIGHT = {
    "8.1": [lambda values, decay: torch.tensor(average()(values, decay), dtype=torch.float64)],
    "8.5": [parts(split=lambda batch, most: batch.split(1)), in_single_precision],
    "8.2": [
        cut(lambda longest, length: min(1.0, longest / (length + 1e-6))),  # as torch does it
        lambda gradients, longest: tuple(cut()(gradients, longest)),
        in_place,
    ],
    "8.3": [steepest(), by_roots],
    "8.4": [4.0, 4.3],
    "8.6": [scale(), scale(lambda k, largest: torch.tensor(2.0**k))],
}

WRONG = {
    "8.1": [
        (lambda values, decay: torch.zeros(2, 2), "one average for each value"),
        (lambda values, decay: values[:1] * 2, "yours has 2"),
        (average(first=lambda x: 0.0), "begins elsewhere"),
        (average(first=lambda x: 0.9 * x), "begins elsewhere"),
        (average(lambda d, k: d), "constant decay throughout"),
        (average(lambda d, k: max(d, (1 + k) / (10 + k))), "the larger of the two"),
        (average(lambda d, k: min(d, k / (9 + k))), "k counts the values before this one"),
        (average(lambda d, k: min(d, (2 + k) / (11 + k))), "off by one the other way"),
        (average(lambda d, k: 1 - min(d, (1 + k) / (10 + k))), "has it reversed"),
        (average(lambda d, k: 0.77), "and should be"),
        (lambda values, decay: values, "and should be"),
    ],
    "8.5": [
        (lambda gradient, batch, most: batch.mean(0), "never asks for a gradient"),
        (lambda gradient, batch, most: gradient(batch), "at most 4 rows at once"),
        (parts(split=lambda batch, most: [*batch.split(most), batch[:0]]), "no rows at all"),
        (parts(split=lambda batch, most: batch[: len(batch) // 2].split(most)), "every row once"),
        (lambda gradient, batch, most: sum(gradient(p) for p in batch.split(most)).sum(), "not one of shape ()"),
        (parts(weigh=lambda part, batch, n: 1 / n), "should count less"),
        (parts(weigh=lambda part, batch, n: 1), "that is the sum of the parts'"),
        (parts(weigh=lambda part, batch, n: len(part)), "sum over rows"),
        (parts(weigh=lambda part, batch, n: 0.7 / n), "and should be"),
    ],
    "8.2": [
        (lambda gradients, longest: gradients[:1], "of the same shape"),
        (cut(lambda longest, length: longest / length), "yours makes it longer"),
        (each_by_itself, "cut each tensor by itself"),
        (lambda gradients, longest: [g.clamp(-longest, longest) for g in gradients], "each number by itself"),
        (cut(lambda longest, length: min(1.0, longest / length**2)), "not over its square"),
        (cut(lambda longest, length: 1.0), "too long"),
        (cut(lambda longest, length: 0.5), "comes out with length"),
    ],
    "8.3": [
        (lambda G, r: G.T, "a tensor of shape (4, 6)"),
        (steepest(sign=1.0), "that leads uphill"),
        (lambda G, r: steepest()(G, 1.0), "its largest singular value should be r"),
        (steepest(lambda S: S / S[0]), "shortened to spectral norm r"),
        (steepest(lambda S: S / S.norm()), "divided by its length"),
        (lambda G, r: -r * G.sign(), "those are the signs"),
        (steepest(lambda S: S.rsqrt()), "it should go"),
    ],
    "8.4": [
        (math.inf, "give the function more"),
        (1.5, "factor for b2 = 0.99"),
        (1.05, "that one was cut"),
        (10, "recover on the way"),
        (0.24, "upside down"),
        (2.5, "several times as many"),
    ],
    "8.6": [
        (scale(lambda k, largest: 2.0 ** (k + 1)), "becomes infinite"),
        (scale(lambda k, largest: 2.0 ** (k - 1)), "twice as much"),
        (scale(lambda k, largest: k), "the power of two itself"),
        (scale(lambda k, largest: 65504 / largest), "a power of two was asked for"),
        (lambda gradient: 2.0**16, "whatever the gradients are"),
        (lambda gradient: 3.0, "and should be"),
    ],
}
