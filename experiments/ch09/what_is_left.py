"""Chapter 9: what is left to guess, f_t of Equation 9.7, on digits that the network has seen and on others.

python -m experiments.ch09.what_is_left [--seeds 0 1 2]

The networks are those of chapter 10's few_steps.py.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ddpm_core import data
from ddpm_core.diffusion import gaussian, prediction
from ddpm_core.diffusion.model import Model
from ddpm_core.diffusion.noise import seeded
from ddpm_core.storage import checkpoint
from experiments.ch10 import subjects
from experiments.common import small_trainings
from experiments.common.results_file import Stopwatch, spread, write
from experiments.common.settings import command_line, parsed

LOOKS = (10, 25, 50, 100, 200, 300, 400, 500, 600, 700, 800, 900)


@dataclass(frozen=True, kw_only=True)
class Settings(subjects.Settings):
    """looks: times; as many known digits are asked about as are held out."""

    looks: tuple[int, ...] = LOOKS


BOOK = Settings()


@torch.no_grad()
def left(model: Model, x0: Tensor, t: int) -> float:
    """Squared error of the guess, which is not clamped, over 1 - alpha_bar_t."""
    times, eps = torch.full((len(x0),), t), torch.randn(x0.shape, generator=seeded(6, t))
    guess = prediction.denoiser(model.network, model.schedule, model.prediction)
    x_t = gaussian.q_sample(model.schedule, x0, times, eps)
    return ((guess(x_t, times) - x0).square().mean().double() / (1 - model.schedule.alpha_bar[t])).item()


def main(arguments: list[str] | None = None, settings: Settings = BOOK) -> None:
    parser = command_line(__doc__, seeds=[int])
    settings, clock = parsed(parser, settings, arguments), Stopwatch(__spec__.name, arguments)
    torch.set_num_threads(1)
    w = small_trainings.world(settings)
    models = [checkpoint.load(subjects.network(w, seed, settings)) for seed in settings.seeds]
    seen = data.to_float(w.known.images[: len(w.held)])
    found = {
        name: {str(t): spread([left(model, x0, t) for model in models]) for t in settings.looks}
        for name, x0 in {"seen": seen, "held_out": w.held}.items()
    }
    found |= {
        "digits": len(w.held),
        "seeds": settings.seeds,
        "note": "f_t by t as [mean, standard deviation over the networks, one a seed]: the squared error of x0_hat "
        "over 1 - alpha_bar_t, on `digits` digits that the networks were trained on and on as many that they were "
        "not; the networks are those of few_steps.json, not told the class; one draw of the noise for each digit "
        "and time",
    }
    write("what_is_left", found, clock, w.known.sha256, folder=settings.results)


if __name__ == "__main__":
    main()
