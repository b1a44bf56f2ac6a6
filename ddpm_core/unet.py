"""The U-Net: torch only; it knows no schedule. What it predicts and how its output is used is decided elsewhere.

Down: residual blocks, then half the resolution, and so on; a middle with attention; up the same stairs, each block
meeting the picture that its twin left behind (the skip). Time, and class or caption, enter every block as a scale and
a shift.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ddpm_core.networks import conditioning
from ddpm_core.networks.cross_attention import CrossAttention, Words
from ddpm_core.networks.layout import check_input, check_layout


class UNet(nn.Module):
    """(x_t (B, C, H, W), t (B,), labels (B,) or tokens (B, MAX_WORDS) or None) -> an image shaped like x_t.

    in_channels  C of the images: 1, 3 or 4
    channels     width of each level; H and W halve from one level to the next
    blocks       residual blocks on each level, down and up
    attention    levels that attend, besides the middle; 0 is the top, None means the lowest (where pixels are few)
    patch        pixel-unshuffle stem: patch x patch pixels become channels, so that 32x32 starts at 16x16 (patch=2)
    num_classes  labels 0..num_classes-1; label num_classes means "none given" (for classifier-free guidance)
    vocabulary   or the words of captions, or a `FrozenText`: labels are `encode(captions, vocabulary)`, "" says none
    cross_attention  levels whose positions also ask each word of the caption; none if not told otherwise
    dropout      in each residual block; the paper uses 0.1 on CIFAR-10
    out_channels of the output, C by default: 2 C for one that learns its variance, see `variance.split`
    heads        of each attention   [Ho 2020, Appendix B; Nichol and Dhariwal 2021, Section 3.4; chapter 7]

    Set `net.checkpointing = True` to train in less memory and more time: of each block only what enters it is kept for
    the way back, and the rest computed again there. Weights, outputs and gradients are the same.   [Chen 2016]
    """

    checkpointing = False
    edge = ("time", "label", "stem", "head")  # what Muon leaves to Adam, see `training.muon.inner_matrices`

    def __init__(
        self, in_channels: int = 1, channels: Sequence[int] = (32, 64), blocks: int = 1,
        attention: Sequence[int] | None = None, patch: int = 1, num_classes: int | None = None, dropout: float = 0.0,
        heads: int = 4, vocabulary: Sequence[str] | None = None, cross_attention: Sequence[int] = (),
        out_channels: int | None = None,
    ):  # fmt: skip
        super().__init__()
        check_layout(
            in_channels, channels, blocks, attention, patch, num_classes, dropout, heads, vocabulary, cross_attention,
            out_channels,
        )  # fmt: skip
        attention = [len(channels) - 1] if attention is None else list(attention)
        out_channels = in_channels if out_channels is None else out_channels
        # Everything needed to build this network again; stored in the checkpoint.
        self.config = dict(
            in_channels=in_channels, channels=list(channels), blocks=blocks, attention=attention, patch=patch,
            num_classes=num_classes, dropout=dropout, heads=heads,
            vocabulary=conditioning.described(vocabulary), out_channels=out_channels,
            **(dict(cross_attention=list(cross_attention)) if cross_attention else {}),
        )  # fmt: skip
        self.in_channels, self.patch, self.num_classes = in_channels, patch, num_classes
        self.vocabulary = vocabulary
        widths, bottom = list(channels), channels[-1]
        condition = 4 * widths[0]  # width of the vector that carries time, and class or caption

        def block(n_in: int, n_out: int, level: int) -> nn.Module:
            reads = CrossAttention(n_out, condition, heads) if level in cross_attention else None
            return ResidualBlock(n_in, n_out, condition, dropout, heads if level in attention else None, reads)

        self.time = nn.Sequential(
            SinusoidalEmbedding(widths[0]), nn.Linear(widths[0], condition), nn.SiLU(), nn.Linear(condition, condition)
        )
        self.label = conditioning.encoder(num_classes, vocabulary, condition, words=bool(cross_attention))
        self.stem = nn.Conv2d(in_channels * patch**2, widths[0], 3, padding=1)
        self.down, self.shrink, self.grow, self.up = (nn.ModuleList() for _ in range(4))
        for level, (n_in, n_out) in enumerate(pairwise([widths[0], *widths])):
            self.down.append(nn.ModuleList(block(n_in if i == 0 else n_out, n_out, level) for i in range(blocks)))
            if level < len(widths) - 1:
                self.shrink.append(nn.Conv2d(n_out, n_out, 3, stride=2, padding=1))
        self.middle = nn.ModuleList(
            [
                ResidualBlock(bottom, bottom, condition, dropout, heads),
                ResidualBlock(bottom, bottom, condition, dropout),
            ]
        )
        for level, n_out in reversed(list(enumerate(widths))):
            if level < len(widths) - 1:
                self.grow.append(nn.Conv2d(widths[level + 1], n_out, 3, padding=1))
            self.up.append(nn.ModuleList(block(2 * n_out, n_out, level) for _ in range(blocks)))
        self.head = nn.Sequential(
            _norm(widths[0]), nn.SiLU(), zeroed(nn.Conv2d(widths[0], out_channels * patch**2, 3, padding=1))
        )

    def forward(self, x: Tensor, t: Tensor, labels: Tensor | None = None) -> Tensor:
        self._check_input(x, t, labels)
        t = t.to(x.device)  # times and labels may lie on the CPU
        condition, words = self.time(t), None
        if self.label is not None:
            said = self.label.nothing(len(x), x.device) if labels is None else labels.to(x.device)
            told, words = self.label.read(said)
            condition = condition + told
        h, skips = self.stem(F.pixel_unshuffle(x, self.patch)), []
        for level, blocks in enumerate(self.down):
            if level > 0:
                h = self.shrink[level - 1](h)  # (B, C, H/2, W/2)
            for block in blocks:
                h = self._through(block, condition, words, h)
                skips.append(h)
        for block in self.middle:
            h = self._through(block, condition, words, h)
        for stair, blocks in enumerate(self.up):
            if stair > 0:
                h = self.grow[stair - 1](F.interpolate(h, scale_factor=2))  # (B, C, 2H, 2W)
            for block in blocks:
                h = self._through(block, condition, words, h, skips.pop())
        return F.pixel_shuffle(self.head(h), self.patch)

    def _through(self, block: nn.Module, condition: Tensor, words: Words | None, *parts: Tensor) -> Tensor:
        """The block's answer to the parts, one behind the other in the channels."""
        if self.checkpointing and torch.is_grad_enabled():
            return checkpoint(_joined, block, condition, words, *parts, use_reentrant=False)
        return _joined(block, condition, words, *parts)

    @property
    def multiple(self) -> int:
        """Image sides must be multiples of this: every level below the first halves them once."""
        return self.patch * 2 ** (len(self.down) - 1)

    def check_labels(self, labels: Tensor, n: int) -> None:
        """Raises ValueError unless these are labels, or tokens, of n images that the network has learned."""
        conditioning.check_labels(self.label, labels, n)

    def _check_input(self, x: Tensor, t: Tensor, labels: Tensor | None) -> None:
        check_input(x, t, self.stem.weight)
        if x.ndim != 4 or x.shape[1] != self.in_channels:
            raise ValueError(
                f"need images (B, {self.in_channels}, H, W) for this network, but got shape {tuple(x.shape)}."
            )
        if x.shape[2] % self.multiple or x.shape[3] % self.multiple or not x.shape[2:].numel():
            fit = [max(1, math.ceil(side / self.multiple)) * self.multiple for side in x.shape[2:]]
            raise ValueError(
                f"need image sides divisible by {self.multiple}, but got {x.shape[2]}x{x.shape[3]}; "
                f"pad to {fit[0]}x{fit[1]} (ddpm_core.data.pad_to)."
            )
        if labels is not None:
            conditioning.check_shape(self.label, labels, len(x))


class ResidualBlock(nn.Module):
    """norm, SiLU, conv; norm, scale and shift by time and class or caption, SiLU, dropout, conv; plus what came in.

    The last convolution starts at zero, so that a new block passes its input on where n_in is n_out. With `heads`,
    attention follows, with `reads` cross-attention to the words.
    [Ho 2020, Appendix B; Nichol and Dhariwal 2021; chapter 7, Eq. 7.6]
    """

    edge = ("condition",)  # where time enters

    def __init__(
        self, n_in: int, n_out: int, condition: int, dropout: float = 0.0, heads: int | None = None,
        reads: CrossAttention | None = None,
    ):  # fmt: skip
        super().__init__()
        self.norm1, self.conv1 = _norm(n_in), nn.Conv2d(n_in, n_out, 3, padding=1)
        self.norm2, self.conv2 = _norm(n_out), zeroed(nn.Conv2d(n_out, n_out, 3, padding=1))
        self.condition = nn.Linear(condition, 2 * n_out)
        self.dropout = nn.Dropout(dropout)
        self.shortcut = nn.Identity() if n_in == n_out else nn.Conv2d(n_in, n_out, 1)
        self.attention = nn.Identity() if heads is None else Attention(n_out, heads)
        self.reads = reads

    def forward(
        self, x: Tensor, condition: Tensor, words: Words | None = None
    ) -> Tensor:  # fmt: skip
        told = self.condition(F.silu(condition))[:, :, None, None]
        scale, shift = told.chunk(2, dim=1)  # (B, n_out, 1, 1) each
        h = self.conv1(F.silu(self.norm1(x)))
        h = F.silu(self.norm2(h) * (1 + scale) + shift)
        h = self.attention(self.shortcut(x) + self.conv2(self.dropout(h)))
        return h if self.reads is None else self.reads(h, words)


class Attention(nn.Module):
    """Every position asks every position: norm, softmax(q k^T / sqrt(d)) v over all H W, a 1x1 convolution that starts
    at zero; plus what came in.
    [Vaswani 2017, Eq. 1; chapter 7, Eq. 7.8]
    """

    def __init__(self, channels: int, heads: int):
        super().__init__()
        self.heads, self.norm = heads, _norm(channels)
        self.qkv, self.out = nn.Conv2d(channels, 3 * channels, 1), zeroed(nn.Conv2d(channels, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        h = F.scaled_dot_product_attention(*self._asked(x))  # (B, heads, H W, d); the softmax runs over the keys
        return x + self.out(h.transpose(-1, -2).reshape(x.shape))

    def weights(self, x: Tensor) -> Tensor:
        """softmax(q k^T / sqrt(d)), (B, heads, H W, H W): row by row, how much a position takes of every other."""
        q, k, _ = self._asked(x)
        return (q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])).softmax(-1)

    def _asked(self, x: Tensor) -> tuple[Tensor, ...]:
        """Queries, keys and values, (B, heads, H W, d) each, d = C / heads."""
        B, C, H, W = x.shape
        return self.qkv(self.norm(x)).reshape(B, 3, self.heads, C // self.heads, H * W).transpose(-1, -2).unbind(1)


class SinusoidalEmbedding(nn.Module):
    """t (B,) -> (B, width), width even: sines, then cosines of t, at frequencies 10000^(-k / (width / 2)).

    [Vaswani 2017; chapter 7, Eqs. 7.2 to 7.4]
    """

    def __init__(self, width: int):
        super().__init__()
        frequencies = torch.exp(-math.log(10_000) * torch.arange(width // 2) / (width // 2))
        self.register_buffer("frequencies", frequencies, persistent=False)

    def forward(self, t: Tensor) -> Tensor:
        angle = t[:, None].to(self.frequencies.dtype) * self.frequencies
        return torch.cat([angle.sin(), angle.cos()], dim=1)


def _joined(block: nn.Module, condition: Tensor, words: Words | None, *parts: Tensor) -> Tensor:
    told = (condition,) if words is None else (condition, words)
    return block(parts[0] if len(parts) == 1 else torch.cat(parts, dim=1), *told)


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(8, channels)  # 8 groups fit every width that is a multiple of 8


def zeroed(layer: nn.Module) -> nn.Module:
    """The layer with weight and bias at zero, so that at first it adds nothing."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
