"""The progressive code on a bare page: moved by mouse, finger and keys; pictures, numbers and mark follow."""

import bare
import numpy as np
import pytest
import torch

from ddpm_core.book.widgets import scrub_rate

TIMES, RATE, ERROR = [100, 70, 40, 10, 0], [0.0, 0.02, 0.5, 1.5, 3.0], [60.0, 30.0, 12.5, 4.0, 0.0]


@pytest.fixture(scope="module")
def figure():
    generator = torch.Generator().manual_seed(0)
    rows = [[torch.rand((5, 1, 8, 8), generator=generator) * 2 - 1 for _ in TIMES] for _ in range(2)]
    return scrub_rate(*rows, TIMES, RATE, ERROR, label="Bits spent, picture got")


def held_to(page, figure, k):
    """Everything on the page belongs to the k-th time."""
    for canvas, row in zip(page.locator("canvas").all(), figure.frame(TIMES[k]), strict=True):
        assert (bare.pixels(canvas)[:, :, 0] == np.concatenate(list(row[:, 0]), axis=1)).all()
    assert float(page.locator(".bits").inner_text()) == pytest.approx(RATE[k])
    assert float(page.locator(".error").inner_text()) == pytest.approx(ERROR[k])
    assert page.locator(".time").inner_text() == f"x_t known down to t = {TIMES[k]}"
    mark = page.locator(".plot .now").get_attribute("d")
    assert float(mark[1:].split(" ")[0]) == pytest.approx(RATE[k] / RATE[-1], abs=1e-6)


@pytest.mark.parametrize("k", range(len(TIMES)))
def test_every_time_shows_its_pictures_and_numbers(bare_page, figure, k):
    page = bare_page(figure._repr_html_())
    bare.move(page.locator("input"), k)
    held_to(page, figure, k)


def test_dragging_spends_bits_and_going_back_returns_them(bare_page, figure):
    page = bare_page(figure._repr_html_())
    slider = page.locator("input")
    for _, k in zip(bare.dragged(page, slider, 0, 1, 0.5), (4, 2), strict=True):
        held_to(page, figure, k)


def test_it_moves_by_key(bare_page, figure):
    page = bare_page(figure._repr_html_())
    page.locator("input").press("ArrowRight")
    held_to(page, figure, 1)
    page.locator("input").press("End")
    held_to(page, figure, 4)


def test_a_tap_on_the_slider_moves_it(bare_page, figure):
    page = bare_page(figure._repr_html_(), width=390, has_touch=True)
    slider = page.locator("input")
    bare.tap(page, slider, 0.5)
    held_to(page, figure, 2)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1000])
def test_page_is_accessible_and_nothing_sticks_out(bare_page, figure, width, dark):
    page = bare_page(figure._repr_html_(), width=width, dark=dark)
    boxes = [canvas.bounding_box() for canvas in page.locator("canvas").all()]
    assert boxes[0]["width"] == pytest.approx(5 * boxes[0]["height"], rel=0.02)  # square pictures
    assert bare.faults(page, width) == []
