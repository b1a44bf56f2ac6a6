"""The exercises of chapter 9, ancestral sampling."""

import torch
from torch import Tensor

from .. import gaussian
from ..schedule import Schedule, cosine, linear
from ..verdict import Exercise, need, number

SCHEDULES = linear(50, 0.01, 0.2), cosine(20)


def _noise(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _tensor(got: object, what: str, like: Tensor) -> Tensor:
    need(got is not None, "your function returns nothing; end it with `return`.")
    need(torch.is_tensor(got), f"your function should return {what}, a tensor, but it returns {type(got).__name__}.")
    need(got.shape == like.shape, f"{what} should be shaped {tuple(like.shape)}, but it is {tuple(got.shape)}.")
    return got.to(like.dtype)


def _same(a: Tensor, b: Tensor, rtol: float = 1e-7, atol: float = 1e-9) -> bool:
    return torch.allclose(a, b, rtol=rtol, atol=atol)


def _step(schedule: Schedule, x_t: Tensor, t: int, x0_hat: Tensor, noise: Tensor | float) -> Tensor:
    return gaussian.q_posterior(schedule, x0_hat, x_t, torch.full((len(x_t),), t))[0] + noise


def _one_step(function) -> None:
    for schedule in SCHEDULES:
        for t in (9, 2, schedule.T, 1):
            x_t, eps, z = (_noise(10 * t + k, 4, 5) for k in range(3))
            times, width = torch.full((4,), t), schedule.beta[t].sqrt()
            x0_hat = gaussian.x0_from_eps(schedule, x_t, times, eps)
            held, tilde = x0_hat.clamp(-1, 1), schedule.beta_tilde[t].sqrt()
            got = _tensor(function(schedule, x_t, t, eps, z), "x_{t-1}", x_t)
            right = _step(schedule, x_t, t, held, width * z if t > 1 else 0.0)
            if t > 1:
                loose = _step(schedule, x_t, t, x0_hat, width * z)
                need(not _same(got, loose), "that is 9.2 as it stands: clamp x0_hat, then take the step.")
                need(not _same(got, loose.clamp(-1, 1)), "clamp the guess x0_hat, not x_{t-1}, which is still noisy.")
                need(
                    not _same(got, _step(schedule, x_t, t, held, width * z).clamp(-1, 1)),
                    "x0_hat is clamped, and that is enough: x_{t-1} is still noisy and may leave [-1, 1].",
                )
                need(not _same(got, _step(schedule, x_t, t, held, 0.0)), "only the mean so far: where is the noise z?")
                need(not _same(got, _step(schedule, x_t, t, held, tilde * z)), "here the variance is to be beta_t.")
                need(
                    not _same(got, _step(schedule, x_t, t, held, schedule.beta[t] * z)),
                    "beta_t is a variance; z is multiplied by its root.",
                )
                need(not _same(got, held), "that is the clamped guess itself; the step leads to 3.7's mean.")
            else:
                noisy = _step(schedule, x_t, t, held, width * z)
                need(not _same(got, noisy), "in the last step, t = 1, no noise is added.")
                need(not _same(got, x0_hat), "at t = 1 the result is x0_hat; it is to be clamped there, too.")
            need(
                _same(got, right),
                f"at t = {t} of {schedule} x_(t-1) should begin with {right[0, 0]:.4f}, not {got[0, 0]:.4f}.",
            )


def _right_variance(function) -> None:
    for schedule in SCHEDULES:
        for t in (9, 2, schedule.T):
            for s2 in (0.25, 1.0, 1e-6, 4.0):
                total = schedule.alpha_bar * s2 + 1 - schedule.alpha_bar
                beta, right = schedule.beta[t], (schedule.beta[t] * total[t - 1] / total[t]).item()
                got = function(schedule, t, s2)
                need(got is not None, "your function returns nothing; end it with `return`.")
                got = number(got)

                def near(value, got: float = got) -> bool:
                    return abs(got - float(value)) <= 1e-9 * abs(float(value))

                if s2 == 0.25:
                    need(not near(beta), "that is beta_t, which is right for s2 = 1 alone.")
                    need(not near(schedule.beta_tilde[t]), "that is beta_tilde_t, which is right for one point alone.")
                    need(not near(beta * total[t] / total[t - 1]), "upside down: V_{t-1} stands above, V_t below.")
                    need(not near(right**0.5), "that is the standard deviation; asked for is the variance.")
                    need(not near(total[t - 1]), "that is V_{t-1}, before anybody has seen x_t; x_t narrows it.")
                    shrunk = schedule.alpha[t] * total[t - 1] ** 2 / total[t]
                    need(not near(shrunk), "that is Cov^2 / V_t, what x_t explains; take it away from V_{t-1}.")
                    once = schedule.alpha_bar * s2**0.5 + 1 - schedule.alpha_bar
                    need(not near(beta * once[t - 1] / once[t]), "s2 is the variance already; do not take its root.")
                need(
                    near(right),
                    f"at t = {t} of {schedule} and for s2 = {s2:g} it should be {right:.6g}, but yours is {got:.6g}.",
                )


def _between(function) -> None:
    schedule, t = cosine(20), 12
    x0, other, eps, other_eps = (_noise(k, 3, 4) for k in range(4))
    times = torch.full((3,), t)
    kept, noise = schedule.alpha_bar[t].sqrt(), (1 - schedule.alpha_bar[t]).sqrt()
    first, second = gaussian.q_sample(schedule, x0, times, eps), gaussian.q_sample(schedule, other, times, other_eps)

    def ask(share: float, *pictures: Tensor) -> Tensor:
        return _tensor(function(schedule, *pictures, t, share), "x_t(lambda)", x0)

    def close(a: Tensor, b: Tensor) -> bool:  # a share may have been made a float32 on the way
        return _same(a, b, rtol=1e-5, atol=1e-6)

    need(close(ask(0.0, x0, other, eps, other_eps), first), "at share 0 it should be the first picture's x_t.")
    need(close(ask(1.0, x0, other, eps, other_eps), second), "at share 1 it should be the other picture's x_t.")
    for share in (0.5, 0.25, 0.9):
        got = ask(share, x0, other, eps, other_eps)
        need(not close(got, (1 - share) * first + share * second), "that is the line, 9.12, whose noise is too weak.")
        none = torch.zeros_like(x0)
        signal, left = ask(share, x0, other, none, none), ask(share, none, none, eps, other_eps)
        need(close(got, signal + left), "pictures and noises should enter linearly, with factors of share and t alone.")
        need(
            close(signal, kept * ((1 - share) * x0 + share * other)),
            "the pictures are to be mixed on a line, with the factors 1 - share and share (times sqrt(alpha_bar_t)).",
        )
        of_eps = (ask(share, none, none, torch.ones_like(x0), none) / noise)[0, 0].item()
        of_other = (ask(share, none, none, none, torch.ones_like(x0)) / noise)[0, 0].item()
        total = of_eps**2 + of_other**2
        need(abs(total - 1) < 1e-6, f"at share {share} the squared factors of the noises add up to {total:.3f}, not 1.")
        need(of_eps >= 0 and of_other >= 0, "both noises should keep their sign on the way.")


def _half_decided(function) -> None:
    for schedule in (*SCHEDULES, cosine(1000)):
        for s2 in (0.25, 1.0, 4.0, 1e-9):
            decided = schedule.alpha_bar * s2 / (schedule.alpha_bar * s2 + 1 - schedule.alpha_bar)
            right = int((decided >= 0.5).nonzero().max())
            got = function(schedule, s2)
            need(got is not None, "your function returns nothing; end it with `return`.")
            got = number(got)
            need(got != right + 1, "one too many: at that t less than half is decided.")
            need(got != right - 1 or right == 0, "one too few: at the next larger t half is still decided.")
            if s2 == 0.25:
                plain = int((schedule.alpha_bar >= 0.5).nonzero().max())
                need(
                    got != plain or plain == right,
                    "that is where alpha_bar is one half, which is 9.11 for s2 = 1 only.",
                )
                root = schedule.alpha_bar * s2**0.5 / (schedule.alpha_bar * s2**0.5 + 1 - schedule.alpha_bar)
                upside = int((root >= 0.5).nonzero().max())
                need(got != upside or upside == right, "s2 is the variance already; do not take its root.")
            need(got == right, f"for {schedule} and s2 = {s2:g} it should be {right}, but yours is {got:g}.")


CHECKS = {
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
}
