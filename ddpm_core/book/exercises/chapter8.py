"""The exercises of chapter 8, training, and of the page of engineering."""

import math

import torch
from torch import Tensor

from ddpm_core.book.exercises.answers import expect, noise, number, same, tensor
from ddpm_core.book.exercises.exercise import Exercise, require


def _moving_average(function) -> None:
    for n, decay in ((8, 0.3), (1, 0.9), (40, 0.5), (6, 0.999)):
        values = noise(n, n).tolist()
        got = function(list(values), decay)
        several = isinstance(got, list | tuple) or getattr(got, "ndim", 0) == 1
        require(several, "return a list with one average for each value.")
        got = torch.tensor([number(value) for value in got], dtype=torch.float64)
        require(len(got) == n, f"return one average for each of the {n} values; yours has {len(got)}.")
        require(same(got[0], values[0]), "the first average is a copy of the first value; yours begins elsewhere.")
        young = [(1 + k) / (10 + k) for k in range(n + 1)]  # before it is capped
        capped = [min(decay, d) for d in young]
        mistakes = {
            "that has the constant decay throughout; 8.4 takes the smaller of d and (1 + k) / (10 + k).": [decay] * n,
            "that takes the larger of the two; a young average should forget fast.": [max(decay, d) for d in young],
            "off by one: k counts the values before this one, so the second value is met with k = 1.": [0, *capped],
            "off by one the other way: the second value is met with k = 1, so with d_1 = 2/11.": capped[1:],
            "d belongs to the old average and 1 - d to the new value; yours has it reversed.": [1 - d for d in capped],
        }
        right = _averages(values, capped)
        k = int((got - right).abs().argmax())
        otherwise = f"for d = {decay} the average after value {k + 1} is {got[k]:.6f} and should be {right[k]:.6f}."
        expect(got, right, {hint: _averages(values, decays) for hint, decays in mistakes.items()}, otherwise)


def _averages(values: list[float], decays: list[float]) -> Tensor:
    """8.4 with these decays, one for each k; the first average is a copy."""
    averages = values[:1]
    for value, d in zip(values[1:], decays[1:], strict=False):
        averages.append(d * averages[-1] + (1 - d) * value)
    return torch.tensor(averages, dtype=torch.float64)


def _in_parts(function) -> None:
    for rows, most in ((12, 4), (10, 4), (3, 8)):
        batch, sizes = noise(rows, rows, 2), []

        def gradient(part, sizes=sizes):
            sizes.append(len(part))
            return (part**2).mean(0)

        got = function(gradient, batch, most)
        require(sizes != [], "your function never asks for a gradient; call `gradient(rows)`.")
        require(max(sizes) <= most, f"at most {most} rows at once were allowed; yours asked for {max(sizes)}.")
        require(min(sizes) > 0, "yours asks for the gradient of no rows at all, which is nan.")
        require(sum(sizes) == rows, f"every row once: yours asked for {sum(sizes)} rows, and the batch has {rows}.")
        right, parts = (batch**2).mean(0), torch.stack([(part**2).mean(0) for part in batch.split(most)])
        got = tensor(got, "the gradient", right)
        plain = "that is the plain mean of the parts' gradients; the last part has fewer rows and should count less."
        mistakes = {
            plain: parts.mean(0),
            "that is the sum of the parts' gradients; weigh each by its share of the rows.": parts.sum(0),
            "that is the gradient of the sum over rows; the mean was asked for.": (batch**2).sum(0),
        }
        otherwise = f"with {rows} rows in parts of {most} yours is {got[0]:.5f} and should be {right[0]:.5f}."
        expect(got, right, mistakes, otherwise)


def _cut(function) -> None:
    for size, longest in ((10.0, 1.0), (0.01, 1.0), (3.0, 2.5)):
        given = [size * noise(0, 3, 4), size * noise(1, 5), size * noise(2, 2, 2, 2)]
        got = function([g.clone() for g in given], longest)
        shapes = [g.shape if torch.is_tensor(g) else None for g in got] if isinstance(got, list | tuple) else []
        alike = shapes == [g.shape for g in given]
        require(alike, "return a list with one tensor for each that came in, of the same shape.")
        uncut, cut, each = _joined(given), _joined(got), [g * min(1.0, longest / float(g.norm())) for g in given]
        length = float(uncut.norm())
        stretched, clamped = uncut * longest / length, uncut.clamp(-longest, longest)
        mistakes = {
            "this one is shorter than allowed and should stay as it is; yours makes it longer.": stretched,
            "you cut each tensor by itself, which turns the gradient; the length is that of all of them together.": (
                _joined(each)
            ),
            "you cut each number by itself, which turns the gradient; multiply all of them by one factor.": clamped,
            "the factor is longest over the length, not over its square.": uncut * min(1.0, longest / length**2),
            "these are as they came in, and too long.": uncut,
        }
        otherwise = (
            f"a gradient of length {length:.4f} comes out with length {cut.norm():.4f}; "
            f"with longest = {longest} it should be {min(longest, length):.4f}, in the same direction."
        )
        expect(cut, uncut * min(1.0, longest / length), mistakes, otherwise)


def _steepest(function) -> None:
    for shape, r in (((4, 6), 0.5), ((6, 4), 0.02), ((5, 5), 3.0)):
        G = noise(sum(shape), *shape)
        U, S, Vh = torch.linalg.svd(G, full_matrices=False)
        right = -r * U @ Vh
        got = tensor(function(G.clone(), r), "the step", right)
        mistakes = {
            "that leads uphill; the loss should fall.": -right,
            "the directions are right, but its largest singular value should be r.": right / r,
            "that is the gradient, shortened to spectral norm r; all singular values of the best step are equal.": (
                -r * G / S[0]
            ),
            "that is the gradient, divided by its length; 8.9 holds the spectral norm.": -r * G / G.norm(),
            "those are the signs, the best step under another norm.": -r * G.sign(),
        }
        s = torch.linalg.svdvals(got) if got.isfinite().all() else S
        otherwise = (
            f"the singular values of your step run from {s[-1]:.4f} to {s[0]:.4f}, and along the gradient it goes "
            f"{(G * got).sum():.4f}; with r = {r} they should all be {r}, and it should go {-r * S.sum():.4f}."
        )
        expect(got, right, mistakes, otherwise)


def _joined(gradients: list[Tensor]) -> Tensor:
    """All their numbers in one row."""
    return torch.cat([g.flatten().double() for g in gradients])


def _longer_memory(factor: float) -> None:
    require(math.isfinite(factor), "it arrives, but later than 4,000 steps: give the function more, steps=10_000.")
    mistakes = {
        "that is the factor for b2 = 0.99; the new memory is b2 = 0.999.": 2127 / 1432,
        "that one was cut; leave the bad batch as it is.": 1497 / 1422,
        "the memory is ten times as long, but the steps recover on the way; run it.": 10.0,
        "upside down: the steps with the bad batch, over those without.": 1422 / 5908,
    }
    otherwise = f"with one bad batch it takes several times as many steps, but not {factor:.3g} times."
    expect(factor, 5908 / 1422, mistakes, otherwise, lambda got, right: abs(got / right - 1) < 0.15)


def _largest_scale(function) -> None:
    for size, k in ((3e-4, 27), (1.0, 15), (500.0, 7), (0.4, 17)):
        gradient = torch.tensor([1e-9, -size, 0.3 * size, 0.0])
        got = number(function(gradient.clone()))
        mistakes = {
            "with that scale one of them becomes infinite in float16; look at (gradient * c).half().": 2.0 ** (k + 1),
            "that one is safe, but so is twice as much.": 2.0 ** (k - 1),
            "that is the exponent; give back the power of two itself.": float(k),
            "that is float16's largest number over the largest gradient; a power of two was asked for.": 65504 / size,
            "that is where the trainer begins, whatever the gradients are.": 2.0**16,
        }
        otherwise = f"for gradients of at most {size:g} yours is {got:g} and should be 2^{k}."
        expect(got, 2.0**k, mistakes, otherwise)


EXERCISES = {
    "8.1": Exercise(
        "start with a copy of the first value; each further one, with k = 1, 2, ..., goes through one line of 8.4.",
        _moving_average,
    ),
    "8.2": Exercise(
        "find the length of all tensors together first; then one factor, never above 1, goes on each of them.",
        _cut,
    ),
    "8.3": Exercise(
        "`torch.linalg.svd(G, full_matrices=False)` gives U, S and V transposed; 8.9 needs two of them.",
        _steepest,
    ),
    "8.4": Exercise(
        "run `steps_to_one` twice with cut=False and b2=0.999: as it is, and with bad=-0.1. Divide.",
        _longer_memory,
        read=number,
    ),
    "8.5": Exercise(
        "`batch.split(most)` gives the parts. A mean of means is the mean if each counts by its rows.",
        _in_parts,
    ),
    "8.6": Exercise(
        "float16 ends at 65,504: `.half()` makes a larger number infinite, and `.isinf()` sees it.",
        _largest_scale,
    ),
}
