"""Chapter 11: one network on digits, four variances. Its bound term by term, the progressive code, and what the
variance does to the bound and to the pictures of few steps; three seeds.

python -m experiments.ch11.likelihood [--seeds 0 1 2]     each network and each seed is kept in runs/likelihood
"""

import time
from dataclasses import dataclass
from functools import partial

import torch

from ddpm_core import data, sampler, schedule, trainer
from ddpm_core.diffusion import loss, prediction, timesteps, variance
from ddpm_core.diffusion.noise import seeded
from ddpm_core.diffusion.prediction import EPS
from ddpm_core.storage import checkpoint
from experiments.ch11.coding import FIXED, STOPS, Kept, area, bound, distortions, parts, rates, squares
from experiments.ch11.learned_variance import network
from experiments.common import small_trainings
from experiments.common.results_file import Stopwatch, significant, spread, write
from experiments.common.settings import cached, command_line, parsed

T1000 = schedule.linear(1000)  # the paper's


@dataclass(frozen=True, kw_only=True)
class Settings(small_trainings.Settings):
    """steps: of training. priced: held-out digits whose bound is taken, and as many known ones for the analytic
    variance. few: numbers of steps that are drawn in."""

    steps: int = 600
    priced: int = 120
    few: tuple[int, ...] = (10, 25, 100)
    samples: int = 400


BOOK = Settings()


def trained(w: small_trainings.World, seed: int, settings: Settings) -> torch.nn.Module:
    """A network of mean and variance by the hybrid loss, kept."""
    folder = settings.runs / "likelihood" / f"network-{seed}"
    if not (folder / checkpoint.MODEL).exists():
        state, objective = small_trainings.start(seed, network), loss.hybrid(T1000, EPS)
        began = time.process_time()
        small_trainings.train(state, small_trainings.batches(w, T1000, seed), objective, settings.steps)
        about = {"seed": seed, "seconds": time.process_time() - began}
        checkpoint.save(folder, trainer.model(state, T1000, EPS, about))
    return checkpoint.load(folder).network.to(memory_format=torch.channels_last)


def one_run(w: small_trainings.World, seed: int, settings: Settings) -> dict:
    began, net = time.process_time(), trained(w, seed, settings)
    mean, learned = variance.split(net)
    denoise = prediction.clip_denoised(prediction.denoiser(mean, T1000, EPS))
    known, held = data.to_float(w.known.images[: settings.priced]), w.held[: settings.priced]
    left, kept = squares(denoise, T1000, known, seed), Kept(denoise)
    bits = {}
    for name, width in {"learned": learned, **FIXED, "analytic": variance.analytic(left)}.items():
        bits[name] = bound(kept, T1000, held, width)  # the learned one first: the network is asked then
    found = {
        "seed": seed,
        "left": [significant(left[t]) for t in STOPS],
        "bound": {name: parts(row) for name, row in bits.items()},
        "rate": {name: rates(row) for name, row in bits.items()},
        "distortion": distortions(kept, held),
        "few": {n: few_steps(w, denoise, learned, left, held, n, seed, settings) for n in settings.few},
    }
    found["seconds"] = round(time.process_time() - began, 1)
    print({key: found[key] for key in ("seed", "bound", "few", "seconds")}, flush=True)
    return found


def few_steps(w, denoise, learned, left, held, n: int, seed: int, settings: Settings) -> dict:
    """The bound of the respaced chain of n steps, and the digits that it draws, for each variance."""
    times = timesteps.uniform(T1000, n)
    chain, rising = schedule.respaced(T1000, times), torch.tensor(times[::-1])
    kept = Kept(lambda x, k: denoise(x, rising[k]))
    found, x_T = {}, small_trainings.x_T(settings.samples)
    for name, width in {"learned": learned, **FIXED, "analytic": variance.analytic(left[rising])}.items():
        found[name] = parts(bound(kept, chain, held, width))
        steps = sampler.ancestral(denoise, T1000, x_T, times, variance=width, generator=seeded(seed, 3))
        found[name]["frechet"] = small_trainings.judged(w, sampler.final(steps))
    return found


def spreads(values: list) -> list | dict:
    """Mean and standard deviation over the seeds, of numbers, or of each entry of lists and dictionaries."""
    if isinstance(values[0], dict):
        return {key: spreads([value[key] for value in values]) for key in values[0]}
    if isinstance(values[0], list):
        return [spreads(list(entries)) for entries in zip(*values, strict=True)]
    return spread(values)


def main(arguments: list[str] | None = None, settings: Settings = BOOK) -> None:
    parser = command_line(__doc__, seeds=[int])
    settings, clock = parsed(parser, settings, arguments), Stopwatch(__spec__.name, arguments)
    torch.set_num_threads(1)
    w = small_trainings.world(settings)
    runs = [
        cached(settings.runs / "likelihood" / f"{seed}.json", partial(one_run, w, seed, settings))
        for seed in settings.seeds
    ]
    for run in runs:
        whole = [0.0, *run["distortion"]], [run["bound"]["learned"]["bound"], *run["rate"]["learned"]]
        run["area"] = area(whole[1], whole[0])
    kinds = ("bound", "rate", "distortion", "left", "few", "area")
    found = {key: spreads([run[key] for run in runs]) for key in kinds}
    found |= {
        "stops": STOPS,
        "seeds": settings.seeds,
        "steps": settings.steps,
        "priced": settings.priced,
        "samples": settings.samples,
        "threads": torch.get_num_threads(),
        "note": "every figure as [mean, standard deviation over the seeds]; EPS with a learned variance, hybrid loss, "
        "linear schedule, T = 1000; bound and its parts in bits per dimension on held-out digits, from the same draws "
        "of x_t for every variance; rate: bits per dimension that have been sent once x_t is known, at the times "
        "`stops`; distortion: root mean squared error of x0_hat then, in grey values; left: mean squared error of "
        "x0_hat on digits the network has seen, which the analytic variance is made of; area: under distortion over "
        "rate with the learned variance, from nothing sent to all, where the picture is exact; few: the respaced chain "
        "of so many steps, its bound, and the Frechet distance of its samples to all digits; x0_hat is clamped; "
        "beta_tilde_2 stands in for beta_tilde_1 = 0",
    }
    minutes = sum(run["seconds"] for run in runs) / 60
    write("likelihood", found, clock, w.known.sha256, minutes=minutes, folder=settings.results)


if __name__ == "__main__":
    main()
