"""npz and npy files as other programs write them: other names, ranges, orders of axes; or a sentence that tells."""

import numpy as np
import pytest
import torch

from ddpm_core.data import load
from ddpm_core.storage.hub import Absent


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (8, 6, 5, 3), dtype=np.uint8)


@pytest.fixture
def stored(tmp_path):
    """stored(arrays by place or name): what is read of an npz file that holds them."""

    def read(*unnamed, split="train", **named):
        np.savez(tmp_path / "a.npz", *unnamed, **named)
        return load(tmp_path / "a.npz", split)

    return read


def as_tensor(images):
    return torch.from_numpy(images).permute(0, 3, 1, 2)


@pytest.mark.parametrize("shape", [(4, 6), (4, 6, 3), (4, 6, 1), (4, 6, 4)])
def test_an_npz_is_read(tmp_path, shape):
    images = np.random.default_rng(0).integers(0, 256, (5, *shape), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", images=images, labels=np.arange(5, dtype=np.uint8))
    found = load(tmp_path / "a.npz")
    wanted = as_tensor(images if images.ndim == 4 else images[..., None])
    assert torch.equal(found.images, wanted) and found.labels.tolist() == [0, 1, 2, 3, 4] and found.names is None
    np.savez_compressed(tmp_path / "b.npz", images=images)
    assert load(str(tmp_path / "b.npz")).labels is None
    np.save(tmp_path / "c.npy", images)
    assert torch.equal(load(tmp_path / "c.npy").images, wanted)


@pytest.mark.parametrize(
    "keys", [("images", "labels"), ("image", "label"), ("arr_0", "arr_1"), ("X", "y"), ("data", "targets")]
)
def test_arrays_go_by_many_names(stored, images, keys):
    found = stored(**dict(zip(keys, (images, np.arange(8) % 2), strict=True)))
    assert torch.equal(found.images, as_tensor(images)) and found.labels.tolist() == [0, 1] * 4
    assert stored(images, np.arange(8)).num_classes == 8  # numpy names them arr_0 and arr_1


@pytest.mark.parametrize(
    "names", [("x_{}", "y_{}"), ("{}_images", "{}_labels"), ("images_{}", "label_{}"), ("{}", "{}-y")]
)
def test_splits_by_name(stored, images, names):
    train, test = ([name.format(split) for name in names] for split in ("train", "test"))
    labels = np.arange(8)[:, None] % 3
    arrays = dict(zip((*train, *test), (images, labels, images[:2], labels[:2]), strict=True))
    assert len(stored(**arrays)) == 8 and stored(**arrays).inventory.left_out == {"of the split test": 2}
    held = stored(**arrays, split="test")
    assert torch.equal(held.images, as_tensor(images[:2])) and held.labels.tolist() == [0, 1]
    with pytest.raises(Absent, match="but got 'validation': it has test, train"):
        stored(**arrays, split="validation")
    with pytest.raises(Absent, match="but got 'test': it has no splits"):
        stored(images=images, split="test")


def test_values_of_any_common_range_are_the_same_pictures(stored, images):
    for values in (
        images / 255, (images / 255).astype(np.float32), (images / 127.5 - 1).astype(np.float32),
        images.astype(np.float32), images.astype(np.int64), images.astype(np.uint16),
    ):  # fmt: skip
        assert torch.equal(stored(images=values).images, as_tensor(images)), values.dtype
    mask = images[..., 0] > 127
    assert stored(images=mask).images.unique().tolist() == [0, 255]


def test_channels_may_come_first(stored, images):
    assert torch.equal(stored(images=images.transpose(0, 3, 1, 2)).images, as_tensor(images))
    assert stored(images=images[..., 0][:, None]).images.shape == (8, 1, 6, 5)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (dict(images=np.full((3, 4, 4), 300)), r"need values in 0\.\.255, but .* is int64 \(3, 4, 4\) .* in 300"),
        (dict(images=np.full((3, 4, 4), -9.5)), r"float64 \(3, 4, 4\) with values in -9\.5\.\.-9\.5"),
        (dict(images=np.full((3, 4, 4), np.nan)), "with values in nan"),
        (dict(images=np.zeros((3, 4))), r"need `images` .* but `images` of .* is float64 \(3, 4\)"),
        (dict(images=np.zeros((3, 7, 5, 16), np.uint8)), r"1, 3 or 4 channels, last .* or first .* \(3, 7, 5, 16\)"),
        (dict(images=np.array([["a"]])), "<U1"),
        (dict(pictures=np.zeros((3, 4, 4), np.uint8)), r"need `images`.* but it holds pictures uint8 \(3, 4, 4\)"),
        (dict(images=np.zeros((0, 4, 4), np.uint8)), "need at least one image"),
        (dict(images=np.zeros((3, 4, 4), np.uint8), labels=np.arange(4)), "need one label per image.* and 4 labels"),
        (dict(images=np.zeros((3, 4, 4), np.uint8), labels=np.array([0.5, 1, 2])), "whole numbers from 0 up"),
        (dict(images=np.zeros((3, 4, 4), np.uint8), labels=np.array([0, -1, 2])), "a label for each image or for none"),
    ],
)  # fmt: skip
def test_what_cannot_be_told_is_said_with_type_shape_and_range(stored, arrays, message):
    with pytest.raises(ValueError, match=message):
        stored(**arrays)


def test_a_truncated_npz_is_refused(tmp_path, images):
    np.savez(tmp_path / "a.npz", images=images)
    raw = (tmp_path / "a.npz").read_bytes()
    for keep in (0, 100, len(raw) - 30):
        (tmp_path / "a.npz").write_bytes(raw[:keep])
        with pytest.raises(ValueError, match=r"need a whole \.npz file"):
            load(tmp_path / "a.npz")
