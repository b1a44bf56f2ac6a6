"""Samplers: each step against diffusers, two papers against each other, whole chains in a world that can be solved."""

import inspect
import itertools
import math

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler

from ddpm_core import sampler as samplers
from ddpm_core.diffusion import mixture, variance
from ddpm_core.diffusion.gaussian import (
    eps_from_x0,
    kl,
    posterior_coefficients,
    product_of_gaussians,
    q_posterior,
    q_sample,
    x0_from_eps,
)
from ddpm_core.diffusion.guidance import guided  # fmt: skip
from ddpm_core.diffusion.model import Model
from ddpm_core.diffusion.pixels import to_uint8
from ddpm_core.diffusion.prediction import EPS, X0, V, clip_denoised, denoiser
from ddpm_core.diffusion.timesteps import uniform
from ddpm_core.sampler import SAMPLERS, ancestral, ddim, ddim_step, ddpm_step, dpm_solver, dpm_solver_step, final
from ddpm_core.schedule import cosine, from_betas, linear, respaced
from ddpm_core.unet import UNet

SCHEDULES = pytest.mark.parametrize("schedule", [linear(), cosine(200)], ids=repr)
KINDS = {EPS: "epsilon", X0: "sample", V: "v_prediction"}


@pytest.fixture
def noisy(normal):
    """noisy(schedule): (x0, x_t, t, eps) for every t in 1..T."""

    def draw(schedule):
        t = torch.arange(1, schedule.T + 1)
        x0, eps = normal(len(t), 3), normal(len(t), 3)
        return x0, q_sample(schedule, x0, t, eps), t, eps

    return draw


# ---- single steps against diffusers ----------------------------------------------------------------------------


@SCHEDULES
@pytest.mark.parametrize("predict", KINDS, ids=repr)
@pytest.mark.parametrize("kind", ["fixed_small", "fixed_large"])
def test_ddpm_step_is_that_of_diffusers(schedule, predict, kind, noisy, peer, normal):
    x0, x_t, t, eps = noisy(schedule)
    theirs = peer(DDPMScheduler, schedule, variance_type=kind, clip_sample=False, prediction_type=KINDS[predict])
    x0 = x0 + 0.1  # not quite the truth
    answer = predict.target(schedule, x0, x_t, t, eps + 0.1)
    x0_hat = predict.to_x0(schedule, answer, x_t, t)
    for k in range(0, schedule.T, 37):
        now = slice(k, k + 1)
        z = torch.randn(1, 3, generator=torch.Generator().manual_seed(k), dtype=torch.float64)
        wanted = theirs.step(answer[now], k, x_t[now], generator=torch.Generator().manual_seed(k)).prev_sample
        width = {"fixed_small": variance.beta_tilde, "fixed_large": variance.beta}[kind]
        step = ddpm_step(schedule, x_t[now], t[now], x0_hat[now], z, width)
        torch.testing.assert_close(step, wanted, rtol=1e-9, atol=1e-9)


@SCHEDULES
def test_the_learned_variance_is_that_of_diffusers(schedule, noisy, peer):
    x0, x_t, t, _ = noisy(schedule)
    theirs = peer(DDPMScheduler, schedule, variance_type="learned_range", clip_sample=False, prediction_type="sample")
    v = torch.rand(len(t), 3, dtype=torch.float64)
    for k in range(1, schedule.T, 37):
        now = slice(k, k + 1)
        z = torch.randn(1, 3, generator=torch.Generator().manual_seed(k), dtype=torch.float64)
        both = torch.cat([x0[now], 2 * v[now] - 1], dim=1)  # the network's second half, in [-1, 1]
        wanted = theirs.step(both, k, x_t[now], generator=torch.Generator().manual_seed(k)).prev_sample
        step = ddpm_step(schedule, x_t[now], t[now], x0[now], z, variance.interpolated(v[now]))
        torch.testing.assert_close(step, wanted, rtol=1e-9, atol=1e-9)


@SCHEDULES
def test_the_learned_variance_runs_from_beta_tilde_to_beta(schedule):
    t = torch.arange(2, schedule.T + 1)
    like = torch.zeros(len(t), 1, dtype=torch.float64)
    for v, limit in ((0.0, variance.beta_tilde), (1.0, variance.beta)):
        found = variance.interpolated(torch.full_like(like, v))(schedule, t, like)
        torch.testing.assert_close(found, limit(schedule, t, like), rtol=1e-10, atol=0)
    at_1 = variance.interpolated(torch.zeros(1, 1, dtype=torch.float64))(schedule, torch.tensor([1]), like[:1])
    torch.testing.assert_close(at_1.flatten(), schedule.beta_tilde[2:3], rtol=1e-10, atol=0)


@SCHEDULES
@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("calls", [8, 50])
def test_ddim_step_is_that_of_diffusers(schedule, eta, calls, noisy, peer):
    _, x_t, t, eps = noisy(schedule)
    theirs = peer(DDIMScheduler, schedule, clip_sample=False, set_alpha_to_one=True)
    theirs.set_timesteps(calls)
    answer = eps + 0.1
    stride = schedule.T // calls
    for k in theirs.timesteps.tolist():  # diffusers counts from 0 what the paper counts from 1
        now, t_prev = slice(k, k + 1), torch.tensor([max(k + 1 - stride, 0)])
        z = torch.randn(1, 3, generator=torch.Generator().manual_seed(k), dtype=torch.float64)
        generator = torch.Generator().manual_seed(k)
        wanted = theirs.step(answer[now], k, x_t[now], eta=eta, generator=generator).prev_sample
        x0_hat = x0_from_eps(schedule, x_t[now], t[now], answer[now])
        step = ddim_step(schedule, x_t[now], t[now], t_prev, x0_hat, z, eta)
        torch.testing.assert_close(step, wanted, rtol=1e-7, atol=1e-7)


@SCHEDULES
@pytest.mark.parametrize("calls", [1, 2, 5, 20, 40])
@pytest.mark.filterwarnings("ignore:__array__ implementation")  # diffusers hands tensors to numpy
def test_dpm_solver_chain_is_that_of_diffusers(schedule, calls, normal, mixture, peer):
    times = uniform(schedule, calls)
    theirs = peer(
        DPMSolverMultistepScheduler, schedule, algorithm_type="dpmsolver++", solver_order=2, solver_type="midpoint",
        final_sigmas_type="zero", prediction_type="sample", thresholding=False,
    )  # fmt: skip
    theirs.set_timesteps(timesteps=[t - 1 for t in times[:-1]])
    theirs.sigmas = (1 / schedule.snr[times]).sqrt()  # its own are rounded to float32
    x = x_T = normal(6, 2)
    chain = dpm_solver(mixture.denoiser(schedule), schedule, x_T, times)
    assert next(chain)[0] == schedule.T
    for t, (_, ours) in zip(times[:-1], chain, strict=True):
        x0_hat = mixture.posterior_mean(schedule, x, torch.full((6,), t))
        x = theirs.step(x0_hat, t - 1, x).prev_sample
        assert x.dtype == torch.float64
        torch.testing.assert_close(ours, x, rtol=1e-5, atol=1e-5)  # it computes each step in float32


# ---- single steps against each other ---------------------------------------------------------------------------


@SCHEDULES
def test_ddim_with_eta_one_is_ddpm(schedule, noisy, normal):
    x0, x_t, t, _ = noisy(schedule)
    z, x0_hat = normal(*x0.shape), normal(*x0.shape)
    ours = ddim_step(schedule, x_t, t, t - 1, x0_hat, z, eta=1.0)
    torch.testing.assert_close(ours, ddpm_step(schedule, x_t, t, x0_hat, z), rtol=0, atol=1e-9)


@SCHEDULES
def test_ddim_without_noise_stays_on_the_line_from_x0_to_eps(schedule, noisy):
    """With the true x_0 it lands where the jump to t_prev would have put the same eps, from anywhere to anywhere."""
    x0, x_t, t, eps = noisy(schedule)
    t_prev = (t * torch.rand(len(t))).long()
    step = ddim_step(schedule, x_t, t, t_prev, x0, torch.full_like(x0, 1e9), eta=0.0)
    torch.testing.assert_close(step, q_sample(schedule, x0, t_prev, eps), rtol=0, atol=1e-9)


@SCHEDULES
@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_ddim_keeps_the_marginals_for_every_eta(schedule, eta):
    """Given x_0, x_{t_prev} has variance 1 - alpha_bar_{t_prev}, whatever eta: the construction of the paper."""
    t = torch.arange(2, schedule.T + 1)
    t_prev, none, one = t // 2, torch.zeros(len(t)).double(), torch.ones(len(t)).double()
    of_eps = ddim_step(schedule, (1 - schedule.alpha_bar[t]).sqrt(), t, t_prev, none, none, eta)
    of_z = ddim_step(schedule, none, t, t_prev, none, one, eta)
    torch.testing.assert_close(of_eps**2 + of_z**2, 1 - schedule.alpha_bar[t_prev], rtol=1e-10, atol=0)
    assert (of_z > 0).all() if eta else (of_z == 0).all()


@SCHEDULES
def test_dpm_solver_without_a_past_is_ddim(schedule, noisy, normal):
    """First-order DPM-Solver++ and DDIM are one formula in two coordinates.  [Lu 2022, Section 4]"""
    x0, x_t, t, _ = noisy(schedule)
    x0_hat, t_prev = normal(*x0.shape), (t - 5).clamp(min=0)
    wanted = ddim_step(schedule, x_t, t, t_prev, x0_hat, torch.zeros_like(x_t))
    torch.testing.assert_close(dpm_solver_step(schedule, x_t, t, t_prev, x0_hat), wanted, rtol=0, atol=1e-9)


def test_dpm_solver_with_a_steady_answer_needs_no_second_order(noisy, normal):
    schedule = linear()
    x0, x_t, t, _ = (x[4:-5] for x in noisy(schedule))
    with_past = dpm_solver_step(schedule, x_t, t, t - 3, x0, earlier=(t + 3, x0))
    torch.testing.assert_close(with_past, dpm_solver_step(schedule, x_t, t, t - 3, x0), rtol=0, atol=1e-12)


@SCHEDULES
@pytest.mark.parametrize("width", [variance.beta, variance.beta_tilde])
def test_the_last_step_adds_no_noise(schedule, width, normal):
    x_t, x0_hat, t = normal(4, 2), normal(4, 2), torch.ones(4, dtype=torch.long)
    step = ddpm_step(schedule, x_t, t, x0_hat, 1e9 * normal(4, 2), width)
    torch.testing.assert_close(step, q_posterior(schedule, x0_hat, x_t, t)[0], rtol=0, atol=0)


@pytest.mark.parametrize("width", [variance.beta, variance.beta_tilde])
def test_every_other_step_adds_noise_of_the_stated_variance(width, normal):
    schedule, t = linear(50), torch.arange(2, 51)
    none, one = torch.zeros(49, 1).double(), torch.ones(49, 1).double()
    step = ddpm_step(schedule, none, t, none, one, width)
    torch.testing.assert_close(step**2, width(schedule, t, one), rtol=1e-10, atol=0)


# ---- whole chains in the exact world ---------------------------------------------------------------------------

N, STEPS = 6000, 250


def chains():
    schedule = cosine(STEPS)
    times = uniform(schedule, STEPS)
    return {
        "ancestral, beta_tilde": lambda d, x, g: ancestral(d, schedule, x, variance=variance.beta_tilde, generator=g),
        "ancestral, beta": lambda d, x, g: ancestral(d, schedule, x, variance=variance.beta, generator=g),
        "ddim": lambda d, x, g: ddim(d, schedule, x, times),
        "ddim, eta 1": lambda d, x, g: ddim(d, schedule, x, times, eta=1.0, generator=g),
        "dpm_solver, 40 steps": lambda d, x, g: dpm_solver(d, schedule, x, uniform(schedule, 40)),
    }


@pytest.mark.parametrize("name", chains())
def test_the_sampler_recovers_the_data(name, mixture):
    """Exact denoiser in, the data's moments out: no training, no excuse. Bounds: four standard errors of N points."""
    schedule, generator = cosine(STEPS), torch.Generator().manual_seed(5)
    x_T = torch.randn(N, 2, generator=generator, dtype=torch.float64)
    x0 = final(chains()[name](mixture.denoiser(schedule), x_T, generator))
    assert x0.shape == (N, 2) and x0.dtype == torch.float64
    error = 4 / math.sqrt(N)
    std = mixture.covariance.diag().sqrt()
    assert ((x0.mean(0) - mixture.mean).abs() < error * std).all()
    # a product of two coordinates has a standard deviation of at most that of the fourth moments
    real = mixture.sample(100_000) - mixture.mean
    products = real[:, :, None] * real[:, None, :]
    assert ((torch.cov(x0.T) - mixture.covariance).abs() < error * products.std(0)).all()
    share = mixture.responsibilities(schedule, x0, torch.zeros(N, dtype=torch.long)).mean(0)
    weights = mixture.weights
    assert ((share - weights).abs() < error * (weights * (1 - weights)).sqrt()).all()


def error_of(solver, mixture, schedule, steps, x, fine):
    """Mean distance from where a very fine chain arrives: from 0.9 T down to 0.1 T, where both are smooth."""
    return (final(solver(mixture.denoiser(schedule), schedule, x, road(schedule, steps))) - fine).abs().mean().item()


def road(schedule, steps):
    return [round(schedule.T * (0.9 - 0.8 * k / steps)) for k in range(steps + 1)]


@pytest.mark.parametrize(("solver", "order"), [(ddim, 1), (dpm_solver, 2)], ids=["ddim", "dpm_solver"])
def test_the_error_falls_at_the_solvers_order_when_steps_double(solver, order, mixture, normal):
    schedule, x = cosine(10_240), normal(200, 2)
    fine = final(dpm_solver(mixture.denoiser(schedule), schedule, x, road(schedule, 1024)))
    errors = [error_of(solver, mixture, schedule, steps, x, fine) for steps in (32, 64, 128)]
    rates = [math.log2(a / b) for a, b in itertools.pairwise(errors)]
    assert all(abs(rate - order) < 0.3 for rate in rates), (errors, rates)


# ---- chains as generators --------------------------------------------------------------------------------------


def test_a_sampler_yields_every_time_down_to_0(mixture, normal):
    schedule, x = linear(20), normal(3, 2)
    denoise = mixture.denoiser(schedule)
    steps = list(ancestral(denoise, schedule, x))
    assert [t for t, _ in steps] == list(range(20, -1, -1)) and torch.equal(steps[0][1], x)
    for chain in (ddim(denoise, schedule, x, [20, 7, 3, 0]), dpm_solver(denoise, schedule, x, [20, 7, 3, 0])):
        steps = list(chain)
        assert [t for t, _ in steps] == [20, 7, 3, 0] and torch.equal(steps[0][1], x)
        assert torch.equal(final(steps), steps[-1][1])


def test_a_sampler_asks_once_a_step_and_for_the_time_it_stands_at(normal):
    schedule = linear(20)
    for make, times in (
        (lambda d, x: ancestral(d, schedule, x), range(20, 0, -1)),
        (lambda d, x: ddim(d, schedule, x, [20, 7, 3, 0]), [20, 7, 3]),
        (lambda d, x: dpm_solver(d, schedule, x, [20, 7, 3, 0]), [20, 7, 3]),
    ):
        asked = []

        def denoise(x_t, t, asked=asked):
            asked.append(t.tolist())
            return 0 * x_t

        final(make(denoise, normal(2, 2)))
        assert asked == [[t, t] for t in times]


@pytest.mark.parametrize("sampler", SAMPLERS.values(), ids=SAMPLERS)
def test_all_samplers_are_called_alike(sampler, mixture, normal):
    parameters = inspect.signature(sampler).parameters
    assert list(parameters)[:4] == ["denoise", "schedule", "x_T", "times"]
    keywords = {name for name, p in parameters.items() if p.kind is p.KEYWORD_ONLY}
    assert keywords >= {"generator"} and set(parameters) - keywords == {"denoise", "schedule", "x_T", "times"}
    schedule = linear(12, 0.01, 0.2)
    steps = list(sampler(mixture.denoiser(schedule), schedule, normal(3, 2), generator=torch.Generator()))
    assert [t for t, _ in steps] == list(range(12, -1, -1))  # by default every time


@pytest.mark.parametrize("times", [[20, 13, 7, 2, 1, 0], [13, 7, 0]])
def test_ancestral_sampling_of_some_times_is_ddim_with_eta_one(times, mixture, normal):
    """Two papers agree, also where times are left out or the chain begins in its middle."""
    schedule, x = cosine(20), normal(5, 2)
    chains = [
        list(sampler(mixture.denoiser(schedule), schedule, x, times, generator=torch.Generator().manual_seed(4), **how))
        for sampler, how in ((ancestral, {}), (ddim, {"eta": 1.0}))
    ]
    for (t, ours), (t_too, theirs) in zip(*chains, strict=True):
        assert t == t_too
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("width", [variance.beta, variance.beta_tilde])
def test_ancestral_sampling_of_some_times_is_that_of_the_respaced_chain(width, mixture, normal):
    schedule, x, times = linear(50, 0.01, 0.2), normal(4, 2), [50, 31, 12, 5, 0]
    short, told = respaced(schedule, times), torch.tensor(times[::-1])
    denoise = mixture.denoiser(schedule)
    ours = ancestral(denoise, schedule, x, times, variance=width, generator=torch.Generator().manual_seed(5))
    theirs = ancestral(
        lambda x_t, k: denoise(x_t, told[k]), short, x, variance=width, generator=torch.Generator().manual_seed(5)
    )
    torch.testing.assert_close(final(ours), final(theirs), rtol=0, atol=0)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_picture_depends_on_the_seed_and_its_number_alone(sampler):
    torch.manual_seed(0)
    network = UNet(1, (8, 16)).eval()
    torch.nn.init.normal_(network.head[-1].weight, std=0.2)
    model, how = Model(network, cosine(8), V, {"size": [8, 8]}), dict(sampler=sampler, steps=4, seed=3)
    nine = samplers.draw(model, 9, **how)
    for n, at_once in ((4, 250), (9, 2), (7, 7)):
        fewer = samplers.draw(model, n, at_once=at_once, **how)
        assert (fewer.int() - nine[:n].int()).abs().max() <= 1  # products of another size round otherwise
    third = samplers.final(samplers.trajectory(model, 1, first=2, **how))
    assert (to_uint8(third).int() - nine[2:3].int()).abs().max() <= 1
    assert (nine[0].int() - nine[1].int()).abs().max() > 20
    other = samplers.draw(model, 9, **how | {"seed": 4})
    assert (nine.int() - other.int()).abs().max() > 20


def test_a_generator_makes_a_chain_repeatable(mixture, normal):
    schedule, x = linear(20), normal(3, 2)
    denoise = mixture.denoiser(schedule)
    for make in (
        lambda g: ancestral(denoise, schedule, x, generator=g),
        lambda g: ddim(denoise, schedule, x, uniform(schedule, 10), eta=1.0, generator=g),
    ):
        a, b, c = (final(make(torch.Generator().manual_seed(seed))) for seed in (1, 1, 2))
        assert torch.equal(a, b) and not torch.equal(a, c)
    assert torch.equal(*(final(ddim(denoise, schedule, x, uniform(schedule, 10))) for _ in range(2)))


def test_a_sampler_keeps_no_gradient(normal):
    x, scale = normal(2, 2), torch.ones((), requires_grad=True)
    assert not final(ancestral(lambda x_t, t: scale * x_t, linear(5), x)).requires_grad


def test_the_last_answer_is_the_result(normal):
    """The step to t = 0 returns x0_hat itself, in every sampler."""
    schedule, x, answer = linear(20), normal(3, 2), normal(3, 2)
    for chain in (
        ancestral(lambda x_t, t: answer, schedule, x),
        ddim(lambda x_t, t: answer, schedule, x, [20, 10, 0]),
        dpm_solver(lambda x_t, t: answer, schedule, x, [20, 10, 0]),
    ):
        torch.testing.assert_close(final(chain), answer, rtol=0, atol=1e-12)


@pytest.mark.parametrize("T", [1, 2, 7, 60, 1000])
def test_even_times_fall_from_T_to_0_in_even_strides(T):
    schedule = linear(T)
    for steps in range(1, T + 1, 1 if T < 100 else 7):
        times = uniform(schedule, steps)
        assert len(times) == steps + 1 and times[0] == T and times[-1] == 0
        strides = [a - b for a, b in itertools.pairwise(times)]
        assert min(strides) >= 1 and max(strides) - min(strides) <= 2
        assert all(abs(t - T * (1 - k / steps)) <= 0.5 for k, t in enumerate(times))


# ---- denoisers -------------------------------------------------------------------------------------------------


@SCHEDULES
@pytest.mark.parametrize("predict", KINDS, ids=repr)
def test_a_denoiser_turns_the_answer_into_x0_and_clamps_it(schedule, predict, noisy):
    x0, x_t, t, eps = noisy(schedule)

    def net(x_t, t):
        return predict.target(schedule, x0, x_t, t, eps)

    assert x0.abs().max() > 2
    plain = denoiser(net, schedule, predict)
    for denoise, wanted in (
        (plain, x0),
        (clip_denoised(plain), x0.clamp(-1, 1)),
        (clip_denoised(plain, 0.25), x0.clamp(-0.25, 0.25)),
    ):
        torch.testing.assert_close(denoise(x_t, t), wanted, rtol=0, atol=1e-9)


def test_guidance_of_scale_0_is_conditional_sampling(normal):
    a, b, x, t = normal(3, 2), normal(3, 2), normal(3, 2), torch.tensor([1, 2, 3])
    assert torch.equal(guided(lambda x, t: a, lambda x, t: b, 0.0)(x, t), a)
    torch.testing.assert_close(guided(lambda x, t: a, lambda x, t: b, -1.0)(x, t), b)
    torch.testing.assert_close(guided(lambda x, t: a, lambda x, t: b, 2.0)(x, t), 3 * a - 2 * b)


def test_guidance_of_x0_is_guidance_of_the_noise(noisy, normal):
    """Ho and Salimans 2022, Eq. 6 is stated for eps; both readings must agree."""
    schedule, w = linear(), 1.7
    _, x_t, t, _ = noisy(schedule)
    with_label, without = normal(*x_t.shape), normal(*x_t.shape)
    x0_hat = guided(
        lambda x, t: x0_from_eps(schedule, x, t, with_label), lambda x, t: x0_from_eps(schedule, x, t, without), w
    )(x_t, t)
    eps_hat = eps_from_x0(schedule, x_t, t, x0_hat)
    torch.testing.assert_close(eps_hat, (1 + w) * with_label - w * without, rtol=0, atol=1e-9)


# ---- refusals --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [0, -1, 11])
def test_more_steps_than_times_are_refused(steps):
    with pytest.raises(ValueError, match=f"between 1 and T = 10 steps, but got {steps}"):
        uniform(linear(10), steps)


@pytest.mark.parametrize("step", [ddim_step, dpm_solver_step], ids=["ddim", "dpm_solver"])
@pytest.mark.parametrize("t_prev", [[3, 5], [3, 6], [-1, 2]])
def test_a_step_that_does_not_go_back_is_refused(step, t_prev, normal):
    more = (normal(2, 2),) if step is ddim_step else ()
    with pytest.raises(ValueError, match="from larger times t to smaller ones"):
        step(linear(10), normal(2, 2), torch.tensor([5, 5]), torch.tensor(t_prev), normal(2, 2), *more)
    with pytest.raises(ValueError, match="from larger times t to smaller ones"):
        step(linear(10), normal(2, 2), torch.tensor([5, 5]), torch.tensor([4]), normal(2, 2), *more)


def test_a_step_from_clean_data_or_beyond_the_end_is_refused(normal):
    for t, message in (([0, 3], r"1\.\.T"), ([11, 3], r"0\.\.10")):
        with pytest.raises(ValueError, match=message):
            ddpm_step(linear(10), normal(2, 2), torch.tensor(t), normal(2, 2), normal(2, 2))
    with pytest.raises(ValueError, match=r"0\.\.10"):
        ddim_step(linear(10), normal(1, 2), torch.tensor([11]), torch.tensor([3]), normal(1, 2), normal(1, 2))


def test_an_answer_of_another_shape_is_refused(normal):
    t = torch.tensor([3, 4])
    with pytest.raises(ValueError, match="shaped like"):
        ddpm_step(linear(10), normal(2, 2), t, normal(2, 1), normal(2, 2))
    with pytest.raises(ValueError, match="shaped like"):
        ddim_step(linear(10), normal(2, 2), t, t - 1, normal(2, 1), normal(2, 2))
    for answer, earlier in ((normal(2, 1), normal(2, 2)), (normal(2, 2), normal(1, 2))):
        with pytest.raises(ValueError, match="shaped like x_t"):
            dpm_solver_step(linear(10), normal(2, 2), t, t - 1, answer, (t + 1, earlier))


@pytest.mark.parametrize("shape", [(1, 2), (2, 1), (2, 3, 2)])
def test_noise_of_another_shape_is_refused_and_not_shared_out(shape, normal):
    t = torch.tensor([3, 4])
    with pytest.raises(ValueError, match="need z shaped like x_t"):
        ddpm_step(linear(10), normal(2, 2), t, normal(2, 2), normal(*shape))
    with pytest.raises(ValueError, match="need z shaped like x_t"):
        ddim_step(linear(10), normal(2, 2), t, t - 1, normal(2, 2), normal(*shape), eta=1.0)


@pytest.mark.parametrize("eta", [-0.5, 1.5, float("nan")])
def test_more_noise_than_there_should_be_is_refused(eta, normal):
    with pytest.raises(ValueError, match=r"need eta (between 0 and 1|as a finite number)"):
        ddim_step(linear(10), normal(2, 2), torch.tensor([3, 4]), torch.tensor([1, 2]), normal(2, 2), normal(2, 2), eta)


def test_an_earlier_answer_from_a_cleaner_time_is_refused(normal):
    t = torch.tensor([3, 4])
    with pytest.raises(ValueError, match=r"they lead from \[3, 3\] to \[3, 4\]"):
        dpm_solver_step(linear(10), normal(2, 2), t, t - 1, normal(2, 2), (torch.tensor([3, 3]), normal(2, 2)))


def test_an_example_at_its_last_step_leaves_the_others_their_order(normal):
    """Each example of a batch of mixed times steps as it would alone."""
    s, x_t, x0_hat, before = cosine(20), normal(3, 2), normal(3, 2), normal(3, 2)
    t, t_prev, t_earlier = torch.tensor([3, 9, 5]), torch.tensor([0, 6, 4]), torch.tensor([7, 12, 6])
    together = dpm_solver_step(s, x_t, t, t_prev, x0_hat, (t_earlier, before))
    for k in range(3):
        one = slice(k, k + 1)
        alone = dpm_solver_step(s, x_t[one], t[one], t_prev[one], x0_hat[one], (t_earlier[one], before[one]))
        torch.testing.assert_close(together[one], alone, rtol=0, atol=1e-12)
    torch.testing.assert_close(together[0], x0_hat[0], rtol=0, atol=1e-12)  # the last step shows the guess


# ---- chapter 9: the paper's form of a step, the clamp, the variance of a chain, two pictures mixed ----------------


@SCHEDULES
def test_a_step_is_that_of_the_papers_algorithm_2(schedule, noisy, normal):
    """(x_t - beta_t / sqrt(1 - alpha_bar_t) eps) / sqrt(alpha_t) + sigma_t z, with x0_hat made of the same eps."""
    _, x_t, t, _ = (x[1:] for x in noisy(schedule))
    eps_hat, z = normal(*x_t.shape), normal(*x_t.shape)
    beta, alpha, alpha_bar = (table[t][:, None] for table in (schedule.beta, schedule.alpha, schedule.alpha_bar))
    wanted = (x_t - beta / (1 - alpha_bar).sqrt() * eps_hat) / alpha.sqrt() + beta.sqrt() * z
    step = ddpm_step(schedule, x_t, t, x0_from_eps(schedule, x_t, t, eps_hat), z, variance.beta)
    torch.testing.assert_close(step, wanted, rtol=1e-9, atol=1e-9)


def test_the_clamp_brings_every_answer_closer_to_every_image(normal):
    image, answer = normal(5000).clamp(-1, 1), 3 * normal(5000)
    held = clip_denoised(lambda x_t, t: answer)(answer, None)
    assert ((held - image).abs() <= (answer - image).abs()).all()
    assert ((held - image).abs() < (answer - image).abs())[answer.abs() > 1].all()
    assert torch.equal(held[answer.abs() <= 1], answer[answer.abs() <= 1])


def linear_world(schedule, std):
    """Data N(0, std^2), the true variances V_0..V_T, and the factors a_1..a_T of the perfect steps back."""
    world, t = mixture.isotropic([1.0], [[0.0]], std), torch.arange(1, schedule.T + 1)
    one = torch.ones(schedule.T, 1, dtype=torch.float64)
    shrinks = ddpm_step(schedule, one, t, world.posterior_mean(schedule, one, t), torch.zeros_like(one))[:, 0]
    return world, schedule.alpha_bar * std**2 + 1 - schedule.alpha_bar, shrinks


@SCHEDULES
@pytest.mark.parametrize("std", [0.05, 0.5, 2.0])
def test_the_variance_of_a_linear_chain_follows_its_recursion(schedule, std):
    """v_{t-1} = a_t^2 v_t + sigma_t^2, a_t = sqrt(alpha_t) V_{t-1} / V_t; bound: four standard errors of N chains."""
    world, true, shrinks = linear_world(schedule, std)
    torch.testing.assert_close(shrinks, schedule.alpha[1:].sqrt() * true[:-1] / true[1:], rtol=1e-9, atol=0)
    chains, generator = 2000, torch.Generator().manual_seed(3)
    x_T = 1.5 * torch.randn(chains, 1, generator=generator, dtype=torch.float64)
    v, walk = x_T.var(), ancestral(world.denoiser(schedule), schedule, x_T, variance=variance.beta, generator=generator)
    for t, x in itertools.islice(walk, 1, None):
        v = shrinks[t] ** 2 * v + (schedule.beta[t + 1] if t > 0 else 0)  # row t of the factors is the step to t
        assert abs(x.var() / v - 1) < 4 * math.sqrt(2 / chains)


@SCHEDULES
@pytest.mark.parametrize("std", [1e-6, 0.05, 0.5, 1.0, 2.0])
def test_one_variance_is_right_and_the_papers_two_are_its_ends(schedule, std):
    """beta_t V_{t-1} / V_t keeps the chain at V_t; it is beta_tilde for a single point and beta for N(0, 1)."""
    _, true, shrinks = linear_world(schedule, std)
    right = schedule.beta[1:] * true[:-1] / true[1:]
    torch.testing.assert_close(shrinks**2 * true[1:] + right, true[:-1], rtol=1e-9, atol=1e-15)
    beta, beta_tilde = schedule.beta[2:], schedule.beta_tilde[2:]
    if std == 1e-6:
        torch.testing.assert_close(right[1:], beta_tilde, rtol=1e-6, atol=0)
    elif std == 1:
        torch.testing.assert_close(right[1:], beta, rtol=1e-12, atol=0)
    elif std < 1:
        assert ((beta_tilde < right[1:]) & (right[1:] < beta)).all()
    else:
        assert (right[1:] > beta).all()


@SCHEDULES
def test_a_chain_forgets_a_wrong_variance_down_to_the_share_of_the_picture(schedule):
    """Too large by a share d at t, it is too large by d alpha_bar_t s^2 / V_t at 0: the a^2 telescope."""
    std, t = 0.4, schedule.T // 3
    _, true, shrinks = linear_world(schedule, std)
    left = (shrinks[:t] ** 2).prod() * true[t] / true[0]
    torch.testing.assert_close(left, schedule.alpha_bar[t] * std**2 / true[t], rtol=1e-9, atol=0)


def narrow(t):
    """A world of one dimension with two modes and variance below 1, places for x_t, and times at each of them."""
    x = torch.linspace(-8, 8, 1601, dtype=torch.float64)[:, None]
    return mixture.isotropic([0.3, 0.7], [[-0.6], [0.7]], std=0.3), x, torch.full((len(x),), t)


@SCHEDULES
def test_how_far_the_right_variance_lies_between_the_papers_two(schedule):
    """Averaged over x_t it is beta_tilde + f (beta - beta_tilde), f = E Var[x_0|x_t] / (1 - alpha_bar_t)."""
    for t in (2, schedule.T // 3, schedule.T - 1):
        world, x, now = narrow(t)
        share, _ = posterior_coefficients(schedule, now[:1], x[:1])
        likely = world.log_q(schedule, x, now).softmax(0)
        true = schedule.beta_tilde[t] + share.item() ** 2 * likely @ world.posterior_variance(schedule, x, now)[:, 0]
        f = world.mmse(schedule, torch.tensor([t]))[0] / (1 - schedule.alpha_bar[t])
        between = schedule.beta_tilde[t] + f * (schedule.beta[t] - schedule.beta_tilde[t])
        torch.testing.assert_close(true, between, rtol=1e-6, atol=0)
        s2 = world.covariance[0, 0]
        gaussian_world = s2 / (schedule.alpha_bar[t] * s2 + 1 - schedule.alpha_bar[t])  # the best straight line
        assert 0 < f < gaussian_world < 1
        # asked for the noise: f is the squared error of the best answer over alpha_bar_t
        noise = eps_from_x0(schedule, x, now, world.posterior_mean(schedule, x, now))
        best = 1 - likely @ noise[:, 0] ** 2
        torch.testing.assert_close(f, best / schedule.alpha_bar[t], rtol=1e-5, atol=1e-9)


@SCHEDULES
def test_the_guess_of_today_is_the_mean_of_tomorrows(schedule):
    """E[x0_hat(x_s, s) | x_t] = x0_hat(x_t, t) on the true way back, by Bayes' rule on a grid of x_s; for any s < t."""
    for s, t in ((schedule.T // 4, schedule.T // 3), (schedule.T // 3, schedule.T // 3 + 1)):
        world, x, then = narrow(s)
        kept = schedule.alpha_bar[t] / schedule.alpha_bar[s]
        for x_t in (-1.0, 0.2, 0.9):
            ln_jump = -((x_t - kept.sqrt() * x[:, 0]) ** 2) / (2 * (1 - kept))
            back = (world.log_q(schedule, x, then) + ln_jump).softmax(0)
            here = torch.full((1, 1), x_t, dtype=torch.float64)
            today = world.posterior_mean(schedule, here, torch.tensor([t]))[0, 0]
            tomorrows = world.posterior_mean(schedule, x, then)[:, 0]
            torch.testing.assert_close(back @ tomorrows, today, rtol=1e-7, atol=1e-9)
            assert (back @ (tomorrows - today) ** 2) > 1e-6  # though each of them differs


@SCHEDULES
@pytest.mark.parametrize("width", [variance.beta, variance.beta_tilde])
def test_in_a_linear_world_the_branches_of_a_chain_average_to_its_guess(schedule, width):
    """Whatever the variance: prod a = sqrt(alpha_bar_t) s^2 / V_t, which is the guess; and sampled, in four errors."""
    std, t = 0.4, schedule.T // 3
    world, _, shrinks = linear_world(schedule, std)
    guess = world.posterior_mean(schedule, torch.ones(1, 1).double(), torch.tensor([t])).item()
    assert shrinks[:t].prod().item() == pytest.approx(guess, rel=1e-9)
    x_t = torch.ones(500, 1).double()
    below = from_betas(schedule.beta[1 : t + 1])
    ends = final(
        ancestral(world.denoiser(schedule), below, x_t, variance=width, generator=torch.Generator().manual_seed(6))
    )
    assert abs(ends.mean() - guess) < 4 * ends.std() / math.sqrt(500)


@SCHEDULES
def test_what_is_decided_and_what_is_left_add_up(schedule):
    """Var[x0_hat(x_t)] + E Var[x_0|x_t] = Var[x_0]; in a linear world the decided share is alpha_bar_t s^2 / V_t."""
    for t in (1, schedule.T // 3, schedule.T - 1):
        world, x, now = narrow(t)
        likely = world.log_q(schedule, x, now).softmax(0)
        decided = likely @ (world.posterior_mean(schedule, x, now)[:, 0] - world.mean[0]) ** 2
        left = world.mmse(schedule, torch.tensor([t]))[0]
        torch.testing.assert_close(decided + left, world.covariance[0, 0], rtol=1e-6, atol=0)
        line, true, _ = linear_world(schedule, 0.4)
        gain = line.posterior_mean(schedule, torch.ones(1, 1).double(), torch.tensor([t])).item()
        share = schedule.alpha_bar[t] * 0.4**2 / true[t]
        torch.testing.assert_close(gain**2 * true[t] / 0.4**2, share, rtol=1e-9, atol=0)
        torch.testing.assert_close(1 - line.mmse(schedule, torch.tensor([t]))[0] / 0.4**2, share, rtol=0, atol=1e-6)
        # half of it where the signal-to-noise ratio is 1 / s^2
        assert (share > 0.5) == (schedule.snr[t] * 0.4**2 > 1)


def test_two_noises_on_a_line_lose_variance_and_on_a_circle_they_do_not():
    """What x_t(lambda) takes of two independent noises, squared and added up."""
    schedule, t = cosine(200), torch.full((2,), 90)
    unit, none = torch.eye(2).double(), torch.zeros(2, 2).double()
    first, second = (q_sample(schedule, none, t, unit[k].expand(2, 2)) for k in range(2))
    for share in (0.0, 0.2, 0.5, 1.0):
        on_a_line = (((1 - share) * first + share * second)[0] ** 2).sum()
        angle = math.pi / 2 * share
        on_a_circle = q_sample(schedule, none, t, (math.cos(angle) * unit[0] + math.sin(angle) * unit[1]).expand(2, 2))
        full = 1 - schedule.alpha_bar[90]
        torch.testing.assert_close(on_a_line, ((1 - share) ** 2 + share**2) * full, rtol=1e-12, atol=0)
        torch.testing.assert_close((on_a_circle[0] ** 2).sum(), full, rtol=1e-12, atol=0)
    # one noise for both pictures: the mixture is the jump of the mixed pictures
    x0, other, eps = torch.tensor([[0.3], [-0.9]]).double(), torch.tensor([[-0.7], [0.1]]).double(), unit[:, :1]
    mixed = 0.7 * q_sample(schedule, x0, t, eps) + 0.3 * q_sample(schedule, other, t, eps)
    torch.testing.assert_close(mixed, q_sample(schedule, 0.7 * x0 + 0.3 * other, t, eps), rtol=0, atol=1e-12)


# ---- chapter 10: a family of chains, a curve, and its solver ---------------------------------------------------


@SCHEDULES
@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_ddim_keeps_the_mean_for_every_eta(schedule, eta, normal):
    """Given x_0, and standing at the mean of the jump to t, the step leads to the mean of the jump to t_prev."""
    t = torch.arange(1, schedule.T + 1)
    x0, t_prev, none = normal(len(t)), t // 2, torch.zeros(len(t)).double()
    step = ddim_step(schedule, schedule.alpha_bar[t].sqrt() * x0, t, t_prev, x0, none, eta)
    torch.testing.assert_close(step, schedule.alpha_bar[t_prev].sqrt() * x0, rtol=0, atol=1e-12)


@SCHEDULES
def test_a_leap_of_ddim_with_eta_one_is_the_posterior_of_two_witnesses(schedule, noisy, normal):
    """q(x_s | x_t, x_0) is what x_0 says of x_s times what x_t says of it, for any s < t."""
    x0, x_t, t, _ = (x[3:] for x in noisy(schedule))
    s = t // 3
    kept, share = (schedule.alpha_bar[t] / schedule.alpha_bar[s])[:, None], schedule.alpha_bar[s][:, None]
    mean, variance = product_of_gaussians(share.sqrt() * x0, 1 - share, x_t / kept.sqrt(), (1 - kept) / kept)
    none, one = torch.zeros_like(x0), torch.ones_like(x0)
    torch.testing.assert_close(ddim_step(schedule, x_t, t, s, x0, none, 1.0), mean, rtol=0, atol=1e-9)
    of_z = ddim_step(schedule, none, t, s, none, one, 1.0)
    torch.testing.assert_close(of_z**2, variance.expand_as(of_z), rtol=1e-9, atol=1e-12)


@SCHEDULES
@pytest.mark.parametrize("eta", [0.3, 1.0])
def test_the_price_of_a_leap_is_a_weight_times_the_error_of_the_guess(schedule, eta, noisy, normal):
    """KL of the leap that knows x_0 from the leap that guesses; for eta 1 half the fall of the SNR, as in chapter 4."""
    x0, x_t, t, _ = (x[3:] for x in noisy(schedule))
    guess, none, one = x0 + normal(*x0.shape), torch.zeros_like(x0), torch.ones_like(x0)
    for s in (t - 1, t // 3):
        now, then = schedule.alpha_bar[t][:, None], schedule.alpha_bar[s][:, None]
        width = ddim_step(schedule, none, t, s, none, one, eta) ** 2
        right, wrong = (ddim_step(schedule, x_t, t, s, x, none, eta) for x in (x0, guess))
        factor = then.sqrt() - (1 - then - width).sqrt() / (1 - now).sqrt() * now.sqrt()
        price = factor**2 / (2 * width) * (x0 - guess) ** 2
        torch.testing.assert_close(kl(right, width, wrong, width), price, rtol=1e-7, atol=1e-12)
        if eta == 1:
            fall = 0.5 * (schedule.snr[s] - schedule.snr[t])[:, None]
            torch.testing.assert_close(price, fall * (x0 - guess) ** 2, rtol=1e-6, atol=1e-12)


@SCHEDULES
def test_a_step_of_ddim_is_one_of_eulers_in_stretched_coordinates(schedule, noisy, normal):
    """x / sqrt(alpha_bar) moves by eps_hat times the fall of sqrt((1 - alpha_bar) / alpha_bar), for any step."""
    _, x_t, t, _ = noisy(schedule)
    x0_hat, s = normal(*x_t.shape), t // 2
    step = ddim_step(schedule, x_t, t, s, x0_hat, torch.zeros_like(x_t))
    eps_hat = eps_from_x0(schedule, x_t, t, x0_hat)
    root, noise = schedule.alpha_bar.sqrt()[:, None], (1 / schedule.snr).sqrt()[:, None]
    moved = step / root[s] - x_t / root[t]
    torch.testing.assert_close(moved, eps_hat * (noise[s] - noise[t]), rtol=1e-9, atol=1e-9)


def test_the_stretched_picture_decays_towards_the_guess_at_rate_one(mixture, normal):
    """d(x / sqrt(alpha_bar)) / d lambda = x0_hat - x / sqrt(alpha_bar), by small steps of DDIM."""
    schedule, t = cosine(100_000), torch.tensor([90_000, 50_000, 10_000])
    x_t, root, half_log_snr = normal(3, 2), schedule.alpha_bar.sqrt()[:, None], 0.5 * schedule.snr.log()[:, None]
    x0_hat = mixture.posterior_mean(schedule, x_t, t)
    moved = ddim_step(schedule, x_t, t, t - 1, x0_hat, torch.zeros_like(x_t)) / root[t - 1] - x_t / root[t]
    slope = moved / (half_log_snr[t - 1] - half_log_snr[t])
    torch.testing.assert_close(slope, x0_hat - x_t / root[t], rtol=1e-3, atol=1e-3)


@SCHEDULES
@pytest.mark.parametrize("std", [0.3, 1.0, 2.0])
def test_in_a_gaussian_world_a_curve_keeps_its_place_in_the_spread(schedule, std):
    """Data N(0, std^2): x_t / sqrt(V_t) stays what it is, up to the error of first order that doubled steps halve."""
    world, true, _ = linear_world(schedule, std)
    one, t, s = torch.ones(1, 1, dtype=torch.float64), schedule.T - 5, 5
    missed = []
    for stride in (2, 1):
        chain = ddim(world.denoiser(schedule), schedule, one, [*range(t, s, -stride), s])
        missed.append(abs(final(chain).item() - (true[s] / true[t]).sqrt().item()))
    assert missed[-1] < 0.02 and abs(missed[0] / missed[1] - 2) < 0.2


def test_the_curve_in_log_snr_is_where_a_fine_chain_leads(mixture, normal):
    """x_s = noise_s / noise_t x_t + noise_s int e^lambda x0_hat d lambda, by trapezia along a chain of many steps."""
    schedule, times = cosine(4000), list(range(3000, 799, -2))
    chain = [x for _, x in ddim(mixture.denoiser(schedule), schedule, normal(5, 2), times)]
    answers = [mixture.posterior_mean(schedule, x, torch.full((5,), t)) for x, t in zip(chain, times, strict=True)]
    e_lambda, noise = schedule.snr[times].sqrt(), (1 - schedule.alpha_bar[times]).sqrt()
    integral = torch.trapezoid(torch.stack(answers), e_lambda[:, None, None], dim=0)
    x_s = noise[-1] / noise[0] * chain[0] + noise[-1] * integral
    torch.testing.assert_close(chain[-1], x_s, rtol=0, atol=2e-3)
    assert (chain[-1] - noise[-1] / noise[0] * chain[0]).abs().min() > 0.02  # the integral matters


@SCHEDULES
def test_the_second_order_takes_the_line_through_two_answers_at_half_a_step(schedule):
    """An answer that is lambda itself is at its middle place lambda_t + h / 2, however unequal the two steps."""
    half_log_snr = 0.5 * schedule.snr.log()
    t = torch.arange(10, schedule.T - 9)
    x_t, s, earlier = half_log_snr[t], t - 7, t + 9
    step = dpm_solver_step(schedule, x_t, t, s, half_log_snr[t], (earlier, half_log_snr[earlier]))
    middle = (half_log_snr[t] + half_log_snr[s]) / 2
    torch.testing.assert_close(step, dpm_solver_step(schedule, x_t, t, s, middle), rtol=0, atol=1e-10)


def test_the_second_order_step_misses_a_steady_slope_by_the_third_power_of_the_step():
    """For x0_hat = lambda the integral is known: sqrt(alpha_bar) ((lambda_s - 1) - (lambda_t - 1) e^-h)."""
    schedule = cosine(100_000)
    half_log_snr, t, missed = 0.5 * schedule.snr.log(), 50_000, []
    for stride in (8000, 4000, 2000):
        now, then, before = (torch.tensor([k]) for k in (t, t - stride, t + stride))
        zero = torch.zeros(1).double()
        step = dpm_solver_step(schedule, zero, now, then, half_log_snr[now], (before, half_log_snr[before]))
        h = half_log_snr[then] - half_log_snr[now]
        known = (half_log_snr[then] - 1) - (half_log_snr[now] - 1) * (-h).exp()
        missed.append(((step - schedule.alpha_bar[then].sqrt() * known).abs() / h**3).item())
    assert all(abs(a / b - 1) < 0.25 for a, b in itertools.pairwise(missed)) and missed[-1] > 0.01
