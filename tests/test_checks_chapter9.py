"""The exercises of chapter 9: what a reader is told who got something wrong."""

import math

import pytest
import torch

from ddpm_core import exercises, gaussian


def step(hold=lambda x: x.clamp(-1, 1), noise=lambda s, t: s.beta[t].sqrt() if t > 1 else 0.0, end=lambda x: x):
    """An answer to 9.1 with its clamp, its noise or its end changed."""

    def one_step(s, x_t, t, eps, z):
        times = torch.full((len(x_t),), t)
        mean, _ = gaussian.q_posterior(s, hold(gaussian.x0_from_eps(s, x_t, times, eps)), x_t, times)
        return end(mean + noise(s, t) * z)

    return one_step


def width(answer):
    """An answer to 9.2 from beta_t, alpha_t, V_{t-1} and V_t."""

    def right_variance(s, t, s2):
        total = s.alpha_bar * s2 + 1 - s.alpha_bar
        return answer(s.beta[t], s.alpha[t], total[t - 1], total[t])

    return right_variance


def between(
    of_pictures=lambda k: (1 - k, k), of_noises=lambda k: (math.cos(k * math.pi / 2), math.sin(k * math.pi / 2))
):
    """An answer to 9.3 with other factors."""

    def mixed(s, x0, other, eps, other_eps, t, share):
        (a, b), (c, d) = of_pictures(share), of_noises(share)
        return s.alpha_bar[t].sqrt() * (a * x0 + b * other) + (1 - s.alpha_bar[t]).sqrt() * (c * eps + d * other_eps)

    return mixed


def scaled_line(share):
    """Another road on which the noises keep their variance."""
    length = math.hypot(1 - share, share)
    return (1 - share) / length, share / length


def in_single_precision(share):
    angle = math.pi / 2 * torch.tensor(share)
    return angle.cos(), angle.sin()


def slerp(s, x0, other, eps, other_eps, t, share):
    """The noises mixed by the angle that they happen to have."""
    angle = torch.arccos((eps * other_eps).sum() / (eps.norm() * other_eps.norm()))
    factors = ((1 - share) * angle).sin() / angle.sin(), (share * angle).sin() / angle.sin()
    return between(of_noises=lambda share: factors)(s, x0, other, eps, other_eps, t, share)


def half(late=0):
    """An answer to 9.4, so many steps late."""

    def half_decided(s, s2):
        return int((s.alpha_bar * s2 / (s.alpha_bar * s2 + 1 - s.alpha_bar) >= 0.5).nonzero().max()) + late

    return half_decided


def last_guess(s, x_t, t, eps, z):
    return step()(s, x_t, t, eps, z) if t > 1 else gaussian.x0_from_eps(s, x_t, torch.full((len(x_t),), t), eps)


def clamped_guess(s, x_t, t, eps, z):
    return gaussian.x0_from_eps(s, x_t, torch.full((len(x_t),), t), eps).clamp(-1, 1)


def line(k):
    return 1 - k, k


@pytest.mark.parametrize(
    ("number", "answer", "word"),
    [
        ("9.1", lambda s, x_t, t, eps, z: print(end=""), "returns nothing"),
        ("9.1", lambda s, x_t, t, eps, z: 1.0, "a tensor, but it returns float"),
        ("9.1", lambda s, x_t, t, eps, z: x_t[:1], "shaped (4, 5), but it is (1, 5)"),
        ("9.1", step(hold=lambda x: x), "clamp x0_hat, then take the step"),
        ("9.1", step(hold=lambda x: x, end=lambda x: x.clamp(-1, 1)), "not x_{t-1}, which is still noisy"),
        ("9.1", step(end=lambda x: x.clamp(-1, 1)), "that is enough"),
        ("9.1", step(noise=lambda s, t: 0.0), "where is the noise z"),
        ("9.1", step(noise=lambda s, t: s.beta_tilde[t].sqrt()), "variance is to be beta_t"),
        ("9.1", step(noise=lambda s, t: s.beta[t]), "multiplied by its root"),
        ("9.1", clamped_guess, "the clamped guess itself"),
        ("9.1", step(noise=lambda s, t: s.beta[t].sqrt()), "t = 1, no noise"),
        ("9.1", last_guess, "clamped there, too"),
        ("9.1", step(hold=lambda x: x.clamp(-0.5, 0.5)), "should begin with"),
        ("9.2", lambda s, t, s2: print(end=""), "returns nothing"),
        ("9.2", lambda s, t, s2: s.beta, "should be a number"),
        ("9.2", width(lambda beta, alpha, before, now: beta), "right for s2 = 1 alone"),
        ("9.2", lambda s, t, s2: s.beta_tilde[t], "right for one point alone"),
        ("9.2", width(lambda beta, alpha, before, now: beta * now / before), "upside down"),
        ("9.2", width(lambda beta, alpha, before, now: (beta * before / now).sqrt()), "the standard deviation"),
        ("9.2", width(lambda beta, alpha, before, now: before), "before anybody has seen x_t"),
        ("9.2", width(lambda beta, alpha, before, now: alpha * before**2 / now), "what x_t explains"),
        ("9.2", lambda s, t, s2: width(lambda b, a, before, now: b * before / now)(s, t, s2**0.5), "already"),
        ("9.2", width(lambda beta, alpha, before, now: 1.1 * beta * before / now), "it should be"),
        ("9.3", lambda *given: print(end=""), "returns nothing"),
        ("9.3", lambda s, x0, other, eps, other_eps, t, share: x0, "first picture's x_t"),
        ("9.3", between(of_pictures=lambda k: (1, 0), of_noises=lambda k: (1, 0)), "other picture's x_t"),
        ("9.3", between(of_noises=line), "whose noise is too weak"),
        ("9.3", between(of_pictures=scaled_line, of_noises=scaled_line), "mixed on a line"),
        ("9.3", between(of_noises=lambda k: line(k**2)), "add up to 0.625, not 1"),
        (
            "9.3",
            between(of_noises=lambda k: (math.cos(2.5 * k * math.pi), math.sin(2.5 * k * math.pi))),
            "keep their sign",
        ),
        ("9.3", slerp, "factors of share and t alone"),
        ("9.4", lambda s, s2: print(end=""), "returns nothing"),
        ("9.4", half(1), "one too many"),
        ("9.4", half(-1), "one too few"),
        ("9.4", lambda s, s2: half()(s, 1.0), "for s2 = 1 only"),
        ("9.4", lambda s, s2: half()(s, s2**0.5), "s2 is the variance already"),
        ("9.4", half(5), "it should be"),
    ],
)
def test_a_wrong_answer_gets_a_word_on_how_to_go_on(number, answer, word):
    verdict = exercises.check(number, answer)
    assert not verdict.solved
    assert word in verdict.message, verdict.message


def test_products_of_pictures_and_noises_are_no_mixture():
    def answer(s, x0, other, eps, other_eps, t, share):
        return between()(s, x0, other, eps, other_eps, t, share) + share * (1 - share) * x0 * eps

    assert "enter linearly" in exercises.check("9.3", answer).message


def test_every_road_on_which_the_noises_keep_their_variance_is_right():
    assert exercises.check("9.3", between(of_noises=scaled_line)).solved
    assert exercises.check("9.3", between()).solved
    assert exercises.check("9.3", between(of_noises=in_single_precision)).solved


def test_when_it_is_decided_may_be_found_by_the_signal_to_noise_ratio():
    assert exercises.check("9.4", half()).solved
    assert exercises.check("9.4", lambda s, s2: max(t for t in range(s.T + 1) if s.snr[t] * s2 >= 1)).solved


def test_a_variance_may_come_as_a_number():
    assert exercises.check("9.2", lambda s, t, s2: float(width(lambda b, a, x, y: b * x / y)(s, t, s2))).solved
