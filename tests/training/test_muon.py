"""Muon: what an orthogonal update is, that ours is the published one, and that its runs are like any other's."""

import json
import math
import os
import signal
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from accelerate.optimizer import AcceleratedOptimizer
from torch import nn

from ddpm_core import data, trainer
from ddpm_core.cli import main
from ddpm_core.diffusion.loss import objective
from ddpm_core.diffusion.prediction import V
from ddpm_core.networks.ddpm_unet import DDPMUNet
from ddpm_core.networks.mlp import MLP
from ddpm_core.recipes import config, recipes
from ddpm_core.schedule import cosine
from ddpm_core.storage.files import CheckpointError, read_tensors, write_tensors
from ddpm_core.training import optimizers
from ddpm_core.training.muon import Muon, as_matrix, inner_matrices, orthogonalised, orthogonaliser, stretched
from ddpm_core.training.optimizers import muon
from ddpm_core.unet import UNet

SCHEDULE = cosine(50)
IMAGES = torch.randint(0, 256, (20, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(20) % 3
SHAPES = [(1, 1), (1, 7), (7, 1), (8, 8), (8, 72), (96, 32), (64, 128), (33, 64)]


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def noise(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def rotation(n):
    return torch.linalg.qr(noise(n, n))[0]


def fresh(seed=0, optimizer=None, **how):
    """A small U-Net and what training needs."""
    torch.manual_seed(seed)
    net = UNet(1, (8, 16), num_classes=3, dropout=0.3)
    return trainer.start(net, optimizer=optimizer or muon(0.02), device="cpu", warmup=4, **how)


def go(state, steps, loss=None, **how):
    if state.step == 0:
        torch.manual_seed(0)  # dropout draws from the global generator
    batch_at = data.batches(IMAGES, SCHEDULE, batch=8, seed=0, label_drop=0.1, labels=LABELS)
    return list(trainer.run(state, batch_at, loss or objective(SCHEDULE, V), steps=steps, report_every=1, **how))


def everything(state):
    """Weights, averages and what the optimiser remembers, by name."""
    moments = state.optimizer.state_dict()["state"]
    return {
        **{f"net.{k}": v.clone() for k, v in state.net.state_dict().items()},
        **{f"ema.{k}": v.clone() for k, v in state.ema.state_dict().items()},
        **{f"muon.{i}.{k}": v.clone() for i, each in moments.items() for k, v in each.items()},
    }


def assert_same(a, b):
    a, b = everything(a), everything(b)
    assert a.keys() == b.keys() and len(a) > 200
    assert [name for name in a if not torch.equal(a[name], b[name])] == []


def stepped(weights, gradients, kind=None, **how):
    """The weights after as many steps as there are gradients for each."""
    weights = [nn.Parameter(w.clone()) for w in weights]
    optimizer = (kind or partial(Muon, others=[]))(weights, **how)
    for step in gradients:
        for weight, gradient in zip(weights, step, strict=True):
            weight.grad = gradient.clone()
        optimizer.step()
    return [w.detach() for w in weights]


# ---- the orthogonal update -------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
def test_an_update_is_almost_orthogonal(shape):
    """Where a matrix is square, its smallest singular value may be too small for five steps."""
    s = torch.linalg.svdvals(orthogonalised(noise(*shape)))
    assert s.max() <= 1.21 and s[: math.ceil(0.9 * len(s))].min() >= 0.68


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("steps", [1, 5])
def test_the_iteration_keeps_the_directions_and_moves_each_singular_value_by_a_polynomial(shape, steps):
    G = noise(*shape)
    U, S, Vh = torch.linalg.svd(G, full_matrices=False)
    wanted = U @ stretched(S / S.norm(), steps).diag() @ Vh
    assert torch.allclose(orthogonalised(G, steps), wanted, atol=1e-11)


def test_the_polynomial_takes_singular_values_near_one():
    s = torch.logspace(math.log10(0.0015), 0, 10_000, dtype=torch.float64)
    assert 0.679 < stretched(s).min() < 0.68 and 1.20 < stretched(s).max() < 1.21
    a, b, c = 3.4445, -4.7750, 2.0315
    half, none = stretched(torch.tensor([0.5, 0.0], dtype=torch.float64), 1).tolist()
    assert half == pytest.approx(a / 2 + b / 8 + c / 32, rel=1e-12) and none == 0


def test_no_step_of_the_same_spectral_norm_goes_farther_along_the_gradient():
    """<G, U V^T> is the sum of G's singular values; another D, scaled to norm 1, reaches less."""
    G = noise(6, 10)
    U, S, Vh = torch.linalg.svd(G, full_matrices=False)
    assert (G * (U @ Vh)).sum().item() == pytest.approx(S.sum().item(), rel=1e-12)
    others = [noise(6, 10) for _ in range(50)] + [G, orthogonalised(G) + 0.1 * noise(6, 10)]
    assert max((G * D).sum() / torch.linalg.matrix_norm(D, 2) for D in others) < S.sum()
    D = orthogonalised(G)
    assert (G * D).sum() / torch.linalg.matrix_norm(D, 2) > 0.7 * S.sum()


@pytest.mark.parametrize("shape", SHAPES)
def test_a_rotated_gradient_makes_a_rotated_update(shape):
    G, Q, R = noise(*shape), rotation(shape[0]), rotation(shape[1])
    assert torch.allclose(orthogonalised(Q @ G @ R), Q @ orthogonalised(G) @ R, atol=1e-11)
    assert torch.allclose(orthogonalised(G.T), orthogonalised(G).T, atol=1e-13)


@pytest.mark.parametrize("scale", [1e-4, 1e8])
def test_the_length_of_the_gradient_does_not_matter(scale):
    G = noise(8, 20)
    assert torch.allclose(orthogonalised(scale * G), orthogonalised(G), atol=1e-12)
    W = noise(8, 20)
    (one,), (other,) = (stepped([W], [[k * G], [k * G]]) for k in (1, scale))
    assert torch.allclose(one, other, atol=1e-13) and not torch.equal(one, W)


def test_what_is_nothing_but_rounding_is_not_blown_up_to_a_full_step():
    G = noise(8, 20)
    G /= G.norm()
    assert torch.allclose(orthogonalised(2e-7 * G), orthogonalised(G), atol=1e-12)
    assert orthogonalised(1e-12 * G).norm() < 0.01 * orthogonalised(G).norm()
    P = orthogonaliser(1e-24 * (G @ G.T)[None])[0]
    assert torch.allclose(1e-12 * P @ G, orthogonalised(1e-12 * G), atol=1e-12)


@pytest.mark.parametrize("shape", [(64, 64), (16, 256), (256, 16), (8, 72)])
def test_a_step_changes_the_outputs_by_about_its_rate_however_wide_the_layer(shape):
    (moved,) = stepped([torch.zeros(shape)], [[torch.randn(shape)]], lr=0.02)
    outputs = torch.randn(1000, shape[1]) @ moved.T
    assert 0.68 * 0.02 < outputs.square().mean().sqrt() < 1.21 * 0.02


@pytest.mark.parametrize("shape", [(8, 8), (8, 72), (64, 576), (128, 128)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_from_the_gram_matrix_comes_the_same_update(shape, dtype):
    X = noise(3, *shape).to(dtype)
    P = orthogonaliser(X @ X.mT)
    atol = 1e-3 if dtype == torch.float32 else 1e-11  # squared, a small singular value loses its last digits
    assert torch.allclose(P @ X, orthogonalised(X), atol=atol)


def test_an_ill_conditioned_gradient_survives_single_precision():
    """Squared, small singular values lie below the rounding of large ones; what they become stays bounded."""
    S = torch.logspace(0, -7, 32, dtype=torch.float64)
    G = rotation(32) @ S.diag() @ rotation(64)[:32]
    P = orthogonaliser((G.float() @ G.float().T)[None])[0]
    s = torch.linalg.svdvals(P.double() @ G)
    assert s.max() < 1.25 and torch.allclose(s[:12], stretched(S / S.norm()).sort(descending=True)[0][:12], atol=0.02)


# ---- as published ----------------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="this torch has no Muon")
@pytest.mark.parametrize("exact", [False, True])
def test_matrices_move_as_by_torchs_muon(exact, monkeypatch):
    """Theirs iterates in bfloat16, of three digits; told not to, it agrees to those of single precision."""
    if exact:
        monkeypatch.setattr(torch.Tensor, "bfloat16", torch.Tensor.clone)
    shapes, how = [(8, 8), (8, 24), (48, 16)], dict(lr=0.02, momentum=0.95)
    W = [torch.randn(shape) for shape in shapes]
    gradients = [[torch.randn(shape) for shape in shapes] for _ in range(4)]
    theirs = stepped(W, gradients, partial(torch.optim.Muon, weight_decay=0.0), **how)
    ours = stepped(W, gradients, **how)
    for mine, other, was in zip(ours, theirs, W, strict=True):
        assert (mine - other).norm() < (1e-4 if exact else 0.05) * (mine - was).norm()


def test_momentum_looks_one_step_ahead():
    """By hand: M <- mu M + (1 - mu) G from M = 0, then W <- W - lr sqrt(rows / columns) orth(mu M + (1 - mu) G)."""
    W, M, mu = noise(12, 3), torch.zeros(12, 3), 0.9
    gradients = [noise(12, 3) for _ in range(3)]
    (moved,) = stepped([W], [[G] for G in gradients], lr=0.1, momentum=mu)
    for G in gradients:
        M = mu * M + (1 - mu) * G
        W = W - 0.1 * 2 * orthogonalised(mu * M + (1 - mu) * G)
    assert torch.allclose(moved, W, atol=1e-12)


def test_all_other_weights_move_as_by_torchs_adam():
    start = [torch.randn(5), torch.randn(3, 4), torch.randn(2, 1, 3, 3)]
    gradients = [[torch.randn_like(w) for w in start] for _ in range(5)]
    adam = stepped(start, gradients, partial(torch.optim.Adam, betas=(0.9, 0.99), fused=True), lr=3e-3)
    ours = stepped(start, gradients, lambda weights: Muon([], weights, adam_lr=3e-3))
    assert all(torch.equal(a, b) for a, b in zip(adam, ours, strict=True))


# ---- what is a matrix ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_convolution_moves_like_its_matrix(kernel, layout):
    W, G = noise(8, 6, kernel, kernel).to(memory_format=layout), noise(8, 6, kernel, kernel)
    (moved,) = stepped([W], [[G.to(memory_format=layout)]])
    (matrix,) = stepped([W.reshape(8, -1)], [[G.reshape(8, -1)]])
    assert torch.allclose(moved.reshape(8, -1), matrix, atol=1e-13) and moved.stride() == W.stride()
    (mixed,) = stepped([W], [[G]])  # a gradient that lies in memory otherwise
    assert torch.allclose(mixed, moved, atol=1e-13)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_convolution_is_seen_as_a_matrix_without_a_copy(layout):
    """Its product with a patch is the convolution there."""
    W = torch.randn(5, 4, 3, 3).to(memory_format=layout)
    matrix = as_matrix(W)
    assert matrix.shape == (5, 36) and matrix.data_ptr() == W.data_ptr() and as_matrix(matrix) is matrix
    patch = torch.randn(1, 4, 3, 3).to(memory_format=layout)
    assert torch.allclose(as_matrix(patch) @ matrix.T, F.conv2d(patch, W)[:, :, 0, 0], atol=1e-5)


@pytest.mark.parametrize(
    ("net", "edge", "enters"),
    [
        (UNet(1, (8, 16), num_classes=3), {"time.1", "time.3", "label", "stem", "head.2"}, "condition"),
        (UNet(3, (8, 16), patch=2), {"time.1", "time.3", "stem", "head.2"}, "condition"),
        (
            DDPMUNet(3, (8, 8), groups=4),
            {"time_embedding.linear_1", "time_embedding.linear_2", "conv_in", "conv_out"},
            "time_emb_proj",
        ),
        (MLP(2, 8), {"time.1", "stem", "head"}, "condition"),
    ],
)
def test_inside_are_all_matrices_but_first_and_last_layers_and_those_by_which_times_enter(net, edge, enters):
    names = {weight: name for name, weight in net.named_parameters()}
    inner, others = inner_matrices(net)
    entries = {name for name in names.values() if name.endswith(f".{enters}.weight")}
    assert {names[w] for w in others if w.ndim > 1} == {f"{name}.weight" for name in edge} | entries
    assert inner and entries and all(w.ndim in (2, 4) for w in inner)
    assert sorted(names[w] for w in [*inner, *others]) == sorted(names.values())
    assert len(inner_matrices(torch.compile(net, backend="eager"))[0]) == len(inner)


def test_a_network_that_reads_captions_keeps_all_of_its_reading_to_adam():
    net = UNet(1, (8, 16), vocabulary=["a", "red", "car"])
    outside = {id(w) for w in inner_matrices(net)[1]}
    assert all(id(w) in outside for w in net.label.parameters())


def test_parts_and_embeddings_may_be_on_the_edge_wherever_they_stand():
    class Net(nn.Sequential):
        edge = ("0", "gain")

    net = Net(nn.Linear(2, 3), nn.Sequential(nn.Embedding(3, 4), nn.Linear(4, 5)))
    net.gain = nn.Parameter(torch.ones(2, 2, 2))
    assert [tuple(w.shape) for w in inner_matrices(net)[0]] == [(5, 4)]
    net[1].edge = ("1.weight",)
    assert inner_matrices(net)[0] == []


def test_a_network_that_does_not_name_its_edge_is_refused():
    with pytest.raises(ValueError, match=r"names its first and last layers, as in net\.edge.*this Sequential does not"):
        trainer.start(nn.Sequential(nn.Linear(1, 1)), optimizer=muon(), device="cpu")


def test_a_weight_that_is_neither_vector_nor_matrix_is_named():
    net = MLP(2, 8)
    net.odd = nn.Conv1d(2, 3, 5)
    with pytest.raises(ValueError, match=r"odd\.weight has shape \(3, 2, 5\); named in `edge`, it is left to Adam\.$"):
        inner_matrices(net)
    net.edge = (*net.edge, "odd")
    assert net.odd.weight in set(inner_matrices(net)[1])
    with pytest.raises(ValueError, match=r"need a matrix or a convolution .*got shape \(3, 2, 5\)"):
        Muon([net.odd.weight], [])


# ---- gradients that are odd ------------------------------------------------------------------------------------


def test_a_weight_whose_gradient_was_always_zero_stays():
    W = noise(4, 6)
    (moved,) = stepped([W], [[torch.zeros_like(W)]] * 2)
    assert torch.equal(moved, W)
    G, still = noise(4, 6), torch.zeros_like(W)
    first, second = (stepped([W], [[G], *[[still]] * n])[0] for n in (0, 1))
    assert not torch.equal(first, second) and second.isfinite().all()  # the mean of gradients is not zero yet


def test_a_weight_without_a_gradient_stays():
    net = MLP(2, 8)
    before = {k: v.clone() for k, v in net.state_dict().items()}
    optimizer = muon()(net, 1e-3)
    optimizer.step()
    assert not optimizer.state and all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert optimizer.step(lambda: torch.tensor(3.0)) == 3


def test_a_gradient_of_rank_one_moves_one_direction_alone():
    u, v = noise(6), noise(9)
    D = orthogonalised(torch.outer(u, v))
    assert torch.allclose(D, stretched(torch.ones(1, dtype=torch.float64)) * torch.outer(u, v) / u.norm() / v.norm())


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_lost_is_caught_before_the_step(bad):
    state, plain, seen, before = fresh(), objective(SCHEDULE, V), [], {}

    def loss(net, *batch):
        seen.append(1)
        before.update(everything(state))
        return plain(net, *batch) * (bad if len(seen) == 3 else 1)

    with pytest.raises(FloatingPointError, match=f"the loss became {bad} at step 3"):
        go(state, 5, loss)
    assert state.step == 2 and state.consistent
    assert [k for k, v in everything(state).items() if not torch.equal(v, before[k])] == []


# ---- in the trainer --------------------------------------------------------------------------------------------


def test_both_rates_follow_the_schedule():
    state, rates = fresh(lr=2e-3), []
    plain = objective(SCHEDULE, V)

    def loss(net, *batch):
        rates.append([group["lr"] for group in state.optimizer.param_groups])
        return plain(net, *batch)

    reports = go(state, 12, loss)
    assert [inner / other for inner, other in rates] == pytest.approx([10.0] * 12, rel=1e-12)
    assert [p.lr for p in reports] == pytest.approx([other for _, other in rates], rel=1e-12)
    assert rates[0][0] == pytest.approx(0.02 / 4) and rates[-1][0] < 0.1 * max(inner for inner, _ in rates)


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_training_learns(precision):
    """Grey pictures in a moment; in half precision as `accelerate` does it, with weights in single precision."""
    plain = objective(SCHEDULE, V)

    def loss(net, x0, *rest):
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == torch.bfloat16):
            return plain(net, 0 * x0, *rest)

    state = fresh()
    reports = [p.loss for p in go(state, 25, loss)]
    assert sum(reports[-5:]) < 0.7 * sum(reports[:5])
    assert all(p.dtype == torch.float32 for p in state.net.parameters())


def test_a_resumed_run_equals_the_uninterrupted_one(tmp_path):
    whole, first, second = fresh(), fresh(), fresh(seed=99)
    go(whole, 8)
    with pytest.raises(KeyboardInterrupt):
        go(first, 8, interrupting(at=3))
    assert first.step == 3 and first.consistent
    trainer.save(first, tmp_path / "training.safetensors")
    torch.manual_seed(1234)  # another process starts elsewhere
    trainer.resume(second, tmp_path / "training.safetensors")
    assert_same(first, second)
    for weight, remembered in second.optimizer.state.items():
        assert all(v.stride() in ((), weight.stride()) for v in remembered.values())
    go(second, 8)
    assert_same(whole, second)


def interrupting(at):
    """A loss in whose middle Ctrl-C comes."""
    seen, plain = [], objective(SCHEDULE, V)

    def loss(net, *batch):
        seen.append(1)
        if len(seen) == at:
            os.kill(os.getpid(), signal.SIGINT)
        return plain(net, *batch)

    return loss


def test_a_run_goes_on_with_its_own_optimiser_or_not_at_all(tmp_path):
    adam, other = fresh(optimizer=optimizers.adam), fresh()
    for state, path in ((adam, tmp_path / "adam"), (other, tmp_path / "muon")):
        go(state, 2)
        trainer.save(state, path)
    for optimizer, path, sentence in (
        (muon(), "adam", "need the run's own optimiser, which is adam, but got muon."),
        (optimizers.adam, "muon", "need the run's own optimiser, which is muon, but got adam."),
    ):
        state = fresh(seed=3, optimizer=optimizer)
        before = everything(state)
        with pytest.raises(CheckpointError) as caught:
            trainer.resume(state, tmp_path / path)
        assert str(caught.value) == sentence
        assert all(torch.equal(v, before[k]) for k, v in everything(state).items())  # nothing half loaded


def test_files_of_earlier_versions_are_adams(tmp_path):
    state, path = fresh(optimizer=optimizers.adam), tmp_path / "training.safetensors"
    go(state, 2)
    trainer.save(state, path)
    tensors, about = read_tensors(path)
    assert {key.split(".")[0] for key in tensors} == {"net", "ema", "adam", "rng"}
    about["progress"] = json.dumps({k: v for k, v in json.loads(about["progress"]).items() if k != "optimizer"})
    write_tensors(path, tensors, about)
    assert_same(trainer.resume(fresh(seed=4, optimizer=optimizers.adam), path), state)
    with pytest.raises(CheckpointError, match="own optimiser, which is adam, but got muon"):
        trainer.resume(fresh(), path)


@pytest.mark.parametrize(
    "change",
    [
        lambda tensors: tensors.pop("muon.60.exp_avg"),
        lambda tensors: tensors.update({"muon.0.exp_avg": torch.zeros_like(tensors["muon.0.momentum_buffer"])}),
        lambda tensors: tensors.update({"muon.0.momentum_buffer": torch.zeros(3)}),
        lambda tensors: tensors.update({"muon.999.momentum_buffer": torch.zeros(3)}),
    ],
)
def test_a_file_whose_memory_does_not_fit_is_refused(change, tmp_path):
    state, path = fresh(), tmp_path / "training.safetensors"
    go(state, 1)
    trainer.save(state, path)
    tensors, about = read_tensors(path)
    change(tensors)
    write_tensors(path, tensors, about)
    with pytest.raises(CheckpointError, match="need a checkpoint of this very network"):
        trainer.resume(fresh(), path)


def test_a_run_whose_gradients_overflow_is_the_run_whose_gradients_do_not():
    """As fp16 makes it on a GPU: the loss times a scale, which is halved until it fits; powers of two round nothing."""
    plain, state, scaler = fresh(), fresh(), torch.amp.GradScaler("cpu", init_scale=2.0**127)
    state.accelerator.scaler = scaler
    state.optimizer = AcceleratedOptimizer(state.optimizer.optimizer, scaler=scaler)
    state.accelerator.unscale_gradients = lambda: scaler.unscale_(state.optimizer.optimizer)
    for module in [*state.net.modules(), *plain.net.modules()]:
        if isinstance(module, nn.Dropout):
            module.p = 0.0  # a step that is taken again would drop out other places
    one = objective(SCHEDULE, V)
    ends = [go(each, 4, lambda net, *batch: 16 * one(net, *batch)) for each in (state, plain)]
    assert scaler.get_scale() < 2.0**125 and state.step == plain.step == 4
    assert [p.loss for p in ends[0]] == [p.loss for p in ends[1]]
    assert_same(plain, state)


# ---- in a recipe -----------------------------------------------------------------------------------------------


def test_a_recipe_names_its_optimiser():
    assert config.described(config.DIGITS)["optimizer"] == "muon(0.02)"
    assert config.described(config.CIFAR10)["optimizer"] == "adam"  # as in the paper
    assert [optimizers.optimizer_name(o) for o in (optimizers.adam, muon(), muon(1))] == [
        "adam", "muon(0.02)", "muon(1.0)",
    ]  # fmt: skip


@pytest.mark.parametrize("name", optimizers.OPTIMIZERS)
def test_the_command_line_offers_every_optimiser(name, tmp_path, capsys):
    small = ["train", "--device", "cpu", "--steps", "1", "--batch", "2", "--out", str(tmp_path)]
    assert main([*small, "--optimizer", name]) == 0
    about = json.loads((tmp_path / "config.json").read_text())["about"]
    assert about["settings"]["optimizer"] == optimizers.optimizer_name(optimizers.OPTIMIZERS[name])


def test_another_optimiser_is_refused_by_name(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["train", "--optimizer", "sgd"])
    said = capsys.readouterr().err
    assert "'sgd'" in said and all(name in said for name in optimizers.OPTIMIZERS)


def test_a_run_of_the_command_line_is_resumed_with_its_own_optimiser(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    small = config.TrainingConfig(channels=(8, 16), attention=(), batch=4, steps=2, optimizer=muon())

    def train(how, *options):
        plan = recipes.Recipe("small digits", data="digits", config=how, steps=2)
        monkeypatch.setitem(recipes.RECIPES, "small", plan)
        return main(["train", "--recipe", "small", "--device", "cpu", "--out", "small", *options])

    assert train(small) == 0
    about = json.loads((tmp_path / "small" / "config.json").read_text())["about"]
    assert about["settings"]["optimizer"] == "muon(0.02)"
    assert train(small, "--resume") == 0
    capsys.readouterr()
    with_adam = config.dataclasses.replace(small, optimizer=optimizers.adam)
    assert train(with_adam, "--resume") == 2
    assert "need the run's own optimizer to resume it, which is 'muon(0.02)', but got 'adam'" in capsys.readouterr().err
