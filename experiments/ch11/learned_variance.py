"""Chapter 11: a learned variance. The rows of the paper's Table 2 that chapter 5 leaves open, and the hybrid loss
beside them: digits, three seeds, the same networks and batches as in chapter 5.

python -m experiments.ch11.learned_variance [--seeds 0 1 2]     each run is kept in runs/learned_variance
"""

import time
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from ddpm_core import data, sampler, trainer, unet
from ddpm_core.diffusion import loss, prediction, variance
from ddpm_core.diffusion.noise import seeded
from ddpm_core.diffusion.prediction import EPS, MEAN, Prediction
from ddpm_core.schedule import at
from experiments.ch05.table2 import T100, VARIANCES
from experiments.ch11.coding import squares
from experiments.common import small_trainings
from experiments.common.results_file import Stopwatch, significant, spread, write
from experiments.common.settings import cached, command_line, parsed


def network() -> unet.UNet:
    """Chapter 5's, with a second channel of output."""
    return unet.UNet(1, small_trainings.CHANNELS, attention=(1,), out_channels=2)


def free(output: Tensor) -> variance.Variance:
    """beta_t exp(output): a logarithm of the variance that no limit holds."""
    return lambda schedule, t, like: at(schedule.beta, t, like) * output.exp()


def whole_bound(predict: Prediction, width=variance.between):
    """L with a learned variance, on the scale of chapter 5's L: its weights there have mean 1 over t."""
    mean_weight = loss.vlb(T100, torch.arange(1, T100.T + 1), predict).mean()
    scale, bits = torch.log(torch.tensor(2.0)) / (T100.T * mean_weight), loss.bound(T100, predict, width)
    return lambda *batch: scale * bits(*batch)


ROWS = {  # name -> (what the network predicts, its loss, how its second channel is read)
    "MEAN L": (MEAN, whole_bound(MEAN), variance.between),
    "EPS L": (EPS, whole_bound(EPS), variance.between),
    "EPS L, free": (EPS, whole_bound(EPS, free), free),
    "EPS hybrid": (EPS, loss.hybrid(T100, EPS), variance.between),
}


@dataclass(frozen=True, kw_only=True)
class Settings(small_trainings.Settings):
    """steps: of each training. gradients: batches whose gradients are compared."""

    rows: tuple[str, ...] = tuple(ROWS)
    steps: int = 600
    samples: int = 400
    gradients: int = 30


BOOK = Settings()


def noise_scale(w: small_trainings.World, net: nn.Module, objective, seed: int, n: int) -> float:
    """Scatter of a batch's gradient over the square of its mean: E|g - E g|^2 / |E g|^2, from n batches.

    |E g|^2 is what the mean of n has, less what its scatter adds.   [McCandlish 2018, Eq. 2.9]
    """
    batch_at, grads = small_trainings.batches(w, T100, seed + 100), []
    for k in range(n):
        value = objective(net, *batch_at(k))
        parts = torch.autograd.grad(value, list(net.parameters()))
        grads.append(torch.cat([part.flatten() for part in parts]).double())
    grads = torch.stack(grads)
    scatter = grads.var(0).sum()
    return significant(scatter / (grads.mean(0).square().sum() - scatter / n))


def one_run(w: small_trainings.World, row: str, seed: int, settings: Settings) -> dict:
    began, (predict, objective, width) = time.process_time(), ROWS[row]
    state, batch_at = small_trainings.start(seed, network), small_trainings.batches(w, T100, seed)
    losses, lengths = [], []
    try:
        for progress in trainer.run(state, batch_at, objective, steps=settings.steps, report_every=1):
            losses.append(progress.loss)
            lengths.append(progress.grad_norm)
    except FloatingPointError as error:
        return {"row": row, "seed": seed, "unstable": str(error), "loss": [significant(x) for x in losses]}
    late = torch.tensor(lengths[len(lengths) // 2 :])
    found = {
        "row": row,
        "seed": seed,
        "loss": [significant(torch.tensor(losses[k : k + 50]).mean()) for k in range(0, len(losses), 50)],
        "clipped": significant((late > 1).double().mean()),
        "longest": significant(late.max() / late.median()),
        "noise_scale": noise_scale(w, trainer.ema_model(state), objective, seed, settings.gradients),
    }
    mean, learned = variance.split(trainer.ema_model(state), width)
    denoise = prediction.clip_denoised(prediction.denoiser(mean, T100, predict))
    x_T, same = small_trainings.x_T(settings.samples), small_trainings.remembered(denoise)
    left = squares(denoise, T100, data.to_float(w.known.images[: settings.held_out]), seed)
    widths = {"learned": learned, **VARIANCES, "analytic": variance.analytic(left)}
    for name, chosen in widths.items():  # the learned one first: the network is asked then
        found[name] = small_trainings.priced(w, same, T100, chosen)
    drawn = sampler.final(sampler.ancestral(denoise, T100, x_T, variance=learned, generator=seeded(seed, 3)))
    found["learned"]["frechet"] = small_trainings.judged(w, drawn) if drawn.isfinite().all() else None
    found["seconds"] = round(time.process_time() - began, 1)
    print(found, flush=True)
    return found


def summary(runs: list[dict]) -> dict:
    """Mean, and standard deviation over the seeds, of each figure under each variance."""
    whole = [run for run in runs if "unstable" not in run]
    rows = {"seeds": [run["seed"] for run in runs], "unstable": len(runs) - len(whole)}
    for name in ("clipped", "longest", "noise_scale") if whole else ():
        rows[name] = spread([run[name] for run in whole])
    for name in ("learned", *VARIANCES, "analytic") if whole else ():
        rows[name] = {key: spread([run[name][key] for run in whole]) for key in whole[0][name]}
    return rows


def main(arguments: list[str] | None = None, settings: Settings = BOOK) -> None:
    parser = command_line(__doc__, seeds=[int], steps=int)
    settings, clock = parsed(parser, settings, arguments), Stopwatch(__spec__.name, arguments)
    w = small_trainings.world(settings)

    def run(row: str, seed: int) -> dict:
        file = settings.runs / "learned_variance" / f"{row.replace(' ', '-').replace(',', '')}-{seed}.json"
        return cached(file, partial(one_run, w, row, seed, settings))

    runs = []
    for seed in settings.seeds:
        runs += [run(row, seed) for row in settings.rows]
        save(runs, w, clock, settings)  # one seed after the other, in case that it is stopped


def save(runs: list[dict], w: small_trainings.World, clock: Stopwatch, settings: Settings) -> None:
    """The results file of these runs."""
    results = {
        "rows": {row: summary([run for run in runs if run["row"] == row]) for row in settings.rows},
        "runs": runs,
        "steps": settings.steps,
        "samples": settings.samples,
        "schedule": "linear, T = 100, beta from 0.001 to 0.2",
        "threads": torch.get_num_threads(),
        "note": "figures as in table2.json, for networks that put out a variance beside their prediction, under that "
        "variance, and the bound also under the two fixed ones and under the analytic one, which is made of errors on "
        "known digits; L: the whole bound with the learned variance, scaled "
        "as there; free: the variance is beta_t exp(output), elsewhere it is interpolated between beta_tilde_t and "
        "beta_t; hybrid: L_simple + 0.001 L_vlb; clipped: share of the steps in the second half of training whose "
        "gradient was longer than 1 and was shortened; longest: the longest gradient there over the median; "
        "noise_scale: of the trained network's loss, scatter of a batch's gradient over the square of its mean, from "
        f"{settings.gradients} batches of 64",
    }
    minutes = sum(run.get("seconds", 0) for run in runs) / 60
    write("learned_variance", results, clock, w.known.sha256, minutes=minutes, folder=settings.results)


if __name__ == "__main__":
    main()
