"""Pictures behind sliders, from Python: what each combination of choices shows, and what the page gets."""

import base64
import json
import re
from html import unescape
from itertools import product

import numpy as np
import pytest
import torch

from ddpm_core.book import widgets

CHOICES = {"network calls": [5, 20, 50], "eta <0..1>": ["0", "1"]}


def pictures(channels=1):
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (3, 2, 5, channels, 4, 6), dtype=torch.uint8, generator=generator)


def figure(**how):
    return widgets.compare(pictures(), CHOICES, label='ways & <b> "noise"', **how)


def payload(shown):
    return json.loads(unescape(re.search(r'data-payload="([^"]*)"', shown._repr_html_())[1]))


def test_a_frame_is_the_sheet_of_these_choices():
    for place in product(range(3), range(2)):
        assert torch.equal(figure().frame(*place), pictures()[place])


def test_floats_are_shown_on_the_scale_of_images():
    x = torch.tensor([-3.0, -1.0, 0.0, 1.0, 3.0]).reshape(5, 1, 1, 1, 1)
    shown = widgets.compare(x, {"step": range(5)}, label="x")
    assert [shown.frame(k).item() for k in range(5)] == [0, 0, 128, 255, 255]


def test_the_page_gets_every_sheet_in_the_order_of_the_choices():
    sent = payload(figure(note=lambda calls, eta: f"{calls} and {eta}"))
    bytes_sent = np.frombuffer(base64.b64decode(sent["arrays"]["pictures"]["data"]), np.uint8)
    assert (bytes_sent.reshape(6, -1) == pictures().reshape(6, -1).numpy()).all()
    assert sent["choices"] == [["5", "20", "50"], ["0", "1"]]
    assert sent["notes"] == ["0 and 0", "0 and 1", "1 and 0", "1 and 1", "2 and 0", "2 and 1"]


def test_there_is_a_slider_for_each_choice_and_its_name_is_escaped():
    html = re.sub(r'data-payload="[^"]*"', "", figure()._repr_html_())
    sliders = re.findall(r'<input type="range" aria-label="([^"]*)" min="0" max="(\d)"', html)
    assert sliders == [("network calls", "2"), ("eta &lt;0..1&gt;", "1")]
    assert "<b> &" not in html and "<0..1>" not in html


def test_it_opens_where_it_is_told_to():
    html = figure(opens=(2, 1))._repr_html_()
    assert re.findall(r'max="(\d)" value="(\d)"', html) == [("2", "2"), ("1", "1")]


@pytest.mark.parametrize("opens", [(2,), (3, 0), (0, -1), (0, 0, 0)])
def test_it_opens_at_positions_that_there_are(opens):
    with pytest.raises(ValueError, match="need a position to open at for each choice"):
        figure(opens=opens)


def test_it_is_small_stable_and_self_contained():
    shown = figure()
    assert repr(shown) == "InteractiveFigure('ways & <b> \"noise\"')"
    assert shown._repr_html_() == shown._repr_html_()
    assert len(re.sub(r'data-payload="[^"]*"', "", shown._repr_html_()).encode()) <= 6144
    assert not re.search(r"https?:|src=|href=|@import|url\(|import\(", shown._repr_html_())


@pytest.mark.parametrize(
    ("x", "choices_given", "message"),
    [
        (pictures(), {}, "at least one choice"),
        (pictures()[:1], {"calls": [5], "eta": [0, 1]}, "two positions or more"),
        (pictures(), {"calls": [5, 20], "eta": [0, 1]}, r"shape \(2, 2\) for the choices"),
        (pictures()[..., 0], CHOICES, r"then \(N, C, H, W\)"),
        (pictures(channels=2), CHOICES, "C = 1 or 3"),
        (pictures()[:, :, :0], CHOICES, r"but got shape \(3, 2, 0"),
        (pictures().double(), CHOICES, r"within \[-8, 8\]"),
        (pictures().long(), CHOICES, "floating point"),
    ],
)
def test_what_cannot_be_shown_is_refused(x, choices_given, message):
    with pytest.raises(ValueError, match=message):
        widgets.compare(x, choices_given, label="x")


@pytest.mark.parametrize("how", [{"columns": 0}, {"size": 0}])
def test_a_sheet_without_width_is_refused(how):
    with pytest.raises(ValueError, match="columns and size of at least 1"):
        figure(**how)
