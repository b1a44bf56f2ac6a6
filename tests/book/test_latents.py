"""The figure of a chain that parts, from Python: what it sends, what it says is left, and what it refuses."""

import base64
import json
import re
from html import unescape

import numpy as np
import pytest
import torch

from ddpm_core.book import widgets
from ddpm_core.data import to_uint8

TIMES = [1000, 600, 100]


def chains(seed=0, C=2, P=3, B=4, c=1, H=5, W=6):
    """x_t, guesses and ends; the ends of the parting at TIMES[k] differ less, the later it is."""
    g = torch.Generator().manual_seed(seed)
    shared, guesses = (torch.randn(C, P, c, H, W, generator=g).clamp(-1, 1) for _ in range(2))
    common, own = torch.randn(C, P, 1, c, H, W, generator=g), torch.randn(C, P, B, c, H, W, generator=g)
    late = torch.linspace(0, 0.9, P)[:, None, None, None, None]
    return shared, guesses, (0.3 * (late.sqrt() * common + (1 - late).sqrt() * own)).clamp(-1, 1)


def payload(figure):
    return json.loads(unescape(re.search(r'data-payload="([^"]*)"', figure._repr_html_())[1]))


@pytest.fixture(scope="module")
def figure():
    return widgets.shared_latents(*chains(), TIMES, label="Chains")


def test_a_frame_holds_the_pictures_of_its_chain_and_time(figure):
    shared, guesses, ends = (to_uint8(x) for x in chains())
    frame = figure.frame(1, 600)
    assert torch.equal(frame["shared"], shared[1, 1]) and torch.equal(frame["guess"], guesses[1, 1])
    assert torch.equal(frame["ends"], ends[1, 1])
    assert (frame["mean"].double() - ends[1, 1].double().mean(0)).abs().max() <= 0.5
    assert (frame["apart"].double() / 2 - ends[1, 1].double().std(0, unbiased=False)).abs().max() <= 0.25


def test_what_is_left_to_chance_is_a_share_of_the_variance():
    """Of ends that share `late` of their variance, 1 - late is left, whatever that variance is."""
    g = torch.Generator().manual_seed(1)
    common, own = torch.randn(400, 2, 1, 1, 4, 4, generator=g), torch.randn(400, 2, 5, 1, 4, 4, generator=g)
    late = torch.tensor([0.0, 0.7])[:, None, None, None, None]
    ends = 0.25 * (late.sqrt() * common + (1 - late).sqrt() * own)
    plain = torch.zeros(400, 2, 1, 4, 4)
    for scale in (1.0, 0.5):
        figure = widgets.shared_latents(plain, plain, scale * ends, [1000, 300], label="x")
        left = [np.mean([figure.frame(k, t)["left"] for k in range(400)]) for t in (1000, 300)]
        assert left == pytest.approx([1.0, 0.3], abs=0.02)


def test_ends_that_agree_leave_nothing_to_chance():
    shared, guesses, ends = chains()
    ends[:, 2] = ends[:, 2, :1]
    frame = widgets.shared_latents(shared, guesses, ends, TIMES, label="x").frame(0, 100)
    assert frame["left"] == 0 and not frame["apart"].any()


def test_the_page_gets_every_picture_as_bytes(figure):
    sent = payload(figure)
    assert sent["times"] == TIMES and sent["counts"] == [2, 3, 4] and sent["picture"] == [1, 5, 6]
    for name, x in zip(("shared", "guesses", "ends"), chains(), strict=True):
        raw = np.frombuffer(base64.b64decode(sent["arrays"][name]["data"]), np.uint8)
        assert np.array_equal(raw, to_uint8(x).numpy().ravel())


def test_it_is_small_stable_and_self_contained(figure):
    html = figure._repr_html_()
    assert repr(figure) == "InteractiveFigure('Chains')" and html == figure._repr_html_()
    assert len(re.sub(r'data-payload="[^"]*"', "", html).encode()) <= 7168
    assert not re.search(r"https?:|src=|href=|@import|url\(|import\(", html)


@pytest.mark.parametrize(
    "change, sentence",
    [
        (lambda s, g, e: (s, g, e[:, :, 0], TIMES), r"need ends \(C, P, B, c, H, W\)"),
        (lambda s, g, e: (s, g, e[:, :, :1], TIMES), r"B of at least 2.*\(2, 3, 1, 1, 5, 6\)"),
        (lambda s, g, e: (s, g, e.expand(-1, -1, -1, 2, -1, -1), TIMES), "c = 1 or 3"),
        (lambda s, g, e: (s[:, :2], g, e, TIMES), r"x_t and a guess for each chain and time.*\(2, 2, 1, 5, 6\)"),
        (lambda s, g, e: (s, g[..., :5], e, TIMES), "x_t and a guess for each chain and time"),
        (lambda s, g, e: (s, g, e, TIMES[:2]), "need 3 falling times"),
        (lambda s, g, e: (s, g, e, TIMES[::-1]), "need 3 falling times"),
        (lambda s, g, e: (s, g, 0 * e, TIMES), "differ at the first time, t = 1000"),
        (lambda s, g, e: (s, g, 50 * e, TIMES), "need ends within"),
    ],
)
def test_bad_input_gets_a_sentence(change, sentence):
    with pytest.raises(ValueError, match=sentence) as error:
        widgets.shared_latents(*change(*chains()), label="x")
    assert str(error.value).startswith("need ") and "\n" not in str(error.value)
