"""Chapter 0: cars, from the 5,000 of CIFAR-10, without labels, and what a judge of all ten classes says of them.

python experiments/cars32.py --data uoft-cs/cifar10 [--minutes 90] [--checkpoint runs/cars32]
"""

import argparse

from provenance import RESULTS, Stopwatch, write

from ddpm_core import checkpoint, evaluation, recipe, show, unet
from ddpm_core.__main__ import main as ddpm_core


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="uoft-cs/cifar10")
    parser.add_argument("--minutes", type=float, default=90)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--checkpoint", default="runs/cars32")
    parser.add_argument("--judge-only", action="store_true", help="measure the checkpoint that is there")
    options, clock = parser.parse_args(), Stopwatch()

    arguments = ["train", "--recipe", "cars32", "--data", options.data]
    arguments += ["--minutes", str(options.minutes), "--seed", str(options.seed)]
    if not options.judge_only and ddpm_core([*arguments, "--out", options.checkpoint]) != 0:
        raise SystemExit(1)
    trained = checkpoint.load(options.checkpoint)
    about = trained.about
    how = {"steps": about["steps"], "sampler": about["sampler"]}
    show.tile(recipe.sample(trained, 40, seed=7, **how), columns=10, enlarge=2).save(
        RESULTS / "cars32.png", optimize=True
    )
    drawn = recipe.sample(trained, 1000, seed=1, **how)
    real = evaluation.real_images(options.data, trained)
    results = {
        "minutes": about["minutes"], "images_seen": about["images_seen"], "seed": about["seed"], "loss": about["loss"],
        "parameters": unet.parameter_count(trained.net), "sampler": how,
        "rows": evaluation.looks(real, drawn, None, seed=1),
        "note": evaluation.NOTE + "; 1,000 drawn cars beside the 1,000 real ones of the test split",
    }  # fmt: skip
    write("cars32", results, clock, about["data_sha256"], about["device"], recipe=evaluation.recipe_of(about))


if __name__ == "__main__":
    main()
