"""The field in three readings, from Python: its arrows are the world's own, and other worlds and times are refused."""

import pytest
import torch

from ddpm_core import schedule
from ddpm_core.book import widgets
from ddpm_core.book.widgets.field import grid
from ddpm_core.diffusion import mixture, score

COSINE = schedule.cosine(100)
WORLD = mixture.isotropic([0.25, 0.75], [[-1.0, 0.5], [1.5, -1.0]], std=0.2)


def made(**change):
    return widgets.vector_field(**{"schedule": COSINE, "world": WORLD, "label": "A field"} | change)


@pytest.mark.parametrize("t", [1, 30, 100])
def test_three_readings_are_one_field(t):
    figure, x, now = made(), grid(), torch.full((169,), t)
    noise, slope, velocity = (figure.frame(t, reading) for reading in ("noise", "score", "velocity"))
    assert torch.allclose(slope, WORLD.score(COSINE, x, now)) and torch.allclose(velocity, (x + slope) / 2)
    assert torch.allclose(noise, score.to_eps(COSINE, slope, now))


def test_the_page_is_small():
    assert len(made()._repr_html_()) < 30_000


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"label": ""}, "need a label"),
        ({"opens": 0}, r"need a time in 1..100, but got 0"),
        ({"world": mixture.isotropic([1.0], [[0.0]], 0.2)}, "in the plane"),
        ({"world": mixture.GaussianMixture(torch.ones(1), torch.zeros(1, 2), torch.tensor([[1.0, 2.0]]))}, "round"),
    ],
)
def test_other_worlds_are_refused(change, words):
    with pytest.raises(ValueError, match=words):
        made(**change)


def test_other_frames_are_refused():
    with pytest.raises(ValueError, match="but got 101"):
        made().frame(101, "score")
    with pytest.raises(ValueError, match="one of noise, score, velocity, but got 'drift'"):
        made().frame(5, "drift")
