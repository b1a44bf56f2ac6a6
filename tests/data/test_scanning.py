"""Folders as people have them: what is a split, what a class, what a picture, and what is passed over and counted."""

import os
import unicodedata

import pytest

from ddpm_core.cli import sample
from ddpm_core.data import load, scanning
from ddpm_core.storage.hub import Absent


def filled(save, **folders):
    """So many pictures in each of these folders."""
    for folder, n in folders.items():
        for k in range(n):
            save(f"{folder}/{k}.png".lstrip("/"))


# ---- splits ----------------------------------------------------------------------------------------------------

LAYOUTS = {
    "flat": ("train", "test", None),
    "training and testing": ("training", "testing", None),
    "capitals": ("TRAIN", "Test", None),
    "numbered": ("train2017", "test2017", None),
    "sets": ("training_set", "test_set", None),
    "images": ("images/train", "images/test", None),
    "one word apart": ("pets_train", "pets_test", None),
    "unpacked": ("archive/mnist_png/training", "archive/mnist_png/testing", None),
    "said twice": ("seg_train/seg_train", "seg_test/seg_test", None),
}


@pytest.mark.parametrize(("train", "test", "_"), LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("by_class", [False, True])
def test_split_folders_are_splits_and_no_classes(save, tmp_path, train, test, _, by_class):
    kinds = ("cat", "dog") if by_class else ("",)
    for kind in kinds:
        filled(save, **{f"{train}/{kind}": 3, f"{test}/{kind}": 2})
    found, held = load(tmp_path), load(tmp_path, "test")
    assert (len(found), len(held)) == (3 * len(kinds), 2 * len(kinds))
    assert found.names == held.names == (["cat", "dog"] if by_class else None)
    assert found.inventory.left_out == {"of the split test": 2 * len(kinds)}


def test_a_validation_split_goes_by_many_names(save, tmp_path):
    for name in ("val", "valid", "validation", "dev"):
        filled(save, **{f"{name}-set/train": 2, f"{name}-set/{name}": 1})
        assert len(load(tmp_path / f"{name}-set")) == 2
        assert len(load(tmp_path / f"{name}-set", "validation")) == len(load(tmp_path / f"{name}-set", "val")) == 1


def test_splits_may_lie_below_the_classes(save, tmp_path):
    filled(save, **{"cat/train": 2, "dog/train": 1, "cat/test": 1, "dog/test": 3})
    assert load(tmp_path).labels.tolist() == [0, 0, 1] and load(tmp_path, "test").labels.tolist() == [0, 1, 1, 1]


def test_classes_beside_a_test_folder_are_the_training_split(save, tmp_path):
    filled(save, apple=2, pear=2, test=3)
    found = load(tmp_path)
    assert found.names == ["apple", "pear"] and len(found) == 4
    assert len(load(tmp_path, "test")) == 3 and load(tmp_path, "test").labels is None


def test_pairs_of_folders_keep_what_tells_them_apart(save, tmp_path):
    filled(save, trainA=2, trainB=1, testA=1, testB=1)
    assert load(tmp_path).names == ["A", "B"] and load(tmp_path).labels.tolist() == [0, 0, 1]


def test_a_class_that_only_sounds_like_a_split_is_a_class(save, tmp_path):
    filled(save, test_tubes=2, flasks=1)
    assert load(tmp_path).names == ["flasks", "test_tubes"]
    filled(save, **{"shop/train/training_shoes": 2, "shop/train/boots": 1})
    assert load(tmp_path / "shop").names == ["boots", "training_shoes"]


@pytest.mark.parametrize("there", [["train"], ["cat", "dog"], [""]])
def test_a_split_that_is_not_there_is_absent_and_never_all_there_is(save, tmp_path, there):
    filled(save, **{folder: 2 for folder in there})
    for split in ("test", "validation"):
        with pytest.raises(Absent, match=f"but got '{split}'"):
            load(tmp_path, split)


def test_a_test_split_alone_is_not_trained_on(save, tmp_path):
    filled(save, test=2)
    with pytest.raises(Absent, match=r"has \(test\), but got 'train'"):
        load(tmp_path)


def test_what_lies_outside_of_the_splits_is_left_out_and_counted(save, tmp_path):
    filled(save, train=3)
    save("preview.png")
    found = load(tmp_path)
    assert len(found) == 3 and found.inventory.left_out == {"outside of the splits": 1}


# ---- classes ---------------------------------------------------------------------------------------------------


def test_a_class_is_the_whole_path_of_its_folder(save, tmp_path):
    filled(save, **{"hats/red": 1, "boots/red": 2, "hats": 1})
    found = load(tmp_path)
    assert found.names == ["boots/red", "hats", "hats/red"] and found.labels.tolist() == [0, 0, 1, 2]
    assert len(found.of_class("hats")) == 2 and len(found.of_class("hats/red")) == 1  # a folder means those below it


def test_a_folder_around_all_of_them_is_no_class(save, tmp_path):
    filled(save, **{"archive/pets/cat": 1, "archive/pets/dog": 1})
    assert load(tmp_path).names == ["cat", "dog"]
    filled(save, **{"other/photos": 2})
    assert load(tmp_path / "other").labels is None


def test_splits_agree_on_the_number_of_a_class(save, tmp_path):
    filled(save, **{"train/cat": 1, "train/dog": 1, "test/dog": 2})
    assert load(tmp_path, "test").labels.tolist() == [1, 1] and load(tmp_path, "test").names == ["cat", "dog"]


def test_pictures_beside_the_class_folders_are_said_to_leave_no_classes(save, tmp_path):
    filled(save, cat=2, dog=2)
    save("cover.png")
    found = load(tmp_path)
    assert len(found) == 5 and found.labels is None
    assert found.inventory.notes == ("no classes, since 1 lie beside the folders of the others (cover.png)",)


def test_a_name_from_a_mac_is_found_as_it_is_typed(save, tmp_path):
    decomposed = unicodedata.normalize("NFD", "café")
    filled(save, **{decomposed: 2, "bar": 1})
    assert len(load(tmp_path).of_class("café")) == len(load(tmp_path).of_class(decomposed)) == 2


def test_pictures_come_in_the_order_of_their_paths(save, tmp_path):
    names = ["a b/1.png", "a/1.png", "a/10.png", "a/2.png", "a.b/1.png"]
    for name in names:
        save(name)
    wanted = [p.relative_to(tmp_path).as_posix() for p in sorted(tmp_path.rglob("*.png"))]
    assert [file.name for file in scanning.scan(tmp_path).files] == wanted


# ---- what is passed over ---------------------------------------------------------------------------------------

JUNK = [
    "._1.png", "__MACOSX/pets/1.png", ".ipynb_checkpoints/1-checkpoint.png", ".thumbnails/1.png", "thumbnails/1.png",
    "@eaDir/1.png", ".git/1.png", "$RECYCLE.BIN/1.png",
]  # fmt: skip


@pytest.mark.parametrize("junk", JUNK)
def test_what_systems_and_editors_leave_is_passed_over_and_counted(save, tmp_path, junk):
    save("1.png")
    save(junk)
    (tmp_path / "Thumbs.db").write_bytes(b"small")
    (tmp_path / ".DS_Store").write_bytes(b"hidden")
    found = load(tmp_path)
    assert len(found) == 1 and sum(found.inventory.left_out.values()) == 3
    assert found.inventory.left_out.keys() <= {"hidden", "left by a system"}


def test_what_runs_have_written_is_no_picture_to_learn_from(save, tmp_path):
    """A run's folder below the data, the data's folder being a run's too, and a drawing that was laid anywhere."""
    save("1.png")
    save("runs/digits/samples.png")
    (tmp_path / "runs" / "digits" / "model.safetensors").write_bytes(b"weights")
    assert len(load(tmp_path)) == 1 and load(tmp_path).inventory.left_out == {"of a run": 1}
    save("samples.png")
    for name in ("model.safetensors", "config.json", "training.safetensors"):
        (tmp_path / name).write_bytes(b"weights")
    assert len(load(tmp_path)) == 1 and load(tmp_path).labels is None
    sample.write(tmp_path / "drawn.png", load("digits").images[:4], None)
    found = load(tmp_path)
    assert len(found) == 1 and found.inventory.left_out["drawn by this package"] == 1
    (tmp_path / "1.png").unlink()
    with pytest.raises(ValueError, match="were all drawn by this package"):
        load(tmp_path)


def test_files_of_other_kinds_are_counted_by_kind(save, tmp_path):
    save("1.png")
    for name in ("a.mp4", "b.mp4", "c.heic", "README"):
        (tmp_path / name).write_bytes(b"?")
    assert load(tmp_path).inventory.left_out == {".mp4": 2, "without an ending": 1, ".heic": 1}


def test_whatever_pillow_opens_is_a_picture(save, tmp_path):
    endings = ["tif", "TIFF", "ppm", "JPG", "jpeg", "webp", "bmp", "gif", "tga", "png"]
    for ending in endings:
        save(f"1.{ending}")
    save("1.jfif", format="jpeg")
    save("1.pgm.ppm")
    found = load(tmp_path, colour="rgb")
    assert len(found) == 12 and sum(found.inventory.kinds.values()) == 12 and found.inventory.kinds[".ppm"] == 2


def test_links_are_followed_each_folder_once(save, tmp_path):
    filled(save, **{"store/cat": 2, "store/dog": 1, "set": 0})
    (tmp_path / "set").mkdir()
    for kind in ("cat", "dog"):
        (tmp_path / "set" / kind).symlink_to(tmp_path / "store" / kind)
    (tmp_path / "set" / "cat" / "all").symlink_to(tmp_path / "set")  # a loop
    (tmp_path / "set" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    found = load(tmp_path / "set")
    assert len(found) == 3 and found.names == ["cat", "dog"] and found.inventory.left_out == {"broken links": 1}
    os.symlink(tmp_path / "store" / "dog" / "0.png", tmp_path / "set" / "dog" / "1.png")
    assert len(load(tmp_path / "set")) == 4
