"""Cross-attention: every position of the picture asks every word of the caption. Torch only."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PAD = 0  # the number of no word


class Words(NamedTuple):
    """A caption word by word: vectors (B, L, D), and which places hold no word, empty (B, L) bool."""

    vectors: Tensor
    empty: Tensor


class CrossAttention(nn.Module):
    """softmax(q k^T / sqrt(d)) v, queries from the picture, keys and values from the words; plus what came in.

    x (B, C, H, W) and `Words` of D numbers each -> (B, C, H, W). The last layer starts at zero, so that a new one adds
    nothing.   [Vaswani 2017, Eq. 1; Rombach 2022, Section 3.3; chapter 13, Eq. 13.7]
    """

    def __init__(self, channels: int, words: int, heads: int):
        super().__init__()
        self.heads, self.norm = heads, nn.GroupNorm(8, channels)
        self.query, self.key_value = nn.Conv2d(channels, channels, 1), nn.Linear(words, 2 * channels)
        self.out = nn.Conv2d(channels, channels, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Tensor, words: Words) -> Tensor:
        q, k, v = self._asked(x, words)
        h = F.scaled_dot_product_attention(q, k, v, attn_mask=~words.empty[:, None, None, :])  # (B, heads, H W, d)
        return x + self.out(h.transpose(-1, -2).reshape(x.shape))

    def weights(self, x: Tensor, words: Words) -> Tensor:
        """softmax(q k^T / sqrt(d)), (B, heads, H W, L): how much each position takes of each word, in all 1."""
        q, k, _ = self._asked(x, words)
        scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
        return scores.masked_fill(words.empty[:, None, None, :], -torch.inf).softmax(-1)

    def _asked(self, x: Tensor, words: Words) -> tuple[Tensor, Tensor, Tensor]:
        """Queries (B, heads, H W, d), keys and values (B, heads, L, d), d = C / heads."""
        B, C, H, W = x.shape
        d, L = C // self.heads, words.vectors.shape[1]
        q = self.query(self.norm(x)).reshape(B, self.heads, d, H * W).transpose(-1, -2)
        k, v = self.key_value(words.vectors).reshape(B, L, 2, self.heads, d).permute(2, 0, 3, 1, 4)
        return q, k, v


@contextmanager
def watched(net: nn.Module) -> Iterator[list[Tensor]]:
    """Inside, each call of the network adds to the list what it looks at: (B, L, H, W), the mean over heads and layers.

    How much each position takes of each place of the caption, whose first is the start token; coarser layers are
    enlarged to the finest. Raises ValueError for a network without cross-attention.   [chapter 13]
    """
    if not isinstance(net, nn.Module):
        raise ValueError(f"need a network to watch, but got {net!r:.60}.")
    layers = [module for module in net.modules() if isinstance(module, CrossAttention)]
    if not layers:
        raise ValueError("need a network with cross-attention to watch, but this one has none.")
    seen: list[Tensor] = []
    maps: list[Tensor] = []

    def of_layer(layer: CrossAttention, inputs: tuple[Tensor, Words], _: Tensor) -> None:
        x, words = inputs
        with torch.no_grad():
            maps.append(layer.weights(x, words).mean(1).transpose(1, 2).unflatten(2, x.shape[2:]))  # (B, L, H, W)

    def of_call(*_) -> None:
        side = max(one.shape[-1] for one in maps)
        larger = [F.interpolate(one, scale_factor=side / one.shape[-1]) for one in maps]
        seen.append(torch.stack(larger).mean(0))
        maps.clear()

    hooks = [layer.register_forward_hook(of_layer) for layer in layers] + [net.register_forward_hook(of_call)]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()
