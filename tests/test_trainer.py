"""The loop: repeatable, resumable bit for bit, whole after an interrupt, and loud when the loss is lost."""

import json
import math
import os
import signal
import threading
import weakref
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from accelerate.optimizer import AcceleratedOptimizer
from torch import nn

from ddpm_core import data, trainer
from ddpm_core.data import rows_at
from ddpm_core.diffusion.loss import objective
from ddpm_core.diffusion.noise import seeded
from ddpm_core.diffusion.prediction import V
from ddpm_core.schedule import cosine
from ddpm_core.storage.files import CheckpointError, read_tensors, write_tensors
from ddpm_core.training import devices
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
    batch_at = data.batches(images, SCHEDULE, batch=8, seed=seed, label_drop=0.1, labels=LABELS)
    return trainer.run(state, batch_at, loss or objective(SCHEDULE, V), steps=steps, report_every=report_every)


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


def exact(batch=8, **how):
    """A run in float64, without dropout, so that only rounding at the sixteenth digit is left to differ:
    (state, go) with go(steps, ...) -> its reports."""
    torch.manual_seed(0)
    state = trainer.start(UNet(1, (8, 16), num_classes=3).double(), device="cpu", warmup=4, **how)
    batch_at, plain = data.batches(IMAGES, SCHEDULE, batch=batch, labels=LABELS), objective(SCHEDULE, V)

    def doubled(net, x0, t, eps, labels):
        return plain(net, x0.double(), t, eps.double(), labels)

    def go(steps, loss=doubled, **more):
        return list(trainer.run(state, batch_at, loss, steps=steps, report_every=1, **more))

    return state, go, doubled


def assert_close(a, b, atol):
    a, b = everything(a), everything(b)
    assert a.keys() == b.keys()
    assert max((a[name] - b[name]).abs().max().item() for name in a) < atol


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
        trainer.ema_model(state).weight.item() == state.ema.module.weight.item()
        and not trainer.ema_model(state).training
    )


def shares(n, decay):
    """How much each of the weights of n steps counts in the average that the trainer keeps: (n,).

    A weight that is one-hot in the step that it belongs to writes its own share down.
    """
    state = trainer.start(nn.Linear(n, 1, bias=False).double(), device="cpu", ema_decay=decay)
    for step in range(n):
        with torch.no_grad():
            state.net.weight.copy_(torch.eye(n)[step : step + 1])
        state.ema.update_parameters(state.net)
    return trainer.ema_model(state).weight.detach()[0]


def test_without_its_warm_up_the_average_forgets_geometrically():
    """Past the warm-up, in a short memory: (1 - d) d^(n - j), on average d / (1 - d) steps back."""
    d, n = 0.5, 400
    j = torch.arange(1, n + 1, dtype=torch.float64)
    assert torch.allclose(shares(n, d), (1 - d) * d ** (n - j), atol=1e-12)
    assert (n - (shares(n, d) * j).sum()).item() == pytest.approx(d / (1 - d), rel=1e-6)


def test_in_its_warm_up_the_average_is_centred_a_tenth_of_the_run_back():
    """9 (j + 1) ... (j + 8) / ((n + 1) ... (n + 9)) for step j of n, but for the copy at the first step."""
    for n in (30, 300):
        j = torch.arange(1, n + 1, dtype=torch.float64)
        wanted = 9 / (n + 9) * torch.stack([(j + i) / (n + i) for i in range(1, 9)]).prod(0)
        counted = shares(n, 0.999)
        assert torch.allclose(counted[1:], wanted[1:], rtol=1e-9)
        assert counted.sum().item() == pytest.approx(1, rel=1e-12)
        assert (counted * j).sum().item() == pytest.approx(0.9 * n, abs=1e-5)


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


def test_a_constant_rate_stays_after_the_warm_up():
    state, rates = line(lr=0.5, warmup=10), []

    def loss(net, target):
        rates.append(state.optimizer.param_groups[0]["lr"])
        return miss(net, target)

    exhaust(trainer.run(state, targets(1.0), loss, steps=30, decay=trainer.no_decay))
    assert rates == pytest.approx([0.05 * (k + 1) for k in range(10)] + [0.5] * 20, rel=1e-12)
    assert (
        trainer.cosine_decay(0) == 1
        and trainer.cosine_decay(1) == pytest.approx(0.02)
        and trainer.cosine_decay(0.5) == 0.51
    )


def test_a_step_is_adams():
    """m and s by hand, their start in zero made up for; the first step has the length of the learning rate."""
    state, m, s, wanted = line(lr=0.1, warmup=1), 0.0, 0.0, 0.0
    aims = (0.3, -0.1, 0.2)  # near enough that no gradient is cut
    run = trainer.run(state, targets(*aims), miss, steps=12, report_every=1, decay=trainer.no_decay)
    for k, _ in enumerate(run, start=1):
        g = 2 * (wanted - aims[(k - 1) % 3])
        assert abs(g) < 1
        m, s = 0.9 * m + 0.1 * g, 0.99 * s + 0.01 * g**2
        wanted -= 0.1 * (m / (1 - 0.9**k)) / (math.sqrt(s / (1 - 0.99**k)) + 1e-8)
        assert state.net.weight.item() == pytest.approx(wanted, rel=1e-4, abs=1e-6)
        assert k > 1 or wanted == pytest.approx(0.1, rel=1e-6)


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


# ---- the same step in less memory --------------------------------------------------------------------------------


@pytest.mark.parametrize("parts", [2, 4, 8])
def test_a_batch_in_parts_makes_the_same_steps(parts):
    (whole, go), (state, go_in_parts) = exact()[:2], exact()[:2]
    reports = [(p.loss, p.grad_norm) for p in go(5)]
    divided = [(p.loss, p.grad_norm) for p in go_in_parts(5, accumulate=parts)]
    assert divided == [pytest.approx(pair, rel=1e-12) for pair in reports]
    assert_close(whole, state, 1e-10)
    assert (state.step, state.images) == (5, 40)


def test_in_single_precision_parts_differ_by_rounding_alone():
    torch.manual_seed(0)
    net, ends = UNet(1, (8, 16), num_classes=3), []
    start = {k: v.clone() for k, v in net.state_dict().items()}
    for parts in (1, 4):
        net.load_state_dict(start)
        state = trainer.start(net, device="cpu")
        batch_at = data.batches(IMAGES, SCHEDULE, batch=8, labels=LABELS)
        exhaust(trainer.run(state, batch_at, objective(SCHEDULE, V), steps=1, accumulate=parts))
        ends.append({k: v.clone() for k, v in net.state_dict().items()})
    assert max((ends[0][k] - ends[1][k]).abs().max().item() for k in start) < 1e-6
    assert max((ends[0][k] - start[k]).abs().max().item() for k in start) > 1e-5


def test_the_parts_are_the_batch_each_row_once():
    seen, state = [], line()

    def loss(net, rows):
        seen.append(rows[:, 0].tolist())
        return miss(net, rows)

    exhaust(trainer.run(state, lambda step: (torch.arange(12.0)[:, None],), loss, steps=1, accumulate=3))
    assert [len(part) for part in seen] == [4, 4, 4] and sorted(row for part in seen for row in part) == list(range(12))
    assert state.images == 12


@pytest.mark.parametrize("parts", [3, 16, 0, -1])
def test_a_batch_that_the_parts_do_not_divide_is_refused(parts):
    state, go, _ = exact()
    with pytest.raises(ValueError, match=f"processes x accumulate = 1 x {parts} parts can share, but got 8"):
        go(5, accumulate=parts)
    assert state.step == 0


def test_an_empty_batch_is_refused():
    state = line()
    with pytest.raises(ValueError, match="parts can share, but got 0"):
        next(trainer.run(state, lambda step: (torch.zeros(0, 1),), miss, steps=1))
    assert state.step == 0


def test_what_a_launcher_says_of_accumulation_changes_nothing(monkeypatch):
    monkeypatch.setenv("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "4")
    state, go, _ = exact()
    monkeypatch.undo()
    plain, go_plain, _ = exact()
    assert [p.grad_norm for p in go(2)] == [p.grad_norm for p in go_plain(2)]
    assert_same(state, plain)


def out_of_memory(kind):
    """The errors as machines raise them; "cpu" asks for an exabyte."""
    if kind == "cpu":
        torch.empty(1 << 60, dtype=torch.uint8)
    raise {"gpu": torch.OutOfMemoryError("CUDA out of memory."), "python": MemoryError()}[kind]


@pytest.mark.parametrize("kind", ["cpu", "gpu", "python"])
def test_a_step_that_does_not_fit_names_what_would_and_leaves_the_state_as_it_was(kind):
    (whole, go), (state, tight, plain) = exact()[:2], exact()
    go(4)
    calls, held = [], []

    def loss(net, *batch):
        calls.append(1)
        value = plain(net, *batch)
        if len(calls) == 6:  # the second half of the third step: half a gradient is there
            held.append(weakref.ref(value))
            out_of_memory(kind)
        return value

    with pytest.raises(MemoryError, match=r"need more memory at step 3 than cpu has: 4 images at once") as caught:
        tight(4, loss=loss, accumulate=2)
    for setting in ("accumulate=4 (--accumulate 4) takes 2 ", "--checkpointing", "a batch below 8 (--batch)"):
        assert setting in str(caught.value)
    assert "\n" not in str(caught.value) and state.step == 2 and state.consistent
    assert held[0]() is None  # what the step held is free, although the error still stands
    tight(4, accumulate=4)
    assert_close(whole, state, 1e-10)


def test_one_image_that_does_not_fit_is_not_cut_up():
    state, go, _ = exact(batch=2)
    with pytest.raises(MemoryError, match=r"1 image at once did not fit; net\.checkpointing"):
        go(1, loss=lambda *batch: out_of_memory("gpu"), accumulate=2)
    state = line()
    with pytest.raises(MemoryError, match="not even the batch itself"):
        next(trainer.run(state, lambda step: out_of_memory("python"), miss, steps=1))


def test_another_runtime_error_is_left_as_it_is():
    def loss(net, target):
        raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match=r"^shapes do not fit$"):
        next(trainer.run(line(), targets(1.0), loss, steps=1))


# ---- mixed precision -------------------------------------------------------------------------------------------


def scaled(state, scaler):
    """The state as fp16 makes it on a GPU: its loss multiplied by a scale, its gradient divided again."""
    state.accelerator.scaler = scaler
    state.optimizer = AcceleratedOptimizer(state.optimizer.optimizer, scaler=scaler)
    state.accelerator.unscale_gradients = lambda: scaler.unscale_(state.optimizer.optimizer)
    return state


def test_a_run_whose_gradients_overflow_is_the_run_whose_gradients_do_not():
    """A scale of 2^127 overflows until it has been halved far enough. Powers of two round nothing, so if the weights,
    Adam's moments, the average, the steps and the batches are left alone meanwhile, the ends are equal bit for bit."""
    plain, seen = line(lr=0.1, warmup=1), []
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**127)
    state = scaled(line(lr=0.1, warmup=1), scaler)
    wanted = list(trainer.run(plain, targets(100.0, -50.0), miss, steps=20, report_every=1))

    def counted(net, target):
        seen.append(target.item())
        return miss(net, target)

    got = list(trainer.run(state, targets(100.0, -50.0), counted, steps=20, report_every=1))
    assert scaler.get_scale() < 2.0**125 and len(seen) == 20 + 127 - math.log2(scaler.get_scale())
    assert [(p.step, p.images, p.loss, p.lr, p.grad_norm) for p in got] == [
        (p.step, p.images, p.loss, p.lr, p.grad_norm) for p in wanted
    ]
    for key, value in everything(plain).items():
        assert torch.equal(value, everything(state)[key]), key


def test_a_scale_that_collapses_stops_the_run_and_says_so(tmp_path):
    calls, state = [], scaled(line(), torch.amp.GradScaler("cpu"))

    def loss(net, target):
        calls.append(1)
        slope = (0 * net.weight).abs().sqrt().sum()  # 0, and its gradient not a number, whatever the scale
        return miss(net, target) + (slope if len(calls) > 5 else 0)

    with pytest.raises(FloatingPointError, match=r"fp16 gradient overflowed 20 times in a row at step 6.*of 0\.0625;"):
        list(trainer.run(state, targets(1.0), loss, steps=30))
    assert state.step == 5 and len(calls) == 25 and state.consistent
    trainer.save(state, tmp_path / "training.safetensors")  # its weights are sound


def test_a_loss_that_is_lost_in_half_precision_is_not_taken_for_an_overflow():
    state = scaled(line(), torch.amp.GradScaler("cpu"))
    with pytest.raises(FloatingPointError, match=r"the loss became nan at step 1\."):
        list(trainer.run(state, targets(1.0), lambda net, target: miss(net, target) * math.nan, steps=30))


def test_the_precision_that_pays(monkeypatch):
    said = []
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: said.append(including_emulation))
    assert devices.best_precision("cuda") == "fp16" and said == [False]  # a T4 imitates bf16, slowly
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    assert devices.best_precision("cuda") == devices.check_precision("auto", "cuda") == "bf16"
    assert devices.best_precision("cpu") == devices.check_precision("auto", "cpu") == "no"
    assert devices.check_precision("fp16", "cuda") == "fp16"
    assert line(mixed_precision="auto").accelerator.mixed_precision == "no"
    with pytest.raises(ValueError, match="need a GPU for fp16, but this trains on cpu"):
        line(mixed_precision="fp16")


def test_a_compiler_that_fails_is_known_before_the_training(monkeypatch):
    def broken(function):
        raise RuntimeError("\n no C++ compiler was found.\nmore of that")

    monkeypatch.setattr(torch, "compile", broken)
    assert devices.why_not_compile("cpu") == "no C++ compiler was found"
    monkeypatch.setattr(torch, "compile", lambda function: function)
    assert devices.why_not_compile("cpu") is None


# ---- batches ---------------------------------------------------------------------------------------------------


def test_a_batch_larger_than_the_data_meets_each_image_anew():
    """Three images and a batch of eight: each two or three times, always with a time and a noise of its own."""
    for step in range(4):
        x0, t, eps = data.batches(IMAGES[:3], SCHEDULE, batch=8)(step)
        times = [int((x0 == one).flatten(1).all(1).sum()) for one in IMAGES[:3].float() / 127.5 - 1]
        assert sorted(times) in ([2, 3, 3], [2, 2, 4]) and sum(times) == 8
        assert len(t.unique()) == len(eps.unique(dim=0)) == 8


def test_batches_made_on_the_device_differ_in_their_noise_alone():
    """On the CPU, which is a device as well: the same images, times and labels; another normal stream."""
    make = partial(data.batches, IMAGES, SCHEDULE, labels=LABELS, batch=16, flips=True)
    usual, there, other = make(), make(device="cpu"), make(device="cpu", seed=1)
    assert [torch.equal(a, b) for a, b in zip(usual(5), there(5), strict=True)] == [True, True, False, True]
    assert torch.equal(there(5)[2], make(device="cpu")(5)[2])
    draws = torch.cat([b(step)[2].flatten() for b in (there, other) for step in range(40)])
    assert len(draws.unique()) > 0.99 * len(draws)  # no stream repeats another
    n = len(draws)
    assert draws.mean().abs() < 4.5 / n**0.5 and (draws.var() - 1).abs() < 4.5 * (2 / n) ** 0.5


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


def test_progress_tells_the_learning_rate_and_the_length_of_the_gradient():
    state, rates, lengths = line(lr=0.1, warmup=3), [], []

    def loss(net, target):
        rates.append(state.optimizer.param_groups[0]["lr"])
        lengths.append(2 * abs(net.weight.item() - target.item()))  # d/dw (w - target)^2, before it is cut
        return miss(net, target)

    reports = list(trainer.run(state, targets(5.0, -7.0), loss, steps=6, report_every=2))
    assert [p.lr for p in reports] == [rates[1], rates[3], rates[5]]
    assert [p.grad_norm for p in reports] == pytest.approx([sum(lengths[k : k + 2]) / 2 for k in (0, 2, 4)], rel=1e-5)


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
        return objective(SCHEDULE, V)(net, *batch)

    exhaust(diffusion(state, 2, loss=loss))
    assert modes == [True, True] and not state.net.training


@pytest.mark.parametrize("length", [{}, {"steps": 3, "minutes": 1.0}])
def test_a_run_needs_one_length(length):
    with pytest.raises(ValueError, match="either steps or minutes"):
        trainer.run(line(), targets(1.0), miss, **length)


@pytest.mark.parametrize("unit", ["steps", "minutes"])
@pytest.mark.parametrize("length", [0, -5, math.nan])
def test_a_length_that_cannot_be_is_refused_at_once(unit, length):
    with pytest.raises(ValueError, match=r"above 0|need (steps|minutes) as"):
        trainer.run(line(), targets(1.0), miss, **{unit: length})


def test_a_run_that_never_reports_is_refused():
    with pytest.raises(ValueError, match="report_every=0"):
        trainer.run(line(), targets(1.0), miss, steps=3, report_every=0)


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


def test_a_step_whose_loss_is_lost_is_not_made():
    """On a CPU, however seldom the run reports: weights and average are those before it."""
    state, calls, before = line(lr=0.1), [], []

    def loss(net, target):
        calls.append(1)
        before[:] = [net.weight.detach().clone(), state.ema.module.weight.clone()]
        return miss(net, target) * (math.nan if len(calls) == 3 else 1)

    with pytest.raises(FloatingPointError, match="at step 3"):
        list(trainer.run(state, targets(1.0), loss, steps=30, report_every=30))
    assert state.step == 2 and state.consistent
    assert torch.equal(state.net.weight, before[0]) and torch.equal(state.ema.module.weight, before[1])


def test_a_gradient_that_is_lost_while_the_loss_is_not_stops_the_run():
    def loss(net, target):
        return miss(net, target) + (0 * net.weight).abs().sqrt().sum()  # 0, of slope 0 / 0

    with pytest.raises(FloatingPointError, match=r"the gradient's length became nan at step 1\."):
        list(trainer.run(line(), targets(1.0), loss, steps=3))


@pytest.mark.parametrize(
    ("at", "number"), [(1, signal.SIGINT), (4, signal.SIGINT), (12, signal.SIGINT), (4, signal.SIGTERM)]
)
def test_an_interrupt_waits_for_the_step_and_leaves_a_whole_state(at, number, tmp_path):
    whole, state, resumed = fresh(), fresh(), fresh(seed=5)
    before, seen, plain = signal.getsignal(number), [], objective(SCHEDULE, V)
    exhaust(diffusion(whole, 12))

    def interrupting(net, *batch):
        seen.append(1)
        if len(seen) == at:
            os.kill(os.getpid(), number)
        return plain(net, *batch)

    with pytest.raises(KeyboardInterrupt):
        exhaust(diffusion(state, 12, loss=interrupting))
    assert state.step == len(seen) == at
    assert signal.getsignal(number) is before
    trainer.save(state, tmp_path / "t.safetensors")
    torch.manual_seed(77)
    rest = list(diffusion(trainer.resume(resumed, tmp_path / "t.safetensors"), 12))
    assert (rest == []) == (at == 12)
    assert_same(whole, resumed)


def test_a_signal_that_the_process_ignores_stays_ignored():
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def loss(net, target):
        os.kill(os.getpid(), signal.SIGTERM)
        return miss(net, target)

    try:
        state = exhaust(trainer.run(line(lr=0.1), targets(1.0), loss, steps=3))
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)
    assert state.step == 3


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


def test_a_run_goes_on_with_its_own_batch_or_not_at_all(saved):
    state = trainer.resume(fresh(), saved)
    assert state.batch == 8
    batch_at = data.batches(IMAGES, SCHEDULE, batch=4, labels=LABELS)
    with pytest.raises(ValueError, match="need batches of 8 images, as this run began with, but got 4"):
        next(trainer.run(state, batch_at, objective(SCHEDULE, V), steps=4))
    assert state.step == 2
    batch_at = data.batches(IMAGES, SCHEDULE, batch=8, labels=LABELS)
    assert exhaust(trainer.run(state, batch_at, objective(SCHEDULE, V), steps=4, accumulate=2)).step == 4


def test_a_run_goes_on_with_its_own_number_of_processes_or_not_at_all(saved):
    def of_two(tensors, about):
        about["progress"] = json.dumps(json.loads(about["progress"]) | {"processes": 2})

    changed(saved, of_two)
    with pytest.raises(CheckpointError, match="need the run's own number of processes, which is 2, but got 1"):
        trainer.resume(fresh(), saved)


def test_a_training_file_from_before_batches_were_noted_still_loads(saved):
    def old(tensors, about):
        progress = json.loads(about["progress"])
        about["progress"] = json.dumps({k: progress[k] for k in ("step", "images", "seconds")})

    changed(saved, old)
    state = trainer.resume(fresh(), saved)
    assert state.batch is None and exhaust(diffusion(state, 3)).step == 3


def test_a_training_file_of_another_network_is_refused(saved):
    wider = trainer.start(UNet(1, (16, 24), num_classes=3), device="cpu")
    before = everything(wider)
    with pytest.raises(CheckpointError, match="need a checkpoint of this very network") as caught:
        trainer.resume(wider, saved)
    sentence = str(caught.value)
    assert sentence.endswith("is of another: its time.1.weight is (32, 8), this network's is (64, 16).")
    assert "\n" not in sentence and wider.step == 0
    assert all(torch.equal(value, before[name]) for name, value in everything(wider).items())  # nothing half loaded
    without = trainer.start(UNet(1, (8, 16), dropout=0.3), device="cpu")
    with pytest.raises(CheckpointError, match=r"its label\.weight is \(4, 32\), this network's is missing"):
        trainer.resume(without, saved)


def test_a_training_file_that_is_missing_or_cut_off_is_refused(saved):
    with pytest.raises(CheckpointError, match="there is no file"):
        trainer.resume(fresh(), saved.with_name("nothing"))
    saved.write_bytes(saved.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="truncated or damaged"):
        trainer.resume(fresh(), saved)


def test_labels_are_hidden_in_the_stated_share():
    hidden = torch.cat(
        [data.batches(IMAGES, SCHEDULE, batch=50, label_drop=0.2, labels=LABELS)(step)[3] == 3 for step in range(100)]
    )
    assert abs(hidden.double().mean() - 0.2) < 4.5 * math.sqrt(0.2 * 0.8 / 5000)
    shown = partial(data.batches, IMAGES, SCHEDULE, labels=LABELS, batch=50)
    assert (shown(label_drop=0.0)(0)[3] < 3).all() and (shown(label_drop=1.0, no_label=7)(0)[3] == 7).all()


# ---- what comes out --------------------------------------------------------------------------------------------


def test_the_model_is_the_averaged_network_and_knows_the_size_of_its_images(tmp_path):
    state = fresh()
    with pytest.raises(ValueError, match=r"need a network that has seen a batch, or its image size"):
        trainer.model(state, SCHEDULE, V)
    assert trainer.model(state, SCHEDULE, V, {"size": [4, 6]}).about["size"] == [4, 6]
    exhaust(diffusion(state, 2))
    model = trainer.model(state, SCHEDULE, V, {"seed": 3})
    assert model.network is trainer.ema_model(state) and not model.network.training
    assert model.schedule is SCHEDULE and model.prediction is V
    assert model.about == {"size": list(IMAGES.shape[2:]), "seed": 3}
    trainer.save(state, tmp_path / "t.safetensors")
    again = trainer.resume(fresh(seed=5), tmp_path / "t.safetensors")
    assert trainer.model(again, SCHEDULE, V).about == {"size": list(IMAGES.shape[2:])}


def test_a_step_that_a_second_interrupt_cuts_short_draws_its_dropout_again(tmp_path):
    """The weights are those before it, and so are the random numbers: taken again, it is the same step."""
    whole, state, calls, plain = fresh(), fresh(), [], objective(SCHEDULE, V)
    exhaust(diffusion(whole, 6))

    def interrupting(net, *batch):
        value = plain(net, *batch)  # which has drawn the masks of dropout
        calls.append(1)
        if len(calls) == 3:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
        return value

    with pytest.raises(KeyboardInterrupt):
        exhaust(diffusion(state, 6, loss=interrupting))
    assert state.step == 2 and state.consistent
    trainer.save(state, tmp_path / "t.safetensors")
    resumed = trainer.resume(fresh(seed=5), tmp_path / "t.safetensors")
    exhaust(diffusion(resumed, 6))
    assert_same(whole, resumed)
