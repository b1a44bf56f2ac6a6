"""A whole DDPM in one file, as a student might write it: the patient of chapter 15.

The paper's training and Algorithm 2 on small grey pictures, with T = 100. Every bug of the clinic is one changed line
of this file. Of the package it takes the schedule alone.
"""

import copy
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm.auto import trange

from ddpm_core.schedule import at, cosine

TABLES = cosine(100)
T = TABLES.T

# ---- Pictures --------------------------------------------------------------------------------------------------


def scaled(pixels: Tensor) -> Tensor:
    """Grey values 0..255 -> numbers in [-1, 1]."""
    return pixels / 127.5 - 1


def shown(x: Tensor) -> Tensor:
    """Numbers in [-1, 1] -> grey values 0..255."""
    return ((x.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


# ---- Into the noise --------------------------------------------------------------------------------------------


def noised(x0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
    """x_t = sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) eps, t (B,).

    [Ho 2020, Eq. 4]
    """
    alpha_bar = at(TABLES.alpha_bar, t, like=x0)
    return alpha_bar.sqrt() * x0 + (1 - alpha_bar).sqrt() * eps


# ---- The network -----------------------------------------------------------------------------------------------


class Clock(nn.Module):
    """t (B,) -> (B, 128): sines and cosines of t, and two layers.  [Ho 2020, Appendix B]"""

    def __init__(self):
        super().__init__()
        self.register_buffer("frequencies", torch.exp(-math.log(10_000) * torch.arange(16) / 16))
        self.layers = nn.Sequential(nn.Linear(32, 128), nn.SiLU(), nn.Linear(128, 128), nn.SiLU())

    def forward(self, t: Tensor) -> Tensor:
        angle = t[:, None] * self.frequencies
        return self.layers(torch.cat([angle.sin(), angle.cos()], dim=1))


def take(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """softmax(q k^T / sqrt(d)) v, all (B, N, d); scores has a row a query.

    [Vaswani 2017, Eq. 1]
    """
    scores = q @ k.transpose(1, 2) / math.sqrt(q.shape[2])
    return scores.softmax(dim=2) @ v


class Attention(nn.Module):
    """Every place asks every place; plus what came in."""

    def __init__(self, channels: int):
        super().__init__()
        self.norm, self.qkv = nn.GroupNorm(8, channels), nn.Conv2d(channels, 3 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(self.norm(x)).flatten(2).transpose(1, 2).chunk(3, dim=2)
        return x + self.out(take(q, k, v).transpose(1, 2).reshape(x.shape))


class Residual(nn.Module):
    """norm, SiLU, conv; plus time; norm, SiLU, dropout, conv; plus x.

    [Ho 2020, Appendix B]
    """

    def __init__(self, n_in: int, n_out: int):
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(8, n_in), nn.Conv2d(n_in, n_out, 3, padding=1)
        self.time, self.dropout = nn.Linear(128, n_out), nn.Dropout(0.1)
        self.norm2 = nn.GroupNorm(8, n_out)
        self.conv2, self.across = nn.Conv2d(n_out, n_out, 3, padding=1), nn.Conv2d(n_in, n_out, 1)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x)))
        h = h + self.time(time)[:, :, None, None]
        return self.across(x) + self.conv2(self.dropout(F.silu(self.norm2(h))))


class Network(nn.Module):
    """(x_t (B, 1, H, W), t (B,)) -> the noise in x_t: one stair down, attention, one stair up."""

    def __init__(self):
        super().__init__()
        self.clock, self.stem = Clock(), nn.Conv2d(1, 24, 3, padding=1)
        self.first, self.shrink = Residual(24, 24), nn.Conv2d(24, 48, 3, stride=2, padding=1)
        self.low, self.attention, self.lowest = Residual(48, 48), Attention(48), Residual(48, 48)
        self.last = Residual(72, 24)
        self.head = nn.Sequential(nn.GroupNorm(8, 24), nn.SiLU(), nn.Conv2d(24, 1, 3, padding=1))

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        time = self.clock(t)
        skip = self.first(self.stem(x), time)
        h = self.low(self.shrink(skip), time)
        h = self.lowest(self.attention(h), time)
        return self.head(self.last(torch.cat([F.interpolate(h, scale_factor=2), skip], dim=1), time))


# ---- Training --------------------------------------------------------------------------------------------------


def squared_error(net: nn.Module, x0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
    """L_simple: the mean of (eps - net(x_t, t))^2.  [Ho 2020, Eq. 14]"""
    x_t = noised(x0, t, eps)
    return (eps - net(x_t, t)).square().mean()


@torch.no_grad()
def update_average(average: nn.Module, net: nn.Module, decay: float = 0.98) -> None:
    """average <- decay average + (1 - decay) net, weight by weight."""
    for slow, fast in zip(average.parameters(), net.parameters(), strict=True):
        slow.lerp_(fast, 1 - decay)


def train(pixels: Tensor, steps: int, seed: int = 0, batch: int = 64) -> tuple[nn.Module, list[float]]:
    """Algorithm 1 on grey values (N, 1, H, W): the averaged network, and the loss of each step."""
    torch.manual_seed(seed)
    net, losses = Network(), []
    average, optimizer = copy.deepcopy(net), torch.optim.Adam(net.parameters(), lr=2e-3)
    for _ in trange(steps, desc="training", unit=" steps", delay=1, leave=False, mininterval=1):
        x0 = scaled(pixels[torch.randint(len(pixels), (batch,))])
        loss = squared_error(net, x0, torch.randint(1, T + 1, (batch,)), torch.randn(x0.shape))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        update_average(average, net)
        losses.append(loss.item())
    return average.eval(), losses


# ---- Out of the noise ------------------------------------------------------------------------------------------


def guess(net: nn.Module, x_t: Tensor, t: Tensor) -> Tensor:
    """x0_hat from the noise that is guessed, held to [-1, 1].

    [Ho 2020, Eq. 15]
    """
    alpha_bar = at(TABLES.alpha_bar, t, like=x_t)
    eps_hat = net(x_t, t)
    x0_hat = (x_t - (1 - alpha_bar).sqrt() * eps_hat) / alpha_bar.sqrt()
    return x0_hat.clamp(-1, 1)


def step_back(x_t: Tensor, t: Tensor, x0_hat: Tensor, z: Tensor) -> Tensor:
    """x_{t-1}: the posterior's mean (Ho 2020, Eq. 7), plus sqrt(beta_t) z."""
    beta = at(TABLES.beta, t, like=x_t)
    alpha_bar = at(TABLES.alpha_bar, t, like=x_t)
    before = at(TABLES.alpha_bar, t - 1, like=x_t)
    of_x0, of_xt = before.sqrt() * beta, (1 - beta).sqrt() * (1 - before)
    mean = (of_x0 * x0_hat + of_xt * x_t) / (1 - alpha_bar)
    return mean + beta.sqrt() * z


@torch.no_grad()
def draw(net: nn.Module, x_T: Tensor, seed: int = 0) -> Tensor:
    """Algorithm 2: from noise x_T to pictures; none in the last step."""
    net.eval()
    x, chance = x_T, torch.Generator().manual_seed(seed)
    for t in range(T, 0, -1):
        now = torch.full((len(x),), t)
        z = torch.randn(x.shape, generator=chance, dtype=x.dtype) * (t > 1)
        x = step_back(x, now, guess(net, x, now), z)
    return x
