"""The viewer of nearest training pictures, from Python: it holds what was given, and anything else is refused."""

import pytest
import torch

from ddpm_core.book.widgets import view_nearest
from ddpm_core.evaluation.neighbours import nearest

DRAWN, KNOWN = (
    torch.randint(0, 256, (n, 3, 5, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(n)) for n in (6, 9)
)


def test_a_frame_is_the_picture_and_its_neighbours_the_nearest_first():
    figure = view_nearest(DRAWN, KNOWN, k=3, label="Copies?")
    rows = nearest(DRAWN, KNOWN, 3)[1]
    for n in range(6):
        assert torch.equal(figure.frame(n), torch.cat([DRAWN[n : n + 1], KNOWN[rows[n]]]))


def test_the_page_says_how_many_and_in_what_order():
    html = view_nearest(DRAWN, KNOWN, k=3, label="Copies?")._repr_html_()
    assert 'max="5"' in html and "6 drawn pictures" in html and html.count("<canvas") == 3


@pytest.mark.parametrize(
    ("drawn", "known", "word"),
    [
        (DRAWN[:1], KNOWN, "at least two pictures"),
        (DRAWN.float(), KNOWN, "uint8 with C = 1 or 3, but got .* float32"),
        (DRAWN[:, :2], KNOWN[:, :2], "C = 1 or 3"),
        (DRAWN, KNOWN[..., :3], "of one shape"),
        (DRAWN, KNOWN[:2], "at least k = 5 rows"),
    ],
)
def test_other_pictures_are_refused(drawn, known, word):
    with pytest.raises(ValueError, match=word):
        view_nearest(drawn, known, label="Copies?")
