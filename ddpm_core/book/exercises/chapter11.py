"""The exercises of chapter 11, likelihood and a learned variance."""

import math

import torch

from ddpm_core.book.exercises.answers import expect, farthest, noise, number, tensor, within
from ddpm_core.book.exercises.exercise import Exercise
from ddpm_core.diffusion import elbo, mixture
from ddpm_core.schedule import Schedule, cosine, linear


def _learned(function) -> None:
    for schedule, t in ((linear(50, 0.01, 0.2), 9), (cosine(20), 2), (cosine(20), 20)):
        output = noise(t, 4, 3)
        high, low = schedule.beta[t], schedule.beta_tilde[t]

        def mixed(v, high=high, low=low):
            return (v * high.log() + (1 - v) * low.log()).exp()

        v = (output + 1) / 2
        got, right = tensor(function(schedule, t, output), "one variance for each output", output), mixed(v)
        mistakes = {
            "v is (output + 1) / 2, so that an output of 0 lies in the middle.": mixed(output),
            "the other way round: v = 1 is beta_t.": mixed(1 - v),
            "interpolate the logarithms, not the variances.": v * high + (1 - v) * low,
            "that is the logarithm of the variance.": right.log(),
            "that is the standard deviation.": right.sqrt(),
        }
        there, here = farthest(right, got)
        otherwise = f"at t = {t} of {schedule} a variance should be {there:.5f}, but yours is {here:.5f}."
        expect(got, right, mistakes, otherwise)


def _sent(function) -> None:
    for seed, T in ((0, 6), (1, 40)):
        bits = noise(seed, T + 1).abs()
        got, right = tensor(function(bits), "one rate for each time 0..T", bits), elbo.rate(bits[:, None])[:, 0]
        late = torch.cat([bits.sum()[None], right[:-1]])
        mistakes = {
            "L_T is missing: even x_T has its price.": right - bits[0],
            "row t of bits is the step from x_t to x_(t-1), which is not yet sent when x_t is known.": late,
            "the bits come from the other end: first x_T, last x_0.": bits.cumsum(0),
            "the whole bound belongs to time 0, where everything has been sent.": right.flip(0),
            "a rate adds up what has been sent so far.": bits,
        }
        there, here = farthest(right, got)
        otherwise = f"for {T} steps a rate should be {there:.4f}, but yours is {here:.4f}."
        expect(got, right, mistakes, otherwise)


def gap(world: mixture.GaussianMixture, schedule: Schedule, width: str) -> float:
    """Bits by which the bound of a world in one dimension, with the perfect guess, lies above its entropy.

    width: "analytic" or "beta". L_0 is a density here.   [chapter 11, Eqs. 11.3 and 11.5]
    """
    times = torch.arange(1, schedule.T + 1)
    left, narrow = world.mmse(schedule, times, 1201, 7.0), schedule.beta_tilde[1:]
    best = narrow + schedule.posterior_mean_coef_x0[1:] ** 2 * left
    wide = schedule.beta[1:] if width == "beta" else best
    steps = 0.5 * ((wide / narrow).log() + best / wide - 1)[1:].sum()
    L_0 = 0.5 * ((2 * math.pi * wide[0]).log() + left[0] / wide[0])
    root = (world.mean.square() + world.covariance.diagonal()).sqrt()[None]
    x = torch.linspace(-4, 4, 20_001, dtype=torch.float64)[:, None]
    log = world.log_q(schedule, x, torch.zeros(len(x), dtype=torch.long))
    entropy = -(log.exp() * log).sum() * 8 / 20_000
    return ((elbo.L_T(schedule, root).sum() + steps + L_0 - entropy) / math.log(2)).item()


def _sharper(answer: float) -> None:
    narrow, usual = (mixture.isotropic([0.7, 0.3], [[-1.0], [1.0]], std=std) for std in (0.1, 0.2))
    s = cosine(100)
    mistakes = {
        "that is the world of the chapter; here std is 0.1.": gap(usual, s, "analytic"),
        "that is with the variance beta_t.": gap(narrow, s, "beta"),
        "that is in nats: divide by ln 2.": gap(narrow, s, "analytic") * math.log(2),
        "that is for 1000 steps.": gap(narrow, cosine(1000), "analytic"),
    }
    right = gap(narrow, s, "analytic")
    expect(answer, right, mistakes, f"it should be near {right:.3f} bits, but yours is {answer:.4f}.", within(5e-4))


EXERCISES = {
    "11.1": Exercise("11.7 says the logarithm; which v belongs to an output?", _learned),
    "11.2": Exercise("how much has been sent when x_T is known, and what does the next step add?", _sent),
    "11.3": Exercise("gaps(world, s) is in the chapter; which of the two changes?", _sharper, number),
}
