"""Pictures behind sliders, on a bare page: it shows what Python computes, and says so, by hand and by key."""

import bare
import numpy as np
import pytest
import torch
from axe_playwright_python.sync_playwright import Axe

from ddpm_core.book import widgets

CALLS, ETAS = ["1", "5", "20"], ["1", "0"]


@pytest.fixture(scope="module", params=[1, 3], ids=["grey", "colour"])
def figure(request):
    shape = (3, 2, 5, request.param, 8, 6)
    pictures = torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    return widgets.compare(
        pictures, {"calls": CALLS, "eta": ETAS}, label="Five pictures", columns=3, note=lambda n, eta: f"note {n}{eta}"
    )


def sheet(page):
    """What the canvas shows, (5, C=3, H, W): five pictures in rows of three."""
    shown = bare.pixels(page.locator("canvas"))
    assert (shown[:8, :, 3] == 255).all() and not shown[8:, 12:].any()
    cells = shown[..., :3].reshape(2, 8, 3, 6, 3).transpose(0, 2, 4, 1, 3)
    return cells.reshape(6, 3, 8, 6)[:5]


@pytest.mark.parametrize("place", [(0, 0), (1, 1), (2, 0)])
def test_the_sheet_is_that_of_the_choices(bare_page, figure, place):
    page = bare_page(figure._repr_html_())
    for slider, k in zip(page.locator("input").all(), place, strict=True):
        bare.move(slider, k)
    assert (sheet(page) == np.broadcast_to(figure.frame(*place).numpy(), (5, 3, 8, 6))).all()
    assert page.locator("output").inner_text() == f"note {place[0]}{place[1]}"


def test_keys_move_and_the_figure_says_where_it_stands(bare_page, figure):
    page = bare_page(figure._repr_html_())
    calls, eta = page.locator("input").all()
    assert page.locator("canvas").get_attribute("aria-label") == "5 pictures, calls 1, eta 1"
    calls.press("ArrowRight")
    eta.press("End")
    assert [slider.get_attribute("aria-valuetext") for slider in (calls, eta)] == ["5", "0"]
    assert page.locator(".set b").all_inner_texts() == ["5", "0"]
    assert page.locator("canvas").get_attribute("aria-label") == "5 pictures, calls 5, eta 0"
    assert (sheet(page) == np.broadcast_to(figure.frame(1, 1).numpy(), (5, 3, 8, 6))).all()
    calls.press("ArrowLeft")
    calls.press("ArrowLeft")
    assert calls.input_value() == "0"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1000, 390])
def test_it_fits_and_can_be_used_by_everybody(bare_page, figure, width, dark):
    page = bare_page(figure._repr_html_(), width=width, dark=dark)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert all(slider.bounding_box()["height"] >= 44 for slider in page.locator("input").all())
    assert not Axe().run(page).response["violations"]


def test_without_notes_nothing_is_said(bare_page):
    shown = widgets.compare(torch.zeros(2, 3, 1, 4, 4), {"calls": CALLS[:2]}, label="No notes")
    page = bare_page(shown._repr_html_())
    assert page.locator("output").inner_text() == ""
