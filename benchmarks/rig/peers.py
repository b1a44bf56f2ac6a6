"""Who is compared: networks (x_t (B, C, H, W), t (B,)) -> (B, C, H, W) of one layout, as each library builds them.

A layout is widths, levels, blocks a level and where attention is; that of the paper is `networks.ddpm_unet`'s.
diffusers and smalldiffusion build the same. labml almost does: the last block of a level on the way up has the width of
the next.
Of another kind, with about as many weights, are denoising-diffusion-pytorch with its own multiples of its first width,
which puts most of them where there are few pixels, and a diffusion transformer, which has no levels at all.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from unittest.mock import MagicMock

import torch
from torch import Tensor, nn

from ddpm_core.networks.ddpm_unet import DDPMUNet
from ddpm_core.unet import UNet


@dataclass(frozen=True)
class Layout:
    """A network of the paper's kind, and the batch it is trained with here."""

    in_channels: int
    side: int
    channels: tuple[int, ...]
    blocks: int
    attention: tuple[int, ...]
    batch: int
    groups: int = 4  # of a norm, where a library lets one choose: 8 channels in each, as many as a register holds
    dim: int = 8  # first width of denoising-diffusion-pytorch
    transformer: tuple[int, int, int] = (4, 32, 3)  # depth, width of a head, heads


SIZES = {
    "0.7 M": Layout(1, 16, (32, 64), 1, (1,), batch=128),
    "2.25 M": Layout(3, 32, (32, 64, 64, 64), 2, (1,), batch=64, dim=16, transformer=(7, 32, 4)),
    "35.7 M": Layout(3, 32, (128, 256, 256, 256), 2, (1,), batch=8, groups=32, dim=64, transformer=(13, 64, 6)),
}


class Asked(nn.Module):
    """A network that is asked in its own way: `ask(net, x, t)`."""

    def __init__(self, net: nn.Module, ask: Callable[[nn.Module, Tensor, Tensor], Tensor]):
        super().__init__()
        self.net, self.ask = net, ask

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return self.ask(self.net, x, t)


def ours(o: Layout) -> nn.Module:
    """`ddpm_core.networks.ddpm_unet`."""
    return DDPMUNet(o.in_channels, o.channels, o.blocks, o.attention, o.groups)


def unet(o: Layout) -> nn.Module:
    """`ddpm_core.unet`, which is another layout: fewer blocks and fewer skips on the way up."""
    return UNet(o.in_channels, o.channels, o.blocks, o.attention)


def diffusers(o: Layout) -> nn.Module:
    """UNet2DModel, told what the published description of the paper's network says."""
    from diffusers import UNet2DModel

    kinds = ["Attn" if level in o.attention else "" for level in range(len(o.channels))]
    net = UNet2DModel(
        sample_size=o.side, in_channels=o.in_channels, out_channels=o.in_channels, block_out_channels=o.channels,
        down_block_types=[f"{kind}DownBlock2D" for kind in kinds],
        up_block_types=[f"{kind}UpBlock2D" for kind in reversed(kinds)],
        layers_per_block=o.blocks, norm_num_groups=o.groups,
        attention_head_dim=None, downsample_padding=0, flip_sin_to_cos=False, freq_shift=1, norm_eps=1e-6,
    )  # fmt: skip
    return Asked(net, lambda net, x, t: net(x, t - 1).sample)


def labml(o: Layout) -> nn.Module:
    """labml_nn.diffusion.ddpm; it takes each width as a multiple of the one before."""
    from labml_nn.diffusion.ddpm.unet import UNet as Labml

    times = [width // before for before, width in zip((o.channels[0], *o.channels), o.channels, strict=False)]
    attends = [level in o.attention for level in range(len(o.channels))]
    return Labml(o.in_channels, o.channels[0], times, attends, o.blocks)


def smalldiffusion(o: Layout) -> nn.Module:
    """smalldiffusion.Unet, which is told the noise level."""
    without_torchvision()
    from smalldiffusion import Unet

    times, sides = tuple(width // o.channels[0] for width in o.channels), [o.side >> level for level in o.attention]
    net = Unet(
        o.side, o.in_channels, o.in_channels, o.channels[0], times, num_res_blocks=o.blocks, attn_resolutions=sides,
        dropout=0.0,
    )  # fmt: skip
    return Asked(net, lambda net, x, t: net(x, t / 1000))


def lucidrains(o: Layout) -> nn.Module:
    """denoising_diffusion_pytorch.Unet, four levels."""
    without_torchvision()
    from denoising_diffusion_pytorch import Unet

    return Unet(o.dim, channels=o.in_channels)


def transformer(o: Layout) -> nn.Module:
    """smalldiffusion.DiT, patches of 2 x 2 pixels."""
    without_torchvision()
    from smalldiffusion import DiT

    depth, head, heads = o.transformer
    net = DiT(o.side, o.in_channels, 2, depth, head, heads)
    return Asked(net, lambda net, x, t: net(x, t / 1000))


OURS = "ddpm_core.paper"  # the key of results files, older than the module's name
SAME_LAYOUT: dict[str, Callable[[Layout], nn.Module]] = {
    OURS: ours,
    "diffusers": diffusers,
    "smalldiffusion": smalldiffusion,
}
OTHERS: dict[str, Callable[[Layout], nn.Module]] = {
    "ddpm_core.unet": unet,
    "labml": labml,
    "denoising-diffusion-pytorch": lucidrains,
    "DiT (smalldiffusion)": transformer,
}
CHANNELS_LAST = ", channels_last"  # what a name ends in where weights and images lie in memory pixel by pixel


def entrants() -> list[str]:
    """All names: each peer as it comes, and with channels_last, which our trainer always sets."""
    theirs = [name for name in {**SAME_LAYOUT, **OTHERS} if not name.startswith("ddpm_core")]
    both = [name + memory for name in theirs for memory in ("", CHANNELS_LAST) if not (memory and "DiT" in name)]
    return [OURS, "ddpm_core.unet", *both]


def build(name: str, layout: Layout) -> nn.Module:
    """The network of that name, from the same seed, laid out in memory as its name says."""
    torch.manual_seed(0)
    net = {**SAME_LAYOUT, **OTHERS}[name.removesuffix(CHANNELS_LAST)](layout)
    last = name.startswith("ddpm_core") or name.endswith(CHANNELS_LAST)
    return net.to(memory_format=torch.channels_last if last else torch.contiguous_format).train()


def versions() -> dict[str, str]:
    """Of the libraries compared with."""
    return {name: version(name) for name in ("diffusers", "denoising-diffusion-pytorch", "labml-nn", "smalldiffusion")}


def without_torchvision() -> None:
    """Let packages import that name torchvision at their top; nothing of it is used here."""
    for name in ("torchvision", "torchvision.transforms", "torchvision.utils", "pytorch_fid", "pytorch_fid.inception",
                 "pytorch_fid.fid_score"):  # fmt: skip
        sys.modules.setdefault(name, MagicMock())
