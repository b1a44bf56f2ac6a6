"""Chapter 2: what a chain costs that stops too early, and one of few steps: bound and pictures on digits, three seeds.

python -m experiments.ch02.short_chains [--seeds 0 1 2]
"""

import warnings
from dataclasses import dataclass

import torch

from ddpm_core import sampler, schedule
from ddpm_core.diffusion import timesteps, variance
from ddpm_core.diffusion.noise import seeded
from ddpm_core.diffusion.prediction import V
from experiments.common import bounds, small_trainings
from experiments.common.results_file import Stopwatch, picture, significant, spread, write
from experiments.common.settings import command_line, parsed

LINEAR = schedule.linear(1000)
CHAINS = {
    "T = 1000": LINEAR,
    "T = 200, betas as they are": schedule.linear(200),
    "T = 200, betas times 5": schedule.linear(200, 5e-4, 0.1),
    "T = 16, betas as they are": schedule.linear(16),
    "T = 16, respaced": schedule.respaced(LINEAR, timesteps.uniform(LINEAR, 16)),
}


@dataclass(frozen=True, kw_only=True)
class Settings(small_trainings.Settings):
    """priced: held-out digits for the bound."""

    chains: tuple[str, ...] = tuple(CHAINS)
    steps: int = 500
    samples: int = 200
    priced: int = 60


BOOK = Settings()


def one_run(w: small_trainings.World, s: schedule.Schedule, seed: int, settings: Settings) -> tuple[dict, torch.Tensor]:
    denoise = small_trainings.denoiser(small_trainings.trained(w, s, V, seed, settings.steps), s, V)
    x_T, generator = small_trainings.x_T(settings.samples), seeded(seed, 3)
    drawn = sampler.final(sampler.ancestral(denoise, s, x_T, variance=variance.beta, generator=generator))
    found = bounds.discrete(denoise, s, w.held[: settings.priced])
    return {"seed": seed, **found, "frechet": small_trainings.judged(w, drawn)}, drawn


def main(arguments: list[str] | None = None, settings: Settings = BOOK) -> None:
    parser = command_line(__doc__, seeds=[int])
    settings, clock = parsed(parser, settings, arguments), Stopwatch(__spec__.name, arguments)
    w = small_trainings.world(settings)
    rows, strips = {}, []
    for name in settings.chains:
        s, runs = CHAINS[name], []
        for seed in settings.seeds:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # two of these chains are meant to remember
                run, drawn = one_run(w, s, seed, settings)
            runs.append(run)
            if seed == settings.seeds[0]:
                strips.append(drawn[:12])
            print(name, run, flush=True)
        figures = {key: spread([run[key] for run in runs]) for key in ("bound", "L_T", "L_t", "L_0", "frechet")}
        rows[name] = {"T": s.T, "alpha_bar_T": significant(s.alpha_bar[-1]), **figures, "runs": runs}
    picture(settings.results / "short_chains.png", torch.cat(strips), columns=12, enlarge=4)
    results = {
        "rows": rows,
        "seeds": settings.seeds,
        "steps": settings.steps,
        "samples": settings.samples,
        "threads": torch.get_num_threads(),
        "note": "networks that predict v, one for each chain and seed; every chain walked step by step from N(0, I), "
        "with variance beta_t; figures as [mean, standard deviation over the seeds]; bound and its parts in bits per "
        f"dimension on {settings.priced} held-out digits; frechet in a small classifier's features, {settings.samples} "
        "samples against all digits; short_chains.png: twelve samples from the same noise, one row a chain, in this "
        "order",
    }
    write("short_chains", results, clock, w.known.sha256, folder=settings.results)


if __name__ == "__main__":
    main()
