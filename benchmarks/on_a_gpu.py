"""On a CUDA GPU: training the paper's network for CIFAR-10 in bf16, in our trainer and in diffusers' own loop.

python -m benchmarks.on_a_gpu [--batch 128] [--rounds 5] [--steps 20]

Without a GPU it says so and leaves what another machine may have measured.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
import torch.nn.functional as F
from accelerate import Accelerator
from diffusers import DDPMScheduler
from diffusers.training_utils import EMAModel

from benchmarks.rig import clock, peers
from benchmarks.rig.step import flops
from ddpm_core import data, schedule, trainer
from ddpm_core.data import to_float
from ddpm_core.diffusion import loss
from ddpm_core.diffusion.prediction import EPS
from ddpm_core.training import devices
from experiments.common.results_file import Stopwatch, write

LINEAR = schedule.linear(1000)


def in_ours(o: peers.Layout, images: torch.Tensor, device: str, precision: str, steps: int) -> Iterator[object]:
    """`trainer.run`, images resident on the device; an item every `steps` steps."""
    torch.manual_seed(0)
    state = trainer.start(peers.ours(o), lr=2e-4, device=device, mixed_precision=precision)
    batch_at = data.batches(images, LINEAR, batch=o.batch, device=state.accelerator.device)
    return trainer.run(state, batch_at, loss.objective(LINEAR, EPS), steps=10**9, report_every=steps)


def in_theirs(o: peers.Layout, images: torch.Tensor, device: str, precision: str, steps: int) -> Iterator[object]:
    """As diffusers' example of unconditional training does it: a loader, AdamW, its own average, the loss shown."""
    torch.manual_seed(0)
    accelerator, net = Accelerator(cpu=device == "cpu", mixed_precision=precision), peers.diffusers(o).net
    average = EMAModel(net.parameters(), decay=0.9999, use_ema_warmup=True, inv_gamma=1.0, power=3 / 4)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-4, betas=(0.95, 0.999), weight_decay=1e-6, eps=1e-8)
    data = torch.utils.data.TensorDataset(to_float(images))
    loader = torch.utils.data.DataLoader(data, batch_size=o.batch, shuffle=True, drop_last=True)
    net, optimizer, loader = accelerator.prepare(net, optimizer, loader)
    average.to(accelerator.device)
    noise, shown = DDPMScheduler(1000), []
    while True:
        for (x0,) in loader:
            eps = torch.randn_like(x0)
            t = torch.randint(0, 1000, (len(x0),), device=x0.device)
            loss = F.mse_loss(net(noise.add_noise(x0, eps, t), t).sample.float(), eps)
            accelerator.backward(loss)
            accelerator.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            average.step(net.parameters())
            shown.append(loss.item())
            if len(shown) % steps == 0:
                yield shown[-1]


LOOPS = {"ddpm_core": in_ours, "diffusers": in_theirs}


def measured(o: peers.Layout, device: str, precision: str, rounds: int, steps: int, n: int) -> dict:
    """Both loops in turns, and how fast the device multiplies matrices in this precision."""
    images = torch.randint(0, 256, (4 * o.batch, o.in_channels, o.side, o.side), dtype=torch.uint8)
    loops = {name: loop(o, images, device, precision, steps) for name, loop in LOOPS.items()}
    product = clock.product(n, device=device, dtype=torch.bfloat16 if precision == "bf16" else torch.float32)
    waits = torch.cuda.synchronize if device == "cuda" else lambda: None

    def whole(work: Callable[[], object]) -> Callable[[], None]:
        def turn() -> None:
            work()
            waits()

        return turn

    turns = {name: whole(lambda loop=loop: next(loop)) for name, loop in loops.items()}
    turns["product"] = whole(lambda: [product() for _ in range(steps)])
    seconds = clock.in_turns(turns, rounds)
    rate = [2 * n**3 * steps / s for s in seconds["product"]]
    work = flops(peers.diffusers(o), replace(o, batch=1))
    return {
        "matmul_tflops": clock.middle([r / 1e12 for r in rate]),
        "ours_is_faster_by": clock.ratio(seconds["diffusers"], seconds["ddpm_core"]),
        "rows": {
            name: {
                "images_per_second": clock.middle([o.batch * steps / s for s in seconds[name]]),
                "share_of_matmul": clock.middle(
                    [work * o.batch * steps / s / r for s, r in zip(seconds[name], rate, strict=True)]
                ),
            }
            for name in LOOPS
        },
    }


def memory(o: peers.Layout, name: str) -> float:
    """The most that a few steps hold on the GPU, in MiB."""
    images = torch.randint(0, 256, (4 * o.batch, o.in_channels, o.side, o.side), dtype=torch.uint8)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    next(LOOPS[name](o, images, "cuda", "bf16", 3))
    torch.cuda.synchronize()
    return round(torch.cuda.max_memory_allocated() / 2**20)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--memory-of", choices=list(LOOPS), help=argparse.SUPPRESS)
    options, stopwatch = parser.parse_args(), Stopwatch()
    o = replace(peers.SIZES["35.7 M"], batch=options.batch)
    if options.memory_of:
        return print(memory(o, options.memory_of))
    if not torch.cuda.is_available():
        return print("no CUDA GPU here: not measured")
    results = measured(o, "cuda", "bf16", options.rounds, options.steps, 8192)
    for name, row in results["rows"].items():
        row["peak_mib"] = clock.printed_by(__spec__.name, "--memory-of", name, "--batch", str(options.batch))[-1]
    results |= {
        "layout": vars(o),
        "precision": "bf16",
        "note": "each figure as [median, smallest, largest] over the turns; images_per_second: whole steps, batches "
        "included; share_of_matmul: of the rate at which the GPU multiplies two 8192 x 8192 matrices in bf16, by the "
        "operations that diffusers takes for this layout; peak_mib: allocated by torch, a process each; diffusers: the "
        "loop of its example of unconditional training",
    }
    write("on_a_gpu", results, stopwatch, device=devices.device_name("cuda"))


if __name__ == "__main__":
    main()
