"""Right and wrong answers to the exercises of chapter 6, and what a wrong one is told."""

import torch

from ddpm_core.diffusion.gaussian import q_sample
from ddpm_core.diffusion.loss import vlb
from ddpm_core.diffusion.prediction import EPS, X0


def simple(x_t=q_sample, reduce=torch.mean, wrong=lambda x0, eps, output: (eps - output) ** 2, times=lambda t: (t,)):
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


def by_name(net, s, x0, t, eps):
    return ((eps - net(q_sample(s, x0, t, eps), t=t)) ** 2).mean()


def asks_each(net, s, x0, t, eps):
    x_t = q_sample(s, x0, t, eps)
    return torch.stack([(eps[k] - net(x_t, t)[k]).square().mean() for k in range(len(t))]).mean()


RIGHT = {
    "6.1": [simple(), by_name],
    "6.2": [weight(lambda snr: snr)],
    "6.3": [floor()],
    "6.4": [0.2835, 0.285],
}

WRONG = {
    "6.1": [
        (lambda net, s, x0, t, eps: eps.square().mean(), "never asks the network"),
        (asks_each, "asks 6 times"),
        (simple(times=lambda t: ()), "tell the network the times"),
        (simple(times=lambda t: (t - 1,)), "tell the network the times"),
        (simple(x_t=lambda s, x0, t, eps: x0[0]), "shaped like x0"),
        (simple(x_t=lambda s, x0, t, eps: x0), "clean picture"),
        (simple(x_t=without_roots), "not the x_t of Equation 1.10"),
        (simple(reduce=lambda x: x.flatten(1).mean(1)), "one number"),
        (simple(reduce=torch.sum), "sum over everything"),
        (simple(reduce=lambda x: x.flatten(1).sum(1).mean()), "summed over the pixels"),
        (simple(wrong=lambda x0, eps, output: (x0 - output) ** 2), "target is the noise"),
        (simple(wrong=lambda x0, eps, output: (eps - output).abs()), "has a square"),
        (simple(wrong=lambda x0, eps, output: 0.5 * (eps - output) ** 2), "saw the right x_t and t"),
    ],
    "6.2": [
        (lambda s, t: 1.0, "one weight for each time"),
        (weight(torch.ones_like), "turn one error into the other"),
        (weight(lambda snr: 1 / snr), "upside down"),
        (weight(torch.sqrt), "squared as well"),
        (lambda s, t: s.snr[t], "L_simple gives"),
        (lambda s, t: 0.5 * (s.snr[t - 1] - s.snr[t]), "for a variance of beta_tilde"),
        (lambda s, t: 2 * vlb(s, t, X0), "and should be"),
    ],
    "6.3": [
        (lambda s, t, v: 0.5, "one floor for each time"),
        (lambda s, t, v: floor()(s, t, v) / s.snr[t], "unknown of the picture"),
        (floor(lambda f: 1 - f), "the floor is the rest"),
        (floor(variance=lambda v: 1), "has no say"),
        (floor(variance=lambda v: v**2), "square it again"),
        (floor(torch.sqrt), "that is its root"),
        (floor(lambda f: f / 2), "and should be"),
    ],
    "6.4": [
        (0.2264, "the old world's"),
        (0.5069, "under the cosine schedule"),
        (0.8303, "the error of the picture"),
        (0.2547, "not its square"),
        (0.3, "the mean over t"),
    ],
}
