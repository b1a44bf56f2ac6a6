"""The exercises of chapter 16: what a reader is told who got something wrong."""

import math

import pytest

from ddpm_core import exercises, flow, schedule


def plain_pull(s, a):
    return (a - (1 - a) * s**2) / ((1 - a) ** 2 * s**2 + a**2)


def width(pull=plain_pull, first=1, last=0, end=lambda x, s: x / s):
    """An answer to 16.2 with its pull, its strides or its end changed."""

    def ratio(s, T):
        return end(math.prod(1 - pull(s, t / T) / T for t in range(first, T + 1 - last)), s)

    return ratio


WRONG = {
    "16.1": {
        lambda x, following, t, T: following: "the next picture itself",
        lambda x, following, t, T: x - t / T * (x - following): "only v / T",
        lambda x, following, t, T: x + t * (x - following): "the other way",
        lambda x, following, t, T: following + (T - t + 1) * (following - x): "should begin with",
        lambda x, following, t, T: x[:1]: "should be shaped",
        lambda x, following, t, T: 3.0: "should be a tensor",
    },
    "16.2": {
        width(end=lambda x, s: x): "divide it by s",
        width(end=lambda x, s: (x / s) ** 2): "ratio of variances",
        width(first=2): "from t = 1 to t = 0 is missing",
        width(first=0, last=1): "takes the pull there",
        width(pull=lambda s, a: -plain_pull(s, a)): "the sign",
        width(pull=lambda s, a: plain_pull(s**0.5, a)): "it should be",
        lambda s, T: "wide": "should be a number",
    },
    "16.3": {
        lambda t, T: t / T: "another clock",
        lambda t, T: 1 - math.atan2(t, T - t) * 2 / math.pi: "turned round",
        lambda t, T: math.atan2(t, T - t): "divide by pi / 2",
        lambda t, T: math.atan2(t**2, (T - t) ** 2) * 2 / math.pi: "not their squares",
        lambda t, T: (t / T) ** 0.5: "it should be",
    },
}


@pytest.mark.parametrize(
    ("number", "answer", "told"),
    [(number, answer, told) for number, wrong in WRONG.items() for answer, told in wrong.items()],
)
def test_a_wrong_answer_is_told_what_to_mend(number, answer, told):
    verdict = exercises.check(number, answer)
    assert not verdict.solved and told in " ".join(repr(verdict).split())


def test_the_first_answer_undoes_the_clubs_step(normal):
    exercise = exercises.check("16.1", lambda x, following, t, T: x - t * (x - following))
    assert exercise.solved


def test_the_second_answer_is_the_walk():
    assert exercises.check("16.2", width()).solved


def test_the_third_answer_is_where_the_cosine_schedule_is_as_noisy():
    def answer(t, T):
        return math.atan2(t, T - t) * 2 / math.pi

    assert exercises.check("16.3", answer).solved
    amount, cosine = flow.straight(16), schedule.cosine(1000)
    for t in range(1, 16):
        there = cosine.alpha_bar[round(1000 * answer(t, 16))]
        assert abs(there - flow.alpha_bar(amount)[t]) < 0.02
    apart = [abs(answer(t, 1000) - t / 1000) for t in range(1001)]
    assert 0.04 < max(apart) < 0.05  # "nowhere more than 5 percent of the way"
