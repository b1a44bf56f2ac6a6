"""Chapter 0: ten minutes on Fashion-MNIST at 32x32, by class; the sampler is chosen by measurement.

python -m experiments.ch00.fashion32 --data zalando-datasets/fashion_mnist [--minutes 10] [--checkpoint runs/fashion32]
"""

from dataclasses import dataclass, replace

import torch

from ddpm_core import data, sampler
from ddpm_core.cli import evaluate
from ddpm_core.diffusion.model import Model
from ddpm_core.evaluation import classifier, metrics
from experiments.common import by_recipe
from experiments.common.results_file import Stopwatch, picture, write


@dataclass(frozen=True, kw_only=True)
class Settings(by_recipe.Settings):
    """samples: pictures by each (sampler, steps) and each scale of guidance; judging: steps of the classifier."""

    recipe: str = "fashion32"
    data: str = "zalando-datasets/fashion_mnist"
    minutes: float = 10
    checkpoint: str = "runs/fashion32"
    candidates: tuple[tuple[str, int], ...] = (("dpm", 20), ("ddim", 50), ("ddim1", 50))
    scales: tuple[float, ...] = (1.0,)
    samples: int = 1000
    judging: int = 3500


BOOK = Settings()


def main(arguments: list[str] | None = None, settings: Settings = BOOK) -> None:
    settings, clock = by_recipe.read(__doc__, settings, arguments), Stopwatch(__spec__.name, arguments)
    trained = by_recipe.trained(settings)
    results, about = judged(trained, settings), trained.about
    how = {key: results["best"][key] for key in ("steps", "sampler")}
    sheet = sampler.draw(trained, 60, labels=sampler.balanced_labels(60, 10), seed=7, **how)
    picture(settings.results / "fashion32.png", sheet, columns=10, enlarge=2)
    recipe = evaluate.recipe_of(about)
    write("fashion32", results, clock, about["data_sha256"], about["device"], recipe=recipe, folder=settings.results)


def judged(trained: Model, settings: Settings) -> dict:
    """Pictures by each sampler, and guided; each judged by a classifier that has seen real pictures only."""
    side, about = trained.about["size"], trained.about
    real = {split: data.load(settings.data, split) for split in ("train", "test")}
    padded = {split: data.pad_to(images.images, *side) for split, images in real.items()}
    judge = classifier.train(replace(real["train"], images=padded["train"]), steps=settings.judging)
    reference, sharpness = judge.features(padded["train"]), metrics.sharpness(padded["test"])
    labels = sampler.balanced_labels(settings.samples, 10)

    def row(name: str, steps: int, guidance: float) -> dict:
        watch, how = Stopwatch(), {"sampler": name, "steps": steps, "guidance": guidance}
        drawn = sampler.draw(trained, settings.samples, labels=labels, seed=1, **how)
        by_class = [round(judge.accuracy(drawn[labels == k], labels[labels == k]), 2) for k in range(10)]
        found = {
            **how, "recognised": round(judge.accuracy(drawn, labels), 4), "recognised_by_class": by_class,
            "frechet": round(metrics.frechet(reference, judge.features(drawn)), 2),
            "gradient_energy_of_real": round(metrics.sharpness(drawn) / sharpness, 3), "minutes": watch.minutes(),
        }  # fmt: skip
        print(found, flush=True)
        return found

    rows = [row(name, steps, 0.0) for name, steps in settings.candidates]
    best = min(rows, key=lambda row: row["frechet"])
    guided = [row(best["sampler"], best["steps"], scale) for scale in settings.scales]
    test = torch.randperm(len(padded["test"]), generator=torch.Generator().manual_seed(0))[: settings.samples]
    return {
        "trained_on": about["date"], **by_recipe.of_training(trained),
        "samplers": rows, "best": best, "guidance": guided, "guided": guided[-1],
        "real_recognised": round(judge.accuracy(padded["test"], real["test"].labels), 4),
        "real_frechet": round(metrics.frechet(reference, judge.features(padded["test"][test])), 2),
        "note": "1,000 pictures a row; recognised and frechet by a small convolutional classifier of the 60,000 real "
        "training pictures (frechet in its standardised features, so not FID); real: its accuracy on the 10,000 test "
        "pictures, and the distance of 1,000 of them; best: the smallest frechet without guidance",
    }  # fmt: skip


if __name__ == "__main__":
    main()
