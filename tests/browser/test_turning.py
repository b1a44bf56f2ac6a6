"""The axes that turn, on a bare page: by hand, finger and key, with the pictures and places that Python computes."""

import math
import re

import bare
import numpy as np
import pytest
import torch
from axe_playwright_python.sync_playwright import Axe

from ddpm_core import schedule
from ddpm_core.book import widgets
from ddpm_core.diffusion.noise import seeded

SHORT = schedule.linear(T=100, beta_1=1e-3, beta_T=0.2)
X0 = torch.rand(1, 1, 8, 8, generator=seeded(0)) * 2 - 1
EPS = torch.randn(X0.shape, generator=seeded(1))


@pytest.fixture(scope="module")
def figure():
    return widgets.turn_axes(SHORT, X0, EPS, label="Turn the axes", opens=60, error=0.2)


def slider(page, name):
    return page.get_by_role("slider", name=name)


def place(page, mark):
    numbers = re.findall(r"-?[\d.]+", page.locator(mark).get_attribute("transform"))
    return np.array(numbers, float) / [100, -100]


def compare(page, figure, t, error):
    pictures, points = figure.frame(t, error)
    shown = np.stack([bare.pixels(canvas)[..., :3] for canvas in page.locator("canvas").all()])
    assert np.abs(shown.astype(int) - pictures.numpy()).max() <= 1
    marks = [".true", ".guess.eps", ".guess.x0", ".guess.v", ".guess.mean"]
    for mark, point in zip(marks, points.numpy(), strict=True):
        if np.hypot(*(point - points[0].numpy())) < 4:  # farther ones have left the picture
            assert np.abs(place(page, mark) - point).max() < 2e-3 * max(1, abs(point).max())
    off = [float(text.split()[-1]) for text in page.locator(".off").all_inner_texts()[1:]]
    assert np.allclose(off, (points[1:, 0] - points[0, 0]).abs(), rtol=6e-3, atol=6e-3)


def test_it_opens_where_the_answers_differ_most(bare_page, figure):
    page = bare_page(figure._repr_html_())
    compare(page, figure, 60, 0.2)
    assert page.locator(".when").inner_text() == slider(page, "time t").get_attribute("aria-valuetext")


@pytest.mark.parametrize(("t", "error"), [(1, 0.3), (20, 0.1), (100, 0.5), (50, 0)])
def test_pictures_and_places_are_those_of_python(bare_page, figure, t, error):
    page = bare_page(figure._repr_html_())
    bare.move(slider(page, "time t"), t)
    bare.move(slider(page, "error of each output"), error)
    compare(page, figure, t, error)


@pytest.mark.parametrize("hand", [".hand.xt", ".hand.vel"])
def test_a_hand_turns_both_axes(bare_page, figure, hand):
    page = bare_page(figure._repr_html_())
    box, knob = page.locator(".plane").bounding_box(), page.locator(f"{hand} .knob").bounding_box()
    page.mouse.move(knob["x"] + knob["width"] / 2, knob["y"] + knob["height"] / 2)
    page.mouse.down()
    phi = math.radians(40) + (math.pi / 2 if "vel" in hand else 0)
    page.mouse.move(
        box["x"] + box["width"] / 2 + 100 * math.cos(phi), box["y"] + box["height"] / 2 - 100 * math.sin(phi), steps=5
    )
    page.mouse.up()
    angles = SHORT.alpha_bar[1:].sqrt().acos()
    t = int((angles - math.radians(40)).abs().argmin()) + 1
    assert slider(page, "time t").input_value() == str(t)
    compare(page, figure, t, 0.2)
    page.mouse.move(5, 5)  # let go: it stays
    assert slider(page, "time t").input_value() == str(t)


def test_keys_and_a_finger_move_it(bare_page, figure):
    page = bare_page(figure._repr_html_(), width=390, has_touch=True)
    slider(page, "time t").press("ArrowRight")
    slider(page, "error of each output").press("ArrowLeft")
    compare(page, figure, 61, 0.19)
    box = slider(page, "time t").bounding_box()
    page.touchscreen.tap(box["x"] + 2, box["y"] + box["height"] / 2)
    compare(page, figure, 1, 0.19)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1000])
def test_it_is_accessible_small_and_fits(bare_page, figure, width, dark):
    html = figure._repr_html_()
    page = bare_page(html, width=width, dark=dark)
    assert page.evaluate("document.documentElement.scrollWidth") <= width and len(html) < 20_000
    assert [v["id"] for v in Axe().run(page).response["violations"]] == []
