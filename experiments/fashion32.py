"""Chapter 0: ten minutes on Fashion-MNIST at 32x32, by class; the sampler is chosen by measurement.

python experiments/fashion32.py --data zalando-datasets/fashion_mnist [--minutes 10] [--checkpoint runs/fashion32]
"""

import argparse
from dataclasses import replace

import torch
from provenance import RESULTS, Stopwatch, write

from ddpm_core import checkpoint, data, evaluate, evaluation, recipe, show, unet
from ddpm_core.__main__ import main as ddpm_core

CANDIDATES = [("dpm", 20), ("ddim", 50), ("ddim1", 50)]
SCALES = [1.0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="zalando-datasets/fashion_mnist")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--checkpoint", default="runs/fashion32")
    parser.add_argument("--judge-only", action="store_true", help="measure the checkpoint that is there")
    options, clock = parser.parse_args(), Stopwatch()

    if not options.judge_only:
        arguments = ["train", "--recipe", "fashion32", "--data", options.data, "--minutes", str(options.minutes)]
        arguments += ["--seed", str(options.seed)]
        if ddpm_core([*arguments, "--out", options.checkpoint]) != 0:
            raise SystemExit(1)
    trained = checkpoint.load(options.checkpoint)
    results = judged(trained, options.data)
    best = results["best"]
    picture = recipe.sample(
        trained, 60, labels=recipe.every_label(60, 10), seed=7, steps=best["steps"], sampler=best["sampler"]
    )
    show.tile(picture, columns=10, enlarge=2).save(RESULTS / "fashion32.png", optimize=True)
    about = trained.about
    write("fashion32", results, clock, about["data_sha256"], about["device"], recipe=evaluation.recipe_of(about))


def judged(trained: checkpoint.Trained, source: str) -> dict:
    """1,000 pictures by each sampler, and guided; each judged by a classifier that has seen real pictures only."""
    side = trained.about["size"]
    real = {split: data.load_images(source, split) for split in ("train", "test")}
    padded = {split: data.pad_to(images.images, *side) for split, images in real.items()}
    judge = evaluate.train_judge(replace(real["train"], images=padded["train"]), steps=3500)
    reference = judge.features(padded["train"])
    labels = recipe.every_label(1000, 10)

    energy = evaluate.gradient_energy(padded["test"])

    def row(sampler: str, steps: int, guidance: float) -> dict:
        watch = Stopwatch()
        drawn = recipe.sample(trained, 1000, labels=labels, seed=1, steps=steps, sampler=sampler, guidance=guidance)
        found = {
            "sampler": sampler, "steps": steps, "guidance": guidance,
            "recognised": round(judge.accuracy(drawn, labels), 4),
            "recognised_by_class": [
                round(judge.accuracy(drawn[labels == k], labels[labels == k]), 2) for k in range(10)
            ],
            "frechet": round(evaluate.frechet(reference, judge.features(drawn)), 2),
            "gradient_energy_of_real": round(evaluate.gradient_energy(drawn) / energy, 3),
            "minutes": watch.minutes(),
        }  # fmt: skip
        print(found, flush=True)
        return found

    rows = [row(sampler, steps, 0.0) for sampler, steps in CANDIDATES]
    best = min(rows, key=lambda r: r["frechet"])
    guided = [row(best["sampler"], best["steps"], scale) for scale in SCALES]
    test = torch.randperm(len(padded["test"]), generator=torch.Generator().manual_seed(0))[:1000]
    about = trained.about
    return {
        "trained_on": about["date"],
        "minutes": about["minutes"], "images_seen": about["images_seen"], "seed": about["seed"], "loss": about["loss"],
        "parameters": unet.parameter_count(trained.net),
        "samplers": rows, "best": best, "guidance": guided, "guided": guided[-1],
        "real_recognised": round(judge.accuracy(padded["test"], real["test"].labels), 4),
        "real_frechet": round(evaluate.frechet(reference, judge.features(padded["test"][test])), 2),
        "note": "1,000 pictures a row; recognised and frechet by a small convolutional classifier of the 60,000 real "
        "training pictures (frechet in its standardised features, so not FID); real: its accuracy on the 10,000 test "
        "pictures, and the distance of 1,000 of them; best: the smallest frechet without guidance",
    }  # fmt: skip


if __name__ == "__main__":
    main()
