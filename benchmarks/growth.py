"""How cost grows with the resolution, the batch and the steps of a chain, in seconds of one processor.

python -m benchmarks.growth [--rounds 5]
"""

import argparse
import time

import torch

from benchmarks.rig import clock, peers
from benchmarks.rig.step import batch, flops, training_step
from ddpm_core import sampler, schedule
from ddpm_core.diffusion import prediction
from ddpm_core.diffusion.noise import seeded
from ddpm_core.diffusion.prediction import V
from ddpm_core.unet import UNet
from experiments.common.results_file import Stopwatch, write

SIDES, BATCHES, CHAINS = (8, 16, 32, 64), (8, 16, 32, 64, 128), (10, 20, 40, 80)
NETWORK = dict(in_channels=1, channels=(32, 64), attention=(1,))


def layout(side: int, n: int) -> peers.Layout:
    return peers.Layout(1, side, NETWORK["channels"], 1, NETWORK["attention"], n)


def steps_of(sides: tuple[int, ...], batches: tuple[int, ...], rounds: int) -> list[dict]:
    """Training steps at these sizes, in turns."""
    shapes = [layout(side, n) for side in sides for n in batches]
    work, steps = [flops(UNet(**NETWORK), o) * o.batch for o in shapes], {}
    for k, o in enumerate(shapes):
        torch.manual_seed(0)
        net = UNet(**NETWORK).to(memory_format=torch.channels_last)
        steps[str(k)] = training_step(net, *batch(o))
    seconds = clock.in_turns(steps, rounds, now=time.process_time)
    return [
        {"side": o.side, "batch": o.batch, "gflop": float(f"{w / 1e9:.4g}"), "seconds": clock.middle(seconds[str(k)])}
        for k, (o, w) in enumerate(zip(shapes, work, strict=True))
    ]


def chains_of(lengths: tuple[int, ...], rounds: int, n: int = 64) -> list[dict]:
    """Ancestral sampling of n digits in chains of these lengths, in turns."""
    torch.manual_seed(0)
    net, x_T = UNet(**NETWORK).to(memory_format=torch.channels_last).eval(), torch.randn(n, 1, 8, 8)

    def chain(T: int):
        s = schedule.cosine(T)
        denoise = prediction.clip_denoised(prediction.denoiser(net, s, V))
        return lambda: sampler.final(sampler.ancestral(denoise, s, x_T, generator=seeded(0)))

    seconds = clock.in_turns({str(T): chain(T) for T in lengths}, rounds, now=time.process_time)
    return [{"T": T, "images": n, "seconds": clock.middle(seconds[str(T)])} for T in lengths]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    options, stopwatch = parser.parse_args(), Stopwatch()
    torch.set_num_threads(1)
    sides = steps_of(SIDES, (8,), options.rounds)
    batches = steps_of((16,), BATCHES, options.rounds)
    lengths = chains_of(CHAINS, options.rounds)

    def against(rows: list[dict], size: str) -> list[float]:
        return clock.growth([row[size] for row in rows], [row["seconds"][0] for row in rows])

    results = {
        "resolution": {"rows": sides, "growth": against(sides, "gflop")},
        "batch": {"rows": batches, "growth": against(batches, "gflop")},
        "steps_of_a_chain": {"rows": lengths, "growth": against(lengths, "T")},
        "network": {key: value if isinstance(value, int) else list(value) for key, value in NETWORK.items()},
        "threads": 1,
        "note": "seconds of the processor, [median, smallest, largest] over the turns; resolution and batch: one "
        "training step; gflop: what convolutions, matrix products and attention of the whole batch take, there and "
        "back, counted; growth: from one row to the next, by how much more the seconds grew than the gflop (or T) did, "
        "so that 1 is in step and above 1 worse than the arithmetic says",
    }
    print(results)
    write("growth", results, stopwatch)


if __name__ == "__main__":
    main()
