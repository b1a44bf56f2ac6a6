"""The exercises of chapter 9, ancestral sampling."""

from functools import partial
from itertools import product
from operator import eq

import torch
from torch import Tensor

from ddpm_core.book.exercises.answers import expect, farthest, noise, number, same, tensor, within
from ddpm_core.book.exercises.exercise import Exercise, require
from ddpm_core.diffusion import gaussian, timesteps
from ddpm_core.schedule import cosine, linear, respaced

SCHEDULES = linear(50, 0.01, 0.2), cosine(20)
TIMES = [(schedule, t) for schedule in SCHEDULES for t in (9, 2, schedule.T)]


def _one_step(function) -> None:
    for schedule, t in (*TIMES, *((schedule, 1) for schedule in SCHEDULES)):
        x_t, eps, z = noise(t, 3, 4, 5)
        times, beta, beta_tilde = torch.full((4,), t), schedule.beta[t], schedule.beta_tilde[t]
        x0_hat = gaussian.x0_from_eps(schedule, x_t, times, eps)
        held = x0_hat.clamp(-1, 1)
        mean, loose = (gaussian.q_posterior(schedule, x0, x_t, times)[0] for x0 in (held, x0_hat))
        loose, noisy = loose + beta.sqrt() * z, mean + beta.sqrt() * z
        got = tensor(function(schedule, x_t, t, eps, z), "x_{t-1}", x_t)
        mistakes = {
            "that is 9.2 as it stands: clamp x0_hat, then take the step.": loose,
            "clamp the guess x0_hat, not x_{t-1}, which is still noisy.": loose.clamp(-1, 1),
            "x0_hat is clamped, and that is enough: x_{t-1} is still noisy and may leave [-1, 1].": noisy.clamp(-1, 1),
            "only the mean so far: where is the noise z?": mean,
            "here the variance is to be beta_t.": mean + beta_tilde.sqrt() * z,
            "beta_t is a variance; z is multiplied by its root.": mean + beta * z,
            "that is the clamped guess itself; the step leads to 3.7's mean.": held,
            "in the last step, t = 1, no noise is added.": noisy,
            "at t = 1 the result is x0_hat; it is to be clamped there, too.": x0_hat,
        }
        right = noisy if t > 1 else mean
        there, here = farthest(right, got)
        otherwise = f"at t = {t} of {schedule} a number of x_(t-1) should be {there:.4f}, but yours is {here:.4f}."
        expect(got, right, mistakes, otherwise)


def _right_variance(function) -> None:
    for (schedule, t), s2 in product(TIMES, (0.25, 1.0, 1e-6, 4.0)):
        got = number(function(schedule, t, s2))
        total, by_root = (schedule.alpha_bar * spread + 1 - schedule.alpha_bar for spread in (s2, s2**0.5))
        beta, before, now = schedule.beta[t], total[t - 1], total[t]
        right = beta * before / now
        mistakes = {
            "that is beta_t, which is right for s2 = 1 alone.": beta,
            "that is beta_tilde_t, which is right for one point alone.": schedule.beta_tilde[t],
            "upside down: V_{t-1} stands above, V_t below.": beta * now / before,
            "that is the standard deviation; asked for is the variance.": right.sqrt(),
            "that is V_{t-1}, before anybody has seen x_t; x_t narrows it.": before,
            "that is Cov^2 / V_t, what x_t explains; take it away from V_{t-1}.": schedule.alpha[t] * before**2 / now,
            "s2 is the variance already; do not take its root.": beta * by_root[t - 1] / by_root[t],
        }
        otherwise = f"at t = {t} of {schedule} and for s2 = {s2:g} it should be {right:.6g}, but yours is {got:.6g}."
        expect(got, right, mistakes, otherwise)


def _between(function) -> None:
    schedule, t = cosine(20), 12
    x0, other, eps, other_eps = noise(0, 4, 3, 4)
    none, ones, times = torch.zeros_like(x0), torch.ones_like(x0), torch.full((3,), t)
    kept, width = schedule.alpha_bar[t].sqrt(), (1 - schedule.alpha_bar[t]).sqrt()
    first, second = gaussian.q_sample(schedule, x0, times, eps), gaussian.q_sample(schedule, other, times, other_eps)
    close = partial(same, atol=1e-6)  # a share may have been made a float32 on the way

    def ask(share: float, *pictures: Tensor) -> Tensor:
        return tensor(function(schedule, *pictures, t, share), "x_t(u)", x0)

    require(close(ask(0.0, x0, other, eps, other_eps), first), "at share 0 it should be the first picture's x_t.")
    require(close(ask(1.0, x0, other, eps, other_eps), second), "at share 1 it should be the other picture's x_t.")
    for share in (0.5, 0.25, 0.9):
        got, line = ask(share, x0, other, eps, other_eps), (1 - share) * first + share * second
        require(not close(got, line), "that is the line, 9.12, whose noise is too weak.")
        signal, left = ask(share, x0, other, none, none), ask(share, none, none, eps, other_eps)
        linear = close(got, signal + left)
        require(linear, "pictures and noises should enter linearly, with factors of share and t alone.")
        require(
            close(signal, kept * ((1 - share) * x0 + share * other)),
            "the pictures are to be mixed on a line, with the factors 1 - share and share (times sqrt(alpha_bar_t)).",
        )
        of_eps = (ask(share, none, none, ones, none) / width)[0, 0].item()
        of_other = (ask(share, none, none, none, ones) / width)[0, 0].item()
        total = of_eps**2 + of_other**2
        require(
            abs(total - 1) < 1e-6, f"at share {share} the squared factors of the noises add up to {total:.3f}, not 1."
        )
        require(of_eps >= 0 and of_other >= 0, "both noises should keep their sign on the way.")


def _half_decided(function) -> None:
    for schedule, s2 in product((*SCHEDULES, cosine(1000)), (0.25, 1.0, 4.0, 1e-9)):
        got = number(function(schedule, s2))
        right, plain, by_root = (
            int((schedule.alpha_bar * spread >= 1 - schedule.alpha_bar).nonzero().max()) for spread in (s2, 1, s2**0.5)
        )
        mistakes = {
            "one too many: at that t less than half is decided.": right + 1,
            "one too few: at the next larger t half is still decided.": right - 1,
            "that is where alpha_bar is one half, which is 9.11 for s2 = 1 only.": plain,
            "s2 is the variance already; do not take its root.": by_root,
        }
        otherwise = f"for {schedule} and s2 = {s2:g} it should be {right}, but yours is {got:g}."
        expect(got, right, mistakes, otherwise, eq)


def _final_variance(steps: int, width: str = "beta_tilde") -> float:
    """W_0 of 9.8 over s^2 at s = 0.3, on the linear schedule in so many of its steps."""
    s2, long = 0.09, linear(1000)
    walked = respaced(long, timesteps.uniform(long, steps))
    V, W = walked.alpha_bar * s2 + 1 - walked.alpha_bar, 1.0
    for t in range(steps, 0, -1):
        noise = getattr(walked, width)[t].item() if t > 1 else 0.0
        W = (walked.alpha[t] * (V[t - 1] / V[t]) ** 2).item() * W + noise
    return W / s2


def _in_fifty_steps(got: float) -> None:
    right, close = _final_variance(50), within(0.005)
    mistakes = {
        "that is for a hundred steps; here it is fifty.": _final_variance(100),
        "that is for a thousand steps; respace the schedule to fifty first.": _final_variance(1000),
        "that is with the variance beta; here it is beta_tilde.": _final_variance(50, "beta"),
        "that is the share that is lost; asked is what is left of the true variance.": 1 - right,
        "that is the final variance itself; divide it by the true one, 0.09.": right * 0.09,
        "that is a ratio of standard deviations; asked is one of variances.": right**0.5,
        "with 25 steps it would be that; here it is fifty.": _final_variance(25),
    }
    expect(got, right, mistakes, f"a ratio of {got:.3g} is not what 9.8 gives for fifty steps.", close)


EXERCISES = {
    "9.1": Exercise(
        "1.12 turns eps into x0_hat; what may be done to a guess? Then gaussian.q_posterior; and mind the last step.",
        _one_step,
    ),
    "9.2": Exercise("V_t = alpha_bar_t s2 + 1 - alpha_bar_t, and 9.6.", _right_variance),
    "9.3": Exercise("for the noises you need two factors whose squares add up to 1, and 1.10 for the rest.", _between),
    "9.4": Exercise(
        "the fraction of 9.11 for all t at once is a row of numbers that falls; where is it last at least one half?",
        _half_decided,
    ),
    "9.5": Exercise(
        "`final_variance` of the chapter, with a schedule respaced to fifty steps and its beta_tilde, at s2 = 0.09.",
        _in_fifty_steps,
        number,
    ),
}
