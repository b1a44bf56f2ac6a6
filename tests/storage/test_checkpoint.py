"""Checkpoints: what comes back is what went in, what is broken is refused, and a kill while saving costs nothing."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from ddpm_core.diffusion.model import Model
from ddpm_core.diffusion.prediction import MEAN, V
from ddpm_core.networks.ddpm_unet import DDPMUNet
from ddpm_core.networks.mlp import MLP
from ddpm_core.schedule import cosine, linear
from ddpm_core.storage import checkpoint, files
from ddpm_core.storage.files import CheckpointError, file_sha256, read_tensors, write_atomically, write_tensors
from ddpm_core.unet import UNet

ABOUT = {"size": [8, 8], "names": ["a", "b"], "seed": 0, "data": "digits"}


def network(seed=0, **config):
    torch.manual_seed(seed)
    net = UNet(**(dict(in_channels=1, channels=(8, 16), num_classes=2) | config))
    with torch.no_grad():
        for p in net.parameters():
            p.add_(0.1 * torch.randn_like(p))
    return net


@pytest.fixture
def trained():
    return Model(network(), cosine(30), V, ABOUT)


@pytest.fixture
def saved(trained, tmp_path):
    return checkpoint.save(tmp_path / "runs" / "one", trained)


def test_what_comes_back_is_what_went_in(trained, saved):
    for name in (saved, saved.parent, str(saved.parent)):
        back = checkpoint.load(name, sha256=file_sha256(saved))
        assert back.prediction is V and back.about == ABOUT and not back.network.training
        assert torch.equal(back.schedule.beta, trained.schedule.beta)
        x, t, labels = torch.randn(3, 1, 8, 8), torch.tensor([1, 5, 30]), torch.tensor([0, 1, 2])
        assert torch.equal(back.network(x, t, labels), trained.network.eval()(x, t, labels))
    assert sorted(p.name for p in saved.parent.iterdir()) == ["config.json", "model.safetensors"]


def test_a_network_that_learns_its_variance_comes_back_with_it(tmp_path):
    both = Model(network(out_channels=2), cosine(30), V, ABOUT)
    back = checkpoint.load(checkpoint.save(tmp_path, both))
    x, t = torch.randn(3, 1, 8, 8), torch.tensor([1, 5, 30])
    found = back.network(x, t)
    assert found.shape == (3, 2, 8, 8) and torch.equal(found, both.network.eval()(x, t))
    with pytest.raises(ValueError, match="shaped like x_t"):
        back.denoiser()(x, t)  # a variance is no part of a picture: `variance.split` takes the two apart


def test_saving_again_replaces_what_was_there(trained, saved):
    checkpoint.save(saved.parent, Model(network(1), linear(10), MEAN, ABOUT | {"seed": 1}))
    back = checkpoint.load(saved)
    assert back.schedule.T == 10 and back.prediction is MEAN and back.about["seed"] == 1
    assert torch.equal(back.network.stem.weight, network(1).stem.weight)


def test_the_config_beside_the_weights_equals_their_header(saved):
    _, header = read_tensors(saved)
    config = json.loads((saved.parent / "config.json").read_text())
    assert config == json.loads(header["description"])
    assert config["predict"] == "V" and len(config["betas"]) == 30 and config["about"] == ABOUT


def test_other_readers_may_read_the_files(saved):
    plain = saved.with_name("plain")
    plain.write_text("an ordinary file")
    assert {path.stat().st_mode for path in saved.parent.iterdir()} == {plain.stat().st_mode}


@pytest.mark.parametrize("keep", [checkpoint.save, lambda folder, it: checkpoint.export(folder / "a.safetensors", it)])
@pytest.mark.parametrize("net", [MLP(), DDPMUNet(1, (8,), blocks=1, attention=(), groups=4)])
def test_a_network_that_would_not_come_back_is_not_kept(keep, net, tmp_path):
    with pytest.raises(ValueError, match=f"need a UNet, .*, but got a {type(net).__name__}"):
        keep(tmp_path, Model(net, cosine(30), V, ABOUT))
    assert list(tmp_path.iterdir()) == []


def test_half_precision_keeps_large_weights_to_a_share_and_tiny_ones_to_a_step(trained, tmp_path):
    numbers = torch.tensor([65504.0, -1.2345678, 7e-5, 5e-5, 4e-8, 2e-8, 0.0, 1e-3])
    with torch.no_grad():
        trained.network.stem.bias.copy_(numbers)
    kept = checkpoint.load(checkpoint.export(tmp_path / "a.safetensors", trained)).network.stem.bias
    tiny = numbers.abs() < 6e-5
    assert ((kept - numbers).abs() <= torch.where(tiny, torch.tensor(3e-8), numbers.abs() / 2000)).all()
    assert kept[4] != numbers[4] and kept[5] == 0


@pytest.mark.parametrize(("weight", "said"), [(65536.0, "65536"), (float("nan"), "nan"), (-1e9, "1e[+]09")])
def test_a_weight_that_half_precision_does_not_hold_is_refused(weight, said, trained, tmp_path):
    with torch.no_grad():
        trained.network.stem.bias[3] = weight
    with pytest.raises(ValueError, match=f"need weights of at most 65504 .* one of stem.bias is {said}"):
        checkpoint.export(tmp_path / "a.safetensors", trained)
    assert list(tmp_path.iterdir()) == []


# ---- what is broken is refused ---------------------------------------------------------------------------------


def refused(path, message, **how):
    with pytest.raises(CheckpointError, match=message) as caught:
        checkpoint.load(path, **how)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("keep", [0, 4, 500, -1, -1000])
def test_a_truncated_file_is_refused(saved, keep):
    raw = saved.read_bytes()
    saved.write_bytes(raw[:keep])
    refused(saved, "truncated or damaged")


def test_a_file_of_noise_is_refused(saved):
    saved.write_bytes(os.urandom(5000))
    refused(saved, "truncated or damaged")


def rewritten(path, change):
    tensors, header = read_tensors(path)
    description = json.loads(header["description"])
    change(tensors, description)
    write_tensors(path, tensors, {"description": json.dumps(description)})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tensors, about: tensors.pop("stem.weight"), "1 are missing, stem.weight among them"),
        (lambda tensors, about: tensors.update(extra=torch.zeros(2)), "1 do not belong to it, extra among them"),
        (
            lambda tensors, about: tensors.update({"stem.bias": torch.zeros(9)}),
            r"stem.bias has shape \(9,\) instead of \(8,\)",
        ),
        (lambda tensors, about: about["network"].update(channels=[8, 24]), "instead of"),
        (lambda tensors, about: about["network"].update(channels=[8, 16, 16]), "are missing"),
        (lambda tensors, about: about["network"].update(num_classes=None), "do not belong to it, label.weight"),
        (lambda tensors, about: about["network"].update(wings=2), "does not describe one.*wings"),
        (lambda tensors, about: about["network"].update(channels=[7]), "does not describe one.*multiples of 8"),
        (lambda tensors, about: about.pop("network"), "does not describe one.*network"),
        (lambda tensors, about: about.pop("about"), "does not describe one.*about"),
        (lambda tensors, about: about.update(predict="TEA"), "does not describe one.*TEA"),
        (lambda tensors, about: about.update(betas=[0.1, 1.2]), "does not describe one.*beta_2 is 1.2"),
    ],
)
def test_weights_that_are_not_those_described_are_refused(saved, change, message):
    rewritten(saved, change)
    refused(saved, message)


@pytest.mark.parametrize("header", [None, {"format": "pt"}, {"description": "words"}, {"description": "[1, 2]"}])
def test_another_packages_weights_are_refused(tmp_path, trained, header):
    save_file(trained.network.state_dict(), tmp_path / "model.safetensors", header)
    refused(tmp_path, "does not describe one")


def test_a_file_with_another_hash_is_refused(saved):
    refused(saved, "with sha256 000000000000..., but it has " + file_sha256(saved)[:12], sha256="0" * 64)


@pytest.mark.parametrize("name", ["nothing", "no/such/place", "./nothing", "nobody/nothing"])
def test_a_checkpoint_that_is_not_there_is_refused(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises((CheckpointError, FileNotFoundError), match=r"nothing|no/such/place") as caught:
        checkpoint.load(name)
    assert "\n" not in str(caught.value)


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises((CheckpointError, FileNotFoundError), match=r"model\.safetensors"):
        checkpoint.load(tmp_path)


# ---- whole or not at all ---------------------------------------------------------------------------------------


def full(*arguments, **keywords):
    raise OSError(28, "No space left on device")


def test_a_full_disk_leaves_the_previous_checkpoint_whole(saved, monkeypatch):
    before = {path.name: path.read_bytes() for path in saved.parent.iterdir()}
    for place, name in ((files, "save"), (Path, "open"), (os, "fsync"), (os, "replace")):
        with monkeypatch.context() as patch:
            patch.setattr(place, name, full)
            with pytest.raises(OSError, match="No space left on device"):
                checkpoint.save(saved.parent, Model(network(1), linear(10), MEAN, ABOUT))
        assert {path.name: path.read_bytes() for path in saved.parent.iterdir()} == before  # and no .tmp


def test_a_disk_that_fills_up_while_writing_is_an_os_error(saved):
    """The real thing: the system refuses more than 4,000 bytes; the weights are larger."""
    before, limits = saved.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large") as caught:
            checkpoint.save(saved.parent, Model(network(1), linear(10), MEAN, ABOUT))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "\n" not in str(caught.value)
    assert saved.read_bytes() == before and len(list(saved.parent.iterdir())) == 2


def test_an_interrupt_while_writing_leaves_the_previous_file_whole(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")

    def write(temporary):
        temporary.write_text("half of the ne")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, write)
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_a_file_is_written_into_a_folder_that_is_made_for_it(tmp_path):
    write_atomically(tmp_path / "a" / "b" / "file", lambda temporary: temporary.write_text("new"))
    assert (tmp_path / "a" / "b" / "file").read_text() == "new"


WRITER = """
import sys, torch
from ddpm_core.storage.files import write_tensors
for k in range(10**9):
    write_tensors(sys.argv[1], {"a": torch.full((400_000,), float(k)), "b": torch.full((9,), float(k))}, {"k": str(k)})
    print(k, flush=True)
"""


SLOW_WRITER = """
import sys, time
from pathlib import Path
from ddpm_core.storage.files import write_atomically
def write(temporary):
    temporary.write_text("half")
    while not Path(sys.argv[2]).exists():
        time.sleep(0.01)
    temporary.write_text("half, and the other half")
write_atomically(sys.argv[1], write)
"""


def test_a_kill_while_saving_leaves_a_whole_file_and_the_next_save_cleans_up(tmp_path):
    path, folder = tmp_path / "model.safetensors", os.getcwd()
    writer = subprocess.Popen([sys.executable, "-c", WRITER, path], cwd=folder, stdout=subprocess.PIPE)
    try:
        for _ in range(3):
            assert writer.stdout.readline().strip().isdigit()
        time.sleep(0.05)
    finally:
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
    tensors, header = read_tensors(path)  # one generation, both tensors of it
    assert int(header["k"]) >= 2
    assert (tensors["a"] == int(header["k"])).all() and (tensors["b"] == int(header["k"])).all()
    path.with_name(f"{path.name}.{10**9}.tmp").write_bytes(b"left by a kill")  # whether or not this one left any
    mine = path.with_name(f"{path.name}.{os.getppid()}.tmp")
    mine.write_bytes(b"a process that runs has its clock put forward by two hours")
    for left in tmp_path.glob("*.tmp"):
        os.utime(left, (time.time() - 7200,) * 2)
    path.with_name(f"{path.name}.2.tmp").write_bytes(b"another process is writing this")
    write_tensors(path, tensors, header)
    assert set(tmp_path.iterdir()) == {path, mine, path.with_name(f"{path.name}.2.tmp")}


def test_two_that_write_one_file_do_not_meet_in_it(tmp_path):
    """A slow process writes, a fast one finishes meanwhile: what stands is always whole, and the last to end wins."""
    path, waits = tmp_path / "file", tmp_path / "go"
    slow = subprocess.Popen([sys.executable, "-c", SLOW_WRITER, path, waits], cwd=os.getcwd())
    try:
        while not list(tmp_path.glob("file.*.tmp")):
            assert slow.poll() is None, "the slow writer died"
            time.sleep(0.01)
        write_atomically(path, lambda temporary: temporary.write_text("fast"))
        assert path.read_text() == "fast"
    finally:
        waits.touch()
    assert slow.wait() == 0
    assert path.read_text() == "half, and the other half"


def test_a_hash_runs_over_all_files_in_order(tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_bytes(b"abc")
    b.write_bytes(b"x" * 3_000_000)
    assert file_sha256(a) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert len({file_sha256(a), file_sha256(b), file_sha256(a, b), file_sha256(b, a)}) == 4
