"""The equation that changes line by line, and Jensen's gap: by mouse, finger and key, with the numbers of Python."""

import re

import bare
import pytest
from axe_playwright_python.sync_playwright import Axe

from ddpm_core import schedule
from ddpm_core.book import elbo_derivation, widgets
from ddpm_core.book.elbo_summands import summands
from ddpm_core.diffusion import mixture

LINES = ["4.3", "4.4", "4.5", "4.6", "4.7", "4.8", "4.9", "4.10", "4.11"]
PLACES = (-0.8, 0.0, 0.8)


@pytest.fixture(scope="module")
def bound():
    data, steps = mixture.isotropic([0.3, 0.7], [[-1.0], [0.8]], std=0.35), schedule.from_betas([0.2, 0.4, 0.6])
    values = {x0: summands(elbo_derivation.world(data, steps, x0, points=61)) for x0 in PLACES}
    return widgets.morph_bound(values, label="The bound, line by line")


@pytest.fixture(scope="module")
def gap():
    return widgets.open_gap(label="Two values of u")


def said(page):
    text = page.locator("output").inner_text().replace("− ", "−").replace("+ ", "").replace("−", "-")
    return [float(number) for number in re.findall(r"-?\d+\.\d+", text.split("=")[0])]


def factors(page, which=".factor"):
    return [e.get_attribute("data-key") for e in page.locator(which).all()]


@pytest.mark.parametrize("x0", PLACES)
def test_each_line_shows_its_summands(bare_page, bound, x0):
    page = bare_page(bound._repr_html_())
    bare.move(page.get_by_role("slider", name="x_0"), PLACES.index(x0))
    for n, line in enumerate(LINES):
        bare.move(page.get_by_role("slider", name="line"), n)
        assert said(page) == pytest.approx(bound.frame(line, x0), abs=6e-4)
        assert page.locator(".number").inner_text() == f"Line {line}."


def test_the_bars_end_where_the_bound_is_from_the_third_line_on(bare_page, bound):
    page = bare_page(bound._repr_html_(), reduced_motion="reduce")
    ends = []
    for n in range(len(LINES)):
        bare.move(page.get_by_role("slider", name="line"), n)
        boxes = [bar.bounding_box() for bar in page.locator(".row.sum .bar").all()]
        ends.append(boxes[0]["x"] + boxes[0]["width"])
    assert max(ends[2:]) - min(ends[2:]) < 0.1 and ends[0] == pytest.approx(ends[1], abs=0.1)
    assert ends[2] > ends[1] + 2  # Jensen
    gap = page.locator(".row.gap .bar").bounding_box()
    assert gap["x"] == pytest.approx(ends[1], abs=0.2) and gap["width"] == pytest.approx(ends[2] - ends[1], abs=0.2)


def test_each_summand_begins_where_the_last_one_ended(bare_page, bound):
    page = bare_page(bound._repr_html_(), reduced_motion="reduce")
    parts, zero = bound.frame("4.8", 0.0), page.locator(".row.sum .bar").bounding_box()["x"]
    unit = page.locator(".row.sum .bar").bounding_box()["width"] / sum(parts)
    reached = 0.0
    for part, bar in zip(parts, page.locator(".row:is(.more, .less) .bar").all(), strict=True):
        box = bar.bounding_box()
        left, right = sorted((reached, reached + part))
        assert box["x"] == pytest.approx(zero + unit * left, abs=0.6)
        assert box["x"] + box["width"] == pytest.approx(zero + unit * right, abs=1.1)
        reached += part


def test_it_opens_where_something_cancels_and_walks_by_button_key_and_finger(bare_page, bound):
    page = bare_page(bound._repr_html_(), width=390, has_touch=True)
    assert factors(page, ".goes") == ["j2", "J2"] and page.locator(".number").inner_text() == "Line 4.8."
    page.get_by_role("button", name="The next line").tap()
    assert factors(page, ".goes") == ["j1", "q1"] or factors(page, ".goes") == ["q1", "j1"]
    assert "j2" not in factors(page)
    page.get_by_role("slider", name="line").press("ArrowRight")
    page.get_by_role("button", name="The next line").click()
    page.get_by_role("button", name="The next line").press("Enter")  # there is none
    assert page.locator(".number").inner_text() == "Line 4.11." and factors(page, ".goes") == []
    page.get_by_role("slider", name="line").press("Home")
    assert factors(page) == ["p3", "p2", "p1", "p0"]


def test_a_factor_glides_from_its_old_place(bare_page, bound):
    page = bare_page(bound._repr_html_())
    old = page.locator("[data-key=j3]").bounding_box()
    page.get_by_role("button", name="The next line").click()
    moving = page.evaluate(
        "() => { const e = document.querySelector('[data-key=j3]');"
        " const [a] = e.getAnimations(); a.pause(); a.currentTime = 0; return e.getBoundingClientRect().x; }"
    )
    assert moving == pytest.approx(old["x"], abs=1)


# Jensen's gap


@pytest.mark.parametrize("s", [0, 0.3, 0.99])
def test_the_gap_is_that_of_python(bare_page, gap, s):
    page = bare_page(gap._repr_html_())
    bare.move(page.locator("input"), s)
    shown = [float(b.inner_text().replace("−", "-")) for b in page.locator("output b").all()]
    assert shown == pytest.approx(gap.frame(s), abs=6e-4)


@pytest.mark.parametrize("hand", [0, 1])
def test_a_hand_opens_the_gap(bare_page, gap, hand):
    page = bare_page(gap._repr_html_())
    box, knob = page.locator(".plot").bounding_box(), page.locator(".knob").nth(hand).bounding_box()
    page.mouse.move(knob["x"] + knob["width"] / 2, knob["y"] + knob["height"] / 2)
    page.mouse.down()
    u = 0.6 if hand == 0 else 1.4
    page.mouse.move(box["x"] + box["width"] * (20 + 200 * u) / 480, box["y"] + 50, steps=4)
    page.mouse.up()
    assert float(page.locator("input").input_value()) == pytest.approx(0.4, abs=0.011)
    page.locator("input").press("ArrowRight")
    assert float(page.locator("input").input_value()) == pytest.approx(0.41, abs=0.011)


# Both


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1000])
def test_they_are_accessible_small_and_fit(bare_page, bound, gap, width, dark):
    html = bound._repr_html_() + gap._repr_html_()
    page = bare_page(html, width=width, dark=dark)
    line = page.get_by_role("slider", name="line")
    for n in range(len(LINES)):
        bare.move(line, n)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert [v["id"] for v in Axe().run(page).response["violations"]] == [] and len(html) < 30_000
