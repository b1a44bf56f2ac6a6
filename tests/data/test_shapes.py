"""Captioned shapes: smooth, as the caption says, and with pairs that training never sees."""

import math
from dataclasses import astuple

import pytest
import torch

from ddpm_core import data
from ddpm_core.data import shapes
from ddpm_core.diffusion.noise import seeded
from ddpm_core.networks import conditioning
from ddpm_core.recipes import RECIPES

STILL = torch.zeros(1, 2, dtype=torch.float64), torch.ones(1, dtype=torch.float64)
AREAS = {  # of a shape of radius 1, by school geometry
    "circle": math.pi, "square": 1.7**2, "diamond": 2 * 1.1**2, "ring": math.pi * (1 - 0.25),
    "triangle": 0.55**2 * 27**0.5, "cross": 2 * (2 * 0.64) - 0.64**2,
}  # fmt: skip


@pytest.fixture(scope="module")
def known():
    return data.load("shapes")


@pytest.mark.parametrize("size", shapes.SIZES)
@pytest.mark.parametrize("shape", shapes.SHAPES)
def test_what_a_shape_covers_is_its_area(shape, size):
    """But for the corners, which an edge one pixel wide rounds off."""
    covered = shapes.coverage(shape, size, "middle", *STILL)
    assert covered.sum().item() == pytest.approx(AREAS[shape] * shapes.SIZES[size] ** 2, rel=0.04)
    assert ((covered > 0) & (covered < 1)).any() and covered.shape == (1, shapes.SIDE, shapes.SIDE)


@pytest.mark.parametrize("place", shapes.PLACES)
def test_a_shape_stands_where_it_is_said_to(place):
    shift = torch.tensor([[0.7, -0.4]], dtype=torch.float64)
    covered = shapes.coverage("circle", "small", place, shift, STILL[1])[0]
    there = torch.arange(shapes.SIDE) - (shapes.SIDE - 1) / 2
    x, y = ((covered.sum(axis) * there).sum() / covered.sum() for axis in (0, 1))
    wanted = [shapes.AWAY * sign + moved for sign, moved in zip(shapes.PLACES[place], shift[0].tolist(), strict=True)]
    assert [x.item(), y.item()] == pytest.approx(wanted, abs=0.01)


def test_every_scene_fits_into_the_picture():
    corners = torch.tensor([[x, y] for x in (-1, 1) for y in (-1, 1)], dtype=torch.float64) * shapes.JITTER
    largest = torch.full((4,), 1 + shapes.STRETCH, dtype=torch.float64)
    for shape in shapes.SHAPES:
        for place in shapes.PLACES:
            covered = shapes.coverage(shape, "large", place, corners, largest)
            edge = torch.cat([covered[:, 0], covered[:, -1], covered[:, :, 0], covered[:, :, -1]], dim=1)
            assert edge.max() < 1, (shape, place)


def test_pairs_are_held_out_of_training_and_each_word_is_not(known):
    said = [shapes.meaning(caption) for caption in known.captions]
    assert not any((m["colour"], m["shape"]) in shapes.HELD_OUT for m in said)
    assert not any((m["shape"], m["place"]) in shapes.HELD_OUT for m in said)
    for kind, table in zip(shapes.KINDS, shapes.TABLES, strict=True):
        assert {m[kind] for m in said if kind in m} == set(table)
    unseen = [shapes.meaning(caption) for caption in data.load("shapes", "test").captions]
    assert all(
        (m["colour"], m["shape"]) in shapes.HELD_OUT or (m["shape"], m["place"]) in shapes.HELD_OUT for m in unseen
    )


def test_every_caption_means_its_scene():
    generator = seeded(1)
    for scene in shapes.SCENES[::7]:
        for _ in range(8):
            said = shapes.meaning(shapes.caption(scene, generator))
            true = dict(zip(shapes.KINDS, astuple(scene), strict=True))
            assert said == {kind: true[kind] for kind in said} and set(shapes.KINDS[:4]) <= set(said)


def test_captions_are_sentences():
    generator = seeded(2)
    said = {shapes.caption(shapes.SCENES[-1], generator) for _ in range(300)}
    assert len(said) > 50 and "an orange cross that is" in " ".join(said) and "a orange" not in " ".join(said)
    assert max(len(conditioning.tokenize(caption)) for caption in said) <= conditioning.MAX_WORDS


def test_the_data_are_those_that_the_recipe_was_made_with(known):
    recipe = RECIPES["shapes"]
    assert known.pixels_sha256 == recipe.pixels_sha256 and tuple(known.images.shape) == recipe.images
    assert conditioning.vocabulary(known.captions) == list(recipe.words)


def test_other_splits_are_other_pictures_and_a_strange_one_is_refused():
    validation = data.load("shapes", "val", size=16)
    assert validation.images.shape == (2000, 3, 16, 16) and len(validation.captions) == 2000
    with pytest.raises(
        FileNotFoundError, match="need one of the splits train, validation, test of the shapes, but got"
    ):
        data.load("shapes", "extra")
