"""The paper's algebra of Gaussians. Nothing here is random: noise comes in as an argument.

Shapes everywhere: x (B, ...) float, t (B,) whole numbers in 0..T, eps shaped like x and drawn from N(0, I).
"""

from torch import Tensor

from ddpm_core.diffusion.arguments import checked, together
from ddpm_core.schedule import Schedule, at


@checked
def q_step(schedule: Schedule, x_prev: Tensor, t: Tensor, eps: Tensor) -> Tensor:
    """One step of the forward chain:  x_t = sqrt(1 - beta_t) x_{t-1} + sqrt(beta_t) eps.

    x_prev is x_{t-1}; t in 1..T (t = 0 changes nothing, since beta_0 = 0).   [Ho 2020, Eq. 2; chapter 1, Eq. 1.1]
    """
    beta = at(schedule.beta, t, like=x_prev)  # (B, 1, ..., 1)
    return (1 - beta).sqrt() * x_prev + beta.sqrt() * eps


@checked
def q_sample(schedule: Schedule, x0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
    """Jump to time t:  x_t = sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) eps.

    x0 (B, ...) scaled to [-1, 1]; t (B,) in 0..T; eps ~ N(0, I), shaped like x0.  [Ho 2020, Eq. 4; chapter 1, Eq. 1.10]
    """
    alpha_bar = at(schedule.alpha_bar, t, like=x0)  # (B, 1, ..., 1)
    return alpha_bar.sqrt() * x0 + (1 - alpha_bar).sqrt() * eps


@checked
def q_posterior(schedule: Schedule, x0: Tensor, x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of q(x_{t-1} | x_t, x_0), the step back if one knew x_0; t in 1..T.   [Ho 2020, Eqs. 6 and 7]

    mean     = (sqrt(alpha_bar_{t-1}) beta_t x_0 + sqrt(alpha_t) (1 - alpha_bar_{t-1}) x_t) / (1 - alpha_bar_t)
    variance = beta_tilde_t = (1 - alpha_bar_{t-1}) / (1 - alpha_bar_t) beta_t,   shaped (B, 1, ..., 1)
    """
    coefficient_x0, coefficient_x_t = posterior_coefficients(schedule, t, like=x_t)
    return coefficient_x0 * x0 + coefficient_x_t * x_t, at(schedule.beta_tilde, t, like=x_t)


@checked
def posterior_coefficients(schedule: Schedule, t: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
    """What the posterior's mean takes of x_0 and of x_t, each shaped (B, 1, ..., 1); t in 1..T.   [Ho 2020, Eq. 7]"""
    _after_clean(t, "q(x_{t-1} | x_t, x_0)")
    return at(schedule.posterior_mean_coef_x0, t, like), at(schedule.posterior_mean_coef_xt, t, like)


@checked
def x0_from_eps(schedule: Schedule, x_t: Tensor, t: Tensor, eps: Tensor) -> Tensor:
    """x_0 = (x_t - sqrt(1 - alpha_bar_t) eps) / sqrt(alpha_bar_t).  [Ho 2020, Eq. 15; chapter 1, Eq. 1.12]"""
    alpha_bar = at(schedule.alpha_bar, t, like=x_t)
    return (x_t - (1 - alpha_bar).sqrt() * eps) / alpha_bar.sqrt()


@checked
def eps_from_x0(schedule: Schedule, x_t: Tensor, t: Tensor, x0: Tensor) -> Tensor:
    """eps = (x_t - sqrt(alpha_bar_t) x_0) / sqrt(1 - alpha_bar_t); t in 1..T.  [chapter 1, Eq. 1.13]"""
    _after_clean(t, "eps = (x_t - sqrt(alpha_bar_t) x_0) / sqrt(1 - alpha_bar_t)")
    alpha_bar = at(schedule.alpha_bar, t, like=x_t)
    return (x_t - alpha_bar.sqrt() * x0) / (1 - alpha_bar).sqrt()


@checked
def product_of_gaussians(mean1: Tensor, variance1: Tensor, mean2: Tensor, variance2: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of N(mean1, variance1) N(mean2, variance2), rescaled to a density: the precisions add.

    1 / variance = 1 / variance1 + 1 / variance2,  mean / variance = mean1 / variance1 + mean2 / variance2.
    A variance may be 0: then the other has no say. ValueError if both are, or one is negative.
    [chapter 3, Eqs. 3.4 and 3.5]
    """
    together(mean1=mean1, variance1=variance1, mean2=mean2, variance2=variance2)
    total = variance1 + variance2
    if (variance1 < 0).any() or (variance2 < 0).any() or (total == 0).any():
        least = f"{variance1.min():g} and {variance2.min():g}"
        raise ValueError(f"need variances of at least 0, not both 0, but the smallest are {least}.")
    return (variance2 * mean1 + variance1 * mean2) / total, variance1 * variance2 / total


@checked
def kl(mean1: Tensor, variance1: Tensor, mean2: Tensor, variance2: Tensor) -> Tensor:
    """KL( N(mean1, variance1) || N(mean2, variance2) ) in nats, element by element; sum over pixels for an image's.

    1/2 ( log(variance2 / variance1) + (variance1 + (mean1 - mean2)^2) / variance2 - 1 ).   [chapter 1, Eq. 1.14]
    """
    together(mean1=mean1, variance1=variance1, mean2=mean2, variance2=variance2)
    return 0.5 * ((variance2 / variance1).log() + (variance1 + (mean1 - mean2) ** 2) / variance2 - 1)


def _after_clean(t: Tensor, what: str) -> None:
    if (t < 1).any():
        raise ValueError(f"need times 1..T, but t holds {int(t.min())}: {what} does not exist at t = 0.")
