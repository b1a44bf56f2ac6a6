"""Decoded once: a later start opens no picture, never sees what is no longer there, and can do without the cache."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from ddpm_core import data
from ddpm_core.data import decoding, listing, load, pixel_cache
from ddpm_core.schedule import cosine
from ddpm_core.storage.files import cache


@pytest.fixture
def keeping(monkeypatch):
    """Everything is kept, also what was written a moment ago."""
    monkeypatch.setattr(pixel_cache, "SMALL", 0)
    monkeypatch.setattr(listing, "TICK", -1e9)


@pytest.fixture
def pets(save, tmp_path):
    for kind in ("cat", "dog"):
        for k in range(3):
            save(f"pets/{kind}/{k}.png")
    (tmp_path / "pets" / "metadata.jsonl").write_text('{"file_name": "cat/0.png", "text": "Fr\u00e9chet"}', "utf-8")
    return tmp_path / "pets"


def opened(monkeypatch):
    """The pictures that are decoded from now on."""
    plain, found = decoding.decode, []
    monkeypatch.setattr(decoding, "decode", lambda raw, where: found.append(Path(where).name) or plain(raw, where))
    return found


def same(a, b):
    keys = ("captions", "names", "source", "sha256", "pixels_sha256", "prepared")
    return (
        torch.equal(a.images, b.images) and torch.equal(a.labels, b.labels)
        and all(getattr(a, key) == getattr(b, key) for key in keys) and a.inventory.left_out == b.inventory.left_out
    )  # fmt: skip


def kept(kind="pixels"):
    return sorted(cache().glob(f"{kind}-*"))


def test_a_second_start_opens_no_picture_and_finds_the_same(pets, monkeypatch):
    plain = load(pets)  # small: in memory, and nothing is kept
    assert kept() == kept("listing") == []
    monkeypatch.setattr(pixel_cache, "SMALL", 0)
    monkeypatch.setattr(listing, "TICK", -1e9)
    first = load(pets)
    assert same(first, plain) and "so that the next start is quick" in first.inventory.notes[-1]
    looks = opened(monkeypatch)
    monkeypatch.setattr(pixel_cache, "file_sha256", lambda *files: pytest.fail("read the files"))
    second = load(pets)
    assert same(second, plain) and looks == [] and second.inventory.notes == plain.inventory.notes
    assert len(kept()) == len(kept("listing")) == 1
    assert np.array_equal(np.load(kept()[0]), plain.images.numpy())  # a file that others can read


def test_a_large_set_is_kept_by_itself(save, noise, tmp_path, monkeypatch):
    monkeypatch.setattr(pixel_cache, "SMALL", 6 * 6 * 3 * 4)
    for k in range(3):
        save(f"{k}.bmp", noise())
    monkeypatch.setattr(listing.Listing, "total_bytes", lambda self: 0)
    assert load(tmp_path).inventory.notes == ()
    save("3.bmp", noise())
    assert "kept in" in load(tmp_path).inventory.notes[0]
    monkeypatch.setattr(listing.Listing, "total_bytes", lambda self: 6 * 6 * 3 * 4)  # photographs, to be made small
    assert "kept in" in load(tmp_path, size=1).inventory.notes[0]


CHANGES = {
    "another picture of the same size in bytes": lambda pets, save: swapped(pets),
    "the same, with the old time": lambda pets, save: swapped(pets, with_time=True),
    "one more": lambda pets, save: save("pets/cat/9.png"),
    "one less": lambda pets, save: (pets / "cat" / "2.png").unlink(),
    "a class by another name": lambda pets, save: (pets / "cat").rename(pets / "lion"),
    "moved to another class": lambda pets, save: (pets / "cat" / "2.png").rename(pets / "dog" / "9.png"),
    "another caption": lambda pets, save: (pets / "metadata.jsonl").write_text("{\"file_name\": \"cat/0.png\"}"),
    "something to leave out": lambda pets, save: (pets / "film.mp4").write_bytes(b"?"),
}  # fmt: skip


def swapped(pets, with_time=False):
    """Two files are changed in place: their sizes, and if so wanted their times, are as before."""
    a, b = pets / "cat" / "0.png", pets / "dog" / "0.png"
    size = max(a.stat().st_size, b.stat().st_size)
    one, other = (path.read_bytes().ljust(size, b"\0") for path in (a, b))  # what follows a PNG's end is ignored
    for path in (a, b):
        path.write_bytes(path.read_bytes().ljust(size, b"\0"))
    load(pets)
    for path, raw in ((a, other), (b, one)):
        times = path.stat()
        path.write_bytes(raw)
        if with_time:
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_has_changed_is_never_served_as_it_was(keeping, pets, save, change, monkeypatch):
    before = load(pets)
    change(pets, save)
    after = load(pets)
    assert not same(after, before)
    monkeypatch.setattr(pixel_cache, "SMALL", 1 << 30)
    monkeypatch.setattr(pixel_cache, "_kept", lambda *what: None)
    assert same(after, load(pets))
    assert len(kept()) == len(kept("listing")) == 1  # what is no longer there is not kept either


def test_files_that_were_only_touched_are_not_decoded_again(keeping, pets, monkeypatch):
    before = load(pets)
    for path in pets.rglob("*.png"):
        path.touch()
    looks = opened(monkeypatch)
    assert same(load(pets), before) and looks == ["0.png"]  # one, for the shape
    shutil.copytree(pets, pets.parent / "copy")
    assert torch.equal(load(pets.parent / "copy").images, before.images) and len(looks) == 2 and len(kept()) == 1


def test_what_is_done_to_the_pixels_is_part_of_the_key(keeping, pets):
    wanted = {
        (size, colour): load(pets, size=size, colour=colour).images for size in (None, 4) for colour in (None, "grey")
    }
    for (size, colour), images in wanted.items():
        assert torch.equal(load(pets, size=size, colour=colour).images, images)
    assert len(kept()) == 4
    before = [path.name for path in kept()]
    pixel_cache_rules, pixel_cache.RULES = pixel_cache.RULES, pixel_cache.RULES + 1
    try:
        load(pets)  # as another version of the decoder would
    finally:
        pixel_cache.RULES = pixel_cache_rules
    assert len(kept()) == 4 and [path.name for path in kept()] != before


def test_files_written_a_moment_ago_are_read_again(pets, monkeypatch):
    """Within the tick of a file system's clock a change leaves no trace in the times."""
    monkeypatch.setattr(pixel_cache, "SMALL", 0)
    load(pets)
    assert len(kept()) == 1 and kept("listing") == []


@pytest.mark.parametrize("damage", ["cut", "gone", "another shape", "no json", "empty json"])
def test_a_damaged_cache_is_made_anew(keeping, pets, damage):
    before = load(pets)
    (pixels,), (about,) = kept(), kept("listing")
    whole = pixels.read_bytes()
    if damage.endswith("json"):
        about.write_text("{half" if damage == "no json" else "{}")
    else:
        pixels.unlink()  # which `before` is still mapped from
    if damage == "cut":
        pixels.write_bytes(whole[:-1])
    elif damage == "another shape":
        np.save(pixels, np.zeros((1, 2), np.uint8))
    assert same(load(pets), before) and same(load(pets), before)


def test_without_a_place_to_write_the_pixels_stay_in_memory_and_that_is_said(keeping, pets, tmp_path, monkeypatch):
    (tmp_path / "taken").write_text("a file")
    monkeypatch.setenv("DDPM_CORE_CACHE", str(tmp_path / "taken"))
    found = load(pets)
    assert "in memory, since the cache does not take them: " in found.inventory.notes[-1]
    monkeypatch.setenv("DDPM_CORE_CACHE", str(tmp_path / "free"))
    assert same(load(pets), found)


def test_a_full_disk_leaves_nothing_behind(keeping, pets, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as while_full:
        while_full.setattr(os, "fsync", full)
        found = load(pets)
    assert "No space left on device" in found.inventory.notes[-1] and list(cache().iterdir()) == []
    usage = shutil.disk_usage(cache())
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=10))
    assert "has 0.00 GB left" in load(pets).inventory.notes[-1] and kept() == []


def test_a_picture_that_does_not_decode_or_fit_leaves_nothing_behind(keeping, pets, save, noise):
    for wrong in (lambda: (pets / "dog" / "2.png").write_bytes(b"?"), lambda: save("pets/dog/2.png", noise(7, 7))):
        wrong()
        with pytest.raises(ValueError, match="need images"):
            load(pets)
        assert not cache().exists() or list(cache().iterdir()) == []


def test_files_that_change_while_they_are_read_are_refused(keeping, pets, monkeypatch):
    plain = decoding.decode

    def meddling(raw, where):
        if where.endswith("dog/2.png"):
            (pets / "cat" / "0.png").write_bytes(raw)
        return plain(raw, where)

    monkeypatch.setattr(decoding, "decode", meddling)
    with pytest.raises(ValueError, match=r"need files that stay as they are while they are read, but .*cat/0\.png"):
        load(pets)
    assert kept() == []


def test_what_is_done_to_the_images_does_not_reach_the_file(keeping, pets):
    first = load(pets)
    whole = first.images.clone()
    first.images.zero_()
    assert torch.equal(load(pets).images, whole)


def test_parts_of_a_kept_set_know_the_hash_of_their_own_pixels(keeping, pets, monkeypatch):
    load(pets)
    found = load(pets)
    cats = found.of_class("cat")
    monkeypatch.setattr(pixel_cache, "SMALL", 1 << 30)
    assert cats.pixels_sha256 != found.pixels_sha256
    assert cats.pixels_sha256 == load(pets / "cat").pixels_sha256


def test_batches_of_mapped_rows_are_those_from_memory(keeping, pets):
    plain, mapped = load(pets).images.clone(), load(pets).images
    for how in ({}, {"flips": True}, {"size": (8, 10)}):
        for step in (0, 5):
            a, b = (data.batches(x, cosine(20), batch=4, seed=3, **how)(step) for x in (plain, mapped))
            assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def test_a_batch_is_padded_as_the_whole_set_was():
    images = torch.randint(0, 256, (9, 1, 6, 5), dtype=torch.uint8)
    size = data.multiple_size(images, 4)
    assert size == (8, 8) and data.pad_to_multiple(images, 4).shape[2:] == size
    whole = data.batches(data.pad_to_multiple(images, 4), cosine(20), batch=4, seed=1, flips=True)
    each = data.batches(images, cosine(20), batch=4, seed=1, flips=True, size=size)
    assert all(torch.equal(a, b) for a, b in zip(whole(2), each(2), strict=True))
    assert data.pad_to(images, 6, 5) is images
