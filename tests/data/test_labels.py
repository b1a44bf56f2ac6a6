"""Labels and captions as people and the Hub write them: by parquet columns, and beside the pictures of a folder."""

import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from ddpm_core.data import load
from ddpm_core.data.labels import captions, classes
from ddpm_core.storage.hub import Absent


@pytest.fixture
def table(tmp_path, noise):
    """table(path below tmp_path, column=values, ...): a parquet file with a picture for each."""

    def write(path, features=None, **columns):
        n, cells = len(next(iter(columns.values()))), []
        for _ in range(n):
            stream = io.BytesIO()
            Image.fromarray(noise()).save(stream, "png")
            cells.append({"bytes": stream.getvalue(), "path": None})
        columns = columns if "picture" in columns else {"image": cells} | columns
        columns = {key: cells if key == "picture" else values for key, values in columns.items()}
        about = {"huggingface": json.dumps({"info": {"features": features or {}}})}
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(columns).replace_schema_metadata(about), tmp_path / path)
        return tmp_path / path

    return write


# ---- columns ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", [-1, None, ""])
def test_a_split_whose_labels_are_kept_back_has_none(table, tmp_path, missing):
    table("train.parquet", label=[0, 1, 0])
    table("test.parquet", label=[missing] * 2)
    assert load(tmp_path).num_classes == 2
    held = load(tmp_path, "test")
    assert len(held) == 2 and held.labels is None and "no labels" in repr(held)


def test_text_becomes_classes_by_its_names_in_order(table):
    found = load(table("a.parquet", label=["dog", "cat", "dog"]))
    assert found.names == ["cat", "dog"] and found.labels.tolist() == [1, 0, 1]


def test_a_column_of_labels_goes_by_many_names_and_what_is_not_used_is_named(table):
    found = load(table("a.parquet", fine_label=[0, 1], coarse_label=[0, 0]))
    assert found.labels.tolist() == [0, 1] and found.inventory.notes == ("columns not used: coarse_label",)
    features = {"picture": {"_type": "Image"}, "breed": {"_type": "ClassLabel", "names": ["a", "b", "c"]}}
    found = load(table("b.parquet", features, picture=[None] * 2, breed=[2, 0]))
    assert found.labels.tolist() == [2, 0] and found.names == ["a", "b", "c"]


def test_several_labels_to_an_image_are_no_class_and_that_is_said(table):
    found = load(table("a.parquet", label=[[0, 1], [1]]))
    assert found.labels is None and found.inventory.notes == ("no classes, since some images have several labels",)
    assert load(table("b.parquet", label=[[3], [1]])).names == ["1", "3"]


def test_captions_are_looked_at_where_they_are_used(table):
    some = load(table("nulls.parquet", text=["a cat", None]))
    assert some.captions == ["a cat", None] and some.captioned([]).captions == ["a cat", ""]
    assert some.inventory.notes == ("1 have no caption",)
    several = load(table("five.parquet", caption=[["a cat", "cat"], ["a dog"]]))
    assert several.captions == ["a cat", "a dog"]
    assert load(table("numbers.parquet", text=[1, 2])).captions is None
    with pytest.raises(ValueError, match=r"has neither; a folder has them in metadata\.jsonl"):
        load(table("none.parquet", id=[1, 2])).captioned(["a {}"])


def test_classes_are_numbered_as_others_say(table, tmp_path):
    table("train.parquet", label=["cat", "dog", "elk"])
    table("test.parquet", label=["elk", "dog", "yak"])
    held = load(tmp_path, "test").with_classes(load(tmp_path).names)
    assert held.names == ["cat", "dog", "elk"] and held.labels.tolist() == [2, 1] and len(held) == 2
    with pytest.raises(ValueError, match=r"need images of the classes ox, but .* has cat, dog, elk"):
        load(tmp_path).with_classes(["ox"])


def test_classes_that_do_not_occur_can_be_left_out(table):
    features = {"label": {"_type": "ClassLabel", "names": ["a", "b", "c", "d"]}}
    found = load(table("a.parquet", features, label=[3, 1, 3]))
    assert found.num_classes == 4 and found.labels.tolist() == [3, 1, 3]
    left = found.with_occurring_classes()
    assert left.names == ["b", "d"] and left.labels.tolist() == [1, 0, 1]
    assert left.with_occurring_classes() is left


@pytest.mark.parametrize(
    ("values", "labels", "names"),
    [
        ([0, 1, 2], [0, 1, 2], None),
        ([1.0, 0.0], [1, 0], None),
        ([True, False], [1, 0], None),
        ([30, 7, 30], [1, 0, 1], ["7", "30"]),
        (np.eye(3, dtype=int), [0, 1, 2], None),
        (np.array([[2], [0], [1]]), [2, 0, 1], None),
        (np.array([b"b", b"a"]), [1, 0], ["a", "b"]),
        (np.array(["e\u0301", "a"]), [1, 0], ["a", "\u00e9"]),
    ],
)
def test_numbers_text_and_lists_become_classes(values, labels, names):
    found = classes(values, None, len(values), "it")
    assert found.labels.tolist() == labels and found.names == names and found.note is None


@pytest.mark.parametrize(
    ("values", "n", "said"),
    [
        ([0, 1], 3, "need one label per image, but it has 3 images and 2 labels"),
        ([0, -1, 2], 3, "need a label for each image or for none, but of it's 3 images 1 have none"),
        ([0.5, 1, -2], 3, "whole numbers from 0 up, or text, but it has 2 others: 0.5, -2"),
        ([0, "cat"], 2, "has 1 others: 'cat'"),
        ([0, float("inf")], 2, "has 1 others: inf"),
    ],
)
def test_what_is_no_class_is_said(values, n, said):
    with pytest.raises(ValueError, match=said):
        classes(values, None, n, "it")
    with pytest.raises(ValueError, match="need a name for each class, but it has 2 and a label 2"):
        classes([0, 2], ["a", "b"], 2, "it")


def test_captions_are_text_or_nothing():
    assert captions([" a ", "", None, 3, ["", "b"], []]) == ["a", None, None, None, "b", None]
    assert captions([None, 3]) is None and captions([]) is None


# ---- splits of parquet files -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("train.parquet", "test.parquet"),
        ("training.parquet", "testing.parquet"),
        ("x_train.parquet", "x_test.parquet"),
        ("train_0.parquet", "test_0.parquet"),
        ("Train-00000-of-00001-a09b74b3ef9c3b56.parquet", "Test-00000-of-00001-0d1e.parquet"),
        ("default/train/0000.parquet", "default/test/0000.parquet"),
        ("default/partial-train/0000.parquet", "default/partial-test/0000.parquet"),
    ],
)
def test_a_split_is_found_by_plain_names(table, tmp_path, train, test):
    table(train, label=[0, 1, 1])
    with pytest.raises(Absent, match="but got 'test'"):
        load(tmp_path, "test")
    table(test, label=[0, 1])
    assert (len(load(tmp_path)), len(load(tmp_path, "test"))) == (3, 2)
    with pytest.raises(Absent, match=r"has \(test, train\), but got 'validation'"):
        load(tmp_path, "validation")


def test_the_split_is_held_out_or_nothing_is(table, tmp_path):
    table("a/train.parquet", label=[0, 1])
    table("a/validation.parquet", label=[0])
    table("b/test.parquet", label=[0, 1])
    table("c/0000.parquet", label=[0, 1])
    for folder, split in (("a", "test"), ("b", "train"), ("c", "test"), ("c/0000.parquet", "test")):
        with pytest.raises(Absent, match=f"but got '{split}'"):
            load(tmp_path / folder, split)
    assert len(load(tmp_path / "c")) == 2
    table("a/extra-00000-of-00001.parquet", label=[0, 1, 2])
    assert len(load(tmp_path / "a", "extra")) == 3  # a data set may have splits of other names


def test_a_part_of_a_split_is_not_read_beside_it(table, tmp_path):
    table("train-00000-of-00001.parquet", label=[0, 1, 1])
    table("train_small-00000-of-00001.parquet", label=[0])
    assert len(load(tmp_path)) == 3


# ---- beside the pictures of a folder ---------------------------------------------------------------------------


def lines(*rows):
    return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)


@pytest.fixture
def three(save):
    for k in range(3):
        save(f"{k}.png")


def test_captions_stand_in_metadata(three, tmp_path):
    rows = [{"file_name": f"{k}.png", "text": f"Bild \u2116 {k}"} for k in (2, 0, 1)]
    wanted = ["Bild \u2116 0", "Bild \u2116 1", "Bild \u2116 2"]
    jsonl, comma, table = (tmp_path / f"metadata.{ending}" for ending in ("jsonl", "csv", "parquet"))
    jsonl.write_text(lines(*rows) + "\n\n", "utf-8")
    assert load(tmp_path).captions == wanted and load(tmp_path).inventory.left_out == {}
    jsonl.unlink()
    comma.write_text("file_name,caption\n" + "\n".join(f'./{r["file_name"]},"{r["text"]}"' for r in rows), "utf-8-sig")
    assert load(tmp_path).captions == wanted
    comma.unlink()
    pq.write_table(pa.Table.from_pylist(rows), table)
    assert load(tmp_path).captions == wanted and len(load(tmp_path)) == 3  # and the pictures are not hidden by it


def test_each_split_has_its_own_metadata(save, tmp_path):
    for split, n in (("train", 2), ("test", 1)):
        for k in range(n):
            save(f"{split}/in/{k}.png")
        rows = [{"file_name": f"in/{k}.png", "text": f"{split} {k}"} for k in range(n)]
        (tmp_path / split / "metadata.jsonl").write_text(lines(*rows), "utf-8")
    assert load(tmp_path).captions == ["train 0", "train 1"] and load(tmp_path, "test").captions == ["test 0"]


def test_a_text_beside_a_picture_is_its_caption(three, tmp_path):
    (tmp_path / "0.txt").write_text("\n a gr\u00fcner cat \nmore", "utf-8")
    (tmp_path / "2.txt").write_text("a dog", "utf-8")
    (tmp_path / "readme.txt").write_text("of nobody", "utf-8")
    found = load(tmp_path)
    assert found.captions == ["a gr\u00fcner cat", None, "a dog"]
    assert found.inventory.left_out == {".txt": 1} and found.inventory.notes == ("1 have no caption",)
    for k in range(3):
        (tmp_path / f"{k}.txt").write_text("0 0.5 0.5 0.2 0.3", "utf-8")  # a detector's boxes
    assert load(tmp_path).captions is None


def test_metadata_may_have_labels(three, tmp_path):
    rows = [{"file_name": f"{k}.png", "label": name} for k, name in enumerate("bab")]
    (tmp_path / "metadata.jsonl").write_text(lines(*rows), "utf-8")
    assert load(tmp_path).names == ["a", "b"] and load(tmp_path).labels.tolist() == [1, 0, 1]


def test_metadata_of_too_few_and_of_other_pictures_are_said(three, tmp_path):
    (tmp_path / "metadata.jsonl").write_text(
        lines({"file_name": "0.png", "text": "one"}, {"file_name": "9.png", "text": "nine"}), "utf-8"
    )
    found = load(tmp_path)
    assert found.captions == ["one", None, None]
    assert found.inventory.notes == ("2 have no caption", "metadata speak of 1 other files")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"file_name": "0.png", "text": "a"}\n{half', "need metadata that can be read, but .*metadata.jsonl cannot"),
        ('{"name": "0.png", "text": "a"}', "need `file_name` in each row, but row 1 of .* has name, text"),
    ],
)
def test_metadata_that_make_no_sense_are_refused(three, tmp_path, text, said):
    (tmp_path / "metadata.jsonl").write_text(text, "utf-8")
    with pytest.raises(ValueError, match=said):
        load(tmp_path)


def test_another_parquet_does_not_hide_the_pictures(three, tmp_path):
    pq.write_table(pa.table({"box": [1, 2]}), tmp_path / "annotations.parquet")
    found = load(tmp_path)
    assert len(found) == 3 and found.inventory.left_out == {".parquet": 1}
