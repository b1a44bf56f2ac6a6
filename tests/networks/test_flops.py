"""Counting operations, against counts by hand."""

import torch
from torch import nn

from ddpm_core import unet
from ddpm_core.networks import ddpm_unet
from ddpm_core.networks.flops import training_flops
from ddpm_core.recipes import config


class Timeless(nn.Sequential):
    """Layers that are not told the time."""

    def forward(self, x, t):
        return super().forward(x)


def test_two_convolutions_are_counted_as_by_hand():
    net = Timeless(nn.Conv2d(3, 8, 3, padding=1), nn.SiLU(), nn.Conv2d(8, 5, 1))
    first, second = 2 * 3 * 8 * 9 * 6 * 4, 2 * 8 * 5 * 6 * 4  # for 6x4 pixels, forward
    # on the way back once for the weights, and once for what came in, of which the image itself needs none
    assert training_flops(net, (3, 6, 4)) == 2 * first + 3 * second


def test_counting_leaves_the_network_alone():
    net = unet.UNet(1, (8, 16)).eval()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    assert training_flops(net, (1, 8, 8)) == training_flops(net, (1, 8, 8)) > 0
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert not net.training and all(p.grad is None and p.device.type == "cpu" for p in net.parameters())


def test_four_times_the_pixels_cost_four_times_as_much_without_attention():
    net = Timeless(nn.Conv2d(1, 8, 3, padding=1), nn.Conv2d(8, 1, 3, padding=1))
    assert training_flops(net, (1, 16, 16)) == 4 * training_flops(net, (1, 8, 8))


def test_cifar10s_network_is_a_quarter_cheaper_than_the_papers():
    with torch.device("meta"):
        ours, theirs = config.network(config.CIFAR10, 3, None), ddpm_unet.DDPMUNet()
    ratio = training_flops(ours, (3, 32, 32)) / training_flops(theirs, (3, 32, 32))
    assert 0.7 < ratio < 0.8
