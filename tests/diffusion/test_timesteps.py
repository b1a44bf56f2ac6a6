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
