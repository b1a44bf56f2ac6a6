"""The book's two examples: the spiral has unit variance and three equal arms, the digit is the data set's first."""

import torch

from ddpm_core import data
from ddpm_core.book import examples
from ddpm_core.schedule import cosine


def test_the_spiral_has_mean_zero_and_unit_variance():
    world = examples.spiral()
    torch.testing.assert_close(world.mean, torch.zeros(2, dtype=torch.float64), rtol=0, atol=1e-12)
    torch.testing.assert_close(world.covariance, torch.eye(2, dtype=torch.float64), rtol=0, atol=1e-12)


def test_a_third_of_a_turn_takes_each_arm_to_the_next():
    means = examples.spiral().means.reshape(-1, 3, 2)
    half, root = -0.5, 0.75**0.5
    turn = torch.tensor([[half, -root], [root, half]], dtype=torch.float64)
    torch.testing.assert_close(means.roll(-1, dims=1), means @ turn.T)


def test_points_belong_to_the_arms_they_are_said_to_belong_to():
    world, (points, arm) = examples.spiral(), examples.spiral_points(600)
    assert points.shape == (600, 2) and arm.bincount().tolist() == [200, 200, 200]
    shares = world.responsibilities(cosine(10), points, torch.zeros(600, dtype=torch.long))
    likely = shares.reshape(600, -1, 3).sum(1).argmax(1)
    assert (likely == arm).double().mean() > 0.99
    assert points.mean(0).abs().max() < 0.1 and (points.var(0) - 1).abs().max() < 0.1
    again, other = examples.spiral_points(600), examples.spiral_points(600, seed=2)
    assert torch.equal(points, again[0]) and not torch.equal(points, other[0])


def test_the_digit_is_the_first_of_the_data_set():
    digits = data.load("digits")
    assert digits.labels[0] == 0
    assert torch.equal(data.to_uint8(examples.digit()), digits.images[:1])
