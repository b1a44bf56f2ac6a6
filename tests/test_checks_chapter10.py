"""The exercises of chapter 10: what a reader is told who got something wrong."""

import pytest

from ddpm_core import exercises


def noise(answer):
    """An answer to 10.1 from alpha_bar of t and of s, and eta."""
    return lambda schedule, t, s, eta: answer(schedule.alpha_bar[t], schedule.alpha_bar[s], eta)


def full(now, then):
    return ((1 - then) / (1 - now) * (1 - now / then)).sqrt()


def up(answer):
    """An answer to 10.2 from alpha_bar of s and of t, x_s, x0_hat and the noise in x_s."""

    def back_up(schedule, x_s, s, t, x0_hat):
        then, now = schedule.alpha_bar[s], schedule.alpha_bar[t]
        return answer(then, now, x_s, x0_hat, (x_s - then.sqrt() * x0_hat) / (1 - then).sqrt())

    return back_up


def line(answer):
    """An answer to 10.3: what follows the first term, from sqrt(alpha_bar_s), h, h', x0_hat and the earlier one."""

    def on_the_line(schedule, x_t, t, s, x0_hat, r, x0_hat_earlier):
        clock, now, then = 0.5 * schedule.snr.log(), schedule.alpha_bar[t], schedule.alpha_bar[s]
        h, before = clock[s] - clock[t], clock[t] - clock[r]
        start = ((1 - then) / (1 - now)).sqrt() * x_t
        return start + answer(then.sqrt(), h, before, x0_hat, x0_hat_earlier)

    return on_the_line


def flat(h):
    return 1 - (-h).exp()


def sloped(h):
    return h - 1 + (-h).exp()


@pytest.mark.parametrize(
    ("number", "answer", "word"),
    [
        ("10.1", lambda s, t, earlier, eta: print(end=""), "returns nothing"),
        ("10.1", lambda s, t, earlier, eta: s.beta, "should be a number"),
        ("10.1", noise(lambda now, then, eta: eta**2 * full(now, then) ** 2), "that is the variance"),
        ("10.1", noise(lambda now, then, eta: full(now, then)), "eta is missing"),
        ("10.1", noise(lambda now, then, eta: eta**2 * full(now, then)), "its square belongs to the variance"),
        ("10.1", noise(lambda now, then, eta: eta * full(now, then) ** 2), "square root of 10.6"),
        ("10.1", lambda s, t, earlier, eta: eta * s.beta_tilde[t].sqrt(), "a leap goes to s"),
        ("10.1", noise(lambda now, then, eta: eta * (1 - now / then).sqrt()), "the witness x_0 is missing"),
        ("10.1", noise(lambda now, then, eta: eta * full(now, then) * (1 - now) / (1 - then)), "upside down"),
        ("10.1", noise(lambda now, then, eta: eta * full(now, then) + 0.01), "sigma should be"),
        ("10.2", lambda s, x_s, earlier, t, x0: print(end=""), "returns nothing"),
        ("10.2", lambda s, x_s, earlier, t, x0: 1.0, "a tensor shaped like"),
        ("10.2", up(lambda then, now, x_s, x0, eps: x_s[:1]), "the shape (2, 3), but it has (1, 3)"),
        ("10.2", up(lambda then, now, x_s, x0, eps: x_s), "x_s itself"),
        ("10.2", up(lambda then, now, x_s, x0, eps: (now / then).sqrt() * x_s), "without the noise that has to come"),
        ("10.2", up(lambda then, now, x_s, x0, eps: x0), "the picture x_0_hat"),
        ("10.2", up(lambda then, now, x_s, x0, eps: eps), "the noise in x_s"),
        ("10.2", up(lambda then, now, x_s, x0, eps: x0 + (1 / now - 1).sqrt() * eps), "still stretched"),
        ("10.2", up(lambda then, now, x_s, x0, eps: now * x0 + (1 - now) * eps), "square roots"),
        ("10.2", up(lambda then, now, x_s, x0, eps: now.sqrt() * x0 + eps), "it should give"),
        ("10.3", lambda *given: print(end=""), "returns nothing"),
        ("10.3", lambda *given: 1.0, "a tensor shaped like"),
        ("10.3", line(lambda a, h, b, x, y: a * flat(h) * (x + h / (2 * b) * (x - y))), "the value at half-time"),
        ("10.3", line(lambda a, h, b, x, y: a * flat(h) * x), "slope of the line is missing"),
        ("10.3", line(lambda a, h, b, x, y: a * (flat(h) * x + sloped(h) * (y - x) / b)), "the wrong sign"),
        ("10.3", line(lambda a, h, b, x, y: a * (flat(h) * x + sloped(h) * (x - y))), "divide the difference"),
        ("10.3", line(lambda a, h, b, x, y: a * (flat(h) * x + sloped(h) * (x - y) / h)), "you divided by h"),
        ("10.3", line(lambda a, h, b, x, y: a * flat(h) * x + sloped(h) * (x - y) / b), "multiplied by sqrt"),
        ("10.3", line(lambda a, h, b, x, y: a * (x + sloped(h) * (x - y) / b)), "it should give"),
    ],
)
def test_a_wrong_answer_gets_a_word_on_how_to_go_on(number, answer, word):
    verdict = exercises.check(number, answer)
    assert not verdict.solved
    assert word in verdict.message


def test_other_ways_to_the_right_answer_count():
    assert exercises.check("10.1", noise(lambda now, then, eta: float(eta * full(now, then)))).solved
    stretched = up(lambda then, now, x_s, x0, eps: now.sqrt() * (x0 + ((1 - now) / now).sqrt() * eps))
    assert exercises.check("10.2", stretched).solved
    exact = line(lambda a, h, b, x, y: a * (x - (x - y) / b + h * (x - y) / b - (-h).exp() * (x - (x - y) / b)))
    assert exercises.check("10.3", exact).solved
