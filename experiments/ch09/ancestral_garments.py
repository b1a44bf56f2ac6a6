"""Chapter 9: garments on their way out of noise, and two garments mixed under one noise; two sheets for the eye.

python -m experiments.ch09.ancestral_garments [--data zalando-datasets/fashion_mnist]
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ddpm_core import data, sampler, schedule
from ddpm_core.book import results
from ddpm_core.diffusion import gaussian, prediction, timesteps
from ddpm_core.diffusion.model import Model
from ddpm_core.diffusion.noise import seeded
from experiments.common.results_file import Stopwatch, picture, write
from experiments.common.settings import Folders, command_line, parsed

SHOWN = [9, 3, 8]  # ankle boot, dress, bag
PAIRS = [(7, 9), (0, 3)]  # trainer and ankle boot, T-shirt and dress


@dataclass(frozen=True, kw_only=True)
class Settings(Folders):
    """times: at which a chain of so many steps is shown; mixed_at: times at which pairs are mixed, in these shares."""

    data: str = "zalando-datasets/fashion_mnist"
    times: tuple[int, ...] = (1000, 900, 800, 700, 600, 500, 400, 300, 200, 100, 0)
    steps: int = 1000
    mixed_at: tuple[int, ...] = (0, 250, 500, 750, 1000)
    shares: tuple[float, ...] = tuple(k / 8 for k in range(9))


BOOK = Settings()


def progress(trained: Model, classes: list[int], settings: Settings) -> Tensor:
    """For each class a row of x_t and a row of x0_hat at the times; at t = 0 both are the picture."""
    denoise, visited = trained.denoiser(torch.tensor(classes)), timesteps.uniform(trained.schedule, settings.steps)
    x_T = torch.randn(len(classes), 1, *trained.about["size"], generator=seeded(9, 6))
    seen, said = [], []
    for t, x in sampler.ancestral(denoise, trained.schedule, x_T, visited, generator=seeded(9, 7)):
        if t in settings.times:
            seen.append(x)
            with torch.no_grad():
                said.append(denoise(x, torch.full((len(x),), t)) if t else x)
    return torch.stack([torch.stack(seen, 1), torch.stack(said, 1)], 1).flatten(0, 2)  # class, which, time


@torch.no_grad()
def decoded(denoise: prediction.Denoise, s: schedule.Schedule, x: Tensor, t: int) -> Tensor:
    """The rest of the chain from x at time t, with the same fresh noise for all of x."""
    generator = seeded(9, t)
    for now in range(t, 0, -1):
        times, z = torch.full((len(x),), now), torch.randn(1, *x.shape[1:], generator=generator).expand_as(x)
        x = sampler.ddpm_step(s, x, times, denoise(x, times), z)
    return x


def mixed(trained: Model, first: Tensor, other: Tensor, settings: Settings) -> Tensor:
    """A row for each time: first and other under one noise, mixed in the shares, and decoded without a label."""
    share = torch.tensor(settings.shares)[:, None, None, None]
    eps, rows = torch.randn(first.shape, generator=seeded(9, 8)), []
    for t in settings.mixed_at:
        times = torch.full((1,), t)
        x_t, other_t = (gaussian.q_sample(trained.schedule, x, times, eps) for x in (first, other))
        rows.append(decoded(trained.denoiser(), trained.schedule, (1 - share) * x_t + share * other_t, t))
    return torch.cat(rows)


def main(arguments: list[str] | None = None, settings: Settings = BOOK) -> None:
    parser = command_line(__doc__, data=str)
    settings, clock = parsed(parser, settings, arguments), Stopwatch(__spec__.name, arguments)
    torch.set_num_threads(1)
    trained, real = results.model("fashion32"), data.load(settings.data, "test")
    real = replace(real, images=data.pad_to(real.images, *trained.about["size"]))
    sheet = progress(trained, SHOWN, settings)
    picture(settings.results / "ancestral_garments.png", sheet, columns=len(settings.times))
    pairs = [[data.to_float(real.images[real.labels == k][:1]) for k in pair] for pair in PAIRS]
    sheet = torch.cat([mixed(trained, *pair, settings) for pair in pairs])
    picture(settings.results / "ancestral_mixed.png", sheet, columns=len(settings.shares))
    names = trained.about["names"]
    found = {
        "times": settings.times,
        "garments": [names[k] for k in SHOWN],
        "mixed_at": settings.mixed_at,
        "shares": settings.shares,
        "pairs": [[names[k] for k in pair] for pair in PAIRS],
        "model": {key: trained.about[key] for key in ("date", "minutes", "images_seen", "device")},
        "note": "ancestral_garments.png: by class, a row of x_t and below it one of x0_hat, clamped, at these times of "
        "one chain of 1000 steps with variance beta_tilde; ancestral_mixed.png: the first test pictures of two classes "
        "under one noise at the times mixed_at, mixed in these shares and decoded without a label, with the same fresh "
        "noise for one row",
    }
    write("ancestral_garments", found, clock, trained.about["data_sha256"], folder=settings.results)


if __name__ == "__main__":
    main()
