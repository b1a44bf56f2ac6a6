"""The loop: repeatable, resumable bit for bit, whole after an interrupt, and loud when the loss is lost."""

import math
import os
import signal
import threading
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from ddpm_core import recipe, trainer
from ddpm_core.files import CheckpointError, read_tensors, write_tensors
from ddpm_core.predict import V
from ddpm_core.schedule import cosine
from ddpm_core.seeds import rows_at, seeded
from ddpm_core.unet import UNet

SCHEDULE = cosine(50)
IMAGES = torch.randint(0, 256, (20, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(20) % 3


def fresh(seed=0, **how):
    """A small U-Net with dropout, and what training needs."""
    torch.manual_seed(seed)
    net = UNet(1, (8, 16), num_classes=3, dropout=0.3)
    return trainer.start(net, device="cpu", warmup=4, **how)


def diffusion(state, steps, report_every=10, loss=None, images=IMAGES, seed=0):
    if state.step == 0:
        torch.manual_seed(0)  # dropout draws from the global generator
    batch_at = recipe.batches(images, LABELS, SCHEDULE, batch=8, seed=seed, label_drop=0.1)
    return trainer.run(state, batch_at, loss or recipe.objective(SCHEDULE, V), steps=steps, report_every=report_every)


def exhaust(steps):
    return list(steps)[-1]


def everything(state):
    """Weights, averages and the optimiser's moments, by name."""
    moments = state.optimizer.state_dict()["state"]
    return {
        **{f"net.{k}": v.clone() for k, v in state.net.state_dict().items()},
        **{f"ema.{k}": v.clone() for k, v in state.ema.state_dict().items()},
        **{f"adam.{i}.{k}": v.clone() for i, each in moments.items() for k, v in each.items()},
    }


def assert_same(a, b):
    a, b = everything(a), everything(b)
    assert a.keys() == b.keys() and len(a) > 200
    assert [name for name in a if not torch.equal(a[name], b[name])] == []


def line(weight=0.0, **how):
    """One weight w whose loss is (w - target)^2: small enough to follow by hand."""
    net = nn.Linear(1, 1, bias=False)
    nn.init.constant_(net.weight, weight)
    return trainer.start(net, device="cpu", **how)


def targets(*values):
    return lambda step: (torch.tensor([[values[step % len(values)]]]),)


def miss(net, target):
    return F.mse_loss(net(torch.ones_like(target)), target)


# ---- repeatable ------------------------------------------------------------------------------------------------


def test_a_run_repeated_with_one_seed_is_equal():
    runs = [fresh(), fresh(), fresh()]
    ends = [exhaust(diffusion(state, 12, seed=seed)) for state, seed in zip(runs, (0, 0, 1), strict=True)]
    assert_same(runs[0], runs[1])
    assert ends[0].loss == ends[1].loss != ends[2].loss


def test_a_resumed_run_equals_the_uninterrupted_one(tmp_path):
    whole, first, second = fresh(), fresh(), fresh(seed=99)
    exhaust(diffusion(whole, 12))
    for progress in diffusion(first, 12, report_every=5):
        trainer.save(first, tmp_path / "training.safetensors")
        assert progress.step == 5
        break
    torch.manual_seed(1234)  # another process starts elsewhere
    trainer.resume(second, tmp_path / "training.safetensors")
    assert (second.step, second.images) == (5, 40) and second.seconds == first.seconds
    assert_same(first, second)
    exhaust(diffusion(second, 12))
    assert_same(whole, second)
    assert second.step == 12 and second.images == 96


def test_saving_changes_nothing_and_says_how_far(tmp_path):
    state, plain = fresh(), fresh()
    for _ in diffusion(state, 6, report_every=2):
        trainer.save(state, tmp_path / "training.safetensors")
    exhaust(diffusion(plain, 6))
    assert_same(state, plain)
    _, about = read_tensors(tmp_path / "training.safetensors")
    assert '"step": 6' in about["progress"] and '"images": 48' in about["progress"]


@pytest.mark.parametrize(("n", "batch"), [(20, 8), (20, 5), (7, 16), (3, 3), (1, 4), (64, 1)])
def test_the_batches_take_each_example_once_an_epoch(n, batch):
    epochs = 6
    stream = torch.cat([rows_at(step, n, batch, seed=0) for step in range(-(-epochs * n // batch))])
    orders = stream[: epochs * n].reshape(epochs, n)
    assert (orders.sort(1).values == torch.arange(n)).all()
    if n > 6:
        assert len(orders.unique(dim=0)) == epochs  # shuffled anew


def test_a_batch_depends_on_the_seed_and_the_step_alone():
    first, other, again = (rows_at(7, 100, 8, seed) for seed in (1, 2, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(torch.cat([rows_at(k, 100, 8, 1) for k in (2, 3)]), rows_at(1, 100, 16, 1))


def test_seeded_streams_differ_for_each_combination_of_numbers():
    firsts = {torch.rand(1, generator=seeded(*key)).item() for key in [(1,), (2,), (1, 2), (2, 1), (12,), (1, 2, 0)]}
    assert len(firsts) == 6


# ---- the moving average and the learning rate ------------------------------------------------------------------


@pytest.mark.parametrize("decay", [0.999, 0.15])
def test_the_average_follows_its_formula(decay):
    """ema <- d ema + (1 - d) w, d = min(decay, (1 + k) / (10 + k)) after k updates; the first is a copy."""
    state, weights, wanted = line(ema_decay=decay, lr=0.1, warmup=1), [], 0.0

    def loss(net, target):
        weights.append(net.weight.item())
        return miss(net, target)

    for progress in trainer.run(state, targets(1.0, -2.0, 3.0), loss, steps=25, report_every=1):
        k = progress.step - 1  # updates before this one
        weight = state.net.weight.item()
        d = min(decay, (1 + k) / (10 + k))
        wanted = weight if k == 0 else d * wanted + (1 - d) * weight
        assert state.ema.module.weight.item() == pytest.approx(wanted, rel=1e-5, abs=1e-6)
    assert len(set(weights)) == 25
    assert (
        trainer.averaged(state).weight.item() == state.ema.module.weight.item() and not trainer.averaged(state).training
    )


def test_the_learning_rate_warms_up_and_falls_along_a_cosine():
    state, rates = line(lr=0.5, warmup=10), []

    def loss(net, target):
        rates.append(state.optimizer.param_groups[0]["lr"])
        return miss(net, target)

    exhaust(trainer.run(state, targets(1.0), loss, steps=100))
    fall = [0.02 + 0.98 * math.cos(math.pi * k / 200) ** 2 for k in range(100)]  # (1 + cos x) / 2 = cos^2(x / 2)
    wanted = [0.5 * min(1, (k + 1) / 10) * fall[k] for k in range(100)]
    assert rates == pytest.approx(wanted, rel=1e-12)
    assert rates[0] == 0.05 and max(rates) == rates[9] and rates[-1] < 0.03 * 0.5


def test_a_gradient_is_cut_to_length_one():
    state = line(lr=0.1, warmup=1)
    norms, step = [], state.optimizer.step

    def stepped(*arguments, **keywords):
        norms.append(state.net.weight.grad.norm().item())
        return step(*arguments, **keywords)

    state.optimizer.step = stepped
    exhaust(trainer.run(state, targets(1e4), miss, steps=3))
    assert norms == pytest.approx([1.0] * 3, rel=1e-4)


def test_training_learns():
    state = line(lr=0.1, warmup=1)
    progress = list(trainer.run(state, targets(0.7), miss, steps=150))
    assert progress[-1].loss < 1e-3 < progress[0].loss
    assert state.net.weight.item() == pytest.approx(0.7, abs=0.02)


# ---- progress --------------------------------------------------------------------------------------------------


def test_progress_reports_the_mean_loss_since_the_last_report():
    state, losses = line(lr=0.1), []

    def loss(net, target):
        value = miss(net, target)
        losses.append(value.item())
        return value

    reports = list(trainer.run(state, targets(1.0, 5.0), loss, steps=7, report_every=3))
    assert [(p.step, p.images) for p in reports] == [(3, 3), (6, 6), (7, 7)]
    assert [p.fraction for p in reports] == pytest.approx([3 / 7, 6 / 7, 1])
    means = [sum(losses[a:b]) / (b - a) for a, b in ((0, 3), (3, 6), (6, 7))]
    assert [p.loss for p in reports] == pytest.approx(means, rel=1e-6)
    assert 0 < reports[0].seconds < reports[1].seconds < reports[2].seconds


def test_minutes_end_a_run_and_fall_with_it():
    state = line(lr=0.1)
    last = exhaust(trainer.run(state, targets(1.0), miss, minutes=0.005))
    assert last.fraction == 1 and 0.3 <= last.seconds < 2
    assert state.optimizer.param_groups[0]["lr"] < 0.1 * 0.2


def test_what_the_caller_does_between_reports_is_not_training_time(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(trainer.time, "perf_counter", lambda: clock[0])

    def loss(net, target):
        clock[0] += 1
        return miss(net, target)

    seconds = []
    for progress in trainer.run(line(lr=0.1), targets(1.0), loss, steps=6, report_every=2):
        seconds.append(progress.seconds)
        clock[0] += 100
    assert seconds == [2, 4, 6]


def test_a_finished_run_does_nothing_more():
    state = line(lr=0.1)
    exhaust(trainer.run(state, targets(1.0), miss, steps=5))
    assert list(trainer.run(state, targets(1.0), miss, steps=5)) == [] and state.step == 5


def test_dropout_is_on_while_training_and_off_afterwards():
    state, modes = fresh(), []

    def loss(net, *batch):
        modes.append(net.training)
        return recipe.objective(SCHEDULE, V)(net, *batch)

    exhaust(diffusion(state, 2, loss=loss))
    assert modes == [True, True] and not state.net.training


@pytest.mark.parametrize("length", [{}, {"steps": 3, "minutes": 1.0}])
def test_a_run_needs_one_length(length):
    with pytest.raises(ValueError, match="either steps or minutes"):
        next(trainer.run(line(), targets(1.0), miss, **length))


# ---- when things go wrong --------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("at", [1, 7, 10, 11])
def test_a_loss_that_is_lost_stops_the_run_and_names_the_step(bad, at, tmp_path):
    state, calls, path = line(lr=0.1), [], tmp_path / "training.safetensors"

    def loss(net, target):
        calls.append(1)
        return miss(net, target) * (bad if len(calls) == at else 1)

    with pytest.raises(FloatingPointError, match=rf"the loss became {bad} at step {at}\."):
        for _ in trainer.run(state, targets(1.0), loss, steps=30, report_every=5):
            trainer.save(state, path)
    assert path.exists() == (at > 5)
    if path.exists():
        tensors, about = read_tensors(path)
        assert f'"step": {(at - 1) // 5 * 5}' in about["progress"]
        assert all(t.isfinite().all() for t in tensors.values())
        trainer.resume(line(), path)


@pytest.mark.parametrize("at", [1, 4, 12])
def test_an_interrupt_waits_for_the_step_and_leaves_a_whole_state(at, tmp_path):
    whole, state, resumed = fresh(), fresh(), fresh(seed=5)
    before, seen, plain = signal.getsignal(signal.SIGINT), [], recipe.objective(SCHEDULE, V)
    exhaust(diffusion(whole, 12))

    def loss(net, *batch):
        seen.append(1)
        if len(seen) == at:
            os.kill(os.getpid(), signal.SIGINT)
        return plain(net, *batch)

    with pytest.raises(KeyboardInterrupt):
        exhaust(diffusion(state, 12, loss=loss))
    assert state.step == len(seen) == at
    assert signal.getsignal(signal.SIGINT) is before
    trainer.save(state, tmp_path / "t.safetensors")
    torch.manual_seed(77)
    rest = list(diffusion(trainer.resume(resumed, tmp_path / "t.safetensors"), 12))
    assert (rest == []) == (at == 12)
    assert_same(whole, resumed)


def test_a_second_interrupt_acts_at_once():
    state = line(lr=0.1)

    def loss(net, target):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("the second Ctrl-C was held back")

    with pytest.raises(KeyboardInterrupt):
        exhaust(trainer.run(state, targets(1.0), loss, steps=3))
    assert state.step == 0


def test_an_abandoned_run_gives_ctrl_c_back():
    before = signal.getsignal(signal.SIGINT)
    steps = trainer.run(line(lr=0.1), targets(1.0), miss, steps=30)
    next(steps)
    assert signal.getsignal(signal.SIGINT) is not before
    steps.close()
    assert signal.getsignal(signal.SIGINT) is before


def test_training_runs_outside_the_main_thread():
    ends = []
    thread = threading.Thread(
        target=lambda: ends.append(exhaust(trainer.run(line(lr=0.1), targets(1.0), miss, steps=3)).step)
    )
    thread.start()
    thread.join()
    assert ends == [3]


@pytest.mark.parametrize("device", ["cuda", "cuda:1", "mps", "abacus"])
def test_a_device_that_is_not_there_is_refused(device, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ValueError, match=f"{device}.*try --device cpu"):
        trainer.start(nn.Linear(1, 1), device=device)


@pytest.fixture
def saved(tmp_path):
    state = fresh()
    exhaust(diffusion(state, 2))
    trainer.save(state, tmp_path / "training.safetensors")
    return tmp_path / "training.safetensors"


def changed(path, change):
    tensors, about = read_tensors(path)
    change(tensors, about)
    write_tensors(path, tensors, about)


@pytest.mark.parametrize(
    "change",
    [
        lambda tensors, about: tensors.pop("net.stem.weight"),
        lambda tensors, about: tensors.pop("ema.module.stem.weight"),
        lambda tensors, about: tensors.pop("ema.n_averaged"),
        lambda tensors, about: tensors.pop("adam.3.exp_avg"),
        lambda tensors, about: tensors.pop("rng"),
        lambda tensors, about: tensors.update({"net.stem.extra": torch.zeros(1)}),
        lambda tensors, about: tensors.update({"adam.0.exp_avg": torch.zeros(3)}),
        lambda tensors, about: tensors.update({"adam.999.exp_avg": torch.zeros(3)}),
        lambda tensors, about: about.pop("progress"),
        lambda tensors, about: about.update(progress="{}"),
        lambda tensors, about: about.update(progress="not json"),
    ],
)
def test_a_training_file_with_missing_or_foreign_parts_is_refused(change, saved):
    changed(saved, change)
    with pytest.raises(CheckpointError, match="need a checkpoint of this very network"):
        trainer.resume(fresh(), saved)


def test_a_training_file_of_another_network_is_refused(saved):
    wider = trainer.start(UNet(1, (16, 24), num_classes=3), device="cpu")
    with pytest.raises(CheckpointError, match="need a checkpoint of this very network") as caught:
        trainer.resume(wider, saved)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500


def test_a_training_file_that_is_missing_or_cut_off_is_refused(saved):
    with pytest.raises(CheckpointError, match="there is no file"):
        trainer.resume(fresh(), saved.with_name("nothing"))
    saved.write_bytes(saved.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="truncated or damaged"):
        trainer.resume(fresh(), saved)


def test_labels_are_hidden_in_the_stated_share():
    hidden = torch.cat(
        [recipe.batches(IMAGES, LABELS, SCHEDULE, batch=50, label_drop=0.2)(step)[3] == 3 for step in range(100)]
    )
    assert abs(hidden.double().mean() - 0.2) < 4.5 * math.sqrt(0.2 * 0.8 / 5000)
    shown = partial(recipe.batches, IMAGES, LABELS, SCHEDULE, batch=50)
    assert (shown(label_drop=0.0)(0)[3] < 3).all() and (shown(label_drop=1.0, no_label=7)(0)[3] == 7).all()
