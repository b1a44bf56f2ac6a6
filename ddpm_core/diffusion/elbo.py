"""The variational bound: what an example costs at most, -log p(x_0) <= L_T + L_{T-1} + ... + L_1 + L_0, term by term.

L_{t-1} belongs to the step from x_t to x_{t-1}. Every term is in nats, summed over an example's pixels and channels:
(B,). `bits_per_dim` makes pictures of different sizes comparable.   [Ho 2020, Eq. 5; chapter 4, Eq. 4.11]
"""

import math
import warnings

import torch
from torch import Tensor

from ddpm_core.diffusion.arguments import checked, in_range
from ddpm_core.diffusion.gaussian import kl, q_posterior, q_sample
from ddpm_core.diffusion.pixels import BIN
from ddpm_core.diffusion.prediction import Denoise
from ddpm_core.diffusion.variance import Variance, beta
from ddpm_core.schedule import Schedule, at

FORGOTTEN = 1e-3  # bits per dimension: an end of the chain that costs less is as good as noise


@checked
def L_T(schedule: Schedule, x0: Tensor) -> Tensor:
    """KL( q(x_T | x_0) || N(0, I) ): the price of pretending that x_T has forgotten x_0.

    x0 (B, ...) in [-1, 1]; returns (B,) nats.   [Ho 2020, Eq. 5; chapter 1, Eq. 1.15; chapter 4, Eq. 4.11]
    """
    return _price_of_noise(schedule, _float64(x0), torch.full((len(x0),), schedule.T))


@checked
def L_t(schedule: Schedule, x0: Tensor, x_t: Tensor, t: Tensor, x0_hat: Tensor, variance: Variance = beta) -> Tensor:
    """KL( q(x_{t-1} | x_t, x_0) || N(mu_tilde_t(x_t, x0_hat), variance_t) ), the paper's L_{t-1}; t in 2..T.

    At t = 1 the posterior is a single point and the KL infinite: there the decoder, L_0, stands in. Raises ValueError
    for such a t and for a variance that is not above 0.   [Ho 2020, Eq. 8; chapter 4, Eq. 4.12]
    """
    if (t < 2).any():
        raise ValueError(f"need times 2..T for L_{{t-1}}, but t holds {int(t.min())}: the step to x_0 is L_0.")
    true_mean, true_variance = q_posterior(schedule, x0, x_t, t)
    mean, _ = q_posterior(schedule, x0_hat, x_t, t)
    return _total(kl(true_mean, true_variance, mean, _positive(variance(schedule, t, x_t))))


@checked
def L_0(schedule: Schedule, x0: Tensor, x_1: Tensor, x0_hat: Tensor, variance: Variance = beta) -> Tensor:
    """-log p(x_0 | x_1): a Gaussian around x0_hat, cut into 256 bins, the two at the ends reaching to infinity.

    x0 (B, ...) must lie on the grid of the grey values 0..255, scaled to [-1, 1]; anything else has no bin and raises
    ValueError, as does a variance that is not above 0.   [Ho 2020, Eq. 13; chapter 4, Eq. 4.15]
    """
    x0 = _on_the_grid(x0).to(x_1)
    t = torch.ones(len(x0), dtype=torch.long)
    mean, _ = q_posterior(schedule, x0_hat, x_1, t)
    std = _positive(variance(schedule, t, x_1)).sqrt()
    below = torch.where(x0 < -1 + BIN / 2, -torch.inf, (x0 - BIN / 2 - mean) / std)
    above = torch.where(x0 > 1 - BIN / 2, torch.inf, (x0 + BIN / 2 - mean) / std)
    return -_total(_log_mass(below, above))


@checked
def term(schedule: Schedule, x0: Tensor, x_t: Tensor, t: Tensor, x0_hat: Tensor, variance: Variance = beta) -> Tensor:
    """The term of each example's own time, (B,): L_0 where t = 1, and L_{t-1} elsewhere.

    T times its mean over uniform t in 1..T estimates the bound without L_T.   [Ho 2020, Eq. 5; chapter 11, Eq. 11.8]
    """
    widths, nats = variance(schedule, t, x_t).expand_as(x_t), x_t.new_zeros(len(x_t))
    end = t == 1
    nats[end] = L_0(schedule, x0[end], x_t[end], x0_hat[end], lambda schedule, t, like: widths[end])
    nats[~end] = L_t(schedule, x0[~end], x_t[~end], t[~end], x0_hat[~end], lambda schedule, t, like: widths[~end])
    return nats


@checked
@torch.no_grad()
def vlb_terms(
    denoise: Denoise, schedule: Schedule, x0: Tensor, generator: torch.Generator, variance: Variance = beta
) -> Tensor:
    """Every term for every example, (T + 1, B) nats: row t is the step from x_t to x_{t-1}, row 1 is L_0, row 0 is L_T.

    One draw of x_t for each t, so that the sum over the rows is an unbiased estimate of the bound. x0 (B, ...) as for
    `L_0`; the algebra runs in float64, the network in the dtype of x0.   [Ho 2020, Eq. 5; chapter 4, Eq. 4.11]
    """
    check_terminal_snr(schedule)
    clean = _on_the_grid(x0)
    rows = [L_T(schedule, x0)]
    for t in range(1, schedule.T + 1):
        times, x_t, x0_hat = _asked(denoise, schedule, x0, t, generator)
        if t == 1:
            rows.append(L_0(schedule, clean, x_t, x0_hat, variance))
        else:
            rows.append(L_t(schedule, clean, x_t, times, x0_hat, variance))
    return torch.stack(rows)


@checked
@torch.no_grad()
def continuous_time_vlb(
    denoise: Denoise, schedule: Schedule, x0: Tensor, generator: torch.Generator,
    log_snr: tuple[float, float] = (-9.0, 6.4), levels: int = 17,
) -> Tensor:  # fmt: skip
    """An estimate of the bound of infinitely many steps, (B,) nats; it compares across schedules:

    price of noise at the low end + 1/2 integral of SNR ||x_0 - x0_hat||^2 d ln SNR + price of the grey values at the
    high end.   The integral is taken by the trapezoid rule at `levels` values of ln SNR, from the first to the second
    of `log_snr`, each at the time of the schedule that is nearest to it, with one draw of x_t.
    [Kingma 2021, Eqs. 15 and 18; chapter 4, Eq. 4.18]
    """
    if len(log_snr) != 2 or not len(x0):
        raise ValueError(f"need log_snr as two numbers and x0 of some examples, but got {log_snr} and {len(x0)}.")
    in_range("levels", levels, 2, 10**6)
    low, high = log_snr
    log = schedule.snr.log()
    if not log[-1] - 0.5 <= low < high <= log[1] + 0.5:
        raise ValueError(
            f"need ln SNR between {log[-1]:.2f} and {log[1]:.2f}, where this schedule has times, but got {log_snr}."
        )
    clean = _on_the_grid(x0)
    wanted = torch.linspace(low, high, levels, dtype=torch.float64)
    times = torch.unique((log[1:, None] - wanted).abs().argmin(0) + 1).tolist()  # rising, so that ln SNR falls
    errors = []
    for t in times:
        _, x_t, x0_hat = _asked(denoise, schedule, x0, t, generator)
        if t == times[0]:
            grey_values = _price_of_grey_values(schedule, clean, x_t, t)
        errors.append(_total((clean - x0_hat) ** 2))
    snr, log = (table[times].to(clean.device) for table in (schedule.snr, log))
    integral = -0.5 * torch.trapezoid(snr[:, None] * torch.stack(errors), log, dim=0)
    return _price_of_noise(schedule, clean, torch.full((len(x0),), times[-1])) + integral + grey_values


@checked
def rate(terms: Tensor) -> Tensor:
    """What has been sent once x_t is known, L_T + L_{T-1} + ... + L_t, row t of (T + 1, B); row 0 is the whole bound.

    terms as `vlb_terms` returns them, in nats or bits.   [Ho 2020, Section 4.3; chapter 11, Eq. 11.1]
    """
    if len(terms) < 2:
        raise ValueError(f"need terms (T + 1, B), as vlb_terms gives them, but got {tuple(terms.shape)}.")
    steps = terms[1:].flip(0).cumsum(0).flip(0)  # row t - 1: the steps from T down to that from x_t
    return terms[0] + torch.cat([steps, torch.zeros_like(terms[:1])])


@checked
def distortion(x0: Tensor, x0_hat: Tensor) -> Tensor:
    """Root mean squared error of the receiver's picture in grey values, (B,).   [Ho 2020; chapter 11, Eq. 11.2]"""
    return (x0_hat - x0).square().flatten(1).mean(1).sqrt() / BIN


@checked
def bits_per_dim(nats: Tensor, x0: Tensor) -> Tensor:
    """Nats of an example -> bits for each of its numbers: nats / (ln 2 C H W).   [chapter 4, Eq. 4.16]"""
    return nats / math.log(2) / x0.shape[1:].numel()


def check_terminal_snr(schedule: Schedule) -> None:
    """Warn if x_T still shows the picture while sampling starts from N(0, I): L_T is what that costs.  [chapter 2]"""
    alpha_bar, pixel = schedule.alpha_bar[-1], torch.ones(1, 1)  # as large as one of unit variance is on average
    bits = bits_per_dim(L_T(schedule, pixel), pixel).item()
    if bits > FORGOTTEN:
        warnings.warn(
            f"need an alpha_bar_T near 0, but it is {alpha_bar:.3g}: x_T keeps {alpha_bar.sqrt():.0%} of the amplitude "
            f"and starting from pure noise costs L_T = {bits:.2g} bits per dimension; use more steps or larger betas.",
            stacklevel=4,
        )


def _asked(
    denoise: Denoise, schedule: Schedule, x0: Tensor, t: int, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """One draw of x_t, and what the network makes of it: times (B,), x_t and x0_hat in float64."""
    times = torch.full((len(x0),), t)
    clean = _float64(x0)
    eps = torch.randn(x0.shape, generator=generator, dtype=x0.dtype, device=generator.device)
    x_t = q_sample(schedule, clean, times, _float64(eps).to(clean.device))
    return times, x_t, _float64(denoise(x_t.to(x0.dtype).to(x0.device), times))


def _price_of_noise(schedule: Schedule, x0: Tensor, t: Tensor) -> Tensor:
    """KL( q(x_t | x_0) || N(0, I) ), (B,)."""
    alpha_bar = at(schedule.alpha_bar, t, like=x0)
    return _total(kl(alpha_bar.sqrt() * x0, 1 - alpha_bar, torch.zeros_like(x0), torch.ones_like(x0)))


def _price_of_grey_values(schedule: Schedule, x0: Tensor, x_t: Tensor, t: int) -> Tensor:
    """-log p(x_0 | x_t), (B,), for the decoder p(x_0 | x_t) ~ q(x_t | x_0) over the 256 grey values.  [Kingma 2021]"""
    grey = torch.linspace(-1, 1, 256, dtype=x0.dtype, device=x0.device)
    half_snr, seen = 0.5 * schedule.snr[t], x_t / schedule.alpha_bar[t].sqrt()
    # one example at a time, since each takes 256 times its size
    every = [(-half_snr * (example[..., None] - grey) ** 2).logsumexp(-1).sum() for example in seen]
    return torch.stack(every) + half_snr * _total((seen - x0) ** 2)


def _on_the_grid(x0: Tensor) -> Tensor:
    """x0 in float64, moved to the very grey values that it stands for."""
    grey = (_float64(x0) + 1) / BIN
    if not ((grey - grey.round()).abs() < 1e-2).all() or not (x0.abs() <= 1 + 1e-6).all():
        raise ValueError(
            f"need pixels on the grid of 256 grey values in [-1, 1], as ddpm_core.data.to_float makes them, "
            f"but they run from {x0.min():g} to {x0.max():g} and lie up to {(grey - grey.round()).abs().max():.2g} "
            "of a grey value beside it."
        )
    return -1 + grey.round() * BIN


def _float64(x: Tensor) -> Tensor:
    """x in float64, where it is or, as Apple's GPUs have none, on the CPU."""
    return (x.cpu() if x.device.type == "mps" else x).double()


def _log_mass(below: Tensor, above: Tensor) -> Tensor:
    """log( Phi(above) - Phi(below) ) without losing digits: mirrored to the left tail, where Phi is small."""
    flip = below + above > 0
    low, high = torch.where(flip, -above, below), torch.where(flip, -below, above)
    upper, lower = torch.special.log_ndtr(high), torch.special.log_ndtr(low)
    return upper + torch.log1p(-torch.exp(lower - upper))


def _positive(variance: Tensor) -> Tensor:
    if not (variance > 0).all():
        raise ValueError(
            f"need a variance above 0, whose logarithm the bound takes, but it is {variance.min():g}: "
            "beta_tilde_1 is 0; use beta, or interpolated(v)."
        )
    return variance


def _total(x: Tensor) -> Tensor:
    return x.flatten(1).sum(1)
