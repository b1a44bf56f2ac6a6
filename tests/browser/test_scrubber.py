"""The scrubbers on a bare page: moved by mouse, keys and button, and held to the pixels of Python."""

import math
from types import SimpleNamespace

import bare
import numpy as np
import pytest
import torch
from axe_playwright_python.sync_playwright import Axe

from ddpm_core.book import widgets
from ddpm_core.schedule import cosine, linear


def pictures(seed=0):
    """64 colour images of 32 x 32 with smooth patterns, and noise for them."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, 32), torch.linspace(-1, 1, 32), indexing="ij")
    k = torch.arange(64).reshape(-1, 1, 1)
    x0 = torch.stack([torch.cos(3 * x + k), torch.sin(2 * y + 0.7 * k), torch.cos(4 * x * y + k)], dim=1)
    return x0, torch.randn(x0.shape, generator=torch.Generator().manual_seed(seed))


def rings():
    """400 points on four rings, their noise and their groups."""
    generator = torch.Generator().manual_seed(1)
    angle, ring = 2 * math.pi * torch.rand(400, generator=generator), torch.arange(400) % 4
    x0 = torch.stack([angle.cos(), angle.sin()], dim=1) * (0.6 + 0.5 * ring[:, None])
    return x0, torch.randn(400, 2, generator=generator), ring


@pytest.fixture(scope="module")
def figures():
    x0, eps = pictures()
    points, points_eps, ring = rings()
    times = list(range(1000, -1, -125))
    grey = x0[:10, :1]
    chain = [
        cosine(1000).alpha_bar[t].sqrt() * grey + (1 - cosine(1000).alpha_bar[t]).sqrt() * eps[:10, :1] for t in times
    ]
    return SimpleNamespace(
        images=widgets.scrub(linear(1000), x0, eps, label="Linear, 64 images"),
        points=widgets.scrub_points(cosine(1000), points, points_eps, label="Cosine, rings", colours=ring),
        frames=widgets.scrub_frames(chain, times, label="The way back", columns=4),
    )


@pytest.fixture
def scrub_page(bare_page, figures):
    """A function that opens a page with one scrubber of each kind, or with other HTML."""

    def opener(html=None, **options):
        every = "".join(scrubber._repr_html_() for scrubber in vars(figures).values())
        return bare_page(every if html is None else html, **options)

    return opener


def part(page, k, selector):
    return page.locator(".ddpm-scrub").nth(k).locator(selector)


def value(page, k):
    return int(part(page, k, "input").input_value())


def move(page, k, to):
    bare.move(part(page, k, "input"), to)


def pixels(page, k):
    """The canvas of figure k as uint8 (height, width, 4)."""
    return bare.pixels(part(page, k, "canvas"))


def drag(page, k, start, end):
    """Drag the slider of figure k with the mouse, from one share of its way to another."""
    slider = part(page, k, "input")
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    x = [box["x"] + 8 + share * (box["width"] - 16) for share in (start, end)]
    y = box["y"] + box["height"] / 2
    page.mouse.move(x[0], y)
    page.mouse.down()
    page.mouse.move(x[1], y, steps=20)
    page.mouse.up()


# The pixels


@pytest.mark.parametrize("t", [0, 500, 1000])
def test_images_are_those_that_python_computes(scrub_page, figures, t):
    page = scrub_page()
    move(page, 0, t)
    shown, expected = pixels(page, 0), figures.images.frame(t)
    assert shown.shape[:2] == expected.shape[:2] == (256, 256)
    assert abs(shown[:, :, :3].astype(int) - expected).max() <= 1
    assert (shown[:, :, 3] == 255).all()


@pytest.mark.parametrize("k, t", [(0, 1000), (4, 500), (8, 0)])
def test_frames_are_those_that_python_stored(scrub_page, figures, k, t):
    page = scrub_page()
    move(page, 2, k)
    shown, expected = pixels(page, 2), figures.frames.frame(t)
    assert (shown[:, :, :3] == expected).all()  # one grey value in all three; the rest of the last row is 0
    assert not shown[64:, 64:, 3].any()
    assert part(page, 2, ".time").inner_text() == f"t = {t} of 1000"


@pytest.mark.parametrize("t", [0, 500, 1000])
def test_points_lie_where_python_puts_them(scrub_page, figures, t):
    page = scrub_page()
    move(page, 1, t)
    painted = pixels(page, 1)[:, :, 3] > 0
    x, y = figures.points.frame(t).T
    right, down = np.rint(360 + 120 * x).astype(int), np.rint(360 - 120 * y).astype(int)
    inside = (right >= 0) & (right < 720) & (down >= 0) & (down < 720)
    assert painted[down[inside], right[inside]].all()  # every point has its dot
    rows, columns = painted.nonzero()
    distance = np.hypot(rows[:, None] - down, columns[:, None] - right).min(axis=1)
    assert distance.max() <= 9  # and every dot its point


def test_groups_have_colours_and_shapes_of_their_own(scrub_page):
    eps = torch.zeros(1, 2)
    shapes = [widgets.scrub_points(cosine(9), eps, eps, label="x", colours=[g]) for g in range(4)]
    page = scrub_page(html="".join(s._repr_html_() for s in shapes))
    drawn = [pixels(page, g) for g in range(4)]
    assert len({tuple(d[360, 360]) for d in drawn}) == 4
    assert len({(d[:, :, 3] > 0).tobytes() for d in drawn}) == 4


# Moving it


@pytest.mark.parametrize("k", [0, 1, 2])
def test_dragging_moves_time(scrub_page, k):
    page = scrub_page()
    last = int(part(page, k, "input").get_attribute("max"))
    before = pixels(page, k)
    drag(page, k, 0, 0.5)
    assert abs(value(page, k) - last / 2) <= max(1, 0.02 * last)
    assert (pixels(page, k) != before).any()
    drag(page, k, 0.5, 1)
    assert value(page, k) == last
    assert [value(page, other) for other in range(3) if other != k] == [0, 0]  # the others did not move


def test_keys_move_time(scrub_page):
    page = scrub_page()
    slider = part(page, 0, "input")
    slider.focus()
    for key, t in [
        ("ArrowRight", 1),
        ("ArrowUp", 2),
        ("ArrowLeft", 1),
        ("End", 1000),
        ("ArrowDown", 999),
        ("Home", 0),
    ]:
        slider.press(key)
        assert value(page, 0) == t
        assert slider.get_attribute("aria-valuetext") == part(page, 0, ".time").inner_text() == f"t = {t} of 1000"


def test_keys_stay_with_the_slider(scrub_page):
    page = scrub_page()  # a notebook listens above and would walk on to its next cell
    page.evaluate("document.addEventListener('keydown', event => document.title += event.key)")
    part(page, 0, "input").focus()
    page.keyboard.press("ArrowRight")
    assert value(page, 0) == 1 and "ArrowRight" not in page.title()
    page.locator("body").focus()
    part(page, 0, "button").focus()
    page.keyboard.press("ArrowRight")
    assert "ArrowRight" in page.title()


def test_levels_are_those_of_the_schedule(scrub_page):
    page = scrub_page()
    for t in (0, 250, 1000):
        move(page, 0, t)
        alpha_bar = float(linear(1000).alpha_bar[t])
        assert part(page, 0, "output .signal").inner_text() == f"signal {math.sqrt(alpha_bar):.3f}"
        assert part(page, 0, "output .noise").inner_text() == f"noise {math.sqrt(1 - alpha_bar):.3f}"


def test_button_plays_pauses_and_starts_again(scrub_page):
    page = scrub_page()
    button = part(page, 0, "button")
    page.wait_for_timeout(300)
    assert value(page, 0) == 0  # nothing plays unasked
    assert button.get_attribute("aria-label") == "Play"
    button.click()
    assert button.get_attribute("aria-label") == "Pause"
    page.wait_for_function("document.querySelector('.ddpm-scrub input').value > 100")
    button.click()
    paused = value(page, 0)
    page.wait_for_timeout(300)
    assert value(page, 0) == paused < 1000
    move(page, 0, 950)
    button.press("Enter")
    page.wait_for_function("document.querySelector('.ddpm-scrub button').ariaLabel === 'Play'")
    assert value(page, 0) == 1000  # at the end it stops, and from there it starts again
    button.click()
    page.wait_for_function("document.querySelector('.ddpm-scrub input').value < 900")
    drag(page, 0, 0.3, 0.2)  # the hand wins
    assert button.get_attribute("aria-label") == "Play"
    assert abs(value(page, 0) - 200) <= 20


def test_play_takes_slow_steps_for_a_reader_who_prefers_them(scrub_page):
    page = scrub_page(reduced_motion="reduce")
    part(page, 0, "button").click()
    seen = []
    for _ in range(23):
        page.wait_for_timeout(100)
        seen.append(value(page, 0))
    assert seen[0] == 0
    assert set(seen) <= {0, 100, 200, 300}
    assert seen[-1] >= 100


# Where it stands


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1000])
def test_page_is_accessible_and_nothing_sticks_out(scrub_page, width, dark):
    page = scrub_page(width=width, dark=dark)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for k in range(3):
        assert part(page, k, "canvas").get_attribute("role") == "img"
        assert (
            part(page, k, "canvas")
            .get_attribute("aria-label")
            .endswith("t = 1000 of 1000" if k == 2 else "t = 0 of 1000")
        )
        assert part(page, k, "input").get_attribute("aria-label") == "time t"
        box = part(page, k, "button").bounding_box()
        assert min(box["width"], box["height"]) >= 44
    violations = Axe().run(page).response["violations"]
    assert [v["id"] for v in violations] == []


def test_it_lives_when_a_notebook_inserts_it_and_runs_it_twice(scrub_page, figures):
    page = scrub_page(html="")
    html = figures.images._repr_html_()
    page.evaluate(bare.INSERT, html)
    page.evaluate(bare.INSERT, html)  # the same output in two views: one id, two figures
    assert page.locator(".fallback").count() == 0
    move(page, 1, 500)
    assert [value(page, k) for k in (0, 1)] == [0, 500]
    assert abs(pixels(page, 1)[:, :, :3].astype(int) - figures.images.frame(500)).max() <= 1
    part(page, 0, "button").click()
    assert part(page, 0, "button").get_attribute("aria-label") == "Pause"  # two handlers would have paused again


def test_without_scripts_a_sentence_says_so(scrub_page):
    page = scrub_page(java_script_enabled=False)
    assert part(page, 0, ".fallback").is_visible()
    assert not part(page, 0, "input").is_visible()
