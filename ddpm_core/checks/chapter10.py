"""The exercises of chapter 10, fewer steps."""

import torch
from torch import Tensor

from .. import gaussian
from ..sampler import ddim_step, dpm_solver_step
from ..schedule import cosine, linear
from ..verdict import Exercise, need, number

SCHEDULES = linear(50, 0.01, 0.2), cosine(40)
LEAPS = (30, 12), (9, 8), (40, 1)  # from t to s
LAST = (5, 0)  # to the picture itself


def _pictures(seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Three independent batches of two small pictures."""
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(2, 3, generator=generator, dtype=torch.float64) for _ in range(3))


def _picture(got: object, what: str, like: Tensor) -> Tensor:
    need(got is not None, "your function returns nothing; end it with `return`.")
    need(torch.is_tensor(got), f"your function should return {what}, a tensor shaped like the one it was given.")
    need(got.shape == like.shape, f"{what} should have the shape {tuple(like.shape)}, but it has {tuple(got.shape)}.")
    return got.to(like.dtype)


def _same(a: Tensor, b: Tensor) -> bool:
    return torch.allclose(a, b, rtol=1e-7, atol=1e-9)


def _all(t: int) -> Tensor:
    return torch.tensor([t, t])


def _leap_noise(function) -> None:
    for schedule in SCHEDULES:
        for t, s in (*LEAPS, LAST):
            now, then = schedule.alpha_bar[t].item(), schedule.alpha_bar[s].item()
            full = ((1 - then) / (1 - now) * (1 - now / then)) ** 0.5
            for eta in (0.5, 1.0, 0.0):
                got, right = function(schedule, t, s, eta), eta * full
                need(got is not None, "your function returns nothing; end it with `return`.")
                got = number(got)

                def near(value: float, got: float = got) -> bool:
                    return abs(got - value) <= 1e-9 * (1e-3 + abs(value))

                if eta == 0.5 and t - s > 1 and s > 0:  # where all wrong ways differ
                    need(not near(right**2), "that is the variance, sigma squared; asked is the standard deviation.")
                    need(not near(full), "eta is missing: it says how much of sigma_1 is taken.")
                    need(not near(eta**2 * full), "eta multiplies sigma; its square belongs to the variance.")
                    need(not near(eta * full**2), "the square root of 10.6 is missing.")
                    need(
                        not near(eta * schedule.beta_tilde[t].item() ** 0.5),
                        "that is the step from t to t - 1; a leap goes to s, so alpha_bar[s] stands in both places.",
                    )
                    wide = (1 - now / then) ** 0.5
                    need(not near(eta * wide), "that is the width of the jump from s to t; the witness x_0 is missing.")
                    ratio = ((1 - now) / (1 - then) * (1 - now / then)) ** 0.5
                    need(not near(eta * ratio), "the first fraction stands upside down: it is smaller than 1.")
                need(
                    near(right),
                    f"from t = {t} to s = {s} of {schedule} with eta = {eta:g} sigma should be {right:.5f}, "
                    f"but yours is {got:.5f}.",
                )


def _back_up(function) -> None:
    for schedule in SCHEDULES:
        for t, s in LEAPS:
            x0_hat, eps, _ = _pictures(t)
            x_s = gaussian.q_sample(schedule, x0_hat, _all(s), eps)
            right = gaussian.q_sample(schedule, x0_hat, _all(t), eps)
            now, then = schedule.alpha_bar[t], schedule.alpha_bar[s]
            got = _picture(function(schedule, x_s, s, t, x0_hat), "x_t", x_s)
            need(not _same(got, x_s), "that is x_s itself; it has to move up to t.")
            need(
                not _same(got, (now / then).sqrt() * x_s),
                "that is x_s made smaller, without the noise that has to come; 10.9 says where x_s goes.",
            )
            down = (x_s - (1 - then).sqrt() * eps) / then.sqrt()
            need(not _same(got, down), "that is the picture x_0_hat; it has to be mixed with its noise for time t.")
            need(not _same(got, eps), "that is the noise in x_s; mix it with the picture for time t.")
            stretched = x_s / then.sqrt() + eps * (schedule.snr[t] ** -0.5 - schedule.snr[s] ** -0.5)
            need(not _same(got, stretched), "almost: that is still stretched; multiply by sqrt(alpha_bar[t]).")
            need(
                not _same(got, now * x0_hat + (1 - now) * eps),
                "the factors of picture and noise are square roots, as in the jump 1.10.",
            )
            need(
                _same(got, right),
                f"from s = {s} up to t = {t} of {schedule} it should give {right[0, 0]:.4f}, not {got[0, 0]:.4f}.",
            )
            again = ddim_step(schedule, got, _all(t), _all(s), x0_hat, torch.zeros_like(got))
            need(_same(again, x_s), "a step of DDIM down again, with the same guess, should lead back to x_s.")


def _on_the_line(function) -> None:
    for schedule in SCHEDULES:
        half_log_snr = 0.5 * schedule.snr.log()
        for r, t, s in ((39, 30, 12), (10, 9, 8), (31, 22, 5)):
            x_t, x0_hat, earlier = _pictures(t)
            now, then = schedule.alpha_bar[t], schedule.alpha_bar[s]
            h, before = half_log_snr[s] - half_log_snr[t], half_log_snr[t] - half_log_snr[r]
            start, slope = ((1 - then) / (1 - now)).sqrt() * x_t, (x0_hat - earlier) / before
            line = (h - 1 + (-h).exp()) * slope
            right = start + then.sqrt() * ((1 - (-h).exp()) * x0_hat + line)
            got = _picture(function(schedule, x_t, t, s, x0_hat, r, earlier), "x_s", x_t)
            if t - s > 1:
                half = dpm_solver_step(schedule, x_t, _all(t), _all(s), x0_hat, (_all(r), earlier))
                need(not _same(got, half), "that is 10.14, with the value at half-time; integrate the line exactly.")
                flat = dpm_solver_step(schedule, x_t, _all(t), _all(s), x0_hat)
                need(not _same(got, flat), "that is 10.13: the slope of the line is missing.")
                need(not _same(got, flat - then.sqrt() * line), "the slope has the wrong sign: it is now minus before.")
                need(
                    not _same(got, flat + then.sqrt() * line * before),
                    "divide the difference of the two answers by h', the time between them.",
                )
                need(
                    not _same(got, flat + then.sqrt() * (h - 1 + (-h).exp()) * (x0_hat - earlier) / h),
                    "the slope is over h', the step before; you divided by h, the step to come.",
                )
                need(not _same(got, flat + line), "almost: the line's part, too, is multiplied by sqrt(alpha_bar[s]).")
            need(
                _same(got, right),
                f"from t = {t} to s = {s} of {schedule} it should give {right[0, 0]:.4f}, not {got[0, 0]:.4f}.",
            )


CHECKS = {
    "10.1": Exercise("10.6 as it stands, with alpha_bar[t] and alpha_bar[s]; all but eta under one root.", _leap_noise),
    "10.2": Exercise("which noise is in x_s, if the picture is x0_hat? Mix the same two again, for time t.", _back_up),
    "10.3": Exercise(
        "in 10.12 put x0_hat + (lambda - lambda_t) slope; the two integrals are 1 - exp(-h) and h - 1 + exp(-h), both "
        "times exp(lambda_s).",
        _on_the_line,
    ),
}
