"""The exact reader: right about real pictures, and told by nothing but distance."""

import pytest
import torch

from ddpm_core import data, sampler
from ddpm_core.data import shapes
from ddpm_core.diffusion import timesteps
from ddpm_core.evaluation import shape_reader
from ddpm_core.schedule import cosine

REAL = shapes.dataset("validation", 400)


@pytest.fixture(scope="module")
def readings():
    return shape_reader.nearest(REAL.images)


def test_real_pictures_are_read_as_their_captions_say(readings):
    right = [shape_reader.right(*both) for both in zip(readings, REAL.captions, strict=True)]
    assert sum(all(each.values()) for each in right) >= 0.99 * len(right)
    assert all(set(shapes.KINDS[:4]) <= set(each) for each in right)


def test_a_template_lies_on_itself():
    still = torch.zeros(1, 2, dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    for scene in shapes.SCENES[::97]:
        (found,) = shape_reader.nearest(shapes.painted(scene, *still))
        assert found.scene == scene and found.residual < 0.5  # rounding to whole levels


def test_the_residual_is_the_distance_to_the_nearest_template(readings):
    found = readings[0]
    kind = found.scene.shape, found.scene.size, found.scene.place
    covered = [
        shapes.coverage(*kind, torch.tensor([[x, y]]), torch.tensor([s]))
        for x in shape_reader.SHIFTS for y in shape_reader.SHIFTS for s in shape_reader.STRETCHES
    ]  # fmt: skip
    colour, ground = (
        shapes.rgb(shapes.COLOURS[found.scene.colour]),
        shapes.rgb(shapes.BACKGROUNDS[found.scene.background]),
    )
    templates = ground + torch.cat(covered)[:, None] * (colour - ground)
    distances = (REAL.images[0] - templates).square().mean((1, 2, 3)).sqrt()
    assert found.residual == pytest.approx(distances.min().item(), rel=1e-3)


def test_real_pictures_are_clean_and_ragged_ones_are_not(readings):
    assert sum(map(shape_reader.is_clean, readings)) >= 0.97 * len(readings)
    noise = 12 * torch.randn(REAL.images.shape, generator=torch.Generator().manual_seed(0))
    ragged = shape_reader.nearest((REAL.images + noise).round().clamp(0, 255).to(torch.uint8))
    assert sum(map(shape_reader.is_clean, ragged)) < 0.1 * len(ragged)
    assert sum(a.scene == b.scene for a, b in zip(ragged, readings, strict=True)) > 0.95 * len(ragged)


def test_a_wrong_picture_is_told_what_is_wrong(readings):
    scene = readings[0].scene
    lie = f"a {scene.size} {scene.colour} {'ring' if scene.shape != 'ring' else 'circle'}"
    assert shape_reader.right(readings[0], lie) == {"size": True, "colour": True, "shape": False}


@pytest.mark.parametrize("images", [torch.zeros(2, 3, 16, 16, dtype=torch.uint8), torch.zeros(2, 3, 32, 32)])
def test_other_pictures_are_refused(images):
    with pytest.raises(ValueError, match=r"need images as uint8 pictures \(N, 3, 32, 32\), but got torch"):
        shape_reader.nearest(images)


# ---- the perfect denoiser --------------------------------------------------------------------------------------

SCHEDULE = cosine(1000)


def test_the_perfect_guess_is_a_mean_of_templates():
    caption = "a small red ring on the left on a white background"
    moves = [(x, y, s) for x in shape_reader.SHIFTS for y in shape_reader.SHIFTS for s in shape_reader.STRETCHES]
    shift, stretch = torch.tensor(moves, dtype=torch.float64).split((2, 1), dim=1)
    covered = shapes.coverage("ring", "small", "left", shift, stretch[:, 0])[:, None]
    red, white = (shapes.rgb(levels) / 127.5 - 1 for levels in (shapes.COLOURS["red"], shapes.BACKGROUNDS["white"]))
    templates = white + covered * (red - white)
    for t in (30, 400, 900):
        kept = SCHEDULE.alpha_bar[t]
        x_t = kept.sqrt() * templates[:2] + (1 - kept).sqrt() * torch.randn(2, 3, 32, 32, dtype=torch.float64)
        far = (x_t[:, None] - kept.sqrt() * templates).square().sum((2, 3, 4))
        wanted = torch.einsum("bn,nchw->bchw", (-far / (2 * (1 - kept))).softmax(1), templates)
        got = shape_reader.perfect(SCHEDULE, [caption] * 2)(x_t.float(), torch.full((2,), t))
        torch.testing.assert_close(got.double(), wanted, atol=2e-3, rtol=0)


def test_it_draws_what_the_captions_say_and_nothing_that_is_not_there():
    captions = ["a huge blue cross at the top", "a green disc", "", "a large red triangle at the bottom on grey"]
    x_T = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(5))
    steps = sampler.ddim(shape_reader.perfect(SCHEDULE, captions), SCHEDULE, x_T, timesteps.uniform(SCHEDULE, 10))
    readings = shape_reader.nearest(data.to_uint8(sampler.final(steps)))
    assert all(all(shape_reader.right(*both).values()) for both in zip(readings, captions, strict=True))
    assert all(map(shape_reader.is_clean, readings))


def test_of_the_scenes_of_training_it_has_no_answer_to_a_pair_that_was_held_out():
    known = [scene for scene in shapes.SCENES if not scene.held_out]
    with pytest.raises(ValueError, match="need a caption that one of these 750 scenes fits, but none fits 'a red tri"):
        shape_reader.perfect(SCHEDULE, ["a red triangle"], known)
