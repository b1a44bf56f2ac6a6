"""Chapter 16: the club's model and ours at their full size, 32x32, trained on the club's cars with the same compute.

python experiments/beside_the_club.py [--data uoft-cs/cifar10] [--ours runs/cars32-third runs/cars32]

OURS are checkpoints of the recipe cars32. The club's network is trained with as many floating-point operations as the
first of them took (images x FLOPs of an image, there and back). That may be one from the middle of our training, a
copy of its folder made on the way: its learning rate has not come down yet, so nothing is given away. What is trained
is kept in runs/beside_the_club-..., every minute: it can be stopped, and gone on with.
"""

import argparse

import ladder
import torch
from provenance import RESULTS, Stopwatch, write
from rungs import BY_NAME

from ddpm_core import checkpoint, cookbook, devices, recipe, show
from ddpm_core.checkpoint import Trained
from ddpm_core.cost import training_flops
from ddpm_core.files import file_sha256, replace_file

SIDE = 32
CLUB, OURS = BY_NAME["club"], BY_NAME["flips"]  # the foot of the ladder, and its top: the recipe cars32


def flops(trained: Trained) -> float:
    """Floating-point operations of a training of ours."""
    return trained.about["images_seen"] * training_flops(trained.net, (3, SIDE, SIDE))


def of_ours(trained: Trained, path: str, w: ladder.World, options: argparse.Namespace) -> dict:
    """What the checkpoint says of its training, and what the judge says of it."""
    about = trained.about
    took = {key: about[key] for key in ("seed", "loss", "minutes", "device")}
    took |= {"steps": about["trained_steps"], "images": about["images_seen"]}
    took |= {"of_minutes": about["length"].get("minutes"), "tera_flops": flops(trained) / 1e12}
    took |= {"sha256": file_sha256(checkpoint.find(path))}
    net = trained.net.to(options.device)
    return took | ladder.judged(OURS, net, w, ladder.drawn_by(OURS, net, w, about["seed"], options), options)


def opened(path: str, w: ladder.World) -> Trained:
    """A checkpoint of the recipe cars32 on the club's cars, or SystemExit."""
    trained = checkpoint.load(path)
    plan = cookbook.BY_NAME["cars32"]
    wanted = recipe.described(plan.recipe) | {"recipe": "cars32", "only": plan.only, "data_sha256": w.sha256}
    found = trained.about.get("settings", {}) | trained.about
    for key in sorted(wanted.keys() & found.keys()):
        if found[key] != wanted[key]:
            raise SystemExit(f"need {path} with the {key} {wanted[key]!r}, but its {key} is {found[key]!r}.")
    return trained


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="uoft-cs/cifar10")
    parser.add_argument("--ours", nargs="+", default=["runs/cars32-third", "runs/cars32"])
    parser.add_argument("--seed", type=int, default=0, help="of the club's training")
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--priced", type=int, default=32, help="held-out cars for our bound: T calls each (default 32)")
    parser.add_argument("--device")
    options, clock = parser.parse_args(), Stopwatch()
    options.device = devices.check_device(options.device)
    w = ladder.world(options.data, SIDE)
    ours = [opened(path, w) for path in options.ours]
    budget = flops(ours[0])
    folder = ladder.RUNS / f"beside_the_club-{budget:.4g}-{options.samples}-{options.priced}"
    folder.mkdir(parents=True, exist_ok=True)
    club = ladder.kept(CLUB, w, options.seed, options, budget, folder)
    club["tera_flops"] = club["images"] * club["gigaflops"] / 1e3
    rows = [club, *(of_ours(trained, path, w, options) for trained, path in zip(ours, options.ours, strict=True))]
    sheet = show.tile(torch.cat([row.pop("pictures") for row in rows]), columns=ladder.SHOWN, gap=0)
    replace_file(RESULTS / "beside_the_club.png", lambda to: sheet.save(to, format="png", optimize=True))
    results = {
        "club": {key: value for key, value in club.items() if key not in ("rung", "training")},
        "ours": rows[1:],
        "real": ladder.real(w, options.samples),
        "samples": options.samples,
        "priced": options.priced,
        "note": "the club's network may spend the tera_flops (images x FLOPs of an image, there and back) of the first "
        "of ours; of_minutes: how long that training was to last, so that one stopped on the way shows; loss, minutes: "
        "of the training; frechet: of `samples` drawn cars to the known ones in the features of a small classifier of "
        "all ten classes, so not FID; recognised: share that it calls cars; edges: mean difference of neighbouring "
        "pixels over that of real cars; bits_per_dim: on `priced` held-out cars, variance beta, x0_hat held to "
        "[-1, 1], null where the model defines no density; real: as many held-out cars; the picture: a row each, the "
        "club's first, of the same x_T",
    }
    minutes = club["minutes"] + max(trained.about["minutes"] for trained in ours)  # the first is of the second's run
    write("beside_the_club", results, clock, w.sha256, show.device_name(options.device), minutes)


if __name__ == "__main__":
    main()
