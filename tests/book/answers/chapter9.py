"""Right and wrong answers to the exercises of chapter 9, and what a wrong one is told."""

import math

import torch

from ddpm_core.diffusion import gaussian


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


def line(k):
    return 1 - k, k


def circle(k):
    return math.cos(k * math.pi / 2), math.sin(k * math.pi / 2)


def between(of_pictures=line, of_noises=circle):
    """An answer to 9.3 with other factors."""

    def mixed(s, x0, other, eps, other_eps, t, share):
        (a, b), (c, d) = of_pictures(share), of_noises(share)
        return s.alpha_bar[t].sqrt() * (a * x0 + b * other) + (1 - s.alpha_bar[t]).sqrt() * (c * eps + d * other_eps)

    return mixed


def scaled_line(share):
    """Another road on which the noises keep their variance."""
    length = math.hypot(1 - share, share)
    return (1 - share) / length, share / length


def with_a_tensor(share):
    angle = math.pi / 2 * torch.tensor(share)
    return angle.cos(), angle.sin()


def slerp(s, x0, other, eps, other_eps, t, share):
    """The noises mixed by the angle that they happen to have."""
    angle = torch.arccos((eps * other_eps).sum() / (eps.norm() * other_eps.norm()))
    factors = ((1 - share) * angle).sin() / angle.sin(), (share * angle).sin() / angle.sin()
    return between(of_noises=lambda share: factors)(s, x0, other, eps, other_eps, t, share)


def with_a_product(s, x0, other, eps, other_eps, t, share):
    """Products of pictures and noises are no mixture."""
    return between()(s, x0, other, eps, other_eps, t, share) + share * (1 - share) * x0 * eps


def half(late=0):
    """An answer to 9.4, so many steps late."""
    return lambda s, s2: int((s.alpha_bar * s2 >= 1 - s.alpha_bar).nonzero().max()) + late


def guess(s, x_t, t, eps, z):
    return gaussian.x0_from_eps(s, x_t, torch.full((len(x_t),), t), eps)


RIGHT = {
    "9.1": [step()],
    "9.2": [lambda s, t, s2: float(width(lambda beta, alpha, before, now: beta * before / now)(s, t, s2))],
    "9.3": [between(), between(of_noises=scaled_line), between(of_noises=with_a_tensor)],
    "9.4": [half(), lambda s, s2: max(t for t in range(s.T + 1) if s.snr[t] * s2 >= 1)],
    "9.5": [0.71, torch.tensor(0.7108)],
}

WRONG = {
    "9.1": [
        (lambda s, x_t, t, eps, z: 1.0, "return x_{t-1}: a tensor of shape (4, 5), not float"),
        (lambda s, x_t, t, eps, z: x_t[:1], "not one of shape (1, 5)"),
        (step(hold=lambda x: x), "clamp x0_hat, then take the step"),
        (step(hold=lambda x: x, end=lambda x: x.clamp(-1, 1)), "not x_{t-1}, which is still noisy"),
        (step(end=lambda x: x.clamp(-1, 1)), "that is enough"),
        (step(noise=lambda s, t: 0.0), "where is the noise z"),
        (step(noise=lambda s, t: s.beta_tilde[t].sqrt()), "variance is to be beta_t"),
        (step(noise=lambda s, t: s.beta[t]), "multiplied by its root"),
        (lambda *given: guess(*given).clamp(-1, 1), "the clamped guess itself"),
        (step(noise=lambda s, t: s.beta[t].sqrt()), "t = 1, no noise"),
        (lambda s, x, t, *noises: (step() if t > 1 else guess)(s, x, t, *noises), "clamped there, too"),
        (step(hold=lambda x: x.clamp(-0.5, 0.5)), "a number of x_(t-1) should be"),
    ],
    "9.2": [
        (lambda s, t, s2: s.beta, "should be a number"),
        (width(lambda beta, alpha, before, now: beta), "right for s2 = 1 alone"),
        (lambda s, t, s2: s.beta_tilde[t], "right for one point alone"),
        (width(lambda beta, alpha, before, now: beta * now / before), "upside down"),
        (width(lambda beta, alpha, before, now: (beta * before / now).sqrt()), "the standard deviation"),
        (width(lambda beta, alpha, before, now: before), "before anybody has seen x_t"),
        (width(lambda beta, alpha, before, now: alpha * before**2 / now), "what x_t explains"),
        (lambda s, t, s2: width(lambda b, a, before, now: b * before / now)(s, t, s2**0.5), "already"),
        (width(lambda beta, alpha, before, now: 1.1 * beta * before / now), "it should be"),
    ],
    "9.3": [
        (lambda s, x0, other, eps, other_eps, t, share: x0, "first picture's x_t"),
        (between(of_pictures=lambda k: (1, 0), of_noises=lambda k: (1, 0)), "other picture's x_t"),
        (between(of_noises=line), "whose noise is too weak"),
        (between(of_pictures=scaled_line, of_noises=scaled_line), "mixed on a line"),
        (between(of_noises=lambda k: line(k**2)), "add up to 0.625, not 1"),
        (between(of_noises=lambda k: circle(5 * k)), "keep their sign"),
        (slerp, "factors of share and t alone"),
        (with_a_product, "enter linearly"),
    ],
    "9.4": [
        (half(1), "one too many"),
        (half(-1), "one too few"),
        (lambda s, s2: half()(s, 1.0), "for s2 = 1 only"),
        (lambda s, s2: half()(s, s2**0.5), "s2 is the variance already"),
        (half(5), "it should be"),
    ],
    "9.5": [
        (0.822, "for a hundred steps"),
        (0.975, "for a thousand steps"),
        (1.092, "it is beta_tilde"),
        (0.289, "what is left of the true variance"),
        (0.064, "divide it by the true one"),
        (0.843, "a ratio of standard deviations"),
        (0.565, "with 25 steps"),
        (0.64, "not what 9.8 gives"),
    ],
}
