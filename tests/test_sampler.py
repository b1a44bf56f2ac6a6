"""Samplers: each step against diffusers, two papers against each other, whole chains in a world that can be solved."""

import itertools
import math

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler

from ddpm_core import variance
from ddpm_core.gaussian import eps_from_x0, q_posterior, q_sample, x0_from_eps
from ddpm_core.predict import EPS, X0, V
from ddpm_core.sampler import (
    ancestral,
    clamped,
    ddim,
    ddim_step,
    ddpm_step,
    denoiser,
    dpm_solver,
    dpm_solver_step,
    even_times,
    guided,
    last,
)  # fmt: skip
from ddpm_core.schedule import cosine, linear

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
    times = even_times(schedule, calls)
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
        x0_hat = mixture.denoise(schedule, x, torch.full((6,), t))
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
    times = even_times(schedule, STEPS)
    return {
        "ancestral, beta_tilde": lambda d, x, g: ancestral(d, schedule, x, variance.beta_tilde, g),
        "ancestral, beta": lambda d, x, g: ancestral(d, schedule, x, variance.beta, g),
        "ddim": lambda d, x, g: ddim(d, schedule, x, times),
        "ddim, eta 1": lambda d, x, g: ddim(d, schedule, x, times, 1.0, g),
        "dpm_solver, 40 steps": lambda d, x, g: dpm_solver(d, schedule, x, even_times(schedule, 40)),
    }


@pytest.mark.parametrize("name", chains())
def test_the_sampler_recovers_the_data(name, mixture):
    """Exact denoiser in, the data's moments out: no training, no excuse. Bounds: four standard errors of N points."""
    schedule, generator = cosine(STEPS), torch.Generator().manual_seed(5)
    x_T = torch.randn(N, 2, generator=generator, dtype=torch.float64)
    x0 = last(chains()[name](mixture.denoiser(schedule), x_T, generator))
    assert x0.shape == (N, 2) and x0.dtype == torch.float64
    error = 4 / math.sqrt(N)
    std = mixture.covariance.diag().sqrt()
    assert ((x0.mean(0) - mixture.mean).abs() < error * std).all()
    # a product of two coordinates has a standard deviation of at most that of the fourth moments
    real = mixture.sample(100_000) - mixture.mean
    products = real[:, :, None] * real[:, None, :]
    assert ((torch.cov(x0.T) - mixture.covariance).abs() < error * products.std(0)).all()
    share = mixture.modes(schedule, x0, torch.zeros(N, dtype=torch.long)).mean(0)
    weights = mixture.weights
    assert ((share - weights).abs() < error * (weights * (1 - weights)).sqrt()).all()


def error_of(solver, mixture, schedule, steps, x, fine):
    """Mean distance from where a very fine chain arrives: from 0.9 T down to 0.1 T, where both are smooth."""
    return (last(solver(mixture.denoiser(schedule), schedule, x, road(schedule, steps))) - fine).abs().mean().item()


def road(schedule, steps):
    return [round(schedule.T * (0.9 - 0.8 * k / steps)) for k in range(steps + 1)]


@pytest.mark.parametrize(("solver", "order"), [(ddim, 1), (dpm_solver, 2)], ids=["ddim", "dpm_solver"])
def test_the_error_falls_at_the_solvers_order_when_steps_double(solver, order, mixture, normal):
    schedule, x = cosine(10_240), normal(200, 2)
    fine = last(dpm_solver(mixture.denoiser(schedule), schedule, x, road(schedule, 1024)))
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
        assert torch.equal(last(steps), steps[-1][1])


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

        last(make(denoise, normal(2, 2)))
        assert asked == [[t, t] for t in times]


def test_a_generator_makes_a_chain_repeatable(mixture, normal):
    schedule, x = linear(20), normal(3, 2)
    denoise = mixture.denoiser(schedule)
    for make in (
        lambda g: ancestral(denoise, schedule, x, generator=g),
        lambda g: ddim(denoise, schedule, x, even_times(schedule, 10), 1.0, g),
    ):
        a, b, c = (last(make(torch.Generator().manual_seed(seed))) for seed in (1, 1, 2))
        assert torch.equal(a, b) and not torch.equal(a, c)
    assert torch.equal(*(last(ddim(denoise, schedule, x, even_times(schedule, 10))) for _ in range(2)))


def test_a_sampler_keeps_no_gradient(normal):
    x, scale = normal(2, 2), torch.ones((), requires_grad=True)
    assert not last(ancestral(lambda x_t, t: scale * x_t, linear(5), x)).requires_grad


def test_the_last_answer_is_the_result(normal):
    """The step to t = 0 returns x0_hat itself, in every sampler."""
    schedule, x, answer = linear(20), normal(3, 2), normal(3, 2)
    for chain in (
        ancestral(lambda x_t, t: answer, schedule, x),
        ddim(lambda x_t, t: answer, schedule, x, [20, 10, 0]),
        dpm_solver(lambda x_t, t: answer, schedule, x, [20, 10, 0]),
    ):
        torch.testing.assert_close(last(chain), answer, rtol=0, atol=1e-12)


@pytest.mark.parametrize("T", [1, 2, 7, 60, 1000])
def test_even_times_fall_from_T_to_0_in_even_strides(T):
    schedule = linear(T)
    for steps in range(1, T + 1, 1 if T < 100 else 7):
        times = even_times(schedule, steps)
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
        (clamped(plain), x0.clamp(-1, 1)),
        (clamped(plain, 0.25), x0.clamp(-0.25, 0.25)),
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
        even_times(linear(10), steps)


@pytest.mark.parametrize("step", [ddim_step, dpm_solver_step], ids=["ddim", "dpm_solver"])
@pytest.mark.parametrize("t_prev", [[3, 5], [3, 6], [-1, 2]])
def test_a_step_that_does_not_go_back_is_refused(step, t_prev, normal):
    more = (normal(2, 2),) if step is ddim_step else ()
    with pytest.raises(ValueError, match="0 <= t_prev < t"):
        step(linear(10), normal(2, 2), torch.tensor([5, 5]), torch.tensor(t_prev), normal(2, 2), *more)
    with pytest.raises(ValueError, match="0 <= t_prev < t"):
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
