"""The bound against formulas, an exact world, and itself; and what it says to data that it cannot judge."""

import math
import warnings

import pytest
import torch

from ddpm_core import schedule
from ddpm_core.diffusion import elbo, gaussian, loss, mixture, prediction, variance
from ddpm_core.diffusion.noise import seeded
from ddpm_core.schedule import at

CLIPPED = variance.interpolated(torch.zeros((), dtype=torch.float64))  # beta_tilde with beta_tilde_2 at t = 1
VARIANCES = pytest.mark.parametrize("width", [variance.beta, CLIPPED], ids=["beta", "beta_tilde"])
GREY = torch.linspace(-1, 1, 256, dtype=torch.float64)


def pictures(n=5, seed=0):
    """n pictures 1x4x4 on the grid of grey values, both ends among them."""
    grey = torch.randint(0, 256, (n, 1, 4, 4), generator=seeded(seed))
    grey[0, 0, 0, :2] = torch.tensor([0, 255])
    return grey.double() * elbo.BIN - 1


def guess(x0, seed=1):
    return x0 + 0.3 * torch.randn(x0.shape, generator=seeded(seed), dtype=x0.dtype)


def draw(x0, s, t, seed=2):
    eps = torch.randn(x0.shape, generator=seeded(seed), dtype=x0.dtype)
    return gaussian.q_sample(s, x0, t, eps), eps


# ---- the terms -------------------------------------------------------------------------------------------------


def test_the_price_of_noise_is_its_formula():
    s, x0 = schedule.linear(200), pictures()
    a = s.alpha_bar[-1]
    expected = 0.5 * (a * x0**2 - a - (1 - a).log()).sum((1, 2, 3))
    torch.testing.assert_close(elbo.L_T(s, x0), expected, rtol=1e-9, atol=0)


def test_the_papers_schedule_forgets_to_a_hundred_thousandth_of_a_bit():
    x0 = pictures(50)
    assert 3e-6 < elbo.bits_per_dim(elbo.L_T(schedule.linear(1000), x0), x0).mean() < 4e-5  # [Ho 2020, Section 4]


@VARIANCES
@pytest.mark.parametrize("t", [2, 17, 50])
def test_a_term_is_the_divergence_that_sampling_finds(width, t):
    s, x0 = schedule.linear(50, 1e-3, 0.3), pictures(1)
    times = torch.full((1,), t)
    x_t, _ = draw(x0, s, times)
    x0_hat = guess(x0)
    true = torch.distributions.Normal(*root(gaussian.q_posterior(s, x0, x_t, times)))
    mean, _ = gaussian.q_posterior(s, x0_hat, x_t, times)
    model = torch.distributions.Normal(mean, width(s, times, x_t).sqrt().expand_as(mean))
    expected = torch.distributions.kl_divergence(true, model).sum()
    torch.testing.assert_close(elbo.L_t(s, x0, x_t, times, x0_hat, width)[0], expected, rtol=1e-9, atol=1e-12)


def root(mean_and_variance):
    mean, variance = mean_and_variance
    return mean, variance.sqrt().expand_as(mean)


@pytest.mark.parametrize("ask", prediction.PREDICTIONS.values(), ids=repr)
def test_a_term_is_the_weight_of_training_times_the_squared_error(ask):
    """L_{t-1} with variance beta_t = a constant + vlb weight x |error of the network's own answer|^2.  [Eq. 12]"""
    s, x0 = schedule.cosine(40), pictures(6)
    t = torch.tensor([2, 3, 10, 20, 30, 39])
    x_t, eps = draw(x0, s, t)
    answer = guess(ask.target(s, x0, x_t, t, eps))
    wrong = elbo.L_t(s, x0, x_t, t, ask.to_x0(s, answer, x_t, t))
    right = elbo.L_t(s, x0, x_t, t, x0)
    error = ((answer - ask.target(s, x0, x_t, t, eps)) ** 2).sum((1, 2, 3))
    torch.testing.assert_close(wrong - right, loss.vlb(s, t, ask) * error, rtol=1e-7, atol=1e-9)


def test_with_the_posteriors_variance_a_term_is_a_difference_of_signal_to_noise_ratios():
    """L_{t-1} = 1/2 (SNR_{t-1} - SNR_t) |x_0 - x0_hat|^2.  [Kingma 2021, Eq. 13]"""
    s, x0 = schedule.cosine(40), pictures(4)
    t = torch.tensor([2, 11, 25, 40])
    x_t, _ = draw(x0, s, t)
    x0_hat = guess(x0)
    expected = 0.5 * (s.snr[t - 1] - s.snr[t]) * ((x0 - x0_hat) ** 2).sum((1, 2, 3))
    torch.testing.assert_close(elbo.L_t(s, x0, x_t, t, x0_hat, variance.beta_tilde), expected, rtol=1e-7, atol=0)


@VARIANCES
@pytest.mark.parametrize("around", [-1.0, -0.2, 0.99, 3.0])
def test_the_decoder_shares_out_exactly_one(width, around):
    s = schedule.linear(50, 1e-3, 0.3)
    x0 = GREY[:, None]
    cost = elbo.L_0(s, x0, torch.zeros_like(x0), torch.full_like(x0, around), width)
    torch.testing.assert_close((-cost).exp().sum(), torch.tensor(1.0, dtype=torch.float64), rtol=1e-12, atol=0)


def test_the_decoder_is_the_mass_of_a_bin():
    s = schedule.from_betas([0.09, 0.2])
    x0, x0_hat = pictures(), guess(pictures())
    phi = torch.distributions.Normal(x0_hat, 0.3).cdf
    upper = torch.where(x0 > 0.999, 1.0, phi(x0 + 1 / 255))
    lower = torch.where(x0 < -0.999, 0.0, phi(x0 - 1 / 255))
    expected = -(upper - lower).log().sum((1, 2, 3))
    torch.testing.assert_close(elbo.L_0(s, x0, x0, x0_hat), expected, rtol=1e-8, atol=0)


def test_the_decoder_keeps_its_digits_far_out():
    """100 standard deviations away a difference of two cdfs is 0 - 0; the logarithm is known all the same."""
    s, x0 = schedule.from_betas([1e-4, 0.2]), GREY[[128]][:, None]
    cost = elbo.L_0(s, x0, x0, x0 + 1)  # 1 / 0.01 = 100 standard deviations
    nearest = (1 - 1 / 255) / 0.01  # the near edge of the bin carries nearly all of its mass
    expected = nearest**2 / 2 + math.log(nearest * math.sqrt(2 * math.pi))
    assert abs(cost.item() - expected) < 1e-3


# ---- the sum ---------------------------------------------------------------------------------------------------


def test_terms_are_the_terms():
    s, x0 = schedule.linear(5, 0.5, 0.95), pictures(3)
    rows = elbo.vlb_terms(lambda x_t, t: 0.5 * x_t, s, x0, seeded(7))
    assert rows.shape == (6, 3)
    torch.testing.assert_close(rows[0], elbo.L_T(s, x0))
    generator = seeded(7)
    for t in range(1, 6):
        times, eps = torch.full((3,), t), torch.randn(x0.shape, generator=generator, dtype=x0.dtype)
        x_t = gaussian.q_sample(s, x0, times, eps)
        alone = elbo.L_0(s, x0, x_t, x_t / 2) if t == 1 else elbo.L_t(s, x0, x_t, times, x_t / 2)
        torch.testing.assert_close(rows[t], alone)


@pytest.mark.parametrize("ask", prediction.PREDICTIONS.values(), ids=repr)
def test_any_of_the_four_questions_gives_the_same_bound(ask):
    s, x0 = schedule.linear(12, 0.1, 0.8), pictures(3)

    def net(x_t, t):  # a network that is asked for `ask` and knows that x_0 is 0.8 x_t
        believed = 0.8 * x_t
        eps = gaussian.eps_from_x0(s, x_t, t, believed)
        return ask.target(s, believed, x_t, t, eps)

    asked = elbo.vlb_terms(prediction.denoiser(net, s, ask), s, x0, seeded(1))
    torch.testing.assert_close(asked, elbo.vlb_terms(lambda x_t, t: 0.8 * x_t, s, x0, seeded(1)))


def test_a_network_in_float32_is_asked_in_float32_and_judged_in_float64():
    s, x0, seen = schedule.linear(4, 0.6, 0.98), pictures(2).float(), []
    rows = elbo.vlb_terms(lambda x_t, t: seen.append(x_t.dtype) or x_t, s, x0, seeded(1))
    assert set(seen) == {torch.float32} and rows.dtype == torch.float64
    compared = elbo.vlb_terms(lambda x_t, t: x_t, s, x0.double(), seeded(1))
    assert ((rows - compared).abs() / compared).max() < 2  # other noise, same size: no blow-up by rounding


def test_bits_per_dim():
    x0 = torch.zeros(2, 3, 4, 5)
    got = elbo.bits_per_dim(torch.tensor([60 * math.log(2), 0.0]), x0)
    torch.testing.assert_close(got, torch.tensor([1.0, 0.0]))


# ---- infinitely many steps -------------------------------------------------------------------------------------


def test_the_integral_of_the_error_is_the_information_of_the_data():
    """With the perfect denoiser 1/2 integral of SNR E|x_0 - x0_hat|^2 d ln SNR = I(x_0; x_t) at its upper end."""
    s = schedule.cosine(1000)
    world = mixture.isotropic([0.3, 0.7], [[-1.0], [0.8]], 0.35)
    grid = torch.linspace(-9, 9, 1201, dtype=torch.float64)[:, None]
    cell, log_snr = (grid[1] - grid[0]).item(), s.snr.log()
    times = [t for t in range(1, 1001) if -9 < log_snr[t] < 4]

    def error_and_information(t):
        t = torch.full((len(grid),), t)
        log_q = world.log_q(s, grid, t)
        known = (log_q.exp() * world.posterior_mean(s, grid, t)[:, 0] ** 2).sum() * cell
        second = (world.weights * (world.means**2 + world.variances)[:, 0]).sum()
        noise = 1 - s.alpha_bar[t[0]]
        information = -(log_q.exp() * log_q).sum() * cell - 0.5 * (2 * math.pi * math.e * noise).log()
        return second - known, information

    found = [error_and_information(t) for t in times]
    error, information = (torch.stack(column) for column in zip(*found, strict=True))
    integral = -0.5 * torch.trapezoid(s.snr[times] * error, log_snr[times])
    assert abs(integral - (information[0] - information[-1])) < 1e-4


def one_grey_value(s, x_t, t, x0):
    """The perfect denoiser for pixels that are, each on its own, equally often -1, 0.2 (rounded to the grid) or 1."""
    values = x0.unique()
    a = at(s.alpha_bar, t, like=x_t)[..., None]
    share = (-0.5 * (x_t[..., None] - a.sqrt() * values) ** 2 / (1 - a)).softmax(-1)
    return (share * values).sum(-1)


@pytest.mark.parametrize("s", [schedule.linear(1000), schedule.cosine(1000), schedule.sigmoid(1000)], ids=str)
def test_the_continuous_bound_is_the_entropy_whatever_the_schedule(s):
    values = -1 + elbo.BIN * torch.tensor([0, 153, 255], dtype=torch.float64)
    x0 = values[torch.randint(0, 3, (60, 1, 8, 8), generator=seeded(0))]
    nats = elbo.continuous_time_vlb(lambda x_t, t: one_grey_value(s, x_t, t, x0), s, x0, seeded(1), (-6.0, 7.8), 57)
    per_pixel = elbo.bits_per_dim(nats, x0)
    spread = per_pixel.std() / len(x0) ** 0.5
    # the decoder pays for the 256 grey values that the data do not use, at the end where they are told apart
    t = int((s.snr.log()[1:] - 7.8).abs().argmin()) + 1
    z = x0 + torch.randn(x0.shape, generator=seeded(2), dtype=x0.dtype) / s.snr[t].sqrt()
    grey = torch.linspace(-1, 1, 256, dtype=torch.float64)
    log_q = -0.5 * s.snr[t] * (z[..., None] - grey) ** 2
    decoder = (log_q.logsumexp(-1) + 0.5 * s.snr[t] * (z - x0) ** 2).mean() / math.log(2)
    assert abs(per_pixel.mean() - decoder - math.log2(3)) < 4 * spread + 0.01


def test_the_discrete_bound_approaches_the_continuous_one():
    values = -1 + elbo.BIN * torch.tensor([0, 153, 255], dtype=torch.float64)
    x0 = values[torch.randint(0, 3, (40, 1, 8, 8), generator=seeded(0))]
    totals = []
    for T in (20, 100, 500):
        s = schedule.cosine(T)
        rows = elbo.vlb_terms(lambda x_t, t, s=s: one_grey_value(s, x_t, t, x0), s, x0, seeded(1), CLIPPED)
        totals.append(elbo.bits_per_dim(rows[2:].sum(0), x0).mean().item())
    assert totals[0] > totals[1]  # few steps cost more
    assert abs(totals[2] - math.log2(3)) < abs(totals[1] - math.log2(3)) + 0.02


def test_levels_are_where_they_were_asked_for():
    s, x0, asked = schedule.linear(1000), pictures(1), []
    elbo.continuous_time_vlb(lambda x_t, t: asked.append(int(t[0])) or x_t, s, x0, seeded(0), (-9.0, 6.4), 17)
    at_them = s.snr.log()[asked]
    torch.testing.assert_close(at_them, torch.linspace(6.4, -9, 17, dtype=torch.float64), rtol=0, atol=0.2)


# ---- bad input -------------------------------------------------------------------------------------------------

OFF_GRID = [
    (pictures() + 0.003, "0.38 of a grey value"),
    (torch.randn(2, 1, 4, 4, generator=seeded(3)), "grid of 256 grey values"),
    (pictures() * 1.5, "grid of 256 grey values"),
    (pictures() + 2, "grid of 256 grey values"),  # on a grid, but not in the range
    (pictures() / 2, "grid of 256 grey values"),  # in the range, but not on the grid
    (torch.full((1, 1, 2, 2), math.nan), "grid of 256 grey values"),
]


@pytest.mark.parametrize(("x0", "words"), OFF_GRID)
def test_data_beside_the_grid_is_refused(x0, words):
    s = schedule.linear(10, 0.1, 0.9)
    with pytest.raises(ValueError, match=words):
        elbo.L_0(s, x0, x0, x0)
    with pytest.raises(ValueError, match=words):
        elbo.vlb_terms(lambda x_t, t: x_t, s, x0, seeded(0))
    with pytest.raises(ValueError, match=words):
        elbo.continuous_time_vlb(lambda x_t, t: x_t, schedule.linear(1000), x0, seeded(0))


def test_a_picture_and_its_noisy_one_must_be_of_one_shape(normal):
    with pytest.raises(ValueError, match="need x0 shaped like x_1"):
        elbo.L_0(schedule.linear(10), torch.ones(2, 1, 4, 4), normal(2, 3, 4, 4), normal(2, 3, 4, 4))


def test_a_variance_of_zero_is_refused_where_its_logarithm_is_due():
    s, x0 = schedule.linear(10, 0.1, 0.9), pictures()
    with pytest.raises(ValueError, match=r"variance above 0.*beta_tilde_1 is 0"):
        elbo.L_0(s, x0, x0, x0, variance.beta_tilde)
    with pytest.raises(ValueError, match="variance above 0"):
        elbo.vlb_terms(lambda x_t, t: x_t, s, x0, seeded(0), variance.beta_tilde)


@pytest.mark.parametrize("t", [0, 1])
def test_there_is_no_divergence_at_the_last_step(t):
    s, x0 = schedule.linear(10, 0.1, 0.9), pictures(1)
    with pytest.raises(ValueError, match=rf"times 2..T.*holds {t}.*L_0"):
        elbo.L_t(s, x0, x0, torch.tensor([t]), x0)


@pytest.mark.parametrize("ask", [prediction.EPS, prediction.MEAN], ids=repr)
def test_a_question_that_has_no_answer_at_zero_says_so(ask):
    s, x0, t = schedule.linear(10, 0.1, 0.9), pictures(1), torch.tensor([0])
    with pytest.raises(ValueError, match=r"t holds 0.*does not exist at t = 0"):
        loss.vlb(s, t, ask)
    if ask is prediction.MEAN:
        with pytest.raises(ValueError, match="t holds 0"):
            ask.to_x0(s, x0, x0, t)


def test_a_chain_that_remembers_is_warned_of_by_its_price():
    s, x0 = schedule.linear(200), pictures(1)
    with pytest.warns(UserWarning, match=r"alpha_bar_T near 0, but it is 0.132: .*36%.*L_T = 0.1 bits"):
        elbo.vlb_terms(lambda x_t, t: x_t, s, x0, seeded(0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for forgets in (schedule.linear(1000), schedule.cosine(1000), schedule.cosine(16)):
            elbo.check_terminal_snr(forgets)


@pytest.mark.parametrize("log_snr", [(-30.0, 5.0), (-5.0, 30.0), (3.0, -3.0)])
def test_levels_that_the_schedule_does_not_reach_are_refused(log_snr):
    with pytest.raises(ValueError, match=r"need ln SNR between -10.1. and 9.21"):
        elbo.continuous_time_vlb(lambda x_t, t: x_t, schedule.linear(1000), pictures(), seeded(0), log_snr)


def test_training_on_a_chain_that_remembers_is_warned_of():
    with pytest.warns(UserWarning, match=r"L_T = 0.1 bits") as caught:
        loss.objective(schedule.linear(200), prediction.V)
    assert caught[0].filename == __file__  # it points at the line that chose the schedule


# ---- one term an example, and the progressive code ---------------------------------------------------------------


def test_a_mixed_batch_has_the_term_of_each_time():
    s, x0 = schedule.linear(50, 1e-3, 0.3), pictures(4)
    times = torch.tensor([1, 2, 1, 50])
    x_t, _ = draw(x0, s, times)
    x0_hat = guess(x0)
    found = elbo.term(s, x0, x_t, times, x0_hat, CLIPPED)
    for k, t in enumerate(times.tolist()):
        one = (x0[k : k + 1], x_t[k : k + 1])
        if t == 1:
            alone = elbo.L_0(s, *one, x0_hat[k : k + 1], CLIPPED)
        else:
            alone = elbo.L_t(s, *one, times[k : k + 1], x0_hat[k : k + 1], CLIPPED)
        torch.testing.assert_close(found[k : k + 1], alone)


def test_bits_arrive_from_the_noisy_end_and_the_last_are_those_of_the_picture():
    terms = torch.rand(51, 3, generator=seeded(3), dtype=torch.float64)
    sent = elbo.rate(terms)
    torch.testing.assert_close(sent[50], terms[0])  # to know x_T costs L_T
    torch.testing.assert_close(sent[0], terms.sum(0))
    for t in (1, 20, 49):
        torch.testing.assert_close(sent[t], terms[0] + terms[t + 1 :].sum(0))


def test_a_chain_of_one_step_has_two_terms_to_send():
    terms = torch.tensor([[0.5], [2.0]], dtype=torch.float64)
    torch.testing.assert_close(elbo.rate(terms), torch.tensor([[2.5], [0.5]], dtype=torch.float64))


def test_an_error_of_ten_grey_values_everywhere_is_a_distortion_of_ten():
    x0 = pictures(2)
    off = torch.where(x0 > 0, -10, 10) * elbo.BIN
    torch.testing.assert_close(elbo.distortion(x0, x0 + off), torch.full((2,), 10.0, dtype=torch.float64))
