"""Right and wrong answers to the exercises of chapter 7, and what a wrong one is told."""

import torch


def count(norms=1, biases=1, time=2, shortcut=None, second=None):
    """An answer to 7.1 with one part of it changed."""

    def answer(n_in, n_out, condition):
        across = n_in != n_out if shortcut is None else shortcut
        convolutions = 9 * n_in * n_out + 9 * n_out * (n_in if second == "n_in" else n_out)
        linear, shortcuts = condition * time * n_out, n_in * n_out if across else 0
        every_bias = 2 * n_out + time * n_out + (n_out if across else 0)
        return norms * (2 * n_in + 2 * n_out) + convolutions + linear + shortcuts + biases * every_bias

    return answer


def turned(sign=1, swap=False, step=None, factor=1.0):
    """An answer to 7.2 with one part of it changed."""

    def answer(e, omega, s):
        sines, cosines = e.chunk(2, dim=1)
        a = sign * omega * (s if step is None else step)
        parts = [sines * a.cos() + cosines * a.sin(), cosines * a.cos() - sines * a.sin()]
        return factor * torch.cat(parts[::-1] if swap else parts, dim=1)

    return answer


def attend(divide=lambda q: q.shape[-1] ** 0.5, axis=-1, mixed="v", asks=False, soft=True):
    """An answer to 7.3 with one part of it changed."""

    def answer(q, k, v):
        scores = q @ k.transpose(1, 2) / divide(q)
        scores = scores.transpose(1, 2) if asks else scores
        return (scores.softmax(axis) if soft else scores) @ {"k": k, "v": v}[mixed]

    return answer


RIGHT = {
    "7.1": [count()],
    "7.2": [turned()],
    "7.3": [attend()],
    "7.4": [5.3, 5.9],
}

WRONG = {
    "7.1": [
        (lambda n_in, n_out, condition: "many", "should be a number"),
        (count(biases=0), "the biases"),
        (count(norms=0), "the norms"),
        (count(time=0), "scale and shift of the condition"),
        (count(time=1), "the shift"),
        (count(shortcut=False), "a 1x1 convolution takes x across"),
        (count(shortcut=True), "there is no shortcut"),
        (count(second="n_in"), "from n_out to n_out"),
        (lambda n_in, n_out, condition: 9 * n_in * n_out, "a real block has"),
    ],
    "7.2": [
        (lambda e, omega, s: omega, "shaped like e: a tensor of shape (4, 16), not one of shape (8,)"),
        (lambda e, omega, s: e, "stands still"),
        (turned(sign=-1), "s steps earlier"),
        (turned(swap=True), "sines first"),
        (turned(step=1), "whatever s is"),
        (turned(factor=2.0), "keeps lengths"),
        (lambda e, omega, s: turned()(e, omega / 2, s), "turn each pair by"),
    ],
    "7.3": [
        (lambda q, k, v: 0.0, "a tensor of shape (2, 7, 9), not float"),
        (
            lambda q, k, v: q @ k.transpose(1, 2),
            "shaped like v: a tensor of shape (2, 7, 9), not one of",
        ),
        (attend(divide=lambda q: 1), "divide the scores by sqrt"),
        (attend(divide=lambda q: q.shape[-1]), "its square root"),
        (attend(divide=lambda q: q.shape[1] ** 0.5), "not of the number of positions"),
        (attend(divide=lambda q: q.shape[-1] / 2), "that is not 7.8"),
        (attend(divide=lambda q: 2), "that is not 7.8"),
        (attend(axis=1), "runs over the queries"),
        (attend(axis=0), "runs over the batch"),
        (attend(soft=False), "softmax is missing"),
        (attend(mixed="k"), "you mix the keys"),
        (attend(asks=True), "the keys ask the queries"),
        (lambda q, k, v: v, "that is not 7.8"),
    ],
    "7.4": [
        (1.07, "was trained without skips"),
        (0.18, "upside down"),
        (2.36, "the ratio of the roots"),
        (9.0, "cut both skips"),
    ],
}
