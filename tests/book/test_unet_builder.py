"""The pieces counted by hand are those of real networks, for every position of the toggles."""

import itertools
import re

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ddpm_core.book import widgets
from ddpm_core.book.widgets.unet_builder import BLOCKS, LEVELS, PATCHES, PICTURES, WIDTHS
from ddpm_core.networks import flops
from ddpm_core.networks.flops import parameter_count
from ddpm_core.unet import Attention, ResidualBlock, UNet

ONCE = widgets.build_unet(label="The pieces of a U-Net")


class NoSkip(nn.Module):
    """A smaller block on the way up, which takes what comes from below and leaves the skip."""

    def __init__(self, block):
        super().__init__()
        width, heads = block.conv1.out_channels, getattr(block.attention, "heads", None)
        self.block = ResidualBlock(width, width, block.condition.in_features, heads=heads)

    def forward(self, x, condition):
        return self.block(x.chunk(2, dim=1)[0], condition)


@pytest.fixture(scope="module", autouse=True)
def shapes_alone():
    """Networks without numbers, built in no time."""
    with pytest.MonkeyPatch.context() as patch:
        for kind in (nn.Conv2d, nn.Linear, nn.GroupNorm):
            patch.setattr(kind, "reset_parameters", lambda self: None)
        for name in ("zeros_", "ones_"):
            patch.setattr(nn.init, name, lambda tensor: tensor)
        with torch.device("meta"):
            yield


def network(channels, widths, blocks_a_level, attention, patch, skips):
    net = UNet(channels, widths, blocks_a_level, attention, patch)
    if not skips:
        for level in net.up:
            for k, block in enumerate(level):
                level[k] = NoSkip(block)
    return net


def modules(net):
    """(name, level) -> the modules of that piece."""
    bottom = len(net.down) - 1
    found = {("time", None): [net.time], ("stem", 0): [net.stem], ("middle", bottom): list(net.middle)}
    found |= {("down", level): list(stack) for level, stack in enumerate(net.down)}
    found |= {("shrink", level + 1): [layer] for level, layer in enumerate(net.shrink)}
    found |= {("up", bottom - stair): list(stack) for stair, stack in enumerate(net.up)}
    found |= {("grow", bottom - 1 - stair): [layer] for stair, layer in enumerate(net.grow)}
    return found | {("head", 0): [net.head]}


def weights(net):
    return {key: sum(map(parameter_count, parts)) for key, parts in modules(net).items()}


def work(net, grid):
    """Each weight of a convolution works at every position, each of a linear layer once, and attention as it says."""
    found = {}
    for (name, level), parts in modules(net).items():
        positions, total = 1 if level is None else (grid // 2**level) ** 2, 0
        for module in (inner for part in parts for inner in part.modules()):
            if isinstance(module, nn.Conv2d):
                total += module.weight.numel() * positions
            elif isinstance(module, nn.Linear):
                total += module.weight.numel()
            elif isinstance(module, Attention):
                total += 2 * positions**2 * module.out.in_channels
        found[name, level] = total
    return found


def subsets(levels):
    return itertools.chain.from_iterable(itertools.combinations(range(levels), n) for n in range(levels + 1))


def positions():
    """Every position of the toggles at which there is a network."""
    for picture, patch, levels in itertools.product(PICTURES, PATCHES, LEVELS):
        if PICTURES[picture][1] % (patch * 2 ** (levels - 1)) == 0:
            for widths, n, skips in itertools.product(WIDTHS, BLOCKS, (True, False)):
                for attention in subsets(levels):
                    yield picture, patch, levels, widths, n, attention, skips


def attending(net, attention):
    """The same network with the attention of the other levels taken out of its blocks."""
    for stacks in (net.down, net.up[::-1]):
        for level, stack in enumerate(stacks):
            for block in (getattr(block, "block", block) for block in stack):
                block.kept = getattr(block, "kept", [block.attention])  # in a list: no part of the network
                block.attention = block.kept[0] if level in attention else nn.Identity()
    return net


@pytest.mark.parametrize("n", BLOCKS)
@pytest.mark.parametrize("widths", WIDTHS)
def test_weights_and_work_are_those_of_a_real_network_at_every_position(widths, n):
    """Few are built: attention is taken out where it is off, and picture and patch change stem and head alone."""
    here = [p for p in positions() if (p[3], p[4]) == (widths, n)]
    body = {
        (levels, skips): network(1, widths[:levels], n, range(levels), 1, skips)
        for levels in LEVELS
        for skips in (True, False)
    }
    ends = {
        (channels, patch): network(channels, widths[:1], 1, (), patch, True) for channels in (1, 3) for patch in PATCHES
    }
    for picture, patch, levels, _, _, attention, skips in here:
        channels, side = PICTURES[picture]
        net = attending(body[levels, skips], attention)
        net.stem, net.head = ends[channels, patch].stem, ends[channels, patch].head
        found = ONCE.frame(picture, patch, levels, widths, n, attention, skips)
        assert {(p.name, p.level): p.weights for p in found} == weights(net)
        assert {(p.name, p.level): p.work for p in found} == work(net, side // patch)
    assert len(here) > 300


def test_taking_attention_out_leaves_the_network_that_is_built_without():
    for attention in subsets(3):
        net = attending(network(1, WIDTHS[2][:3], 2, range(3), 1, True), attention)
        assert weights(net) == weights(network(1, WIDTHS[2][:3], 2, attention, 1, True))


@pytest.mark.parametrize("skips", [True, False])
@pytest.mark.parametrize(
    ("picture", "patch", "levels", "widths", "n", "attention"),
    [
        ("8×8 grey", 1, 2, WIDTHS[2], 1, (1,)),
        ("8×8 grey", 2, 3, WIDTHS[1], 2, ()),
        ("32×32 grey", 2, 3, WIDTHS[1], 1, (1, 2)),
        ("32×32 colour", 1, 4, WIDTHS[0], 3, (3,)),
        ("32×32 colour", 2, 1, WIDTHS[2], 2, (0,)),
    ],
)
def test_shapes_and_work_are_those_that_torch_sees(picture, patch, levels, widths, n, attention, skips):
    channels, side = PICTURES[picture]
    net, seen = network(channels, widths[:levels], n, attention, patch, skips), {}
    for key, parts in modules(net).items():
        parts[-1].register_forward_hook(lambda module, inputs, output, key=key: seen.update({key: output.shape[1:]}))
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        answer = net(torch.empty(1, channels, side, side), torch.ones(1, dtype=torch.long))
    seen["head", 0] = answer.shape[1:]  # after the pixels are put back
    found = ONCE.frame(picture, patch, levels, widths, n, attention, skips)
    assert {(p.name, p.level): p.shape for p in found} == {key: tuple(shape) for key, shape in seen.items()}
    assert list(seen)[1:-1] == [(p.name, p.level) for p in found][1:-1]  # in the order it computes
    assert sum(p.work for p in found) == counter.get_total_flops() / 2


def test_a_network_without_labels_is_its_pieces_at_any_size():
    net = UNet(3, (48, 96, 128), attention=(1,), patch=2)  # that of the cars
    found = flops.pieces(3, 64, (48, 96, 128), attention=(1,), patch=2)
    assert sum(p.weights for p in found) == parameter_count(net)
    assert found[-1].shape == (3, 64, 64) and found[1].shape == (48, 32, 32)


@pytest.mark.parametrize(("n_in", "n_out", "kernel", "side"), [(3, 16, 3, 8), (8, 24, 1, 5), (1, 4, 5, 6)])
def test_a_convolution_costs_its_kernel_times_its_channels(n_in, n_out, kernel, side):
    layer = nn.Conv2d(n_in, n_out, kernel, padding=kernel // 2)
    with FlopCounterMode(display=False) as counter:
        layer(torch.empty(1, n_in, side, side))
    assert flops.convolution(n_in, n_out, kernel, side**2) == (parameter_count(layer), counter.get_total_flops() / 2)


LAYERS = [[(3, 1)], [(3, 1)] * 4, [(3, 1), (3, 2), (3, 1)], [(5, 2), (3, 2), (1, 1), (3, 1)]]


def reached(chain, side=64):
    """The rows of a picture that the middle row of a chain's answer depends on."""
    x = torch.zeros(1, 1, side, side, device="cpu", requires_grad=True)
    answer = chain(x)
    answer[0, 0, answer.shape[2] // 2].sum().backward()
    rows = x.grad.abs().sum((0, 1, 3)).nonzero()[:, 0]
    assert rows[0] > 0 and rows[-1] < side - 1  # no border in the way
    return int(rows[-1] - rows[0]) + 1


def ones(*layers):
    """Convolutions of one channel (kernel, stride) whose weights are all one, so that none cancels another."""
    chain = nn.Sequential(*(nn.Conv2d(1, 1, k, s, k // 2, device="cpu", dtype=torch.float64) for k, s in layers))
    for layer in chain:
        layer.weight.data.fill_(1.0)
        layer.bias.data.zero_()
    return chain


@pytest.mark.parametrize("layers", LAYERS)
def test_the_receptive_field_is_what_the_gradient_reaches(layers):
    chain = ones(*layers)
    assert flops.receptive_field(layers) == reached(lambda x: chain(x.double()))


@pytest.mark.parametrize(("levels", "n"), [(1, 1), (2, 1), (1, 3), (3, 1)])
def test_what_the_bottom_sees_is_what_the_gradient_reaches(levels, n):
    """The convolutions of a real network on its way down and through its middle, and nothing between them."""
    net = UNet(1, (8,) * levels, n, ())
    chain = [net.stem]
    for level, stack in enumerate(net.down):
        chain += [net.shrink[level - 1]] if level else []
        chain += [layer for block in stack for layer in (block.conv1, block.conv2)]
    chain += [layer for block in net.middle for layer in (block.conv1, block.conv2)]
    layers = [(layer.kernel_size[0], layer.stride[0]) for layer in chain]
    assert flops.seen_from_the_bottom(levels, n) == reached(lambda x: ones(*layers)(x.double()), side=192)
    assert flops.seen_from_the_bottom(levels, n, patch=2) == 2 * flops.seen_from_the_bottom(levels, n)


def test_a_side_that_does_not_fit_is_answered_as_the_network_does():
    sentence = ONCE.frame("8×8 grey", 2, 4, WIDTHS[0], 1, (), True)
    assert sentence == "need image sides divisible by 16, but got 8x8."
    with pytest.raises(ValueError, match=re.escape(sentence[:-1])):
        flops.pieces(1, 8, WIDTHS[0], patch=2)
    with pytest.raises(ValueError, match=re.escape(sentence[:-1])):
        UNet(1, WIDTHS[0], patch=2)(torch.empty(1, 1, 8, 8), torch.ones(1, dtype=torch.long))


def test_the_figure_is_small_stable_and_self_contained():
    html = ONCE._repr_html_()
    assert html == ONCE._repr_html_() and repr(ONCE) == "InteractiveFigure('The pieces of a U-Net')"
    assert len(html.encode()) <= 16_384
    assert not re.search(r"https?:|src=|href=|@import|url\(|import\(", html)
    assert 'class="ddpm-figure ddpm-blocks"' in html
