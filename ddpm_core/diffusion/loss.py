"""The training loss, its weight over time, and how its random times are drawn.

A weighting is a function (schedule, t, predict) -> (B,): how much the squared error of the network's own output counts
at time t. `predict.x0_scale` turns a weight on the error of x_0 into one on that output.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from ddpm_core.diffusion.arguments import checked, in_range, same_shape
from ddpm_core.diffusion.elbo import bits_per_dim, check_terminal_snr, term
from ddpm_core.diffusion.gaussian import posterior_coefficients, q_sample
from ddpm_core.diffusion.prediction import EPS, Network, Prediction
from ddpm_core.diffusion.variance import Variance, between, split
from ddpm_core.schedule import Schedule, at

Weighting = Callable[[Schedule, Tensor, Prediction], Tensor]


@checked
def uniform(schedule: Schedule, t: Tensor, predict: Prediction) -> Tensor:
    """1 for every t; with EPS this is L_simple.  [Ho 2020, Eq. 14]"""
    return torch.ones(len(t), dtype=torch.float64)


@checked
def vlb(schedule: Schedule, t: Tensor, predict: Prediction) -> Tensor:
    """The bound's weight for the fixed variance beta_t: with EPS, beta_t / (2 alpha_t (1 - alpha_bar_t)); t in 1..T.

    In terms of x_0: (the posterior mean's coefficient of x_0)^2 / (2 beta_t). At t = 1 it stands for L_0.
    [Ho 2020, Eq. 12; chapter 5, Eq. 5.5]
    """
    row = _rows(t)
    coefficient_x0, _ = posterior_coefficients(schedule, t, like=row)
    return coefficient_x0**2 / (2 * at(schedule.beta, t, row)) * predict.x0_scale(schedule, t, row) ** 2


@dataclass(frozen=True)
class min_snr:
    """min(SNR_t, gamma) on the error of x_0, so that nearly clean images do not drown the rest.

    [Hang 2023; chapter 6, Eq. 6.7]
    """

    gamma: float = 5.0

    def __call__(self, schedule: Schedule, t: Tensor, predict: Prediction) -> Tensor:
        row = _rows(t)
        return at(schedule.snr, t, row).clamp(max=self.gamma) * predict.x0_scale(schedule, t, row) ** 2


def weighting_name(weight: Weighting) -> str:
    """A weighting as results files and checkpoints name it: "uniform", "min_snr(5.0)"."""
    return f"min_snr({float(weight.gamma)})" if isinstance(weight, min_snr) else weight.__qualname__


def _rows(t: Tensor) -> Tensor:
    """One float64 number per example, for `at` to shape itself after."""
    return torch.empty(len(t), dtype=torch.float64)


@checked
def training_loss(
    net: Network, schedule: Schedule, x0: Tensor, t: Tensor, eps: Tensor,
    predict: Prediction = EPS, weight: Weighting = uniform,
) -> Tensor:  # fmt: skip
    """E[ weight_t || target - net(x_t, t) ||^2 ], a scalar: the mean over examples, pixels and channels.

    x0 (B, ...) in [-1, 1]; t (B,) in 1..T; eps ~ N(0, I), shaped like x0. With the defaults this is L_simple.
    A network with labels is passed as `partial(net, labels=labels)`. Raises ValueError for a time of 0, images that
    are not scaled (on the CPU), and an output of another shape.   [Ho 2020, Eq. 14 and Algorithm 1; chapter 0]
    """
    if not len(x0):
        raise ValueError("need at least one example in x0, but got none: there is no mean of nothing.")
    if (t < 1).any():
        raise ValueError(f"need times 1..T, where there is noise to guess, but t holds {int(t.min())}.")
    x_t = q_sample(schedule, x0, t, eps)
    if x0.ndim == 4 and x0.device.type == "cpu" and x0.abs().max() > 1.001:  # elsewhere a look would stall the queue
        raise ValueError(f"need images scaled to [-1, 1], but they run from {x0.min():g} to {x0.max():g}.")
    output = net(x_t, t.to(x_t.device))
    same_shape("x_t", x_t, "the network's output", output)
    error = predict.target(schedule, x0, x_t, t, eps) - output
    return (at(weight(schedule, t, predict), torch.arange(len(t)), like=error) * error**2).mean()


@checked
def sample_timesteps(schedule: Schedule, n: int, generator: torch.Generator) -> Tensor:
    """n times in 1..T, each uniform, but spread evenly over the batch: one from each n-th of the range, then shuffled.

    The same expectation as independent draws with less scatter.  [Kingma 2021, low-discrepancy sampler]
    """
    in_range("n", n, 1, 10**8)
    u = (torch.arange(n, dtype=torch.float64) + torch.rand(1, generator=generator, dtype=torch.float64)) / n
    t = (u * schedule.T).long().clamp(max=schedule.T - 1) + 1
    return t[torch.randperm(n, generator=generator)]


@checked
def objective(schedule: Schedule, predict: Prediction, weight: Weighting = uniform) -> Callable[..., Tensor]:
    """(net, x0, t, eps[, labels]) -> the training loss. Warns of a schedule whose x_T remembers x_0."""
    check_terminal_snr(schedule)

    def loss(net, x0, t, eps, labels=None):
        asked = net if labels is None else partial(net, labels=labels)
        return training_loss(asked, schedule, x0, t, eps, predict, weight)

    return loss


@checked
def bound(
    schedule: Schedule, predict: Prediction, width: Callable[[Tensor], Variance] = between
) -> Callable[..., Tensor]:
    """L_vlb of a network that learns its variance, too: (net, x0, t, eps[, labels]) -> bits per dimension.

    T times the mean of each example's term, without L_T, which nothing changes. `net` has 2 C channels of output, as
    for `variance.split`.   [Nichol and Dhariwal 2021, Section 3.1; chapter 11, Eq. 11.8]
    """

    def loss(net, x0, t, eps, labels=None):
        x_t = q_sample(schedule, x0, t, eps)
        output, variance = _with_variance(net, x_t, t, labels, width)
        return _bound(schedule, predict, x0, x_t, t, output, variance)

    return loss


@checked
def hybrid(
    schedule: Schedule, predict: Prediction, share: float = 1e-3, width: Callable[[Tensor], Variance] = between
) -> Callable[..., Tensor]:
    """L_simple + share L_vlb, where L_vlb moves the variance alone: the mean in it is held still.

    (net, x0, t, eps[, labels]) -> a scalar; L_simple is the mean over numbers, L_vlb in bits per dimension.
    [Nichol and Dhariwal 2021, Eq. 16; chapter 11, Eq. 11.9]
    """

    def loss(net, x0, t, eps, labels=None):
        x_t = q_sample(schedule, x0, t, eps)
        output, variance = _with_variance(net, x_t, t, labels, width)
        simple = (predict.target(schedule, x0, x_t, t, eps) - output).square().mean()
        return simple + share * _bound(schedule, predict, x0, x_t, t, output.detach(), variance)

    return loss


def _with_variance(net, x_t, t, labels, width) -> tuple[Tensor, Variance]:
    prediction, variance = split(net if labels is None else partial(net, labels=labels), width)
    return prediction(x_t, t.to(x_t.device)), variance


def _bound(schedule, predict, x0, x_t, t, output, variance) -> Tensor:
    nats = term(schedule, x0, x_t, t, predict.to_x0(schedule, output, x_t, t), variance)
    return schedule.T * bits_per_dim(nats, x0).mean()
