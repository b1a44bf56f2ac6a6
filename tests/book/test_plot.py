"""Pictures in a grid: each in its place, with the words that belong to it."""

import pytest
import torch

from ddpm_core.book import plot


@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")  # of matplotlib, which asks torch in the old way
def test_titles_stand_above_pictures_and_labels_left_of_rows():
    figure = plot.grid(torch.zeros(5, 1, 4, 4), columns=2, titles=list("abcde"), labels=["one", "two", "three"])
    assert [ax.get_title() for ax in figure.axes] == [*"abcde", ""]
    said = [[text.get_text() for text in ax.texts] for ax in figure.axes]
    assert said == [["one"], [], ["two"], [], ["three"], []]
    assert all(ax.texts[0].get_position()[0] < 0 and ax.texts[0].get_ha() == "right" for ax in figure.axes[::2])
