"""Right and wrong answers to the exercises of chapter 2, and what a wrong one is told."""

import math

import torch

from ddpm_core import schedule
from ddpm_core.book import examples
from ddpm_core.book.widgets import two_pictures

TWO_LN_2 = 2 * math.log(2)


def cosine(t, T, s, power=2, scaled=True, offset=1.0):
    def f(t):
        return math.cos((t / T + offset * s) / (1 + s) * math.pi / 2) ** power

    return f(t) / (f(0) if scaled else 1)


def steps(bits, beta_1, beta_T, factor=TWO_LN_2, mean=0.5):
    return -math.log(factor * bits) / (mean * (beta_1 + beta_T))


def _right_but(schedule, wanted, row):
    """The right time, but for a number beyond the table's largest one: that gets this row."""
    table = schedule.snr.log()
    return row if wanted > table[1] else int((table - wanted).abs().argmin())


def in_single_precision(t, T, s):
    f = ((torch.tensor([0.0, t]) / T + s) / (1 + s) * (math.pi / 2)).cos() ** 2
    assert f.dtype == torch.float32
    return f[1] / f[0]


def share(contrast, make=schedule.linear, zeros=True):
    """By chains of one number, along the picture."""
    along = two_pictures.chains(make(200), contrast * examples.digit().double().norm().item())
    return ((along > 0) == zeros).double().mean().item()


RIGHT = {
    "2.1": [in_single_precision],
    "2.2": [lambda schedule, x: torch.argmin((schedule.snr.log() - x).abs())],
    "2.3": [lambda *a: math.ceil(steps(*a))],
    "2.4": [share],
}

WRONG = {
    "2.1": [
        (lambda t, T, s: cosine(t, T, s, scaled=False), "divide by f(0)"),
        (lambda t, T, s: math.nan, "0 / 0"),
        (lambda t, T, s: cosine(t, T, s, power=1), "the cosine is squared"),
        (lambda t, T, s: cosine(t, T, s, offset=0.0), "is the angle"),
        (lambda t, T, s: cosine(t, T, 0.008), "with s = 0.1"),
        (lambda t, T, s: max(cosine(t, T, s), 1e-6), "cut-off"),
        (lambda t, T, s: t // 0, "ZeroDivisionError"),
    ],
    "2.2": [
        (lambda schedule, wanted: int((schedule.snr[1:].log() - wanted).abs().argmin()), "one too early"),
        (lambda schedule, wanted: int((schedule.snr.log() / 2 - wanted).abs().argmin()), "DPM-Solver"),
        (lambda schedule, wanted: int((schedule.snr.log10() - wanted).abs().argmin()), "base 10"),
        (lambda schedule, wanted: int((schedule.snr - wanted).abs().argmin()), "for Schedule(T=1000"),
        (lambda schedule, x: int((schedule.snr - math.exp(x)).abs().argmin()), "asked for is the nearest log"),
        (lambda schedule, wanted: "t", "should be a number, but it is str"),
        (lambda schedule, wanted: schedule.T + 1, "times run from 0 to 1000"),
        (lambda schedule, wanted: _right_but(schedule, wanted, 0), "row 0 is infinitely far"),
    ],
    "2.3": [
        (lambda *a: -steps(*a), "is positive"),
        (lambda *a: steps(*a, factor=2), "in nats"),
        (lambda *a: steps(*a, factor=math.log(2)), "factor of 2"),
        (lambda *a: steps(*a, factor=1 / math.log(2)), "wrong side"),
        (lambda *a: steps(*a, mean=1.0), "half of"),
        (lambda *a: steps(*a, mean=0.25), "twice"),
        (lambda *a: 651, "a search finds 879"),
    ],
    "2.4": [
        (lambda contrast: share(contrast, zeros=False), "share of the negatives"),
        (lambda contrast: share(contrast, make=schedule.cosine), "the share in the data"),
        (lambda contrast: share(1.0), "full contrast"),
        (lambda contrast: 400 * share(contrast), "between 0 and 1"),
        (lambda contrast: 0.5, "about 0.6"),
    ],
}
