"""How wide a reverse step is: functions (schedule, t, like) -> variance, shaped (B, 1, ..., 1)."""

from collections.abc import Callable

from torch import Tensor

from ddpm_core.schedule import Schedule, at

Variance = Callable[[Schedule, Tensor, Tensor], Tensor]


def beta(schedule: Schedule, t: Tensor, like: Tensor) -> Tensor:
    """beta_t: right when the data are themselves N(0, I); the upper limit, averaged over x_t and pixels, for data of
    variance at most 1.  [Ho 2020, Section 3.2; chapter 9, Eq. 9.7]"""
    return at(schedule.beta, t, like)


def beta_tilde(schedule: Schedule, t: Tensor, like: Tensor) -> Tensor:
    """beta_tilde_t: right when the data are a single point; the lower limit for all data; 0 at t = 1.
    [Ho 2020, Section 3.2; chapter 9, Eq. 9.7]"""
    return at(schedule.beta_tilde, t, like)


def interpolated(v: Tensor) -> Variance:
    """exp(v log beta_t + (1 - v) log beta_tilde_t), v in [0, 1] from a network, shaped to broadcast with `like`.

    beta_tilde_1 = 0 has no logarithm, so at t = 1 beta_tilde_2 stands in.  [Nichol and Dhariwal 2021, Eq. 15]
    """

    def variance(schedule: Schedule, t: Tensor, like: Tensor) -> Tensor:
        log_beta = at(schedule.beta, t, like).log()
        log_beta_tilde = at(schedule.beta_tilde, t.clamp(min=min(2, schedule.T)), like).log()
        return (v * log_beta + (1 - v) * log_beta_tilde).exp()

    return variance
