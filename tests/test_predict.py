"""Four questions to the network, one answer: x_0."""

import pytest
import torch
from diffusers import DDPMScheduler

from ddpm_core.gaussian import q_sample
from ddpm_core.predict import BY_NAME, EPS, MEAN, X0, V
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
    gain = predict.gain(schedule, t, x0)
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
        lambda: MEAN.gain(schedule, t, x),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=r"1\.\.T, but t holds 0"):
            call()


def test_predictions_are_found_by_the_name_they_show():
    assert {name: repr(predict) for name, predict in BY_NAME.items()} == {k: k for k in ("EPS", "X0", "V", "MEAN")}
    assert BY_NAME["MEAN"] is MEAN and BY_NAME["EPS"] is EPS and BY_NAME["X0"] is X0 and BY_NAME["V"] is V
