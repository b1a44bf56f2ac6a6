"""The exercises of chapter 5, what the network should predict."""

from collections.abc import Iterator

import torch

from ddpm_core.book.exercises.answers import expect, farthest, noise, number, tensor, within
from ddpm_core.book.exercises.exercise import Exercise, require
from ddpm_core.diffusion.gaussian import q_sample
from ddpm_core.diffusion.loss import vlb
from ddpm_core.diffusion.prediction import EPS, MEAN, X0, V
from ddpm_core.schedule import Schedule, cosine, from_betas, linear


def _cases(special: int) -> Iterator[tuple[Schedule, int]]:
    """Schedules and times: in the middle first, where mistakes differ, then at the ends and where one may go wrong."""
    for schedule in (linear(50, 0.01, 0.2), cosine(20)):
        yield from ((schedule, t) for t in (13, 1, schedule.T, special))


def _x0_from_mean(function) -> None:
    for schedule, t in _cases(2):
        (x0, eps), times = noise(t, 2, 2, 3), torch.full((2,), t)
        x_t = q_sample(schedule, x0, times, eps)
        mean = MEAN.target(schedule, x0, x_t, times, eps)
        got = tensor(function(schedule, mean, x_t, t), "x_0, shaped like x_t", x_t)
        of_x0, of_x_t = schedule.posterior_mean_coef_x0[t], schedule.posterior_mean_coef_xt[t]
        wrong_row = schedule.alpha_bar[t].sqrt() * schedule.beta[t] / (1 - schedule.alpha_bar[t])
        left = mean - of_x_t * x_t
        mistakes = {
            "that is the mean itself; which picture x_0 does it stand for?": mean,
            "almost: what is left is a multiple of x_0, not x_0.": left,
            "take x_t's part away from the mean before you divide.": mean / of_x0,
            "divide by x_0's factor, where you multiply.": of_x0 * left,
            "that is 3.7 with the mean in x_0's place; solve it.": of_x0 * mean + of_x_t * x_t,
            "in x_0's factor 3.7 has the alpha_bar of t - 1 under the root.": left / wrong_row,
        }
        there, here = farthest(x0, got)
        otherwise = f"at t = {t} of {schedule} it should give back x_0 = {there:.4f}, not {here:.4f}."
        expect(got, x0, mistakes, otherwise)


def _eps_from_v(function) -> None:
    for schedule, t in _cases(0):
        (x0, eps), times = noise(t, 2, 2, 3), torch.full((2,), t)
        x_t = q_sample(schedule, x0, times, eps)
        v = V.target(schedule, x0, x_t, times, eps)
        cos, sin = schedule.alpha_bar[t].sqrt(), (1 - schedule.alpha_bar[t]).sqrt()
        got = tensor(function(schedule, v, x_t, t), "eps, shaped like x_t", x_t)
        require(bool(got.isfinite().all()), f"at t = {t} your function divides by zero; a rotation has no division.")
        mistakes = {
            "look at the sign: turning back is R(-phi).": sin * x_t - cos * v,
            "sine and cosine have changed places.": cos * x_t + sin * v,
            "that is Equation 5.7, which gives x_0; eps is the other row.": x0,
            "that turns forwards once more; turn back: R(-phi).": cos * v - sin * x_t,
            "almost: both factors are square roots.": sin**2 * x_t + cos**2 * v,
        }
        there, here = farthest(eps, got)
        otherwise = f"at t = {t} of {schedule} eps should be {there:.4f}, but yours is {here:.4f}."
        expect(got, eps, mistakes, otherwise)


def _weight_on_v(function) -> None:
    for schedule, t in _cases(2):
        got = number(function(schedule, t))
        right, of_x0, of_eps = (vlb(schedule, torch.tensor([t]), target)[0] for target in (V, X0, EPS))
        beta, before, now = schedule.beta[t], schedule.alpha_bar[t - 1], schedule.alpha_bar[t]
        mistakes = {
            "that is the weight on the error of x_0, 5.4; how large is v's error in x_0?": of_x0,
            "the factor of 5.9 multiplies the error, and the error is squared.": of_x0 * (1 - now).sqrt(),
            "that is the weight on the error of eps, 5.5.": of_eps,
            "the one half of 5.3 is lost.": 2 * right,
            "5.4 has the alpha_bar of t - 1 above the line, not that of t.": right * now / before,
            "sigma_t^2 = beta_t stands below the line and takes one beta_t away.": right * beta,
            "that is right for sigma_t^2 = beta_tilde_t; here it is beta_t.": right * beta / schedule.beta_tilde[t],
        }
        otherwise = f"at t = {t} of {schedule} the weight should be {right:.5f}, but yours is {got:.5f}."
        expect(got, right, mistakes, otherwise)


def _halved_betas(answer: float) -> None:
    before, after = linear(1000), from_betas(linear(1000).beta[1:] / 2)
    (was, right), left = (
        (((1 - s.alpha_bar[-1]) / s.alpha_bar[-1]).sqrt() for s in (before, after)),
        after.alpha_bar[-1],
    )
    mistakes = {
        "that is the gain of the betas as they were.": was,
        "half the betas are not half the gain: alpha_bar_T is a product of a thousand factors.": was / 2,
        "that is alpha_bar_T; 5.9 makes the gain of it.": left,
        "almost: the gain is a root.": right**2,
        "that is the gain of v; look at the first line of 5.9.": (1 - left).sqrt(),
    }
    otherwise = f"at t = 1000, with every beta halved, 5.9 gives another number than {answer:.4g}."
    expect(answer, right, mistakes, otherwise, within(0.05))


EXERCISES = {
    "5.1": Exercise(
        "3.7 says mean = (a factor) x_0 + (another) x_t; take x_t's part away, then divide by x_0's factor.",
        _x0_from_mean,
    ),
    "5.2": Exercise("undo R(phi): R(-phi) applied to (x_t, v) is (x_0, eps). You need its second row.", _eps_from_v),
    "5.3": Exercise(
        "by 5.9 an error in v is sqrt(1 - alpha_bar_t) times as large in x_0; what does 5.4 charge for that?",
        _weight_on_v,
    ),
    "5.4": Exercise(
        "guess first; then `schedule.from_betas` takes any betas, and `linear.beta[1:]` holds the paper's.",
        _halved_betas,
        read=number,
    ),
}
