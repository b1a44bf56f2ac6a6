"""The narrowest phones, 320 pixels, and twice the size of letters: nothing sticks out, everything can be reached."""

import pytest
from test_pages import EVERY, cut_off, sideways

PAGES = ["/book/03-posterior.html", "/book/generator.html", "/book/notation.html"]
# WCAG 1.4.10: 1280 pixels at 400 % are 320; at 200 % they are 640.
WINDOWS = {"320 px": {"width": 320, "height": 640}, "200 %": {"width": 640, "height": 450, "device_scale_factor": 2}}
CASES = [(path, "320 px") for path in EVERY] + [(path, "200 %") for path in PAGES]


@pytest.mark.parametrize(("path", "window"), CASES)
def test_nothing_sticks_out(open_page, path, window):
    page = open_page(path, **WINDOWS[window])
    assert sideways(page) + cut_off(page) == []


@pytest.mark.parametrize("path", PAGES)
def test_letters_twice_as_large_stay_on_the_page(open_page, path):
    """As browsers enlarge text alone, on a phone: the size that all others are measured in is doubled."""
    page = open_page(path, width=390, height=844)
    page.add_style_tag(content="html { font-size: 200% !important; }")
    assert sideways(page) == []


def test_the_header_can_be_pressed_on_the_narrowest_phone(open_page):
    page = open_page(PAGES[0], width=320, height=640)
    buttons = page.locator(".bd-header-article button:visible").all()
    assert len(buttons) > 3
    for button in buttons:
        box = button.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 320
