"""Chapter 16: the club's model and ours at their full size, 32x32, trained on the club's cars with the same compute.

python -m experiments.ch16.beside_the_club [--data uoft-cs/cifar10] [--ours runs/cars32-third runs/cars32]

OURS are checkpoints of the recipe cars32. The club's network is trained with as many floating-point operations as the
first of them took (images x FLOPs of an image, there and back). That may be one from the middle of our training, a
copy of its folder made on the way: its learning rate has not come down yet, so nothing is given away. What is trained
is kept in runs/beside_the_club-..., every minute: it can be stopped, and gone on with.
"""

from dataclasses import dataclass, replace

import torch

from ddpm_core.diffusion.model import Model
from ddpm_core.networks.flops import training_flops
from ddpm_core.recipes import RECIPES, config
from ddpm_core.storage import checkpoint
from ddpm_core.storage.files import file_sha256
from ddpm_core.training import devices
from experiments.ch16 import judging, ladder
from experiments.common import by_recipe
from experiments.common.results_file import Stopwatch, picture, write
from experiments.common.settings import command_line, parsed

SIDE = 32


@dataclass(frozen=True, kw_only=True)
class Settings(judging.Settings):
    """ours: checkpoints; seed: of the club's training. The ladder's foot is the club's model, its top ours."""

    ours: tuple[str, ...] = ("runs/cars32-third", "runs/cars32")
    seed: int = 0


BOOK = Settings()


def flops(trained: Model) -> float:
    """Floating-point operations of a training of ours."""
    return trained.about["images_seen"] * training_flops(trained.network, (3, SIDE, SIDE))


def of_ours(trained: Model, spent: float, path: str, w: judging.World, settings: Settings) -> dict:
    """What the checkpoint says of its training, and what the judge says of it."""
    about, top = trained.about, settings.ladder[-1]
    took = {key: about[key] for key in ("seed", "loss", "minutes", "device")}
    took |= {"steps": about["trained_steps"], "images": about["images_seen"]}
    took |= {"of_minutes": about["length"].get("minutes"), "tera_flops": spent / 1e12}
    took |= {"sha256": file_sha256(checkpoint.find(path))}
    net = trained.network.to(settings.device)
    return took | judging.judged(top, net, w, judging.drawn_by(top, net, w, about["seed"], settings), settings)


def opened(path: str, w: judging.World) -> Model:
    """A checkpoint of the recipe cars32 on the club's cars, or SystemExit."""
    trained, recipe = checkpoint.load(path), RECIPES["cars32"]
    found = trained.about.get("settings", {}) | trained.about
    wanted = config.described(recipe.config) | {"recipe": "cars32", "only": recipe.only, "data_sha256": w.sha256}
    by_recipe.demand(str(path), found, {key: wanted[key] for key in sorted(wanted.keys() & found.keys())})
    return trained


def main(arguments: list[str] | None = None, settings: Settings = BOOK) -> None:
    parser = command_line(__doc__, data=str, ours=[str], samples=int, device=str)
    parser.add_argument("--seed", type=int, help="of the club's training")
    parser.add_argument("--priced", type=int, help="held-out cars for our bound: T calls each (default 32)")
    settings, clock = parsed(parser, settings, arguments), Stopwatch(__spec__.name, arguments)
    settings = replace(settings, device=devices.check_device(settings.device))
    w = judging.world(settings, SIDE)
    ours = [opened(path, w) for path in settings.ours]
    spent = [flops(trained) for trained in ours]
    budget = spent[0]
    folder = settings.runs / f"beside_the_club-{budget:.4g}-{settings.samples}-{settings.priced}"
    club = ladder.kept(settings.ladder[0], w, settings.seed, settings, budget, folder)
    club["tera_flops"] = club["images"] * club["gigaflops"] / 1e3
    rows = [club, *(of_ours(*one, w, settings) for one in zip(ours, spent, settings.ours, strict=True))]
    sheet = torch.cat([row.pop("pictures") for row in rows])
    picture(settings.results / "beside_the_club.png", sheet, columns=judging.SHOWN, gap=0)
    results = {
        "club": {key: value for key, value in club.items() if key not in ("rung", "training")},
        "ours": rows[1:],
        "real": judging.real(w, settings.samples),
        "samples": settings.samples,
        "priced": settings.priced,
        "note": "the club's network may spend the tera_flops (images x FLOPs of an image, there and back) of the first "
        "of ours; of_minutes: how long that training was to last, so that one stopped on the way shows; loss, minutes: "
        "of the training; frechet: of `samples` drawn cars to the known ones in the features of a small classifier of "
        "all ten classes, so not FID; recognised: share that it calls cars; edges: mean difference of neighbouring "
        "pixels over that of real cars; bits_per_dim: on `priced` held-out cars, variance beta, x0_hat held to "
        "[-1, 1], null where the model defines no density; real: as many held-out cars; the picture: a row each, the "
        "club's first, of the same x_T",
    }
    minutes = club["minutes"] + max(trained.about["minutes"] for trained in ours)  # the first is of the second's run
    device = devices.device_name(settings.device)
    write("beside_the_club", results, clock, w.sha256, device, minutes, folder=settings.results)


if __name__ == "__main__":
    main()
