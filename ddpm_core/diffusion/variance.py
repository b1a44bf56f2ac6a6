"""How wide a reverse step is: functions (schedule, t, x_t) -> variance, shaped (B, 1, ..., 1), or like x_t if learned.

Two are fixed, `beta` and `beta_tilde`; one is computed from the errors of a network, `analytic`; one the network puts
out beside its prediction, `split`.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from ddpm_core.diffusion.arguments import checked
from ddpm_core.diffusion.gaussian import posterior_coefficients
from ddpm_core.schedule import Schedule, at

Variance = Callable[[Schedule, Tensor, Tensor], Tensor]


@checked
def beta(schedule: Schedule, t: Tensor, like: Tensor) -> Tensor:
    """beta_t: right when the data are themselves N(0, I); the upper limit, averaged over x_t and pixels, for data of
    variance at most 1.  [Ho 2020, Section 3.2; chapter 9, Eq. 9.7]"""
    return at(schedule.beta, t, like)


@checked
def beta_tilde(schedule: Schedule, t: Tensor, like: Tensor) -> Tensor:
    """beta_tilde_t: right when the data are a single point; the lower limit for all data; 0 at t = 1.
    [Ho 2020, Section 3.2; chapter 9, Eq. 9.7]"""
    return at(schedule.beta_tilde, t, like)


@checked
def interpolated(v: Tensor) -> Variance:
    """exp(v log beta_t + (1 - v) log beta_tilde_t), v in [0, 1] from a network, shaped to broadcast with `like`.

    beta_tilde_1 = 0 has no logarithm, so at t = 1 beta_tilde_2 stands in.  [Nichol and Dhariwal 2021, Eq. 15]
    """

    def variance(schedule: Schedule, t: Tensor, like: Tensor) -> Tensor:
        log_beta = at(schedule.beta, t, like).log()
        log_beta_tilde = at(schedule.beta_tilde, t.clamp(min=min(2, schedule.T)), like).log()
        return (v * log_beta + (1 - v) * log_beta_tilde).exp()

    return variance


@checked
def analytic(x0_variance: Tensor) -> Variance:
    """beta_tilde_t + c_t^2 E[Var[x_0 | x_t]], the best single variance of a step; c_t is the mean's factor of x_0.

    x0_variance (T + 1,), what is unknown of a number of x_0 at each t of the schedule that it is used with: a network's
    mean squared error (row 0 is not used).   [Bao 2022, Theorem 1; chapter 9, Eq. 9.7; chapter 11, Eq. 11.4]
    """

    def variance(schedule: Schedule, t: Tensor, like: Tensor) -> Tensor:
        if len(x0_variance) != schedule.T + 1:
            raise ValueError(f"need a variance of x_0 for t in 0..{schedule.T}, but got {len(x0_variance)} numbers.")
        coefficient_x0, _ = posterior_coefficients(schedule, t, like)
        return at(schedule.beta_tilde, t, like) + coefficient_x0**2 * at(x0_variance, t, like)

    return variance


@checked
def between(output: Tensor) -> Variance:
    """`interpolated` with v = (output + 1) / 2: a fresh network, which puts out 0, begins in the middle. Nothing holds
    v to [0, 1].  [Nichol and Dhariwal 2021, Section 3.1; chapter 11, Eq. 11.7]"""
    return interpolated((output + 1) / 2)


@checked
def split(
    net: Callable[[Tensor, Tensor], Tensor], width: Callable[[Tensor], Variance] = between
) -> tuple[Callable[[Tensor, Tensor], Tensor], Variance]:
    """A network with 2 C channels of output as two values: one with C channels, its prediction, and its variance.

    The variance is `width` of the other C channels. One call serves both: the variance belongs to the x_t that the
    prediction was asked about last, and raises ValueError for another.
    [Nichol and Dhariwal 2021, Section 3.1; chapter 11, Eq. 11.7]
    """
    x_t = rest = None

    def prediction(x: Tensor, t: Tensor) -> Tensor:
        nonlocal x_t, rest
        output = net(x, t)
        if output.shape[1] != 2 * x.shape[1]:
            raise ValueError(
                f"need {2 * x.shape[1]} channels, mean and variance, but the network has {output.shape[1]}."
            )
        output, rest = output.chunk(2, dim=1)
        x_t = x
        return output

    def learned(schedule: Schedule, t: Tensor, like: Tensor) -> Tensor:
        if x_t is None or x_t.shape != like.shape or not torch.equal(x_t, like.to(x_t)):
            raise ValueError("need the x_t that the network was asked about last: ask for the prediction first.")
        return width(rest.to(like))(schedule, t, like)

    return prediction, learned
