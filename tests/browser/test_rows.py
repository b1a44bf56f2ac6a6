"""Rows of pictures under one slider, on a bare page: every row shows its own pictures of the chosen time."""

import bare
import numpy as np
import pytest
import torch

from ddpm_core.book.widgets import scrub_rows

STEPS = [25, 100, 800]


@pytest.fixture(scope="module")
def figure():
    generator = torch.Generator().manual_seed(0)
    noise = [[torch.rand((8, 1, 8, 8), generator=generator) * 2 - 1 for _ in STEPS] for _ in range(3)]
    frames = dict(zip(("raw", "averaged", "<>"), noise, strict=True))
    return scrub_rows(frames, STEPS, label="Rows of digits", caption="step {t}")


@pytest.mark.parametrize(("k", "step"), list(enumerate(STEPS)))
def test_every_row_shows_its_pictures_of_that_time(bare_page, figure, k, step):
    page = bare_page(figure._repr_html_())
    bare.move(page.locator("input"), k)
    canvases = page.locator("canvas").all()
    assert len(canvases) == 3
    for canvas, row in zip(canvases, figure.frame(step), strict=True):
        shown = bare.pixels(canvas)
        assert (shown[:, :, 0] == np.concatenate(list(row[:, 0]), axis=1)).all()
        assert canvas.get_attribute("aria-label").endswith(f", step {step}")
    assert page.locator(".title").all_inner_texts() == ["raw", "averaged", "<>"]


def test_it_moves_by_key_and_says_where_it_is(bare_page, figure):
    page = bare_page(figure._repr_html_())
    slider = page.locator("input")
    assert page.locator(".time").inner_text() == "step 25"
    slider.press("ArrowRight")
    assert slider.get_attribute("aria-valuetext") == page.locator(".time").inner_text() == "step 100"
    slider.press("End")
    assert page.locator(".time").inner_text() == "step 800"


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1000])
def test_page_is_accessible_and_nothing_sticks_out(bare_page, figure, width, dark):
    page = bare_page(figure._repr_html_(), width=width, dark=dark)
    boxes = [canvas.bounding_box() for canvas in page.locator("canvas").all()]
    assert len({(box["x"], round(box["width"])) for box in boxes}) == 1  # columns stand above each other
    assert boxes[0]["width"] == pytest.approx(8 * boxes[0]["height"], rel=0.02)  # square pictures
    assert bare.faults(page, width) == []
