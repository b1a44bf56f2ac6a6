"""Chapter 6: why the loss stalls. The error, the bound and the gradient by t during training, and samples beside it.

python experiments/stall.py [--seeds 0 1 2] [--steps 1600]
"""

import argparse
import copy

import chains
import torch
from provenance import RESULTS, Stopwatch, write

from ddpm_core import bound, gaussian, recipe, sampler, schedule, show, trainer
from ddpm_core.loss import training_loss
from ddpm_core.predict import EPS
from ddpm_core.seeds import seeded

T1000 = schedule.linear(1000)  # the paper's
LOOKS = (25, 50, 100, 200, 400, 800, 1600)
BANDS = 10  # equal stretches of t: 1..100, 101..200, ...
SAMPLES = 300


def band_times(band: int, n: int) -> torch.Tensor:
    """n times spread evenly over one band."""
    width = T1000.T // BANDS
    return 1 + band * width + torch.linspace(0, width - 1, n).round().long()


@torch.no_grad()
def errors(w: chains.World, net) -> list[float]:
    """Mean squared error of eps on held-out digits, band by band, each digit at one time of the band."""
    found = []
    for band in range(BANDS):
        t, eps = band_times(band, len(w.held)), torch.randn(w.held.shape, generator=seeded(11, band))
        x_t = gaussian.q_sample(T1000, w.held, t, eps)
        found.append(float(f"{((eps - net(x_t, t)) ** 2).mean().item():.4g}"))
    return found


def gradients(w: chains.World, net) -> list[float]:
    """Norm of the gradient that L_simple restricted to one band has, band by band, on 256 digits."""
    net, x0 = copy.deepcopy(net).train(), recipe.to_float(w.known.images[:256])
    found = []
    for band in range(BANDS):
        t, eps = band_times(band, len(x0)), torch.randn(x0.shape, generator=seeded(12, band))
        loss = training_loss(net, T1000, x0, t, eps)
        grads = torch.autograd.grad(loss, list(net.parameters()), allow_unused=True)
        norm = torch.stack([g.square().sum() for g in grads if g is not None]).sum().sqrt()
        found.append(float(f"{norm.item():.4g}"))
    return found


@torch.no_grad()
def bound_by_band(w: chains.World, denoise) -> list[float]:
    """Bits per dimension that each band adds to the bound: its 100 terms, estimated from one time a digit.

    The first band is without t = 1, which is L_0.
    """
    found = []
    for band in range(BANDS):
        t, x0 = band_times(band, len(w.held)).clamp(min=2), w.held.double()
        x_t = gaussian.q_sample(T1000, x0, t, torch.randn(x0.shape, generator=seeded(13, band), dtype=x0.dtype))
        nats = bound.L_t(T1000, x0, x_t, t, denoise(x_t.float(), t).double())
        found.append(float(f"{bound.bits_per_dim(nats, x0).mean().item() * T1000.T / BANDS:.4g}"))
    return found


def one_run(w: chains.World, seed: int, steps: int) -> tuple[dict, list[torch.Tensor]]:
    state, looks, strips = chains.start(seed), [], []
    objective, batch_at = recipe.objective(T1000, EPS), chains.batches(w, T1000, seed)
    curve = []
    for progress in trainer.run(state, batch_at, objective, steps=steps, report_every=25):
        curve.append([progress.step, float(f"{progress.loss:.4g}")])
        if progress.step in LOOKS:
            averaged = trainer.averaged(state)
            denoise = chains.denoiser(state, T1000, EPS)
            times = sampler.even_times(T1000, 50)
            drawn = sampler.last(sampler.ddim(denoise, T1000, chains.x_T(SAMPLES), times, 1.0, seeded(seed, 3)))
            looks.append(
                {
                    "step": progress.step,
                    "error": errors(w, averaged),
                    "gradient": gradients(w, state.accelerator.unwrap_model(state.net)),
                    "bound": bound_by_band(w, denoise),
                    "frechet": chains.judged(w, drawn),
                }
            )
            strips.append(drawn[:12])
            print(seed, looks[-1], flush=True)
    return {"seed": seed, "loss": curve, "looks": looks}, strips


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=1600)
    arguments, clock, w = parser.parse_args(), Stopwatch(), chains.world()
    runs = []
    for seed in arguments.seeds:
        run, strips = one_run(w, seed, arguments.steps)
        runs.append(run)
        if seed == arguments.seeds[0]:
            picture = torch.cat(strips)  # one row of twelve for each look
    show.tile(picture, columns=12, enlarge=4).save(RESULTS / "stall.png")
    results = {
        "runs": runs,
        "samples": SAMPLES,
        "bands": [[1 + 100 * band, 100 * (band + 1)] for band in range(BANDS)],
        "threads": torch.get_num_threads(),
        "note": "EPS, L_simple, linear schedule, T = 1000; error: mean squared error of eps on 360 held-out digits in "
        "each band of t; gradient: norm of the gradient of L_simple restricted to the band; bound: bits per dimension "
        "that the band's terms L_{t-1} add up to, with variance beta_t, estimated; frechet: 300 samples of 50 DDIM "
        "steps with eta 1 of the averaged network; stall.png: twelve of these from the same noise, one row a look",
    }
    write("stall", results, clock, w.known.sha256)


if __name__ == "__main__":
    main()
