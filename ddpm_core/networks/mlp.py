"""A network for points: linear layers that are told the time. Torch only; it knows no schedule.

The U-Net without its pictures: the same clock, residual layers that time scales and shifts, a last layer that starts at
zero. What it is asked for and how its answer is used is decided elsewhere.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from ddpm_core.networks.layout import check_input, check_whole
from ddpm_core.unet import SinusoidalEmbedding, zeroed


class MLP(nn.Module):
    """(x_t (B, D), t (B,)) -> an answer shaped like x_t.

    dimensions  D of the points
    width       of every hidden layer, and of the vector that carries time; even
    blocks      residual layers, one behind the other   [chapter 7]

    Raises ValueError for points of another shape, and for times that are not one a point.
    """

    edge = ("time", "stem", "head")  # what Muon leaves to Adam, see `training.muon`

    def __init__(self, dimensions: int = 2, width: int = 64, blocks: int = 3):
        super().__init__()
        check_whole(dimensions=dimensions, width=width, blocks=blocks)
        if width < 4 or width % 2:
            raise ValueError(f"need an even width of at least 4, but got {width}.")
        self.dimensions, self.config = dimensions, dict(dimensions=dimensions, width=width, blocks=blocks)
        self.time = nn.Sequential(SinusoidalEmbedding(width), nn.Linear(width, width), nn.SiLU())
        self.stem = nn.Linear(dimensions, width)
        self.blocks = nn.ModuleList(ResidualLayer(width, width) for _ in range(blocks))
        self.head = zeroed(nn.Linear(width, dimensions))

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        check_input(x, t, self.stem.weight, "point")
        if x.ndim != 2 or x.shape[1] != self.dimensions:
            raise ValueError(f"need points x (B, {self.dimensions}) for this network, but got shape {tuple(x.shape)}.")
        condition, h = self.time(t.to(x.device)), self.stem(x)
        for block in self.blocks:
            h = block(h, condition)
        return self.head(F.silu(h))


class ResidualLayer(nn.Module):
    """SiLU, linear; scale and shift by time, SiLU, linear; plus what came in.  (B, width), (B, condition) -> (B, width)

    The last layer starts at zero, so that a new block passes its input on.   [chapter 7, Eq. 7.1]
    """

    edge = ("condition",)  # where time enters

    def __init__(self, width: int, condition: int):
        super().__init__()
        self.first, self.second = nn.Linear(width, width), zeroed(nn.Linear(width, width))
        self.condition = nn.Linear(condition, 2 * width)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        scale, shift = self.condition(condition).chunk(2, dim=1)
        h = self.first(F.silu(x))
        return x + self.second(F.silu(h * (1 + scale) + shift))
