"""The exercises of chapter 6: what a reader is told who got something wrong."""

import pytest
import torch

from ddpm_core import exercises
from ddpm_core.gaussian import q_sample
from ddpm_core.predict import EPS, X0
from ddpm_core.weighting import vlb


def simple(x_t=q_sample, reduce=torch.mean, wrong=lambda x0, eps, answer: (eps - answer) ** 2, times=lambda t: (t,)):
    """An answer to 6.1 with one part of it changed."""
    return lambda net, s, x0, t, eps: reduce(wrong(x0, eps, net(x_t(s, x0, t, eps), *times(t))))


def without_roots(s, x0, t, eps):
    kept = s.alpha_bar[t].reshape(-1, 1, 1, 1)
    return kept * x0 + (1 - kept) * eps


def weight(factor):
    """An answer to 6.2: 6.2's weight times some function of the SNR."""
    return lambda s, t: vlb(s, t, EPS) * factor(s.snr[t])


def floor(change=lambda floor: floor, variance=lambda v: v):
    """An answer to 6.3 with the outcome or the variance changed."""

    def answer(s, t, data_variance):
        signal = s.alpha_bar[t] * variance(data_variance)
        return change(signal / (signal + 1 - s.alpha_bar[t]))

    return answer


def asks_each(net, s, x0, t, eps):
    x_t = q_sample(s, x0, t, eps)
    return torch.stack([(eps[k] - net(x_t, t)[k]).square().mean() for k in range(len(t))]).mean()


@pytest.mark.parametrize(
    ("number", "answer", "word"),
    [
        ("6.1", lambda net, s, x0, t, eps: print(end=""), "returns nothing"),
        ("6.1", lambda net, s, x0, t, eps: eps.square().mean(), "never asks the network"),
        ("6.1", asks_each, "asks 6 times"),
        ("6.1", simple(times=lambda t: ()), "tell the network the times"),
        ("6.1", simple(times=lambda t: (t - 1,)), "tell the network the times"),
        ("6.1", simple(x_t=lambda s, x0, t, eps: x0[0]), "shaped like x0"),
        ("6.1", simple(x_t=lambda s, x0, t, eps: x0), "clean picture"),
        ("6.1", simple(x_t=without_roots), "not the x_t of Equation 1.10"),
        ("6.1", simple(reduce=lambda x: x.flatten(1).mean(1)), "one number"),
        ("6.1", simple(reduce=torch.sum), "sum over everything"),
        ("6.1", simple(reduce=lambda x: x.flatten(1).sum(1).mean()), "summed over the pixels"),
        ("6.1", simple(wrong=lambda x0, eps, answer: (x0 - answer) ** 2), "asked for the noise"),
        ("6.1", simple(wrong=lambda x0, eps, answer: (eps - answer).abs()), "has a square"),
        ("6.1", simple(wrong=lambda x0, eps, answer: 0.5 * (eps - answer) ** 2), "saw the right x_t and t"),
        ("6.2", lambda s, t: 1.0, "one weight for each time"),
        ("6.2", weight(torch.ones_like), "turn one error into the other"),
        ("6.2", weight(lambda snr: 1 / snr), "upside down"),
        ("6.2", weight(torch.sqrt), "squared as well"),
        ("6.2", lambda s, t: s.snr[t], "L_simple gives"),
        ("6.2", lambda s, t: 0.5 * (s.snr[t - 1] - s.snr[t]), "for a variance of beta_tilde"),
        ("6.2", lambda s, t: 2 * vlb(s, t, X0), "and should be"),
        ("6.3", lambda s, t, v: 0.5, "one floor for each time"),
        ("6.3", lambda s, t, v: floor()(s, t, v) / s.snr[t], "unknown of the picture"),
        ("6.3", floor(lambda f: 1 - f), "the floor is the rest"),
        ("6.3", floor(variance=lambda v: 1), "has no say"),
        ("6.3", floor(variance=lambda v: v**2), "square it again"),
        ("6.3", floor(torch.sqrt), "that is its root"),
        ("6.3", floor(lambda f: f / 2), "and should be"),
    ],
)
def test_a_wrong_answer_gets_a_word_on_how_to_go_on(number, answer, word):
    verdict = exercises.check(number, answer)
    assert not verdict.solved
    assert word in verdict.message


def test_the_network_may_be_told_the_times_by_name():
    def by_name(net, s, x0, t, eps):
        return ((eps - net(q_sample(s, x0, t, eps), t=t)) ** 2).mean()

    assert exercises.check("6.1", by_name).solved
