"""Chapter 7: what each piece of the U-Net is worth: time, attention, skips, width and depth; three seeds, on digits.

python -m experiments.ch07.ablations [--seeds 0 1 2]

What was trained and drawn is kept in runs/ablations, one file a run, so that it can be stopped and gone on with.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from ddpm_core import schedule, trainer, unet
from ddpm_core.diffusion.prediction import V
from ddpm_core.networks.flops import parameter_count
from experiments.common import bounds, small_trainings
from experiments.common.results_file import Stopwatch, picture, significant, spread, write
from experiments.common.settings import cached, command_line, parsed

T1000 = schedule.cosine(1000)


# ---- Surgery: each takes a fresh network, changes one piece of it and hands it back ---------------------------------


def whole(channels: tuple[int, ...] = small_trainings.CHANNELS, blocks: int = 1) -> unet.UNet:
    return unet.UNet(1, channels, blocks=blocks, attention=(1,))


class Number(nn.Module):
    """t (B,) -> (B, 1): a bare number, t in units of `unit`."""

    def __init__(self, unit: float):
        super().__init__()
        self.unit = unit

    def forward(self, t: Tensor) -> Tensor:
        return t[:, None].float() / self.unit


class Silence(nn.Module):
    """t (B,) -> (B, width) zeros, whatever t is."""

    def __init__(self, width: int):
        super().__init__()
        self.width = width

    def forward(self, t: Tensor) -> Tensor:
        return torch.zeros(len(t), self.width, device=t.device)


class ScaleOnly(nn.Module):
    """A block's reading of time without its shift: multiplied in, nothing added."""

    def __init__(self, condition: nn.Linear):
        super().__init__()
        self.scale = nn.Linear(condition.in_features, condition.out_features // 2)

    def forward(self, condition: Tensor) -> Tensor:
        scale = self.scale(condition)
        return torch.cat([scale, torch.zeros_like(scale)], dim=1)


class NoSkip(nn.Module):
    """A block on the way up that finds zeros where the picture from the way down should be."""

    def __init__(self, block: nn.Module):
        super().__init__()
        self.block = block

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        h, skip = x.chunk(2, dim=1)
        return self.block(torch.cat([h, torch.zeros_like(skip)], dim=1), condition)


def as_number(net: unet.UNet, unit: float) -> unet.UNet:
    """The number t / unit in the embedding's place; the two layers behind it stay."""
    net.time[0], net.time[1] = Number(unit), nn.Linear(1, net.time[1].out_features)
    return net


def as_the_club(net: unet.UNet) -> unet.UNet:
    """Cogito's 2024 way: a number from 0 to 16 through one layer, LayerNorm and ReLU; each block multiplies by it."""
    width = net.time[1].out_features
    net.time = nn.Sequential(Number(T1000.T / 16), nn.Linear(1, width), nn.LayerNorm(width), nn.ReLU())
    for block in residual_blocks(net):
        block.condition = ScaleOnly(block.condition)
    return net


def untimed(net: unet.UNet) -> unet.UNet:
    net.time = Silence(net.time[1].out_features)
    return net


def without_attention(net: unet.UNet) -> unet.UNet:
    for block in residual_blocks(net):
        block.attention = nn.Identity()
    return net


def without_skips(net: unet.UNet) -> unet.UNet:
    for level in net.up:
        for k, block in enumerate(level):
            level[k] = NoSkip(block)
    return net


def residual_blocks(net: nn.Module) -> list[unet.ResidualBlock]:
    return [part for part in net.modules() if isinstance(part, unet.ResidualBlock)]


ROWS: dict[str, Callable[[], nn.Module]] = {
    "whole": whole,
    "time: t / T": lambda: as_number(whole(), T1000.T),
    "time: the club's way": lambda: as_the_club(whole()),
    "time: not told": lambda: untimed(whole()),
    "no attention": lambda: without_attention(whole()),
    "no skips": lambda: without_skips(whole()),
    "3 blocks a level": lambda: whole((16, 48), 3),
}


# ---- One run, and what is measured of it ----------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Settings(small_trainings.Settings):
    """steps: of each training; columns: pictures shown of each network."""

    rows: tuple[str, ...] = tuple(ROWS)
    steps: int = 600
    samples: int = 300
    columns: int = 12


BOOK = Settings()


def fresh(row: str, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return ROWS[row]()


@torch.no_grad()
def multiply_adds(net: nn.Module) -> int:
    """For one picture."""
    with FlopCounterMode(display=False) as counter:
        net(torch.zeros(1, 1, 8, 8), torch.ones(1, dtype=torch.long))
    return counter.get_total_flops() // 2


def one_run(w: small_trainings.World, row: str, seed: int, settings: Settings) -> tuple[dict, Tensor]:
    """What was found, and the first pictures drawn."""
    began = time.process_time()
    try:
        state = small_trainings.trained(w, T1000, V, seed, settings.steps, ROWS[row])
    except FloatingPointError as error:
        found = {"row": row, "seed": seed, "unstable": str(error)}
        print(found, flush=True)
        return found, torch.zeros(settings.columns, 1, 8, 8)
    training, denoise = time.process_time() - began, small_trainings.denoiser(state, T1000, V)
    losses = small_trainings.errors(w, trainer.ema_model(state), T1000, V)
    drawn = small_trainings.drawn(denoise, T1000, settings.samples, seed)
    found = {
        "row": row,
        "seed": seed,
        "loss": significant(statistics.mean(losses)),
        "bound": bounds.continuous(denoise, T1000, w.held),
        "frechet": small_trainings.judged(w, drawn),
        "loss_by_band": losses,
        "train_seconds": round(training, 1),
        "seconds": round(time.process_time() - began, 1),
    }
    print(found, flush=True)
    return found, drawn[: settings.columns]


def summary(row: str, runs: list[dict]) -> dict:
    """Size of the network, and each figure as [mean, standard deviation over the seeds]."""
    net, sound = fresh(row, 0), [run for run in runs if "unstable" not in run]
    figures = ("loss", "bound", "frechet", "train_seconds")
    return {
        "parameters": parameter_count(net),
        "multiply_adds": multiply_adds(net),
        "unstable": len(runs) - len(sound),
        **{name: spread([run[name] for run in sound]) for name in figures if sound},
    }


def main(arguments: list[str] | None = None, settings: Settings = BOOK) -> None:
    parser = command_line(__doc__, seeds=[int])
    settings, clock = parsed(parser, settings, arguments), Stopwatch(__spec__.name, arguments)
    torch.set_num_threads(1)  # seconds of one thread: they add up, whatever else the machine does
    w = small_trainings.world(settings)

    def run(row: str, seed: int) -> tuple[dict, Tensor]:
        name = "".join(c if c.isalnum() else "-" for c in row)
        return cached(settings.runs / "ablations" / f"{name}-{seed}.pt", partial(one_run, w, row, seed, settings))

    made = {(row, seed): run(row, seed) for seed in settings.seeds for row in settings.rows}
    runs = [found for found, _ in made.values()]
    strips = torch.cat([made[row, settings.seeds[0]][1] for row in settings.rows])
    strips = F.interpolate(strips, size=(32, 32), mode="bicubic").clamp(-1, 1)
    picture(settings.results / "ablations.png", strips, columns=settings.columns)
    results = {
        "rows": {row: summary(row, [run for run in runs if run["row"] == row]) for row in settings.rows},
        "runs": runs,
        "samples": settings.samples,
        "training_steps": settings.steps,
        "bands": small_trainings.bands(T1000),
        "threads": torch.get_num_threads(),
        "schedule": "cosine, T = 1000",
        "note": "each figure as [mean, standard deviation over the seeds]; V, no labels, batch 64, the same learning "
        f"rate for all; loss: squared error of v on {settings.held_out} held-out digits, the mean over ten bands of t; "
        "bound: continuous-time, bits per dimension on the same digits; frechet: "
        f"{settings.samples} samples of 50 DDIM steps with eta 1, clamped, the same x_T for all, in a small "
        "classifier's features against all digits; averaged networks throughout; multiply_adds: for one picture, "
        "counted by torch; seconds: processor time of one thread, with "
        "other work on the machine; time: t / T: this bare number in place of the embedding, before the same two "
        "layers; the club's way: a number from 0 to 16 through one layer, LayerNorm and ReLU, by which each block "
        "multiplies; not told: zeros in place of all that; no skips: zeros in the skip's place, so that weights and "
        "work stay the same; whole has 1 block a level of (32, 64) channels, the deep one 3 of (16, 48); "
        "ablations.png: twelve samples of the first seed, one row for each network in this order",
    }
    minutes = sum(run.get("seconds", 0) for run in runs) / 60
    write("ablations", results, clock, w.known.sha256, minutes=minutes, folder=settings.results)


if __name__ == "__main__":
    main()
