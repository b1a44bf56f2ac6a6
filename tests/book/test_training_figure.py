"""Trainings under a slider, from Python: what is sent is what was given, and anything else is refused."""

import base64
import json
import re
from html import unescape

import numpy as np
import pytest
import torch

from ddpm_core.book.widgets import scrub_training
from ddpm_core.data import to_uint8

LOOKS = [10, 50, 400]
LOSSES = {"L": [(5, 4.0), (10, 2.0), (400, 1.0)], "<L>": [(5, 1.0), (10, 0.5), (400, 0.1)]}
DISTANCES = {"L": [9.0, 8.0, 7.0], "<L>": [9.0, 3.0, 1.5]}


def frames(*shape, n=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.rand(shape, generator=generator) * 2 - 1 for _ in range(n)]


FRAMES = {"L": frames(4, 1, 8, 6), "<L>": frames(4, 1, 8, 6, seed=1)}


def made(**change):
    how = {"losses": LOSSES, "frames": FRAMES, "distances": DISTANCES, "looks": LOOKS, "label": "Two", "start": 50}
    return scrub_training(**how | change)


def test_every_run_shows_its_pictures_at_each_look():
    figure = made()
    for k, step in enumerate(LOOKS):
        assert (figure.frame(step) == np.stack([to_uint8(row[k]) for row in FRAMES.values()])).all()
    with pytest.raises(ValueError, match="but t is 11"):
        figure.frame(11)


def test_the_page_gets_losses_as_shares_of_the_first_and_all_distances():
    html = made()._repr_html_()
    sent = json.loads(unescape(re.search(r'data-payload="([^"]*)"', html)[1]))
    read = {name: base64.b64decode(array["data"]) for name, array in sent["arrays"].items()}
    assert np.frombuffer(read["curves"], np.float32) == pytest.approx([1, 0.5, 0.25, 1, 0.5, 0.1])
    assert np.frombuffer(read["distances"], np.float32) == pytest.approx([9, 8, 7, 9, 3, 1.5])
    assert list(np.frombuffer(read["steps"], np.float32)) == [5, 10, 400] and sent["opens"] == 1
    data = np.frombuffer(read["frames"], np.uint8).reshape(3, 2, 4, 1, 8, 6)
    assert (data[2, 0] == to_uint8(FRAMES["L"][2]).numpy()).all()
    assert "<b>&lt;L&gt;</b>" in html and html.count("<canvas") == 2


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"losses": {}}, "one to three runs"),
        ({"distances": {"L": [1, 2, 3], "other": [1, 2, 3]}}, "of the same names"),
        ({"looks": [50, 10, 400]}, "looks that rise"),
        ({"start": 11}, "a start among them"),
        ({"losses": LOSSES | {"L": [(5, 4.0), (11, 2.0), (400, 1.0)]}}, "at the same steps"),
        ({"losses": LOSSES | {"L": [(5, 4.0), (10, 0.0), (400, 1.0)]}}, "losses above 0"),
        ({"distances": DISTANCES | {"L": [1.0]}}, "a distance for each of 3"),
        ({"frames": FRAMES | {"L": frames(4, 1, 8, 5)}}, "of one shape"),
        ({"frames": FRAMES | {"L": frames(4, 1, 8, 6, n=2)}}, "the row 'L' has 2"),
        ({"label": " "}, "need a label"),
    ],
)
def test_other_trainings_are_refused(change, word):
    with pytest.raises(ValueError, match=word):
        made(**change)
