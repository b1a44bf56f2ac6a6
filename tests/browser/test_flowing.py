"""The field on a bare page: arrows and points are those of Python, by mouse, finger and keys, with noise or not."""

import bare
import numpy as np
import pytest
import torch
from axe_playwright_python.sync_playwright import Axe

from ddpm_core import sampler, schedule
from ddpm_core.book import widgets
from ddpm_core.book.widgets.field import grid
from ddpm_core.diffusion import mixture
from ddpm_core.diffusion.noise import seeded

COSINE = schedule.cosine(100)
WORLD = mixture.isotropic([0.2, 0.3, 0.5], [[-1.0, 0.5], [1.5, -1.0], [0.5, 1.5]], std=0.2)
X_T = torch.randn(150, 2, generator=seeded(0), dtype=torch.float64)


@pytest.fixture(scope="module")
def figure():
    return widgets.vector_field(COSINE, WORLD, label="One field, three readings", points=150)


def slider(page, name):
    return page.get_by_role("slider", name=name)


def flow_to(t):
    """The points at time t, without noise."""
    return dict(sampler.ddim(WORLD.denoiser(COSINE), COSINE, X_T, range(100, t - 1, -1)))[t].numpy()


@pytest.mark.parametrize("reading", ["the velocity of the flow", "the score", "the noise"])
@pytest.mark.parametrize("t", [1, 40, 100])
def test_arrows_are_the_field(bare_page, figure, t, reading):
    page = bare_page(figure._repr_html_())
    bare.move(slider(page, "time t"), t)
    page.get_by_label(reading).check()
    needles = bare.numbers(page, ".arrows").reshape(-1, 6)
    foot, tip = (needles[:, :2] + needles[:, 4:]) / 2, needles[:, 2:4]
    wanted = figure.frame(t, reading.split(" ")[1]).numpy()
    sizes = np.hypot(*wanted.T)[:, None]
    longest = sizes.max()
    assert np.abs(foot / [60, -60] - grid().numpy()).max() < 1e-3
    assert np.abs((tip - foot) / [1, -1] - 0.95 * 27 * wanted / np.sqrt(sizes * longest)).max() < 0.05
    assert float(page.locator(".longest").inner_text()) == pytest.approx(longest, rel=0.01)
    assert (
        page.locator(".time").inner_text()
        == f"t = {t} of 100"
        == slider(page, "time t").get_attribute("aria-valuetext")
    )


def test_it_opens_half_way_and_without_noise_every_time_is_a_place_on_the_curve(bare_page, figure):
    page = bare_page(figure._repr_html_())
    assert page.locator(".time").inner_text() == "t = 25 of 100"
    assert np.abs(bare.cloud(page) - flow_to(25)).max() < 0.01
    bare.move(slider(page, "time t"), 1)
    assert np.abs(bare.cloud(page) - flow_to(1)).max() < 0.01
    ring = [float(page.locator(".one").get_attribute(name)) for name in ("cx", "cy")]
    assert np.abs(ring / np.array([60, -60]) - bare.cloud(page)[0]).max() < 0.01


def test_without_noise_points_return_and_with_noise_they_forget(bare_page, figure):
    page = bare_page(figure._repr_html_())
    time, there = slider(page, "time t"), flow_to(80)
    for noise, back in ((0, True), (1, False)):
        bare.move(slider(page, "fresh noise"), noise)
        for t in (1, 80):
            bare.move(time, t)
        alike = np.corrcoef(bare.cloud(page).flatten(), there.flatten())[0, 1]
        assert (alike > 0.97) == back and page.locator(".fresh").inner_text() == f"{noise:.2f}"
    assert alike < 0.5
    bare.move(time, 1)  # and yet they lie on the data
    near = np.abs(bare.cloud(page)[:, None] - WORLD.means.numpy()).max(2).min(1)
    assert (near < 0.8).mean() > 0.95 and np.hypot(*bare.cloud(page).std(0)) == pytest.approx(
        float(WORLD.covariance.trace().sqrt()), rel=0.2
    )


def test_it_runs_down_and_up_and_noise_is_switched_while_it_runs(bare_page, figure):
    page = bare_page(figure._repr_html_())
    button = page.get_by_role("button")
    button.click()
    assert button.get_attribute("aria-label") == "Pause"
    value = "document.querySelector('[aria-label=\"time t\"]').value"
    page.wait_for_function(f"{value} == 1", timeout=20_000)
    bare.move(slider(page, "fresh noise"), 0.5)
    page.wait_for_function(f"{value} > 10", timeout=20_000)
    button.click()
    stood = page.locator(".time").inner_text()
    page.wait_for_timeout(200)
    assert page.locator(".time").inner_text() == stood and button.get_attribute("aria-label") == "Play"


def test_a_calm_reader_gets_few_jumps(bare_page, figure):
    page = bare_page(figure._repr_html_(), reduced_motion="reduce")
    page.get_by_role("button").click()
    page.wait_for_function("document.querySelector('.time').textContent == 't = 15 of 100'", timeout=5000)


def test_keys_and_a_finger_move_it(bare_page, figure):
    page = bare_page(figure._repr_html_(), width=390, has_touch=True)
    slider(page, "time t").press("ArrowRight")
    assert page.locator(".time").inner_text() == "t = 26 of 100"
    slider(page, "fresh noise").press("ArrowRight")
    assert page.locator(".fresh").inner_text() == "0.05"
    page.get_by_label("the velocity of the flow").press("ArrowDown")
    assert page.get_by_label("the score").is_checked()
    page.get_by_label("the noise").tap()
    assert page.get_by_label("the noise").is_checked()
    box = slider(page, "time t").bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert page.locator(".time").inner_text() in {f"t = {t} of 100" for t in range(48, 54)}


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1000])
def test_page_is_accessible_and_nothing_sticks_out(bare_page, figure, width, dark):
    page = bare_page(figure._repr_html_(), width=width, dark=dark)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    targets = page.locator("fieldset label, [type=range], button").all()
    assert all(control.bounding_box()["height"] >= 44 for control in targets)
    assert [v["id"] for v in Axe().run(page).response["violations"]] == []


def test_two_figures_keep_apart(bare_page, figure):
    page = bare_page(figure._repr_html_() + widgets.vector_field(COSINE, WORLD, label="Another")._repr_html_())
    page.get_by_label("the score").first.check()
    assert page.get_by_label("the velocity of the flow").nth(1).is_checked()
