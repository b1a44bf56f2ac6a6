"""The exercises of chapter 8, training."""

import torch

from ..verdict import Exercise, need


def _moving_average(function) -> None:
    generator = torch.Generator().manual_seed(0)
    for n, decay in ((1, 0.9), (8, 0.3), (40, 0.5), (6, 0.999)):
        values = torch.randn(n, generator=generator, dtype=torch.float64).tolist()
        got = function(list(values), decay)
        need(got is not None, "your function returns nothing; end it with `return`.")
        need(not torch.is_tensor(got) or got.ndim == 1, "return a list with one average for each value.")
        got = [float(value) for value in got]
        need(len(got) == n, f"return one average for each of the {n} values; yours has {len(got)}.")
        young = [(1 + k) / (10 + k) for k in range(n + 1)]  # before it is capped
        capped = [min(decay, d) for d in young]
        right = _averages(values, capped)
        need(_near(got[:1], right[:1]), "the first average is a copy of the first value; yours begins elsewhere.")
        for word, decays in {
            "that has the constant decay throughout; 8.4 takes the smaller of d and (1 + k) / (10 + k).": [decay] * n,
            "that takes the larger of the two; a young average should forget fast.": [max(decay, d) for d in young],
            "off by one: k counts the values before this one, so the second value is met with k = 1.": [0, *capped],
            "off by one the other way: the second value is met with k = 1, so with d_1 = 2/11.": capped[1:],
            "d belongs to the old average and 1 - d to the new value; yours has it reversed.": [1 - d for d in capped],
        }.items():
            wrong = _averages(values, decays)
            need(_near(got, right) or not _near(got, wrong), word)
        worst = max(range(n), key=lambda k: abs(got[k] - right[k]))
        need(
            _near(got, right),
            f"for d = {decay} the average after value {worst + 1} is {got[worst]:.6f} and should be "
            f"{right[worst]:.6f}.",
        )


def _in_parts(function) -> None:
    generator = torch.Generator().manual_seed(1)
    for rows, most in ((12, 4), (10, 4), (3, 8)):
        batch = torch.randn(rows, 2, generator=generator, dtype=torch.float64)
        sizes = []

        def gradient(part, sizes=sizes):
            sizes.append(len(part))
            return (part**2).mean(0)

        got = function(gradient, batch, most)
        need(got is not None, "your function returns nothing; end it with `return`.")
        need(sizes != [], "your function never asks for a gradient; call `gradient(rows)`.")
        need(max(sizes) <= most, f"at most {most} rows at once were allowed; yours asked for {max(sizes)}.")
        need(min(sizes) > 0, "yours asks for the gradient of no rows at all, which is nan.")
        need(sum(sizes) == rows, f"every row once: yours asked for {sum(sizes)} rows, and the batch has {rows}.")
        got, parts = torch.as_tensor(got).double(), [(part**2).mean(0) for part in batch.split(most)]
        right, plain = (batch**2).mean(0), torch.stack(parts).mean(0)
        need(got.shape == right.shape, f"the gradient has shape {tuple(right.shape)}; yours has {tuple(got.shape)}.")
        unequal = rows % most and rows > most
        for word, wrong in {
            "that is the plain mean of the parts' gradients; the last part has fewer rows and should count less.": plain
            if unequal
            else right + 1,
            "that is the sum of the parts' gradients; weigh each by its share of the rows.": torch.stack(parts).sum(0)
            if len(parts) > 1
            else right + 1,
            "that is the gradient of the sum over rows; the mean was asked for.": (batch**2).sum(0),
        }.items():
            need(not torch.allclose(got, wrong), word)
        need(
            torch.allclose(got, right),
            f"with {rows} rows in parts of {most} yours is {float(got[0]):.5f} and should be {float(right[0]):.5f}.",
        )


def _cut(function) -> None:
    generator = torch.Generator().manual_seed(2)
    shapes = ((3, 4), (5,), (2, 2, 2))
    for size, longest in ((10.0, 1.0), (0.01, 1.0), (3.0, 2.5)):
        gradients = [size * torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]
        given = [g.clone() for g in gradients]
        got = function(gradients, longest)
        need(got is not None, "your function returns nothing; end it with `return`.")
        got = list(got)
        need(
            [tuple(torch.as_tensor(g).shape) for g in got] == list(shapes),
            "return a list with one tensor for each that came in, of the same shape.",
        )
        length = torch.stack([g.norm() for g in given]).norm()
        right = [g * min(1.0, longest / float(length)) for g in given]
        for word, wrong in {
            "this one is shorter than allowed and should stay as it is; yours makes it longer.": [
                g * longest / length for g in given
            ],
            "you cut each tensor by itself, which turns the gradient; the length is that of all of them together.": [
                g * min(1.0, longest / float(g.norm())) for g in given
            ],
            "you cut each number by itself, which turns the gradient; multiply all of them by one factor.": [
                g.clamp(-longest, longest) for g in given
            ],
            "the factor is longest over the length, not over its square.": [
                g * min(1.0, longest / float(length) ** 2) for g in given
            ],
            "these are as they came in, and too long.": given,
        }.items():
            need(_alike(got, right) or not _alike(got, wrong), word)
        need(
            _alike(got, right),
            f"a gradient of length {float(length):.4f} comes out with length "
            f"{float(torch.stack([g.norm() for g in got]).norm()):.4f}; with longest = {longest} it should be "
            f"{min(longest, float(length)):.4f}, in the same direction.",
        )


def _averages(values: list[float], decays: list[float]) -> list[float]:
    """8.4 with these decays, one for each k; the first average is a copy."""
    averages = values[:1]
    for value, d in zip(values[1:], decays[1:], strict=False):
        averages.append(d * averages[-1] + (1 - d) * value)
    return averages


def _near(a: list[float], b: list[float]) -> bool:
    return len(a) == len(b) and all(abs(x - y) < 1e-9 for x, y in zip(a, b, strict=True))


def _alike(a, b) -> bool:
    return all(torch.allclose(x.double(), y, rtol=1e-5, atol=1e-12) for x, y in zip(a, b, strict=True))


CHECKS = {
    "8.1": Exercise(
        "start with a copy of the first value; each further one, with k = 1, 2, ..., goes through one line of 8.4.",
        _moving_average,
    ),
    "8.2": Exercise(
        "`batch.split(most)` gives the parts. A mean of means is the mean if each counts by its rows.",
        _in_parts,
    ),
    "8.3": Exercise(
        "find the length of all tensors together first; then one factor, never above 1, goes on each of them.",
        _cut,
    ),
}
