"""The surgery of the ablations takes out what it says, and leaves the rest. And how experiments say what they found,
and where they keep it."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from ddpm_core.data import ImageDataset
from ddpm_core.diffusion import flow, gaussian
from ddpm_core.diffusion.prediction import EPS, V
from ddpm_core.networks.flops import parameter_count
from ddpm_core.storage import provenance
from ddpm_core.unet import Attention, UNet
from experiments.ch05 import table2
from experiments.ch07 import ablations
from experiments.ch09 import ancestral
from experiments.ch10 import few_steps, subjects
from experiments.ch14 import three_losses
from experiments.common import pace, settings

X, T = torch.randn(3, 1, 8, 8), torch.tensor([10, 300, 900])


def woken(row):
    """A row's network with every weight moved away from its start."""
    net = ablations.fresh(row, 0).eval()
    with torch.no_grad():
        for p in net.parameters():
            p.add_(0.05 * torch.randn_like(p))
    return net


@pytest.mark.parametrize("row", ablations.ROWS)
def test_every_network_answers_and_all_but_one_heed_the_time(row):
    net = woken(row)
    with torch.no_grad():
        a, b = net(X, T), net(X, T.flip(0))
    assert a.shape == X.shape and not torch.equal(a, torch.zeros_like(a))
    assert torch.equal(a, b) == (row == "time: not told")


def test_a_bare_number_takes_the_embeddings_place_and_nothing_else():
    net, whole = ablations.fresh("time: t / T", 0), ablations.fresh("whole", 0)
    assert torch.equal(net.time[0](T), T[:, None] / 1000)
    assert [name for name, _ in net.named_parameters()] == [name for name, _ in whole.named_parameters()]
    assert parameter_count(whole) - parameter_count(net) == 31 * 128  # a layer for 32 numbers, a layer for one


def test_the_clubs_way_multiplies_and_adds_nothing():
    net = woken("time: the club's way")
    assert torch.equal(net.time[0](torch.tensor([0, 1000])), torch.tensor([[0.0], [16.0]]))
    for block in ablations.residual_blocks(net):
        scale, shift = block.condition(torch.randn(2, 128)).chunk(2, dim=1)
        assert (scale != 0).all() and (shift == 0).all()


def test_without_attention_there_is_none():
    def layers(net):
        return sum(isinstance(module, Attention) for module in net.modules())

    assert (layers(ablations.fresh("whole", 0)), layers(ablations.fresh("no attention", 0))) == (3, 0)


def test_without_skips_nothing_of_the_way_down_arrives_but_through_the_bottom():
    """Whatever the blocks on the way up would do with a skip makes no difference; weights and work are the same."""
    net, whole = woken("no skips"), ablations.fresh("whole", 0)
    assert parameter_count(net) == parameter_count(whole)
    assert ablations.multiply_adds(net) == ablations.multiply_adds(whole)
    with torch.no_grad():
        before = net(X, T)
        for wrapped in (wrapped for level in net.up for wrapped in level):
            width = wrapped.block.conv1.out_channels
            wrapped.block.shortcut.weight[:, width:] += 1.0
        assert torch.equal(net(X, T), before)
        net.up[0][0].block.shortcut.weight[:, :8] += 1.0
        assert not torch.allclose(net(X, T), before, atol=1e-3)


def test_the_deep_network_works_as_much_as_the_wide_one():
    deep, wide = (ablations.multiply_adds(ablations.fresh(row, 0)) for row in ("3 blocks a level", "whole"))
    assert abs(deep / wide - 1) < 0.03


def test_the_whole_one_is_the_networks_own_layout():
    assert ablations.fresh("whole", 0).config == UNet(1, (32, 64), attention=(1,)).config


# ---- what was found, over the seeds ----------------------------------------------------------------------------


def test_one_seed_has_a_mean_and_no_spread():
    runs = [dict(loss=0.25, bound=3.5, frechet=12.0, train_seconds=2.0, seed=seed) for seed in (0, 1)]
    runs[1]["loss"], bad = 0.5, {"row": "whole", "seed": 2, "unstable": "the loss became nan at step 3."}
    one, two, none = (ablations.summary("whole", [*some, bad]) for some in (runs[:1], runs, []))
    assert one["loss"] == [0.25, None] and one["bound"] == [3.5, None] and one["unstable"] == 1
    assert two["loss"] == [0.375, 0.18] and two["bound"] == [3.5, 0.0]
    assert none["unstable"] == 1 and "loss" not in none


def test_one_seed_of_table_2_has_a_mean_and_no_spread():
    runs = [{"seed": seed} | {name: {"bound": 3.0 + seed} for name in table2.VARIANCES} for seed in (0, 1)]
    assert table2.summary(runs[:1])["beta"] == {"bound": [3.0, None]}
    assert table2.summary(runs)["beta_tilde"] == {"bound": [3.5, 0.71]}


def test_the_spread_of_dictionaries_is_that_of_their_entries():
    assert ancestral.spreads([{"10": 1.0}, {"10": 2.0}]) == {"10": [1.5, 0.71]}
    assert ancestral.spreads([{"10": 1.0}]) == {"10": [1.0, None]}


def test_what_is_kept_is_made_once(tmp_path):
    made = iter([(1, torch.ones(2)), [2.5, None]])
    for name, wanted in (("a.pt", (1, torch.ones(2))), ("b.json", [2.5, None])):
        for _ in range(2):
            found = settings.cached(tmp_path / "folder" / name, lambda: next(made))
            assert found[0] == wanted[0] and str(found[1]) == str(wanted[1])


def test_an_option_that_is_not_given_leaves_the_settings_as_they_are():
    parser, tiny = settings.command_line("about", seeds=[int], steps=int), table2.Settings(steps=3)
    assert settings.parsed(parser, tiny, []) == tiny
    assert settings.parsed(parser, tiny, ["--seeds", "4", "5"]) == replace(tiny, seeds=[4, 5])
    assert settings.parsed(parser, tiny, ["--steps", "6"]) == replace(tiny, steps=6)


def test_seconds_of_a_step_are_without_the_callers_and_the_first_do_not_count(tmp_path):
    looks = iter([0.0, 2.0, 10.0, 13.0, 20.0])
    run = (SimpleNamespace(loss=loss) for loss in (0.5, 0.25))
    assert list(pace.timed(run, clock=lambda: next(looks))) == [(2.0, 0.5), (3.0, 0.25)]
    runs = iter([[(100.0, 0.5)] * pace.WARM + [(0.5, 0.5)] * 3 + [(1.5, 0.5)]])
    for _ in range(2):  # the second time it is read
        assert pace.steps_a_minute(tmp_path / "rate.json", lambda: next(runs)) == 60 * 4 / 3


@pytest.mark.parametrize(
    ("argument", "public"),
    [
        ("/home/me/cifar10", "cifar10"),
        ("~/cifar10", "cifar10"),
        ("--data=/home/me/a=b/cifar10", "--data=cifar10"),
        ("--data=~/cifar10", "--data=cifar10"),
        ("--data=uoft-cs/cifar10", "--data=uoft-cs/cifar10"),
        ("uoft-cs/cifar10", "uoft-cs/cifar10"),
        ("--priced=16", "--priced=16"),
        ("--plan", "--plan"),
    ],
)
def test_a_command_is_given_without_private_paths(argument, public):
    assert provenance.public(argument) == public


# ---- what three_losses.py compares -----------------------------------------------------------------------------


def test_three_losses_have_one_network_when_nothing_is_wrong():
    """The perfect field, put into the unit of each loss, is read as the perfect guess: no excess, the right points."""
    world, line = three_losses.WORLD, three_losses.LINE

    def perfect(name):
        levels = three_losses.WAYS[name][1]
        if name == "flow":

            def net(x, t):
                size = ((1 - line[t]) ** 2 + line[t] ** 2).sqrt()[:, None]
                x0_hat = world.posterior_mean(levels, x.double() / size, t)
                return flow.velocity_from_x0(line, x0_hat, x.double(), t)

            return net

        def guess(x, t):
            x0_hat = world.posterior_mean(levels, x.double(), t)
            eps = gaussian.eps_from_x0(levels, x.double(), t, x0_hat)
            return {"noise": EPS, "v": V}[name].target(levels, x0_hat, x.double(), t, eps)

        return guess

    for name in three_losses.WAYS:
        found = three_losses.judged(name, perfect(name), three_losses.Settings(drawn=500))
        assert found["excess"] < 1e-6 and found["distance"] < 0.01


def test_the_energy_distance_is_zero_for_equal_clouds_and_twice_the_gap_for_points():
    same, other = (torch.randn(2000, 2, generator=torch.Generator().manual_seed(k)) for k in (0, 1))
    assert abs(three_losses.distance(same, other)) < 0.01
    assert three_losses.distance(torch.zeros(3, 2), torch.ones(4, 2)) == pytest.approx(2 * 2**0.5)


# ---- what few_steps.py compares with ---------------------------------------------------------------------------


@pytest.fixture
def shirts():
    """Two sets of pictures."""
    return [ImageDataset(torch.full((3, 1, 4, 4), k, dtype=torch.uint8), None, None, None, "x", "0") for k in (1, 2)]


def test_other_data_are_compared_with_their_own_features(shirts, tmp_path):
    judge = SimpleNamespace(features=lambda images: images.flatten(1).float())
    for images, value in zip(shirts, (1, 2), strict=True):
        file = tmp_path / f"features{subjects.mark(images, own=shirts[0].pixels_sha256)}.pt"
        for _ in range(2):
            assert subjects.features(judge, images, file).unique().tolist() == [value]
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [f"features-{shirts[1].pixels_sha256[:12]}.pt", "features.pt"]


def test_what_is_measured_against_other_data_is_another_measurement(shirts, tmp_path):
    tiny, distances = few_steps.Settings(runs=tmp_path), []
    for distance, images in enumerate(shirts):
        subject = subjects.Subject(lambda x, t: x, torch.zeros(2, 1, 4, 4), lambda pictures, d=distance: d)
        against = subjects.mark(images, own=shirts[0].pixels_sha256)
        source = subjects.Source(lambda seed, s=subject: s, "fashion32", against)
        for _ in range(2):
            found, _ = few_steps.measured(source, "fashion32", "eta 0", 0, 10, tiny)
            distances.append(found["frechet"])
    assert distances == [0, 0, 1, 1]
