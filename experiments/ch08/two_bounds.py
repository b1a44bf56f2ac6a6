"""Chapters 8 and 16: the discrete bound and the continuous one of the same networks, on the same held-out pictures.

python -m experiments.ch08.two_bounds --data uoft-cs/cifar10

The digits' network is the first of chapter 10's few_steps.py, the cars' is the book's own.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ddpm_core import data
from ddpm_core.book import results
from ddpm_core.diffusion import elbo
from ddpm_core.diffusion.model import Model
from ddpm_core.diffusion.noise import seeded
from ddpm_core.diffusion.variance import beta
from ddpm_core.storage import checkpoint
from ddpm_core.storage.files import file_sha256
from experiments.ch10 import subjects
from experiments.common import small_trainings
from experiments.common.results_file import Stopwatch, significant, write
from experiments.common.settings import command_line, parsed

CARS, CLASS = "cars32-gpu", "automobile"


@dataclass(frozen=True, kw_only=True)
class Settings(subjects.Settings):
    """cars, digits: how many of those that are held out are priced."""

    data: str = "uoft-cs/cifar10"
    cars: int = 32
    digits: int = 360


BOOK = Settings()


def with_error(bits: Tensor) -> list[float]:
    """Mean over pictures (N,), and its standard error."""
    return [significant(bits.mean()), float(f"{(bits.std() / len(bits) ** 0.5).item():.2g}")]


@torch.no_grad()
def both(model: Model, x0: Tensor) -> dict[str, list[float] | int]:
    """Bits per dimension of x0 (N, C, H, W) by either bound."""
    denoise, found = model.denoiser(), {"images": len(x0)}
    nats = {
        "discrete": elbo.vlb_terms(denoise, model.schedule, x0, seeded(5), beta).sum(0),
        "continuous": elbo.continuous_time_vlb(denoise, model.schedule, x0, seeded(5)),
    }
    return found | {name: with_error(elbo.bits_per_dim(value, x0)) for name, value in nats.items()}


def main(arguments: list[str] | None = None, settings: Settings = BOOK) -> None:
    parser = command_line(__doc__, data=str, seeds=[int])
    settings, clock = parsed(parser, settings, arguments), Stopwatch(__spec__.name, arguments)
    torch.set_num_threads(1)
    w = small_trainings.world(settings)
    of_digits = checkpoint.load(subjects.network(w, settings.seeds[0], settings))
    held = data.load(settings.data, "test").of_class(CLASS)
    found = {
        "digits": both(of_digits, w.held[: settings.digits]),
        "cars": both(results.model(CARS), data.to_float(held.images[: settings.cars])),
        "model_sha256": file_sha256(results.path(f"{CARS}.safetensors")),
        "note": "bits per dimension as [mean, standard error over the images], of held-out pictures; discrete: 1,000 "
        "steps, variance beta, one draw of x_t for each t; continuous: one draw of x_t at each of its levels; x0_hat "
        "held to [-1, 1]; digits: the network of the first seed of few_steps.json, not told the class; cars: "
        "cars32-gpu",
    }
    write("two_bounds", found, clock, held.pixels_sha256, folder=settings.results)


if __name__ == "__main__":
    main()
