"""The opening of the book, from Python: its film holds the frames, and what cannot be shown is refused."""

import json
import re
from html import unescape

import numpy as np
import pytest
import torch

from ddpm_core.book.widgets import film, opening
from ddpm_core.data import to_uint8


def frames(*shape, n=3):
    generator = torch.Generator().manual_seed(0)
    return [torch.rand(shape, generator=generator) * 2 - 1 for _ in range(n)]


@pytest.mark.parametrize("channels", [1, 3])
def test_a_film_holds_one_sheet_below_the_other(channels):
    chain = frames(4, channels, 5, 6)
    shown = np.asarray(film(chain, columns=2))
    assert shown.shape[:2] == (3 * 2 * 5, 2 * 6)
    for k, frame in enumerate(chain):
        for n, picture in enumerate(to_uint8(frame).permute(0, 2, 3, 1).squeeze(-1).numpy()):
            y, x = 10 * k + 5 * (n // 2), 6 * (n % 2)
            assert (shown[y : y + 5, x : x + 6] == picture).all()


def test_what_fills_no_row_is_refused():
    with pytest.raises(ValueError, match="whole rows of 3 pictures"):
        film(frames(4, 1, 5, 6), columns=3)
    with pytest.raises(ValueError, match="whole rows"):
        opening("a.webp", (4, 3, 8), [1, 0], label="x", pixels=8)
    with pytest.raises(ValueError, match="different times"):
        opening("a.webp", (4, 2, 8), [1, 1], label="x", pixels=8)


def test_the_page_learns_where_the_film_is_and_what_its_times_are():
    html = opening('a"b.webp', (4, 2, 8), [9, 4, 0], label="Cars", pixels=10)._repr_html_()
    assert json.loads(unescape(re.search(r'data-payload="([^"]*)"', html)[1]))["times"] == [9, 4, 0]
    assert 'data-src="a&quot;b.webp"' in html and 'width="16" height="16"' in html


def test_python_alone_does_not_show_it():
    with pytest.raises(ValueError, match=r"the film lies in a\.webp"):
        opening("front/a.webp", (4, 2, 8), [9, 4, 0], label="Cars", pixels=10).frame(4)
