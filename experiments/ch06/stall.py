"""Chapter 6: why the loss stalls. The error, the bound and the gradient by t during training, and samples beside it.

python -m experiments.ch06.stall [--seeds 0 1 2] [--steps 1600]
"""

import copy
from dataclasses import dataclass

import torch
from torch import nn

from ddpm_core import data, schedule, trainer
from ddpm_core.diffusion import elbo, gaussian, loss, prediction
from ddpm_core.diffusion.noise import seeded
from ddpm_core.diffusion.prediction import EPS
from experiments.common import small_trainings
from experiments.common.results_file import Stopwatch, picture, significant, write
from experiments.common.settings import command_line, parsed
from experiments.common.small_trainings import BANDS, band_times

T1000 = schedule.linear(1000)  # the paper's


@dataclass(frozen=True, kw_only=True)
class Settings(small_trainings.Settings):
    """looks: steps after which a network is examined."""

    steps: int = 1600
    looks: tuple[int, ...] = (25, 50, 100, 200, 400, 800, 1600)
    report_every: int = 25
    samples: int = 300


BOOK = Settings()


def gradients(w: small_trainings.World, net: nn.Module) -> list[float]:
    """Norm of the gradient that L_simple restricted to one band has, band by band, on 256 digits."""
    net, x0 = copy.deepcopy(net).train(), data.to_float(w.known.images[:256])
    found = []
    for band in range(BANDS):
        t, eps = band_times(T1000, band, len(x0)), torch.randn(x0.shape, generator=seeded(12, band))
        value = loss.training_loss(net, T1000, x0, t, eps)
        grads = torch.autograd.grad(value, list(net.parameters()), allow_unused=True)
        found.append(significant(torch.stack([g.square().sum() for g in grads if g is not None]).sum().sqrt()))
    return found


@torch.no_grad()
def bound_by_band(w: small_trainings.World, denoise: prediction.Denoise) -> list[float]:
    """Bits per dimension that each band adds to the bound: its 100 terms, estimated from one time a digit.

    The first band is without t = 1, which is L_0.
    """
    found = []
    for band in range(BANDS):
        t, x0 = band_times(T1000, band, len(w.held)).clamp(min=2), w.held.double()
        x_t = gaussian.q_sample(T1000, x0, t, torch.randn(x0.shape, generator=seeded(13, band), dtype=x0.dtype))
        nats = elbo.L_t(T1000, x0, x_t, t, denoise(x_t.float(), t).double())
        found.append(significant(elbo.bits_per_dim(nats, x0).mean() * T1000.T / BANDS))
    return found


def one_run(w: small_trainings.World, seed: int, settings: Settings) -> tuple[dict, list[torch.Tensor]]:
    state, batch_at = small_trainings.start(seed), small_trainings.batches(w, T1000, seed)
    curve, looks, strips = [], [], []
    objective, how = loss.objective(T1000, EPS), {"steps": settings.steps, "report_every": settings.report_every}
    for progress in trainer.run(state, batch_at, objective, **how):
        curve.append([progress.step, significant(progress.loss)])
        if progress.step in settings.looks:
            denoise = small_trainings.denoiser(state, T1000, EPS)
            drawn = small_trainings.drawn(denoise, T1000, settings.samples, seed)
            looks.append(
                {
                    "step": progress.step,
                    "error": small_trainings.errors(w, trainer.ema_model(state), T1000, EPS),
                    "gradient": gradients(w, state.accelerator.unwrap_model(state.net)),
                    "bound": bound_by_band(w, denoise),
                    "frechet": small_trainings.judged(w, drawn),
                }
            )
            strips.append(drawn[:12])
            print(seed, looks[-1], flush=True)
    return {"seed": seed, "loss": curve, "looks": looks}, strips


def main(arguments: list[str] | None = None, settings: Settings = BOOK) -> None:
    parser = command_line(__doc__, seeds=[int], steps=int)
    settings, clock = parsed(parser, settings, arguments), Stopwatch(__spec__.name, arguments)
    w = small_trainings.world(settings)
    made = [one_run(w, seed, settings) for seed in settings.seeds]
    picture(settings.results / "stall.png", torch.cat(made[0][1]), columns=12, enlarge=4)  # a row of twelve a look
    results = {
        "runs": [run for run, _ in made],
        "samples": settings.samples,
        "bands": small_trainings.bands(T1000),
        "threads": torch.get_num_threads(),
        "note": "EPS, L_simple, linear schedule, T = 1000; error: mean squared error of eps on "
        f"{settings.held_out} held-out digits in each band of t; gradient: norm of the gradient of L_simple restricted "
        "to the band; bound: bits per dimension that the band's terms L_{t-1} add up to, with variance beta_t, "
        f"estimated; frechet: {settings.samples} samples of 50 DDIM steps with eta 1 of the averaged network; "
        "stall.png: twelve of these from the same noise, one row a look",
    }
    write("stall", results, clock, w.known.sha256, folder=settings.results)


if __name__ == "__main__":
    main()
