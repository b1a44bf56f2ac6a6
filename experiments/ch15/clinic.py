"""Chapter 15: twelve bugs of one line each, on digits at equal steps: loss, bound, samples, and one picture overfitted.

python -m experiments.ch15.clinic [--seeds 0 1]

What was trained and drawn is kept in runs/clinic, so that it can be stopped and gone on with. A bug that only drawing
meets is given the sound network.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor, nn

from ddpm_core import data
from ddpm_core.book import clinic
from ddpm_core.diffusion.noise import seeded
from experiments.common import bounds, small_trainings
from experiments.common.results_file import Stopwatch, picture, significant, spread, write
from experiments.common.settings import cached, command_line, parsed

SOUND = "sound"
TRAINED = ("scaled", "noised", "squared_error", "take", "Residual", "update_average")  # functions that training meets
EVERY = 10  # steps that one number of the stored curve is the mean of
CERTAIN = 0.8  # the least probability at which the classifier counts as sure of its digit


@dataclass(frozen=True, kw_only=True)
class Settings(small_trainings.Settings):
    """steps: of each training; overfitting: of those on one picture; priced: held-out digits under the bound."""

    seeds: tuple[int, ...] = (0, 1)
    names: tuple[str, ...] = (SOUND, *clinic.NAMES)
    steps: int = 500
    overfitting: int = 200
    samples: int = 256
    priced: int = 120
    columns: int = 12


BOOK = Settings()


# ---- One copy of the patient -------------------------------------------------------------------------------------


def copy_of(name: str) -> ModuleType:
    """The patient with this bug."""
    return clinic.planted() if name == SOUND else clinic.planted(clinic.by_name(name))


def as_trained(name: str) -> str:
    """The name of the copy whose training is this one's: the sound one, where only drawing meets the bug."""
    return name if name != SOUND and clinic.by_name(name).function in TRAINED else SOUND


def as_priced(name: str) -> str:
    """The same for the bound, which asks for the guess as well."""
    return name if name != SOUND and clinic.by_name(name).function == "guess" else as_trained(name)


def trained(name: str, pixels: Tensor, steps: int, seed: int, file: Path) -> tuple[nn.Module, list[float]]:
    """The averaged network of this copy, and its losses; those that the file keeps, if it is there."""

    def make() -> dict:
        average, losses = copy_of(as_trained(name)).train(pixels, steps, seed)
        return {"weights": average.state_dict(), "losses": losses}

    kept = cached(file, make)
    net = copy_of(name).Network()
    net.load_state_dict(kept["weights"])
    return net.eval(), kept["losses"]


def price(code: ModuleType, net: nn.Module, held: Tensor) -> float:
    """The bound on held-out digits, bits per dimension; the algebra is the book's, the guess is the copy's."""
    return bounds.discrete(lambda x_t, t: code.guess(net, x_t, t), code.TABLES, held)["bound"]


def sure(w: small_trainings.World, pixels: Tensor) -> float:
    """Share of the pictures in which the classifier sees one digit with a probability of at least CERTAIN."""
    with torch.no_grad():
        most = w.judge.net(data.to_float(pixels)).softmax(1).max(1).values
    return significant((most >= CERTAIN).double().mean())


def noise(n: int) -> Tensor:
    return torch.randn(n, 1, 8, 8, generator=seeded(9))


def one_run(w: small_trainings.World, name: str, seed: int, settings: Settings) -> tuple[dict, Tensor]:
    """What was found, and the first pictures drawn, uint8."""
    began, code, folder = time.process_time(), copy_of(name), settings.runs / "clinic"

    def kept(kind: str, of: str) -> Path:
        return folder / f"{kind}-{of.replace(' ', '-')}-{seed}.pt"

    net, losses = trained(name, w.known.images, settings.steps, seed, kept("trained", as_trained(name)))
    held = w.held[: settings.priced]
    drawn = code.shown(code.draw(net, noise(settings.samples), seed))
    bound = cached(kept("bound", as_priced(name)), lambda: {"bound": price(code, net.eval(), held)})["bound"]
    single = w.known.images[:1]
    expert, _ = trained(name, single, settings.overfitting, seed, kept("overfitted", as_trained(name)))
    again = code.shown(code.draw(expert, noise(8), seed))
    found = {
        "name": name,
        "seed": seed,
        "losses": [significant(part.mean()) for part in torch.tensor(losses).split(EVERY)],
        "loss": significant(torch.tensor(losses[-len(losses) // 5 :]).mean()),
        "bound": bound,
        "frechet": significant(small_trainings.metrics.frechet(w.features, w.judge.features(drawn))),
        "sure": sure(w, drawn),
        "mean": significant(drawn.double().mean()),
        "spread": significant(drawn.double().std()),
        "overfitted": significant((again.double() - single.double()).abs().mean()),
        "seconds": round(time.process_time() - began, 1),
    }
    print({key: value for key, value in found.items() if key != "losses"}, flush=True)
    return found, drawn[: settings.columns]


# ---- All of them -------------------------------------------------------------------------------------------------


def main(arguments: list[str] | None = None, settings: Settings = BOOK) -> None:
    parser = command_line(__doc__, seeds=[int])
    settings, clock = parsed(parser, settings, arguments), Stopwatch(__spec__.name, arguments)
    torch.set_num_threads(1)
    w = small_trainings.world(settings)

    def run(name: str, seed: int) -> tuple[dict, Tensor]:
        file = settings.runs / "clinic" / f"run-{name.replace(' ', '-')}-{seed}.pt"
        return cached(file, lambda: one_run(w, name, seed, settings))

    made = {(name, seed): run(name, seed) for seed in settings.seeds for name in settings.names}
    runs = [found for found, _ in made.values()]
    figures = ("loss", "bound", "frechet", "sure", "mean", "spread", "overfitted")
    rows = {
        name: {figure: spread([run[figure] for run in runs if run["name"] == name]) for figure in figures}
        for name in settings.names
    }
    sheets = torch.cat([made[name, settings.seeds[0]][1] for name in settings.names])
    picture(settings.results / "clinic.png", sheets, columns=settings.columns, gap=0)
    real = w.known.images
    results = {
        "rows": rows,
        "runs": runs,
        "real": {"sure": sure(w, real), "mean": significant(real.double().mean()),
                 "spread": significant(real.double().std())},
        "seeds": list(settings.seeds),
        "samples": settings.samples,
        "training_steps": settings.steps,
        "overfitting_steps": settings.overfitting,
        "held_out": settings.priced,
        "schedule": "cosine, T = 100",
        "note": "each figure of a row as [mean, standard deviation over the seeds]; every copy is trained from the "
        "same seeds, in batches of 64 digits; losses: the copy's own training loss, the mean of every ten steps; loss: "
        "that of the last fifth; bound: the discrete bound on held-out digits, bits per dimension, by the book's own "
        "code from the copy's guess of x_0; frechet: of the samples to all digits in a small classifier's features; "
        f"sure: share of samples in which that classifier gives one digit a probability of at least {CERTAIN}; mean, "
        "spread: of the grey values 0..255 of the samples; overfitted: mean absolute difference in grey values between "
        "eight samples and the one picture that a network of that copy was trained on; a bug that only drawing meets "
        "is given the sound network; clinic.png: the first samples of the first seed, one row of 8x8 pictures for each "
        "copy in the order of the rows",
    }  # fmt: skip
    minutes = sum(run["seconds"] for run in runs) / 60
    write("clinic", results, clock, w.known.sha256, minutes=minutes, folder=settings.results)


if __name__ == "__main__":
    main()
