"""Points that leap back to the data, on a bare page: they are those of Python, by mouse, finger and keys."""

import bare
import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe

from ddpm_core import sampler, schedule
from ddpm_core.book import widgets
from ddpm_core.diffusion import mixture

COSINE = schedule.cosine(100)
WORLD = mixture.isotropic([0.2, 0.3, 0.5], [[-1.0, 0.5], [1.5, -1.0], [0.5, 1.5]], std=0.2)
CALLS = [1, 3, 10, 25]


@pytest.fixture(scope="module")
def figure():
    return widgets.leaps(COSINE, WORLD, label="Noise flows back", calls=CALLS, opens=3, points=60)


def slider(page, name):
    return page.get_by_role("slider", name=name)


def curve_ends(figure):
    """Where all hundred leaps without noise lead."""
    return sampler.final(sampler.ddim(WORLD.denoiser(COSINE), COSINE, figure.frame(3, 0, 0), range(100, -1, -1)))


@pytest.mark.parametrize("eta", [0, 0.5, 1])
@pytest.mark.parametrize("n", CALLS)
def test_points_are_those_of_the_sampler_and_their_distance_is_said(bare_page, figure, n, eta):
    page = bare_page(figure._repr_html_())
    bare.move(slider(page, "calls of the network"), CALLS.index(n))
    bare.move(slider(page, "fresh noise eta"), eta)
    for k in {0, n // 2, n}:
        bare.move(slider(page, "leaps done"), k)
        wanted = figure.frame(n, eta, k).numpy()
        assert np.abs(bare.cloud(page) - wanted).max() < 0.02
        assert page.locator(".time").inner_text() == f"after {k} of {n}: t = {round(100 - 100 * k / n)}"
    far = (figure.frame(n, eta, n) - curve_ends(figure)).norm(dim=1).mean().item()
    assert float(page.locator(".miss").inner_text()) == pytest.approx(far, abs=0.006)
    assert page.locator(".eta").inner_text() == f"{eta:.1f}" and page.locator(".calls").inner_text() == f"{n}"


def test_it_opens_at_the_end_of_few_leaps_with_the_curves_that_they_cut(bare_page, figure):
    page = bare_page(figure._repr_html_())
    assert page.locator(".time").inner_text() == "after 3 of 3: t = 0"
    pieces = bare.numbers(page, ".pieces").reshape(5, 4, 2) / [60, -60]
    path = np.stack([figure.frame(3, 0, k).numpy()[:5] for k in range(4)], axis=1)
    assert np.abs(pieces - path).max() < 0.02
    curves = bare.numbers(page, ".curves").reshape(5, -1, 2) / [60, -60]
    assert np.abs(curves[:, 0] - figure.frame(3, 0, 0)[:5].numpy()).max() < 0.01
    assert np.abs(curves[:, -1] - curve_ends(figure)[:5].numpy()).max() < 0.01


def test_it_plays_and_moves_by_key_and_by_finger(bare_page, figure):
    page = bare_page(figure._repr_html_(), width=390, has_touch=True)
    button, said = page.get_by_role("button"), page.locator(".time").inner_text
    button.click()
    assert button.get_attribute("aria-label") == "Pause" and said().startswith("after 0 of 3")
    page.wait_for_function("document.querySelector('.time').textContent == 'after 3 of 3: t = 0'", timeout=10_000)
    assert button.get_attribute("aria-label") == "Play"
    slider(page, "calls of the network").press("ArrowRight")
    assert said() == "after 10 of 10: t = 0"  # it stays at the end
    slider(page, "leaps done").press("Home")
    assert said() == slider(page, "leaps done").get_attribute("aria-valuetext") == "after 0 of 10: t = 100"
    box = slider(page, "leaps done").bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert said() == "after 5 of 10: t = 50"


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1000])
def test_page_is_accessible_and_nothing_sticks_out(bare_page, figure, width, dark):
    page = bare_page(figure._repr_html_(), width=width, dark=dark)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert all(control.bounding_box()["height"] >= 44 for control in page.locator("[type=range], button").all())
    assert [v["id"] for v in Axe().run(page).response["violations"]] == []
