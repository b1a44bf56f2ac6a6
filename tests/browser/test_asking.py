"""Guess the digit, on a bare page: by mouse, finger and keys; pictures and rates are those of Python."""

import bare
import pytest
import torch
from axe_playwright_python.sync_playwright import Axe

from ddpm_core.book import widgets
from ddpm_core.book.widgets.guessing import asked
from ddpm_core.schedule import cosine

TIMES, N = [100, 400, 600, 900], 12
RATES = [0.9, 0.6, 0.4, 0.1]


@pytest.fixture(scope="module")
def figure():
    generator = torch.Generator().manual_seed(0)
    x0 = torch.randint(0, 256, (N, 1, 8, 8), generator=generator) / 127.5 - 1
    eps = torch.randn(x0.shape, generator=generator)
    guesses = torch.rand(4, N, 1, 8, 8, generator=generator) * 2 - 1
    read = torch.randint(0, 10, (4, N), generator=generator)
    return widgets.guess_digit(
        cosine(1000), TIMES, x0, eps, torch.arange(N) % 10, guesses, read, RATES, label="Which digit is it?"
    )


def key(page, digit):
    return page.locator(".keys button").nth(digit)


def assert_panels(page, figure, n, k):
    """The first two panels show digit n at time k as Python has it."""
    for canvas, expected in zip(page.locator("canvas").all(), figure.frame(n, k), strict=False):
        shown = bare.pixels(canvas)[:, :, 0].astype(int)
        assert abs(shown - expected[0].numpy()).max() <= 1


def rows(page):
    return page.locator(".rates").get_attribute("aria-label")


def test_the_answer_is_hidden_until_one_has_guessed(bare_page, figure):
    page = bare_page(figure._repr_html_())
    k = asked(N, 4)[0]
    assert_panels(page, figure, 0, k)
    guessed, truth = page.locator("canvas").all()[1:]
    assert not guessed.is_visible() and not truth.is_visible() and page.locator("input").is_disabled()
    page.locator(".next").click(force=True)  # not before a guess
    assert_panels(page, figure, 0, k)
    key(page, 0).click()
    assert guessed.is_visible() and truth.is_visible() and page.locator("input").is_enabled()
    said = page.locator(".verdict").inner_text()
    assert said.startswith("It is a 0. You are right, the network is ") and said.endswith("So far 1 of 1 for you.")
    key(page, 3).click(force=True)  # one guess a digit
    assert page.locator(".verdict").inner_text() == said


def test_rates_are_counted_at_the_time_of_the_question(bare_page, figure):
    page = bare_page(figure._repr_html_())
    right = [0] * 4
    for n, k in enumerate(asked(N, 4)):
        assert_panels(page, figure, n, k)
        assert page.locator(".time").inner_text() == f"t = {TIMES[k]}"
        hit = n % 3 != 0
        key(page, n % 10 if hit else (n + 1) % 10).click()
        right[k] += hit
        page.locator(".next").click()
    words = [
        f"at t = {t} the network {100 * r:.0f}%, you {h} of 3" for t, r, h in zip(TIMES, RATES, right, strict=True)
    ]
    assert rows(page) == "right guesses: " + "; ".join(words)
    heights = [float(dot.get_attribute("cy")) for dot in page.locator("circle.you").all()]
    assert heights == pytest.approx([112 - 100 * h / 3 for h in right])
    boxes = [float(box.get_attribute("y")) + 4 for box in page.locator("rect.net").all()]
    assert boxes == pytest.approx([112 - 100 * rate for rate in RATES])
    assert_panels(page, figure, 0, asked(N, 4)[0])  # round again


def test_dragging_the_time_shows_the_same_digit_and_its_guess(bare_page, figure):
    page = bare_page(figure._repr_html_())
    key(page, 5).click()
    slider = page.locator("input")
    box = slider.bounding_box()
    page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 2, box["y"] + box["height"] / 2, steps=10)
    page.mouse.up()
    assert page.locator(".time").inner_text() == "t = 900"
    assert_panels(page, figure, 0, 3)
    slider.press("Home")
    assert_panels(page, figure, 0, 0)
    assert slider.get_attribute("aria-valuetext") == "t = 100"
    assert ", you" in rows(page).split(";")[1]  # counted where it was asked


def test_keys_answer_and_stay_with_the_figure(bare_page, figure):
    page = bare_page(figure._repr_html_())
    page.evaluate("document.addEventListener('keydown', event => document.title += event.key)")
    key(page, 9).focus()
    page.keyboard.press("4")
    assert page.locator(".said").first.inner_text() == "you say 4" and page.title() == "Figures"
    assert key(page, 4).get_attribute("aria-pressed") == "true"
    page.locator(".next").press("Enter")
    assert page.locator(".said").first.inner_text() == "which digit?"


def test_a_finger_answers(bare_page, figure):
    page = bare_page(figure._repr_html_(), width=390, has_touch=True)
    key(page, 7).tap()
    page.locator(".next").tap()
    assert_panels(page, figure, 1, asked(N, 4)[1])


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1000])
def test_page_is_accessible_and_nothing_sticks_out(bare_page, figure, width, dark):
    page = bare_page(figure._repr_html_(), width=width, dark=dark)
    key(page, 2).click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for target in page.locator("button, input").all():
        assert min(target.bounding_box()["width"], target.bounding_box()["height"]) >= 43.99
    frame = page.locator(".rates").bounding_box()
    for text in page.locator("svg text").all():
        box = text.bounding_box()
        assert frame["x"] - 1 <= box["x"] and box["x"] + box["width"] <= frame["x"] + frame["width"] + 1
    assert [v["id"] for v in Axe().run(page).response["violations"]] == []
