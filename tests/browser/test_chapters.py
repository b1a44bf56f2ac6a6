"""The scrubbers of the built chapters show what the package computes from the same seeds."""

import base64
import re

import numpy as np
import pytest
import torch

from ddpm_core import data, schedule
from ddpm_core.book import widgets
from ddpm_core.diffusion.noise import seeded

PIXELS = """canvas => {
    const {width, height} = canvas, image = canvas.getContext("2d").getImageData(0, 0, width, height);
    let text = "";
    for (const byte of image.data) text += String.fromCharCode(byte);
    return [width, height, btoa(text)];
}"""


CHAPTERS = ["/book/00-ten-minute-generator.html", "/book/01-forward-process.html"]


@pytest.mark.parametrize("t", [0, 500, 1000])
def test_the_drowning_digits_of_chapter_0_are_those_of_the_package(open_page, t):
    page = open_page(CHAPTERS[0])
    figure = page.locator(".ddpm-scrub").first
    figure.locator("input").evaluate("(s, to) => { s.value = to; s.dispatchEvent(new Event('input')); }", t)
    width, height, text = figure.locator("canvas").evaluate(PIXELS)
    shown = np.frombuffer(base64.b64decode(text), np.uint8).reshape(height, width, 4)
    x0 = data.to_float(data.load("digits").images[:32])
    eps = torch.randn(x0.shape, generator=seeded(0))
    expected = widgets.scrub(schedule.cosine(1000), x0, eps, label="the same").frame(t)
    assert shown.shape[:2] == expected.shape[:2]
    assert abs(shown[:, :, :3].astype(int) - expected).max() <= 1


@pytest.mark.parametrize("path", CHAPTERS)
def test_every_scrubber_of_a_chapter_moves_by_key_and_says_its_time(open_page, path):
    page = open_page(path)
    figures = page.locator(".ddpm-scrub").all()
    assert figures
    for figure in figures:
        said, slider = figure.locator(".time"), figure.locator("input")
        before = said.inner_text()
        slider.focus()
        page.keyboard.press("ArrowRight")
        assert said.inner_text() != before and re.fullmatch(r"t = \d+ of 1000", said.inner_text())
    assert not page.log.complaints()
