"""The same picture gives the same pixels, however it is stored; what does not decode is named in a sentence."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from ddpm_core.data import decoding, load


def encoded(picture, kind="png", **how):
    stream = io.BytesIO()
    (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(stream, kind, **how)
    return stream.getvalue()


def decoded(raw):
    picture = decoding.decode(raw, "it")
    assert (picture.height, picture.width, picture.mode) == decoding.shape(raw, "it")  # which reads the beginning alone
    return np.asarray(picture)


@pytest.fixture
def icon():
    """A red square on nothing: RGBA, with magenta where nobody looks."""
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[...] = 255, 0, 255, 0
    pixels[2:6, 2:6] = 255, 0, 0, 255
    return pixels


def test_transparency_is_kept_in_a_palette_and_in_a_colour_key(icon):
    palette = Image.new("P", (8, 8))
    palette.putpalette([255, 0, 255, 255, 0, 0] + [0] * 762)
    palette.putdata((icon[..., 3] > 0).astype(int).ravel().tolist())
    ways = {
        "alpha": encoded(icon),
        "palette": encoded(palette, transparency=0),
        "palette with alpha": encoded(palette, transparency=bytes([0, 255])),
        "gif": encoded(palette, "gif", transparency=0),
        "colour key": encoded(np.ascontiguousarray(icon[..., :3]), transparency=(255, 0, 255)),
        "webp": encoded(icon, "webp", lossless=True, exact=True),
        "tiff": encoded(icon, "tiff"),
    }
    for way, raw in ways.items():
        assert np.array_equal(decoded(raw), icon), way


def test_grey_keeps_its_transparency(noise):
    grey, alpha = noise(c=1), noise(c=1)
    wanted = np.dstack([grey] * 3 + [alpha])
    assert np.array_equal(decoded(encoded(np.dstack([grey, alpha]))), wanted)
    grey[0, 0] = 7
    keyed = decoded(encoded(grey, transparency=7))
    assert np.array_equal(keyed[..., 0], grey) and np.array_equal(keyed[..., 3] > 0, grey != 7)
    white_on_nothing = decoded(encoded(np.dstack([np.full((6, 6), 255), 255 * np.eye(6)]).astype(np.uint8)))
    assert len(np.unique(white_on_nothing)) == 2  # an icon is not one blank square


def test_grey_is_one_channel_at_any_depth(noise):
    grey = noise(c=1)
    for name, picture, kind in (
        ("8 bits", Image.fromarray(grey), "png"),
        ("16 bits", Image.fromarray(grey.astype(np.uint16) * 257), "png"),
        ("16 bits, rounded down", Image.fromarray(grey.astype(np.uint16) * 256 + 17), "png"),
        ("16 bits in TIFF", Image.fromarray(grey.astype(np.uint16) * 257), "tiff"),
        ("32 bits, of which 16 are used", Image.fromarray(grey.astype(np.int32) * 257), "tiff"),
        ("32 bits, of which 8 are used", Image.fromarray(grey.astype(np.int32)), "tiff"),
        ("floats", Image.fromarray(grey.astype(np.float32)), "tiff"),
        ("floats up to 1", Image.fromarray((grey / 255).astype(np.float32)), "tiff"),
        ("1 bit", Image.fromarray(grey > 127), "png"),
    ):
        wanted = 255 * (grey > 127).astype(np.uint8) if name == "1 bit" else grey
        assert np.array_equal(decoded(encoded(picture, kind)), wanted), name


def test_colours_are_three_channels(noise):
    colours = noise(c=3)
    palette = Image.fromarray(colours).quantize(8)
    for picture, kind, wanted in (
        (Image.fromarray(colours), "png", colours),
        (palette, "png", np.asarray(palette.convert("RGB"))),
        (palette, "gif", np.asarray(palette.convert("RGB"))),
        (Image.fromarray(colours).convert("CMYK"), "tiff", colours),
        (Image.fromarray(colours), "ppm", colours),
    ):
        assert np.array_equal(decoded(encoded(picture, kind)), wanted), (picture.mode, kind)


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp", "tiff"])
def test_a_picture_taken_sideways_stands_upright(kind):
    """Orientation 6: what was up lies to the right of what is stored."""
    sideways, held = Image.fromarray(np.repeat([[0, 0, 255, 255]] * 8, 4, axis=1).astype(np.uint8)), Image.Exif()
    held[0x0112] = 6
    found = decoded(encoded(sideways, kind, exif=held))
    assert found.shape[:2] == (16, 8) and (found[:8] < 50).all() and (found[8:] > 200).all()


@pytest.mark.parametrize("kind", ["gif", "webp", "png", "tiff"])
def test_of_an_animation_the_first_picture_is_taken(kind):
    first, second = (Image.fromarray(np.full((4, 6, 3), value, np.uint8)) for value in (10, 200))
    how = {"lossless": True} if kind == "webp" else {}
    assert (decoded(encoded(first, kind, save_all=True, append_images=[second], **how)) == 10).all()


def test_a_broken_note_beside_a_sound_picture_does_not_matter(noise):
    assert decoded(encoded(noise(), "jpeg", exif=b"Exif\0\0II*\0nonsense")).shape == (6, 6, 3)


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "it is empty"),
        (None, "it is empty"),
        (b"<html>not found</html>", "it holds no picture that Pillow knows"),
        (encoded(np.zeros((64, 64, 3), np.uint8))[:60], "it does not"),
        (encoded(Image.fromarray(np.full((4, 4), -3.0, np.float32)), "tiff"), r"values lie in -3\.\.-3"),
        (encoded(Image.fromarray(np.full((4, 4), 2**30, np.int32)), "tiff"), "its values lie in"),
    ],
)
def test_what_does_not_decode_is_one_sentence_that_names_it(raw, why):
    with pytest.raises(ValueError, match=why) as caught:
        decoding.decode(raw, "it")
    said = str(caught.value)
    assert "\n" not in said and "object at 0x" not in said and said.startswith("need images")


@pytest.mark.parametrize("limit", [10, 20])
def test_a_picture_too_large_to_be_one_is_refused(limit, monkeypatch, noise):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)  # Pillow warns above it, and refuses above twice as much
    with pytest.raises(ValueError, match="need images of at most 0 million pixels, but it has more"):
        decoding.decode(encoded(noise()), "it")


def test_pictures_with_and_without_a_palette_go_together(save, tmp_path, icon):
    save("a.png", icon)
    save("b.gif", Image.fromarray(icon[..., :3]).quantize(2), transparency=0)
    assert load(tmp_path).images.shape == (2, 4, 8, 8) and load(tmp_path).images.dtype == torch.uint8
