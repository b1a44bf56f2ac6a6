"""Right and wrong answers to the exercises of chapter 5, and what a wrong one is told."""

import torch

from ddpm_core.diffusion import gaussian


def solved_for_x0(of_x0=None, answer=lambda mean, x_t, a, b: (mean - b * x_t) / a):
    """An answer to 5.1: another factor of x_0, or 3.7 solved in another way; a and b are its two factors."""

    def x0_from_mean(s, mean, x_t, t):
        a, b = gaussian.posterior_coefficients(s, torch.full((len(x_t),), t), like=x_t)
        return answer(mean, x_t, a if of_x0 is None else of_x0(s, t), b)

    return x0_from_mean


def mixed(answer):
    """An answer to 5.2 from v, x_t, cosine and sine."""
    return lambda s, v, x_t, t: answer(v, x_t, s.alpha_bar[t].sqrt(), (1 - s.alpha_bar[t]).sqrt())


def weight(answer):
    """An answer to 5.3 from beta_t, alpha_bar_{t-1}, alpha_bar_t."""
    return lambda s, t: answer(s.beta[t], s.alpha_bar[t - 1], s.alpha_bar[t])


def right_weight(beta, before, now):
    return before * beta / (2 * (1 - now))


RIGHT = {
    "5.1": [solved_for_x0()],
    "5.2": [mixed(lambda v, x_t, c, s: s * x_t + c * v)],
    "5.3": [weight(right_weight), lambda s, t: float(weight(right_weight)(s, t))],
    "5.4": [12.4, torch.tensor([12.41])],
}

WRONG = {
    "5.1": [
        (lambda s, mean, x_t, t: 1.0, "return x_0, shaped like x_t: a tensor of shape (2, 3), not float"),
        (lambda s, mean, x_t, t: mean[:1], "not one of shape (1, 3)"),
        (lambda s, mean, x_t, t: mean, "the mean itself"),
        (solved_for_x0(answer=lambda mean, x_t, a, b: mean - b * x_t), "a multiple of x_0"),
        (solved_for_x0(answer=lambda mean, x_t, a, b: mean / a), "before you divide"),
        (solved_for_x0(answer=lambda mean, x_t, a, b: a * (mean - b * x_t)), "where you multiply"),
        (solved_for_x0(answer=lambda mean, x_t, a, b: a * mean + b * x_t), "solve it"),
        (solved_for_x0(lambda s, t: s.alpha_bar[t].sqrt() * s.beta[t] / (1 - s.alpha_bar[t])), "of t - 1 under"),
        (solved_for_x0(lambda s, t: s.alpha_bar[t - 1]), "should give back x_0"),
    ],
    "5.2": [
        (mixed(lambda v, x_t, c, s: s * x_t - c * v), "look at the sign"),
        (mixed(lambda v, x_t, c, s: c * x_t + s * v), "changed places"),
        (mixed(lambda v, x_t, c, s: c * x_t - s * v), "which gives x_0"),
        (mixed(lambda v, x_t, c, s: c * v - s * x_t), "forwards once more"),
        (mixed(lambda v, x_t, c, s: s**2 * x_t + c**2 * v), "square roots"),
        (mixed(lambda v, x_t, c, s: (x_t - c * (c * x_t - s * v)) / s), "divides by zero"),
        (mixed(lambda v, x_t, c, s: s * x_t + 0.9 * c * v), "eps should be"),
    ],
    "5.3": [
        (lambda s, t: s.beta, "should be a number, but it is a tensor of shape (51,)"),
        (weight(lambda beta, a, b: right_weight(beta, a, b) / (1 - b)), "weight on the error of x_0"),
        (weight(lambda beta, a, b: right_weight(beta, a, b) / (1 - b).sqrt()), "the error is squared"),
        (weight(lambda beta, a, b: beta / (2 * (1 - beta) * (1 - b))), "weight on the error of eps"),
        (weight(lambda beta, a, b: 2 * right_weight(beta, a, b)), "one half"),
        (weight(lambda beta, a, b: right_weight(beta, b, b)), "alpha_bar of t - 1 above"),
        (weight(lambda beta, a, b: beta * right_weight(beta, a, b)), "takes one beta_t away"),
        (lambda s, t: 0.5 * (s.snr[t - 1] - s.snr[t]) * (1 - s.alpha_bar[t]), "beta_tilde_t; here"),
        (weight(lambda beta, a, b: right_weight(beta, a, b) + 0.1), "the weight should be"),
    ],
    "5.4": [
        (157.4, "as they were"),
        (78.7, "not half the gain"),
        (0.0063, "that is alpha_bar_T"),
        (153.75, "a root"),
        (0.9968, "the gain of v"),
        (40, "another number than 40"),
    ],
}
