"""A walk through a network, from Python: channels as greys, levels by halvings, skips between pieces of one size."""

import base64
import json
import re
from html import unescape

import numpy as np
import pytest
import torch

from ddpm_core.book.widgets import WalkStep, walk_unet


def output(channels, side, seed=0):
    return torch.randn(channels, side, side, generator=torch.Generator().manual_seed(seed))


PIECES = [
    WalkStep("in", output(1, 8), "what comes in"),
    WalkStep("down", output(12, 8, 1), "down"),
    WalkStep("middle", output(9, 4, 2), "deep"),
    WalkStep("<up>", output(5, 8, 3), "across", skip=1),
]


def greys(x):
    return ((x - x.min()) / (x.max() - x.min()) * 255).round()


def test_a_frame_is_up_to_eight_channels_each_stretched_over_the_greys():
    figure = walk_unet(PIECES, label="Walk")
    for k, (piece, n) in enumerate(zip(PIECES, (1, 8, 8, 5), strict=True), start=1):
        assert figure.frame(k).shape == (n, *piece.output.shape[1:])
        for shown, channel in zip(figure.frame(k), piece.output, strict=False):
            assert abs(shown - greys(channel).numpy()).max() <= 1 and (shown.min(), shown.max()) == (0, 255)
    with pytest.raises(ValueError, match="but t is 5"):
        figure.frame(5)


def test_a_channel_of_one_value_is_one_grey():
    pieces = [WalkStep("flat", torch.full((1, 4, 4), 3.0), "flat"), PIECES[2]]
    assert (walk_unet(pieces, label="Flat").frame(1) == 0).all()


def test_the_page_gets_means_levels_and_skips():
    html = walk_unet(PIECES, label="Walk", start=4)._repr_html_()
    sent = json.loads(unescape(re.search(r'data-payload="([^"]*)"', html)[1]))
    assert [piece["skip"] for piece in sent["pieces"]] == [None, None, None, 1] and sent["opens"] == 3
    means = np.frombuffer(base64.b64decode(sent["arrays"]["means"]["data"]), np.uint8)
    assert abs(means[64:128].reshape(8, 8) - greys(PIECES[1].output.mean(0)).numpy()).max() <= 1
    assert re.findall(r"grid-area: (\d) / (\d)", html) == [("1", "1"), ("1", "2"), ("2", "3"), ("1", "4")]
    assert html.count('class="skip"') == 1 and "<span>&lt;up&gt;</span>" in html


@pytest.mark.parametrize(
    ("pieces", "start", "word"),
    [
        (PIECES[:1], 1, "two pieces or more"),
        (PIECES, 5, "a start among them"),
        ([*PIECES, WalkStep("flat", output(1, 8)[0], "no channels")], 1, r"shaped \(C, H, H\)"),
        ([*PIECES, WalkStep("odd", output(1, 3), "three")], 1, "halvings of the largest, 8, but got 3"),
        ([*PIECES, WalkStep("wrong", output(1, 4), "deep", skip=1)], 1, "as large as it is"),
        ([*PIECES, WalkStep("wrong", output(1, 8), "far", skip=9)], 1, "as large as it is"),
    ],
)
def test_other_networks_are_refused(pieces, start, word):
    with pytest.raises(ValueError, match=word):
        walk_unet(pieces, label="Walk", start=start)
