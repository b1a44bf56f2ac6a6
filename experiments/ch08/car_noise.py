"""Chapter 8: does fresh noise blur cars by its width? One network and many ways to draw, each of which differs from its
neighbour in one thing; beside it a Gaussian world that has the cars' own axes, drawn from in the same ways.

python -m experiments.ch08.car_noise --data uoft-cs/cifar10

What was drawn is kept in runs/car_noise, a file for each way, so that it can be stopped and gone on with.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor

from ddpm_core import data, sampler
from ddpm_core.book import results
from ddpm_core.diffusion import timesteps, variance
from ddpm_core.diffusion.noise import seeded
from ddpm_core.diffusion.prediction import Denoise
from ddpm_core.schedule import Schedule
from ddpm_core.storage.files import file_sha256
from experiments.common.results_file import Stopwatch, significant, write
from experiments.common.settings import Folders, cached, command_line, parsed

MODEL, CLASS = "cars32-gpu", "automobile"
WALKS: dict[str, Callable[..., timesteps.Steps]] = {
    **{f"eta {eta:g}": partial(sampler.ddim, eta=eta) for eta in (0.0, 0.5, 1.0)},
    "beta": partial(sampler.ancestral, variance=variance.beta),
    "DPM-Solver++": sampler.dpm_solver,
}
PLAN = {"eta 0": (20, 50), "eta 0.5": (50,), "eta 1": (20, 50, 200), "beta": (50, 200), "DPM-Solver++": (20, 50)}


@dataclass(frozen=True, kw_only=True)
class Settings(Folders):
    """cars: drawn in each way, and of the Gaussian world."""

    data: str = "uoft-cs/cifar10"
    cars: int = 200
    at_once: int = 100
    plan: dict[str, tuple[int, ...]] = field(default_factory=lambda: PLAN)


BOOK = Settings()


def edges(images: Tensor) -> Tensor:
    """Mean difference of neighbouring pixels, in each of the images (N, C, H, W)."""
    across, down = (images.diff(dim=axis).abs().mean((1, 2, 3)) for axis in (-1, -2))
    return (across + down) / 2


def beside(found: Tensor, real: Tensor) -> list[float]:
    """Mean over that of the real ones, and its standard error, (N,) and (M,)."""
    ratio = found.mean() / real.mean()
    error = ((found.var() / len(found)) / found.mean() ** 2 + (real.var() / len(real)) / real.mean() ** 2).sqrt()
    return [significant(ratio), float(f"{ratio * error:.2g}")]


def drawn(denoise: Denoise, schedule: Schedule, way: str, calls: int, x_T: Tensor) -> Tensor:
    """What this noise becomes."""
    times, walk = timesteps.uniform(schedule, calls), WALKS[way]
    return sampler.final(walk(denoise, schedule, x_T, times, generator=seeded(3, calls)))


def of_the_network(settings: Settings) -> dict[str, dict[int, Tensor]]:
    """way -> calls -> edges of the cars that the network draws so, the same noise in all."""
    model = results.model(MODEL)
    model.network.to(memory_format=torch.channels_last)
    x_T = torch.randn(settings.cars, 3, 32, 32, generator=seeded(9))

    def made(way: str, calls: int) -> Tensor:
        parts = [drawn(model.denoiser(), model.schedule, way, calls, x) for x in x_T.split(settings.at_once)]
        found = edges(data.to_uint8(torch.cat(parts)).float())
        print(way, calls, found.mean().item(), flush=True)
        return found

    kept = settings.runs / "car_noise"
    return {
        way: {n: cached(kept / f"{way.replace(' ', '-')}-{n}.pt", partial(made, way, n)) for n in every}
        for way, every in settings.plan.items()
    }


def of_a_gaussian(cars: Tensor, schedule: Schedule, settings: Settings) -> tuple[Tensor, dict[str, dict[int, Tensor]]]:
    """Edges of a Gaussian world with the mean and the axes of these float cars (N, C, H, W), and of what a perfect
    network of that world draws."""
    centre = cars.flatten(1).double().mean(0)
    spread, axes = torch.linalg.eigh(torch.cov(cars.flatten(1).double().T))
    wide = spread.clamp(min=0)

    def guess(x: Tensor, t: Tensor) -> Tensor:
        kept = schedule.alpha_bar[t][:, None]
        return kept.sqrt() * wide / (kept * wide + 1 - kept) * x

    def pixels(along: Tensor) -> Tensor:
        return edges(127.5 * (centre + along @ axes.T).reshape(-1, *cars.shape[1:]))

    x_T = torch.randn(settings.cars, len(wide), generator=seeded(8), dtype=torch.float64)
    found = {
        way: {n: pixels(drawn(guess, schedule, way, n, x_T)) for n in every} for way, every in settings.plan.items()
    }
    return pixels(wide.sqrt() * x_T), found


def main(arguments: list[str] | None = None, settings: Settings = BOOK) -> None:
    settings, clock = parsed(command_line(__doc__, data=str), settings, arguments), Stopwatch(__spec__.name, arguments)
    torch.set_num_threads(1)
    known = data.load(settings.data, "train")
    cars = known.of_class(CLASS).images
    real, schedule = edges(cars.float()), results.model(MODEL).schedule
    network = of_the_network(settings)
    exact, gaussian = of_a_gaussian(data.to_float(cars), schedule, settings)
    found = {
        "rows": {
            way: {
                str(n): {
                    "network": beside(network[way][n], real),
                    "gaussian": significant(gaussian[way][n].mean() / exact.mean()),
                }
                for n in every
            }
            for way, every in settings.plan.items()
        },
        "cars": settings.cars,
        "model_sha256": file_sha256(results.path(f"{MODEL}.safetensors")),
        "note": "mean difference of neighbouring pixels; network: of `cars` cars drawn by cars32-gpu from the same "
        "noise, over that of the 5,000 known ones, as [ratio, standard error over the cars]; gaussian: of as many "
        "draws by a perfect network of a Gaussian world with the mean and the axes of those cars, over that of the "
        "world itself; eta: DDIM; beta: the respaced chain with its own betas as variance, with the mean of eta 1; "
        "times even in t; x0_hat clamped for the network",
    }
    write("car_noise", found, clock, known.pixels_sha256, folder=settings.results)


if __name__ == "__main__":
    main()
