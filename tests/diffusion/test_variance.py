"""How wide a step is: the best single variance, the learned one, and what they cost in a world with known entropy."""

import math

import pytest
import torch

from ddpm_core import schedule
from ddpm_core.diffusion import elbo, mixture, variance
from ddpm_core.diffusion.noise import seeded
from ddpm_core.schedule import at

S = schedule.linear(50, 1e-3, 0.2)
EVERY = torch.arange(1, S.T + 1)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=seeded(seed), dtype=torch.float64)


def price(s, square, width, times):
    """Mean of L_{t-1} for these mean squared errors: it depends on the error's square alone, so one error stands for
    all."""
    x0 = torch.zeros(len(times), 1, dtype=torch.float64)
    return elbo.L_t(s, x0, normal(len(times), 1), times, square[times, None].sqrt(), width)


def test_a_step_costs_what_its_mean_squared_error_says():
    x0, x0_hat, x_t = normal(200, 3), normal(200, 3, seed=1), normal(200, 3, seed=2)
    t = torch.full((200,), 7)
    c, wide, tilde = S.posterior_mean_coef_x0[7], S.beta[7], S.beta_tilde[7]
    e = (x0 - x0_hat).square().mean()
    formula = 0.5 * ((wide / tilde).log() + (tilde + c**2 * e) / wide - 1)
    assert torch.allclose(elbo.L_t(S, x0, x_t, t, x0_hat).mean() / 3, formula)


def test_the_analytic_variance_is_the_cheapest_and_leaves_a_logarithm():
    square = torch.linspace(0.01, 0.6, S.T + 1, dtype=torch.float64)
    best, times = variance.analytic(square), EVERY[1:]
    found = price(S, square, best, times)
    for factor in (0.5, 0.98, 1.02, 2.0):
        off = price(S, square, lambda s, t, like, f=factor: f * best(s, t, like), times)
        assert (off > found).all()
        r = 1 / factor
        assert torch.allclose(off - found, torch.full_like(found, 0.5 * (r - 1 - math.log(r))))
    like = torch.zeros(len(times), 1, dtype=torch.float64)
    gain = 0.5 * (best(S, times, like) / at(S.beta_tilde, times, like)).log()[:, 0]
    assert torch.allclose(found, gain)


@pytest.mark.parametrize("s2", [0.09, 1.0, 4.0])
def test_in_a_gaussian_world_the_analytic_variance_is_the_true_one(s2):
    """beta_t V_{t-1} / V_t, which chapter 9 derives without a guess of x_0."""
    total = S.alpha_bar * s2 + 1 - S.alpha_bar
    unknown = s2 * (1 - S.alpha_bar) / total
    like = torch.zeros(S.T, 1, dtype=torch.float64)
    found = variance.analytic(unknown)(S, EVERY, like)[:, 0]
    assert torch.allclose(found, S.beta[1:] * total[:-1] / total[1:])


def test_the_analytic_variance_belongs_to_a_schedule():
    with pytest.raises(ValueError, match=r"t in 0\.\.50, but got 50 numbers"):
        variance.analytic(torch.ones(50))(S, EVERY, torch.zeros(50, 1))


def test_interpolation_goes_from_one_fixed_variance_to_the_other():
    like = torch.zeros(S.T, 2, dtype=torch.float64)
    ends = [variance.between(torch.full_like(like, v))(S, EVERY, like) for v in (-1.0, 1.0)]
    low, high = (width(S, EVERY, like).expand_as(like) for width in (variance.beta_tilde, variance.beta))
    assert torch.allclose(ends[1], high) and torch.allclose(ends[0][1:], low[1:])
    assert torch.allclose(ends[0][0], S.beta_tilde[2].expand(2))  # beta_tilde_1 is 0
    middle = variance.between(torch.zeros_like(like))(S, EVERY, like)
    assert torch.allclose(middle, (ends[0] * ends[1]).sqrt())


class TwoHeaded:
    """A network of four numbers for two, that counts its calls."""

    def __init__(self):
        self.calls = 0

    def __call__(self, x, t):
        self.calls += 1
        return torch.cat([2 * x, x.tanh() * t[:, None] / S.T], dim=1)


def test_mean_and_variance_come_of_one_call():
    net = TwoHeaded()
    mean, learned = variance.split(net)
    x, t = normal(5, 2).float(), torch.full((5,), 9)
    assert torch.equal(mean(x, t), 2 * x)
    wanted = variance.between((x.tanh() * 9 / S.T).double())(S, t, x.double())
    assert torch.allclose(learned(S, t, x.double()), wanted) and net.calls == 1
    with pytest.raises(ValueError, match="asked about last"):
        learned(S, t, x + 1)
    with pytest.raises(ValueError, match="asked about last"):
        variance.split(net)[1](S, t, x)


def test_a_network_without_room_for_a_variance_is_refused():
    with pytest.raises(ValueError, match="need 4 channels, mean and variance, but the network has 2"):
        variance.split(lambda x, t: x)[0](normal(5, 2), torch.full((5,), 9))


# ---- the exact world -------------------------------------------------------------------------------------------

PIXEL = mixture.isotropic([0.7, 0.3], [[-1.0], [1.0]], std=0.2)


def entropy(world, points=20_001, reach=4.0):
    """-E log p(x_0) in nats, by summation."""
    x = torch.linspace(-reach, reach, points, dtype=torch.float64)[:, None]
    log = world.log_q(S, x, torch.zeros(points, dtype=torch.long))
    return -(log.exp() * log).sum() * 2 * reach / (points - 1)


def best_bound(world, s):
    """The mean of the whole bound, in nats, with the perfect guess and the analytic variance; L_0 is a density here."""
    square = torch.cat([torch.zeros(1, dtype=torch.float64), world.mmse(s, torch.arange(1, s.T + 1), 2001, 7.0)])
    root = (world.mean.square() + world.covariance.diagonal()).sqrt()[None]  # L_T knows the square of x_0 alone
    L_T, L_0 = elbo.L_T(s, root).sum(), 0.5 * (2 * math.pi * math.e * square[1]).log()
    return L_T + price(s, square, variance.analytic(square), torch.arange(2, s.T + 1)).sum() + L_0


def test_the_bound_of_the_exact_world_comes_within_a_thousandth_of_a_bit():
    """Its gap falls as 1 / T, from above."""
    truth, gap = entropy(PIXEL), {}
    for T in (300, 3000):
        gap[T] = ((best_bound(PIXEL, schedule.cosine(T)) - truth) / math.log(2)).item()
    assert 0 < gap[3000] < 1e-3
    assert gap[300] / gap[3000] == pytest.approx(10, rel=0.05)


def test_the_entropy_of_one_gaussian_is_its_formula():
    world = mixture.isotropic([1.0], [[0.3]], std=0.4)
    assert entropy(world).item() == pytest.approx(0.5 * math.log(2 * math.pi * math.e * 0.16), abs=1e-6)
    assert best_bound(world, schedule.cosine(10)).item() == pytest.approx(entropy(world).item(), abs=2e-3)


def test_a_width_for_each_x_t_closes_the_gap_with_the_square_of_the_steps():
    """A single width closes it with the steps themselves, as above."""
    x = torch.linspace(-7, 7, 1201, dtype=torch.float64)[:, None]
    truth, gap = entropy(PIXEL), {}

    def looking(s, t, x_t):
        c = at(s.posterior_mean_coef_x0, t, x_t)
        return at(s.beta_tilde, t, x_t) + c**2 * PIXEL.posterior_variance(s, x_t, t)

    for T in (30, 300):
        s = schedule.cosine(T)
        root = (PIXEL.mean.square() + PIXEL.covariance.diagonal()).sqrt()[None]
        total = elbo.L_T(s, root).sum()
        for t in range(1, T + 1):
            now = torch.full((len(x),), t)
            share, left = PIXEL.log_q(s, x, now).exp() * 14 / 1200, PIXEL.posterior_variance(s, x, now)
            if t > 1:
                nats = elbo.L_t(s, torch.zeros_like(x), x, now, left.sqrt(), looking)
            else:
                nats = 0.5 * (2 * math.pi * math.e * left[:, 0]).log()
            total = total + (share * nats).sum()
        gap[T] = (total - truth).item()
    assert 0 < gap[300] < gap[30] / 50
