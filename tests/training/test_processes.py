"""Many processes train one model: the same as one process, whole when they are asked to stop or when one of them dies.

They run on the CPU, two of them, and talk through gloo. What else changes on eight GPUs is the launcher's number.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

from ddpm_core.cli import main
from ddpm_core.storage import checkpoint
from ddpm_core.storage.files import read_tensors

WITHIN = 300  # seconds that a group of processes may take here, starting included; the machine may be very busy
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}

# What a process of the group runs: the command line, after something has been done to it.
DIES = """
import os, signal, sys
from ddpm_core.cli import main
from ddpm_core.diffusion import loss as losses

plain, calls = losses.training_loss, []


def loss(*arguments, **keywords):
    calls.append(1)
    if len(calls) == 14 and os.environ["RANK"] == "0":
        os.kill(os.getpid(), signal.SIGKILL)  # in the middle of a step, without a word to anybody
    return plain(*arguments, **keywords)


losses.training_loss = loss
sys.exit(main(sys.argv[1:]))
"""
# Training in float64, a process's rows in so many parts; the first process writes down how it ends.
PARTS = """
import sys
import torch
from ddpm_core import data, trainer
from ddpm_core.diffusion import loss as losses
from ddpm_core.diffusion.prediction import V
from ddpm_core.recipes import config
from ddpm_core.storage.files import write_tensors
from ddpm_core.training import optimizers
from ddpm_core.unet import UNet

torch.manual_seed(0)
images = torch.randint(0, 256, (20, 1, 8, 8), dtype=torch.uint8)
plain = losses.objective(config.COSINE, V)
optimizer = optimizers.muon() if sys.argv[3] == "muon" else optimizers.adam
state = trainer.start(UNet(1, (8, 16), num_classes=10).double(), optimizer=optimizer, device="cpu", warmup=2)
batch_at = data.batches(images, config.COSINE, labels=torch.arange(20) % 10, batch=8, label_drop=0.1)
loss = lambda net, x0, t, eps, labels: plain(net, x0.double(), t, eps.double(), labels)
run = trainer.run(state, batch_at, loss, steps=5, report_every=1, accumulate=int(sys.argv[2]))
reports = [(p.loss, p.grad_norm) for p in run]
draws = state.accelerator.gather(torch.rand(1))
if state.accelerator.is_main_process:
    ends = {f"ema.{k}": v for k, v in trainer.ema_model(state).state_dict().items()}
    ends |= {f"net.{k}": v for k, v in state.accelerator.unwrap_model(state.net).state_dict().items()}
    write_tensors(sys.argv[1], ends | {"reports": torch.tensor(reports), "draws": draws}, {})
state.accelerator.end_training()
"""


@pytest.fixture
def pictures(tmp_path):
    """Twenty pictures of noise in two classes: what they show does not matter here."""
    images = np.random.default_rng(0).integers(0, 256, (20, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "pictures.npz", images=images, labels=np.arange(20) % 2)
    return str(tmp_path / "pictures.npz")


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return str(found.getsockname()[1])


def start_two(*command):
    """Two processes, told of each other in the way that every launcher does it, but watched by none."""
    shared = ENVIRONMENT | {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}
    shared["MASTER_PORT"] = free_port()
    return [
        subprocess.Popen(
            [sys.executable, *map(str, command)], env=shared | {"RANK": rank, "LOCAL_RANK": rank},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for rank in ("0", "1")
    ]  # fmt: skip


def ends_of(processes):
    """(exit status, stdout, stderr) of each; none outlives the test."""
    try:
        printed = [process.communicate(timeout=WITHIN) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    return [(process.returncode, *texts) for process, texts in zip(processes, printed, strict=True)]


def until(there, processes):
    end = time.monotonic() + WITHIN
    while not there() and time.monotonic() < end and all(process.poll() is None for process in processes):
        time.sleep(0.02)


def farthest(a, b):
    assert a.keys() == b.keys()
    return max((a[k].double() - b[k].double()).abs().max().item() for k in a)


def launched(launcher, *command):
    """Run to its end what a launcher starts; returns what it prints."""
    command = [sys.executable, "-m", launcher, *(str(word() if word is free_port else word) for word in command)]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=2 * WITHIN)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "launcher",
    [
        ("accelerate.commands.launch", "--multi_gpu", "--num_processes", 2, "--main_process_port", free_port),
        ("torch.distributed.run", "--nproc_per_node", 2, "--standalone"),  # which is torchrun
    ],
    ids=["accelerate launch", "torchrun"],
)
def test_two_processes_train_the_model_of_one(launcher, tmp_path, pictures, capsys):
    """By the command line, as on the page of engineering. (--multi_gpu is its word for "several": --cpu starts a single
    process, whatever number stands beside it.) In float32 the halves of a batch are summed in another order, an error
    of 1e-7 in a gradient. Adam divides by the gradient's size, so a weight whose true gradient is 0 (a bias that the
    next norm takes away) moves by rounding alone, at most by the learning rate: 4.5e-4 in five steps of warm-up. 1e-5
    allows for 2 % of that; processes that take each other's rows move weights by more."""
    two, one = tmp_path / "two", tmp_path / "one"
    train = ["train", "--device", "cpu", "--data", pictures, "--batch", "16", "--steps", "5", "--out"]
    printed = launched(*launcher, "-m", "ddpm_core", *train, two)
    assert printed.count("2 processes share each batch of 16 images") == 1
    assert printed.count("5 steps, 80 images") == 1  # said once, by the first
    assert main([*train, str(one)]) == 0
    a, b = (read_tensors(out / "model.safetensors")[0] for out in (one, two))
    assert farthest(a, b) < 1e-5
    about, alone = checkpoint.load(two).about, checkpoint.load(one).about
    assert about["loss"] == pytest.approx(alone["loss"], rel=1e-5) and about["images_seen"] == 80
    assert (about["processes"], alone["processes"]) == (2, 1)
    capsys.readouterr()
    assert main([*train, str(two), "--resume"]) == 2
    assert "need the run's own number of processes, which is 2, but got 1" in capsys.readouterr().err


@pytest.mark.parametrize("optimizer", ["adam", "muon"])
def test_processes_and_parts_make_the_same_steps_to_the_last_digits(optimizer, tmp_path, monkeypatch):
    """By torchrun. In float64 rounding is too small for Adam to blow up: only a mistake would tell the ends apart."""
    script = tmp_path / "parts.py"
    script.write_text(PARTS)
    launched("torch.distributed.run", "--nproc_per_node", 2, "--standalone", script, tmp_path / "two", 2, optimizer)
    monkeypatch.setattr(sys, "argv", ["parts.py", str(tmp_path / "one"), "1", optimizer])
    exec(PARTS, {})
    (one, _), (two, _) = (read_tensors(tmp_path / name) for name in ("one", "two"))
    draws = [found.pop("draws") for found in (one, two)]
    assert len(draws[1].unique()) == 2 and draws[1][0] == draws[0][0]  # each process drops out what it likes
    assert farthest(one, two) < 1e-10


def test_when_a_process_dies_the_other_stops_with_a_sentence_and_the_checkpoint_is_whole(tmp_path, pictures):
    script, out = tmp_path / "dies.py", tmp_path / "digits"
    script.write_text(DIES)
    train = [
        "train",
        "--device",
        "cpu",
        "--data",
        pictures,
        "--batch",
        8,
        "--steps",
        40,
        "--save-every",
        1e-9,
        "--out",
        out,
    ]
    processes = start_two(script, *train)
    processes[0].wait(timeout=WITHIN)
    began = time.monotonic()
    (died, *_), (status, _, errors) = ends_of(processes)
    assert time.monotonic() - began < 20
    assert (died, status) == (-signal.SIGKILL, 2) and "Traceback" not in errors
    (sentence,) = [line for line in errors.splitlines() if line.startswith("error: ")]
    assert "process 1 of 2 lost another one at step 14" in sentence
    assert f"{out} is the last good one" in sentence and "--resume" in sentence
    assert checkpoint.load(out).about["trained_steps"] == 10
    assert json.loads(read_tensors(out / "training.safetensors")[1]["progress"])["step"] == 10
    assert sorted(p.name for p in out.iterdir()) == ["config.json", "model.safetensors", "training.safetensors"]


def test_a_stop_asked_of_one_process_is_a_stop_of_all_after_the_same_step(tmp_path, pictures):
    """SIGTERM to the second alone, as a cluster sends it: nothing waits for what never comes."""
    out = tmp_path / "digits"
    train = [
        "train",
        "--device",
        "cpu",
        "--data",
        pictures,
        "--batch",
        8,
        "--steps",
        100_000,
        "--save-every",
        0.05,
        "--out",
        out,
    ]
    processes = start_two("-m", "ddpm_core", *train)
    until((out / "config.json").exists, processes)
    processes[1].send_signal(signal.SIGTERM)
    (status, printed, errors), (other, silent, _) = ends_of(processes)
    assert (status, other) == (130, 130), errors
    steps = json.loads(read_tensors(out / "training.safetensors")[1]["progress"])["step"]
    assert f"stopped at step {steps}, nothing is lost" in printed and silent == ""
    assert checkpoint.load(out).about["trained_steps"] == steps and steps % 10 == 0
