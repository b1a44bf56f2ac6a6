"""Weights on the loss: the bound's own, capped ones, and that the question asked does not change what counts."""

import pytest
import torch

from ddpm_core.diffusion.gaussian import kl, q_posterior, q_sample
from ddpm_core.diffusion.loss import min_snr, uniform, vlb
from ddpm_core.diffusion.prediction import EPS, MEAN, X0, V
from ddpm_core.schedule import cosine, linear

ALL = pytest.mark.parametrize("predict", [EPS, X0, V, MEAN], ids=repr)
SCHEDULES = pytest.mark.parametrize("schedule", [linear(), cosine(100)], ids=repr)


def times(schedule):
    return torch.arange(1, schedule.T + 1)


def test_uniform_weights_are_one():
    weight = uniform(linear(10), torch.tensor([1, 5, 10]), EPS)
    assert weight.tolist() == [1, 1, 1]


@SCHEDULES
def test_the_bound_weighs_noise_as_the_paper_says(schedule):
    """Ho 2020, Eq. 12 with sigma_t^2 = beta_t."""
    t = times(schedule)
    beta, alpha, alpha_bar = schedule.beta[t], schedule.alpha[t], schedule.alpha_bar[t]
    paper = beta**2 / (2 * beta * alpha * (1 - alpha_bar))
    torch.testing.assert_close(vlb(schedule, t, EPS), paper, rtol=1e-10, atol=0)


@SCHEDULES
def test_the_bound_weighs_the_next_image_by_the_steps_variance_alone(schedule):
    t = times(schedule)
    torch.testing.assert_close(vlb(schedule, t, MEAN), 1 / (2 * schedule.beta[t]), rtol=1e-10, atol=0)


@ALL
@SCHEDULES
def test_the_weighted_error_is_the_kl_of_the_two_steps_back(predict, schedule, normal):
    """L_{t-1} - C: the KL between posterior and model of variance beta_t, less what a perfect answer leaves."""
    t = times(schedule)[1:]  # the posterior of t = 1 has no width, and its KL is infinite
    x0, x0_hat, eps = normal(len(t)), normal(len(t)), normal(len(t))
    x_t = q_sample(schedule, x0, t, eps)
    mean, variance = q_posterior(schedule, x0, x_t, t)
    model_mean, _ = q_posterior(schedule, x0_hat, x_t, t)
    beta = schedule.beta[t]
    excess = kl(mean, variance, model_mean, beta) - kl(mean, variance, mean, beta)
    eps_hat = (x_t - schedule.alpha_bar[t].sqrt() * x0_hat) / (1 - schedule.alpha_bar[t]).sqrt()
    error = predict.target(schedule, x0, x_t, t, eps) - predict.target(schedule, x0_hat, x_t, t, eps_hat)
    torch.testing.assert_close(vlb(schedule, t, predict) * error**2, excess, rtol=1e-6, atol=1e-12)


@ALL
@SCHEDULES
@pytest.mark.parametrize("weight", [vlb, min_snr(5.0)], ids=["vlb", "min_snr"])
def test_the_same_error_of_x0_costs_the_same_whatever_was_asked(weight, predict, schedule):
    t = times(schedule)
    x0_error = torch.full((len(t),), 0.3, dtype=torch.float64)
    answer_error = x0_error / predict.x0_scale(schedule, t, x0_error)
    cost = weight(schedule, t, predict) * answer_error**2
    torch.testing.assert_close(cost, weight(schedule, t, X0) * x0_error**2, rtol=1e-10, atol=0)


@SCHEDULES
def test_min_snr_is_the_snr_with_a_cap(schedule):
    t = times(schedule)
    weight = min_snr(5.0)(schedule, t, X0)
    assert weight.max() == 5 and (weight < 5).any()
    below = schedule.snr[t] < 5
    torch.testing.assert_close(weight[below], schedule.snr[t][below])
    assert (weight[~below] == 5).all()


def test_min_snr_asked_for_noise_forgets_the_snr_where_it_is_low():
    """SNR on x_0 is 1 on eps: below the cap every time counts the same."""
    schedule = linear()
    t = times(schedule)
    weight = min_snr(5.0)(schedule, t, EPS)
    torch.testing.assert_close(weight[schedule.snr[t] < 5], torch.ones(int((schedule.snr[t] < 5).sum())).double())
    assert weight.max() <= 1 + 1e-12


def test_the_bound_has_no_weight_at_clean_data():
    with pytest.raises(ValueError, match=r"1\.\.T"):
        vlb(linear(10), torch.tensor([0]), X0)


# ---- chapter 5 -------------------------------------------------------------------------------------------------


@SCHEDULES
def test_the_bound_weighs_the_clean_picture_by_its_share_in_the_mean(schedule):
    """Eq. 5.4 with sigma_t^2 = beta_t; with beta_tilde_t the same share gives a difference of SNRs."""
    t = times(schedule)
    beta, now, before = schedule.beta[t], schedule.alpha_bar[t], schedule.alpha_bar[t - 1]
    torch.testing.assert_close(vlb(schedule, t, X0), before * beta**2 / (2 * beta * (1 - now) ** 2), rtol=1e-10, atol=0)
    narrow = (vlb(schedule, t, X0) * beta / schedule.beta_tilde[t])[1:]
    torch.testing.assert_close(narrow, 0.5 * (schedule.snr[t - 1] - schedule.snr[t])[1:], rtol=1e-7, atol=0)


@SCHEDULES
def test_the_bound_weighs_the_velocity_without_a_square(schedule):
    t = times(schedule)
    expected = schedule.alpha_bar[t - 1] * schedule.beta[t] / (2 * (1 - schedule.alpha_bar[t]))
    torch.testing.assert_close(vlb(schedule, t, V), expected, rtol=1e-10, atol=0)


@ALL
@SCHEDULES
def test_a_plain_loss_weighs_the_error_of_x0_by_one_over_the_gain_squared(predict, schedule):
    """SNR for the noise, 1 for the picture, their sum for the velocity, 2 beta times the bound's for the mean."""
    t = times(schedule)
    plain = uniform(schedule, t, predict) / predict.x0_scale(schedule, t, schedule.beta[t]) ** 2
    expected = {
        EPS: schedule.snr[t],
        X0: torch.ones(len(t)).double(),
        V: schedule.snr[t] + 1,
        MEAN: 2 * schedule.beta[t] * vlb(schedule, t, X0),
    }
    torch.testing.assert_close(plain, expected[predict], rtol=1e-9, atol=0)


def test_the_bound_on_the_snr_is_the_authors():
    """gamma = 5, if not told otherwise.  [Hang 2023, Section 3.4]"""
    schedule, t = cosine(100), torch.arange(1, 101)
    weight = min_snr()(schedule, t, X0)
    assert weight.max() == 5 and torch.equal(weight, min_snr(5.0)(schedule, t, X0))
    torch.testing.assert_close(weight[weight < 5], schedule.snr[1:][weight < 5], rtol=1e-12, atol=0)
