"""The training loss, and the times it is evaluated at."""

import math

import pytest
import torch
import torch.nn.functional as F
from scipy.stats import chi2

from ddpm_core.diffusion.elbo import L_0, L_t
from ddpm_core.diffusion.gaussian import q_sample, x0_from_eps
from ddpm_core.diffusion.loss import bound, hybrid, objective, sample_timesteps, training_loss, vlb
from ddpm_core.diffusion.pixels import BIN
from ddpm_core.diffusion.prediction import EPS, MEAN, X0, V
from ddpm_core.diffusion.variance import beta_tilde, interpolated
from ddpm_core.schedule import cosine, linear

SCHEDULE = linear(100)


@pytest.fixture
def batch(normal):
    return normal(16, 1, 4, 4).clamp(-1, 1), torch.randint(1, 101, (16,)), normal(16, 1, 4, 4)


def test_the_simplified_loss_is_the_plain_squared_error_of_the_noise(batch, normal):
    x0, t, eps = batch
    answer, seen = normal(16, 1, 4, 4), []

    def net(x_t, t):
        seen.append((x_t, t))
        return answer

    assert training_loss(net, SCHEDULE, x0, t, eps).item() == pytest.approx(F.mse_loss(answer, eps).item(), rel=1e-12)
    assert torch.equal(seen[0][0], q_sample(SCHEDULE, x0, t, eps)) and torch.equal(seen[0][1], t)


@pytest.mark.parametrize("predict", [EPS, X0, V, MEAN], ids=repr)
def test_a_perfect_network_has_no_loss(predict, batch):
    x0, t, eps = batch

    def perfect(x_t, t):
        return predict.target(SCHEDULE, x0, x_t, t, eps)

    assert training_loss(perfect, SCHEDULE, x0, t, eps, predict, vlb).item() == 0
    assert training_loss(lambda x, t: perfect(x, t) + 0.1, SCHEDULE, x0, t, eps, predict).item() == pytest.approx(0.01)


@pytest.mark.parametrize("shape", [(16, 1, 4, 1), (1, 1, 4, 4), (16, 3, 4, 4), (16, 16)])
def test_an_answer_of_another_shape_is_refused_and_not_spread_out(shape, batch, normal):
    x0, t, eps = batch
    with pytest.raises(ValueError, match="need the network's output shaped like x_t"):
        training_loss(lambda x, t: normal(*shape), SCHEDULE, x0, t, eps)


def test_each_example_is_weighted_by_its_own_time(batch):
    x0, t, eps = batch
    errors = torch.linspace(0, 1, 16, dtype=torch.float64)
    off = training_loss(lambda x, t: eps + errors[:, None, None, None], SCHEDULE, x0, t, eps, EPS, vlb)
    assert off.item() == pytest.approx((vlb(SCHEDULE, t, EPS) * errors**2).mean().item(), rel=1e-12)


def test_the_loss_is_in_the_dtype_of_the_images_and_reaches_the_network(batch):
    x0, t, eps = (x.float() if x.is_floating_point() else x for x in batch)
    scale = torch.ones((), requires_grad=True)
    loss = training_loss(lambda x, t: scale * x, SCHEDULE, x0, t, eps)
    loss.backward()
    assert loss.dtype == torch.float32 and loss.ndim == 0 and scale.grad != 0


def test_the_loss_refuses_whole_number_images_and_foreign_times(batch):
    x0, t, eps = batch
    with pytest.raises(ValueError, match="floating-point"):
        training_loss(lambda x, t: x, SCHEDULE, x0.to(torch.uint8), t, eps.to(torch.uint8))
    with pytest.raises(ValueError, match=r"0\.\.100"):
        training_loss(lambda x, t: x, SCHEDULE, x0, t + 100, eps)


def test_the_loss_refuses_pictures_on_the_scale_of_pixels_but_not_points():
    t, eps = torch.tensor([5, 50]), torch.zeros(2, 1, 4, 4)
    pixels = torch.full((2, 1, 4, 4), 255.0)
    with pytest.raises(ValueError, match=r"\[-1, 1\], but they run from 255 to 255"):
        training_loss(lambda x, t: x, SCHEDULE, pixels, t, eps)
    points = torch.full((2, 2), 3.0)
    assert training_loss(lambda x, t: x, SCHEDULE, points, t, torch.zeros(2, 2)).isfinite()


# ---- times -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("T", "n"), [(1000, 64), (10, 4), (7, 32), (1, 5), (1000, 1)])
def test_drawn_times_are_in_range_and_cover_each_nth_of_it(T, n):
    schedule = linear(T)
    for seed in range(50):
        t = sample_timesteps(schedule, n, torch.Generator().manual_seed(seed))
        assert t.shape == (n,) and t.dtype == torch.long and t.min() >= 1 and t.max() <= T
        # the k-th smallest lies in the k-th n-th of (0, T]
        k = torch.arange(n)
        ordered = t.sort().values
        assert (ordered > k * T / n - 1e-9).all() and (ordered - 1 < (k + 1) * T / n + 1e-9).all()


def test_each_drawn_time_is_uniform_by_itself():
    """The first of each batch, which the others do not tell about: a chi-square test with its usual bound."""
    generator, T, draws = torch.Generator().manual_seed(0), 12, 6000
    first = torch.stack([sample_timesteps(linear(T), 5, generator)[0] for _ in range(draws)])
    counts = torch.bincount(first, minlength=T + 1)[1:]
    statistic = ((counts - draws / T) ** 2 / (draws / T)).sum().item()
    assert statistic < chi2.ppf(0.9999, T - 1)


def test_drawn_times_scatter_less_than_independent_ones():
    means = torch.stack(
        [sample_timesteps(linear(1000), 64, torch.Generator().manual_seed(s)).double().mean() for s in range(100)]
    )
    assert means.std() < 0.25 * 1000 / (12 * 64) ** 0.5
    assert abs(means.mean() - 500.5) < 3


def test_drawn_times_are_shuffled_and_repeatable():
    draw = [sample_timesteps(linear(1000), 64, torch.Generator().manual_seed(s)) for s in (3, 3, 4)]
    assert torch.equal(draw[0], draw[1]) and not torch.equal(draw[0], draw[2])
    assert not torch.equal(draw[0], draw[0].sort().values)


# ---- what the simplified loss leaves out ------------------------------------------------------------------------


@pytest.fixture
def guessed(normal):
    """Every time from 2 on: x0, x_t, t, eps and a wrong guess of eps, one pixel each."""
    t = torch.arange(2, 101)
    x0, eps, error = normal(len(t), 1), normal(len(t), 1), 0.3 * normal(len(t), 1)
    return x0, q_sample(SCHEDULE, x0, t, eps), t, eps, eps + error


def test_with_the_posteriors_variance_the_weight_is_a_ratio_of_signal_to_noise_ratios(guessed):
    x0, x_t, t, eps, guess = guessed
    kl = L_t(SCHEDULE, x0, x_t, t, x0_from_eps(SCHEDULE, x_t, t, guess), beta_tilde)
    weight = 0.5 * (SCHEDULE.snr[t - 1] / SCHEDULE.snr[t] - 1)
    torch.testing.assert_close(kl, weight * ((eps - guess) ** 2)[:, 0], rtol=1e-6, atol=1e-12)
    moved = SCHEDULE.beta[t] / (2 * SCHEDULE.alpha[t] * (1 - SCHEDULE.alpha_bar[t - 1]))
    torch.testing.assert_close(weight, moved, rtol=1e-9, atol=0)


def test_the_simplified_loss_is_the_bound_with_its_weights_undone(guessed):
    x0, x_t, t, eps, guess = guessed
    x0_hat = x0_from_eps(SCHEDULE, x_t, t, guess)
    simple = training_loss(lambda x, t: guess, SCHEDULE, x0, t, eps)
    above_the_best = L_t(SCHEDULE, x0, x_t, t, x0_hat) - L_t(SCHEDULE, x0, x_t, t, x0)
    assert (above_the_best / vlb(SCHEDULE, t, EPS)).mean().item() == pytest.approx(simple.item(), rel=1e-6)
    in_pictures = SCHEDULE.snr[t] * ((x0 - x0_hat) ** 2)[:, 0]
    assert in_pictures.mean().item() == pytest.approx(simple.item(), rel=1e-9)


@pytest.mark.parametrize(("low", "high"), [(-8, -2), (-2, 0), (0, 1), (1, 9)])
def test_uniform_times_visit_each_noise_level_as_often_as_its_density_says(low, high):
    """For SNR = cot^2(pi u / 2), p = |du / dl| is 1 / (2 pi cosh(l / 2)), and its integral an arctangent."""
    schedule = cosine(1000, s=0.0)
    level = schedule.snr[sample_timesteps(schedule, 1000, torch.Generator().manual_seed(0))].log()
    integral = 2 / math.pi * (math.atan(math.exp(high / 2)) - math.atan(math.exp(low / 2)))
    assert ((level > low) & (level <= high)).double().mean().item() == pytest.approx(integral, abs=2e-3)


def test_one_time_for_each_example_estimates_the_sum_over_all_times():
    errors = torch.linspace(1, 0.1, 100, dtype=torch.float64)

    def estimate(n, seed):
        t = sample_timesteps(SCHEDULE, n, torch.Generator().manual_seed(seed))
        eps = torch.zeros(n, 1, dtype=torch.float64)
        off = errors[t - 1].sqrt()[:, None]
        return SCHEDULE.T * training_loss(lambda x, t: eps + off, SCHEDULE, eps, t, eps, EPS, vlb).item()

    total = (vlb(SCHEDULE, torch.arange(1, 101), EPS) * errors).sum().item()
    assert estimate(100, 0) == pytest.approx(total, rel=1e-12)  # each time once
    estimates = torch.tensor([estimate(4, seed) for seed in range(400)])
    assert abs(estimates.mean() - total) < 4 * estimates.std() / 20


def test_there_is_no_noise_to_guess_at_zero():
    x0 = torch.zeros(2, 1, 2, 2)
    with pytest.raises(ValueError, match=r"need times 1..T, where there is noise to guess, but t holds 0"):
        training_loss(lambda x_t, t: x_t, SCHEDULE, x0, torch.tensor([0, 3]), torch.randn(x0.shape))


# ---- a learned variance ----------------------------------------------------------------------------------------


class Heads(torch.nn.Module):
    """Two numbers of weight for the prediction, two for the variance."""

    def __init__(self):
        super().__init__()
        self.mean = torch.nn.Parameter(torch.tensor([0.4, 0.1], dtype=torch.float64))
        self.width = torch.nn.Parameter(torch.tensor([0.2, -0.1], dtype=torch.float64))

    def forward(self, x, t):
        return torch.cat([a * x + b for a, b in (self.mean, self.width)], dim=1)


def grey(normal, *shape):
    return (((normal(*shape).clamp(-1, 1) + 1) / BIN).round() * BIN) - 1


def gradients(loss, net):
    return torch.autograd.grad(loss, [net.mean, net.width], allow_unused=True)


def test_the_learned_bound_is_the_sum_of_its_terms(normal):
    """One example for each time: T times the mean of the terms is their sum, in bits."""
    s, net = linear(20, 1e-3, 0.3), Heads()
    x0, t = grey(normal, 1, 1, 4, 4).expand(20, 1, 4, 4), torch.arange(1, 21)
    eps = normal(20, 1, 4, 4)
    x_t = q_sample(s, x0, t, eps)
    output, v = net(x_t, t).chunk(2, dim=1)
    x0_hat = x0_from_eps(s, x_t, t, output)
    width = interpolated((v + 1) / 2)
    first = L_0(s, x0[:1], x_t[:1], x0_hat[:1], interpolated((v[:1] + 1) / 2))
    rest = L_t(s, x0[1:], x_t[1:], t[1:], x0_hat[1:], lambda s, t, like: width(s, torch.arange(1, 21), x_t)[1:])
    expected = (first.sum() + rest.sum()) / math.log(2) / 16
    assert bound(s, EPS)(net, x0, t, eps).item() == pytest.approx(expected.item(), rel=1e-9)


@pytest.mark.parametrize("predict", [EPS, V], ids=repr)
def test_in_the_hybrid_loss_the_bound_moves_the_variance_alone(predict, normal):
    s, net = linear(100), Heads()
    x0, t, eps = grey(normal, 16, 1, 4, 4), torch.randint(1, 101, (16,)), normal(16, 1, 4, 4)
    mean, width = gradients(hybrid(s, predict, share=0.25)(net, x0, t, eps), net)
    of_simple, _ = gradients(training_loss(lambda x, t: net(x, t)[:, :1], s, x0, t, eps, predict), net)
    of_mean, of_width = gradients(bound(s, predict)(net, x0, t, eps), net)
    torch.testing.assert_close(mean, of_simple)
    torch.testing.assert_close(width, 0.25 * of_width)
    torch.testing.assert_close(gradients(hybrid(s, predict)(net, x0, t, eps), net)[1], 0.001 * of_width)  # the paper's
    assert not torch.allclose(of_mean, torch.zeros_like(of_mean), atol=1e-3)  # alone, the bound moves both


@pytest.mark.parametrize(("loss", "channels"), [(objective, 1), (bound, 2), (hybrid, 2)])
def test_a_loss_tells_the_network_the_labels_that_it_is_told(loss, channels, batch):
    (x0, t, eps), labels, seen = batch, torch.arange(16), []

    def net(x_t, t, **told):
        seen.append(told)
        return torch.zeros(16, channels, 4, 4, dtype=torch.float64)

    of = loss(cosine(100), EPS)
    of(net, x0, t.clamp(min=2), eps, labels)
    of(net, x0, t.clamp(min=2), eps)
    assert seen[0]["labels"] is labels and seen[1] == {}
