"""Chapter 5: the paper's Table 2 in small. What to predict, which loss, which variance; three seeds, on digits.

python experiments/table2.py [--seeds 0 1 2]      one run a line is kept in runs/table2, so that it can be stopped
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import chains
import torch
from provenance import Stopwatch, spread, write
from torch import Tensor

from ddpm_core import gaussian, recipe, sampler, schedule, trainer, variance, weighting
from ddpm_core.files import replace_file
from ddpm_core.predict import BY_NAME, MEAN
from ddpm_core.seeds import seeded

T100 = schedule.linear(100, 1e-3, 0.2)  # the paper's betas, times ten: a tenth of its steps
STEPS, SAMPLES = 600, 400
VARIANCES = {"beta": variance.beta, "beta_tilde": variance.interpolated(torch.zeros(()))}  # beta_tilde_2 at t = 1
KEPT = Path(__file__).resolve().parents[1] / "runs" / "table2"


def bound_weight(s: schedule.Schedule, t: Tensor, predict) -> Tensor:
    """The weight of the bound, scaled to mean 1 over t, so that only its shape differs from `uniform`."""
    everything = weighting.vlb(s, torch.arange(1, s.T + 1), predict)
    return weighting.vlb(s, t, predict) / everything.mean()


def absolute(net: Callable, x0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
    """The loss of Cogito's 2024 model: the absolute error of the next, cleaner image."""
    x_t = gaussian.q_sample(T100, x0, t, eps)
    return (MEAN.target(T100, x0, x_t, t, eps) - net(x_t, t)).abs().mean()


ROWS = {  # name -> (what the network predicts, its loss)
    **{
        f"{name} {loss}": (predict, recipe.objective(T100, predict, weight))
        for name, predict in BY_NAME.items()
        for loss, weight in {"L": bound_weight, "unweighted": weighting.uniform}.items()
    },
    "MEAN L1": (MEAN, absolute),
}


def one_run(w: chains.World, row: str, seed: int) -> dict:
    began = time.perf_counter()
    predict, loss = ROWS[row]
    state, losses = chains.start(seed), []
    try:
        for progress in trainer.run(state, chains.batches(w, T100, seed), loss, steps=STEPS, report_every=50):
            losses.append(float(f"{progress.loss:.4g}"))
    except FloatingPointError as error:
        return {"row": row, "seed": seed, "unstable": str(error), "loss": losses}
    denoise, found = chains.denoiser(state, T100, predict), {}
    same = chains.remembered(denoise)
    for name, width in VARIANCES.items():
        drawn = sampler.last(sampler.ancestral(denoise, T100, chains.x_T(SAMPLES), width, seeded(seed, 3)))
        found[name] = {**chains.priced(w, same, T100, width), "frechet": chains.judged(w, drawn)}
    return {"row": row, "seed": seed, "loss": losses, **found, "seconds": round(time.perf_counter() - began, 1)}


def kept(w: chains.World, row: str, seed: int) -> dict:
    path = KEPT / f"{row.replace(' ', '-')}-{seed}.json"
    if not path.exists():
        KEPT.mkdir(parents=True, exist_ok=True)
        found = one_run(w, row, seed)
        print(found, flush=True)
        replace_file(path, lambda temporary: temporary.write_text(json.dumps(found)))
    return json.loads(path.read_text())


def summary(runs: list[dict]) -> dict:
    """Mean, and standard deviation over the seeds, of each figure under each variance."""
    whole = [run for run in runs if "unstable" not in run]
    rows = {"seeds": [run["seed"] for run in runs], "unstable": len(runs) - len(whole)}
    for name in VARIANCES if whole else ():
        rows[name] = {key: spread([run[name][key] for run in whole]) for key in whole[0][name]}
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    seeds, clock, w = parser.parse_args().seeds, Stopwatch(), chains.world()
    runs = [kept(w, row, seed) for seed in seeds for row in ROWS]
    results = {
        "rows": {row: summary([run for run in runs if run["row"] == row]) for row in ROWS},
        "runs": runs,
        "steps": STEPS,
        "samples": SAMPLES,
        "schedule": "linear, T = 100, beta from 0.001 to 0.2",
        "threads": torch.get_num_threads(),
        "note": "each figure as [mean, standard deviation over the seeds]; bound and its parts L_T, L_t (the sum over "
        "t >= 2), L_0 in bits per dimension on 360 held-out digits, frechet in a small classifier's features against "
        "all digits; beta_tilde_2 stands in for beta_tilde_1 = 0; x0_hat is clamped throughout; the learned variance "
        "of the paper's table is not measured here",
    }
    write("table2", results, clock, w.known.sha256, minutes=sum(run.get("seconds", 0) for run in runs) / 60)


if __name__ == "__main__":
    main()
