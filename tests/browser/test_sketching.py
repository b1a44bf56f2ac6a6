"""Five views, two Gaussians that multiply and lines that unfold, on a bare page and held to the numbers of Python."""

import re

import bare
import numpy as np
import pytest
import torch
from axe_playwright_python.sync_playwright import Axe

from ddpm_core import schedule
from ddpm_core.book import widgets

LINEAR, SHORT = schedule.linear(1000), schedule.linear(T=10, beta_1=0.05, beta_T=0.6)


@pytest.fixture(scope="module")
def views():
    y, x = torch.meshgrid(torch.linspace(-1, 1, 12), torch.linspace(-1, 1, 10), indexing="ij")
    x0 = torch.stack([torch.cos(3 * x), torch.sin(2 * y + 1), torch.cos(4 * x * y)])[None]
    eps = torch.randn(x0.shape, generator=torch.Generator().manual_seed(0))
    return widgets.scrub_predictions(LINEAR, x0, eps, label="One image, five views")


@pytest.fixture(scope="module")
def multiply():
    return widgets.posterior(SHORT, label="One pixel, one step back")


def two(world):
    return 2.0 * world


def three(world):
    return 3.0 * world


@pytest.fixture(scope="module")
def derivation():
    first = widgets.derivation_line("4.3", "The beginning.", two, world=1.0)
    second = widgets.derivation_line("4.4", "The same <em>again</em>.", two, first, world=1.0)
    return [first, second, widgets.derivation_line("4.5", "More.", three, second, 1.0, world=1.0)]


# Five views


@pytest.mark.parametrize("t", [1, 2, 300, 1000])
def test_views_are_those_that_python_computes(bare_page, views, t):
    page = bare_page(views._repr_html_())
    bare.move(page.locator("input"), t)
    canvases = page.locator("canvas").all()
    shown = np.stack([bare.pixels(canvas) for canvas in canvases])
    assert abs(shown[..., :3].astype(int) - views.frame(t)).max() <= 1
    assert (shown[..., 3] == 255).all()
    assert [canvas.get_attribute("aria-label").split(",")[-1] for canvas in canvases] == [f" t = {t} of 1000"] * 5


def test_views_start_where_there_is_a_step_back(bare_page, views):
    page = bare_page(views._repr_html_())
    slider = page.locator("input")
    assert (slider.get_attribute("min"), slider.input_value()) == ("1", "1")
    slider.press("ArrowLeft")
    assert slider.input_value() == "1"
    slider.press("ArrowRight")
    assert slider.get_attribute("aria-valuetext") == page.locator(".time").inner_text() == "t = 2 of 1000"
    slider.press("End")
    page.locator("button").click()  # from the end it starts again
    page.wait_for_function("document.querySelector('input').value < 900")
    page.wait_for_function("document.querySelector('input').value == 1000", timeout=10_000)


def test_each_view_names_its_two_factors(bare_page, views):
    page = bare_page(views._repr_html_())
    texts = page.locator(".mix").all_inner_texts
    assert texts()[4] == "1.00 x₀"
    bare.move(page.locator("input"), 300)
    a, b = LINEAR.alpha_bar[300].sqrt(), (1 - LINEAR.alpha_bar[300]).sqrt()
    assert texts()[:4] == [f"{a:.2f} x₀ + {b:.2f} ε", "1.00 ε", "1.00 x₀", f"−{b:.2f} x₀ + {a:.2f} ε"]


# Two Gaussians


def curve(page, name):
    """A curve of the plot as x (N,) and height (N,) in shares of the plot's."""
    numbers = re.findall(r"-?[\d.]+", page.locator(f".plot .{name}").get_attribute("d"))
    points = np.array(numbers, float).reshape(-1, 2)
    points = points[1:-1] if name == "both" else points  # the filled one goes along the axis, too
    return points[:, 0], 1 - points[:, 1]


def place(page, *values):
    for slider, to in zip(page.locator("input").all(), values, strict=True):
        bare.move(slider, to)


@pytest.mark.parametrize("position", [(0.8, -0.5, 6), (-1, 2.5, 2), (0, 0, 10), (0.37, -2.5, 3)])
def test_numbers_are_those_of_the_formulas(bare_page, multiply, position):
    page = bare_page(multiply._repr_html_())
    place(page, *position)
    shown = [row.locator("td").all_inner_texts() for row in page.locator("tbody tr").all()]
    shown = [[float(text.replace("−", "-")) for text in row] for row in shown]
    expected = [(mean, variance, 1 / variance) for mean, variance in multiply.frame(*position)]
    assert np.abs(np.array(shown) - expected).max() <= 6e-4
    assert "−0.000" not in page.locator("table").inner_text()


@pytest.mark.parametrize("position", [(0.8, -0.5, 6), (0.2, 0.3, 2)])
def test_curves_are_those_gaussians_on_one_scale(bare_page, multiply, position):
    page = bare_page(multiply._repr_html_())
    place(page, *position)
    areas = []
    for name, (mean, variance) in zip(["x0", "xt", "both"], multiply.frame(*position), strict=True):
        x, height = curve(page, name)
        density = np.exp(-((x - mean) ** 2) / (2 * variance)) / np.sqrt(2 * np.pi * variance)
        assert len(x) == 601 and (x[0], x[-1]) == (-3, 3)
        areas.append(height.sum() / density.sum())
        assert np.allclose(height, areas[-1] * density, atol=2e-5)
        assert height.min() >= 0 and height.max() < 1
    assert np.ptp(areas) < 1e-4


@pytest.mark.parametrize("position", [(0.8, -1.2, 6), (0.2, 0.3, 2), (-1, 2.5, 9)])
def test_the_quarrel_shows_in_the_area_of_the_product(bare_page, multiply, position):
    page = bare_page(multiply._repr_html_())
    place(page, *position)
    (m1, v1), (m2, v2), _ = multiply.frame(*position)
    x = np.linspace(-12, 12, 24_001)
    one, two = (np.exp(-((x - m) ** 2) / (2 * v)) / np.sqrt(2 * np.pi * v) for m, v in ((m1, v1), (m2, v2)))
    agreed = np.exp(-(x**2) * (1 / v1 + 1 / v2) / 2) / (2 * np.pi * np.sqrt(v1 * v2))
    area, most = (curve.sum() * (x[1] - x[0]) for curve in (one * two, agreed))
    assert float(page.locator(".area b").inner_text()) == pytest.approx(area, abs=6e-4)
    said = float(page.locator(".share").inner_text().split()[0])
    assert said == pytest.approx(100 * area / most, abs=0.6 if area > 0.1 * most else 0.06)
    scale = curve(page, "both")[1].sum() * 0.01
    numbers = re.findall(r"-?[\d.]+", page.locator(".plot .raw").get_attribute("d"))
    height = 1 - np.array(numbers, float).reshape(-1, 2)[1:-1, 1]
    assert height.sum() * 0.02 == pytest.approx(area * scale, abs=2e-3)


@pytest.mark.parametrize(("knob", "slider"), [("x0", 0), ("xt", 1)])
def test_a_peak_follows_the_hand(bare_page, multiply, knob, slider):
    page = bare_page(multiply._repr_html_())
    board, grip = page.locator(".board").bounding_box(), page.locator(f".knob.{knob}").bounding_box()
    x, y = grip["x"] + grip["width"] / 2, grip["y"] + grip["height"] / 2
    before, _ = multiply.frame(0.8, -1.2, 6)[slider]
    assert x == pytest.approx(board["x"] + board["width"] * (before + 3) / 6, abs=0.5)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(board["x"] + board["width"] * (0.25 + 3) / 6, y + 30, steps=4)
    page.mouse.up()
    values = [0.8, -1.2, 6]
    values[slider] = float(page.locator("input").nth(slider).input_value())
    assert multiply.frame(*values)[slider][0] == pytest.approx(0.25, abs=0.01)


def test_the_scale_never_jumps(bare_page, multiply):
    page = bare_page(multiply._repr_html_())
    peaks = []
    for t in range(2, 11):
        bare.move(page.locator("input").nth(2), t)
        peaks.append(curve(page, "both")[1].max())
        before = peaks[-1]
        bare.move(page.locator("input").nth(0), -1)
        assert curve(page, "both")[1].max() == pytest.approx(before, abs=1e-3)  # x_0 moves curves, not the scale
        bare.move(page.locator("input").nth(0), 0.8)
    assert peaks == sorted(peaks, reverse=True)  # ever flatter towards the noise
    assert peaks[0] > 0.9 and peaks[-1] > 0.3  # and never lost


def test_sliders_move_by_key_and_say_their_value(bare_page, multiply):
    page = bare_page(multiply._repr_html_())
    x0, x_t, t = page.locator("input").all()
    said = page.locator("label").all_inner_texts
    assert [s.get_attribute("aria-label") for s in (x0, x_t, t)] == ["x_0", "x_t", "t"]
    for slider, key in [(x0, "ArrowRight"), (x_t, "ArrowLeft"), (t, "End")]:
        slider.press(key)
    assert [re.sub(r"\s", "", text) for text in said()] == ["x0=0.81", "xt=−1.21", "t=10"]
    t.press("Home")
    assert re.sub(r"\s", "", said()[2]) == "t=2"


def test_curves_differ_in_line_style_and_the_legend_shows_it(bare_page, multiply):
    page = bare_page(multiply._repr_html_())
    look = "e => [getComputedStyle(e).stroke, getComputedStyle(e).strokeDasharray, getComputedStyle(e).fill].join()"
    for name in ("x0", "xt", "both"):
        assert page.locator(f".plot .{name}").evaluate(look) == page.locator(f".key .{name}").evaluate(look)
    styles = [page.locator(f".plot .{name}").evaluate(look).split(",") for name in ("x0", "xt", "both")]
    assert len({tuple(style[3:]) for style in styles}) == 3  # told apart without their colours, too


# Lines that unfold


def test_a_line_unfolds_by_mouse_and_key(bare_page, derivation):
    page = bare_page(derivation[1]._repr_html_())
    source = page.locator("pre")
    assert not source.is_visible()
    page.locator("summary").click()
    assert source.inner_text().startswith("def two(world):")
    page.locator("summary").press("Enter")
    assert not source.is_visible()


def test_lines_unfold_without_a_script(bare_page, derivation):
    page = bare_page("".join(line._repr_html_() for line in derivation), java_script_enabled=False)
    page.locator("summary").nth(2).click()
    assert page.locator("pre").nth(2).is_visible() and not page.locator("pre").nth(1).is_visible()


# All of them


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1000])
def test_page_is_accessible_and_nothing_sticks_out(bare_page, views, multiply, derivation, width, dark):
    page = bare_page("".join(f._repr_html_() for f in (views, multiply, *derivation)), width=width, dark=dark)
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    wider = (
        "() => [...document.querySelectorAll('.ddpm-figure, .ddpm-line')].filter(e => e.scrollWidth > e.clientWidth)"
    )
    assert page.evaluate(f"({wider})().map(e => e.className)") == []
    for control in page.locator("input, button, summary").all():
        assert control.bounding_box()["height"] >= 44
    assert [v["id"] for v in Axe().run(page).response["violations"]] == []


def test_they_live_when_a_notebook_inserts_them_and_runs_them_twice(bare_page, views, multiply):
    page = bare_page("")
    for figure in (views, multiply):
        page.evaluate(bare.INSERT, figure._repr_html_())
        page.evaluate(bare.INSERT, figure._repr_html_())
    assert page.locator(".fallback").count() == 0
    sliders = page.locator(".ddpm-multiply input")
    bare.move(sliders.nth(5), 3)
    assert (sliders.nth(2).input_value(), sliders.nth(5).input_value()) == ("6", "3")
    assert (
        page.locator(".ddpm-multiply tbody").nth(0).inner_text()
        != page.locator(".ddpm-multiply tbody").nth(1).inner_text()
    )


def test_without_scripts_a_sentence_says_so(bare_page, views, multiply):
    page = bare_page(views._repr_html_() + multiply._repr_html_(), java_script_enabled=False)
    assert all(sentence.is_visible() for sentence in page.locator(".fallback").all())
    assert page.locator(".live").nth(0).is_hidden() and page.locator(".live").nth(1).is_hidden()
