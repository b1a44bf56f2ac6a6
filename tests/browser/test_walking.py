"""A walk through a U on a bare page, by mouse, finger and keys: pieces light up, and the channels of one are shown."""

import bare
import numpy as np
import pytest
import torch

from ddpm_core.book.widgets import WalkStep, walk_unet

SHAPES = {"x_t": (1, 8), "stem": (12, 8), "down": (12, 8), "shrink": (12, 4), "middle": (20, 4), "up": (12, 8)}


@pytest.fixture(scope="module")
def figure():
    generator = torch.Generator().manual_seed(0)
    pieces = [
        WalkStep(
            name, torch.randn(n, side, side, generator=generator), f"{name} it is", skip=2 if name == "up" else None
        )
        for name, (n, side) in SHAPES.items()
    ]
    return walk_unet(pieces, label="A walk through a U", start=6)


def held_to(page, figure, k):
    """Everything on the page belongs to the k-th piece, counted from 1."""
    name = list(SHAPES)[k - 1]
    assert page.locator(".here").inner_text() == f"{name} it is"
    shown = bare.pixels(page.locator(".maps"))[:, :, 0]
    assert (shown == np.concatenate(list(figure.frame(k)), axis=1)).all()
    assert page.locator(".piece.lit").count() == k and page.locator(".piece.now span").all_inner_texts() == [name]
    assert page.locator(".way.lit").count() == k - 1 and page.locator(".skip.lit").count() == (k == 6)
    assert page.locator(".time").inner_text() == f"piece {k} of 6"


def test_it_opens_where_it_is_told_to(bare_page, figure):
    held_to(bare_page(figure._repr_html_()), figure, 6)


def test_dragging_walks_back_and_forth(bare_page, figure):
    page = bare_page(figure._repr_html_())
    slider = page.locator("input")
    for _, k in zip(bare.dragged(page, slider, 1, 0.4, 0), (3, 1), strict=True):
        held_to(page, figure, k)


def test_it_moves_by_key_and_by_a_tap(bare_page, figure):
    page = bare_page(figure._repr_html_(), width=390, has_touch=True)
    slider = page.locator("input")
    slider.press("ArrowLeft")
    held_to(page, figure, 5)
    slider.press("Home")
    held_to(page, figure, 1)
    bare.tap(page, slider, 0.98)
    held_to(page, figure, 6)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1000])
def test_page_is_accessible_and_nothing_sticks_out(bare_page, figure, width, dark):
    page = bare_page(figure._repr_html_(), width=width, dark=dark)
    small, large = (page.locator(".piece canvas").nth(k).bounding_box()["width"] for k in (3, 2))
    assert large == pytest.approx(2 * small, rel=0.05)  # a coarse piece is drawn small
    assert bare.faults(page, width) == []
