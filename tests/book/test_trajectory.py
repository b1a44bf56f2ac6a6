"""Rows of pictures under one slider, from Python: what is sent is what was given, and bad rows are refused."""

import base64
import json
import re
from html import unescape

import numpy as np
import pytest
import torch

from ddpm_core.book.widgets import scrub_rows
from ddpm_core.data import to_uint8


def frames(*shape, n=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.rand(shape, generator=generator) * 2 - 1 for _ in range(n)]


RAW, AVERAGED = frames(4, 1, 8, 6), frames(4, 1, 8, 6, seed=1)


def made(**change):
    how = {"frames": {"raw": RAW, "averaged": AVERAGED}, "times": [10, 50, 400], "label": "Two", "caption": "step {t}"}
    return scrub_rows(**how | change)


def test_every_row_shows_its_pictures_at_each_time():
    figure = made()
    for k, t in enumerate([10, 50, 400]):
        assert (figure.frame(t) == np.stack([to_uint8(RAW[k]), to_uint8(AVERAGED[k])])).all()
    with pytest.raises(ValueError, match="but t is 11"):
        figure.frame(11)


def test_the_page_gets_one_time_after_the_other_and_of_each_one_row_after_the_other():
    html = made()._repr_html_()
    sent = json.loads(unescape(re.search(r'data-payload="([^"]*)"', html)[1]))
    assert (sent["times"], sent["shape"], sent["columns"]) == ([10, 50, 400], [4, 1, 8, 6], 4)
    data = np.frombuffer(base64.b64decode(sent["arrays"]["frames"]["data"]), np.uint8).reshape(3, 2, 4, 1, 8, 6)
    assert (data[1, 0] == to_uint8(RAW[1]).numpy()).all() and (data[2, 1] == to_uint8(AVERAGED[2]).numpy()).all()
    assert html.count("<canvas") == 2 and 'aria-label="4 pictures, averaged"' in html


def test_uint8_is_kept_and_names_are_escaped():
    bytes_ = [to_uint8(frame) for frame in RAW]
    figure = made(frames={"<b>": bytes_})
    assert (figure.frame(50)[0] == bytes_[1].numpy()).all() and "&lt;b&gt;" in figure._repr_html_()
    assert repr(figure) == "Scrubber('Two', T=400)"


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"frames": {}}, "need rows and different times"),
        ({"times": [1, 1, 2]}, "need rows and different times"),
        ({"times": [1, 2]}, "need a frame for each of 2 times, but the row 'raw' has 3"),
        ({"caption": "step"}, "need a caption that says"),
        ({"frames": {"raw": RAW, "averaged": frames(3, 1, 8, 6)}}, "of one shape"),
        ({"frames": {"raw": frames(4, 2, 8, 6)}}, "C = 1 or 3"),
        ({"frames": {"raw": [frame.long() for frame in RAW]}}, "the row 'raw' in floating point"),
        ({"label": " "}, "need a label"),
    ],
)
def test_other_rows_are_refused(change, word):
    with pytest.raises(ValueError, match=word):
        made(**change)
