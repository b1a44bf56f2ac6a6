"""Chapter 16: quality against minutes of a GPU, on the club's cars, and what the club's network makes of five of them.

On the GPU, whatever else it does meanwhile:
    python -m experiments.ch08.car_minutes --pace                (nothing beside this one: how many steps are a minute)
    python -m ddpm_core train --recipe cars32-gpu --steps N --seed S --out runs/car_minutes/N-S    (for each N and S)
    python -m experiments.ch16.club --device cuda --epochs 200 --out runs/car_minutes/club
Then, anywhere:
    python -m experiments.ch08.car_minutes [--data uoft-cs/cifar10] [--steps 2000 4000 10000] [--seeds 0 1]

Each number of steps is a training of its own, whose learning rate falls within it. A minute is so many steps, at the
pace of a training by itself. What is judged is kept beside the checkpoint.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from ddpm_core import data, sampler, trainer
from ddpm_core.cli import evaluate
from ddpm_core.diffusion import loss
from ddpm_core.diffusion.model import Model
from ddpm_core.networks.flops import training_flops
from ddpm_core.recipes import RECIPES, Recipe, TrainingConfig, recipes
from ddpm_core.recipes.config import network
from ddpm_core.storage import checkpoint
from ddpm_core.storage.files import file_sha256, write_atomically
from ddpm_core.training import devices
from experiments.ch16 import club, judging
from experiments.ch16.beside_the_club import flops
from experiments.ch16.rungs import Rung, solved
from experiments.common import by_recipe
from experiments.common.results_file import Stopwatch, picture, significant, spread, write
from experiments.common.settings import command_line, parsed


@dataclass(frozen=True, kw_only=True)
class Settings(judging.Settings):
    """steps: of each training by the recipe; side: of the cars; pace: only measure it. The top of the ladder draws as
    cars32 does, its foot is the club's model."""

    recipe: Recipe = RECIPES["cars32-gpu"]
    steps: tuple[int, ...] = (2000, 4000, 10_000)
    seeds: tuple[int, ...] = (0, 1)
    side: int = 32
    pace: bool = False

    @property
    def kept(self) -> Path:
        return self.runs / "car_minutes"

    @property
    def solved(self) -> Rung:
        """The top of the ladder, drawing with the recipe's sampler."""
        how, top = self.recipe.config, self.ladder[-1]
        return replace(top, name="solved", draws=partial(solved, name=how.sampler, calls=how.steps))


BOOK = Settings()


def pace(
    cars: Tensor, config: TrainingConfig, device: str,
    steps: int = 400, warm: int = 100, clock: Callable[[], float] = time.perf_counter,
) -> float:  # fmt: skip
    """Training steps a second, batches included; of a training by itself if nothing else runs on the device."""
    torch.manual_seed(0)
    state = trainer.start(network(config, 3, None), lr=config.lr, ema_decay=config.ema_decay, device=device)
    there = state.accelerator.device
    batch_at = data.batches(cars, config.schedule, batch=config.batch, flips=config.flips, device=there)
    objective = loss.objective(config.schedule, config.predict, config.weight)
    for progress in trainer.run(state, batch_at, objective, steps=warm + steps):
        if progress.step == warm:
            began = clock()
    return steps / (clock() - began)


def measured_pace(file: Path, found: dict) -> dict:
    """`pace`, and where it was measured; or SystemExit for one of another device than the trainings'."""
    if not file.exists():
        raise SystemExit("need how many steps are a minute, but nobody has measured it: --pace does, on the GPU.")
    kept = json.loads(file.read_text())
    if others := {made.about["device"] for made in found.values()} - {kept["device"]}:
        raise SystemExit(f"need trainings on the {kept['device']} of the pace, but got {', '.join(sorted(others))}.")
    return kept


def opened(steps: int, seed: int, w: judging.World, settings: Settings) -> Model:
    """The checkpoint of a training by the recipe, on the club's cars, of so many steps; or SystemExit."""
    made = checkpoint.load(settings.kept / f"{steps}-{seed}")
    wanted = recipes.described(settings.recipe) | {"training_steps": steps}
    del wanted["sampler"], wanted["steps"]  # the weights do not depend on them
    found = evaluate.recipe_of(made.about) | {key: made.about[key] for key in ("trained_steps", "seed", "data_sha256")}
    wanted |= {"trained_steps": steps, "seed": seed, "data_sha256": w.sha256}
    by_recipe.demand(f"{steps}-{seed}", found, wanted)
    return made


def of_ours(made: Model) -> dict:
    """What the checkpoint says of its training."""
    about = made.about
    return {
        "steps": about["trained_steps"], "seed": about["seed"], "images": about["images_seen"],
        "loss": significant(about["loss"]), "minutes_shared": about["minutes"],
        "tera_flops": round(flops(made) / 1e12, 1),
    }  # fmt: skip


def of_the_club(stored: dict, net: nn.Module, w: judging.World) -> dict:
    """What the file of the club's training says of it."""
    step, loss, seconds = stored["reports"][-1]
    images = step * club.BATCH
    return {
        "steps": step, "images": images, "epochs": round(images / len(w.known)), "loss": significant(loss),
        "minutes": round(seconds / 60, 2),
        "tera_flops": round(images * training_flops(net, tuple(w.known.shape[1:])) / 1e12, 1),
    }  # fmt: skip


def kept(file: Path, rung: Rung, net: nn.Module, w: judging.World, seed: int, settings: Settings) -> dict:
    """What is drawn with these weights as the rung does, judged once and kept beside their file."""
    what = {"sha256": file_sha256(file), "samples": settings.samples, "priced": settings.priced}
    path = file.with_name(f"{rung.name}.pt")
    found = torch.load(path, weights_only=True) if path.exists() else {}
    if {key: found.get(key) for key in what} != what:
        net = net.to(settings.device).eval()
        drawn = judging.drawn_by(rung, net, w, seed, settings)
        found = what | judging.judged(rung, net, w, drawn, settings) | judging.copied(drawn, w.known)
        write_atomically(path, lambda temporary: torch.save(found, temporary))
        print(file.parent.name, {key: value for key, value in found.items() if key != "pictures"}, flush=True)
    return {key: value for key, value in found.items() if key not in ("samples", "priced")}


LOOKS = ("frechet", "recognised", "edges", "nearest", "nearest_of_all", "copies")


def summary(runs: list[dict], steps_a_second: float) -> dict:
    """steps -> what trainings of that length came to."""
    rows = {}
    for steps in sorted({run["steps"] for run in runs}):
        mine = [run for run in runs if run["steps"] == steps]
        drawn, bits = (
            {"as_cars32": mine, "solved": [run["solved"] for run in mine]},
            [run["bits_per_dim"] for run in mine],
        )
        rows[str(steps)] = {
            "minutes": round(steps / steps_a_second / 60, 2), "images": mine[0]["images"],
            "tera_flops": mine[0]["tera_flops"], "seeds": [run["seed"] for run in mine],
            "bound": spread([found["bound"] for found in bits]) if all(bits) else None,
            **{how: {key: spread([run[key] for run in judged]) for key in LOOKS} for how, judged in drawn.items()},
        }  # fmt: skip
    return rows


def the_clubs(w: judging.World, settings: Settings) -> dict:
    """What its own training came to."""
    file, foot = settings.kept / "club" / "training.pt", settings.ladder[0]
    stored, net = torch.load(file, map_location="cpu", weights_only=True), foot.network(settings.side, club.T)
    net.load_state_dict(stored["net"])
    return of_the_club(stored, net, w) | kept(file, foot, net, w, 0, replace(settings, priced=0))


def one_run(made: Model, steps: int, seed: int, w: judging.World, settings: Settings) -> dict:
    """What one training of ours came to, drawn as cars32 does and with the recipe's sampler."""
    file, unpriced = checkpoint.find(settings.kept / f"{steps}-{seed}"), replace(settings, priced=0)
    as_cars32 = kept(file, settings.ladder[-1], made.network, w, seed, settings)
    drawn = kept(file, settings.solved, made.network, w, seed, unpriced)  # the bound is the network's, however it draws
    return of_ours(made) | as_cars32 | {"solved": {key: drawn[key] for key in LOOKS}, "pictures": drawn["pictures"]}


def report(settings: Settings, clock: Stopwatch) -> None:
    """The results file and its picture, of all trainings that are kept."""
    w, how = judging.world(settings, settings.side), settings.recipe.config
    made = {key: opened(*key, w, settings) for key in ((n, seed) for n in settings.steps for seed in settings.seeds)}
    rate = measured_pace(settings.kept / "pace.json", made)
    theirs, runs = the_clubs(w, settings), [one_run(model, *key, w, settings) for key, model in made.items()]
    shown = [theirs] + [run for run in runs if run["seed"] == settings.seeds[0]]
    strips = torch.cat([row["pictures"] for row in shown])
    picture(settings.results / "car_minutes.png", strips, columns=judging.SHOWN, gap=0)
    for row in (theirs, *runs):
        del row["pictures"]
    best, drawing = made[max(settings.steps), settings.seeds[0]], {"steps": how.steps, "sampler": how.sampler}
    cars = sampler.draw(best, 40, seed=7, device=settings.device, **drawing)  # the noise of cars32.png
    picture(settings.results / "cars32-gpu.png", cars, columns=10, enlarge=2)
    results = {
        "steps": summary(runs, rate["steps_a_second"]),
        "runs": runs,
        "club": theirs,
        "real": judging.real(w, settings.samples) | judging.copied(w.held[: settings.samples], w.known),
        "pace": rate,
        "samples": settings.samples,
        "priced": settings.priced,
        "batch": how.batch,
        "sampler": f"{how.sampler}, {how.steps} steps",
        "note": "steps: trainings of so many steps by the recipe cars32-gpu, each figure as [mean, standard deviation"
        " over the seeds]; minutes: those steps at the pace, see there what ran beside it; minutes_shared: of"
        " the clock, four trainings on the GPU at once, until the shorter ones were done; as_cars32: drawn as"
        " the recipe cars32 does, solved: with this recipe's own sampler and steps; frechet: of `samples` "
        "drawn cars to the known ones in the features of a small classifier of all ten classes, so not FID; "
        "recognised: share that it calls cars; edges: mean difference of neighbouring pixels over that of "
        "real cars; bits_per_dim, bound: on `priced` held-out cars, variance beta, x0_hat held to [-1, 1], "
        "null where the model defines no density; nearest: median distance to the nearest known car or its "
        "mirror image, root mean square in grey values, nearest_of_all its least; copies: share that lie "
        "three times nearer to one known car than to any other; real: as many held-out cars; club: its "
        "network and its own training, minutes of the clock, in its first half minute beside the end of two "
        "trainings of ours; car_minutes.png: a row each, the club's first, then the first seed's, solved, of "
        "the same x_T",
    }
    minutes = (sum(run["steps"] for run in runs) / rate["steps_a_second"]) / 60 + theirs["minutes"]
    recipe = recipes.described(settings.recipe)
    write("car_minutes", results, clock, w.sha256, rate["device"], minutes, recipe, folder=settings.results)


def main(arguments: list[str] | None = None, settings: Settings = BOOK) -> None:
    parser = command_line(__doc__, data=str, steps=[int], seeds=[int], device=str)
    parser.add_argument("--pace", action="store_true", help="only measure how many steps the GPU makes in a second")
    settings, clock = parsed(parser, settings, arguments), Stopwatch(__spec__.name, arguments)
    settings = replace(settings, device=devices.check_device(settings.device))
    if not settings.pace:
        return report(settings, clock)
    cars = data.load(settings.data).of_class(settings.recipe.only).images
    found = {
        "steps_a_second": pace(cars, settings.recipe.config, settings.device),
        "device": devices.device_name(settings.device), "torch": torch.__version__, "commit": clock.commit,
    }  # fmt: skip
    write_atomically(settings.kept / "pace.json", lambda to: to.write_text(json.dumps(found) + "\n"))
    print(found)


if __name__ == "__main__":
    main()
