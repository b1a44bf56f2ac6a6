"""The chain in continuous time: small steps, the way back with any noise, the flow, Heun's order, the likelihood."""

import math
from itertools import pairwise

import pytest
import torch

from ddpm_core import sampler, schedule
from ddpm_core.diffusion import flow, gaussian, mixture, score, sde, timesteps
from ddpm_core.diffusion.noise import seeded

COSINE, LINEAR = schedule.cosine(1000), schedule.linear(1024)
PIXEL = mixture.isotropic([0.7, 0.3], [[-1.0], [1.0]], std=0.2)
PLANE = mixture.isotropic([0.4, 0.6], [[-1.0, 0.0], [0.5, 1.0]], std=0.3)
Z = torch.randn(50, 2, generator=seeded(0), dtype=torch.float64)


def exact(world, s):
    return lambda x, t: world.score(s, x, t)


def narrow(std):
    """One Gaussian, whose flow is known: x_0 = x_T std / sqrt(alpha_bar_T std^2 + 1 - alpha_bar_T)."""
    return mixture.isotropic([1.0], [[0.0]], std=std)


# ---- forwards --------------------------------------------------------------------------------------------------


def test_the_chains_own_time_is_the_sum_of_its_betas_but_for_their_squares():
    u = sde.clock(LINEAR)
    assert u[0] == 0 and torch.allclose(u, -(1 - LINEAR.beta).log().cumsum(0))
    assert 0 < u[-1] - LINEAR.beta.sum() < LINEAR.beta.square().sum()
    assert torch.allclose((-u).exp(), LINEAR.alpha_bar)


def test_a_step_of_the_chain_is_one_of_the_equation_but_for_beta_squared():
    x, z = PLANE.sample(50, seeded(1)), Z
    for t in (1, 100, 1000):
        beta = LINEAR.beta[t]
        chain = gaussian.q_step(LINEAR, x, torch.full((50,), t), z)
        apart = (chain - sde.forward_step(x, beta, z)).abs()
        assert (apart <= beta**2 / 6 * x.abs()).all() and apart.max() > 0
    with pytest.raises(ValueError, match="need z shaped like x"):
        sde.forward_step(x, 0.1, z[:3])


def test_every_schedule_is_the_same_process():
    """In its own time the variance of x_u given x_0 is 1 - exp(-u), whatever the betas: alpha_bar is exp(-u)."""
    for s in (COSINE, LINEAR, schedule.linear(50, 0.01, 0.3)):
        u = sde.clock(s)
        assert torch.allclose(1 - s.alpha_bar, -torch.expm1(-u))
        assert torch.allclose(sde.noise_level(s), torch.expm1(u).sqrt())


# ---- back ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("noise", [0.0, 0.5, 1.0, 1.5])
def test_with_any_noise_the_way_back_recovers_the_data(noise):
    x_T = torch.randn(20_000, 1, generator=seeded(2), dtype=torch.float64)
    way = timesteps.uniform(LINEAR, 512)
    walk = sde.euler_maruyama(exact(PIXEL, LINEAR), LINEAR, x_T, way, noise=noise, generator=seeded(3))
    x = sampler.final(walk)
    assert abs((x > 0).double().mean() - 0.3) < 0.02
    assert abs(x[x > 0].mean() - 1) < 0.02 and abs(x[x > 0].std() - 0.2) < 0.01


@pytest.mark.parametrize("noise", [0.0, 0.7, 1.0])
def test_the_way_back_is_a_leap_of_ddim_for_small_steps(noise):
    """Same mean and same noise as ddim_step with eta = noise, to first order in the step."""
    x, t = PLANE.sample(50, seeded(1)) * 0.5 + Z, torch.full((50,), 500)
    slope, x0_hat = PLANE.score(COSINE, x, t), PLANE.posterior_mean(COSINE, x, t)
    apart = []
    for back in (40, 20, 10):
        h = float(sde.clock(COSINE)[500] - sde.clock(COSINE)[500 - back])
        leap = sampler.ddim_step(COSINE, x, t, t - back, x0_hat, 0 * x, eta=noise)
        apart.append((leap - sde.backward_step(x, slope, h, 0 * x, noise)).abs().max() / h)
    assert apart[0] > 1.7 * apart[1] > 2.9 * apart[2]  # o(h)
    z = torch.ones_like(x)
    shove = sde.backward_step(x, slope, 1e-2, z, noise) - sde.backward_step(x, slope, 1e-2, 0 * z, noise)
    assert torch.allclose(shove, torch.full_like(x, noise * 0.1))


def test_a_mirrored_or_negative_way_is_refused():
    x, field = Z, exact(PLANE, LINEAR)
    with pytest.raises(ValueError, match="at least two falling times in 0"):
        next(sde.euler_maruyama(field, LINEAR, x, [0, 10]))
    with pytest.raises(ValueError, match="noise of at least 0, but got -1"):
        next(sde.euler_maruyama(field, LINEAR, x, [10, 0], noise=-1))
    with pytest.raises(ValueError, match="rising or falling times in 0"):
        next(sde.heun(sde.probability_flow(field), sde.clock(LINEAR), x, [0, 10, 5]))
    with pytest.raises(ValueError, match=r"rising times in 0\.\.1024, but got \[0, 2000\]"):
        sde.log_likelihood(field, LINEAR, x, [0, 2000])
    with pytest.raises(ValueError, match="flattened if they are images"):
        sde.log_likelihood(field, LINEAR, x[:, None], [0, 10])
    with pytest.raises(ValueError, match="need score shaped like x"):
        sde.backward_step(x, x[:3], 0.1, x)


# ---- the flow --------------------------------------------------------------------------------------------------


def flow_ends(walk, std, s, steps, x_T):
    """The error of a walk along the flow of one Gaussian at its end, where it is known."""
    right = x_T * std / (s.alpha_bar[-1] * std**2 + 1 - s.alpha_bar[-1]).sqrt()
    return (sampler.final(walk(narrow(std), steps)) - right).abs().max().item()


def test_heuns_error_falls_as_the_square_of_the_step_and_eulers_as_the_step():
    x_T, u, order = torch.linspace(-2, 2, 5, dtype=torch.float64)[:, None], sde.clock(LINEAR), {}

    def heun(world, steps):
        return sde.heun(sde.probability_flow(exact(world, LINEAR)), u, x_T, timesteps.uniform(LINEAR, steps))

    def euler(world, steps):
        return sde.euler_maruyama(exact(world, LINEAR), LINEAR, x_T, timesteps.uniform(LINEAR, steps), noise=0)

    for name, walk in (("heun", heun), ("euler", euler)):
        errors = [flow_ends(walk, 0.5, LINEAR, steps, x_T) for steps in (64, 128, 256)]
        order[name] = [math.log2(a / b) for a, b in pairwise(errors)]
    assert all(1.8 < k < 2.2 for k in order["heun"]) and all(0.85 < k < 1.15 for k in order["euler"])


def test_heun_agrees_by_every_clock():
    """The probability flow by u and the slope eps_hat by the noise level lead to the same points."""
    s, x_T = LINEAR, torch.randn(20, 2, generator=seeded(4), dtype=torch.float64)

    by_u = sde.heun(sde.probability_flow(exact(PLANE, s)), sde.clock(s), x_T, range(1024, -1, -1))
    by_level = sde.heun(
        sde.stretched_flow(PLANE.denoiser(s), s), sde.noise_level(s), x_T / s.alpha_bar[-1].sqrt(), range(1024, -1, -1)
    )
    assert (sampler.final(by_u) - sampler.final(by_level)).abs().max() < 1e-3


def test_heun_on_a_straight_path_needs_one_step():
    sigma, x0 = flow.linear_path(16), PLANE.sample(50, seeded(1))
    assert torch.allclose(sampler.final(sde.heun(lambda x, t: Z - x0, sigma, Z, [16, 0])), x0)
    assert torch.allclose(sampler.final(sde.heun(lambda x, t: Z - x0, sigma, x0, [0, 5, 16])), Z)


def test_the_last_step_to_the_picture_asks_once():
    asked = []
    walk = sde.heun(lambda x, t: asked.append(int(t[0])) or x, sde.clock(LINEAR), Z, [10, 5, 0])
    assert [t for t, _ in walk] == [10, 5, 0] and asked == [10, 5, 5]


# ---- likelihood ------------------------------------------------------------------------------------------------


def test_the_divergence_is_the_trace_of_the_slopes():
    A = torch.tensor([[1.0, 2.0], [-3.0, 0.5]], dtype=torch.float64)
    t = torch.full((50,), 300)
    assert torch.allclose(sde.divergence(lambda x, t: x @ A.T, Z, t), torch.full((50,), 1.5, dtype=torch.float64))
    got = sde.divergence(exact(PLANE, COSINE), Z, t)  # by the second formula of Tweedie's kind
    kept = COSINE.alpha_bar[300]
    known = kept * PLANE.posterior_variance(COSINE, Z, t) / (1 - kept) ** 2 - 1 / (1 - kept)
    assert torch.allclose(got, known.sum(1))


@pytest.mark.parametrize("world", [PIXEL, PLANE], ids=["pixel", "plane"])
def test_the_flows_likelihood_is_the_density_within_a_thousandth_of_a_nat(world):
    s = schedule.linear(3000, 3e-5, 0.0134)
    x = torch.cat([world.sample(20, seeded(5)), 2 * world.sample(5, seeded(6))])
    right, errors = world.log_q(s, x, torch.zeros(25, dtype=torch.long)), []
    for steps in (500, 1000):
        road = timesteps.quadratic(s, steps)[::-1]
        errors.append((sde.log_likelihood(exact(world, s), s, x, road) - right).abs().max())
    assert errors[1] < 1e-3 and errors[1] < errors[0] / 2.5


def test_the_likelihood_of_a_network_begins_at_time_1():
    denoise = PLANE.denoiser(LINEAR)
    way = range(1, 1025, 3)
    got = sde.log_likelihood(score.from_denoiser(denoise, LINEAR), LINEAR, Z[:10], way)
    assert torch.allclose(got, PLANE.log_q(LINEAR, Z[:10], torch.ones(10, dtype=torch.long)), atol=0.05)
