"""The exercises of chapter 5, what the network should predict."""

import torch
from torch import Tensor

from .. import gaussian
from ..predict import EPS, MEAN, X0, V
from ..schedule import Schedule, cosine, linear
from ..verdict import Exercise, need
from ..weighting import vlb

SCHEDULES = linear(50, 0.01, 0.2), cosine(20)


def _pictures(schedule: Schedule, t: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """x_0, eps, x_t and the times of two small pictures."""
    generator, times = torch.Generator().manual_seed(t), torch.full((2,), t)
    x0, eps = (torch.randn(2, 3, generator=generator, dtype=torch.float64) for _ in range(2))
    return x0, eps, gaussian.q_sample(schedule, x0, times, eps), times


def _picture(got: object, what: str, x_t: Tensor) -> Tensor:
    need(got is not None, "your function returns nothing; end it with `return`.")
    need(torch.is_tensor(got), f"your function should return {what}, a tensor shaped like x_t.")
    need(got.shape == x_t.shape, f"{what} should be shaped like x_t, {tuple(x_t.shape)}, but it is {tuple(got.shape)}.")
    return got.to(x_t.dtype)


def _same(a: Tensor, b: Tensor) -> bool:
    return torch.allclose(a, b, rtol=1e-7, atol=1e-9)


def _x0_from_mean(function) -> None:
    for schedule in SCHEDULES:
        for t in (2, 13, schedule.T, 1):
            x0, eps, x_t, times = _pictures(schedule, t)
            mean = MEAN.target(schedule, x0, x_t, times, eps)
            of_x0, of_x_t = gaussian.posterior_coefficients(schedule, times, like=x_t)
            got = _picture(function(schedule, mean, x_t, t), "x_0", x_t)
            if t > 1:  # at t = 1 the mean is the picture, and wrong ways lead there too
                need(not _same(got, mean), "that is the mean itself; which picture x_0 does it stand for?")
                need(not _same(got, mean - of_x_t * x_t), "almost: what is left is a multiple of x_0, not x_0.")
                need(not _same(got, mean / of_x0), "take x_t's part away from the mean before you divide.")
                need(not _same(got, of_x0 * (mean - of_x_t * x_t)), "divide by x_0's factor, where you multiply.")
                need(not _same(got, of_x0 * mean + of_x_t * x_t), "that is 3.7 with the mean in x_0's place; solve it.")
                now = schedule.alpha_bar[t].sqrt() * schedule.beta[t] / (1 - schedule.alpha_bar[t])
                wrong_row = (mean - of_x_t * x_t) / now
                need(not _same(got, wrong_row), "in x_0's factor 3.7 has the alpha_bar of t - 1 under the root.")
            need(
                _same(got, x0),
                f"at t = {t} of {schedule} it should give back x_0 = {x0[0, 0]:.4f}, not {got[0, 0]:.4f}.",
            )


def _eps_from_v(function) -> None:
    for schedule in SCHEDULES:
        for t in (13, 1, schedule.T, 0):
            x0, eps, x_t, times = _pictures(schedule, t)
            v = V.target(schedule, x0, x_t, times, eps)
            signal, noise = schedule.alpha_bar[t].sqrt(), (1 - schedule.alpha_bar[t]).sqrt()
            got = _picture(function(schedule, v, x_t, t), "eps", x_t)
            if t == 13:  # in the middle all wrong ways differ
                need(not _same(got, noise * x_t - signal * v), "look at the sign: turning back is R(-phi).")
                need(not _same(got, signal * x_t + noise * v), "sine and cosine have changed places.")
                need(not _same(got, x0), "that is Equation 5.7, which gives x_0; eps is the other row.")
                need(not _same(got, signal * v - noise * x_t), "that turns forwards once more; turn back: R(-phi).")
                squares = (1 - schedule.alpha_bar[t]) * x_t + schedule.alpha_bar[t] * v
                need(not _same(got, squares), "almost: both factors are square roots.")
            need(bool(got.isfinite().all()), f"at t = {t} your function divides by zero; a rotation has no division.")
            need(
                _same(got, eps),
                f"at t = {t} of {schedule} eps should be {eps[0, 0]:.4f}, but yours is {got[0, 0]:.4f}.",
            )


def _weight_on_v(function) -> None:
    for schedule in SCHEDULES:
        for t in (13, 2, schedule.T, 1):
            times = torch.tensor([t])
            right, of_x0, of_eps = (vlb(schedule, times, asked).item() for asked in (V, X0, EPS))
            beta, before, now = (x.item() for x in (schedule.beta[t], schedule.alpha_bar[t - 1], schedule.alpha_bar[t]))
            got = function(schedule, t)
            need(got is not None, "your function returns nothing; end it with `return`.")
            got = torch.as_tensor(got, dtype=torch.float64)
            need(got.numel() == 1, f"the weight at one time is one number, but yours are {got.numel()}.")
            got = got.item()

            def near(value: float, got: float = got) -> bool:
                return abs(got - value) <= 1e-9 * abs(value)

            if t == 13:
                need(not near(of_x0), "that is the weight on the error of x_0, 5.4; how large is v's error in x_0?")
                need(not near(of_x0 * (1 - now) ** 0.5), "the gain multiplies the error, and the error is squared.")
                need(not near(of_eps), "that is the weight on the error of eps, 5.5.")
                need(not near(2 * right), "the one half of 5.3 is lost.")
                need(not near(right * now / before), "5.4 has the alpha_bar of t - 1 above the line, not that of t.")
                need(not near(right * beta), "sigma_t^2 = beta_t stands below the line and takes one beta_t away.")
                tilde = right * beta / schedule.beta_tilde[t].item()
                need(not near(tilde), "that is right for sigma_t^2 = beta_tilde_t; here it is beta_t.")
            need(near(right), f"at t = {t} of {schedule} the weight should be {right:.5f}, but yours is {got:.5f}.")


CHECKS = {
    "5.1": Exercise(
        "3.7 says mean = (a factor) x_0 + (another) x_t; take x_t's part away, then divide by x_0's factor.",
        _x0_from_mean,
    ),
    "5.2": Exercise("undo R(phi): R(-phi) applied to (x_t, v) is (x_0, eps). You need its second row.", _eps_from_v),
    "5.3": Exercise(
        "by 5.9 an error in v is sqrt(1 - alpha_bar_t) times as large in x_0; what does 5.4 charge for that?",
        _weight_on_v,
    ),
}
