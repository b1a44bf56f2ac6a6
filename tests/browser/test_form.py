"""The Space's form, as a reader has it in Chromium: chosen, typed, pressed, and left while it draws."""

import io
import re
import time

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect
from serving import listen

from benchmarks import the_space
from ddpm_core import sampler
from ddpm_core.networks.conditioning import encode
from ddpm_core.storage import checkpoint

SHAPES = "Shapes from a caption, 32x32"


@pytest.fixture(scope="module")
def space(tmp_path_factory):
    """The address of the Space, started for these tests."""
    app, address = the_space.started(tmp_path_factory.mktemp("space") / "words")
    yield address
    app.terminate()
    app.wait(30)


@pytest.fixture
def form(browser, space):
    """form(width=1280): the page with its form; at the end each one must have behaved, and have asked nobody else."""
    contexts, opened = [], []

    def opener(width=1280):
        contexts.append(browser.new_context(viewport={"width": width, "height": 900}))
        page = listen(contexts[-1].new_page(), space)
        opened.append(page)
        page.goto(space)
        field(page, "Seed").wait_for(timeout=60_000)
        page.wait_for_load_state("networkidle")
        return page

    yield opener
    assert [page.log.complaints() for page in opened] == [[] for _ in opened]
    for context in contexts:
        context.close()


def field(page, name):
    role = {"Caption": "textbox", "Model": "combobox", "Class": "combobox", "Sampler": "combobox"}.get(
        name, "spinbutton"
    )
    return page.get_by_role(role, name=name)


def choose(page, name, value):
    field(page, name).click()
    page.get_by_role("option", name=value, exact=True).click()


def press(page):
    page.get_by_role("button", name="Draw", exact=True).click()


def told(page, words):
    """Wait until the State says these words, or what matches them."""
    expect(page.get_by_label("State")).to_have_value(words, timeout=120_000)


def pictures(page):
    """What the gallery shows, each (H, W, 3) of a picture of 32 by 32 pixels."""
    found = []
    for image in page.locator(".grid-container img, .gallery-item img").all():
        body = page.request.get(image.evaluate("(one) => one.src")).body()
        small = Image.open(io.BytesIO(body)).convert("RGB").resize((32, 32), Image.Resampling.BOX)
        found.append(np.asarray(small).astype(int))
    return found


def test_a_press_draws_what_the_form_says(form):
    page = form()
    choose(page, "Class", "Bag")
    choose(page, "Sampler", "DDIM")
    for name, value in {"Pictures": "2", "Steps": "4", "Guidance": "0", "Seed": "7"}.items():
        field(page, name).fill(value)
    press(page)
    told(page, "Finished: 4 steps, seed 7.")
    model = checkpoint.load("book/results/fashion32.safetensors")
    labels = sampler.balanced_labels(2, 1) + model.about["names"].index("Bag")
    alike(pictures(page), sampler.draw(model, 2, labels=labels, steps=4, sampler="ddim", seed=7))


def test_a_caption_is_typed_and_drawn(form):
    """Its field comes with the model that reads, and the one for a class goes."""
    page = form()
    assert not field(page, "Caption").is_visible()
    choose(page, "Model", SHAPES)
    field(page, "Caption").wait_for()
    assert field(page, "Caption").input_value() == "a large red circle on the right on a white background"
    assert page.get_by_text("Words that it knows: a, an, and, at, background,").is_visible()
    assert not field(page, "Class").is_visible()
    caption = "a small blue ring at the top on black"
    field(page, "Caption").fill(caption)
    for name, value in {"Pictures": "1", "Steps": "6", "Guidance": "2", "Seed": "3"}.items():
        field(page, name).fill(value)
    press(page)
    told(page, "Finished: 6 steps, seed 3.")
    model = checkpoint.load("book/results/shapes.safetensors")
    labels = encode([caption], model.network.vocabulary)
    alike(pictures(page), sampler.draw(model, 1, labels=labels, steps=6, guidance=2.0, seed=3))
    choose(page, "Model", "Cars, 32x32")
    field(page, "Caption").wait_for(state="hidden")


def alike(found, wanted):
    """Enlarged, compressed and made small again."""
    assert len(found) == len(wanted)
    for picture, image in zip(found, wanted, strict=True):
        expected = np.broadcast_to(image.permute(1, 2, 0).numpy(), (32, 32, 3)).astype(int)
        assert np.abs(picture - expected).mean() < 12


@pytest.mark.parametrize(
    "name, value, sentence",
    [
        ("Caption", "a red dog", "The model has never read “dog”: it knows 52 words."),
        ("Caption", "\U0001f697", "There is no word in this caption."),
        ("Caption", "<img src=x onerror=alert(1)>", "The model has never read “img”, “src”, “x” and 3 more"),
        ("Steps", "10.7", "The number of steps must be a whole number from 1 to 250, but it is 10.7."),
        ("Seed", "1e17", "The seed must be a number from 0 to 9007199254740991"),
    ],
)
def test_what_cannot_be_drawn_is_a_sentence_on_the_page(form, name, value, sentence):
    page = form()
    choose(page, "Model", SHAPES)
    field(page, "Caption").wait_for()
    before = field(page, name).input_value()
    field(page, name).fill(value)
    press(page)
    page.get_by_text(sentence).first.wait_for()
    assert page.locator("img[src=x]").count() == 0 and pictures(page) == []
    field(page, name).fill(before)
    field(page, "Steps").fill("2")
    press(page)
    told(page, "Finished: 2 steps, seed 0.")  # and it goes on


def test_two_presses_at_once_draw_once(form):
    page = form()
    field(page, "Steps").fill("3")
    calls = []
    page.on("request", lambda asked: "/queue/join" in asked.url and calls.append(asked.url))
    page.get_by_role("button", name="Draw", exact=True).dblclick()
    told(page, "Finished: 3 steps, seed 0.")
    assert len(pictures(page)) == 4 and len(calls) == 1


def test_who_leaves_while_it_draws_keeps_nobody_waiting(form):
    """Sixteen cars in 250 steps would take much longer than the picture of the next reader."""
    page = form()
    choose(page, "Model", "Cars, 32x32")
    field(page, "Class").wait_for(state="hidden")
    for name, value in {"Pictures": "16", "Steps": "250"}.items():
        field(page, name).fill(value)
    press(page)
    began = time.monotonic()
    told(page, re.compile("t = .*, step 42"))
    left = time.monotonic()
    page.goto("about:blank")
    other = form()
    for name, value in {"Pictures": "1", "Steps": "2"}.items():
        field(other, name).fill(value)
    press(other)
    told(other, "Finished: 2 steps, seed 0.")
    assert time.monotonic() - left < (250 - 42) / 42 * (left - began) / 2  # half of what the first had before it
    page.log.console_errors.clear()  # that its stream was cut, on a page that is gone


@pytest.mark.parametrize("width", [1280, 390])
def test_it_fits(form, width):
    page = form(width)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.get_by_role("button", name="Draw", exact=True).is_visible()
