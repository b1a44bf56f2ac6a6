"""Chapter 14: one network, three losses. The noise and the velocity v on the cosine schedule, and flow matching on the
straight path: the spiral of chapter 7, three seeds, the same network, points, noises and steps.

python -m experiments.ch14.three_losses [--seeds 0 1 2]     each run is kept in runs/three_losses
"""

import math
import time
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from ddpm_core import sampler, schedule, trainer
from ddpm_core.diffusion import flow, loss, mixture, prediction
from ddpm_core.diffusion.noise import seeded
from ddpm_core.diffusion.prediction import EPS, Denoise, Network, Prediction, V
from ddpm_core.networks import mlp
from ddpm_core.schedule import Schedule
from experiments.common.results_file import Stopwatch, significant, spread, write
from experiments.common.settings import Folders, cached, command_line, parsed

COSINE, LINE = schedule.cosine(1000), flow.linear_path(1000)
OF_LINE = schedule.Schedule(torch.cat([torch.zeros(1), 1 - flow.alpha_bar(LINE)[1:] / flow.alpha_bar(LINE)[:-1]]))


def spiral() -> mixture.GaussianMixture:
    """Forty round modes along one and a half turns, as in chapter 7."""
    turn = torch.linspace(0.5, 3.5, 40) * math.pi
    arm = torch.stack([turn * turn.cos(), turn * turn.sin()], dim=1)
    return mixture.isotropic([1 / 40] * 40, (arm * 2 / turn.max()).tolist(), std=0.1)


WORLD = spiral()


def on_the_line(net: Network) -> Denoise:
    """denoise(x_t, t) of a network that was trained on the straight path, for points on the scale of the chain."""

    def denoise(x_t: Tensor, t: Tensor) -> Tensor:
        size = ((1 - LINE[t]) ** 2 + LINE[t] ** 2).sqrt().to(x_t.dtype)[:, None]
        return flow.x0_from_velocity(LINE, net(size * x_t, t), size * x_t, t)

    return denoise


def on_the_chain(predict: Prediction, net: Network) -> Denoise:
    return prediction.denoiser(net, COSINE, predict)


WAYS = {  # name -> (its loss, the schedule of its noise levels, how its network is read)
    "noise": (loss.objective(COSINE, EPS), COSINE, partial(on_the_chain, EPS)),
    "v": (loss.objective(COSINE, V), COSINE, partial(on_the_chain, V)),
    "flow": (flow.flow_matching(LINE), OF_LINE, on_the_line),
}


@dataclass(frozen=True, kw_only=True)
class Settings(Folders):
    """looks: steps after which each network is judged."""

    seeds: tuple[int, ...] = (0, 1, 2)
    ways: tuple[str, ...] = tuple(WAYS)
    looks: tuple[int, ...] = (100, 200, 400, 800, 1600)
    batch: int = 256
    calls: int = 50
    drawn: int = 2000


BOOK = Settings()


def distance(x: Tensor, y: Tensor) -> float:
    """Energy distance of two clouds of points, 2 E|x - y| - E|x - x'| - E|y - y'|: 0 for equal densities."""
    n, m = len(x), len(y)
    within = torch.cdist(x, x).sum() / (n * (n - 1)) + torch.cdist(y, y).sum() / (m * (m - 1))
    return float(2 * torch.cdist(x, y).mean() - within)


@torch.no_grad()
def excess(denoise: Denoise, levels: Schedule, n: int) -> float:
    """E |x0_hat - E[x_0|x_t]|^2, a mean over coordinates and over log-SNR from -6 to 6, evenly."""
    log_snr, g, found = levels.snr.log(), seeded(4), []
    for level in torch.linspace(-6, 6, 13, dtype=torch.float64):
        t = torch.full((n,), 1 + int((log_snr[1:] - level).abs().argmin()))
        x0, eps = WORLD.sample(n, g), torch.randn(n, 2, generator=g, dtype=torch.float64)
        x_t = levels.alpha_bar[t].sqrt()[:, None] * x0 + (1 - levels.alpha_bar[t]).sqrt()[:, None] * eps
        off = denoise(x_t.float(), t).double() - WORLD.posterior_mean(levels, x_t, t)
        found.append(off.square().mean())
    return significant(torch.stack(found).mean())


def stops(levels: Schedule, calls: int) -> list[int]:
    """Times at the same noise levels on every schedule: log-SNR from -8 to 8, evenly, and then 0.

    At -8 an x_t is noise but for two hundredths; where less is left, a guess of the noise would say nothing of x_0.
    """
    log_snr = levels.snr.log()[1:]
    wanted = torch.linspace(-8, 8, calls, dtype=torch.float64)
    return sorted({1 + int((log_snr - level).abs().argmin()) for level in wanted} | {0}, reverse=True)


def judged(name: str, net: Network, settings: Settings) -> dict[str, float]:
    _, levels, read = WAYS[name]
    denoise, x_T = read(net), torch.randn(settings.drawn, 2, generator=seeded(5))
    chain = sampler.ddim(denoise, levels, x_T, stops(levels, settings.calls))
    points, real = sampler.final(chain).double(), WORLD.sample(2 * settings.drawn, seeded(6))
    return {"excess": excess(denoise, levels, settings.drawn), "distance": significant(distance(points, real))}


def batches(seed: int, batch: int):
    """step -> (x0, t, eps), the same for all three."""

    def batch_at(step: int) -> tuple[Tensor, ...]:
        g = seeded(seed, step)
        x0 = WORLD.sample(batch, g).float()
        return x0, loss.sample_timesteps(COSINE, batch, g), torch.randn(batch, 2, generator=g)

    return batch_at


def one_run(name: str, seed: int, settings: Settings) -> dict:
    began = time.process_time()
    torch.manual_seed(seed)
    state = trainer.start(mlp.MLP(dimensions=2, width=64, blocks=3), ema_decay=0.99, device="cpu")
    found, seconds = {"way": name, "seed": seed, "looks": {}}, 0.0
    for look in settings.looks:
        run = trainer.run(state, batches(seed, settings.batch), WAYS[name][0], steps=look, decay=trainer.no_decay)
        for _ in run:
            pass
        seconds += time.process_time() - began
        found["looks"][str(look)] = judged(name, trainer.ema_model(state), settings) | {"seconds": round(seconds, 2)}
        began = time.process_time()
    print(found, flush=True)
    return found


def main(arguments: list[str] | None = None, settings: Settings = BOOK) -> None:
    settings = parsed(command_line(__doc__, seeds=[int]), settings, arguments)
    clock, runs = Stopwatch(__spec__.name, arguments), []
    for seed in settings.seeds:
        for name in settings.ways:
            file = settings.runs / "three_losses" / f"{name}-{seed}.json"
            runs.append(cached(file, partial(one_run, name, seed, settings)))
    rows = {}
    for name in settings.ways:
        mine = [run["looks"] for run in runs if run["way"] == name]
        rows[name] = {
            str(look): {key: spread([run[str(look)][key] for run in mine]) for key in ("excess", "distance", "seconds")}
            for look in settings.looks
        }
    floor = [
        significant(distance(WORLD.sample(settings.drawn, seeded(7, k)), WORLD.sample(2 * settings.drawn, seeded(6))))
        for k in range(3)
    ]
    results = {
        "rows": rows,
        "floor": spread(floor),
        "runs": runs,
        "seeds": list(settings.seeds),
        "looks": list(settings.looks),
        "calls": settings.calls,
        "drawn": settings.drawn,
        "batch": settings.batch,
        "note": "excess: E |x0_hat - E[x_0|x_t]|^2, mean over coordinates and over log-SNR -6..6; distance: energy "
        "distance of points drawn by DDIM, at the same noise levels, to the spiral; floor: that of the spiral's own "
        "points; [mean, standard deviation over the seeds]; seconds of one core's training",
    }
    minutes = sum(list(run["looks"].values())[-1]["seconds"] for run in runs) / 60
    write("three_losses", results, clock, minutes=minutes, folder=settings.results)


if __name__ == "__main__":
    main()
