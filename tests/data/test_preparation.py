"""One size and one colour mode for pictures that come in several, and what is said where none was asked for."""

import numpy as np
import pytest
import torch
from PIL import Image

from ddpm_core.data import Preparation, at_size, in_colour, load


def pixels(picture):
    return np.asarray(picture)


# ---- colour ----------------------------------------------------------------------------------------------------


def test_transparent_pixels_become_white_where_there_is_no_alpha():
    half = Image.fromarray(np.array([[[200, 100, 0, 255], [200, 100, 0, 0], [0, 0, 0, 127]]], np.uint8))
    assert pixels(in_colour(half, "rgb")).tolist() == [[[200, 100, 0], [255, 255, 255], [128, 128, 128]]]
    assert pixels(in_colour(half, "grey")).tolist() == [[round(0.299 * 200 + 0.587 * 100), 255, 128]]


def test_with_alpha_what_nobody_sees_is_one_thing_and_what_has_none_is_opaque(noise):
    hidden = Image.fromarray(np.array([[[9, 9, 9, 0], [9, 9, 9, 1]]], np.uint8))
    assert pixels(in_colour(hidden, "rgba")).tolist() == [[[0, 0, 0, 0], [9, 9, 9, 1]]]
    colours, grey = noise(c=3), noise(c=1)
    assert np.array_equal(
        pixels(in_colour(Image.fromarray(colours), "rgba")), np.dstack([colours, np.full((6, 6), 255)])
    )
    assert np.array_equal(pixels(in_colour(Image.fromarray(grey), "rgba"))[..., 0], grey)


def test_a_picture_of_the_colour_wanted_is_as_it_was(noise):
    for colour, channels in (("grey", 1), ("rgb", 3)):
        picture = Image.fromarray(noise(c=channels))
        assert np.array_equal(pixels(in_colour(picture, colour)), pixels(picture))
    with pytest.raises(ValueError, match="need one of the colours grey, rgb, rgba, but got 'sepia'"):
        in_colour(picture, "sepia")


# ---- size ------------------------------------------------------------------------------------------------------


def test_the_middle_of_the_shorter_side_is_kept():
    """Three fields side by side: of a wide picture the middle one is left, of a tall one too."""
    wide = np.repeat(np.array([[10, 120, 250]], np.uint8), 40, axis=0).repeat(40, axis=1)  # 40 x 120
    for picture in (wide, wide.T):
        small = pixels(at_size(Image.fromarray(picture), 20))
        assert small.shape == (20, 20) and (small[2:-2, 2:-2] == 120).all()


def test_resizing_is_antialiased():
    """A fine chequerboard becomes grey, not a coarse one."""
    board = (255 * (np.indices((64, 64)).sum(0) % 2)).astype(np.uint8)
    small = pixels(at_size(Image.fromarray(board), 16)).astype(int)
    assert abs(small[4:-4, 4:-4] - 127.5).max() < 3


def test_a_picture_of_the_size_wanted_is_as_it_was_and_a_small_one_grows(noise):
    picture = Image.fromarray(noise(8, 8))
    assert np.array_equal(pixels(at_size(picture, 8)), pixels(picture))
    cut = noise(8, 11)
    assert np.array_equal(pixels(at_size(Image.fromarray(cut), 8)), cut[:, 1:9])
    assert at_size(picture, 32).size == (32, 32)
    with pytest.raises(ValueError, match="need size from 1 to 65536, but got 0"):
        at_size(picture, 0)


@pytest.mark.parametrize("size", [(3, 500), (500, 3), (1, 1), (7, 8), (33, 32)])
def test_every_shape_becomes_the_square(size):
    assert at_size(Image.new("RGB", size), 32).size == (32, 32)


def test_invisible_colours_do_not_bleed_into_what_is_seen():
    icon = np.zeros((32, 32, 4), np.uint8)
    icon[...] = 255, 0, 255, 0
    icon[:, 16:] = 0, 255, 0, 255
    small = pixels(at_size(Image.fromarray(icon), 8)).astype(int)
    assert (small[..., 0] <= 1).all() and (small[..., 1][small[..., 3] > 10] >= 250).all()  # green, never magenta


# ---- a folder of all sorts -------------------------------------------------------------------------------------


@pytest.fixture
def mixed(save, noise, tmp_path):
    """Photographs and icons: five sizes, and grey, colour and alpha, one of them in a palette."""
    for k, (h, w, c) in enumerate([(20, 30, 3), (30, 20, 3), (16, 16, 1), (40, 17, 4), (16, 64, 3)]):
        save(f"{k}.png", noise(h, w, c))
    save("5.gif", Image.fromarray(noise(20, 30, 3)).quantize(16), transparency=3)
    return tmp_path


@pytest.mark.parametrize(("colour", "channels"), [("grey", 1), ("rgb", 3), ("rgba", 4)])
def test_all_sorts_become_one_data_set(mixed, colour, channels):
    found = load(mixed, size=16, colour=colour)
    assert found.images.shape == (6, channels, 16, 16) and found.prepared == Preparation(16, colour)
    first = in_colour(Image.open(mixed / "0.png"), colour)
    wanted = pixels(at_size(first, 16)).reshape(16, 16, channels).transpose(2, 0, 1)
    assert np.array_equal(found.images[0].numpy(), wanted)
    assert found.sha256 == load(mixed, size=8, colour="rgb").sha256  # of the files
    assert found.pixels_sha256 != load(mixed, size=8, colour=colour).pixels_sha256


def test_without_the_options_all_sorts_are_refused_with_one_of_each_and_what_takes_them(mixed):
    with pytest.raises(ValueError) as caught:
        load(mixed)
    said = str(caught.value)
    assert said.startswith("need images of one size and colour, but") and "\n" not in said
    assert f"2 of 20x30 ({mixed / '0.png'})" in said and f"1 of 30x20 ({mixed / '1.png'})" in said
    assert f"3 of rgb ({mixed / '0.png'})" in said and f"1 of grey ({mixed / '2.png'})" in said
    assert f"2 of rgba ({mixed / '3.png'})" in said
    assert said.endswith("--size 16 --colour rgb takes them all (in Python size=16, colour='rgb').")
    assert load(mixed, size=16, colour="rgb").images.shape == (6, 3, 16, 16)  # and so it does


def test_only_what_differs_is_named(save, noise, tmp_path):
    for k in range(20):
        save(f"{k:02}.png", noise(9, 9))
    save("13.png", noise(9, 9, 1))
    with pytest.raises(
        ValueError, match=r"19 of rgb \(.*00.png\), 1 of grey \(.*13.png\); --colour rgb takes them all"
    ):
        load(tmp_path)
    with pytest.raises(ValueError, match=r"19 of 9x9 .*, 1 of 10x9 \(.*13.png\); --size 8 takes them all"):
        save("13.png", noise(10, 9))
        load(tmp_path)
    with pytest.raises(ValueError, match="--size 8 --colour rgb takes them all"):
        load(tmp_path, colour="rgb")


def test_of_very_many_sizes_some_are_named(save, noise, tmp_path):
    for k in range(20):
        save(f"{k:02}.png", noise(70 + k, 100))
    with pytest.raises(ValueError, match="15 of 15 other sizes; --size 64 takes them all"):
        load(tmp_path)


def test_icons_keep_their_transparency_in_what_is_recommended(save, noise, tmp_path):
    for k, channels in enumerate((4, 4, 3)):
        save(f"{k}.png", noise(c=channels))
    with pytest.raises(ValueError, match="--colour rgba takes them all"):
        load(tmp_path)


def test_arrays_and_digits_are_prepared_too(noise, tmp_path):
    np.savez(tmp_path / "a.npz", images=np.stack([noise(9, 12), noise(9, 12)]))
    assert load(tmp_path / "a.npz", size=8, colour="grey").images.shape == (2, 1, 8, 8)
    digits = load("digits", size=16, colour="rgb")
    assert digits.images.shape == (1797, 3, 16, 16) and digits.sha256 == load("digits").sha256
    assert torch.equal(load("digits", size=8).images, load("digits").images)
