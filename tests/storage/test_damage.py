"""One bit of a checkpoint that changes is seen, wherever it is: in a weight, in the header, in the hash itself."""

import json
import random
import warnings

import pytest
import torch
from safetensors.torch import save_file

from ddpm_core import trainer
from ddpm_core.data import batches
from ddpm_core.diffusion import loss
from ddpm_core.diffusion.prediction import V
from ddpm_core.schedule import cosine
from ddpm_core.storage import checkpoint
from ddpm_core.storage.files import SEAL, CheckpointError, read_tensors, write_tensors
from ddpm_core.unet import UNet

SCHEDULE = cosine(30)


def state():
    return trainer.start(UNet(channels=(8, 16)), device="cpu")


def trained_in(folder):
    """A training of three steps, and what it leaves in its folder."""
    trained = state()
    images = torch.randint(0, 256, (8, 1, 8, 8), dtype=torch.uint8)
    list(trainer.run(trained, batches(images, SCHEDULE, batch=4), loss.objective(SCHEDULE, V), steps=3))
    trainer.save(trained, folder / checkpoint.TRAINING)
    checkpoint.save(folder, trainer.model(trained, SCHEDULE, V))
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return trained_in(tmp_path_factory.mktemp("run"))


BITS = 250  # of each file's header and of its tensors
READERS = {"model.safetensors": checkpoint.load, "training.safetensors": read_tensors}  # `resume` reads by the latter


def seen(raw, bit, path, read):
    """Whether reading refuses the file with this bit changed."""
    changed = bytearray(raw)
    changed[bit // 8] ^= 1 << bit % 8
    path.write_bytes(changed)
    try:
        read(path)
    except CheckpointError as error:
        assert "\n" not in str(error)
        return True
    return False


def unseen(run, name, place):
    """Which of the random bits of a run's file, half of them in its header, change and nobody sees it."""
    raw, draw = (run / name).read_bytes(), random.Random(0)
    header, whole = 8 * (8 + int.from_bytes(raw[:8], "little")), 8 * len(raw)
    bits = [draw.randrange(header) for _ in range(BITS)] + [draw.randrange(header, whole) for _ in range(BITS)]
    return [bit for bit in bits if not seen(raw, bit, place / name, READERS[name])]


@pytest.mark.parametrize("name", READERS)
def test_a_changed_bit_is_seen(name, run, tmp_path):
    """500 bits of each file: 1,000 in all."""
    assert unseen(run, name, tmp_path) == []


def test_every_bit_of_the_hash_and_of_its_name_is_seen(run, tmp_path):
    raw = (run / "model.safetensors").read_bytes()
    place = raw.index(f'"{SEAL}":"'.encode())
    bits = range(8 * place, 8 * (place + len(SEAL) + 4 + 64 + 1))
    assert [bit for bit in bits if not seen(raw, bit, tmp_path / "model.safetensors", checkpoint.load)] == []


def test_a_file_says_which_hash_it_has_and_which_it_should_have(run, tmp_path):
    raw = bytearray((run / "model.safetensors").read_bytes())
    raw[-3] ^= 1
    (tmp_path / "model.safetensors").write_bytes(raw)
    with pytest.raises(CheckpointError, match=r"damaged \(it says sha256 \w{12}\.\.\., and its contents have \w{12}"):
        checkpoint.load(tmp_path)


def test_a_file_of_an_earlier_version_is_read_with_a_warning(run, tmp_path):
    """It has no hash: nobody could see a bit of it change. Saved again, it has one."""
    for name in READERS:
        tensors, header = read_tensors(run / name)
        save_file(tensors, tmp_path / name, {key: said for key, said in header.items() if key != SEAL})
    with pytest.warns(UserWarning, match=r"need a hash in .*model.safetensors to see whether it is damaged"):
        model = checkpoint.load(tmp_path)
    with pytest.warns(UserWarning, match=r"need a hash in .*training.safetensors"):
        again = trainer.resume(state(), tmp_path / checkpoint.TRAINING)
    checkpoint.save(tmp_path, model)
    trainer.save(again, tmp_path / checkpoint.TRAINING)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        checkpoint.load(tmp_path)
        trainer.resume(state(), tmp_path / checkpoint.TRAINING)


def test_equal_tensors_and_headers_have_one_hash(tmp_path):
    for name in "ab":
        write_tensors(tmp_path / name, {"w": torch.arange(5.0)}, {"progress": json.dumps({"step": 1})})
    found = [read_tensors(tmp_path / name)[1][SEAL] for name in "ab"]
    assert found[0] == found[1] and len(found[0]) == 64
