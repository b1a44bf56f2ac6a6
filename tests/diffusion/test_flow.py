"""The straight road: the club's blend, flow matching, and walking it in strides."""

import math

import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler

from ddpm_core import schedule
from ddpm_core.diffusion import flow, prediction
from ddpm_core.diffusion.gaussian import eps_from_x0, q_sample
from ddpm_core.diffusion.noise import seeded
from ddpm_core.diffusion.timesteps import uniform
from ddpm_core.sampler import ddim, ddim_step, final

ROADS = pytest.mark.parametrize("sigma", [flow.linear_path(16), flow.linear_path(1000), flow.linear_path(40) ** 2])


def every_time(sigma, normal, first=1):
    """(x0, eps, t) with t = first..T."""
    t = torch.arange(first, len(sigma))
    return normal(len(t), 3), normal(len(t), 3), t


def as_schedule(sigma):
    """The schedule with a road's signal-to-noise ratios, without the last time, which has no signal."""
    kept = flow.alpha_bar(sigma)[:-1]
    return schedule.from_betas(1 - kept[1:] / kept[:-1])


# ---- the road --------------------------------------------------------------------------------------------------


@ROADS
def test_the_road_leads_from_the_picture_to_the_noise(sigma, normal):
    x0, eps = normal(4, 3), normal(4, 3)
    T = len(sigma) - 1
    assert torch.equal(flow.interpolate(sigma, x0, torch.zeros(4, dtype=torch.long), eps), x0)
    assert torch.equal(flow.interpolate(sigma, x0, torch.full((4,), T), eps), eps)


@ROADS
def test_on_a_road_every_stride_is_straight(sigma, normal):
    """With the true velocity a stride of any length, in either direction, leads to the blend of the same noise."""
    x0, eps, t = every_time(sigma, normal, first=0)
    v, x_t = flow.velocity(x0, eps), flow.interpolate(sigma, x0, t, eps)
    for there in (torch.zeros_like(t), (t - 1).clamp(min=0), t.flip(0)):
        torch.testing.assert_close(flow.euler_step(sigma, v, x_t, t, there), flow.interpolate(sigma, x0, there, eps))


@ROADS
def test_velocity_and_picture_say_the_same(sigma, normal):
    x0, eps, t = every_time(sigma, normal)
    v, x_t = flow.velocity(x0, eps), flow.interpolate(sigma, x0, t, eps)
    torch.testing.assert_close(flow.x0_from_velocity(sigma, v, x_t, t), x0)
    torch.testing.assert_close(flow.velocity_from_x0(sigma, x0, x_t, t), v, rtol=1e-7, atol=1e-7)


@ROADS
def test_the_road_is_a_chain_on_another_scale(sigma, normal):
    x0, eps, t = every_time(sigma, normal)
    x0, eps, t = x0[:-1], eps[:-1], t[:-1]
    scale = ((1 - sigma) ** 2 + sigma**2).sqrt()[t, None]
    torch.testing.assert_close(flow.interpolate(sigma, x0, t, eps), scale * q_sample(as_schedule(sigma), x0, t, eps))
    ratio = ((1 - sigma) / sigma)[1:-1] ** 2
    torch.testing.assert_close(as_schedule(sigma).snr[1:], ratio)


def test_a_stride_is_that_of_diffusers(normal):
    theirs = FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000)
    theirs.set_timesteps(sigmas=torch.linspace(1, 1 / 16, 16).tolist())
    sigma, x = flow.linear_path(16), normal(5, 3)
    for k, t in enumerate(range(16, 0, -1)):
        v, now = normal(5, 3), torch.full((5,), t)
        wanted = theirs.step(v.float(), theirs.timesteps[k], x.float()).prev_sample
        x = flow.euler_step(sigma, v, x, now, now - 1)
        torch.testing.assert_close(x.float(), wanted, rtol=1e-4, atol=1e-5)
        x = wanted.double()


# ---- what the best answer is -----------------------------------------------------------------------------------


def test_the_best_answer_under_the_squared_error_is_a_stride_with_the_mean_velocity(mixture):
    """E[x_{t-1} | x_t] is orthogonal to whatever can be made of x_t: what is left of x_{t-1} correlates with none."""
    sigma, t, n = flow.linear_path(16), 9, 200_000
    chain, now = as_schedule(sigma), torch.full((n,), t)
    x0, eps = mixture.sample(n), torch.randn(n, 2, dtype=torch.float64)
    x_t = flow.interpolate(sigma, x0, now, eps)
    scale = ((1 - sigma[t]) ** 2 + sigma[t] ** 2).sqrt()
    v = flow.velocity_from_x0(sigma, mixture.posterior_mean(chain, x_t / scale, now), x_t, now)
    left = flow.interpolate(sigma, x0, now - 1, eps) - flow.euler_step(sigma, v, x_t, now, now - 1)
    for seen in (torch.ones(n, 1), x_t, x_t**2, torch.sin(3 * x_t), x_t.flip(1)):
        products = left * seen
        assert (products.mean(0).abs() < 4 * products.std(0) / math.sqrt(n)).all()
    wrong = left + 0.05 * x_t
    assert ((wrong * x_t).mean(0).abs() > 4 * (wrong * x_t).std(0) / math.sqrt(n)).all()


def perfect(mixture, sigma):
    """The mean velocity in a mixture, (x_t, t) -> v."""
    chain, T = as_schedule(sigma), len(sigma) - 1
    scale = ((1 - sigma) ** 2 + sigma**2).sqrt()

    def velocity(x_t, t):
        if t[0] == T:  # pure noise tells nothing
            return flow.velocity_from_x0(sigma, mixture.mean.expand_as(x_t), x_t, t)
        x0_hat = mixture.posterior_mean(chain, x_t / scale[t][:, None], t)
        return flow.velocity_from_x0(sigma, x0_hat, x_t, t)

    return velocity


def test_many_small_strides_recover_the_data(mixture):
    sigma = flow.linear_path(400)
    x0 = final(flow.euler(perfect(mixture, sigma), sigma, torch.randn(20_000, 2, dtype=torch.float64)))
    torch.testing.assert_close(x0.mean(0), mixture.mean, atol=0.03, rtol=0)
    torch.testing.assert_close(torch.cov(x0.T), mixture.covariance, atol=0.04, rtol=0)


def test_walking_every_time_is_asking_for_the_next_picture_again_and_again(mixture, normal):
    sigma, x = flow.linear_path(16), normal(6, 2)
    velocity = perfect(mixture, sigma)
    seen = dict(flow.euler(velocity, sigma, x))
    assert list(seen) == list(range(16, -1, -1)) and torch.equal(seen[16], x)
    for t in range(16, 0, -1):
        x = x - velocity(x, torch.full((6,), t)) / 16
        torch.testing.assert_close(seen[t - 1], x)


@pytest.mark.parametrize("T", [4, 16, 200])
@pytest.mark.parametrize("s", [0.02, 0.3, 1.0])
def test_the_standard_deviation_of_a_walk_is_a_product(T, s, normal):
    """In a Gaussian world the mean velocity is linear, and so is the walk."""
    a = flow.linear_path(T)
    pull = (a - (1 - a) * s**2) / ((1 - a) ** 2 * s**2 + a**2)
    x_T = normal(5, 2)
    x0 = final(flow.euler(lambda x, t: pull[t][:, None] * x, a, x_T))
    torch.testing.assert_close(x0, math.prod(1 - pull[t].item() / T for t in range(1, T + 1)) * x_T)


@pytest.mark.parametrize("calls", [3, 16, 50])
@pytest.mark.parametrize("s", [0.05, 1.0, 8.0])
def test_a_walk_keeps_the_product_of_the_cosines_of_its_angles(calls, s):
    """Of the deviation of Gaussian data, on the line and on the cosine schedule alike."""
    x_T = torch.ones(1, 1, dtype=torch.float64)
    a, chain = flow.linear_path(calls), schedule.cosine(1000)
    pull = (a - (1 - a) * s**2) / ((1 - a) ** 2 * s**2 + a**2)
    walked = final(flow.euler(lambda x, t: pull[t][:, None] * x, a, x_T)).item() / s
    assert walked == pytest.approx(torch.atan2(a, s * (1 - a)).diff().cos().prod().item())
    kept, road = chain.alpha_bar, uniform(chain, calls)
    gain = kept.sqrt() * s**2 / (kept * s**2 + 1 - kept)
    leapt = final(ddim(lambda x, t: gain[t][:, None] * x, chain, x_T, road)).item() / s
    angles = torch.atan2((1 - kept).sqrt(), s * kept.sqrt())[road]
    start = torch.sqrt(kept[-1] * s**2 + 1 - kept[-1]).item()  # x_T should have this deviation, and has 1
    assert leapt * start == pytest.approx(angles.diff().cos().prod().item())


@ROADS
def test_a_stride_is_a_leap_of_ddim(sigma, normal):
    """On the scale that preserves the variance, and between any two times that have some signal."""
    x0_hat, eps, t = every_time(sigma, normal)
    x0_hat, eps, t = x0_hat[:-1], eps[:-1], t[:-1]
    there, scale = t // 2, ((1 - sigma) ** 2 + sigma**2).sqrt()[:, None]
    x_t = flow.interpolate(sigma, x0_hat, t, eps)
    strode = flow.euler_step(sigma, flow.velocity(x0_hat, eps), x_t, t, there)
    leapt = ddim_step(as_schedule(sigma), x_t / scale[t], t, there, x0_hat, torch.zeros_like(x_t), eta=0.0)
    torch.testing.assert_close(strode / scale[there], leapt, rtol=1e-6, atol=1e-7)


def test_pull_is_the_slope_of_the_mean_velocity():
    """E[eps - x_0 | x_t] for x_0 ~ N(0, s^2), by its covariance with x_t."""
    a, s, n = 0.4, 0.5, 400_000
    x0, eps = s * torch.randn(n, dtype=torch.float64), torch.randn(n, dtype=torch.float64)
    x_t = (1 - a) * x0 + a * eps
    measured = ((eps - x0) * x_t).mean() / (x_t**2).mean()
    assert measured.item() == pytest.approx((a - (1 - a) * s**2) / ((1 - a) ** 2 * s**2 + a**2), abs=0.01)


# ---- bad input -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("T", [0, -3, 1.5, "16"])
def test_a_road_needs_a_number_of_steps(T):
    with pytest.raises(ValueError, match="need a whole number of steps T of at least 1"):
        flow.linear_path(T)


@pytest.mark.parametrize("times", [[16], [15, 0], [16, 4], [16, 8, 8, 0], [16, 4, 8, 0], [0, 16]])
def test_a_walk_needs_falling_times(times, normal):
    with pytest.raises(ValueError, match="need falling times from T = 16 to 0, but got"):
        final(flow.euler(lambda x, t: x, flow.linear_path(16), normal(2, 3), times))


def test_no_gradient_is_kept_on_a_walk():
    w = torch.ones((), requires_grad=True)
    x0 = final(flow.euler(lambda x, t: w * x, flow.linear_path(4), torch.ones(2, 1)))
    assert not x0.requires_grad


def test_a_road_needs_one_time_per_example(normal):
    with pytest.raises(ValueError, match="need one time per example"):
        flow.interpolate(flow.linear_path(16), normal(3, 2), torch.tensor([1, 2]), normal(3, 2))


def test_at_the_picture_there_is_no_velocity(normal):
    with pytest.raises(ValueError, match=r"need times 1\.\.T, but t holds 0: at t = 0, x_t is x_0"):
        flow.velocity_from_x0(flow.linear_path(16), normal(2, 3), normal(2, 3), torch.tensor([1, 0]))


@pytest.mark.parametrize("shape", [(1, 3), (3,), (2, 1)])
def test_a_blend_needs_noise_for_every_pixel(shape, normal):
    with pytest.raises(ValueError, match=r"need eps shaped like x0: x0 is \(2, 3\), eps is"):
        flow.interpolate(flow.linear_path(16), normal(2, 3), torch.tensor([1, 2]), normal(*shape))


def test_the_absolute_error_follows_the_majority(normal):
    """Two pictures, +1 with probability 0.3: of all answers for x_{t-1}, the one towards the likelier picture has the
    smallest mean absolute error, and the mean velocity's the smallest mean squared one."""
    T, p, n = 16, 0.3, 100_000
    sigma = flow.linear_path(T)
    x0 = torch.where(torch.rand(n, 1, dtype=torch.float64) < p, 1.0, -1.0).double()
    for t in (4, 8, 12):
        now, a = torch.full((n,), t), sigma[t]
        x_t = flow.interpolate(sigma, x0, now, normal(n, 1))
        light = torch.sigmoid(math.log(p / (1 - p)) + 2 * (1 - a) * x_t / a**2)
        assert light.mean().item() == pytest.approx(p, abs=0.01)
        answers = {
            "mean": 2 * light - 1,
            "majority": torch.where(light > 0.5, 1.0, -1.0).double(),
            "half-way": light - 0.5 + torch.where(light > 0.5, 0.5, -0.5),
        }
        miss = {}
        following = flow.interpolate(sigma, x0, now - 1, (x_t - (1 - a) * x0) / a)
        for name, x0_hat in answers.items():
            v = flow.velocity_from_x0(sigma, x0_hat, x_t, now)
            miss[name] = flow.euler_step(sigma, v, x_t, now, now - 1) - following
        assert min(miss, key=lambda name: miss[name].abs().mean()) == "majority"
        assert min(miss, key=lambda name: (miss[name] ** 2).mean()) == "mean"


def test_flow_matching_is_least_for_the_mean_velocity():
    """Its loss splits: what the mean velocity leaves, plus the distance from it."""
    sigma, n = flow.linear_path(10), 200_000
    x0 = torch.where(torch.rand(n, 1, generator=seeded(0)) < 0.3, 1.0, -1.0).double()
    eps, t = torch.randn(n, 1, generator=seeded(1), dtype=torch.float64), torch.full((n,), 6)

    def mean(x_t, t):
        """Bayes' rule for two pictures: E[eps - x_0 | x_t]."""
        a = sigma[t][:, None]
        light = torch.sigmoid(math.log(3 / 7) + 2 * (1 - a) * x_t / a**2)
        return flow.velocity_from_x0(sigma, 2 * light - 1, x_t, t)

    loss = flow.flow_matching(sigma)
    least = loss(mean, x0, t, eps)
    for shift in (0.1, 0.5):
        assert abs(loss(lambda x, t, s=shift: mean(x, t) + s, x0, t, eps) - least - shift**2) < 0.02
    with pytest.raises(ValueError, match="the network's output"):
        loss(lambda x, t: x[:, 0], x0, t, eps)


def test_three_losses_are_one_regression_with_three_weights():
    """An error of x0_hat counts r^2 for the noise, r^2 + 1 for v, (r + 1)^2 on the straight path, r^2 = SNR."""
    sigma = flow.linear_path(10)
    kept = flow.alpha_bar(sigma)
    chain = schedule.from_betas(1 - kept[1:10] / kept[:9])
    x0, eps = (torch.randn(9, 1, generator=seeded(k), dtype=torch.float64) for k in (2, 3))
    t = torch.arange(1, 10)
    r = chain.snr[t].sqrt()[:, None]
    wrong, x_t = x0 + 0.3, q_sample(chain, x0, t, eps)
    for predict, weight in ((prediction.EPS, r**2), (prediction.V, r**2 + 1)):
        guess = eps_from_x0(chain, x_t, t, wrong)
        off = predict.target(chain, wrong, x_t, t, guess) - predict.target(chain, x0, x_t, t, eps)
        assert torch.allclose(off**2, weight * 0.3**2)
    x_t = flow.interpolate(sigma, x0, t, eps)
    off = flow.velocity_from_x0(sigma, wrong, x_t, t) - flow.velocity(x0, eps)
    assert torch.allclose(off**2, (r + 1) ** 2 * 0.3**2)
