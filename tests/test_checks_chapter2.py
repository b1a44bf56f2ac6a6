"""The exercises of chapter 2: each wrong answer that one may expect gets a word on how to go on, and no traceback."""

import math

import pytest
import torch

from ddpm_core import exercises

TWO_LN_2 = 2 * math.log(2)


def cosine(t, T, s, power=2, scaled=True, offset=1.0):
    def f(t):
        return math.cos((t / T + offset * s) / (1 + s) * math.pi / 2) ** power

    return f(t) / (f(0) if scaled else 1)


def steps(bits, beta_1, beta_T, factor=TWO_LN_2, mean=0.5):
    return -math.log(factor * bits) / (mean * (beta_1 + beta_T))


@pytest.mark.parametrize(
    ("number", "answer", "word"),
    [
        ("2.1", lambda t, T, s: print(end=""), "return"),
        ("2.1", lambda t, T, s: cosine(t, T, s, scaled=False), "divide by f(0)"),
        ("2.1", lambda t, T, s: math.nan, "0 / 0"),
        ("2.1", lambda t, T, s: cosine(t, T, s, power=1), "the cosine is squared"),
        ("2.1", lambda t, T, s: cosine(t, T, s, offset=0.0), "is the angle"),
        ("2.1", lambda t, T, s: cosine(t, T, 0.008), "with s = 0.1"),
        ("2.1", lambda t, T, s: max(cosine(t, T, s), 1e-6), "cut-off"),
        ("2.1", lambda t, T, s: t // 0, "ZeroDivisionError"),
        ("2.2", lambda schedule, wanted: print(end=""), "return"),
        ("2.2", lambda schedule, wanted: int((schedule.snr[1:].log() - wanted).abs().argmin()), "one too early"),
        ("2.2", lambda schedule, wanted: int((schedule.snr.log() / 2 - wanted).abs().argmin()), "DPM-Solver"),
        ("2.2", lambda schedule, wanted: int((schedule.snr.log10() - wanted).abs().argmin()), "base 10"),
        ("2.2", lambda schedule, wanted: int((schedule.snr - wanted).abs().argmin()), "for Schedule(T=1000"),
        ("2.2", lambda schedule, x: int((schedule.snr - math.exp(x)).abs().argmin()), "asked for is the nearest log"),
        ("2.2", lambda schedule, wanted: "t", "should be a number, but it is str"),
        ("2.2", lambda schedule, wanted: schedule.T + 1, "times run from 0 to 1000"),
        ("2.2", lambda schedule, wanted: _right_but(schedule, wanted, 0), "row 0 is infinitely far"),
        ("2.3", lambda *a: print(end=""), "return"),
        ("2.3", lambda *a: -steps(*a), "is positive"),
        ("2.3", lambda *a: steps(*a, factor=2), "in nats"),
        ("2.3", lambda *a: steps(*a, factor=math.log(2)), "factor of 2"),
        ("2.3", lambda *a: steps(*a, factor=1 / math.log(2)), "wrong side"),
        ("2.3", lambda *a: steps(*a, mean=1.0), "half of"),
        ("2.3", lambda *a: steps(*a, mean=0.25), "twice"),
        ("2.3", lambda *a: 651, "a search finds 879"),
    ],
)
def test_a_wrong_answer_gets_a_word_on_how_to_go_on_and_no_traceback(number, answer, word):
    verdict = exercises.check(number, answer)
    assert not verdict.solved
    assert word in verdict.message


def _right_but(schedule, wanted, row):
    """The right time, but for a number beyond the table's largest one: that gets this row."""
    table = schedule.snr.log()
    return row if wanted > table[1] else int((table - wanted).abs().argmin())


def test_a_time_may_come_as_a_tensor_and_a_number_of_steps_rounded_up():
    assert exercises.check("2.2", lambda schedule, x: torch.argmin((schedule.snr.log() - x).abs())).solved
    assert exercises.check("2.3", lambda *a: math.ceil(steps(*a))).solved


def test_single_precision_is_precise_enough():
    def single(t, T, s):
        angle = (torch.tensor([0.0, t]) / T + s) / (1 + s) * (math.pi / 2)
        f = angle.cos() ** 2
        assert f.dtype == torch.float32
        return f[1] / f[0]

    assert exercises.check("2.1", single).solved


def test_the_search_finds_the_smallest_number_of_steps():
    from ddpm_core.checks.chapter2 import _search
    from ddpm_core.schedule import linear

    def price(T):
        return -torch.log1p(-linear(T).alpha_bar[-1]) / (2 * math.log(2))

    found = _search(1e-3, 1e-4, 0.02)
    assert price(found) <= 1e-3 < price(found - 1)
