"""Chapter 2: what a chain costs that stops too early, and one of few steps: bound and pictures on digits, three seeds.

python experiments/short_chains.py [--seeds 0 1 2]
"""

import argparse
import warnings
from collections import deque

import chains
import torch
from provenance import RESULTS, Stopwatch, spread, write

from ddpm_core import bound, recipe, sampler, schedule, show, trainer, variance
from ddpm_core.predict import V
from ddpm_core.seeds import seeded

STEPS, SAMPLES, PRICED = 500, 200, 60
LINEAR = schedule.linear(1000)
CHAINS = {
    "T = 1000": LINEAR,
    "T = 200, betas as they are": schedule.linear(200),
    "T = 200, betas times 5": schedule.linear(200, 5e-4, 0.1),
    "T = 16, betas as they are": schedule.linear(16),
    "T = 16, respaced": schedule.respaced(LINEAR, sampler.even_times(LINEAR, 16)),
}


def one_run(w: chains.World, s: schedule.Schedule, seed: int) -> tuple[dict, torch.Tensor]:
    state = chains.start(seed)
    deque(trainer.run(state, chains.batches(w, s, seed), recipe.objective(s, V), steps=STEPS), maxlen=0)
    denoise = chains.denoiser(state, s, V)
    drawn = sampler.last(sampler.ancestral(denoise, s, chains.x_T(SAMPLES), variance.beta, seeded(seed, 3)))
    few = w.held[:PRICED]
    rows = bound.bits_per_dim(bound.terms(denoise, s, few, seeded(5)), few).mean(1)
    parts = {"bound": rows.sum(), "L_T": rows[0], "L_t": rows[2:].sum(), "L_0": rows[1]}
    found = {name: float(f"{value.item():.4g}") for name, value in parts.items()}
    return {"seed": seed, **found, "frechet": chains.judged(w, drawn)}, drawn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    seeds, clock, w = parser.parse_args().seeds, Stopwatch(), chains.world()
    warnings.simplefilter("ignore")  # two of these chains are meant to remember
    rows, strips = {}, []
    for name, s in CHAINS.items():
        runs = []
        for seed in seeds:
            run, drawn = one_run(w, s, seed)
            runs.append(run)
            if seed == seeds[0]:
                strips.append(drawn[:12])
            print(name, run, flush=True)
        figures = {key: spread([run[key] for run in runs]) for key in ("bound", "L_T", "L_t", "L_0", "frechet")}
        rows[name] = {"T": s.T, "alpha_bar_T": float(f"{s.alpha_bar[-1]:.4g}"), **figures, "runs": runs}
    show.tile(torch.cat(strips), columns=12, enlarge=4).save(RESULTS / "short_chains.png")
    results = {
        "rows": rows,
        "seeds": seeds,
        "steps": STEPS,
        "samples": SAMPLES,
        "threads": torch.get_num_threads(),
        "note": "networks that predict v, one for each chain and seed; every chain walked step by step from N(0, I), "
        "with variance beta_t; figures as [mean, standard deviation over the seeds]; bound and its parts in bits per "
        "dimension on 60 held-out digits; frechet in a small classifier's features, 200 samples against all digits; "
        "short_chains.png: twelve samples from the same noise, one row a chain, in this order",
    }
    write("short_chains", results, clock, w.known.sha256)


if __name__ == "__main__":
    main()
