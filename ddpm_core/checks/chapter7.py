"""The exercises of chapter 7, the U-Net."""

import torch

from ..unet import ResidualBlock, SinusoidalEmbedding, parameter_count
from ..verdict import Exercise, need, number


def _weights_of_block(function) -> None:
    for n_in, n_out, condition in ((16, 24, 64), (16, 16, 64), (64, 32, 128)):
        got = function(n_in, n_out, condition)
        need(got is not None, "your function returns nothing; end it with `return`.")
        got, right = number(got), parameter_count(ResidualBlock(n_in, n_out, condition))
        shortcut = 0 if n_in == n_out else n_in * n_out + n_out
        missing = {
            "the biases: n_out for each convolution, 2 n_out for the linear layer, n_out for a shortcut.": 4 * n_out
            + (n_out if shortcut else 0),
            "the norms: each has a weight and a bias for every channel that it sees.": 2 * n_in + 2 * n_out,
            "the linear layer that makes scale and shift of the condition.": condition * 2 * n_out + 2 * n_out,
            "the shift: the linear layer makes two numbers for each channel.": condition * n_out + n_out,
        }
        for what, weights in missing.items():
            need(got != right - weights, f"nearly: what is missing looks like {what}")
        if shortcut:
            need(got != right - shortcut, "nearly: where n_in and n_out differ, a 1x1 convolution takes x across.")
        else:
            need(got != right + n_in * n_out + n_out, "nearly: where n_in equals n_out there is no shortcut.")
        by_first = right + 9 * n_out * (n_in - n_out)
        need(got != by_first or n_in == n_out, "the second convolution goes from n_out to n_out channels.")
        need(
            got == right,
            f"from {n_in} to {n_out} channels with a condition of {condition} yours is {got:,.0f}; "
            f"a real block has {right:,}.",
        )


def _later(function) -> None:
    width, t = 16, torch.tensor([0, 3, 40, 500])
    embed = SinusoidalEmbedding(width)
    omega = 10_000.0 ** (-torch.arange(width // 2).double() / (width // 2))
    now = _exact(t, omega)
    for s in (1, 10, 200, -3):
        got, right = function(now.clone(), omega, s), _exact(t + s, omega)
        need(torch.is_tensor(got) and got.shape == now.shape, "return a tensor of the same shape as e, (B, d).")
        need(not _same(got, now), "this clock stands still: it shows the time that it was given.")
        need(not _same(got, _exact(t - s, omega)), "that is s steps earlier: which sign has the sine in 7.3?")
        need(
            not _same(got, right.roll(width // 2, dims=1)),
            "all is right but the order: sines first, then cosines, as in 7.2.",
        )
        need(not _same(got, _exact(t + 1, omega)) or s == 1, "your clock moves by one step, whatever s is.")
        length = got.square().sum(1)
        need(
            _same(length, torch.full_like(length, width / 2)),
            f"a turn keeps lengths: each row's squares should add up to {width // 2}, but yours give {length[1]:.3f}.",
        )
        need(_same(got, right), f"for s = {s} that is not the embedding of t + s; turn each pair by omega * s.")
    again = function(embed(t), embed.frequencies, 1)
    need(torch.allclose(again, embed(t + 1), atol=1e-3), "it should do for the network's own embedding as well.")


def _attend(function) -> None:
    generator, d = torch.Generator().manual_seed(0), 9  # whose root is neither d / 2 nor log2(d) nor of 6, 7 or 8
    q, k, v = (torch.randn(2, 7, d, generator=generator, dtype=torch.float64) for _ in range(3))
    got, scores = function(q, k, v), q @ k.transpose(1, 2) / 3
    need(torch.is_tensor(got), "return a tensor.")
    need(got.shape == v.shape, f"the answer should be shaped like v, {tuple(v.shape)}, but is {tuple(got.shape)}.")
    weights = scores.softmax(-1)
    for word, wrong in {
        "divide the scores by sqrt(d): with a large d one of them would take everything.": (3 * scores).softmax(-1) @ v,
        "you divide by d; the spread of the scores is its square root.": (scores / 3).softmax(-1) @ v,
        "divide by the root of d, not of the number of positions.": (3 * scores / 7**0.5).softmax(-1) @ v,
        "your softmax runs over the queries: what a position takes of all should add up to 1.": scores.softmax(1) @ v,
        "your softmax runs over the batch; it should run over the keys, the last axis.": scores.softmax(0) @ v,
        "softmax is missing: the weights should be positive and add up to 1.": scores @ v,
        "the weights are right, but you mix the keys; it is the values that are mixed.": weights @ k,
        "here the keys ask the queries; it is q k^T, a row for a query.": scores.transpose(1, 2).softmax(-1) @ v,
    }.items():
        need(not _same(got, wrong), word)
    need(_same(got, weights @ v), "that is not 7.8: scores q k^T / sqrt(d), softmax over the keys, times v.")


def _exact(t: torch.Tensor, omega: torch.Tensor) -> torch.Tensor:
    """The embedding of Equation 7.2 in float64."""
    return torch.cat([(t[:, None] * omega).sin(), (t[:, None] * omega).cos()], dim=1)


def _same(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Up to what float32 loses on an angle of a few hundred."""
    return torch.allclose(a.double(), b.double(), rtol=1e-4, atol=1e-4)


CHECKS = {
    "7.1": Exercise(
        "a norm has two weights a channel, a convolution is 7.5, a linear layer from a to b numbers has a b + b.",
        _weights_of_block,
    ),
    "7.2": Exercise(
        "`sines, cosines = e.chunk(2, dim=1)`, then 7.3 row by row with the angle omega * s, then torch.cat.",
        _later,
    ),
    "7.3": Exercise(
        "`k.transpose(1, 2)` is K^T for each example of the batch, and `@` multiplies matrices.",
        _attend,
    ),
}
