"""Chapter 7: what each piece of the U-Net is worth: time, attention, skips, width and depth; three seeds, on digits.

python experiments/ablations.py [--seeds 0 1 2]

What was trained and drawn is kept in runs/ablations, one file a run, so that it can be stopped and gone on with.
"""

import argparse
import statistics
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import chains
import torch
import torch.nn.functional as F
from provenance import RESULTS, Stopwatch, spread, write
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from ddpm_core import bound, gaussian, recipe, sampler, schedule, show, trainer, unet
from ddpm_core.files import replace_file
from ddpm_core.predict import V
from ddpm_core.seeds import seeded

T1000 = schedule.cosine(1000)
TRAINING, SAMPLES, CALLS, BANDS, COLUMNS = 600, 300, 50, 10, 12
KEPT = Path(__file__).resolve().parents[1] / "runs" / "ablations"


# ---- Surgery: each takes a fresh network, changes one piece of it and hands it back ---------------------------------


def whole(channels: tuple[int, ...] = chains.CHANNELS, blocks: int = 1) -> unet.UNet:
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


def fresh(row: str, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return ROWS[row]()


@torch.no_grad()
def multiply_adds(net: nn.Module) -> int:
    """For one picture."""
    with FlopCounterMode(display=False) as counter:
        net(torch.zeros(1, 1, 8, 8), torch.ones(1, dtype=torch.long))
    return counter.get_total_flops() // 2


@torch.no_grad()
def errors(w: chains.World, net: nn.Module) -> list[float]:
    """The training loss on held-out digits, band by band of t, each digit at one time of the band."""
    found, width = [], T1000.T // BANDS
    for band in range(BANDS):
        t = 1 + band * width + torch.linspace(0, width - 1, len(w.held)).round().long()
        eps = torch.randn(w.held.shape, generator=seeded(11, band))
        x_t = gaussian.q_sample(T1000, w.held, t, eps)
        off = V.target(T1000, w.held, x_t, t, eps) - net(x_t, t)
        found.append(float(f"{off.square().mean().item():.4g}"))
    return found


def one_run(w: chains.World, row: str, seed: int) -> tuple[dict, Tensor]:
    """What was found, and the first pictures drawn."""
    state, began = trainer.start(fresh(row, seed), lr=chains.LR, device="cpu"), time.process_time()
    loss, batches = recipe.objective(T1000, V), chains.batches(w, T1000, seed)
    try:
        deque(trainer.run(state, batches, loss, steps=TRAINING), maxlen=0)
    except FloatingPointError as error:
        return {"row": row, "seed": seed, "unstable": str(error)}, torch.zeros(COLUMNS, 1, 8, 8)
    trained = time.process_time() - began
    bands, denoise = errors(w, trainer.averaged(state)), chains.denoiser(state, T1000, V)
    nats = bound.continuous(denoise, T1000, w.held, seeded(5))
    times = sampler.even_times(T1000, CALLS)
    drawn = sampler.last(sampler.ddim(denoise, T1000, chains.x_T(SAMPLES), times, 1.0, seeded(seed, 3)))
    found = {
        "row": row,
        "seed": seed,
        "loss": float(f"{statistics.mean(bands):.4g}"),
        "bound": float(f"{bound.bits_per_dim(nats, w.held).mean().item():.4g}"),
        "frechet": chains.judged(w, drawn),
        "loss_by_band": bands,
        "train_seconds": round(trained, 1),
        "seconds": round(time.process_time() - began, 1),
    }
    return found, drawn[:COLUMNS]


def kept(w: chains.World, row: str, seed: int) -> tuple[dict, Tensor]:
    path = KEPT / f"{''.join(c if c.isalnum() else '-' for c in row)}-{seed}.pt"
    if not path.exists():
        KEPT.mkdir(parents=True, exist_ok=True)
        made = one_run(w, row, seed)
        print(made[0], flush=True)
        replace_file(path, lambda temporary: torch.save(made, temporary))
    return torch.load(path)


def summary(row: str, runs: list[dict]) -> dict:
    """Size of the network, and each figure as [mean, standard deviation over the seeds]."""
    net, sound = fresh(row, 0), [run for run in runs if "unstable" not in run]
    figures = ("loss", "bound", "frechet", "train_seconds")
    return {
        "parameters": unet.parameter_count(net),
        "multiply_adds": multiply_adds(net),
        "unstable": len(runs) - len(sound),
        **{name: spread([run[name] for run in sound]) for name in figures if sound},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    seeds, clock = parser.parse_args().seeds, Stopwatch()
    torch.set_num_threads(1)  # seconds of one thread: they add up, whatever else the machine does
    w = chains.world()
    made = {(row, seed): kept(w, row, seed) for seed in seeds for row in ROWS}
    runs = [found for found, _ in made.values()]

    strips = torch.cat([made[row, seeds[0]][1] for row in ROWS])
    strips = F.interpolate(strips, size=(32, 32), mode="bicubic").clamp(-1, 1)
    show.tile(strips, columns=COLUMNS).save(RESULTS / "ablations.png", optimize=True)
    results = {
        "rows": {row: summary(row, [run for run in runs if run["row"] == row]) for row in ROWS},
        "runs": runs,
        "samples": SAMPLES,
        "training_steps": TRAINING,
        "bands": [[1 + band * T1000.T // BANDS, (band + 1) * T1000.T // BANDS] for band in range(BANDS)],
        "threads": torch.get_num_threads(),
        "schedule": "cosine, T = 1000",
        "note": "each figure as [mean, standard deviation over the seeds]; V, no labels, batch 64, the same learning "
        "rate for all; loss: squared error of v on 360 held-out digits, the mean over ten bands of t; bound: "
        "continuous-time, bits per dimension on the same digits; frechet: 300 samples of 50 DDIM steps with eta 1, "
        "clamped, the same x_T for all, in a small classifier's features against all digits; averaged networks "
        "throughout; multiply_adds: for one picture, counted by torch; seconds: processor time of one thread, with "
        "other work on the machine; time: t / T: this bare number in place of the embedding, before the same two "
        "layers; the club's way: a number from 0 to 16 through one layer, LayerNorm and ReLU, by which each block "
        "multiplies; not told: zeros in place of all that; no skips: zeros in the skip's place, so that weights and "
        "work stay the same; whole has 1 block a level of (32, 64) channels, the deep one 3 of (16, 48); "
        "ablations.png: twelve samples of the first seed, one row for each network in this order",
    }
    write("ablations", results, clock, w.known.sha256, minutes=sum(run.get("seconds", 0) for run in runs) / 60)


if __name__ == "__main__":
    main()
