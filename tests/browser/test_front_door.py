"""The first page in a browser: it plays once, can be dragged, stands still for those who ask for it."""

import numpy as np
import pytest
from bare import move, pixels

FRONT = "/book/intro.html"


@pytest.mark.parametrize("width", [390, 1280])
def test_the_first_screen_holds_the_sentence_the_pictures_and_the_button(open_page, width):
    page = open_page(FRONT, width=width, height=844, reduced_motion="reduce")
    for what in (".bd-article h1", "#opening canvas", "#opening input", ".front-buttons a.first"):
        box = page.locator(what).first.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= width and box["y"] + box["height"] <= 844, what


def test_noise_becomes_pictures_by_itself(open_page):
    page = open_page(FRONT)
    page.wait_for_function(
        "document.querySelector('#opening input').value === document.querySelector('#opening input').max"
    )
    assert page.locator("#opening .time").inner_text().startswith("t = 0 ")


def test_who_prefers_less_motion_sees_the_pictures_at_once(open_page):
    page = open_page(FRONT, reduced_motion="reduce")
    page.wait_for_function("document.querySelector('#opening .time').textContent.startsWith('t = 0 ')")
    assert page.locator("#opening button").get_attribute("aria-label") == "Play"
    shown = pixels(page.locator("#opening canvas"))
    move(page.locator("#opening input"), 0)
    noise = pixels(page.locator("#opening canvas"))
    assert shown.std() > 10 and noise.std() > 10 and np.abs(shown.astype(int) - noise).mean() > 30


def test_a_finger_on_the_pictures_moves_the_chain(open_page):
    page = open_page(FRONT, reduced_motion="reduce")
    box = page.locator("#opening canvas").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(box["x"] + 1, box["y"] + 10)
    page.mouse.up()
    assert page.locator("#opening input").input_value() == "0"
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 10)  # no button held: nothing moves
    assert page.locator("#opening input").input_value() == "0"


def test_every_picture_of_the_page_is_there(open_page):
    page = open_page(FRONT)
    assert page.evaluate("[...document.images].filter(i => i.src).every(i => i.naturalWidth > 0)")
    assert page.locator(".front-cards li").count() >= 12
