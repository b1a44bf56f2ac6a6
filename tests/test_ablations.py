"""The surgery of experiments/ablations.py takes out what it says, and leaves the rest."""

import ablations
import pytest
import torch

from ddpm_core.unet import Attention, UNet, parameter_count

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
