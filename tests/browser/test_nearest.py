"""Nearest training pictures on a bare page: chosen by mouse, finger and keys, with the pictures and distances shown."""

import bare
import numpy as np
import pytest
import torch
from axe_playwright_python.sync_playwright import Axe

from ddpm_core.book.widgets import view_nearest
from ddpm_core.evaluation.neighbours import nearest

DRAWN, KNOWN = (
    torch.randint(0, 256, (n, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(n)) for n in (23, 40)
)


@pytest.fixture(scope="module")
def figure():
    return view_nearest(DRAWN, KNOWN, k=4, label="Are they copies?")


def held_to(page, figure, n):
    """Everything on the page belongs to the n-th picture."""
    one, *near = figure.frame(n)[:, 0].numpy()
    assert (bare.pixels(page.locator(".one"))[:, :, 0] == one).all()
    assert (bare.pixels(page.locator(".near"))[:, :, 0] == np.concatenate(near, axis=1)).all()
    wanted = nearest(DRAWN[n : n + 1], KNOWN, 4)[0][0] / 8
    assert [float(text) for text in page.locator(".far span").all_inner_texts()] == pytest.approx(wanted, abs=0.06)
    assert page.locator("output").inner_text().startswith(f"picture {n + 1} of 23")
    assert page.locator("input").get_attribute("aria-valuetext") == page.locator("output").inner_text()
    assert page.locator(".chosen path").get_attribute("d") == f"M{n % 10} {n // 10}h1v1h-1z"


def place(page, n):
    """The middle of the n-th picture of the sheet."""
    sheet = page.locator(".sheet")
    sheet.scroll_into_view_if_needed()
    box = sheet.bounding_box()
    return box["x"] + (n % 10 + 0.5) * box["width"] / 10, box["y"] + (n // 10 + 0.5) * box["height"] / 3


def test_a_click_on_a_picture_chooses_it_and_one_beside_them_does_not(bare_page, figure):
    page = bare_page(figure._repr_html_())
    held_to(page, figure, 0)
    for n, chosen in ((13, 13), (22, 22), (25, 22)):
        page.mouse.click(*place(page, n))
        held_to(page, figure, chosen)


def test_a_tap_chooses_on_a_phone(bare_page, figure):
    page = bare_page(figure._repr_html_(), width=390, has_touch=True)
    page.touchscreen.tap(*place(page, 17))
    held_to(page, figure, 17)


def test_keys_and_slider_choose(bare_page, figure):
    page = bare_page(figure._repr_html_())
    slider = page.locator("input")
    slider.press("ArrowRight")
    held_to(page, figure, 1)
    slider.press("End")
    held_to(page, figure, 22)
    bare.move(slider, 5)
    held_to(page, figure, 5)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1000])
def test_page_is_accessible_and_nothing_sticks_out(bare_page, figure, width, dark):
    page = bare_page(figure._repr_html_(), width=width, dark=dark)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("input").bounding_box()["height"] >= 44
    assert [v["id"] for v in Axe().run(page).response["violations"]] == []
