"""Trainings under a slider on a bare page: dragged, tapped and by key; mark, losses, distances and pictures follow."""

import bare
import numpy as np
import pytest
import torch

from ddpm_core.book.widgets import scrub_training

LOOKS, STEPS = [20, 100, 400, 800], list(range(20, 801, 20))
RUNS = {"L": 0.3, "L_simple": 1.0, "min-SNR": 2.0}
LOSSES = {name: [(step, 5 / (1 + step / 20) ** power) for step in STEPS] for name, power in RUNS.items()}
DISTANCES = {name: [50 / (1 + power * k) for k in range(4)] for name, power in RUNS.items()}


@pytest.fixture(scope="module")
def figure():
    generator = torch.Generator().manual_seed(0)
    frames = {name: [torch.rand((8, 1, 8, 8), generator=generator) * 2 - 1 for _ in LOOKS] for name in RUNS}
    return scrub_training(LOSSES, frames, DISTANCES, LOOKS, label="Three losses", start=100)


def held_to(page, figure, k):
    """Everything on the page belongs to the k-th look."""
    step = LOOKS[k]
    for canvas, row in zip(page.locator("canvas").all(), figure.frame(step), strict=True):
        assert (bare.pixels(canvas)[:, :, 0] == np.concatenate(list(row[:, 0]), axis=1)).all()
    said = [float(text) for text in page.locator(".distance").all_inner_texts()]
    assert said == pytest.approx([row[k] for row in DISTANCES.values()], abs=0.06)
    said = [float(text) for text in page.locator(".loss").all_inner_texts()]
    assert said == pytest.approx([dict(curve)[step] / curve[0][1] for curve in LOSSES.values()], abs=0.006)
    assert page.locator(".time").inner_text() == f"step {step}"
    assert float(page.locator(".plot .now").get_attribute("d")[1:].split(" ")[0]) == pytest.approx(step / 800)


def test_it_opens_where_it_is_told_to(bare_page, figure):
    held_to(bare_page(figure._repr_html_()), figure, 1)


def test_dragging_trains_and_goes_back(bare_page, figure):
    page = bare_page(figure._repr_html_())
    slider = page.locator("input")
    for _, k in zip(bare.dragged(page, slider, 1 / 3, 1, 0), (3, 0), strict=True):
        held_to(page, figure, k)


def test_it_moves_by_key_and_by_a_tap(bare_page, figure):
    page = bare_page(figure._repr_html_(), width=390, has_touch=True)
    slider = page.locator("input")
    slider.press("ArrowRight")
    held_to(page, figure, 2)
    slider.press("Home")
    held_to(page, figure, 0)
    bare.tap(page, slider, 0.98)
    held_to(page, figure, 3)


def test_the_curves_are_the_losses(bare_page, figure):
    page = bare_page(figure._repr_html_())
    for line, curve in zip(page.locator(".line").all(), LOSSES.values(), strict=True):
        points = [tuple(map(float, point.split(","))) for point in line.get_attribute("d")[1:].split("L")]
        assert [x for x, _ in points] == pytest.approx([step / 800 for step in STEPS])
        assert [(1 - y) / 0.96 for _, y in points] == pytest.approx([v / curve[0][1] for _, v in curve], abs=1e-5)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1000])
def test_page_is_accessible_and_nothing_sticks_out(bare_page, figure, width, dark):
    page = bare_page(figure._repr_html_(), width=width, dark=dark)
    assert bare.faults(page, width) == []
