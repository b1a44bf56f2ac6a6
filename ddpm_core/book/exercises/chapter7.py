"""The exercises of chapter 7, the U-Net."""

from operator import eq

import torch
from torch import Tensor

from ddpm_core.book.exercises.answers import expect, noise, number, tensor, within
from ddpm_core.book.exercises.exercise import Exercise, require
from ddpm_core.networks.flops import parameter_count
from ddpm_core.unet import ResidualBlock, SinusoidalEmbedding


def _weights_of_block(function) -> None:
    for n_in, n_out, condition in ((16, 24, 64), (16, 16, 64), (64, 32, 128)):
        got, right = number(function(n_in, n_out, condition)), parameter_count(ResidualBlock(n_in, n_out, condition))
        across, crosses = n_in * n_out + n_out, n_in != n_out
        biases = 4 * n_out + (n_out if crosses else 0)
        missing = {
            "the biases: n_out for each convolution, 2 n_out for the linear layer, n_out for a shortcut.": biases,
            "the norms: each has a weight and a bias for every channel that it sees.": 2 * n_in + 2 * n_out,
            "the linear layer that makes scale and shift of the condition.": 2 * (condition * n_out + n_out),
            "the shift: the linear layer makes two numbers for each channel.": condition * n_out + n_out,
        }
        mistakes = {f"nearly: what is missing looks like {what}": right - weights for what, weights in missing.items()}
        if crosses:
            mistakes["nearly: where n_in and n_out differ, a 1x1 convolution takes x across."] = right - across
        else:
            mistakes["nearly: where n_in equals n_out there is no shortcut."] = right + across
        mistakes["the second convolution goes from n_out to n_out channels."] = right + 9 * n_out * (n_in - n_out)
        sizes = f"from {n_in} to {n_out} channels with a condition of {condition}"
        expect(got, right, mistakes, f"{sizes} yours is {got:,.0f}; a real block has {right:,}.", eq)


def _later(function) -> None:
    d, t = 16, torch.tensor([0, 3, 40, 500])
    embed, omega = SinusoidalEmbedding(d), 10_000.0 ** (-torch.arange(d // 2).double() / (d // 2))
    now, near = _exact(t, omega), within(2e-4)  # what float32 loses on an angle of a few hundred
    for s in (1, 10, 200, -3):
        got = tensor(function(now.clone(), omega, s), "the embedding of t + s, shaped like e", now)
        right, length = _exact(t + s, omega), got.square().sum(1)
        turn = f"a turn keeps lengths: each row's squares should add up to {d // 2}, but yours give {length[1]:.3f}."
        require(within(1e-3)(length, d / 2), turn)
        mistakes = {
            "this clock stands still: it shows the time that it was given.": now,
            "that is s steps earlier: which sign has the sine in 7.3?": _exact(t - s, omega),
            "all is right but the order: sines first, then cosines, as in 7.2.": right.roll(d // 2, dims=1),
            "your clock moves by one step, whatever s is.": _exact(t + 1, omega),
        }
        otherwise = f"for s = {s} that is not the embedding of t + s; turn each pair by omega * s."
        expect(got, right, mistakes, otherwise, near)
    again = tensor(function(embed(t), embed.frequencies, 1), "the embedding of t + 1", now)
    require(within(1e-3)(again, embed(t + 1)), "it should do for the network's own embedding as well.")


def _exact(t: Tensor, omega: Tensor) -> Tensor:
    """The embedding of Equation 7.2 in float64."""
    return torch.cat([(t[:, None] * omega).sin(), (t[:, None] * omega).cos()], dim=1)


def _attend(function) -> None:
    q, k, v = noise(0, 3, 2, 7, 9)  # the root of 9 is neither 9 / 2 nor log2(9) nor of 6, 7 or 8
    got, scores = tensor(function(q, k, v), "the values that are taken, shaped like v", v), q @ k.transpose(1, 2) / 3
    weights = scores.softmax(-1)
    mistakes = {
        "divide the scores by sqrt(d): with a large d one of them would take everything.": (3 * scores).softmax(-1) @ v,
        "you divide by d; the spread of the scores is its square root.": (scores / 3).softmax(-1) @ v,
        "divide by the root of d, not of the number of positions.": (3 * scores / 7**0.5).softmax(-1) @ v,
        "your softmax runs over the queries: what a position takes of all should add up to 1.": scores.softmax(1) @ v,
        "your softmax runs over the batch; it should run over the keys, the last axis.": scores.softmax(0) @ v,
        "softmax is missing: the weights should be positive and add up to 1.": scores @ v,
        "the weights are right, but you mix the keys; it is the values that are mixed.": weights @ k,
        "here the keys ask the queries; it is q k^T, a row for a query.": scores.transpose(1, 2).softmax(-1) @ v,
    }
    otherwise = "that is not 7.8: scores q k^T / sqrt(d), softmax over the keys, times v."
    expect(got, weights @ v, mistakes, otherwise)


def _cut_skips(factor: float) -> None:
    mistakes = {
        "that network was trained without skips; here they are cut from one that was trained with them.": 1.07,
        "upside down: the error without the skips, over the error with them.": 1 / 5.57,
        "that is the ratio of the roots; the mean squared errors were asked for.": 5.57**0.5,
    }
    otherwise = f"the error rises more than twofold, but not {factor:.3g} times; cut both skips, at t = 200."
    expect(factor, 5.57, mistakes, otherwise, lambda got, right: abs(got / right - 1) < 0.12)


EXERCISES = {
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
    "7.4": Exercise(
        "in your copy of `walk` the line of the way up becomes torch.cat([h, 0 * skips.pop()], dim=1).",
        _cut_skips,
        read=number,
    ),
}
