"""Guess the digit, from Python: what is asked when, what is shown, and what a wrong call is told."""

import pytest
import torch

from ddpm_core.book import widgets
from ddpm_core.book.widgets.guessing import asked
from ddpm_core.data import to_uint8
from ddpm_core.diffusion.gaussian import q_sample
from ddpm_core.schedule import cosine

TIMES, N = [100, 400, 700], 7


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def game(**other):
    x0 = torch.randint(0, 256, (N, 1, 4, 4), generator=torch.Generator().manual_seed(1)) / 127.5 - 1
    given = {
        "schedule": cosine(1000), "times": TIMES, "x0": x0, "eps": normal(N, 1, 4, 4).clamp(-3, 3),
        "labels": torch.arange(N), "guesses": normal(3, N, 1, 4, 4, seed=2).clamp(-1, 1),
        "read": torch.zeros(3, N, dtype=torch.long), "rates": [0.9, 0.5, 0.2],
    }  # fmt: skip
    return given, widgets.guess_digit(**(given | other), label="which?")


def test_a_frame_is_the_digit_at_that_time_and_what_it_was_taken_for():
    given, figure = game()
    for n, k in ((0, 0), (3, 1), (6, 2)):
        x_t, guess = figure.frame(n, k)
        expected = q_sample(cosine(1000), given["x0"][n : n + 1], torch.tensor([TIMES[k]]), given["eps"][n : n + 1])
        assert (x_t.int() - to_uint8(expected)[0].int()).abs().max() <= 2  # noise is kept to 2/127
        assert torch.equal(guess, to_uint8(given["guesses"][k, n]))


@pytest.mark.parametrize("K", [2, 3, 6])
def test_every_time_is_asked_as_often_and_the_first_is_a_middle_one(K):
    places = asked(4 * K, K)
    assert places[0] == (K - 1) // 2
    assert torch.tensor(places).bincount().tolist() == [4] * K
    assert places == asked(4 * K, K) and places[:5] == asked(5, K)


def test_html_stays_small_and_loads_nothing():
    html = game()[1]._repr_html_()
    assert "http" not in html and len(html.encode()) < 12_000


@pytest.mark.parametrize(
    "other, sentence",
    [
        ({"times": [100, 100, 400]}, "rising times in 1..1000"),
        ({"times": [0, 1, 2]}, "rising times"),
        ({"guesses": normal(3, N, 1, 4, 5)}, r"need guesses shaped \(3, 7, 1, 4, 4\)"),
        ({"labels": torch.arange(N) + 4}, "need labels as whole numbers 0..9"),
        ({"read": torch.zeros(3, N)}, "need what is read as whole numbers"),
        ({"rates": [0.9, 0.5]}, "need 3 hit rates"),
        ({"rates": [0.9, 0.5, float("nan")]}, "need 3 hit rates"),
        ({"x0": normal(N, 2, 4, 4).clamp(-1, 1), "eps": normal(N, 2, 4, 4)}, "C = 1 or 3"),
    ],
)
def test_bad_input_gets_a_sentence(other, sentence):
    with pytest.raises(ValueError, match=sentence) as error:
        game(**other)
    assert str(error.value).startswith("need ")
