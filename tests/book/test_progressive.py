"""The progressive code under a slider, from Python: what is sent is what was given, and anything else is refused."""

import base64
import json
import re
from html import unescape

import numpy as np
import pytest
import torch

from ddpm_core.book.widgets import scrub_rate
from ddpm_core.data import to_uint8

TIMES, RATE, ERROR = [100, 40, 0], [0.001, 0.5, 3.0], [60.0, 12.5, 0.0]


def frames(*shape, n=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.rand(shape, generator=generator) * 2 - 1 for _ in range(n)]


ARRIVED, MADE = frames(4, 1, 8, 6), frames(4, 1, 8, 6, seed=1)


def made(**change):
    how = {"x_t": ARRIVED, "x0_hat": MADE, "times": TIMES, "rate": RATE, "distortion": ERROR, "label": "Code"}
    return scrub_rate(**how | change)


def test_both_rows_show_their_pictures_at_each_time():
    figure = made()
    for k, t in enumerate(TIMES):
        assert (figure.frame(t) == np.stack([to_uint8(ARRIVED[k]), to_uint8(MADE[k])])).all()
    with pytest.raises(ValueError, match="but t is 41"):
        figure.frame(41)


def test_the_page_gets_the_numbers_and_one_time_after_the_other():
    html = made()._repr_html_()
    sent = json.loads(unescape(re.search(r'data-payload="([^"]*)"', html)[1]))
    read = {name: base64.b64decode(array["data"]) for name, array in sent["arrays"].items()}
    data = np.frombuffer(read["frames"], np.uint8).reshape(3, 2, 4, 1, 8, 6)
    assert (data[1, 0] == to_uint8(ARRIVED[1]).numpy()).all() and (data[2, 1] == to_uint8(MADE[2]).numpy()).all()
    assert np.frombuffer(read["rate"], np.float32) == pytest.approx(RATE)
    assert np.frombuffer(read["distortion"], np.float32) == pytest.approx(ERROR)
    assert "of 3.00 bits per dimension" in html and html.count("<canvas") == 2


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"times": [0, 40, 100]}, "falling times"),
        ({"times": [100, 0]}, "falling times"),
        ({"times": [100], "rate": [1.0], "distortion": [0.0], "x_t": ARRIVED[:1], "x0_hat": MADE[:1]}, "at least two"),
        ({"rate": [0.5, 0.1, 3.0]}, "a rate that rises"),
        ({"rate": [0.0, 0.0, 0.0]}, "a rate that rises"),
        ({"distortion": [60.0, -1.0, 0.0]}, "distortions of at least 0"),
        ({"x0_hat": frames(3, 1, 8, 6)}, "of one shape"),
        ({"x_t": frames(4, 2, 8, 6), "x0_hat": frames(4, 2, 8, 6)}, "C = 1 or 3"),
        ({"label": " "}, "need a label"),
    ],
)
def test_other_codes_are_refused(change, word):
    with pytest.raises(ValueError, match=word):
        made(**change)
