"""Right and wrong answers to the exercises of chapter 11, and what a wrong one is told."""

import math

import torch

from ddpm_core.book.exercises.chapter11 import gap
from ddpm_core.diffusion import mixture, variance
from ddpm_core.schedule import cosine

SHARPER, USUAL = (mixture.isotropic([0.7, 0.3], [[-1.0], [1.0]], std=std) for std in (0.1, 0.2))


def width(answer):
    """An answer to 11.1 from beta_t, beta_tilde_t and the output."""
    return lambda schedule, t, output: answer(schedule.beta[t], schedule.beta_tilde[t], output)


def mixed(high, low, v):
    return (v * high.log() + (1 - v) * low.log()).exp()


def by_the_package(schedule, t, output):
    return variance.between(output)(schedule, torch.full((len(output),), t), output)


def sums(bits):
    return torch.stack([bits[0] + bits[t + 1 :].sum() for t in range(len(bits))])


RIGHT = {
    "11.1": [width(lambda high, low, out: low * (high / low) ** ((out + 1) / 2)), by_the_package],
    "11.2": [sums, lambda bits: bits.sum() - torch.cat([bits[:1] * 0, bits[1:].cumsum(0)])],
    "11.3": [gap(SHARPER, cosine(100), "analytic")],
}

WRONG = {
    "11.1": [
        (lambda schedule, t, output: schedule.beta[t], "return one variance for each output"),
        (width(lambda high, low, out: mixed(high, low, out)), "v is (output + 1) / 2"),
        (width(lambda high, low, out: mixed(low, high, (out + 1) / 2)), "other way round"),
        (width(lambda high, low, out: (1 + out) / 2 * high + (1 - out) / 2 * low), "interpolate the logarithms"),
        (width(lambda high, low, out: mixed(high, low, (out + 1) / 2).log()), "the logarithm of the variance"),
        (width(lambda high, low, out: mixed(high, low, (out + 1) / 2).sqrt()), "the standard deviation"),
        (width(lambda high, low, out: 1.1 * mixed(high, low, (out + 1) / 2)), "a variance should be"),
    ],
    "11.2": [
        (lambda bits: bits.sum(), "return one rate for each time"),
        (lambda bits: sums(bits) - bits[0], "L_T is missing"),
        (lambda bits: torch.cat([bits.sum()[None], sums(bits)[:-1]]), "not yet sent when x_t is known"),
        (lambda bits: bits.cumsum(0), "from the other end"),
        (lambda bits: sums(bits).flip(0), "belongs to time 0"),
        (lambda bits: bits, "adds up"),
        (lambda bits: sums(bits) + 0.1, "a rate should be"),
    ],
    "11.3": [
        ("large", "should be a number"),
        (gap(USUAL, cosine(100), "analytic"), "the world of the chapter"),
        (gap(SHARPER, cosine(100), "beta"), "with the variance beta_t"),
        (gap(SHARPER, cosine(100), "analytic") * math.log(2), "in nats"),
        (gap(SHARPER, cosine(1000), "analytic"), "for 1000 steps"),
        (0.5, "it should be near"),
    ],
}
