"""Digits in equal seconds: our network, recipe and sampler, by Adam and by Muon, against diffusers' network with our
recipe, with our optimiser alone, and as in its own example.

python -m benchmarks.equal_seconds [--seconds 60] [--seeds 0 1 2]

The seconds are those of one processor for this process, so other work on the machine changes nothing. What was trained
and judged is kept in runs/equal_seconds, one file for each row and seed, so that it can be stopped and gone on with.
The judges are ours, and the same for all: the continuous bound on held-out digits, and the Frechet distance of samples
in the features of a small classifier of real digits.
"""

import argparse
import json
import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import torch
import torch.nn.functional as F
from diffusers import DDPMScheduler, DPMSolverMultistepScheduler
from diffusers.training_utils import EMAModel
from torch import Tensor, nn

from benchmarks.rig import clock, peers
from ddpm_core import sampler, schedule, trainer
from ddpm_core.data import (
    rows_at,
    to_float,
)
from ddpm_core.diffusion import elbo, loss, prediction, timesteps
from ddpm_core.diffusion.noise import seeded
from ddpm_core.diffusion.prediction import EPS, Prediction, V
from ddpm_core.networks.flops import parameter_count
from ddpm_core.storage.files import write_atomically
from ddpm_core.training.optimizers import adam, muon
from experiments.common import small_trainings
from experiments.common.results_file import Stopwatch, write

ROOT = Path(__file__).resolve().parents[1]

LAYOUT = peers.Layout(1, 8, small_trainings.CHANNELS, 1, (1,), small_trainings.BATCH)
COSINE, LINEAR = schedule.cosine(1000), schedule.linear(1000)
CALLS, SAMPLES = 20, 480
KEPT = ROOT / "runs" / "equal_seconds"


@dataclass(frozen=True, eq=False)
class Trained:
    """A network after its seconds, (x_t, t in 1..T) -> answer, and what it was trained to answer."""

    net: nn.Module
    schedule: schedule.Schedule
    predict: Prediction
    steps: int
    images: int

    def denoise(self) -> prediction.Denoise:
        return prediction.clip_denoised(prediction.denoiser(self.net, self.schedule, self.predict))


def in_our_trainer(
    w: small_trainings.World, seed: int, seconds: float, net: nn.Module, s, predict, loss, optimizer=adam
) -> Trained:
    """`trainer.run` for so many seconds, with the settings of experiments/small_trainings.py."""
    state = trainer.start(net, optimizer=optimizer, lr=small_trainings.LR, device="cpu")
    deque(trainer.run(state, small_trainings.batches(w, s, seed), loss, minutes=seconds / 60), maxlen=0)
    return Trained(trainer.ema_model(state), s, predict, state.step, state.images)


def ours(w: small_trainings.World, seed: int, seconds: float) -> Trained:
    """Our U-Net, cosine schedule and v-prediction: what chapter 0 does."""
    torch.manual_seed(seed)
    return in_our_trainer(w, seed, seconds, peers.unet(LAYOUT), COSINE, V, loss.objective(COSINE, V))


def ours_by_muon(w: small_trainings.World, seed: int, seconds: float) -> Trained:
    """The same, but for the optimiser."""
    torch.manual_seed(seed)
    return in_our_trainer(w, seed, seconds, peers.unet(LAYOUT), COSINE, V, loss.objective(COSINE, V), muon(0.02))


def as_ours() -> DDPMScheduler:
    """Its cosine schedule, asked for v."""
    return DDPMScheduler(1000, beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction")


def diffusers_by_our_recipe(w: small_trainings.World, seed: int, seconds: float) -> Trained:
    """Its U-Net, its cosine schedule and its v; our optimiser, learning rate, batch and average."""
    torch.manual_seed(seed)
    noise = as_ours()

    def loss(net: nn.Module, x0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        return F.mse_loss(net(noise.add_noise(x0, eps, t - 1), t), noise.get_velocity(x0, eps, t - 1))

    return in_our_trainer(w, seed, seconds, peers.diffusers(LAYOUT), COSINE, V, loss)


def diffusers_with_our_optimiser(w: small_trainings.World, seed: int, seconds: float) -> Trained:
    """Its U-Net, linear noise schedule and loss on the noise; our optimiser, learning rate, batch and average."""
    torch.manual_seed(seed)
    noise = DDPMScheduler(1000)

    def loss(net: nn.Module, x0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        return F.mse_loss(net(noise.add_noise(x0, eps, t - 1), t), eps)

    return in_our_trainer(w, seed, seconds, peers.diffusers(LAYOUT), LINEAR, EPS, loss)


def diffusers_by_its_example(w: small_trainings.World, seed: int, seconds: float) -> Trained:
    """The same network trained as in its example of unconditional training: AdamW (.95, .999), 1e-4, weight decay
    1e-6, batch 16, 500 steps of warm-up and a cosine, clip 1, average min(.9999, 1 - (1 + k)^-3/4)."""
    torch.manual_seed(seed)
    net, noise, n = peers.diffusers(LAYOUT), DDPMScheduler(1000), 16
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-4, betas=(0.95, 0.999), weight_decay=1e-6, eps=1e-8)
    average = EMAModel(net.parameters(), decay=0.9999, use_ema_warmup=True, inv_gamma=1.0, power=3 / 4)
    step, began = 0, time.process_time()
    while (done := (time.process_time() - began) / seconds) < 1:
        generator = seeded(seed, step, 1)
        x0 = to_float(w.known.images[rows_at(step, len(w.known.images), n, seed)])
        t, eps = torch.randint(1, 1001, (n,), generator=generator), torch.randn(x0.shape, generator=generator)
        for group in optimizer.param_groups:
            group["lr"] = 1e-4 * min(1, (step + 1) / 500) * (1 + math.cos(math.pi * done)) / 2
        F.mse_loss(net(noise.add_noise(x0, eps, t - 1), t), eps).backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        average.step(net.parameters())
        step += 1
    average.copy_to(net.parameters())
    return Trained(net.eval(), LINEAR, EPS, step, n * step)


def our_draw(trained: Trained, x: Tensor) -> Tensor:
    """From noise x, by DPM-Solver++ of `ddpm_core.sampler`."""
    times = timesteps.uniform(trained.schedule, CALLS)
    return sampler.final(sampler.dpm_solver(trained.denoise(), trained.schedule, x, times))


@torch.no_grad()
def their_draw(trained: Trained, x: Tensor, solver: DPMSolverMultistepScheduler) -> Tensor:
    """As many calls of diffusers' own DPM-Solver++, which counts times from 0."""
    solver.set_timesteps(CALLS)
    for t in solver.timesteps:
        x = solver.step(trained.net(x, t.expand(len(x)) + 1), t, x).prev_sample
    return x.clamp(-1, 1)


def clamped_at_the_end(trained: Trained, x: Tensor) -> Tensor:
    """As its example leaves it: linear, asked for the noise."""
    return their_draw(trained, x, DPMSolverMultistepScheduler.from_config(DDPMScheduler(1000).config))


def clamped_at_each_step(trained: Trained, x: Tensor) -> Tensor:
    """As ours: cosine, asked for v. Its thresholding with a largest value of 1 is a clamp of x0_hat to [-1, 1]."""
    clamp = dict(thresholding=True, sample_max_value=1.0)
    return their_draw(trained, x, DPMSolverMultistepScheduler.from_config(as_ours().config, **clamp))


ROWS = {  # how it is trained, and how it draws
    "ddpm_core": (ours, our_draw),
    "ddpm_core, Muon": (ours_by_muon, our_draw),
    "diffusers, our recipe": (diffusers_by_our_recipe, clamped_at_each_step),
    "diffusers, our optimiser and batch": (diffusers_with_our_optimiser, clamped_at_the_end),
    "diffusers, as in its example": (diffusers_by_its_example, clamped_at_the_end),
}


def judged(w: small_trainings.World, trained: Trained, draw: Callable[[Trained, Tensor], Tensor]) -> dict:
    """What the two judges say."""
    nats = elbo.continuous_time_vlb(trained.denoise(), trained.schedule, w.held, seeded(5))
    bits = elbo.bits_per_dim(nats, w.held)
    return {
        "bits_per_dim": float(f"{bits.mean().item():.4g}"),
        "standard_error": float(f"{(bits.std() / len(bits) ** 0.5).item():.2g}"),
        "frechet": small_trainings.judged(w, draw(trained, small_trainings.x_T(SAMPLES))),
        "steps": trained.steps,
        "images": trained.images,
        "parameters": parameter_count(trained.net),
    }


def kept(w: Callable[[], small_trainings.World], name: str, seed: int, seconds: float) -> dict:
    """One training and what the judges say, made if it is not there yet."""
    path = KEPT / f"{name.replace(', ', '-').replace(' ', '-')}-{seed}-{seconds:g}.json"
    if not path.exists():
        train, draw = ROWS[name]
        began = time.perf_counter()
        run = {"row": name, "seed": seed, **judged(w(), train(w(), seed, seconds), draw)}
        run["minutes"] = round((time.perf_counter() - began) / 60, 2)
        print(run, flush=True)
        write_atomically(path, lambda temporary: temporary.write_text(json.dumps(run)))
    return json.loads(path.read_text())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options, stopwatch = parser.parse_args(), Stopwatch()
    torch.set_num_threads(1)
    trainer.time = SimpleNamespace(perf_counter=time.process_time)  # the trainer's clock is the processor's, here
    world = cache(small_trainings.world)
    runs = [kept(world, name, seed, options.seconds) for seed in options.seeds for name in ROWS]
    found = {name: [run for run in runs if run["row"] == name] for name in ROWS}
    results = {
        "rows": {
            name: {key: clock.middle([run[key] for run in mine]) for key in ("bits_per_dim", "frechet", "images")}
            for name, mine in found.items()
        },
        "runs": runs,
        "seconds": options.seconds,
        "seeds": options.seeds,
        "threads": 1,
        "samples": SAMPLES,
        "calls": CALLS,
        "versions": {"diffusers": peers.versions()["diffusers"]},
        "standard_error": max(run["standard_error"] for run in runs),
        "held_out": len(world().held),
        "note": "rows: [median, smallest, largest] over the seeds; each network was trained for the same seconds "
        "of one processor, on 1,437 digits without labels; bits_per_dim: the continuous bound on the other 360, which "
        "compares across schedules, one draw of t and noise a digit, the same for all; standard_error: of a mean over "
        "these digits, the largest of all runs; frechet: of 480 samples from the same noise, 20 calls of DPM-Solver++ "
        "by its own library, in the features of a classifier of all digits; widths, blocks and attention are equal, "
        "the layouts are each library's; the example is diffusers' training of an unconditional model, whose defaults "
        "are one set for every data set: batch 16 and a learning rate of 1e-4 suit longer runs; its cosine ends with "
        "the seconds",
    }
    minutes = sum(run["minutes"] for run in runs)
    write("equal_seconds", results, stopwatch, world().known.sha256, minutes=minutes)


if __name__ == "__main__":
    main()
