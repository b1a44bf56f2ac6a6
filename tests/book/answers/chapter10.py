"""Right and wrong answers to the exercises of chapter 10, and what a wrong one is told."""


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


RIGHT = {
    "10.1": [noise(lambda now, then, eta: float(eta * full(now, then)))],
    "10.2": [up(lambda then, now, x_s, x0, eps: now.sqrt() * (x0 + ((1 - now) / now).sqrt() * eps))],
    "10.3": [line(lambda a, h, b, x, y: a * (x - (x - y) / b + h * (x - y) / b - (-h).exp() * (x - (x - y) / b)))],
    "10.4": [(1.1, 1.021), [1.1, 1.02]],
}

WRONG = {
    "10.1": [
        (lambda s, t, earlier, eta: s.beta, "should be a number"),
        (noise(lambda now, then, eta: eta**2 * full(now, then) ** 2), "that is the variance"),
        (noise(lambda now, then, eta: full(now, then)), "eta is missing"),
        (noise(lambda now, then, eta: eta**2 * full(now, then)), "its square belongs to the variance"),
        (noise(lambda now, then, eta: eta * full(now, then) ** 2), "square root of 10.6"),
        (lambda s, t, earlier, eta: eta * s.beta_tilde[t].sqrt(), "a leap goes to s"),
        (noise(lambda now, then, eta: eta * (1 - now / then).sqrt()), "the witness x_0 is missing"),
        (noise(lambda now, then, eta: eta * full(now, then) * (1 - now) / (1 - then)), "upside down"),
        (noise(lambda now, then, eta: eta * full(now, then) + 0.01), "sigma should be"),
    ],
    "10.2": [
        (lambda s, x_s, earlier, t, x0: 1.0, "return x_t, shaped like x_s: a tensor"),
        (up(lambda then, now, x_s, x0, eps: x_s[:1]), "not one of shape (1, 3)"),
        (up(lambda then, now, x_s, x0, eps: x_s), "x_s itself"),
        (up(lambda then, now, x_s, x0, eps: (now / then).sqrt() * x_s), "without the noise that has to come"),
        (up(lambda then, now, x_s, x0, eps: x0), "the picture x_0_hat"),
        (up(lambda then, now, x_s, x0, eps: eps), "the noise in x_s"),
        (up(lambda then, now, x_s, x0, eps: x0 + (1 / now - 1).sqrt() * eps), "still stretched"),
        (up(lambda then, now, x_s, x0, eps: now * x0 + (1 - now) * eps), "square roots"),
        (up(lambda then, now, x_s, x0, eps: now.sqrt() * x0 + eps), "it should give"),
    ],
    "10.3": [
        (lambda *given: 1.0, "return x_s, shaped like x_t: a tensor"),
        (line(lambda a, h, b, x, y: a * flat(h) * (x + h / (2 * b) * (x - y))), "the value at half-time"),
        (line(lambda a, h, b, x, y: a * flat(h) * x), "slope of the line is missing"),
        (line(lambda a, h, b, x, y: a * (flat(h) * x + sloped(h) * (y - x) / b)), "the wrong sign"),
        (line(lambda a, h, b, x, y: a * (flat(h) * x + sloped(h) * (x - y))), "divide the difference"),
        (line(lambda a, h, b, x, y: a * (flat(h) * x + sloped(h) * (x - y) / h)), "you divided by h"),
        (line(lambda a, h, b, x, y: a * flat(h) * x + sloped(h) * (x - y) / b), "multiplied by sqrt"),
        (line(lambda a, h, b, x, y: a * (x + sloped(h) * (x - y) / b)), "it should give"),
    ],
    "10.4": [
        ((1.21, 1.042), "factors of the variance"),
        ((1.02, 1.1), "the other way round"),
        ((0.1, 0.02), "the shares by which"),
        ((1.1, 1.1), "without noise"),
        ((1.02, 1.02), "seem to have noise"),
        ((0.909, 0.98), "one over the factors"),
        ((1.3, 1.2), "say something else than 1.300 and 1.200"),
        (1.1, "return two values"),
    ],
}
