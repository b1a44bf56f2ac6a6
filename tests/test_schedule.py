"""Schedules: held to diffusers' tables, to the definitions, and to what they must refuse."""

import dataclasses
import math

import pytest
import torch
from diffusers import DDPMScheduler
from diffusers.training_utils import compute_snr

from ddpm_core.diffusion.gaussian import q_posterior
from ddpm_core.diffusion.timesteps import uniform
from ddpm_core.sampler import ddim_step, ddpm_step
from ddpm_core.schedule import at, cosine, from_betas, linear, respaced, sigmoid

ALL = pytest.mark.parametrize(
    "schedule", [linear(), cosine(), sigmoid(), linear(7, 0.1, 0.5), from_betas([0.3])], ids=repr
)


@pytest.mark.parametrize(
    ("ours", "config"),
    [
        (linear(), {"beta_schedule": "linear"}),
        (linear(16, 0.01, 0.4), {"beta_schedule": "linear", "beta_start": 0.01, "beta_end": 0.4}),
        (cosine(), {"beta_schedule": "squaredcos_cap_v2"}),
        (cosine(50), {"beta_schedule": "squaredcos_cap_v2"}),
    ],
    ids=["linear", "linear16", "cosine", "cosine50"],
)
def test_betas_are_those_of_diffusers(ours, config):
    theirs = DDPMScheduler(num_train_timesteps=ours.T, **config)  # float32
    torch.testing.assert_close(ours.beta[1:], theirs.betas.double(), rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(ours.alpha_bar[1:], theirs.alphas_cumprod.double(), rtol=0, atol=1e-6)


@ALL
def test_alpha_bar_and_snr_are_those_of_diffusers_in_float64(schedule, peer):
    theirs = peer(DDPMScheduler, schedule)
    torch.testing.assert_close(schedule.alpha_bar[1:], theirs.alphas_cumprod, rtol=1e-12, atol=0)
    snr = compute_snr(theirs, torch.arange(schedule.T))
    torch.testing.assert_close(schedule.snr[1:], snr.double(), rtol=1e-5, atol=0)  # float32 inside


@ALL
def test_row_0_is_clean_data(schedule):
    assert schedule.beta[0] == 0 and schedule.alpha[0] == 1 and schedule.alpha_bar[0] == 1
    assert schedule.beta_tilde[0] == 0 and schedule.snr[0] == math.inf
    for table in (schedule.beta, schedule.alpha, schedule.alpha_bar, schedule.beta_tilde, schedule.snr):
        assert table.shape == (schedule.T + 1,) and table.dtype == torch.float64 and not table.isnan().any()


@ALL
def test_each_step_keeps_its_share_of_what_was_left(schedule):
    torch.testing.assert_close(schedule.alpha + schedule.beta, torch.ones_like(schedule.beta), rtol=0, atol=1e-15)
    kept = schedule.alpha_bar[1:] / schedule.alpha_bar[:-1]
    torch.testing.assert_close(kept, schedule.alpha[1:], rtol=1e-12, atol=0)


@ALL
def test_the_signal_to_noise_ratio_falls(schedule):
    assert (schedule.snr.diff()[1:] < 0).all()
    snr = schedule.snr[1:]  # the share of the signal in both
    torch.testing.assert_close(snr / (1 + snr), schedule.alpha_bar[1:], rtol=1e-12, atol=0)


@ALL
def test_beta_tilde_adds_precisions(schedule):
    """Two observations of x_{t-1}, from x_t and from x_0: the precisions of independent Gaussians add up."""
    assert schedule.beta_tilde[1] == 0  # x_0 itself leaves nothing open
    t = torch.arange(2, schedule.T + 1)
    precision = schedule.alpha[t] / schedule.beta[t] + 1 / (1 - schedule.alpha_bar[t - 1])
    torch.testing.assert_close(1 / schedule.beta_tilde[t], precision, rtol=1e-10, atol=0)
    assert (schedule.beta_tilde[1:] < schedule.beta[1:]).all()


def test_the_linear_schedule_has_the_end_points_it_was_given():
    schedule = linear(5, 0.1, 0.5)
    torch.testing.assert_close(schedule.beta, torch.tensor([0, 0.1, 0.2, 0.3, 0.4, 0.5], dtype=torch.float64))


def test_the_cosine_schedule_without_offset_mirrors_signal_and_noise():
    """cos^2 + sin^2 = 1: half-way through, half of the variance is signal."""
    schedule = cosine(100, s=0.0)
    both = schedule.alpha_bar + schedule.alpha_bar.flip(0)
    torch.testing.assert_close(both[1:-1], torch.ones(99, dtype=torch.float64), rtol=1e-10, atol=0)


def test_the_cosine_schedule_is_a_cosine_of_the_time():
    schedule, s = cosine(200), 0.008
    angle = torch.acos((schedule.alpha_bar[:-1] * math.cos(s / (1 + s) * math.pi / 2) ** 2).sqrt())
    steps = angle.diff()
    torch.testing.assert_close(steps, torch.full_like(steps, math.pi / 2 / (1 + s) / 200), rtol=1e-8, atol=0)


def test_the_sigmoid_schedule_mirrors_signal_and_noise_and_its_logit_is_straight():
    schedule = sigmoid(100)
    both = schedule.alpha_bar + schedule.alpha_bar.flip(0)
    torch.testing.assert_close(both[1:-1], torch.ones(99, dtype=torch.float64), rtol=1e-10, atol=0)
    low, high = 1 / (1 + math.exp(3)), 1 / (1 + math.exp(-3))
    falling = torch.logit(high - schedule.alpha_bar[:-1] * (high - low))
    torch.testing.assert_close(falling, torch.linspace(-3, 3, 101, dtype=torch.float64)[:-1], rtol=1e-9, atol=1e-9)


def test_a_smaller_tau_makes_the_sigmoid_steeper():
    assert sigmoid(100, tau=0.5).alpha_bar[25] > sigmoid(100).alpha_bar[25] > sigmoid(100, tau=2.0).alpha_bar[25]


@pytest.mark.parametrize("make", [cosine, sigmoid])
def test_beta_is_cut_off_before_it_reaches_one(make):
    assert make(50).beta.max() == 0.999 and make(50, beta_max=0.5).beta.max() == 0.5


def test_betas_come_as_list_array_or_tensor():
    wanted = torch.tensor([0, 0.1, 0.25], dtype=torch.float64)
    for betas in ([0.1, 0.25], wanted[1:].numpy(), wanted[1:], wanted[1:].clone().requires_grad_()):
        assert torch.equal(from_betas(betas).beta, wanted)
        assert not from_betas(betas).beta.requires_grad


def test_a_schedule_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        linear(3).beta = torch.zeros(4)


def test_a_schedule_is_equal_to_itself_alone():
    """Its tables are tensors, of which no two are plainly equal or not; a test of equality must not raise, either."""
    one = linear(3)
    assert one == one and one != linear(3) and len({one, one, linear(3)}) == 2


@pytest.mark.parametrize(
    ("betas", "message"),
    [
        ([], "one for each of the steps"),
        (0.5, "one for each of the steps"),
        ([[0.1, 0.2]], r"shape \(1, 2\)"),
        ([0.1, 0.0], "beta_2 is 0"),
        ([1.0, 0.5], "beta_1 is 1"),
        ([0.1, 0.2, -0.3], "beta_3 is -0.3"),
        ([0.1, math.nan], "beta_2 is nan"),
        ([0.1, math.inf], "strictly between 0 and 1"),
    ],
)
def test_impossible_betas_are_refused_by_name(betas, message):
    with pytest.raises(ValueError, match=message):
        from_betas(betas)


@pytest.mark.parametrize("make", [linear, cosine, sigmoid])
@pytest.mark.parametrize("T", [0, -5, 2.5, "10", None])
def test_a_number_of_steps_that_is_none_is_refused(make, T):
    with pytest.raises(ValueError, match="whole number of steps T of at least 1"):
        make(T)


@pytest.mark.parametrize(
    ("make", "how", "message"),
    [
        (cosine, dict(s=-1), "need an offset s of at least 0, but got -1"),
        (cosine, dict(s=math.nan), "need s as a finite number, but got nan"),
        (sigmoid, dict(tau=0), r"need a tau above 0, .* start = -3\.0 and end = 3\.0, but got 0\."),
        (sigmoid, dict(tau=-1.0), r"need a tau above 0, .* but got -1\.0"),
        (sigmoid, dict(tau=0.004), r"at least a 700th of start = -3\.0 and end = 3\.0, but got 0\.004"),
        (sigmoid, dict(start=1, end=1), r"need a sigmoid that differs at start and end, but at 1 and 1 it is 0\.731"),
        (sigmoid, dict(start=100, end=200), "at 100 and 200 it is 1"),
        (sigmoid, dict(tau=0.05), r"need signal at every time before T = 1000, but alpha_bar_8\d\d is 0"),
    ],
)
def test_a_curve_that_does_not_fall_is_refused(make, how, message):
    with pytest.raises(ValueError, match=message):
        make(**how)


def test_end_points_outside_the_unit_interval_are_refused():
    with pytest.raises(ValueError, match=r"beta_7 is 1\.00"):
        linear(10, beta_T=1.5)


def test_the_log_snr_turns_back_into_alpha_bar():
    for schedule in (linear(), cosine(), sigmoid()):
        torch.testing.assert_close(schedule.snr.log().sigmoid(), schedule.alpha_bar, rtol=1e-12, atol=0)


@pytest.mark.parametrize(("T", "beta_1", "beta_T"), [(1000, 1e-4, 0.02), (200, 1e-4, 0.02), (16, 0.01, 0.3)])
def test_what_a_linear_schedule_leaves_is_the_exponential_of_minus_its_betas(T, beta_1, beta_T):
    """ln(1 - b) = -b - b^2/2 - ..., and all that is dropped after b^2/2 is below b^3 / (3 (1 - b))."""
    schedule = linear(T, beta_1, beta_T)
    first = T * (beta_1 + beta_T) / 2
    second = schedule.beta.square().sum() / 2
    dropped = -schedule.alpha_bar[-1].log() - first - second
    assert 0 < dropped < (schedule.beta**3).sum() / (3 * (1 - beta_T))


def test_stretched_betas_have_the_sum_of_the_long_chain_as_long_as_they_are_betas():
    long = linear(1000)
    for T in (500, 200, 50):
        short = linear(T, 1000 / T * 1e-4, 1000 / T * 0.02)
        torch.testing.assert_close(short.beta.sum(), long.beta.sum(), rtol=1e-12, atol=0)
        extra = (short.beta.square().sum() - long.beta.square().sum()) / 2  # what Eq. 2.2 drops first
        torch.testing.assert_close(long.alpha_bar[-1].log() - short.alpha_bar[-1].log(), extra, rtol=0.4, atol=0)
    with pytest.raises(ValueError, match=r"beta_13 is 1\.00125"):
        linear(16, 1000 / 16 * 1e-4, 1000 / 16 * 0.02)


# ---- respaced --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("schedule", [linear(), cosine(), sigmoid()], ids=repr)
@pytest.mark.parametrize("steps", [1, 16, 200, 999])
def test_respacing_keeps_alpha_bar_at_the_kept_times(schedule, steps):
    times = uniform(schedule, steps)
    short = respaced(schedule, times)
    assert len(short.beta) == steps + 1
    torch.testing.assert_close(short.alpha_bar, schedule.alpha_bar[times].flip(0), rtol=0, atol=1e-13)


def test_respacing_by_all_times_changes_nothing():
    for schedule in (linear(), cosine(50)):
        torch.testing.assert_close(respaced(schedule, range(schedule.T + 1)).beta, schedule.beta, rtol=1e-9, atol=0)


def test_respacing_twice_is_respacing_once():
    once = respaced(linear(), [0, 100, 500, 1000])
    torch.testing.assert_close(respaced(respaced(linear(), range(0, 1001, 50)), [0, 2, 10, 20]).beta, once.beta)


def test_rising_or_falling_times_of_any_kind_give_the_same_schedule():
    wanted = respaced(linear(), [0, 7, 500, 1000]).beta
    for times in ([1000, 500, 7, 0], torch.tensor([0, 7, 500, 1000]), torch.tensor([1000, 500, 7, 0]).numpy().copy()):
        assert torch.equal(respaced(linear(), times).beta, wanted)


def test_a_step_of_a_respaced_chain_is_a_leap_of_the_long_one(normal):
    """Its posterior is the one that DDIM's formula with eta = 1 has for t_k -> t_{k-1}: two papers agree."""
    long, times = cosine(1000), [0, 300, 450, 999, 1000]
    short, x0, x_t, z = respaced(long, times), normal(4, 2), normal(4, 2), normal(4, 2)
    k = torch.arange(1, 5)
    t, t_prev = torch.tensor(times[1:]), torch.tensor(times[:-1])
    leap = ddim_step(long, x_t, t, t_prev, x0, z, eta=1.0)
    torch.testing.assert_close(ddpm_step(short, x_t, k, x0, z), leap, rtol=0, atol=1e-10)
    _, variance = q_posterior(short, x0, x_t, k)
    kept = long.alpha_bar[t] / long.alpha_bar[t_prev]
    expected = (1 - long.alpha_bar[t_prev]) / (1 - long.alpha_bar[t]) * (1 - kept)
    torch.testing.assert_close(variance[:, 0], expected, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize(
    "times",
    [[], 5, [0], [1000], [1, 1000], [0, 1001], [0, 500, 1001], [0, 500, 500, 1000], [0, 600, 500, 1000], [0.0, 1000.0],
     [[0, 1000]]],
)  # fmt: skip
def test_times_that_are_no_road_are_refused(times):
    with pytest.raises(ValueError, match="need whole times between 0 and T = 1000, and 0 itself, but got"):
        respaced(linear(), times)


def test_a_road_that_begins_below_T_is_the_first_part_of_the_chain():
    part = respaced(linear(), [600, 300, 0])
    assert part.T == 2
    torch.testing.assert_close(part.alpha_bar, linear().alpha_bar[[0, 300, 600]], rtol=1e-12, atol=0)


def test_a_bad_road_of_many_times_is_named_in_short():
    with pytest.raises(ValueError) as error:
        respaced(linear(), list(range(1, 1001)))
    assert len(str(error.value)) < 140


# ---- at --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(4,), (4, 2), (4, 3, 5, 6)])
def test_at_gives_each_example_its_own_row(shape):
    schedule, t = linear(10), torch.tensor([0, 3, 10, 3])
    row = at(schedule.alpha_bar, t, like=torch.zeros(shape, dtype=torch.float64))
    assert row.shape == (4,) + (1,) * (len(shape) - 1)
    assert row.flatten().tolist() == [schedule.alpha_bar[k].item() for k in (0, 3, 10, 3)]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_at_speaks_the_dtype_of_the_images(dtype):
    assert at(linear(10).beta, torch.tensor([4]), like=torch.zeros(1, 3, dtype=dtype)).dtype == dtype


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32, torch.int64])
def test_at_takes_any_kind_of_whole_number(dtype):
    table = linear(10).beta
    assert (
        at(table, torch.tensor([4, 10], dtype=dtype), like=torch.zeros(2).double()).tolist() == table[[4, 10]].tolist()
    )


def test_at_takes_an_empty_batch():
    assert at(linear(10).beta, torch.zeros(0, dtype=torch.long), like=torch.zeros(0, 3)).shape == (0, 1)


@pytest.mark.parametrize(
    ("t", "like", "message"),
    [
        (torch.tensor([1, 2]), torch.zeros(3, 1), "one time per example"),
        (torch.tensor(1), torch.zeros(3, 1), r"t has shape \(\)"),
        (torch.tensor([[1], [2]]), torch.zeros(2, 1), r"t has shape \(2, 1\)"),
        (torch.tensor([1]), torch.zeros(3, 1), "one time per example"),
        (torch.tensor([1.0, 2.0]), torch.zeros(2, 1), "whole times"),
        (torch.tensor([True, False]), torch.zeros(2, 1), "whole times"),
        (torch.tensor([1, 2]), torch.zeros(2, 1, dtype=torch.uint8), "floating-point images"),
        (torch.tensor([1, 2]), torch.zeros(2, 1, dtype=torch.long), "to_float"),
        (torch.tensor([0, 11]), torch.zeros(2, 1), r"times in 0\.\.10, but t runs from 0 to 11"),
        (torch.tensor([-1, 4]), torch.zeros(2, 1), "from -1 to 4"),
    ],
)
def test_at_refuses_what_would_broadcast_wrongly(t, like, message):
    with pytest.raises(ValueError, match=message):
        at(linear(10).beta, t, like)


@pytest.mark.parametrize("tau", [0.3, 0.9, 2.0])
def test_the_temperature_of_the_sigmoid_divides_its_argument(tau):
    """A sigmoid from -3 to 3 of temperature tau is one of temperature 1 from -3 / tau to 3 / tau."""
    torch.testing.assert_close(
        sigmoid(50, tau=tau).alpha_bar, sigmoid(50, start=-3 / tau, end=3 / tau).alpha_bar, rtol=1e-12, atol=0
    )
