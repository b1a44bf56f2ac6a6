"""The command line, end to end: train, sample, resume, interrupt, and one sentence for each mistake."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import types
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from ddpm_core import sampler, trainer
from ddpm_core.cli import main
from ddpm_core.data import load, to_uint8
from ddpm_core.diffusion import loss
from ddpm_core.diffusion.guidance import guided
from ddpm_core.diffusion.model import Model
from ddpm_core.diffusion.noise import one_each, standard_normal
from ddpm_core.diffusion.prediction import EPS, V, clip_denoised, denoiser
from ddpm_core.recipes import config
from ddpm_core.sampler import ancestral, final
from ddpm_core.schedule import cosine, linear
from ddpm_core.storage import checkpoint
from ddpm_core.storage.files import read_tensors, write_tensors
from ddpm_core.training import optimizers, state
from ddpm_core.unet import UNet


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """A run of three steps on the digits, made once; tests that change it work on their own."""
    out = tmp_path_factory.mktemp("runs") / "digits"
    assert main(["train", "--device", "cpu", "--steps", "3", "--batch", "8", "--out", str(out)]) == 0
    return out


def short(*more, out):
    return main(["train", "--device", "cpu", "--batch", "8", "--out", str(out), *more])


def size(picture):
    with Image.open(picture) as opened:
        return opened.size


def failed(capsys, arguments):
    """Run a command that must fail; returns its one sentence."""
    capsys.readouterr()
    assert main([str(a) for a in arguments]) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if "error" in line.lower()]
    assert len(errors) == 1 and errors[0].startswith("error: ")
    return errors[0].removeprefix("error: ")


# ---- what works ------------------------------------------------------------------------------------------------


def test_training_leaves_a_checkpoint_and_a_picture(digits):
    names = ["config.json", "model.safetensors", "samples.png", "training.safetensors"]
    assert sorted(p.name for p in digits.iterdir()) == names
    trained = checkpoint.load(digits)
    assert trained.network.config["num_classes"] == 10 and trained.schedule.T == 1000
    about = trained.about
    assert about["size"] == [8, 8] and about["trained_steps"] == 3 and about["images_seen"] == 24
    assert about["data"] == "digits" and about["data_sha256"] == load().sha256 and about["seed"] == 0
    assert about["loss"] > 0 and about["minutes"] >= 0 and about["batch"] == 8 and about["device"]
    assert size(digits / "samples.png") == (10 * 34 - 2, 6 * 34 - 2)  # ten a row, each enlarged to 32 pixels, and a gap


def test_samples_come_as_arrays_with_their_labels(digits, tmp_path, capsys):
    out = tmp_path / "samples.npz"
    command = ["sample", str(digits), "--n", "13", "--steps", "2", "--seed", "1", "--out", str(out)]
    assert main(command) == 0
    assert "13 images, 2 steps of dpm, guidance 0, seed 1" in capsys.readouterr().out
    with np.load(out) as first:
        assert first["images"].shape == (13, 8, 8, 1) and first["images"].dtype == np.uint8
        assert first["labels"].tolist() == [*range(10), 0, 1, 2]
        images = first["images"]
    trained = checkpoint.load(digits)
    wanted = sampler.draw(trained, 13, labels=sampler.balanced_labels(13, 10), steps=2, seed=1)
    assert np.array_equal(images, wanted.permute(0, 2, 3, 1).numpy())
    for seed, same in (("1", True), ("2", False)):
        assert main([*command[:-3], seed, "--out", str(out)]) == 0
        with np.load(out) as again:
            assert np.array_equal(again["images"], images) == same


@pytest.fixture
def asked(monkeypatch):
    """(t, labels) of each call of a U-Net."""
    calls, plain = [], trainer.nn.Module.__call__

    def counted(self, *arguments, **keywords):
        if type(self).__name__ == "UNet":
            calls.append((arguments[1][0].item(), keywords.get("labels")))
        return plain(self, *arguments, **keywords)

    monkeypatch.setattr(trainer.nn.Module, "__call__", counted)
    return calls


@pytest.mark.parametrize("sampler", [name for name in sampler.SAMPLERS if name != "ddpm"])
def test_every_sampler_draws_every_label_with_guidance(digits, tmp_path, sampler, asked):
    out = tmp_path / "samples.npz"
    command = ["sample", digits, "--n", 3, "--steps", 4, "--sampler", sampler, "--label", 7, "--guidance", 1.5]
    assert main([str(a) for a in [*command, "--out", out]]) == 0
    with np.load(out) as drawn:
        assert drawn["labels"].tolist() == [7, 7, 7] and drawn["images"].shape == (3, 8, 8, 1)
    assert [t for t, labels in asked if labels is not None] == [1000, 750, 500, 250]
    assert [t for t, labels in asked if labels is None] == [1000, 750, 500, 250]
    assert all(labels.tolist() == [7, 7, 7] for _, labels in asked if labels is not None)


def test_ddpm_walks_all_steps_by_the_papers_algorithm(digits, tmp_path, asked):
    trained, out = replace(checkpoint.load(digits), schedule=cosine(4)), tmp_path / "samples.npz"
    checkpoint.save(tmp_path / "four", trained)
    command = ["sample", tmp_path / "four", "--n", 3, "--sampler", "ddpm", "--label", 7, "--guidance", 1.5]
    assert main([str(a) for a in [*command, "--device", "cpu", "--out", out]]) == 0
    assert [t for t, labels in asked if labels is not None] == [4, 3, 2, 1] == [t for t, said in asked if said is None]

    def told(x, t):
        return trained.network(x, t, labels=torch.full((3,), 7))

    mixed = guided(*(denoiser(net, trained.schedule, trained.prediction) for net in (told, trained.network)), 1.5)
    chance = one_each(0, 0, 3)
    x_T = standard_normal(torch.empty(3, 1, 8, 8), chance)
    wanted = to_uint8(final(ancestral(clip_denoised(mixed), trained.schedule, x_T, generator=chance)))
    with np.load(out) as drawn:
        assert drawn["labels"].tolist() == [7, 7, 7]
        assert np.array_equal(drawn["images"], wanted.permute(0, 2, 3, 1).numpy())


def test_a_checkpoint_that_says_next_to_nothing_draws_as_a_recipe_does(tmp_path, capsys):
    """By default 20 steps of dpm, or all that there are."""
    for T, steps in ((30, 20), (6, 6)):
        checkpoint.save(tmp_path, Model(UNet(1, (8,)), cosine(T), V, {"size": [8, 8]}))
        assert main(["sample", str(tmp_path), "--n", "2", "--device", "cpu", "--out", str(tmp_path / "s.npz")]) == 0
        assert f"2 images, {steps} steps of dpm, guidance 0, seed 0" in capsys.readouterr().out


def test_captions_have_to_come_from_somewhere(tmp_path, capsys):
    net = UNet(1, (8, 16), vocabulary=["a", "cat"])
    checkpoint.save(tmp_path, Model(net, cosine(6), V, {"size": [8, 8]}))
    command = ["sample", tmp_path, "--n", 2, "--device", "cpu", "--out", tmp_path / "s.npz"]
    assert "need a caption to draw by, as --prompt has it" in failed(capsys, command)
    assert main([str(a) for a in [*command, "--prompt", "a cat"]]) == 0


def test_samples_come_as_a_picture(digits, tmp_path):
    out = tmp_path / "new" / "grid.png"
    assert main(["sample", str(digits), "--n", "20", "--steps", "2", "--out", str(out)]) == 0
    assert size(out) == (10 * 34 - 2, 2 * 34 - 2) and [p.name for p in out.parent.iterdir()] == ["grid.png"]
    assert main(["sample", str(digits), "--n", "1", "--steps", "2", "--out", str(out)]) == 0
    assert size(out) == (32, 32)


def test_resuming_goes_on_where_the_run_stood(tmp_path, capsys):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert short("--steps", "4", out=whole) == 0
    interrupted_after(2, parts)
    assert "--resume" in capsys.readouterr().out
    assert short("--steps", "4", "--resume", out=parts) == 0
    assert "resuming" in capsys.readouterr().out
    a, b = (read_tensors(out / "model.safetensors")[0] for out in (whole, parts))
    assert a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)
    assert checkpoint.load(parts).about["trained_steps"] == 4
    assert (whole / "samples.png").read_bytes() == (parts / "samples.png").read_bytes()


def interrupted_after(step, out):
    """Ctrl-C in the loss of this step."""
    plain, calls = loss.training_loss, []

    def watched(*arguments, **keywords):
        calls.append(1)
        if len(calls) == step:
            os.kill(os.getpid(), signal.SIGINT)
        return plain(*arguments, **keywords)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loss, "training_loss", watched)
        assert short("--steps", "4", out=out) == 130
    assert checkpoint.load(out).about["trained_steps"] == step


def test_resuming_a_finished_run_changes_nothing(tmp_path, capsys):
    out = tmp_path / "digits"
    assert short("--steps", "2", out=out) == 0
    before = {p.name: p.read_bytes() for p in out.iterdir()}
    assert short("--steps", "2", "--resume", out=out) == 0
    assert {p.name: p.read_bytes() for p in out.iterdir()} == before
    assert "2 steps" in capsys.readouterr().out.splitlines()[-1]


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        (["--seed", "1"], "seed"),
        (["--lr", "0.1"], "lr"),
        (["--only", "3"], "data_sha256|only"),
        (["--optimizer", "adam"], r"optimizer to resume it, which is 'muon\(0\.02\)', but got 'adam'"),
    ],
)
def test_a_run_is_resumed_as_it_began_or_not_at_all(changed, word, tmp_path, capsys):
    out = tmp_path / "digits"
    assert short("--steps", "2", out=out) == 0
    before = {p.name: p.read_bytes() for p in out.iterdir()}
    assert short("--steps", "4", "--resume", *changed, out=out) == 2
    assert re.search(f"need the run's own ({word})", capsys.readouterr().err)
    assert {p.name: p.read_bytes() for p in out.iterdir()} == before


def test_a_gpu_without_room_for_the_samples_is_one_sentence(digits, tmp_path, capsys, monkeypatch):
    def no_room(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    monkeypatch.setattr("ddpm_core.sampler.draw_batches", no_room)
    assert main(["sample", str(digits), "--n", "4", "--out", str(tmp_path / "x.png")]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: need more memory than the GPU has") and said.count("\n") == 1
    assert not (tmp_path / "x.png").exists()


def test_a_run_stopped_before_its_first_report_keeps_the_loss_it_had(tmp_path, monkeypatch):
    """Resumed and interrupted at once: the checkpoint still tells the loss that the earlier one told."""
    out = tmp_path / "run"
    assert short("--steps", "40", out=out) == 0
    before = checkpoint.load(out).about["loss"]

    def stopped(*_, **__):
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(trainer, "run", stopped)
    assert short("--steps", "40", "--resume", out=out) == 130
    assert checkpoint.load(out).about["loss"] == before


def test_a_run_is_resumed_with_its_own_schedule_and_prediction(tmp_path, capsys, monkeypatch):
    out = tmp_path / "digits"
    assert short("--steps", "1", out=out) == 0
    before = {p.name: p.read_bytes() for p in out.iterdir()}
    command = ["train", "--device", "cpu", "--batch", 8, "--steps", 4, "--resume", "--out", out]
    digits = config.DIGITS
    monkeypatch.setattr(config, "DIGITS", replace(digits, schedule=linear(1000)))
    sentence = failed(capsys, command)
    assert re.search(r"need the run's own schedule .* which is Schedule\(T=1000, .*\), but got Schedule\(", sentence)
    monkeypatch.setattr(config, "DIGITS", replace(digits, predict=EPS))
    assert "need the run's own prediction to resume it, which is V, but got EPS" in failed(capsys, command)
    assert {p.name: p.read_bytes() for p in out.iterdir()} == before


def test_a_checkpoint_of_an_earlier_version_is_resumed(tmp_path, monkeypatch):
    """It was trained by Adam at uniform times, as all were then, and does not say so."""
    monkeypatch.setattr(
        config, "DIGITS", replace(config.DIGITS, optimizer=optimizers.adam, times=loss.sample_timesteps)
    )
    out = tmp_path / "digits"
    interrupted_after(2, out)
    tensors, header = read_tensors(out / "model.safetensors")
    description = json.loads(header["description"])
    for key in ("resident", "processes", "mixed_precision"):
        del description["about"][key]
    for key in ("optimizer", "times"):
        del description["about"]["settings"][key]
    write_tensors(out / "model.safetensors", tensors, {"description": json.dumps(description)})
    tensors, header = read_tensors(out / "training.safetensors")
    progress = json.loads(header["progress"])
    old = {"progress": json.dumps({k: progress[k] for k in ("step", "images", "seconds")})}
    write_tensors(out / "training.safetensors", tensors, old)
    assert short("--steps", "4", "--resume", out=out) == 0
    assert checkpoint.load(out).about["trained_steps"] == 4


def test_a_stop_within_a_step_leaves_the_checkpoint_before_it(tmp_path, capsys, monkeypatch):
    out, plain, calls = tmp_path / "digits", state.TrainState.__setattr__, []

    def stop_within(state, name, value):
        plain(state, name, value)
        if name == "consistent" and not value:
            calls.append(1)
            if len(calls) == 12:
                raise KeyboardInterrupt

    monkeypatch.setattr(state.TrainState, "__setattr__", stop_within)
    assert short("--steps", "20", "--save-every", "1e-9", out=out) == 130
    assert "the checkpoint before it stands" in capsys.readouterr().out
    assert checkpoint.load(out).about["trained_steps"] == 10


def test_a_second_run_moves_the_first_aside(tmp_path, capsys):
    out = tmp_path / "digits"
    for seed in ("0", "1", "2"):
        assert short("--steps", "1", "--seed", seed, out=out) == 0
    seeds = {folder.name: checkpoint.load(folder).about["seed"] for folder in tmp_path.iterdir()}
    assert seeds == {"digits-1": 0, "digits-2": 1, "digits": 2}
    assert f"it now lies in {out}-2" in capsys.readouterr().out


def test_one_class_is_trained_without_labels_and_other_data_by_their_path(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    colours = np.random.default_rng(0).integers(0, 256, (6, 9, 11, 3), dtype=np.uint8)
    np.savez(folder / "a.npz", images=colours, labels=np.array([0, 1, 1, 0, 1, 0]))
    assert short("--steps", "1", "--data", str(folder / "a.npz"), "--only", "1", out=tmp_path / "out") == 0
    trained = checkpoint.load(tmp_path / "out")
    assert trained.network.num_classes is None and trained.network.in_channels == 3
    assert trained.about["size"] == [10, 12] and trained.about["only"] == "1"  # padded to what the network halves
    assert trained.about["data"] == "mine/a.npz"  # and nothing of this machine's other folders
    assert main(["sample", str(tmp_path / "out"), "--n", "2", "--steps", "1", "--out", str(tmp_path / "s.npz")]) == 0
    with np.load(tmp_path / "s.npz") as drawn:
        assert drawn.files == ["images"] and drawn["images"].shape == (2, 10, 12, 3)


def test_minutes_end_a_run(tmp_path):
    assert short("--minutes", "0.02", out=tmp_path / "out") == 0
    about = checkpoint.load(tmp_path / "out").about
    assert about["trained_steps"] >= 1 and 0.02 <= about["minutes"] < 0.1


def test_checkpoints_are_kept_on_the_way(tmp_path, monkeypatch):
    saved = []
    plain = trainer.save
    monkeypatch.setattr(trainer, "save", lambda state, path: saved.append(state.step) or plain(state, path))
    assert short("--steps", "25", "--save-every", "1e-9", out=tmp_path / "out") == 0
    assert saved == [10, 20, 25, 25]


def weights(out):
    return read_tensors(out / "model.safetensors")[0]


def farthest(a, b):
    a, b = weights(a), weights(b)
    assert a.keys() == b.keys()
    return max((a[k] - b[k]).abs().max().item() for k in a)


@pytest.mark.parametrize(("parts", "checkpointing"), [(4, False), (1, True), (2, True)])
def test_less_memory_makes_the_same_model(parts, checkpointing, digits, tmp_path, monkeypatch):
    sizes, again, plain, saver = [], [], loss.training_loss, torch.utils.checkpoint.checkpoint
    monkeypatch.setattr(
        loss, "training_loss", lambda net, s, x0, *more: sizes.append(len(x0)) or plain(net, s, x0, *more)
    )
    monkeypatch.setattr("ddpm_core.unet.checkpoint", lambda *a, **k: again.append(1) or saver(*a, **k))
    options = ["--accumulate", str(parts), *["--checkpointing"] * checkpointing]
    assert short("--steps", "3", *options, out=tmp_path / "out") == 0
    assert sizes == [8 // parts] * 3 * parts and bool(again) == checkpointing
    assert farthest(digits, tmp_path / "out") < 1e-6


def test_a_batch_that_cannot_be_cut_up_so_leaves_the_earlier_run_where_it_is(digits, capsys):
    before = {p.name: p.read_bytes() for p in digits.iterdir()}
    command = ["train", "--device", "cpu", "--batch", 8, "--accumulate", 3, "--out", digits]
    assert "processes x accumulate = 1 x 3 parts can share, but got 8" in failed(capsys, command)
    assert {p.name: p.read_bytes() for p in digits.iterdir()} == before


def test_a_run_may_be_resumed_in_other_parts(digits, tmp_path):
    out = tmp_path / "digits"
    interrupted_after(2, out)
    assert short("--steps", "4", "--resume", "--accumulate", "2", out=out) == 0
    assert short("--steps", "4", out=tmp_path / "whole") == 0
    assert farthest(out, tmp_path / "whole") < 1e-6


def test_resident_images_make_another_run_of_the_same_kind(digits, tmp_path, capsys):
    out = tmp_path / "resident"
    assert short("--steps", "3", "--resident", out=out) == 0
    assert checkpoint.load(out).about["resident"] and 1e-6 < farthest(digits, out) < 1e-2
    assert "need the run's own resident to resume it, which is True, but got False" in failed(
        capsys, ["train", "--device", "cpu", "--batch", 8, "--steps", 4, "--resume", "--out", out]
    )


def test_compile_compiles_the_network_that_is_trained_and_nothing_else(digits, tmp_path, monkeypatch):
    """With a stand-in for the compiler, which takes a minute on a CPU: it hands the function back and counts calls."""
    calls = []

    def counted(function, *arguments, **keywords):
        def call(*a, **k):
            calls.append(getattr(function, "__self__", None))
            return function(*a, **k)

        return call

    monkeypatch.setattr(torch, "compile", counted)
    assert short("--steps", "3", "--compile", out=tmp_path / "out") == 0
    assert len(calls) == 1 + 3 and len({id(net) for net in calls[1:]}) == 1  # the trial, then a call a step
    assert farthest(digits, tmp_path / "out") == 0


def test_compile_is_left_out_where_it_does_not_work(digits, tmp_path, monkeypatch, capsys):
    def broken(*arguments, **keywords):
        raise RuntimeError("no compiler was found\nand more")

    monkeypatch.setattr(torch, "compile", broken)
    assert short("--steps", "3", "--compile", out=tmp_path / "out") == 0
    assert "--compile is left out, it does not work here: no compiler was found." in capsys.readouterr().out
    assert farthest(digits, tmp_path / "out") == 0


class Curves:
    """Stands in for TensorBoard's writer."""

    def __init__(self, folder, purge_step=None):
        self.folder, self.purge_step, self.points, self.open = folder, purge_step, [], True
        self.run_was_there = os.path.exists(os.path.join(os.path.dirname(folder), checkpoint.MODEL))

    def add_scalar(self, name, value, step):
        self.points.append((name, step, value))

    def close(self):
        self.open = False


def test_curves_are_logged_for_tensorboard(tmp_path, monkeypatch):
    made = []
    writer = types.SimpleNamespace(SummaryWriter=lambda *a, **k: made.append(Curves(*a, **k)) or made[-1])
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", writer)
    out, log = tmp_path / "digits", tmp_path / "digits" / "log"
    assert short("--steps", "1", out=out) == 0
    assert short("--steps", "25", "--log", str(log), out=out) == 0
    (curves,) = made
    assert (curves.folder, curves.purge_step, curves.open) == (str(log), None, False)
    assert not curves.run_was_there  # opened when the earlier run lay aside, not moved away with it
    values = {(name, step): value for name, step, value in curves.points}
    assert {step for _, step in values} == {10, 20, 25} and len(values) == len(curves.points) == 12
    assert values["lr", 10] == pytest.approx(config.DIGITS.lr * 0.1 * (0.02 + 0.98 * np.cos(np.pi * 9 / 50) ** 2))
    assert all(values[name, 20] > 0 for name in ("loss", "gradient", "images per second"))
    assert short("--steps", "27", "--resume", "--log", str(log), out=out) == 0
    assert made[1].purge_step == 26  # what an interrupted run drew beyond it is hidden


def test_a_log_without_tensorboard_says_what_to_install_and_touches_nothing(digits, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    before = {p.name: p.read_bytes() for p in digits.iterdir()}
    sentence = failed(capsys, ["train", "--device", "cpu", "--out", digits, "--log", digits / "log"])
    assert "pip install tensorboard" in sentence
    assert {p.name: p.read_bytes() for p in digits.iterdir()} == before


def test_fewer_images_than_a_batch_are_enough(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "three.npz", images=images)
    out = tmp_path / "out"
    assert (
        main(["train", "--device", "cpu", "--steps", "2", "--data", str(tmp_path / "three.npz"), "--out", str(out)])
        == 0
    )
    about = checkpoint.load(out).about
    assert about["batch"] == 64 and about["images_seen"] == 128


# ---- what stops ------------------------------------------------------------------------------------------------


def test_ctrl_c_saves_and_says_how_to_resume(tmp_path):
    out = tmp_path / "digits"
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    command = [
        sys.executable,
        "-m",
        "ddpm_core",
        "train",
        "--device",
        "cpu",
        "--steps",
        "100000",
        "--save-every",
        "0.05",
    ]
    process = subprocess.Popen(
        [*command, "--out", str(out)], env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        while process.poll() is None and not (out / "config.json").exists():  # it trains
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        printed, errors = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 130, errors
    assert "nothing is lost" in printed and "--resume" in printed and "Traceback" not in errors
    steps = json.loads(read_tensors(out / "training.safetensors")[1]["progress"])["step"]
    assert checkpoint.load(out).about["trained_steps"] == steps > 0 and f"step {steps}" in printed
    assert sorted(p.name for p in out.iterdir()) == ["config.json", "model.safetensors", "training.safetensors"]


def test_ctrl_c_while_drawing_ends_without_a_traceback(digits, tmp_path, monkeypatch):
    monkeypatch.setattr(sampler, "draw_batches", lambda *a, **k: os.kill(os.getpid(), signal.SIGINT) or time.sleep(5))
    assert main(["sample", str(digits), "--out", str(tmp_path / "s.png")]) == 130
    assert not (tmp_path / "s.png").exists()


def test_a_lost_loss_stops_names_the_step_and_keeps_the_last_checkpoint(tmp_path, capsys, monkeypatch):
    out, plain, calls = tmp_path / "digits", loss.training_loss, []

    def watched(*arguments, **keywords):
        calls.append(1)
        return plain(*arguments, **keywords) * (float("nan") if len(calls) == 14 else 1)

    monkeypatch.setattr(loss, "training_loss", watched)
    command = ["train", "--device", "cpu", "--steps", "40", "--batch", "8", "--save-every", "1e-9", "--out", out]
    sentence = failed(capsys, command)
    assert "the loss became nan at step 14." in sentence and f"{out} is the last good one" in sentence
    assert "--lr" in sentence
    assert checkpoint.load(out).about["trained_steps"] == 10
    assert all(w.isfinite().all() for w in read_tensors(out / "model.safetensors")[0].values())
    monkeypatch.undo()
    assert short("--steps", "12", "--resume", out=out) == 0


@pytest.mark.parametrize("at", [1, 14])
def test_a_step_that_does_not_fit_keeps_the_last_checkpoint_and_says_what_would_fit(at, tmp_path, capsys, monkeypatch):
    out, plain, calls = tmp_path / "digits", loss.training_loss, []

    def watched(*arguments, **keywords):
        calls.append(1)
        if len(calls) == at:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return plain(*arguments, **keywords)

    monkeypatch.setattr(loss, "training_loss", watched)
    command = ["train", "--device", "cpu", "--steps", "40", "--batch", "8", "--save-every", "1e-9", "--out", out]
    sentence = failed(capsys, command)
    assert f"need more memory at step {at} than cpu has: 8 images at once did not fit" in sentence
    assert all(setting in sentence for setting in ("--accumulate 2", "--checkpointing", "--batch"))
    if at == 1:
        assert "nothing was saved before" in sentence and not out.exists()
    else:
        assert f"{out} is the last good one" in sentence
        assert checkpoint.load(out).about["trained_steps"] == 10
        monkeypatch.undo()
        assert short("--steps", "12", "--resume", "--accumulate", "2", out=out) == 0


def test_a_loss_lost_before_the_first_checkpoint_says_so(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(loss, "training_loss", lambda net, s, x0, *rest: 0 * net(x0, rest[0]).mean() + float("inf"))
    sentence = failed(capsys, ["train", "--device", "cpu", "--steps", "3", "--data", "digits", "--out", tmp_path / "x"])
    assert "the loss became inf at step 1." in sentence and "nothing was saved before" in sentence
    assert not (tmp_path / "x").exists()


def test_a_full_disk_stops_with_one_sentence_and_the_last_checkpoint(tmp_path, capsys, monkeypatch):
    out = tmp_path / "digits"
    assert short("--steps", "2", out=out) == 0
    before = {p.name: p.read_bytes() for p in out.iterdir()}

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    sentence = failed(capsys, ["train", "--device", "cpu", "--batch", 8, "--steps", 4, "--resume", "--out", out])
    assert "No space left on device" in sentence
    assert {p.name: p.read_bytes() for p in out.iterdir()} == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--data", "nowhere"], "no such data"),
        (["train", "--only", "11"], "need one of the classes 0, 1, 2"),
        (["train", "--resume"], "need a checkpoint, but there is no file"),
        (["train", "--device", "cuda"], "'cuda' is not available; try --device cpu"),
        (["train", "--device", "abacus"], "'abacus' is not available"),
        (["train", "--device", "cpu", "--mixed-precision", "fp16"], "need a GPU for fp16, but this trains on cpu"),
        (
            ["train", "--device", "cpu", "--accumulate", "5"],
            "processes x accumulate = 1 x 5 parts can share, but got 64",
        ),
        (["sample", "nowhere"], "nowhere"),
        (["sample", "DIGITS", "--n", "0"], "need at least one image"),
        (["sample", "DIGITS", "--n", "-3"], "need at least one image"),
        (["sample", "DIGITS", "--n", "-3", "--label", "2"], "need at least one image"),
        (["sample", "DIGITS", "--steps", "1001"], "between 1 and T = 1000 steps, but got 1001"),
        (
            ["sample", "DIGITS", "--sampler", "ddpm", "--steps", "50"],
            "need all T = 1000 steps for the sampler ddpm, but",
        ),
        (["sample", "DIGITS", "--sampler", "euler"], "need one of the samplers dpm, ddim, ddim1, ddpm, but got"),
        (["train", "--recipe", "soup"], "need one of the recipes digits, fashion32, cars32, "),
        (["sample", "DIGITS", "--label", "10"], r"labels in 0..9"),
        (["sample", "DIGITS", "--label", "cat"], r"labels in 0..9"),
        (["sample", "DIGITS", "--device", "cuda"], "'cuda' is not available"),
        (["sample", "DIGITS", "--out", "samples.jpg"], "need --out to end in .npz or .png, but got samples.jpg"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_status_2(arguments, message, digits, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert message in failed(capsys, [digits if a == "DIGITS" else a for a in arguments])
    assert list(tmp_path.iterdir()) == []  # and nothing is left lying about


@pytest.mark.parametrize("name", ["runs/digitz", "runs/broken.safetensors"])
def test_the_hub_is_not_asked_for_what_is_mistyped_or_damaged_here(name, tmp_path, monkeypatch, capsys):
    fetched = []

    def fetch(*arguments, **keywords):
        fetched.append(arguments)
        raise OSError("no network")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", fetch)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "broken.safetensors").write_bytes(b"half a fi")
    assert name in failed(capsys, ["sample", name]) and fetched == []
    assert "the Hub did not give 'club/digits'" in failed(capsys, ["sample", "club/digits"])
    assert {(repository, file) for repository, file, *_ in fetched} >= {
        ("club/digits", "model.safetensors"), ("club/digits", "config.json"),
    }  # fmt: skip


def test_guidance_without_classes_is_refused(tmp_path, capsys):
    assert short("--steps", "1", "--only", "3", out=tmp_path / "threes") == 0
    sample = ["sample", tmp_path / "threes", "--out", tmp_path / "s.png"]
    assert "guidance pulls towards a label" in failed(capsys, [*sample, "--guidance", 2])
    assert "no classes to choose from" in failed(capsys, [*sample, "--label", 3])


def test_resuming_with_other_data_is_refused_and_leaves_the_run_alone(tmp_path, capsys):
    out = tmp_path / "digits"
    assert short("--steps", "1", out=out) == 0
    before = {p.name: p.read_bytes() for p in out.iterdir()}
    command = ["train", "--device", "cpu", "--steps", 4, "--only", 3, "--resume", "--out", out]
    assert "need the run's own only" in failed(capsys, command)
    assert {p.name: p.read_bytes() for p in out.iterdir()} == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--steps", "0"], "need a number above 0, but got 0"),
        (["train", "--steps", "many"], "invalid int value: 'many'"),
        (["train", "--minutes", "-1"], "need a number above 0"),
        (["train", "--minutes", "nan"], "need a number above 0"),
        (["train", "--steps", "3", "--minutes", "1"], "not allowed with argument"),
        (["train", "--lr", "0"], "need a number above 0"),
        (["train", "--accumulate", "0"], "need a number above 0, but got 0"),
        (["sample", "x", "--guidance", "nan"], "need a finite number, but got nan"),
        (["evaluate", "x", "--guidance", "inf"], "need a finite number, but got inf"),
        (["sample", "x", "--guidance", "much"], "invalid float value: 'much'"),
        (["paint"], "invalid choice: 'paint'"),
        ([], "required"),
    ],
)
def test_an_argument_that_cannot_be_is_exit_status_2(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    printed = capsys.readouterr().err
    assert caught.value.code == 2 and message in printed and printed.count("error: ") == 1


def test_the_module_runs_as_a_command():
    done = subprocess.run([sys.executable, "-m", "ddpm_core", "--help"], capture_output=True, text=True)
    assert done.returncode == 0 and "train" in done.stdout and "sample" in done.stdout
