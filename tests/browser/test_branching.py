"""The figure of a chain that parts, on a bare page and held to what Python computes."""

import re

import bare
import numpy as np
import pytest
import torch
from axe_playwright_python.sync_playwright import Axe

from ddpm_core.book import widgets

TIMES = [1000, 700, 300, 100]


@pytest.fixture(scope="module")
def figure():
    g = torch.Generator().manual_seed(0)
    shared, guesses = (torch.randn(3, 4, 3, 7, 6, generator=g).clamp(-1, 1) for _ in range(2))
    ends = torch.randn(3, 4, 5, 3, 7, 6, generator=g) * torch.tensor([0.4, 0.3, 0.1, 0.0])[:, None, None, None, None]
    return widgets.shared_latents(shared, guesses, ends.clamp(-1, 1), TIMES, label="Three chains, five ends each")


def place(page, chain, k):
    for _ in range(chain):
        page.locator("button").click()
    bare.move(page.locator("input"), k)


@pytest.mark.parametrize(("chain", "k"), [(0, 0), (1, 1), (2, 2), (0, 3)])
def test_pictures_are_those_that_python_computes(bare_page, figure, chain, k):
    page = bare_page(figure._repr_html_())
    place(page, chain, k)
    frame = figure.frame(chain, TIMES[k])
    for name in ("guess", "mean", "apart", "ends"):
        shown = bare.pixels(page.locator(f"canvas.{name}"))
        wanted = frame[name] if name == "ends" else frame[name][None]
        sheet = torch.cat(list(wanted), dim=1).permute(1, 2, 0).numpy()
        assert shown.shape == (*sheet.shape[:2], 4) and (shown[..., 3] == 255).all()
        assert np.abs(shown[..., :3].astype(int) - sheet).max() <= (1 if name in ("mean", "apart") else 0)
    assert page.locator("output b").inner_text() == f"{100 * frame['left']:.0f} %"


@pytest.mark.parametrize(("name", "key"), [("xs", "shared"), ("guesses", "guess")])
def test_the_way_up_to_the_parting_stands_along_the_trunk_and_nothing_beyond(bare_page, figure, name, key):
    page = bare_page(figure._repr_html_())
    place(page, 1, 2)
    shown, wanted = bare.pixels(page.locator(f"canvas.{name}")), [figure.frame(1, t)[key] for t in TIMES[:3]]
    sheet = torch.cat(wanted, dim=2).permute(1, 2, 0).numpy()
    assert shown.shape == (7, 4 * 6, 4) and not shown[:, 18:].any()
    assert np.array_equal(shown[:, :18, :3], sheet) and (shown[:, :18, 3] == 255).all()


def test_it_opens_where_about_half_is_left_to_chance(bare_page, figure):
    page = bare_page(figure._repr_html_())
    left = [abs(figure.frame(0, t)["left"] - 0.5) for t in TIMES]
    assert TIMES[left.index(min(left))] == 700
    assert page.locator(".time").inner_text() == "chain 1 of 3, parting at t = 700 of 1000"


def test_the_tree_is_dragged_by_mouse_and_by_finger(bare_page, figure):
    page = bare_page(figure._repr_html_(), has_touch=True)
    box, said = page.locator(".stem").bounding_box(), page.locator(".time").inner_text

    def spot(k):  # the middle of the k-th of four cells, on 88 percent of the stem
        return box["x"] + 0.88 * box["width"] * (k + 0.5) / 4, box["y"] + box["height"] / 2

    page.mouse.move(*spot(0))
    page.mouse.down()
    assert said() == "chain 1 of 3, parting at t = 1000 of 1000"
    for k in (1, 3):
        page.mouse.move(*spot(k))
        assert said() == f"chain 1 of 3, parting at t = {TIMES[k]} of 1000"
    page.mouse.up()
    page.mouse.move(*spot(0))
    assert said() == "chain 1 of 3, parting at t = 100 of 1000"
    page.touchscreen.tap(*spot(2))
    assert said() == "chain 1 of 3, parting at t = 300 of 1000"


def test_the_trunk_ends_where_the_branches_part_and_each_end_has_a_limb(bare_page, figure):
    page = bare_page(figure._repr_html_())
    reached = []
    for k in range(4):
        bare.move(page.locator("input"), k)
        reached.append(float(page.locator(".trunk").get_attribute("d").split("H")[1]))
        limbs = re.findall(r"M([\d.]+) 50C.*?100 ([\d.]+)(?=M|$)", page.locator(".limbs").get_attribute("d"))
        assert [float(x) for x, _ in limbs] == 5 * [reached[-1]]
        assert [float(y) for _, y in limbs] == [10, 30, 50, 70, 90]
    assert reached == [22, 44, 66, 88]  # cell by cell, with room for the limbs


def test_it_moves_by_key_and_says_where_it_stands(bare_page, figure):
    page = bare_page(figure._repr_html_())
    slider, said = page.locator("input"), page.locator(".time").inner_text
    slider.press("Home")
    assert said() == "chain 1 of 3, parting at t = 1000 of 1000"
    slider.press("ArrowRight")
    assert said() == "chain 1 of 3, parting at t = 700 of 1000"
    assert slider.get_attribute("aria-valuetext").startswith("t = 700 of 1000, left to chance: ")
    slider.press("End")
    page.locator("button").press("Enter")
    assert said() == "chain 2 of 3, parting at t = 100 of 1000"
    assert page.locator("output b").inner_text() == "0 %"
    for _ in range(2):
        page.locator("button").press("Enter")
    assert said().startswith("chain 1 of 3")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1000])
def test_page_is_accessible_and_nothing_sticks_out(bare_page, figure, width, dark):
    page = bare_page(figure._repr_html_(), width=width, dark=dark)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    box = "e => [e.scrollWidth <= e.clientWidth, e.querySelector('svg').getBoundingClientRect().height]"
    inside, height = page.locator(".ddpm-figure").evaluate(box)
    assert inside and height == pytest.approx(page.locator(".ends").bounding_box()["height"], abs=1)
    for control in page.locator("input, button").all():
        assert control.bounding_box()["height"] >= 44
    assert [v["id"] for v in Axe().run(page).response["violations"]] == []


def test_without_scripts_a_sentence_says_so(bare_page, figure):
    page = bare_page(figure._repr_html_(), java_script_enabled=False)
    assert page.locator(".fallback").is_visible() and page.locator(".live").is_hidden()
