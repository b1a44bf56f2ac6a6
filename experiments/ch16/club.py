"""The origin: Cogito's model of 2024, built anew from its description. It is the zero point of the ladder.

python -m experiments.ch16.club [--data uoft-cs/cifar10] [--epochs 700] [--out runs/club] [--device cuda]

Sixteen steps on a straight line between picture and noise; a network that is shown one picture of the line and draws
the next, cleaner one; the absolute error; and to draw, that network sixteen times, nothing random in between. It keeps
what it has learned in OUT, goes on from there, and writes OUT/samples.png. Times count as in the paper, 0 is clean; the
network is told 16 - t, as the club counted.   [github.com/CogitoNTNU/DiffusionModel, MIT licence]
"""

import math
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm.auto import tqdm

from ddpm_core import data
from ddpm_core.data import rows_at
from ddpm_core.diffusion import flow
from ddpm_core.diffusion.noise import seeded
from ddpm_core.networks.flops import parameter_count
from ddpm_core.storage.files import write_atomically
from ddpm_core.training import devices
from experiments.common.results_file import picture
from experiments.common.settings import command_line, parsed

T, WIDTH, TOLD, BATCH = 16, 128, 192, 128  # TOLD: width of what carries the time
LR, FALL = 8e-4, 0.9  # Adam's rate, and what is left of it after each round
ROUNDS = 14  # of 50 epochs: the description gives 0.9 and about 700 epochs, how often it falls is our guess
PARAMETERS = 4_281_091  # of the original
AMOUNT = flow.linear_path(T)  # of noise; row 0 is clean data

Loss = Callable[[nn.Module, Tensor, Tensor, Tensor], Tensor]  # (net, x0, t, eps) -> scalar


def blend(x0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
    """x_t = (1 - t / T) x_0 + (t / T) eps: the same noise all along the line.   [chapter 16, Eq. 16.1]"""
    return flow.interpolate(AMOUNT, x0, t, eps)


def absolute(net: nn.Module, x0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
    """The mean absolute error of the next picture."""
    return (net(blend(x0, t, eps), t) - blend(x0, t - 1, eps)).abs().mean()


@torch.no_grad()
def draw(net: nn.Module, x_T: Tensor) -> Iterator[tuple[int, Tensor]]:
    """Sixteen applications: yields (16, x_16), ..., (0, x_0)."""
    x = x_T
    yield T, x
    for t in range(T, 0, -1):
        x = net(x, torch.full((len(x),), t))
        yield t - 1, x


# ---- the network -----------------------------------------------------------------------------------------------


class Club(nn.Module):
    """(x_t (B, 3, side, side), t (B,)) -> the next picture. Four resolutions of equal width, and an MLP at the bottom.

    clock: t (B,) -> (B, TOLD); by default one raw number through one linear layer, as the club had it.
    """

    def __init__(self, side: int = 32, clock: nn.Module | None = None, width: int = WIDTH):
        super().__init__()
        self.clock, self.bottom = clock or Counted(T), side // 8
        pixels = self.bottom**2
        sides = [side, side // 2, side // 4, self.bottom]
        self.down = nn.ModuleList(Block(3 if k == 0 else width, width, s) for k, s in enumerate(sides))
        self.middle = nn.Sequential(
            *_dense(width * pixels + TOLD, width),
            *_dense(width, width // 4 * pixels),
        )
        ins = [width // 4 + width] + 3 * [2 * width]
        self.up = nn.ModuleList(Block(n, width, s) for n, s in zip(ins, reversed(sides), strict=True))
        self.out = nn.Conv2d(width, 3, 1)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        told, kept = self.clock(t.to(x.device)), []
        for k, block in enumerate(self.down):
            x = block(x if k == 0 else F.max_pool2d(x, 2), told)
            kept.append(x)
        x = self.middle(torch.cat([x.flatten(1), told], dim=1)).reshape(len(x), -1, self.bottom, self.bottom)
        for k, block in enumerate(self.up):
            x = x if k == 0 else F.interpolate(x, scale_factor=2, mode="bilinear")
            x = block(torch.cat([x, kept.pop()], dim=1), told)
        return self.out(x)


class Block(nn.Module):
    """Two convolutions side by side; one is rectified and multiplied by the time; their sum is normed and rectified."""

    def __init__(self, n_in: int, n_out: int, side: int):
        super().__init__()
        self.plain, self.gated = (nn.Conv2d(n_in, n_out, 3, padding=1) for _ in range(2))
        self.gate, self.norm = nn.Linear(TOLD, n_out), nn.LayerNorm([n_out, side, side])

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        gate = F.relu(self.gate(told))[:, :, None, None]
        return F.relu(self.norm(self.plain(x) + F.relu(self.gated(x)) * gate))


class Counted(nn.Sequential):
    """The number of steps done, in sixteenths of the way (with 16 steps T - t as it is), through one linear layer."""

    def __init__(self, steps: int):
        super().__init__(*_dense(1, TOLD))
        self.steps = steps

    def forward(self, t: Tensor) -> Tensor:
        return super().forward((self.steps - t)[:, None].float() * (T / self.steps))


def _dense(n_in: int, n_out: int) -> list[nn.Module]:
    return [nn.Linear(n_in, n_out), nn.LayerNorm(n_out), nn.ReLU()]


# ---- its training ----------------------------------------------------------------------------------------------


def batches(images: Tensor, steps: int, batch: int, seed: int) -> Callable[[int], tuple[Tensor, Tensor, Tensor]]:
    """step -> (x0, t, eps): each image once an epoch, its time any of 1..steps. A function of (seed, step) alone."""

    def batch_at(step: int) -> tuple[Tensor, Tensor, Tensor]:
        generator = seeded(seed, step, 1)
        x0 = data.to_float(images[rows_at(step, len(images), batch, seed)])
        t = torch.randint(1, steps + 1, (batch,), generator=generator)
        return x0, t, torch.randn(x0.shape, generator=generator)

    return batch_at


def train(
    net: nn.Module,
    batch_at: Callable,
    loss: Loss,
    steps: int,
    kept: Path,
    save_every: float = 60,
    report_every: int = 10,
) -> Iterator[tuple[int, float, float]]:
    """Adam as the club had it: yields (step, mean loss since the last report, seconds so far) every so many steps.

    It saves to the file `kept` and goes on from there, after yielding once more what was reported until then (a loss
    that the file does not hold is nan). After each fourteenth of the steps the learning rate falls by a tenth. Raises
    FloatingPointError at the report after a loss that is not finite, and saves nothing that is not.
    """
    device = next(net.parameters()).device
    optimizer = torch.optim.Adam(net.parameters(), lr=LR)
    step, reports, losses = 0, [], []
    if kept.exists():
        stored = torch.load(kept, map_location="cpu", weights_only=True)  # where Adam wants its count of steps
        net.load_state_dict(stored["net"])
        optimizer.load_state_dict(stored["optimizer"])
        step = stored["step"]
        reports = stored.get("reports") or [(step, math.nan, stored["seconds"])]
        yield from reports
    before, began = reports[-1][2] if reports else 0.0, time.monotonic()
    saved = began
    net.train()
    while step < steps:
        for group in optimizer.param_groups:
            group["lr"] = rate(step / steps)
        x0, t, eps = batch_at(step)
        value = loss(net, x0.to(device), t, eps.to(device))
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        step += 1
        losses.append(value.detach())
        if step % report_every and step < steps:
            continue
        mean, now = _mean(losses, step), time.monotonic()
        reports.append((step, mean, before + now - began))
        losses = []
        if step == steps or now - saved > save_every:
            _save(kept, net, optimizer, step, reports)
            saved = now
        yield reports[-1]
    net.eval()


def _mean(losses: list[Tensor], step: int) -> float:
    """The mean of the last losses up to this step: the one look at numbers that a GPU still computes."""
    values = torch.stack(losses).tolist()
    for at, value in enumerate(values, step - len(values) + 1):
        if not math.isfinite(value):
            raise FloatingPointError(f"the loss became {value} at step {at}.")
    return statistics.fmean(values)


def _save(kept: Path, net: nn.Module, optimizer: torch.optim.Optimizer, step: int, reports: list[tuple]) -> None:
    if not all(p.isfinite().all() for p in net.parameters()):
        raise FloatingPointError(f"the weights are no longer finite at step {step}.")
    whole = {"net": net.state_dict(), "optimizer": optimizer.state_dict(), "step": step, "reports": reports}
    write_atomically(kept, lambda temporary: torch.save(whole, temporary))


def rate(done: float) -> float:
    """The learning rate when this share is done, 0..1."""
    return LR * FALL ** int(done * ROUNDS)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """epochs: of the images of one class of the data; batch: images a step; width: of the network."""

    data: str = "uoft-cs/cifar10"
    only: str = "automobile"
    epochs: float = 700
    seed: int = 0
    device: str | None = None
    out: Path = Path("runs/club")
    batch: int = BATCH
    width: int = WIDTH


BOOK = Settings()


def main(arguments: list[str] | None = None, settings: Settings = BOOK) -> None:
    parser = command_line(__doc__, data=str, only=str, epochs=float, seed=int, device=str, out=Path)
    settings = parsed(parser, settings, arguments)
    device, cars = devices.check_device(settings.device), data.load(settings.data).of_class(settings.only)
    torch.manual_seed(settings.seed)
    net = Club(cars.images.shape[-1], width=settings.width).to(device)
    print(f"{parameter_count(net):,} parameters; the original has {PARAMETERS:,}")
    steps = round(settings.epochs * len(cars) / settings.batch)
    batch_at = batches(cars.images, T, settings.batch, settings.seed)
    with tqdm(total=steps) as bar:
        for step, loss, _ in train(net, batch_at, absolute, steps, settings.out / "training.pt"):
            bar.update(step - bar.n)
            bar.set_postfix_str(f"loss {loss:.4f}", refresh=False)
    *_, (_, drawn) = draw(net, torch.randn(40, *cars.images.shape[1:], generator=seeded(9)).to(device))
    picture(settings.out / "samples.png", drawn.cpu(), columns=10, enlarge=2)


if __name__ == "__main__":
    main()
