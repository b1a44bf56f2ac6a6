"""The derivation of the bound: each line equals the one above it, in worlds that were not made to please it."""

import pytest
import torch

from ddpm_core import schedule
from ddpm_core.book import elbo_derivation
from ddpm_core.diffusion import gaussian, mixture, variance

STEEP, EVEN = schedule.from_betas([0.2, 0.4, 0.6]), schedule.from_betas([0.4, 0.4, 0.4])
TWO_MODES = mixture.isotropic([0.3, 0.7], [[-1.0], [0.8]], 0.35)
THREE_MODES = mixture.isotropic([0.2, 0.5, 0.3], [[-1.5], [0.1], [1.0]], 0.3)
CLIPPED = variance.interpolated(torch.full((), 0.3, dtype=torch.float64))

LINES = [
    elbo_derivation.negative_log_likelihood,
    elbo_derivation.importance,
    elbo_derivation.jensen,
    elbo_derivation.products,
    elbo_derivation.first_step_apart,
    elbo_derivation.bayes,
    elbo_derivation.telescoped,
    elbo_derivation.collected,
    elbo_derivation.three_terms,
]


@pytest.fixture(
    scope="module",
    params=[(TWO_MODES, STEEP, 0.3, variance.beta), (THREE_MODES, EVEN, -1.2, CLIPPED)],
    ids=["two modes", "three modes"],
)
def world(request):
    data, s, x0, width = request.param
    return elbo_derivation.world(data, s, x0, variance=width)


@pytest.fixture(scope="module")
def values(world):
    return {line: line(world).item() for line in LINES}


@pytest.mark.parametrize("k", range(1, len(LINES)))
def test_each_line_equals_the_one_above_but_jensens(values, k):
    above, here = values[LINES[k - 1]], values[LINES[k]]
    if LINES[k] is elbo_derivation.jensen:
        assert here > above + 1e-3
    else:
        assert abs(here - above) < 1e-10


def test_the_gap_is_the_divergence_of_the_latents(world, values):
    assert (
        abs(values[elbo_derivation.jensen] - values[elbo_derivation.importance] - elbo_derivation.gap(world).item())
        < 1e-10
    )


def test_the_gap_is_the_divergence_of_two_joint_densities_on_the_cube(world):
    """The same number without the Markov property: both joint densities of (x_1, x_2, x_3) given x_0, by points."""
    log_q = world.log_q[1] + world.log_q[2] + world.log_q[3]
    log_p = world.log_p_end + world.log_p[3] + world.log_p[2] + world.log_p[1]
    log_p = log_p - log_p.exp().sum().log() - 3 * torch.tensor(world.cell).double().log()
    expected = (log_q.exp() * (log_q - log_p)).sum() * world.cell**3
    torch.testing.assert_close(elbo_derivation.gap(world), expected, rtol=1e-6, atol=1e-9)


def test_the_averaged_gap_is_the_divergence_from_the_true_way_back(world):
    average = elbo_derivation.averaged(world, lambda x0: elbo_derivation.bound_at(world, x0).sum(0))
    assert abs(average - elbo_derivation.entropy(world) - elbo_derivation.gap_to_true_reverse(world)) < 1e-10


def test_the_data_have_the_entropy_that_sampling_finds(world):
    x0 = world.data.sample(200_000, torch.Generator().manual_seed(0))
    minus_log = -world.data.log_q(world.schedule, x0, torch.zeros(len(x0), dtype=torch.long))
    assert abs(minus_log.mean() - elbo_derivation.entropy(world)) < 5 * minus_log.std() / len(x0) ** 0.5


def test_the_bound_is_what_sampling_finds(world, values):
    """The second line of the paper's Eq. 3, by drawing chains."""
    g, n, s = torch.Generator().manual_seed(1), 200_000, world.schedule
    x = torch.full((n, 1), world.x0, dtype=torch.float64)
    total = torch.zeros(n, dtype=torch.float64)
    for t in (1, 2, 3):
        times = torch.full((n,), t)
        before, x = x, gaussian.q_step(s, x, times, torch.randn(n, 1, generator=g, dtype=torch.float64))
        mean, _ = gaussian.q_posterior(s, world.data.posterior_mean(s, x, times), x, times)
        width = world.variance(s, times, x)
        log_q = torch.distributions.Normal(s.alpha[t].sqrt() * before, s.beta[t].sqrt()).log_prob(x)
        log_p = torch.distributions.Normal(mean, width.sqrt()).log_prob(before)
        total += (log_q - log_p)[:, 0]
    total -= torch.distributions.Normal(torch.zeros((), dtype=torch.float64), 1.0).log_prob(x)[:, 0]
    assert abs(total.mean() - values[elbo_derivation.jensen]) < 5 * total.std() / n**0.5


def test_data_that_are_normal_leave_no_gap():
    """For N(0, 1) the true way back is N(sqrt(alpha_t) x_t, beta_t): the model's own, so the bound is the entropy."""
    w = elbo_derivation.world(mixture.isotropic([1.0], [[0.0]], 1.0), EVEN, 0.7)
    assert abs(elbo_derivation.gap(w)) < 1e-10 and abs(elbo_derivation.gap_to_true_reverse(w)) < 1e-10
    assert abs(elbo_derivation.jensen(w) - elbo_derivation.negative_log_likelihood(w)) < 1e-10


def test_finer_grids_change_nothing():
    coarse, fine = (elbo_derivation.world(TWO_MODES, STEEP, 0.3, points=n) for n in (121, 181))
    assert abs(elbo_derivation.three_terms(coarse) - elbo_derivation.three_terms(fine)) < 1e-10


@pytest.mark.parametrize(
    "data, s", [(TWO_MODES, schedule.linear(4)), (mixture.isotropic([1.0], [[0.0, 0.0]], 1.0), EVEN)]
)
def test_only_a_world_that_fits_is_built(data, s):
    with pytest.raises(ValueError, match="need a schedule of 3 steps and a mixture in one dimension"):
        elbo_derivation.world(data, s, 0.0)
