"""Pictures in a grid: each in its place, with the words that belong to it."""

import pytest
import torch

from ddpm_core.book import layout, plot, vector


@pytest.fixture
def places():
    """What stands where on a sheet: {picture or words: (x, y) of its middle, or of its side, in inches}."""

    def read(figure):
        (ax,) = figure.axes
        found = {text.get_text(): text.get_position() for text in ax.texts}
        for image in ax.images:
            x0, x1, y1, y0 = image.get_extent()
            found[int(image.get_array()[0, 0])] = ((x0 + x1) / 2, (y0 + y1) / 2)
        return found

    return read


def pictures(n, *shape):
    """n grey pictures, the k-th with pixels k."""
    return torch.arange(n, dtype=torch.uint8)[:, None, None, None].expand(n, 1, *(shape or (4, 4)))


def test_titles_stand_above_pictures_and_labels_left_of_rows(places):
    figure = plot.grid(pictures(5), columns=2, titles=list("abcde"), labels=["one", "two", "three"])
    found = places(figure)
    for k, title in enumerate("abcde"):
        assert found[title][0] == pytest.approx(found[k][0]) and found[title][1] < found[k][1] - 0.4
    for row, label in enumerate(["one", "two", "three"]):
        assert found[label][1] == pytest.approx(found[2 * row][1]) and found[label][0] < found[2 * row][0] - 0.4
    assert found[0][0] == found[2][0] < found[1][0] == found[3][0]
    assert found[0][1] == found[1][1] < found[2][1] < found[4][1]


def test_pictures_keep_their_shape_and_fit_the_page():
    for columns, height in ((3, 0.5), (30, 2.0)):
        figure = plot.grid(pictures(60, 4, 8), columns=columns, height=height)
        image = figure.axes[0].images[0].get_extent()
        assert image[1] - image[0] == pytest.approx(2 * (image[2] - image[3]))
        assert image[2] - image[3] <= height and figure.get_size_inches()[0] <= layout.WIDE + 1e-6


def test_on_a_phone_a_row_breaks_where_titles_would_meet_and_its_label_stands_above(places):
    titles = [f"step {10 * k}" for k in range(16)]
    figure = vector._phones[plot.grid(pictures(16), columns=8, titles=titles, labels=["one", "two"])]()
    assert figure.get_size_inches()[0] <= layout.NARROW + 1e-6
    found = places(figure)
    heights = sorted({round(found[k][1], 6) for k in range(16)})
    assert len(heights) == 4 and [round(found[k][1], 6) for k in (0, 4, 8, 12)] == heights
    assert found["one"][1] < found["step 0"][1] < found[0][1] < found["step 40"][1] < found[7][1] < found["two"][1]
    assert found["two"][1] < found[8][1]
