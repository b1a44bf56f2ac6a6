"""Wrong answers to the exercises of chapter 4 get a word on how to go on."""

import math

import pytest
import torch

from ddpm_core import bound, elbo, exact, exercises, schedule


def one_step(x0, alpha_bar, a, s):
    L_T = 0.5 * (alpha_bar * x0**2 - alpha_bar - math.log(1 - alpha_bar))
    offset = (x0 - a * math.sqrt(alpha_bar) * x0) ** 2
    return L_T, 0.5 * math.log(2 * math.pi * s**2) + offset / (2 * s**2), a**2 * (1 - alpha_bar) / (2 * s**2)


@pytest.mark.parametrize(
    ("number", "answer", "word"),
    [
        ("4.1", lambda s, t, e: s.beta_tilde[t] + e, "that is the best variance"),
        ("4.1", lambda s, t, e: 3.0, "a smaller v"),
        ("4.1", lambda s, t, e: 0.0, "a larger v"),
        ("4.1", lambda s, t, e: "half", "a number"),
        ("4.2", lambda *how: sum(one_step(*how)[1:]), "L_T is missing"),
        ("4.2", lambda *how: sum(one_step(*how)[:2]), "has a variance"),
        ("4.2", lambda *how: 1.0, "drawing gives"),
        ("4.3", 115.2, "eight bits"),
        ("4.3", 4.8, "three colours"),
        ("4.3", "many", "a number"),
        ("4.3", 20.0, "is not 20"),
        ("4.4", 1.0, "the same density"),
        ("4.4", False, "a number"),
        ("4.4", -1.0, "negative"),
        ("4.4", "none", "a number"),
    ],
)
def test_a_wrong_answer_gets_a_word_on_how_to_go_on(number, answer, word):
    verdict = exercises.check(number, answer)
    assert not verdict.solved
    assert word in verdict.message


def test_a_tensor_with_one_number_is_a_number():
    assert exercises.check("4.3", torch.tensor(14.4)).solved
    assert exercises.check("4.4", torch.zeros(1)).solved


def test_exercise_4_4_tells_the_truth():
    """For normal data the bracket of 4.6 is the same on every way, and the divergences of 4.11 are not."""
    w = elbo.world(exact.mixture([1.0], [[0.0]], 1.0), schedule.from_betas([0.4, 0.4, 0.4]), 0.7)
    bracket = -w.log_p_end - sum(w.log_p[t] - w.log_q[t] for t in (1, 2, 3))
    likely = (w.log_q[1] + w.log_q[2] + w.log_q[3]) > -20
    assert (bracket[likely] - elbo.negative_log_likelihood(w)).abs().max() < 1e-9
    x_t, t = w.grid[:, None], torch.full((len(w.grid),), 2)
    divergence = bound.L_t(w.schedule, torch.full_like(x_t, 0.7), x_t, t, w.data.denoise(w.schedule, x_t, t))
    assert divergence.std() > 0.1
