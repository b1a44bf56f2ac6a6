"""The curves on a bare page: bent by mouse, finger and keys, and held to the numbers and pixels of Python."""

import math
from types import SimpleNamespace

import bare
import numpy as np
import pytest
import torch
from axe_playwright_python.sync_playwright import Axe

from ddpm_core.book import widgets
from ddpm_core.schedule import cosine, linear

T = 1000


@pytest.fixture(scope="module")
def figures():
    y, x = torch.meshgrid(torch.linspace(-1, 1, 24), torch.linspace(-1, 1, 20), indexing="ij")
    x0 = torch.stack([torch.cos(3 * x), torch.sin(2 * y + 1), torch.cos(4 * x * y)])[None]
    eps = torch.randn(x0.shape, generator=torch.Generator().manual_seed(0))
    errors = 0.8 * torch.exp(-8 * torch.arange(1, T + 1) / T) + 0.004
    return SimpleNamespace(
        bend=widgets.edit_schedule(linear(T), x0, eps, label="Bend beta, and the image follows"),
        weigh=widgets.edit_weighting(linear(T), errors, label="Bend the weight of the loss"),
        grey=widgets.edit_schedule(cosine(16), x0[:, :1], eps[:, :1], label="Sixteen steps, grey"),
    )


@pytest.fixture
def curve_page(bare_page, figures):
    """A function that opens a page with these figures, or with other HTML."""

    def opener(html=None, **options):
        every = "".join(figure._repr_html_() for figure in vars(figures).values())
        page = bare_page(every if html is None else html, **options)
        settle(page)
        return page

    return opener


def settle(page):
    """Until figures have taken the width of the page."""
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def part(page, k, selector):
    return page.locator(".ddpm-figure").nth(k).locator(selector)


def knob(page, k, j):
    return part(page, k, "[role=slider]").nth(j)


def handles(page, k):
    return [float(h.get_attribute("aria-valuenow")) for h in part(page, k, "[role=slider]").all()]


def button(page, k, name):
    return part(page, k, f".choices button:text-is('{name}')")


def middle(page, k, j):
    """Where the handle stands on the screen."""
    target = knob(page, k, j).locator(".knob")
    target.scroll_into_view_if_needed()
    box = target.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drag(page, k, j, by):
    """Drag a handle down by so many pixels, in small moves that are not straight."""
    x, y = middle(page, k, j)
    page.mouse.move(x + 3, y - 2)
    page.mouse.down()
    page.mouse.move(x - 5, y + by / 2, steps=5)
    page.mouse.move(x + 9, y - 2 + by, steps=5)
    page.mouse.up()
    return x, y


def number(page, k, selector):
    return float(part(page, k, selector).inner_text().removesuffix("%"))


def line(page, k, plot):
    """The points of a plot's line, (N, 2) pixels."""
    d = part(page, k, f"{plot} .line").get_attribute("d")
    return np.array([[float(v) for v in point.split(",")] for point in d[1:].split("L")])


def levels(page, k, plot):
    """The labels of a plot's lines and where these lie, e.g. {"0.1": 44.0}."""
    texts = part(page, k, f"{plot} text.level").all()
    paths = part(page, k, f"{plot} > g:first-of-type path").all()
    lines = [float(p.get_attribute("d").split(",")[1].split("H")[0]) for p in paths]
    return dict(zip([t.text_content() for t in texts], lines, strict=True))


def heights(page, k, plot, low, high):
    """The line of a plot: 0 where it meets the level labelled `low`, 1 at `high`."""
    marks = levels(page, k, plot)
    return (marks[low] - line(page, k, plot)[:, 1]) / (marks[low] - marks[high])


def assert_beta_is(page, k, expected):
    """Everything that the bend figure k shows is what Python computed."""
    alpha_bar = expected["alpha_bar"][-1].item()
    assert number(page, k, ".left") == pytest.approx(alpha_bar, rel=0.05, abs=1e-300)
    assert number(page, k, ".amplitude") == pytest.approx(100 * math.sqrt(alpha_bar), rel=0.05, abs=1e-150)
    assert number(page, k, ".price") == pytest.approx(expected["L_T_bits"], rel=0.05, abs=1e-14)
    said = part(page, k, ".verdict").inner_text()
    assert ("as good as noise" in said) == (expected["L_T_bits"] < 0.001)
    assert ("still shows" in said) == (expected["L_T_bits"] >= 0.001)

    log_beta = -3 + 2 * heights(page, k, ".bend", "0.001", "0.1")
    assert abs(log_beta - expected["beta"][1:].log10().numpy()).max() < 0.01
    shown, log_snr = -10 + 20 * heights(page, k, ".snr", "−10", "10"), expected["log_snr"][1:].numpy()
    seen = log_snr > -13
    assert abs(shown - log_snr)[seen].max() < 0.02 and (shown[~seen] < -12.9).all()
    even = int((expected["alpha_bar"] > 0.5).sum())
    assert part(page, k, ".even").inner_text() == (
        f"falls below 0 at t = {even}" if even < len(expected["beta"]) else "stays above 0"
    )
    assert part(page, k, ".snr").get_attribute("aria-label").endswith(part(page, k, ".even").inner_text())

    for sheet in ("strip", "samples"):
        picture = bare.pixels(part(page, k, f".{sheet}"))
        assert abs(picture[:, :, :3].astype(int) - expected[sheet].numpy()).max() <= 1
        assert (picture[:, :, 3] == 255).all()
    assert abs(number(page, k, ".share") - 100 * expected["share"]) <= 0.5 + 1e-9
    assert part(page, k, ".share").inner_text() in part(page, k, ".samples").get_attribute("aria-label")


def assert_weight_is(page, k, expected):
    """Everything that the weigh figure k shows is what Python computed."""
    shares = expected["shares"].numpy()
    words = [text.text_content() for text in part(page, k, ".bars text").all()]
    for word, share in zip(words, shares, strict=True):
        assert (word == "<1" and share < 0.005) or abs(float(word) - 100 * share) <= 0.51
    assert part(page, k, ".first").inner_text() == words[0] + "%"
    assert number(page, k, ".half") == expected["half"]
    marks = levels(page, k, ".shares")
    tall = np.array([float(bar.get_attribute("height")) for bar in part(page, k, ".bars rect").all()])
    foot = [float(b.get_attribute("y")) + float(b.get_attribute("height")) for b in part(page, k, ".bars rect").all()]
    assert abs(tall / (marks["0%"] - marks["100%"]) - shares).max() < 1e-4
    assert foot == pytest.approx([marks["0%"]] * 10)
    log_weight = 2 * heights(page, k, ".bend", "1", "100")
    assert abs(log_weight - expected["weight"].log10().numpy()).max() < 0.01
    assert ", ".join(words) in part(page, k, ".shares").get_attribute("aria-label")


# The numbers


@pytest.mark.parametrize("preset", ["linear", "cosine"])
def test_presets_show_what_python_computes(curve_page, figures, preset):
    page = curve_page()
    button(page, 0, preset).click()
    assert_beta_is(page, 0, figures.bend.frame(preset))
    button(page, 2, preset).click()
    assert_beta_is(page, 2, figures.grey.frame(preset))
    x = line(page, 0, ".bend")[:, 0]
    assert np.diff(x).max() - np.diff(x).min() < 0.03  # t runs evenly


@pytest.mark.parametrize("preset", ["L", "L_simple", "min-SNR"])
def test_weights_show_what_python_computes(curve_page, figures, preset):
    page = curve_page()
    button(page, 1, preset).click()
    assert_weight_is(page, 1, figures.weigh.frame(preset))


@pytest.mark.parametrize("preset", ["linear", "cosine"])
def test_a_bent_curve_is_what_python_computes(curve_page, figures, preset):
    page = curve_page()
    button(page, 0, preset).click()
    for j, by in enumerate([-20, 35, 0, 24, 50, -13]):
        drag(page, 0, j, by)
    assert_beta_is(page, 0, figures.bend.frame(handles(page, 0), preset))


def test_a_chain_that_stops_early_draws_the_rare_picture_more_often(curve_page, figures):
    page = curve_page()
    before = number(page, 0, ".share")
    for j in range(6):
        drag(page, 0, j, 24)  # down to a fifth
    assert "still shows" in part(page, 0, ".verdict").inner_text()
    assert number(page, 0, ".share") < before - 5
    assert_beta_is(page, 0, figures.bend.frame(handles(page, 0)))


@pytest.mark.parametrize("key, alpha_bar", [("End", 0), ("Home", (1 - 1e-5) ** T)])
def test_the_ends_of_the_axis(curve_page, figures, key, alpha_bar):
    page = curve_page()
    for j in range(6):
        knob(page, 0, j).press(key)
    assert handles(page, 0) == pytest.approx([0.999 if key == "End" else 1e-5] * 6)
    assert number(page, 0, ".left") == pytest.approx(alpha_bar, abs=0.01)
    expected = figures.bend.frame([0.999 if key == "End" else 1e-5] * 6)
    assert abs(bare.pixels(part(page, 0, ".strip"))[:, :, :3].astype(int) - expected["strip"].numpy()).max() <= 1
    assert "still shows 99" in part(page, 0, ".verdict").inner_text() or key == "End"


def test_a_bent_weight_is_what_python_computes(curve_page, figures):
    page = curve_page()
    button(page, 1, "min-SNR").click()
    for j, by in enumerate([-60, 35, 0, -24, 0, 13]):
        drag(page, 1, j, by)
    assert_weight_is(page, 1, figures.weigh.frame(handles(page, 1), "min-SNR"))


# Moving it


@pytest.mark.parametrize("k", [0, 1, 2])
@pytest.mark.parametrize("j", [0, 3, 5])
def test_a_handle_follows_the_mouse_and_the_others_stay(curve_page, k, j):
    page = curve_page()
    before, others = handles(page, k), [handles(page, i) for i in range(3) if i != k]
    x, y = drag(page, k, j, 30)
    assert middle(page, k, j) == pytest.approx((x, y + 30), abs=0.5)
    after = handles(page, k)
    assert after[j] < before[j]
    assert after[:j] + after[j + 1 :] == pytest.approx(before[:j] + before[j + 1 :], rel=1e-9)
    assert [handles(page, i) for i in range(3) if i != k] == others
    page.mouse.move(x, y - 20)  # let go is let go
    assert handles(page, k) == after


def test_a_handle_stops_at_the_ends_of_its_axis(curve_page):
    page = curve_page()
    drag(page, 0, 3, 600)
    assert handles(page, 0)[3] == pytest.approx(1e-5)
    drag(page, 0, 3, -800)
    assert handles(page, 0)[3] == pytest.approx(0.999)


def test_keys_move_a_handle_and_say_so(curve_page):
    page = curve_page()
    page.evaluate("document.addEventListener('keydown', event => document.title += event.key)")
    target, start = knob(page, 0, 1), handles(page, 0)[1]
    target.focus()
    assert target.get_attribute("aria-valuetext") == "beta at t = 200: 0.0041"
    for key, factor in [
        ("ArrowUp", math.exp(0.1)),
        ("ArrowRight", math.exp(0.2)),
        ("ArrowDown", math.exp(0.1)),
        ("PageUp", math.exp(1.1)),
        ("PageDown", math.exp(0.1)),
        ("ArrowLeft", 1),
    ]:
        target.press(key)
        assert handles(page, 0)[1] == pytest.approx(factor * start, rel=1e-6)
    target.press("Home")
    assert handles(page, 0)[1] == pytest.approx(1e-5)
    target.press("End")
    assert handles(page, 0)[1] == pytest.approx(0.999)
    said = target.get_attribute("aria-valuetext")
    assert said == "beta at t = 200: 0.999" == part(page, 0, ".now").inner_text()
    assert page.title() == "Figures"  # a notebook listens above and would walk on to its next cell
    target.press("Tab")
    assert page.evaluate("document.activeElement.ariaLabel") == "beta at t = 400"


def test_a_finger_drags_a_handle_and_scrolls_elsewhere(curve_page):
    page = curve_page(width=390, has_touch=True)
    touch = page.context.new_cdp_session(page)

    def swipe(x, y, by):
        at = [{"x": x, "y": y}]
        touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": at})
        for step in range(1, 11):
            at = [{"x": x, "y": y + by * step / 10}]
            touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": at})
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        page.wait_for_timeout(200)

    before = handles(page, 0)
    x, y = middle(page, 0, 2)
    swipe(x + 18, y - 10, -50)  # within 22 pixels of its middle
    assert page.evaluate("scrollY") == 0
    assert middle(page, 0, 2) == pytest.approx((x, y - 50), abs=0.5)
    after = handles(page, 0)
    assert after[2] > 10 * before[2]
    x, y = middle(page, 0, 3)
    swipe(x - 30, y + 40, -60)
    assert page.evaluate("scrollY") > 20
    assert handles(page, 0) == after


def test_undo_takes_back_a_drag_a_visit_with_the_keys_and_a_preset(curve_page):
    page = curve_page()
    undo, states = button(page, 0, "undo"), [handles(page, 0)]
    assert undo.get_attribute("aria-disabled") == "true"
    drag(page, 0, 2, 25)
    states.append(handles(page, 0))
    for _ in range(4):
        knob(page, 0, 4).press("ArrowUp")
    states.append(handles(page, 0))
    button(page, 0, "cosine").click()
    button(page, 0, "cosine").click()  # nothing more to do
    states.append(handles(page, 0))
    drag(page, 0, 2, -25)
    assert undo.get_attribute("aria-disabled") == "false"
    for state in states[::-1]:
        undo.click()
        assert handles(page, 0) == pytest.approx(state, rel=1e-9)
    assert undo.get_attribute("aria-disabled") == "true"
    undo.press("Enter")
    assert handles(page, 0) == pytest.approx(states[0], rel=1e-9)


def test_a_click_on_a_handle_is_no_change(curve_page):
    page = curve_page()
    page.mouse.click(*middle(page, 0, 2))
    assert button(page, 0, "undo").get_attribute("aria-disabled") == "true"
    assert part(page, 0, ".now").inner_text().startswith("beta at t = 400: ")


def test_buttons_say_which_preset_is_shown_and_a_second_press_restores_it(curve_page):
    page = curve_page()

    def pressed():
        return [b.get_attribute("aria-pressed") for b in part(page, 0, ".choices [aria-pressed]").all()]

    start = handles(page, 0)
    assert pressed() == ["true", "false"] and part(page, 0, ".ghost").get_attribute("d") == ""
    unbent = part(page, 0, ".bend .line").get_attribute("d")
    drag(page, 0, 1, 40)
    assert pressed() == ["mixed", "false"]
    assert part(page, 0, ".ghost").get_attribute("d") == unbent != part(page, 0, ".bend .line").get_attribute("d")
    button(page, 0, "linear").click()
    assert pressed() == ["true", "false"] and handles(page, 0) == start
    button(page, 0, "cosine").press("Enter")
    assert pressed() == ["false", "true"]


# Where it stands


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1000])
def test_page_is_accessible_and_nothing_sticks_out(curve_page, width, dark):
    page = curve_page(width=width, dark=dark)
    drag(page, 0, 4, 20)
    button(page, 1, "min-SNR").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for k in range(3):
        for target in [*part(page, k, "[role=slider]").all(), *part(page, k, "button").all()]:
            box = target.bounding_box()
            assert min(box["width"], box["height"]) >= 43.99
        frame = part(page, k, "svg.bend").bounding_box()
        for text in part(page, k, "svg text").all():
            box = text.bounding_box()
            assert frame["x"] - 1 <= box["x"] and box["x"] + box["width"] <= frame["x"] + frame["width"] + 1
    sizes = "Array.from(document.querySelectorAll('main *'), e => parseFloat(getComputedStyle(e).fontSize))"
    assert min(page.evaluate(sizes)) >= 12
    violations = Axe().run(page).response["violations"]
    assert [v["id"] for v in violations] == []


def test_it_fits_itself_to_a_new_width(curve_page, figures):
    page = curve_page()
    wide = line(page, 0, ".bend")[-1, 0]
    drag(page, 0, 3, 20)
    page.set_viewport_size({"width": 390, "height": 900})
    settle(page)
    assert line(page, 0, ".bend")[-1, 0] < 390 < wide
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert_beta_is(page, 0, figures.bend.frame(handles(page, 0)))


def test_it_lives_when_a_notebook_inserts_it_and_runs_it_twice(curve_page, figures):
    page = curve_page(html="")
    html = figures.bend._repr_html_()
    page.evaluate(bare.INSERT, html)
    page.evaluate(bare.INSERT, html)  # the same output in two views: one id, two figures
    settle(page)
    assert page.locator(".fallback").count() == 0
    start = handles(page, 0)
    knob(page, 1, 2).press("ArrowUp")
    assert handles(page, 0) == start
    assert handles(page, 1)[2] == pytest.approx(math.exp(0.1) * start[2])  # two handlers would have moved it twice
    assert_beta_is(page, 1, figures.bend.frame(handles(page, 1)))
