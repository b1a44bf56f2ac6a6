"""Walk, jump and straight line on a bare page: dragged, and held to the clouds that Python computes."""

import re

import bare
import numpy as np
import pytest
import torch
from axe_playwright_python.sync_playwright import Axe

from ddpm_core.book import examples, widgets
from ddpm_core.diffusion.noise import seeded
from ddpm_core.schedule import linear


@pytest.fixture(scope="module")
def figure():
    points, arm = examples.spiral_points(60)
    eps = torch.randn(60, 2, generator=seeded(2), dtype=torch.float64)
    return widgets.walk_and_jump(linear(1000), points, eps, groups=arm, label="Three ways", opens=400)


def assert_clouds(page, figure, t):
    """Every point has its mark in each panel, every mark its point; the variance is that of the cloud."""
    for panel, cloud in zip(page.locator(".panel").all(), figure.frame(t), strict=True):
        painted = bare.pixels(panel.locator("canvas"))[:, :, 3] > 0
        right, down = np.rint(200 + 200 / 3 * cloud[:, 0]), np.rint(200 - 200 / 3 * cloud[:, 1])
        inside = (right >= 0) & (right < 400) & (down >= 0) & (down < 400)
        assert painted[down[inside].astype(int), right[inside].astype(int)].all()
        rows, columns = painted.nonzero()
        assert np.hypot(rows[:, None] - down, columns[:, None] - right).min(axis=1).max() <= 7
        square = (cloud**2).mean()
        assert abs(float(panel.locator(".size b").inner_text()) - square) < 0.0051
        assert float(panel.locator(".now").get_attribute("r")) == pytest.approx((2 * square) ** 0.5, rel=1e-3)


def ends(page, k):
    """Where the way of the first point that is followed begins and ends in panel k."""
    d = page.locator(".panel").nth(k).locator("path").first.get_attribute("d")
    numbers = [tuple(map(float, pair.split())) for pair in d[1:].split("L")]
    return len(numbers), numbers[0], numbers[-1]


@pytest.mark.parametrize("t", [0, 1, 350, 1000])
def test_the_clouds_are_those_of_python(bare_page, figure, t):
    page = bare_page(figure._repr_html_())
    bare.move(page.locator("input"), t)
    assert_clouds(page, figure, t)
    assert page.locator(".time").inner_text() == f"t = {t} of 1000"
    points, arm = examples.spiral_points(60)
    followed = int((points.norm(dim=1) * (arm == 0)).argmax())
    for k, cloud in enumerate(figure.frame(t)):
        steps, begin, end = ends(page, k)
        assert steps == t + 1
        assert begin == pytest.approx((float(points[followed, 0]), -float(points[followed, 1])), abs=2e-3)
        assert end == pytest.approx((cloud[followed, 0], -cloud[followed, 1]), abs=2e-3)


def test_it_opens_in_the_middle_and_is_dragged(bare_page, figure):
    page = bare_page(figure._repr_html_())
    slider = page.locator("input")
    assert slider.input_value() == "400"
    assert_clouds(page, figure, 400)
    box = slider.bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 0.4 * box["width"], y)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.75 * box["width"], y, steps=15)
    page.mouse.up()
    t = int(slider.input_value())
    assert 720 < t < 780
    assert_clouds(page, figure, t)
    slider.press("End")
    assert_clouds(page, figure, 1000)


def test_a_finger_moves_it(bare_page, figure):
    page = bare_page(figure._repr_html_(), width=390, has_touch=True)
    box = page.locator("input").bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] / 4, box["y"] + box["height"] / 2)
    t = int(page.locator("input").input_value())
    assert 200 < t < 300
    assert_clouds(page, figure, t)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1000])
def test_page_is_accessible_and_nothing_sticks_out(bare_page, figure, width, dark):
    page = bare_page(figure._repr_html_(), width=width, dark=dark)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("button").get_attribute("aria-label") == "Play"  # nothing plays unasked
    for canvas in page.locator("canvas").all():
        assert re.search(r"60 points, .*, t = 400 of 1000$", canvas.get_attribute("aria-label"))
    assert [v["id"] for v in Axe().run(page).response["violations"]] == []
