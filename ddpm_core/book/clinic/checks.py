"""The checks of the clinic: each takes a copy of the patient and computes one number, the gap, that should be 0.

None of them trains anything. Where a network is needed there is an oracle, which knows the answer, a fresh network, or
the exact denoiser of a world that can be solved.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

import torch
from torch import Tensor, nn

from ddpm_core.diffusion import gaussian, mixture
from ddpm_core.diffusion.noise import seeded
from ddpm_core.schedule import Schedule, at


@dataclass(frozen=True)
class Check:
    """A question to a copy of the patient.

    name     what should hold, in a few words
    gap      the copy -> how far it is from holding
    at_most  the largest gap that rounding or chance may leave
    """

    name: str
    gap: Callable[[ModuleType], float]
    at_most: float

    def passes(self, code: ModuleType) -> bool:
        """Whether the gap is small enough; nan never is."""
        return self.gap(code) <= self.at_most

    def __repr__(self) -> str:
        return self.name


# ---- What stands in for a trained network ------------------------------------------------------------------------


class Oracle(nn.Module):
    """Knows the picture: answers with the noise that x_t would hold if it came from x0, shaped like x_t."""

    def __init__(self, schedule: Schedule, x0: Tensor):
        super().__init__()
        self.schedule, self.x0 = schedule, x0

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        alpha_bar = at(self.schedule.alpha_bar, t, like=x_t)
        return (x_t - alpha_bar.sqrt() * self.x0) / (1 - alpha_bar).sqrt()


class Exact(nn.Module):
    """The perfect network of a Gaussian mixture: E[eps | x_t], for points (B, D)."""

    def __init__(self, schedule: Schedule, world: mixture.GaussianMixture):
        super().__init__()
        self.schedule, self.world = schedule, world

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        t = t.clamp(min=1)  # at t = 0 there is no noise to be expected
        return gaussian.eps_from_x0(self.schedule, x_t, t, self.world.posterior_mean(self.schedule, x_t, t))


def fresh(code: ModuleType) -> nn.Module:
    """The copy's network before any training."""
    torch.manual_seed(0)
    return code.Network().eval()


def example(code: ModuleType) -> tuple[Tensor, Tensor, Tensor]:
    """Pictures x0, a time for each and noise: one example for each t in 1..T, float64, within [-1, 1]."""
    chance = seeded(15)
    x0 = 2 * torch.rand(code.T, 1, 4, 4, generator=chance, dtype=torch.float64) - 1
    return x0, torch.arange(1, code.T + 1), torch.randn(x0.shape, generator=chance, dtype=torch.float64)


# ---- The checks --------------------------------------------------------------------------------------------------


def grey_values_come_back(code: ModuleType) -> float:
    """The largest change of one of the 256 grey values on the way to numbers and back."""
    pixels = torch.arange(256, dtype=torch.uint8)
    return _largest(code.shown(code.scaled(pixels)).double() - pixels)


def a_jump_is_many_steps(code: ModuleType) -> float:
    """noised against t steps of sqrt(1 - beta) x + sqrt(beta) eps: signals multiply, variances add up."""
    x0, t, _ = example(code)
    signal, variance, rows = 1.0, 0.0, []
    for beta in code.TABLES.beta[1:].tolist():
        signal, variance = (1 - beta) ** 0.5 * signal, (1 - beta) * variance + beta
        rows.append((signal, variance))
    ones, none, rows = torch.ones_like(x0), torch.zeros_like(x0), torch.tensor(rows, dtype=torch.float64)
    of_signal, of_noise = code.noised(ones, t, none)[:, 0, 0, 0], code.noised(none, t, ones)[:, 0, 0, 0]
    return _largest(torch.stack([of_signal, of_noise**2], dim=1) - rows)


def an_oracle_has_no_loss(code: ModuleType) -> float:
    """The loss of a network that knows x0 and hence the noise.  [chapter 15, Eq. 15.2]"""
    x0, t, eps = example(code)
    return code.squared_error(Oracle(code.TABLES, x0), x0, t, eps).item()


def an_oracle_guesses_the_picture(code: ModuleType) -> float:
    """guess, given what an oracle says at x_t, against the picture."""
    x0, t, eps = example(code)
    return _largest(code.guess(Oracle(code.TABLES, x0), code.noised(x0, t, eps), t) - x0)


def two_times_have_two_answers(code: ModuleType) -> float:
    """The share of pairs of times at which a fresh network answers the same to one x_t.  [chapter 15, Eq. 15.3]"""
    net, x = fresh(code), torch.randn(1, 1, 8, 8, generator=seeded(1)).expand(10, -1, -1, -1)
    with torch.no_grad():
        early, late = net(x, torch.arange(1, 11)), net(x, torch.arange(code.T - 9, code.T + 1))
    return (early - late).abs().amax((1, 2, 3)).le(1e-5).double().mean().item()


def equal_values_stay_equal(code: ModuleType) -> float:
    """Attention over values that are all 1, against 1: the shares of a place add up to 1.  [chapter 15, Eq. 15.1]"""
    q, k = torch.randn(2, 3, 7, 5, generator=seeded(2), dtype=torch.float64)
    return _largest(code.take(q, k, torch.ones_like(q)) - 1)


def the_average_moves(code: ModuleType) -> float:
    """update_average against decay average + (1 - decay) net."""
    average, net = (nn.Linear(3, 2) for _ in range(2))
    right = [0.9 * slow.detach() + 0.1 * fast.detach() for slow, fast in _pairs(average, net)]
    code.update_average(average, net, 0.9)
    return max(_largest(slow - to) for slow, to in zip(average.parameters(), right, strict=True))


def a_wild_guess_is_held(code: ModuleType) -> float:
    """How far guess leaves [-1, 1] if the network puts out 100 everywhere."""
    _, t, eps = example(code)
    return max(0.0, _largest(code.guess(lambda x_t, t: torch.full_like(x_t, 100.0), eps, t)) - 1)


def a_step_is_bayes_rule(code: ModuleType) -> float:
    """step_back without noise against the mean of q(x_{t-1} | x_0) q(x_t | x_{t-1}), multiplied; t in 2..T."""
    x0, t, eps = (part[1:] for part in example(code))
    x_t = gaussian.q_sample(code.TABLES, x0, t, eps)
    alpha, beta = at(code.TABLES.alpha, t, like=x_t), at(code.TABLES.beta, t, like=x_t)
    before = at(code.TABLES.alpha_bar, t - 1, like=x_t)
    right, _ = gaussian.product_of_gaussians(before.sqrt() * x0, 1 - before, x_t / alpha.sqrt(), beta / alpha)
    return _largest(code.step_back(x_t, t, x0, torch.zeros_like(x0)) - right)


def a_step_is_beta_wide(code: ModuleType) -> float:
    """The square of what z = 1 adds to a step, over beta_t, against 1."""
    x0, t, eps = example(code)
    wide = code.step_back(eps, t, x0, torch.ones_like(x0)) - code.step_back(eps, t, x0, torch.zeros_like(x0))
    return _largest(wide**2 / at(code.TABLES.beta, t, like=wide) - 1)


def one_picture_comes_back(code: ModuleType) -> float:
    """In a world of one picture an oracle is a perfect network: what is drawn, against that picture."""
    x0, _, eps = (part[:4] for part in example(code))
    return _largest(code.draw(Oracle(code.TABLES, x0), eps) - x0)


def moments_come_back(code: ModuleType) -> float:
    """Exact network in, the data's moments out: the largest error of mean and standard deviation, over the latter."""
    world = mixture.isotropic([0.4, 0.6], [[-0.5], [0.4]], 0.2)
    x_T = torch.randn(4000, 1, generator=seeded(3), dtype=torch.float64)
    x0, std = code.draw(Exact(code.TABLES, world), x_T), world.covariance.sqrt().item()
    return max(abs(x0.mean().item() - world.mean.item()), abs(x0.std().item() - std)) / std


def one_seed_is_one_picture(code: ModuleType) -> float:
    """Two drawings from one noise and one seed."""
    net, x_T = fresh(code), torch.randn(2, 1, 8, 8, generator=seeded(4))
    return _largest(code.draw(net, x_T, seed=5) - code.draw(net, x_T, seed=5))


CHECKS = [
    Check("grey values come back", grey_values_come_back, 0),
    Check("a jump is many steps", a_jump_is_many_steps, 1e-9),
    Check("an oracle has no loss", an_oracle_has_no_loss, 1e-9),
    Check("equal values stay equal", equal_values_stay_equal, 1e-9),
    Check("two times, two answers", two_times_have_two_answers, 0),
    Check("the average moves", the_average_moves, 1e-6),
    Check("an oracle guesses the picture", an_oracle_guesses_the_picture, 1e-6),
    Check("a wild guess is held", a_wild_guess_is_held, 1e-9),
    Check("a step is Bayes' rule", a_step_is_bayes_rule, 1e-9),
    Check("a step is sqrt(beta) wide", a_step_is_beta_wide, 1e-6),
    Check("one picture comes back", one_picture_comes_back, 1e-6),
    Check("moments come back", moments_come_back, 0.05),
    Check("one seed, one picture", one_seed_is_one_picture, 1e-6),
]


def examine(code: ModuleType) -> dict[str, bool]:
    """Every check on this copy: its name, and whether it passes."""
    return {check.name: check.passes(code) for check in CHECKS}


def _pairs(average: nn.Module, net: nn.Module):
    return zip(average.parameters(), net.parameters(), strict=True)


def _largest(x: Tensor) -> float:
    return x.abs().max().item()
