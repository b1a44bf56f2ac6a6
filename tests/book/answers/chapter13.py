"""Right and wrong answers to the exercises of chapter 13, and what a wrong one is told."""

import torch


def mixed(answer):
    """An answer to 13.1 from the two guesses and the scale."""
    return lambda conditional, unconditional, scale: (
        lambda x_t, t: answer(conditional(x_t, t), unconditional(x_t, t), scale)
    )


def asks_twice(conditional, unconditional, scale):
    return lambda x_t, t: conditional(x_t, t) + scale * (conditional(x_t, t) - unconditional(x_t, t))


def shares(answer):
    """An answer to 13.3 from the scores and the empty places."""
    return lambda q, k, empty: answer(q @ k.T / q.shape[1] ** 0.5, empty)


RIGHT = {
    "13.1": [mixed(lambda a, b, w: (1 + w) * a - w * b)],
    "13.2": [(450, 1000), [500, 1000]],
    "13.3": [shares(lambda s, e: (s.exp() * ~e) / (s.exp() * ~e).sum(1, keepdim=True))],
}

WRONG = {
    "13.1": [
        (lambda conditional, unconditional, scale: 1.0, "the answer should be a function"),
        (mixed(lambda a, b, w: 1.0), "return x0_hat"),
        (asks_twice, "ask each denoiser once"),
        (mixed(lambda a, b, w: b + w * (a - b)), "the other convention"),
        (mixed(lambda a, b, w: a - w * (a - b)), "wrong sign"),
        (mixed(lambda a, b, w: w * (a - b)), "the difference alone"),
        (mixed(lambda a, b, w: a.clamp(-1, 1) * (1 + w) - w * b.clamp(-1, 1)), "leave the clamp"),
        (mixed(lambda a, b, w: a + w * (a - b) + 0.1), "it should give"),
    ],
    "13.2": [
        (4.0, "return two values"),
        ((0.5, 3), "a whole number"),
        ((0, 1000), "need times"),
        ((667, 1000), "too many go astray"),
        ((1, 1000), "the spread is too small"),
        ((300, 400), "both are missed"),
    ],
    "13.3": [
        (lambda q, k, empty: 1.0, "one share for each position and word"),
        (lambda q, k, empty: (q @ k.T).masked_fill(empty, -torch.inf).softmax(-1), "root of the width"),
        (shares(lambda s, e: s.softmax(-1)), "the empty places got a share"),
        (shares(lambda s, e: s.masked_fill(e, 0).softmax(-1)), "e^0 is 1"),
        (shares(lambda s, e: s.softmax(0)), "over the words"),
        (shares(lambda s, e: s.softmax(-1) * ~e), "no longer sum to 1"),
        (shares(lambda s, e: s.softmax(-1) + 1), "one share should be"),
    ],
}
