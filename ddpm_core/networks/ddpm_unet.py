"""The paper's own U-Net, laid out and named as its published weights are: torch only; it knows no schedule.

`unet` is the same idea with less. Here time is added to a block instead of scaling and shifting it; everything on the
way down is kept for the way up, the first convolution and the stairs too; a level has one block more on the way up than
on the way down; attention has one head. The names are those of the weights "google/ddpm-cifar10-32" on the Hub.
"""

import math
from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ddpm_core.networks import conditioning
from ddpm_core.networks.layout import check_dropout, check_input, check_lists, check_whole


class DDPMUNet(nn.Module):
    """(x_t (B, C, H, W), t (B,)) -> an image shaped like x_t. The defaults are CIFAR-10's: 35.7 M weights.

    in_channels  C of the images
    channels     width of each level; H and W halve from one level to the next
    blocks       residual blocks on each level of the way down; one more on the way up
    attention    levels that attend, counted from 0 at the top; the middle always does
    groups       of each GroupNorm
    dropout      in each residual block; the paper trained with 0.1

    Times are 1..T as everywhere here; the published weights count 0..T-1, so they are told t - 1.
    [Ho 2020, Appendix B]
    """

    edge = ("time_embedding", "conv_in", "conv_out")  # what Muon leaves to Adam, see `training.muon`

    def __init__(
        self,
        in_channels: int = 3,
        channels: Sequence[int] = (128, 256, 256, 256),
        blocks: int = 2,
        attention: Sequence[int] = (1,),
        groups: int = 32,
        dropout: float = 0.0,
    ):
        super().__init__()
        check_whole(in_channels=in_channels, blocks=blocks, groups=groups)
        check_lists(int, channels=channels, attention=attention)
        check_dropout(dropout)
        _check_layout(channels, attention, groups)
        # Everything needed to build this network again.
        self.config = dict(
            in_channels=in_channels, channels=list(channels), blocks=blocks, attention=list(attention), groups=groups,
            dropout=dropout,
        )  # fmt: skip
        self.in_channels = in_channels
        self.num_classes, self.vocabulary, self.label = None, None, None  # it is told nothing but the time
        widths, top, bottom = list(channels), channels[0], channels[-1]
        how = dict(condition=4 * top, groups=groups, dropout=dropout)

        self.time_embedding = TimeEmbedding(top)
        self.conv_in = nn.Conv2d(in_channels, top, 3, padding=1)
        self.down_blocks, self.up_blocks = nn.ModuleList(), nn.ModuleList()
        n, kept = top, [top]  # widths of the picture that comes in, and of those kept for the way up
        for k, width in enumerate(widths):
            level = Level([n] + [width] * (blocks - 1), width, [k in attention] * blocks, **how)
            level.downsamplers = nn.ModuleList(Downsample(width) for _ in widths[k + 1 : k + 2])  # none at the bottom
            self.down_blocks.append(level)
            n, kept = width, kept + [width] * (blocks + len(level.downsamplers))
        self.mid_block = Level([bottom, bottom], bottom, [True, False], **how)
        for k, width in reversed(list(enumerate(widths))):
            both = [m + kept.pop() for m in [n] + [width] * blocks]
            level = Level(both, width, [k in attention] * (blocks + 1), **how)
            level.upsamplers = nn.ModuleList(Upsample(width) for _ in range(min(k, 1)))  # none at the top
            self.up_blocks.append(level)
            n = width
        self.conv_norm_out, self.conv_out = _norm(groups, top), nn.Conv2d(top, in_channels, 3, padding=1)
        for (
            name,
            p,
        ) in self.named_parameters():  # as in the paper's code: a new block passes on, a new network answers 0
            if ".conv2." in name or ".to_out." in name or name.startswith("conv_out."):
                nn.init.zeros_(p)

    @property
    def multiple(self) -> int:
        """Image sides must be multiples of this: every level below the first halves them once."""
        return 2 ** (len(self.down_blocks) - 1)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        self._check_input(x, t)
        condition = F.silu(self.time_embedding(t.to(x.device)))
        h = self.conv_in(x)
        kept = [h]
        for level in self.down_blocks:
            for block, attention in level.pairs():
                h = attention(block(h, condition))
                kept.append(h)
            for shrink in level.downsamplers:
                h = shrink(h)  # (B, C, H/2, W/2)
                kept.append(h)
        for block, attention in self.mid_block.pairs():
            h = attention(block(h, condition))
        for level in self.up_blocks:
            for block, attention in level.pairs():
                h = attention(block(torch.cat([h, kept.pop()], dim=1), condition))
            for grow in level.upsamplers:
                h = grow(h)  # (B, C, 2H, 2W)
        return self.conv_out(F.silu(self.conv_norm_out(h)))

    def check_labels(self, labels: Tensor, n: int) -> None:
        """Raises ValueError: this network is told nothing but the time."""
        conditioning.check_labels(self.label, labels, n)

    def _check_input(self, x: Tensor, t: Tensor) -> None:
        check_input(x, t, self.conv_in.weight)
        if x.ndim != 4 or x.shape[1] != self.in_channels or x.shape[2] % self.multiple or x.shape[3] % self.multiple:
            raise ValueError(
                f"need images (B, {self.in_channels}, H, W) whose sides are divisible by {self.multiple}, "
                f"but got shape {tuple(x.shape)}."
            )


class Level(nn.Module):
    """Residual blocks of one resolution, and the attention behind each, which may be none."""

    def __init__(self, ins: list[int], width: int, attends: list[bool], condition: int, groups: int, dropout: float):
        super().__init__()
        self.resnets = nn.ModuleList(Block(n, width, condition, groups, dropout) for n in ins)
        self.attentions = nn.ModuleList(Attention(width, groups) if a else nn.Identity() for a in attends)

    def pairs(self) -> Iterator[tuple[nn.Module, nn.Module]]:
        """Block by block, with its attention."""
        return zip(self.resnets, self.attentions, strict=True)


class Block(nn.Module):
    """norm, SiLU, conv, plus time; norm, SiLU, dropout, conv; plus what came in."""

    edge = ("time_emb_proj",)  # where time enters

    def __init__(self, n_in: int, n_out: int, condition: int, groups: int, dropout: float):
        super().__init__()
        self.norm1, self.conv1 = _norm(groups, n_in), nn.Conv2d(n_in, n_out, 3, padding=1)
        self.time_emb_proj = nn.Linear(condition, n_out)
        self.norm2, self.conv2 = _norm(groups, n_out), nn.Conv2d(n_out, n_out, 3, padding=1)
        self.dropout = nn.Dropout(dropout)
        self.conv_shortcut = nn.Identity() if n_in == n_out else nn.Conv2d(n_in, n_out, 1)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x)))
        h += self.time_emb_proj(condition)[:, :, None, None]
        h = self.conv2(self.dropout(F.silu(self.norm2(h))))
        h += self.conv_shortcut(x)
        return h


class Attention(nn.Module):
    """Every pixel asks every pixel, one head: softmax(q k^T / sqrt(C)) v, plus what came in."""

    def __init__(self, channels: int, groups: int):
        super().__init__()
        self.group_norm = _norm(groups, channels)
        self.to_q, self.to_k, self.to_v = (nn.Linear(channels, channels) for _ in range(3))
        self.to_out = nn.ModuleList([nn.Linear(channels, channels)])

    def forward(self, x: Tensor) -> Tensor:
        h = self.group_norm(x).flatten(2).transpose(1, 2)[:, None]  # (B, 1, H W, C): one head
        h = F.scaled_dot_product_attention(self.to_q(h), self.to_k(h), self.to_v(h))
        return x + self.to_out[0](h).transpose(-1, -2).reshape(x.shape)


class Downsample(nn.Module):
    """Half the resolution, by a convolution of stride 2; the paper pads below and to the right only."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.pad(x, (0, 1, 0, 1)))


class Upsample(nn.Module):
    """Twice the resolution: every pixel becomes four equal ones, and a convolution.

    Its 9 weights meet only 4 different pixels there. Those that meet the same one are added up first, and one
    transposed convolution of the small picture takes 4 products where 9 were; nothing is written four times.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        sums = 4 * F.avg_pool2d(self.conv.weight.flip(2, 3), 2, stride=1, padding=1)  # (C, C, 4, 4): of 1, 2 or 4
        return F.conv_transpose2d(x, sums.transpose(0, 1), self.conv.bias, stride=2, padding=1)


class TimeEmbedding(nn.Module):
    """t (B,) -> (B, 4 width): sines and cosines of t - 1 at `width / 2` frequencies from 1 to 1/10000, two layers."""

    def __init__(self, width: int):
        super().__init__()
        frequencies = torch.exp(-math.log(10_000) * torch.arange(width // 2) / (width // 2 - 1))
        self.register_buffer("frequencies", frequencies, persistent=False)
        self.linear_1, self.linear_2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, 4 * width)

    def forward(self, t: Tensor) -> Tensor:
        angle = (t[:, None] - 1).to(self.frequencies.dtype) * self.frequencies
        return self.linear_2(F.silu(self.linear_1(torch.cat([angle.sin(), angle.cos()], dim=1))))


def _norm(groups: int, channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(groups, channels, eps=1e-6)


def _check_layout(channels: Sequence[int], attention: Sequence[int], groups: int) -> None:
    if not channels or any(width % groups for width in channels) or channels[0] < 4 or channels[0] % 2:
        raise ValueError(
            f"need level widths that are multiples of groups = {groups}, the first even and at least 4, "
            f"but got {list(channels)}."
        )
    if any(not 0 <= level < len(channels) for level in attention):
        raise ValueError(f"need attention levels in 0..{len(channels) - 1}, but got {list(attention)}.")
