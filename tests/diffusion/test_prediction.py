"""Four questions to the network, one answer: x_0."""

import dataclasses

import pytest
import torch
from diffusers import DDPMScheduler

from ddpm_core.diffusion.gaussian import eps_from_x0, q_sample
from ddpm_core.diffusion.mixture import isotropic as round_modes
from ddpm_core.diffusion.prediction import EPS, MEAN, PREDICTIONS, X0, V, denoiser
from ddpm_core.sampler import ddpm_step
from ddpm_core.schedule import cosine, linear

ALL = pytest.mark.parametrize("predict", [EPS, X0, V, MEAN], ids=repr)
SCHEDULES = pytest.mark.parametrize("schedule", [linear(), cosine(100)], ids=repr)


@pytest.fixture
def truth(normal):
    def draw(schedule):
        t = torch.arange(1, schedule.T + 1)
        x0, eps = normal(len(t), 2, 2), normal(len(t), 2, 2)
        return x0, q_sample(schedule, x0, t, eps), t, eps

    return draw


@ALL
@SCHEDULES
def test_a_perfect_answer_is_turned_into_x0(predict, schedule, truth):
    x0, x_t, t, eps = truth(schedule)
    answer = predict.target(schedule, x0, x_t, t, eps)
    assert answer.shape == x0.shape
    torch.testing.assert_close(predict.to_x0(schedule, answer, x_t, t), x0, rtol=0, atol=1e-10)


@SCHEDULES
def test_all_predictions_give_the_same_step_from_the_same_truth(schedule, truth, normal):
    x0, x_t, t, eps = truth(schedule)
    z = normal(*x0.shape)
    steps = [
        ddpm_step(schedule, x_t, t, p.to_x0(schedule, p.target(schedule, x0, x_t, t, eps), x_t, t), z)
        for p in (EPS, X0, V, MEAN)
    ]
    for step in steps[1:]:
        torch.testing.assert_close(step, steps[0], rtol=0, atol=1e-10)


@ALL
@SCHEDULES
def test_the_gain_is_how_far_x0_moves_with_the_answer(predict, schedule, truth):
    x0, x_t, t, eps = truth(schedule)
    answer = predict.target(schedule, x0, x_t, t, eps)
    moved = predict.to_x0(schedule, answer + 0.5, x_t, t) - predict.to_x0(schedule, answer - 0.5, x_t, t)
    gain = predict.x0_scale(schedule, t, x0)
    assert gain.shape == (len(t), 1, 1)
    torch.testing.assert_close(moved.abs(), gain.expand_as(moved), rtol=1e-6, atol=1e-9)


@SCHEDULES
def test_the_targets_are_those_of_diffusers(schedule, truth, peer):
    x0, x_t, t, eps = truth(schedule)
    velocity = peer(DDPMScheduler, schedule).get_velocity(x0, eps, t - 1)
    torch.testing.assert_close(V.target(schedule, x0, x_t, t, eps), velocity, rtol=0, atol=1e-12)
    assert EPS.target(schedule, x0, x_t, t, eps) is eps and X0.target(schedule, x0, x_t, t, eps) is x0


@SCHEDULES
def test_velocity_is_a_rotation(schedule, truth):
    """(x_t, v) is (x_0, eps) turned by an angle: lengths stay."""
    x0, x_t, t, eps = truth(schedule)
    v = V.target(schedule, x0, x_t, t, eps)
    torch.testing.assert_close(x_t**2 + v**2, x0**2 + eps**2, rtol=1e-10, atol=0)


def test_the_mean_is_the_next_image_as_the_noiseless_step_expects_it(truth):
    schedule = linear()
    x0, x_t, t, eps = truth(schedule)
    step = ddpm_step(schedule, x_t, t, x0, torch.zeros_like(x_t))
    torch.testing.assert_close(MEAN.target(schedule, x0, x_t, t, eps), step, rtol=0, atol=0)


def test_the_mean_of_a_step_from_clean_data_is_refused(normal):
    schedule, x, t = linear(10), normal(2, 3), torch.tensor([3, 0])
    calls = [
        lambda: MEAN.target(schedule, x, x, t, x),
        lambda: MEAN.to_x0(schedule, x, x, t),
        lambda: MEAN.x0_scale(schedule, t, x),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=r"1\.\.T, but t holds 0"):
            call()


@pytest.mark.parametrize("predict", [EPS, X0, V, MEAN], ids=repr)
def test_an_answer_of_another_shape_is_refused(predict, normal):
    with pytest.raises(ValueError, match="shaped like x_t"):
        predict.to_x0(linear(10), normal(2, 1), normal(2, 3), torch.tensor([3, 4]))


def test_predictions_are_found_by_the_name_they_show():
    assert {name: repr(predict) for name, predict in PREDICTIONS.items()} == {k: k for k in ("EPS", "X0", "V", "MEAN")}
    assert (
        PREDICTIONS["MEAN"] is MEAN and PREDICTIONS["EPS"] is EPS and PREDICTIONS["X0"] is X0 and PREDICTIONS["V"] is V
    )


# ---- chapter 5 -------------------------------------------------------------------------------------------------


@SCHEDULES
def test_the_models_mean_is_the_posteriors_with_a_guess_put_in(schedule, truth, normal):
    """Eq. 5.1 from x_0's guess and Eq. 5.2 (Ho 2020, Eq. 11) from the noise's are one step, taken by the sampler."""
    x0, x_t, t, _ = truth(schedule)
    x0_hat, no_noise = normal(*x0.shape), torch.zeros_like(x0)
    eps_hat = eps_from_x0(schedule, x_t, t, x0_hat)
    alpha, now, before = (
        table[:, None, None] for table in (schedule.alpha[t], schedule.alpha_bar[t], schedule.alpha_bar[t - 1])
    )
    by_x0 = (before.sqrt() * (1 - alpha) * x0_hat + alpha.sqrt() * (1 - before) * x_t) / (1 - now)
    by_eps = (x_t - (1 - alpha) / (1 - now).sqrt() * eps_hat) / alpha.sqrt()
    for predict, answer, mean in ((X0, x0_hat, by_x0), (EPS, eps_hat, by_eps)):
        guess = denoiser(lambda x_t, t, answer=answer: answer, schedule, predict)(x_t, t)
        torch.testing.assert_close(ddpm_step(schedule, x_t, t, guess, no_noise), mean, rtol=1e-9, atol=1e-10)
    torch.testing.assert_close(by_x0, by_eps, rtol=1e-9, atol=1e-10)


@SCHEDULES
def test_noisy_picture_and_velocity_are_picture_and_noise_turned_by_an_angle(schedule, truth):
    x0, x_t, t, eps = truth(schedule)
    phi = schedule.alpha_bar[t].sqrt().acos()
    turn = torch.stack([phi.cos(), phi.sin(), -phi.sin(), phi.cos()], dim=1).unflatten(1, (2, 2))  # R(phi), Eq. 5.8
    turned = turn @ torch.stack([x0.flatten(1), eps.flatten(1)], dim=1)
    torch.testing.assert_close(turned[:, 0], x_t.flatten(1), rtol=0, atol=1e-7)
    torch.testing.assert_close(turned[:, 1], V.target(schedule, x0, x_t, t, eps).flatten(1), rtol=0, atol=1e-7)
    torch.testing.assert_close(
        turn.mT @ turned, torch.stack([x0.flatten(1), eps.flatten(1)], dim=1), rtol=0, atol=1e-12
    )


@SCHEDULES
def test_the_gains_are_those_of_the_table(schedule):
    t = torch.arange(1, schedule.T + 1)
    beta, now, before = schedule.beta[t], schedule.alpha_bar[t], schedule.alpha_bar[t - 1]
    table = {EPS: ((1 - now) / now).sqrt(), X0: now**0, V: (1 - now).sqrt(), MEAN: (1 - now) / (before.sqrt() * beta)}
    for predict, gain in table.items():
        torch.testing.assert_close(predict.x0_scale(schedule, t, beta), gain, rtol=1e-12, atol=0)
    assert (table[V] < 1).all() and table[EPS][-1] > 100 and table[MEAN].max() > 50


@SCHEDULES
def test_what_a_straight_line_leaves_of_each_target(schedule):
    """Eq. 5.10, for data of mean 0 and variance 1, by moments: a target is a x_0 + b eps."""
    t = torch.arange(1, schedule.T + 1)
    one, zero = torch.ones(len(t)).double(), torch.zeros(len(t)).double()
    alpha, now = schedule.alpha[t], schedule.alpha_bar[t]
    b2 = schedule.alpha_bar[t - 1] * schedule.beta[t] ** 2 / (1 - now)
    shares = {EPS: now, X0: 1 - now, V: one, MEAN: b2 / (alpha + b2)}
    for predict, share in shares.items():
        a = predict.target(schedule, one, q_sample(schedule, one, t, zero), t, zero)
        b = predict.target(schedule, zero, q_sample(schedule, zero, t, one), t, one)
        variance, covariance = a**2 + b**2, a * now.sqrt() + b * (1 - now).sqrt()
        torch.testing.assert_close(1 - covariance**2 / variance, share, rtol=1e-6, atol=1e-12)


@ALL
@pytest.mark.parametrize(("t", "x_t"), [(3, 0.1), (40, -0.3), (60, 0.4)])
def test_squared_error_asks_for_the_mean_and_absolute_error_for_the_median(predict, t, x_t):
    """Eq. 5.11 by brute force: every answer is tried against every x_0 that may lie behind x_t."""
    schedule, world = linear(100, 1e-3, 0.2), round_modes([0.3, 0.7], [[-0.96], [0.96]], 0.28)
    places = torch.linspace(-3, 3, 1001, dtype=torch.float64)
    times, seen = torch.full((len(places),), t), torch.full((len(places),), x_t, dtype=torch.float64)
    alpha_bar = schedule.alpha_bar[t]
    log_jump = -((seen - alpha_bar.sqrt() * places) ** 2) / (2 * (1 - alpha_bar))
    posterior = (world.log_q(schedule, places[:, None], 0 * times) + log_jump).softmax(0)
    targets = predict.target(schedule, places, seen, times, eps_from_x0(schedule, seen, times, places))
    distance = (targets[:, None] - targets).abs()  # the answers tried are the targets of all places
    cost = {power: distance**power @ posterior for power in (1, 2)}
    best = {power: predict.to_x0(schedule, targets, seen, times)[cost[power].argmin()] for power in (1, 2)}
    mean = world.posterior_mean(schedule, seen[:1, None], times[:1])[0, 0]
    median = places[(posterior.cumsum(0) >= 0.5).nonzero()[0, 0]]
    assert abs(best[2] - mean) < 0.004 and abs(best[1] - median) < 0.007  # a cell of the grid is 0.006 wide
    assert t == 3 or abs(mean - median) > 0.1


@ALL
def test_a_prediction_cannot_be_changed(predict):
    with pytest.raises(dataclasses.FrozenInstanceError):
        predict.name = "SCORE"
