"""What a network costs, counted before it computes anything: on torch's "meta" device tensors have shapes only."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ddpm_core.diffusion.arguments import checked
from ddpm_core.networks.layout import check_lists, check_whole


@checked
def parameter_count(net: nn.Module) -> int:
    """Number of weights that training moves."""
    return sum(p.numel() for p in net.parameters() if p.requires_grad)


def training_flops(net: nn.Module, shape: tuple[int, ...]) -> int:
    """Floating-point operations to train on one image (C, H, W), there and back; a multiply-add counts as two.

    Convolutions, matrix products and attention count; what is done pixel by pixel does not.
    """
    twin = copy.deepcopy(net).to("meta").train()
    with FlopCounterMode(display=False) as counter:
        twin(torch.empty(1, *shape, device="meta"), torch.ones(1, dtype=torch.long, device="meta")).sum().backward()
    return counter.get_total_flops()


Cost = tuple[int, int]  # weights, multiply-adds for one picture


@dataclass(frozen=True)
class Piece:
    """One piece of the network, in the order it computes.

    level    how often the resolution was halved on the way to it; None for the clock, which sees no picture
    shape    of what it hands on: (C, H, W), or (C,)
    weights  that training moves
    work     multiply-adds for one picture
    """

    name: str
    level: int | None
    shape: tuple[int, ...]
    weights: int
    work: int


def convolution(n_in: int, n_out: int, kernel: int, positions: int) -> Cost:
    """kernel^2 n_in n_out weights and n_out biases; each product is taken at each of the positions of the answer.

    A linear layer is a convolution of kernel 1 at one position.   [chapter 7, Eq. 7.5]
    """
    products = kernel**2 * n_in * n_out
    return products + n_out, products * positions


def residual_block(n_in: int, n_out: int, condition: int, positions: int, attends: bool = False) -> Cost:
    """Two norms, two convolutions, the reading of time, a shortcut where the width changes; attention if it attends."""
    shortcut = (0, 0) if n_in == n_out else convolution(n_in, n_out, 1, positions)
    return _sum(
        _norm(n_in),
        convolution(n_in, n_out, 3, positions),
        convolution(condition, 2 * n_out, 1, 1),
        _norm(n_out),
        convolution(n_out, n_out, 3, positions),
        shortcut,
        attention(n_out, positions) if attends else (0, 0),
    )


def attention(channels: int, positions: int) -> Cost:
    """Norm, queries, keys and values, the way out; and twice positions^2 channels products: q k^T, softmax times v."""
    products = 2 * positions**2 * channels
    return _sum(
        _norm(channels),
        convolution(channels, 3 * channels, 1, positions),
        (0, products),
        convolution(channels, channels, 1, positions),
    )


def receptive_field(layers: Sequence[tuple[int, int]]) -> int:
    """Side of the square that one position of the last layer sees, through convolutions (kernel, stride) in a row:

    1 + sum_l (kernel_l - 1) prod_{m<l} stride_m.   [chapter 7, Eq. 7.7]
    """
    seen, jump = 1, 1
    for kernel, stride in layers:
        seen, jump = seen + (kernel - 1) * jump, jump * stride
    return seen


@checked
def pieces(
    channels: int,
    side: int,
    widths: Sequence[int],
    blocks: int = 1,
    attention: Sequence[int] = (),
    patch: int = 1,
    skips: bool = True,
) -> list[Piece]:
    """`unet.UNet(channels, widths, blocks, attention, patch)` for square pictures without labels, piece by piece.

    Without skips, the blocks on the way up take only what comes from below. Raises ValueError for a side that does not
    fit.   [chapter 7]
    """
    check_whole(channels=channels, side=side, blocks=blocks, patch=patch)
    check_lists(int, widths=widths, attention=attention)
    if not widths or min(widths) < 1:
        raise ValueError(f"need widths above 0, one at least, but got {list(widths)}.")
    bottom = len(widths) - 1
    if side % (multiple := patch * 2**bottom):
        raise ValueError(f"need image sides divisible by {multiple}, but got {side}x{side}.")
    condition, grid = 4 * widths[0], side // patch

    def stack(n_in: int, n_out: int, level: int, then_in: int) -> Cost:
        """The blocks of one level: the first takes n_in channels, the others then_in."""
        inputs = [n_in] + [then_in] * (blocks - 1)
        return _sum(*(residual_block(n, n_out, condition, at(level) ** 2, level in attention) for n in inputs))

    def at(level: int) -> int:
        return grid // 2**level

    def piece(name: str, level: int, width: int, cost: Cost) -> Piece:
        return Piece(name, level, (width, at(level), at(level)), *cost)

    clock = _sum(convolution(widths[0], condition, 1, 1), convolution(condition, condition, 1, 1))
    found = [
        Piece("time", None, (condition,), *clock),
        piece("stem", 0, widths[0], convolution(channels * patch**2, widths[0], 3, grid**2)),
    ]
    for level, width in enumerate(widths):
        if level:
            above = widths[level - 1]
            found.append(piece("shrink", level, above, convolution(above, above, 3, at(level) ** 2)))
        cost = stack(widths[max(level - 1, 0)], width, level, width)
        found.append(piece("down", level, width, cost))
    middle = [residual_block(widths[-1], widths[-1], condition, at(bottom) ** 2, attends) for attends in (True, False)]
    found.append(piece("middle", bottom, widths[-1], _sum(*middle)))
    for level in range(bottom, -1, -1):
        width = widths[level]
        if level < bottom:
            found.append(piece("grow", level, width, convolution(widths[level + 1], width, 3, at(level) ** 2)))
        joined = 2 * width if skips else width
        found.append(piece("up", level, width, stack(joined, width, level, joined)))
    head = _sum(_norm(widths[0]), convolution(widths[0], channels * patch**2, 3, grid**2))
    return [*found, Piece("head", 0, (channels, side, side), *head)]


def seen_from_the_bottom(levels: int, blocks: int, patch: int = 1) -> int:
    """Side of the square of pixels that a position at the end of the middle sees through convolutions alone."""
    check_whole(levels=levels, blocks=blocks, patch=patch)
    stem, block, shrink = [(3, 1)], [(3, 1)] * 2, [(3, 2)]
    way_down = (block * blocks + shrink) * (levels - 1) + block * blocks
    return patch * receptive_field(stem + way_down + block * 2)


def _norm(channels: int) -> Cost:
    return 2 * channels, 0


def _sum(*costs: Cost) -> Cost:
    weights, work = zip(*costs, strict=True)
    return sum(weights), sum(work)
