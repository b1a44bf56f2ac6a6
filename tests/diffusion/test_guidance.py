"""Guidance in a world where the classifier is known: two answers of a denoiser, pulled apart, are its gradient."""

import pytest
import torch

from ddpm_core.diffusion.gaussian import eps_from_x0, x0_from_eps
from ddpm_core.diffusion.guidance import guided
from ddpm_core.diffusion.mixture import GaussianMixture, isotropic
from ddpm_core.schedule import at, cosine

SCHEDULE = cosine(100)
WORLD = isotropic([0.5, 0.2, 0.3], [[-1.0, 0.0], [0.4, 0.8], [0.8, -0.6]], std=0.3)
CLASS = GaussianMixture(
    torch.tensor([0.4, 0.6], dtype=torch.float64), WORLD.means[1:], WORLD.variances[1:]
)  # y: 1 or 2
X_T = torch.randn(40, 2, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
T = torch.arange(1, 41) * 2
CONDITIONAL, UNCONDITIONAL = CLASS.denoiser(SCHEDULE), WORLD.denoiser(SCHEDULE)


def log_classifier(x_t):
    """log q(y | x_t), by Bayes' rule over the modes."""
    return WORLD.responsibilities(SCHEDULE, x_t, T)[:, 1:].sum(1).log()


def gradient(function):
    x = X_T.clone().requires_grad_()
    return torch.autograd.grad(function(x).sum(), x)[0]


def score(x0_hat):
    """The score that a guess of x_0 stands for."""
    alpha_bar = at(SCHEDULE.alpha_bar, T, like=X_T)
    return (alpha_bar.sqrt() * x0_hat - X_T) / (1 - alpha_bar)


def test_a_guess_of_the_picture_is_a_score():
    for world in (WORLD, CLASS):
        wanted = gradient(lambda x, world=world: world.log_q(SCHEDULE, x, T))
        torch.testing.assert_close(score(world.posterior_mean(SCHEDULE, X_T, T)), wanted)


def test_bayes_rule_in_scores():
    torch.testing.assert_close(
        gradient(lambda x: CLASS.log_q(SCHEDULE, x, T)),
        gradient(lambda x: WORLD.log_q(SCHEDULE, x, T)) + gradient(log_classifier),
    )


def test_the_difference_of_two_guesses_is_the_gradient_of_a_classifier():
    alpha_bar = at(SCHEDULE.alpha_bar, T, like=X_T)
    difference = CONDITIONAL(X_T, T) - UNCONDITIONAL(X_T, T)
    torch.testing.assert_close(alpha_bar.sqrt() / (1 - alpha_bar) * difference, gradient(log_classifier))


@pytest.mark.parametrize("scale", [-1.0, 0.0, 0.5, 7.5])
def test_a_guided_guess_is_the_score_with_the_classifier_once_more(scale):
    mixed = guided(CONDITIONAL, UNCONDITIONAL, scale)(X_T, T)
    wanted = gradient(lambda x: CLASS.log_q(SCHEDULE, x, T)) + scale * gradient(log_classifier)
    torch.testing.assert_close(score(mixed), wanted)


def test_it_is_the_same_rule_for_the_noise():
    with_label, without = (eps_from_x0(SCHEDULE, X_T, T, f(X_T, T)) for f in (CONDITIONAL, UNCONDITIONAL))
    in_eps = x0_from_eps(SCHEDULE, X_T, T, with_label + 3 * (with_label - without))
    torch.testing.assert_close(guided(CONDITIONAL, UNCONDITIONAL, 3.0)(X_T, T), in_eps)


def test_outside_of_the_interval_nothing_is_pulled_and_within_everything():
    mixed = guided(CONDITIONAL, UNCONDITIONAL, 3.0, interval=(20, 50))(X_T, T)
    inside = (T >= 20) & (T <= 50)
    assert 10 < inside.sum() < 30
    assert torch.equal(mixed[inside], guided(CONDITIONAL, UNCONDITIONAL, 3.0)(X_T, T)[inside])
    assert torch.equal(mixed[~inside], CONDITIONAL(X_T, T)[~inside])


def test_outside_of_the_interval_the_second_answer_is_not_asked_for():
    def nobody(x_t, t):
        raise AssertionError

    late = torch.full((40,), 90)
    assert torch.equal(guided(CONDITIONAL, nobody, 3.0, interval=(20, 50))(X_T, late), CONDITIONAL(X_T, late))


@pytest.mark.parametrize("scale", [float("nan"), 1e9, float("inf"), -2.0])
def test_a_scale_that_nobody_means_is_refused(scale):
    with pytest.raises(ValueError, match=r"need .*(between -1 and 100|scale as a finite number), but got"):
        guided(CONDITIONAL, UNCONDITIONAL, scale)


@pytest.mark.parametrize("interval", [(50, 20), (0, 10)])
def test_an_empty_interval_is_refused(interval):
    with pytest.raises(ValueError, match=r"need an interval of times \(first, last\) with 1 <= first <= last, but got"):
        guided(CONDITIONAL, UNCONDITIONAL, 1.0, interval)
