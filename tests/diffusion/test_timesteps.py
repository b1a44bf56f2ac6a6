"""Times of a short chain: they fall from T to 0, and visit the levels that their names promise."""

from itertools import pairwise

import pytest

from ddpm_core.diffusion import timesteps
from ddpm_core.schedule import cosine, linear

SCHEDULES = pytest.mark.parametrize("schedule", [linear(), cosine(), cosine(60)], ids=repr)
WAYS = pytest.mark.parametrize("way", [timesteps.quadratic, timesteps.uniform_log_snr])


@SCHEDULES
@WAYS
def test_times_fall_from_T_to_0(schedule, way):
    for steps in (1, 2, 3, 10, 37, 59, 60, schedule.T - 1, schedule.T):
        road = way(schedule, steps)
        assert len(road) == steps + 1 and road[0] == schedule.T and road[-1] == 0
        assert all(t > s for t, s in pairwise(road))


@SCHEDULES
def test_quadratic_times_fall_as_the_square_of_an_even_walk(schedule):
    for steps in (4, 10):
        road = timesteps.quadratic(schedule, steps)
        assert all(abs(t - schedule.T * (1 - k / steps) ** 2) <= 0.5 for k, t in enumerate(road))


@pytest.mark.parametrize("schedule", [linear(20_000, 5e-6, 1e-3), cosine(20_000)], ids=repr)
def test_the_log_snr_rises_in_even_steps_up_to_that_of_the_first_time(schedule):
    log_snr = schedule.snr.log()
    levels = log_snr[timesteps.uniform_log_snr(schedule, 12)[1:-1]]
    stride = 2 * log_snr[1] / 11
    assert levels[-1] == log_snr[1] and abs(levels[0] - (stride - log_snr[1])) < 0.05
    assert ((levels.diff() - stride).abs() < 0.1).all()


@WAYS
@pytest.mark.parametrize("steps", [0, -1, 61])
def test_more_steps_than_times_are_refused(way, steps):
    with pytest.raises(ValueError, match=f"between 1 and T = 60 steps, but got {steps}"):
        way(cosine(60), steps)


def test_karras_times_fall_evenly_in_the_seventh_root_of_the_noise_level():
    s = linear(100_000, 1e-7, 4e-4)  # so fine that rounding to whole times hardly shows
    level = (1 / s.alpha_bar - 1).sqrt()
    times = timesteps.karras(s, 10)
    assert times[0] == s.T and times[-1] == 0 and len(times) == 11
    ends = [min(80.0, float(level[-1])), max(0.002, float(level[1]))]
    right = [(ends[0] ** (1 / 7) + k / 9 * (ends[1] ** (1 / 7) - ends[0] ** (1 / 7))) ** 7 for k in range(1, 10)]
    assert level[times[1:-1]].tolist() == pytest.approx(right, rel=0.05)


@pytest.mark.parametrize("steps", [1, 2, 10, 100])
def test_karras_times_are_all_different(steps):
    times = timesteps.karras(cosine(100), steps)
    assert len(times) == steps + 1 and times == sorted(set(times), reverse=True)
    assert times[0] == 100 and times[-1] == 0


def test_karras_times_need_a_root():
    with pytest.raises(ValueError, match="need rho of at least 1"):
        timesteps.karras(cosine(100), 5, rho=0.5)
    with pytest.raises(ValueError, match="between 1 and T"):
        timesteps.karras(cosine(100), 101)


def test_karras_may_begin_at_less_noise_than_the_data_have():
    times = timesteps.karras(linear(), 5, high=0.5)
    assert times[0] == 1000 and times[-1] == 0 and times[1] < 1000 / 2  # after T at once far down: a noise of 0.5
