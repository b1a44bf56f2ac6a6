"""The derivation of the bound, line by line, in a world so small that every line can be evaluated.

One pixel, T = 3 steps: x_1, x_2, x_3 on a grid of N points each make a cube, and an expectation over the forward
process is a weighted sum over the cube. (On smooth functions that die out at both ends, such a sum is right to ten
decimals once the grid is fine enough.) Each function below is one line of chapter 4, in nats.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ddpm_core.diffusion import elbo
from ddpm_core.diffusion.gaussian import q_posterior
from ddpm_core.diffusion.mixture import GaussianMixture
from ddpm_core.diffusion.variance import Variance, beta
from ddpm_core.schedule import Schedule


@dataclass(frozen=True, eq=False)
class World:
    """Logarithms of all densities for one fixed x_0, shaped to broadcast over the cube (x_1, x_2, x_3).

    log_q[t]          q(x_t | x_{t-1}), t = 1..3, and q(x_1 | x_0) for t = 1
    log_q_jump[t]     q(x_t | x_0)
    log_q_back[t]     q(x_{t-1} | x_t, x_0), t = 2, 3
    log_p[t]          p(x_{t-1} | x_t), t = 1..3: the model;   log_p_end: p(x_3)
    """

    x0: float
    grid: Tensor
    schedule: Schedule
    data: GaussianMixture
    variance: Variance
    log_q: dict[int, Tensor]
    log_q_jump: dict[int, Tensor]
    log_q_back: dict[int, Tensor]
    log_p: dict[int, Tensor]
    log_p_end: Tensor

    @property
    def cell(self) -> float:
        """Width of a cell of the grid."""
        return (self.grid[1] - self.grid[0]).item()

    def expect(self, f: Tensor) -> Tensor:
        """E_q[f] over q(x_1, x_2, x_3 | x_0), f broadcasting over the cube."""
        log_q = self.log_q[1] + self.log_q[2] + self.log_q[3]
        return (log_q.exp() * f).sum() * self.cell**3


def world(
    data: GaussianMixture, schedule: Schedule, x0: float, points: int = 161, reach: float = 8.0, variance=beta
) -> World:
    """The cube for a 1-D mixture, a schedule of T = 3 steps and one x_0; the model has the best mean there is:

    p(x_{t-1} | x_t) = N(mu_tilde_t(x_t, E[x_0 | x_t]), variance_t), with the mixture's exact E[x_0 | x_t].
    """
    if schedule.T != 3 or data.means.shape[1] != 1:
        raise ValueError(
            f"need a schedule of 3 steps and a mixture in one dimension, "
            f"but T is {schedule.T} and the mixture has {data.means.shape[1]}."
        )
    grid = torch.linspace(-reach, reach, points, dtype=torch.float64)
    beta, alpha_bar = schedule.beta, schedule.alpha_bar
    x = {1: grid[:, None, None], 2: grid[None, :, None], 3: grid[None, None, :]}  # the cube's three axes
    log_q = {1: log_normal(x[1], schedule.alpha[1].sqrt() * x0, beta[1])}
    log_q |= {t: log_normal(x[t], schedule.alpha[t].sqrt() * x[t - 1], beta[t]) for t in (2, 3)}
    jump = {t: log_normal(x[t], alpha_bar[t].sqrt() * x0, 1 - alpha_bar[t]) for t in (1, 2, 3)}
    back, log_p = {}, {}
    for t in (1, 2, 3):
        mean, width = _model(data, schedule, grid, t, variance)
        log_p[t] = log_normal(x[t - 1] if t > 1 else torch.tensor(x0, dtype=torch.float64), _along(mean, t), width)
        if t > 1:
            rows = grid[:, None]
            mean, width = q_posterior(schedule, torch.full_like(rows, x0), rows, torch.full((points,), t))
            back[t] = log_normal(x[t - 1], _along(mean, t), width[0, 0])
    zero, one = torch.zeros(1, dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    return World(x0, grid, schedule, data, variance, log_q, jump, back, log_p, log_normal(x[3], zero, one))


# ---- the lines -------------------------------------------------------------------------------------------------


def negative_log_likelihood(w: World) -> Tensor:
    """-log p(x_0), p(x_0, x_1, x_2, x_3) integrated over the latents.
    [chapter 4, Eq. 4.3]"""
    joint = (w.log_p_end + w.log_p[3] + w.log_p[2] + w.log_p[1]).exp()
    return -joint.sum().log() - 3 * math.log(w.cell)


def importance(w: World) -> Tensor:
    """-log E_q[ p(x_{0:T}) / q(x_{1:T} | x_0) ].  [chapter 4, Eq. 4.4]"""
    return -w.expect((_log_joint_p(w) - _log_joint_q(w)).exp()).log()


def jensen(w: World) -> Tensor:
    """L = E_q[-log p(x_{0:T}) / q(x_{1:T} | x_0)], never below 4.4.
    [Ho 2020, Eq. 3; chapter 4, Eq. 4.5]"""
    return w.expect(_log_joint_q(w) - _log_joint_p(w))


def products(w: World) -> Tensor:
    """E_q[ -log p(x_T) - sum_{t>=1} log p(x_{t-1}|x_t) / q(x_t|x_{t-1}) ].
    [Ho 2020, Eq. 18; chapter 4, Eq. 4.6]"""
    steps = sum(w.log_p[t] - w.log_q[t] for t in (1, 2, 3))
    return w.expect(-w.log_p_end - steps)


def first_step_apart(w: World) -> Tensor:
    """The sum from t = 2 on, and t = 1 for itself.
    [Ho 2020, Eq. 19; chapter 4, Eq. 4.7]"""
    steps = sum(w.log_p[t] - w.log_q[t] for t in (2, 3))
    return w.expect(-w.log_p_end - steps - (w.log_p[1] - w.log_q[1]))


def bayes(w: World) -> Tensor:
    """q(x_t|x_{t-1}) = q(x_{t-1}|x_t,x_0) q(x_t|x_0) / q(x_{t-1}|x_0).
    [Ho 2020, Eq. 20; chapter 4, Eq. 4.8]"""
    jumps = {t: w.log_q_jump[t] - w.log_q_jump[t - 1] for t in (2, 3)}
    steps = sum(w.log_p[t] - w.log_q_back[t] - jumps[t] for t in (2, 3))
    return w.expect(-w.log_p_end - steps - (w.log_p[1] - w.log_q[1]))


def telescoped(w: World) -> Tensor:
    """The jumps cancel; log q(x_T|x_0) - log q(x_1|x_0) remains.
    [chapter 4, Eq. 4.9]"""
    steps = sum(w.log_p[t] - w.log_q_back[t] for t in (2, 3))
    remains = w.log_q_jump[3] - w.log_q_jump[1]
    first = w.log_p[1] - w.log_q_jump[1]
    return w.expect(-w.log_p_end - steps + remains - first)


def collected(w: World) -> Tensor:
    """E_q of -log p(x_T) / q(x_T|x_0), of the steps, of -log p(x_0|x_1).

    A step is -log p(x_{t-1}|x_t) / q(x_{t-1}|x_t,x_0), for t > 1.
    [Ho 2020, Eq. 21; chapter 4, Eq. 4.10]"""
    steps = sum(w.log_p[t] - w.log_q_back[t] for t in (2, 3))
    end = w.log_p_end - w.log_q_jump[3]
    return w.expect(-end - steps - w.log_p[1])


def three_terms(w: World) -> Tensor:
    """L_T + sum_{t>1} L_{t-1} + L_0, each KL by its formula.
    [Ho 2020, Eq. 5; chapter 4, Eq. 4.11]"""
    x0 = torch.tensor([w.x0], dtype=torch.float64)
    return bound_at(w, x0).sum(0)[0]


# ---- the gaps --------------------------------------------------------------------------------------------------


def gap(w: World) -> Tensor:
    """KL( q(x_{1:T}|x_0) || p(x_{1:T}|x_0) ): what Jensen's inequality gives away.   [chapter 4, Eq. 4.13]

    Both chains are Markov, so it is a sum over steps of E_q[ log q(x_t|x_{t-1}) - log p(x_t|x_{t-1}) ], where the
    model's own way from x_{t-1} to x_t is p(x_{t-1}|x_t) p(x_t) / p(x_{t-1}), with its marginals by summation.
    """
    marginal = {3: w.log_p_end}
    for t in (3, 2, 1):
        joint = w.log_p[t] + marginal[t]
        marginal[t - 1] = joint.logsumexp(t - 1, keepdim=True) + math.log(w.cell)
    return w.expect(sum(w.log_q[t] - (w.log_p[t] + marginal[t] - marginal[t - 1]) for t in (1, 2, 3)))


def bound_at(w: World, x0: Tensor) -> Tensor:
    """The terms of the bound for each of x0 (B,): rows L_T, L_{t-1} for t = 3, 2, and L_0, in nats.

    L_0 is that of a pixel of any value, -log of a density and not of a bin.   [chapter 4, Eqs. 4.11 and 4.12]
    """
    rows = [elbo.L_T(w.schedule, x0[:, None])]
    for t in (3, 2):
        alpha_bar = w.schedule.alpha_bar[t]
        q = log_normal(w.grid, alpha_bar.sqrt() * x0[:, None], 1 - alpha_bar).exp() * w.cell  # (B, N)
        x_t, clean = w.grid.repeat(len(x0))[:, None], x0.repeat_interleave(len(w.grid))[:, None]
        times = torch.full((len(x_t),), t)
        x0_hat = w.data.posterior_mean(w.schedule, x_t, times)
        rows.append((q * elbo.L_t(w.schedule, clean, x_t, times, x0_hat, w.variance).reshape(q.shape)).sum(1))
    q = log_normal(w.grid, w.schedule.alpha[1].sqrt() * x0[:, None], w.schedule.beta[1]).exp() * w.cell
    mean, width = _model(w.data, w.schedule, w.grid, 1, w.variance)
    rows.append(-(q * log_normal(x0[:, None], mean, width)).sum(1))
    return torch.stack(rows)


def averaged(w: World, f: Callable[[Tensor], Tensor]) -> Tensor:
    """E[ f(x_0) ] over the data, f from (N,) to (N,)."""
    return (_log_data(w, 0).exp() * f(w.grid)).sum() * w.cell


def entropy(w: World) -> Tensor:
    """H = E[ -log q(x_0) ] of the data: no model's average -log p(x_0) is below it.   [chapter 4, Eq. 4.14]"""
    return averaged(w, lambda x0: -_log_data(w, 0))


def gap_to_true_reverse(w: World) -> Tensor:
    """KL( q(x_T) || p(x_T) ) + sum_t E[ KL( q(x_{t-1}|x_t) || p(x_{t-1}|x_t) ) ], t = 1..3.

    What the averaged bound lies above the entropy of the data: the distance of the model to the true way back, whose
    steps q(x_{t-1}|x_t) = q(x_t|x_{t-1}) q(x_{t-1}) / q(x_t) are no Gaussians.   [Ho 2020, Eq. 16; chapter 4, Eq. 4.14]
    """
    end = _log_data(w, 3)
    total = (end.exp() * (end - log_normal(w.grid, 0.0, torch.ones(1, dtype=torch.float64)))).sum() * w.cell
    for t in (1, 2, 3):
        before, now = w.grid[:, None], w.grid[None, :]  # x_{t-1}, x_t
        forward = log_normal(now, w.schedule.alpha[t].sqrt() * before, w.schedule.beta[t])
        joint = forward + _log_data(w, t - 1)[:, None]
        mean, width = _model(w.data, w.schedule, w.grid, t, w.variance)
        true = joint - _log_data(w, t)[None, :]
        total = total + (joint.exp() * (true - log_normal(before, mean[None, :], width))).sum() * w.cell**2
    return total


# ---- small parts -----------------------------------------------------------------------------------------------


def log_normal(x: Tensor, mean: Tensor | float, variance: Tensor) -> Tensor:
    """log N(x; mean, variance), broadcasting."""
    return -0.5 * ((x - mean) ** 2 / variance + (2 * math.pi * variance).log())


def _log_joint_q(w: World) -> Tensor:
    return w.log_q[1] + w.log_q[2] + w.log_q[3]


def _log_joint_p(w: World) -> Tensor:
    return w.log_p_end + w.log_p[3] + w.log_p[2] + w.log_p[1]


def _log_data(w: World, t: int) -> Tensor:
    """log q(x_t) of the data on the grid, (N,)."""
    return w.data.log_q(w.schedule, w.grid[:, None], torch.full((len(w.grid),), t))


def _model(data: GaussianMixture, schedule: Schedule, grid: Tensor, t: int, variance: Variance):
    """Mean (N,) and variance of p(x_{t-1} | x_t) for x_t on the grid."""
    rows, times = grid[:, None], torch.full((len(grid),), t)
    mean, _ = q_posterior(schedule, data.posterior_mean(schedule, rows, times), rows, times)
    return mean[:, 0], variance(schedule, times, rows)[0, 0]


def _along(row: Tensor, t: int) -> Tensor:
    """A row over x_t, (N, 1) or (N,), laid along axis t of the cube."""
    return row.flatten()[(None,) * (t - 1) + (slice(None),) + (None,) * (3 - t)]
