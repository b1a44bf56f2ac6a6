"""Chapter 11: the committed networks as compressors. Their bound term by term under three variances, the bits spent
against the picture got, and what the variance does to a chain of few steps.

python -m experiments.ch11.progressive [--data zalando-datasets/fashion_mnist] [--on digits garments]

Each of the two is kept in runs/progressive, so that they can be made one by one.
"""

import time
from dataclasses import dataclass, replace
from functools import partial

import torch

from ddpm_core import data, sampler, schedule
from ddpm_core.book import results
from ddpm_core.diffusion import gaussian, timesteps, variance
from ddpm_core.diffusion.model import Model
from ddpm_core.diffusion.noise import seeded
from experiments.ch11.coding import FIXED, STOPS, Kept, area, bound, distortions, parts, rates, squares
from experiments.common import small_trainings
from experiments.common.results_file import Stopwatch, picture, significant, write
from experiments.common.settings import cached, command_line, parsed


@dataclass(frozen=True, kw_only=True)
class Settings(small_trainings.Settings):
    """priced: pictures whose code is taken, and as many others for the analytic variance. shown: times of the sheet.
    classes: of the garments on it. few: numbers of steps; samples: digits drawn in each."""

    data: str = "zalando-datasets/fashion_mnist"
    on: tuple[str, ...] = ("digits", "garments")
    priced: tuple[int, int] = (32, 16)
    classes: tuple[int, ...] = (9, 3, 8, 0, 5)  # ankle boot, dress, bag, T-shirt, sandal
    shown: tuple[int, ...] = (
        1000, 900, 800, 700, 650, 600, 550, 500, 450, 400, 350, 300, 250, 200, 150, 100, 60, 30, 10, 1,
    )  # fmt: skip
    few: tuple[int, ...] = (10, 25, 100)
    samples: int = 200


BOOK = Settings()


def coded(model: Model, known: data.ImageDataset, new: data.ImageDataset, settings: Settings) -> dict:
    """Bound, rate and distortion of the new pictures; the analytic variance comes from the known ones."""
    s = model.schedule
    left = squares(model.denoiser(known.labels), s, data.to_float(known.images), seed=0)
    x0, kept = data.to_float(new.images), Kept(model.denoiser(new.labels))
    bits = {name: bound(kept, s, x0, width) for name, width in (FIXED | {"analytic": variance.analytic(left)}).items()}
    rate, distortion = {name: rates(row) for name, row in bits.items()}, distortions(kept, x0)
    found = {
        "bound": {name: parts(row) for name, row in bits.items()},
        "rate": rate,
        "distortion": distortion,
        "left": [significant(left[t]) for t in STOPS],
        "area": area([significant(bits["analytic"].sum()), *rate["analytic"]], [0.0, *distortion]),
        "shown_rate": rates(bits["analytic"], settings.shown),
        "priced": len(x0),
        "few": {},
    }
    for n in settings.few:
        times = torch.tensor(timesteps.uniform(s, n)).flip(0)
        chain, denoise = schedule.respaced(s, times), model.denoiser(new.labels)
        fewer = Kept(lambda x, k, times=times, denoise=denoise: denoise(x, times[k]))
        widths = FIXED | {"analytic": variance.analytic(left[times])}
        found["few"][str(n)] = {name: parts(bound(fewer, chain, x0, width)) for name, width in widths.items()}
    return found | {"all_left": left.tolist()}


def digits(settings: Settings) -> dict:
    """Digits that the network has seen: it was trained on all there are."""
    began, w, model = time.process_time(), small_trainings.world(settings), results.model("digits")
    every, n = data.load("digits"), settings.priced[0]
    order = torch.randperm(len(every), generator=seeded(0))
    found = coded(model, every.take(order[n : 2 * n]), every.take(order[:n]), settings)
    left, s = torch.tensor(found.pop("all_left"), dtype=torch.float64), model.schedule
    labels = sampler.balanced_labels(settings.samples, 10)
    x_T = small_trainings.x_T(settings.samples)
    for n in settings.few[:2]:
        times = timesteps.uniform(s, n)
        widths = FIXED | {"analytic": variance.analytic(left[torch.tensor(times).flip(0)])}
        for name, width in widths.items():
            how = {"variance": width, "generator": seeded(3)}
            drawn = sampler.final(sampler.ancestral(model.denoiser(labels), s, x_T, times, **how))
            found["few"][str(n)][name]["frechet"] = small_trainings.judged(w, drawn)
    return found | {"seconds": round(time.process_time() - began, 1)}


def garments(settings: Settings) -> dict:
    """Test pictures; and the sheet of some, as they arrive."""
    model, began = results.model("fashion32"), time.process_time()
    size, n = model.about["size"], settings.priced[1]

    def split(name: str) -> data.ImageDataset:
        real = data.load(settings.data, name)
        return replace(real, images=data.pad_to(real.images, *size))

    test = split("test")
    order = torch.randperm(len(test), generator=seeded(0))
    found = coded(model, split("train").take(torch.arange(n)), test.take(order[:n]), settings)
    found.pop("all_left")
    some = test.take(torch.stack([(test.labels == k).nonzero()[0, 0] for k in settings.classes]))
    x0, rows, denoise = data.to_float(some.images), [], Kept(model.denoiser(some.labels))
    with torch.no_grad():
        for t in settings.shown:
            times, eps = torch.full((len(x0),), t), torch.randn(x0.shape, generator=seeded(15, t))
            x_t = gaussian.q_sample(model.schedule, x0, times, eps)
            rows += [x_t, denoise(x_t, times)]
    picture(settings.results / "progressive.png", torch.cat([*rows, x0]), columns=len(some), gap=0)
    found["shown_distortion"] = distortions(denoise, x0, settings.shown)
    found["names"] = [model.about["names"][k] for k in settings.classes]
    return found | {"seconds": round(time.process_time() - began, 1)}


def main(arguments: list[str] | None = None, settings: Settings = BOOK) -> None:
    parser = command_line(__doc__, data=str, on=[str])
    settings, clock = parsed(parser, settings, arguments), Stopwatch(__spec__.name, arguments)
    torch.set_num_threads(1)
    make = {"digits": digits, "garments": garments}
    on = {
        name: cached(settings.runs / "progressive" / f"{name}.json", partial(make[name], settings))
        for name in settings.on
    }
    found = on | {
        "stops": STOPS,
        "shown": settings.shown,
        "samples": settings.samples,
        "threads": torch.get_num_threads(),
        "note": "the networks digits.safetensors and fashion32.safetensors, which predict v under the cosine schedule, "
        "T = 1000, and are told the class; digits are among those the network was trained on, garments are test "
        "pictures, padded to 32x32; bound and its parts in bits per dimension, from the same draws of x_t for every "
        "variance; rate: bits per dimension that have been sent once x_t is known, at the times `stops`; distortion: "
        "root mean squared error of x0_hat then, in grey values; left: mean squared error of x0_hat on other pictures, "
        "which the analytic variance is made of; area: under distortion over rate with the analytic variance, from "
        "nothing sent to all, where the picture is exact; few: the respaced chain of so many steps, its bound, and the "
        "Frechet distance of its digits to all digits; shown: times of progressive.png, for each a row of x_t and one "
        "of x0_hat, and last the pictures themselves, whose distortions are shown_distortion; shown_rate is of all "
        "pictures; x0_hat is clamped; beta_tilde_2 stands in for beta_tilde_1 = 0",
    }
    minutes = sum(part["seconds"] for part in on.values()) / 60
    write("progressive", found, clock, minutes=minutes, folder=settings.results)


if __name__ == "__main__":
    main()
