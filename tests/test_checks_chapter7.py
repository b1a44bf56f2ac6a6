"""The exercises of chapter 7: what a reader is told who got something wrong."""

import pytest
import torch

from ddpm_core import exercises


def count(norms=1, biases=1, time=2, shortcut=None, second=None):
    """An answer to 7.1 with one part of it changed."""

    def answer(n_in, n_out, condition):
        across = n_in != n_out if shortcut is None else shortcut
        convolutions = 9 * n_in * n_out + 9 * n_out * (n_in if second == "n_in" else n_out)
        linear = condition * time * n_out
        return (
            norms * (2 * n_in + 2 * n_out)
            + convolutions
            + linear
            + (n_in * n_out if across else 0)
            + biases * (2 * n_out + time * n_out + (n_out if across else 0))
        )

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


@pytest.mark.parametrize(
    ("number", "answer", "word"),
    [
        ("7.1", lambda n_in, n_out, condition: print(end=""), "returns nothing"),
        ("7.1", lambda n_in, n_out, condition: "many", "should be a number"),
        ("7.1", count(biases=0), "the biases"),
        ("7.1", count(norms=0), "the norms"),
        ("7.1", count(time=0), "scale and shift of the condition"),
        ("7.1", count(time=1), "the shift"),
        ("7.1", count(shortcut=False), "a 1x1 convolution takes x across"),
        ("7.1", count(shortcut=True), "there is no shortcut"),
        ("7.1", count(second="n_in"), "from n_out to n_out"),
        ("7.1", lambda n_in, n_out, condition: 9 * n_in * n_out, "a real block has"),
        ("7.2", lambda e, omega, s: omega, "same shape as e"),
        ("7.2", lambda e, omega, s: e, "stands still"),
        ("7.2", turned(sign=-1), "s steps earlier"),
        ("7.2", turned(swap=True), "sines first"),
        ("7.2", turned(step=1), "whatever s is"),
        ("7.2", turned(factor=2.0), "keeps lengths"),
        ("7.2", lambda e, omega, s: turned()(e, omega / 2, s), "turn each pair by"),
        ("7.3", lambda q, k, v: 0.0, "return a tensor"),
        ("7.3", lambda q, k, v: q @ k.transpose(1, 2), "shaped like v"),
        ("7.3", attend(divide=lambda q: 1), "divide the scores by sqrt"),
        ("7.3", attend(divide=lambda q: q.shape[-1]), "its square root"),
        ("7.3", attend(divide=lambda q: q.shape[1] ** 0.5), "not of the number of positions"),
        ("7.3", attend(divide=lambda q: q.shape[-1] / 2), "that is not 7.8"),
        ("7.3", attend(divide=lambda q: 2), "that is not 7.8"),
        ("7.3", attend(axis=1), "runs over the queries"),
        ("7.3", attend(axis=0), "runs over the batch"),
        ("7.3", attend(soft=False), "softmax is missing"),
        ("7.3", attend(mixed="k"), "you mix the keys"),
        ("7.3", attend(asks=True), "the keys ask the queries"),
        ("7.3", lambda q, k, v: v, "that is not 7.8"),
    ],
)
def test_a_wrong_answer_gets_a_word_on_how_to_go_on(number, answer, word):
    verdict = exercises.check(number, answer)
    assert not verdict.solved
    assert word in verdict.message


@pytest.mark.parametrize(("number", "answer"), [("7.1", count()), ("7.2", turned()), ("7.3", attend())])
def test_the_right_answer_is_right(number, answer):
    assert exercises.check(number, answer).solved
