"""Chapter 16: quality against minutes of a GPU, on the club's cars, and what the club's network makes of five of them.

On the GPU, whatever else it does meanwhile:
    python experiments/car_minutes.py --pace                (nothing beside this one: how many steps are a minute)
    python -m ddpm_core train --recipe cars32-gpu --steps N --seed S --out runs/car_minutes/N-S    (for each N and S)
    python experiments/club.py --device cuda --epochs 200 --out runs/car_minutes/club
Then, anywhere:
    python experiments/car_minutes.py [--data uoft-cs/cifar10] [--steps 2000 4000 10000] [--seeds 0 1]

Each number of steps is a training of its own, whose learning rate falls within it. A minute is so many steps, at the
pace of a training by itself. What is judged is kept beside the checkpoint.
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import club
import ladder
import torch
from beside_the_club import flops
from provenance import RESULTS, Stopwatch, spread, write
from rungs import BY_NAME, Rung
from torch import Tensor, nn

from ddpm_core import checkpoint, cookbook, data, devices, evaluation, recipe, sampler, show, trainer
from ddpm_core.checkpoint import Trained
from ddpm_core.cost import training_flops
from ddpm_core.files import file_sha256, replace_file
from ddpm_core.seeds import seeded

PLAN = cookbook.BY_NAME["cars32-gpu"]
RECIPE = PLAN.recipe
SIDE, STEPS, SAMPLES, PRICED = 32, (2000, 4000, 10_000), 1000, 32
OURS, CLUB = BY_NAME["flips"], BY_NAME["club"]  # the top of the ladder, which draws as cars32 does, and its foot
KEPT = Path(__file__).resolve().parents[1] / "runs" / "car_minutes"


def by_solver(rung: Rung, net: nn.Module, x_T: Tensor, seed: int) -> Tensor:
    """With this recipe's sampler."""
    denoise = ladder.denoiser(rung, net)
    return sampler.last(recipe.SAMPLERS[RECIPE.sampler](denoise, rung.way.schedule, x_T, RECIPE.steps, seeded(seed, 3)))


SOLVED = replace(OURS, name="solved", draws=by_solver)


def pace(source: str, device: str, steps: int = 400, warm: int = 100) -> float:
    """Training steps a second, batches included; of a training by itself if nothing else runs on the device."""
    torch.manual_seed(0)
    cars = data.load_images(source).only(PLAN.only).images
    state = trainer.start(recipe.network(RECIPE, 3, None), lr=RECIPE.lr, ema_decay=RECIPE.ema_decay, device=device)
    batch_at = recipe.batches(
        cars, None, RECIPE.schedule, batch=RECIPE.batch, flips=RECIPE.flips, device=state.accelerator.device
    )
    objective = recipe.objective(RECIPE.schedule, RECIPE.predict, RECIPE.weight)
    for progress in trainer.run(state, batch_at, objective, steps=warm + steps):
        if progress.step == warm:
            began = time.perf_counter()
    return steps / (time.perf_counter() - began)


def measured_pace(found: dict) -> dict:
    """`pace`, and where it was measured; or SystemExit for one of another device than the trainings'."""
    path = KEPT / "pace.json"
    if not path.exists():
        raise SystemExit("need how many steps are a minute, but nobody has measured it: --pace does, on the GPU.")
    kept = json.loads(path.read_text())
    if others := {made.about["device"] for made in found.values()} - {kept["device"]}:
        raise SystemExit(f"need trainings on the {kept['device']} of the pace, but got {', '.join(sorted(others))}.")
    return kept


def opened(steps: int, seed: int, w: ladder.World) -> Trained:
    """The checkpoint of a training by the recipe, on the club's cars, of so many steps; or SystemExit."""
    made = checkpoint.load(KEPT / f"{steps}-{seed}")
    wanted = cookbook.described(PLAN) | {"training_steps": steps}
    del wanted["sampler"], wanted["steps"]  # the weights do not depend on them
    found = evaluation.recipe_of(made.about) | {
        key: made.about[key] for key in ("trained_steps", "seed", "data_sha256")
    }
    wanted |= {"trained_steps": steps, "seed": seed, "data_sha256": w.sha256}
    for key, value in wanted.items():
        if found[key] != value:
            raise SystemExit(f"need {steps}-{seed} with {key} {value!r}, but there it is {found[key]!r}.")
    return made


def nearest(images: Tensor, known: Tensor, rows: int = 100) -> tuple[Tensor, Tensor]:
    """Distance (N,) of each image to the nearest known one or its mirror image, and to the nearest of all others:
    root mean square over the pixels, in grey values."""
    both = torch.stack([known, known.flip(-1)], dim=1).flatten(2).float()  # (M, 2, C H W)
    found = []
    for part in images.flatten(1).float().split(rows):
        apart = torch.cdist(part, both.flatten(0, 1)).reshape(len(part), -1, 2).amin(2)  # (rows, M)
        found.append(apart.topk(2, largest=False).values / both.shape[2] ** 0.5)
    return torch.cat(found).unbind(1)


def copied(images: Tensor, known: Tensor) -> dict[str, float]:
    """How near the images come to known ones, and the share that lie three times nearer to one than to any other."""
    first, second = nearest(images, known)
    return {
        "nearest": round(first.median().item(), 2), "nearest_of_all": round(first.min().item(), 2),
        "copies": round((3 * first < second).double().mean().item(), 4),
    }  # fmt: skip


def of_ours(made: Trained) -> dict:
    """What the checkpoint says of its training."""
    about = made.about
    return {
        "steps": about["trained_steps"], "seed": about["seed"], "images": about["images_seen"],
        "loss": float(f"{about['loss']:.4g}"), "minutes_shared": about["minutes"],
        "tera_flops": round(flops(made) / 1e12, 1),
    }  # fmt: skip


def of_the_club(stored: dict, net: nn.Module, w: ladder.World) -> dict:
    """What the file of the club's training says of it."""
    step, loss, seconds = stored["reports"][-1]
    images = step * club.BATCH
    return {
        "steps": step, "images": images, "epochs": round(images / len(w.known)), "loss": float(f"{loss:.4g}"),
        "minutes": round(seconds / 60, 2),
        "tera_flops": round(images * training_flops(net, (3, SIDE, SIDE)) / 1e12, 1),
    }  # fmt: skip


def kept(file: Path, rung: Rung, net: nn.Module, w: ladder.World, seed: int, device: str, priced: int) -> dict:
    """What is drawn with these weights as the rung does, judged once and kept beside their file."""
    what = {"sha256": file_sha256(file), "samples": SAMPLES, "priced": priced}
    path = file.with_name(f"{rung.name}.pt")
    found = torch.load(path, weights_only=True) if path.exists() else {}
    if {key: found.get(key) for key in what} != what:
        options = argparse.Namespace(samples=SAMPLES, priced=priced, device=device)
        net = net.to(device).eval()
        drawn = ladder.drawn_by(rung, net, w, seed, options)
        found = what | ladder.judged(rung, net, w, drawn, options) | copied(drawn, w.known)
        replace_file(path, lambda temporary: torch.save(found, temporary))
        print(file.parent.name, {key: value for key, value in found.items() if key != "pictures"}, flush=True)
    return {key: value for key, value in found.items() if key not in ("samples", "priced")}


LOOKS = ("frechet", "recognised", "edges", "nearest", "nearest_of_all", "copies")


def summary(runs: list[dict], steps_a_second: float) -> dict:
    """steps -> what trainings of that length came to."""
    rows = {}
    for steps in sorted({run["steps"] for run in runs}):
        mine = [run for run in runs if run["steps"] == steps]
        drawn = {"as_cars32": mine, "solved": [run["solved"] for run in mine]}
        rows[str(steps)] = {
            "minutes": round(steps / steps_a_second / 60, 2), "images": mine[0]["images"],
            "tera_flops": mine[0]["tera_flops"], "seeds": [run["seed"] for run in mine],
            "bound": spread([run["bits_per_dim"]["bound"] for run in mine]),
            **{how: {key: spread([run[key] for run in judged]) for key in LOOKS} for how, judged in drawn.items()},
        }  # fmt: skip
    return rows


def report(options: argparse.Namespace, device: str, clock: Stopwatch) -> None:
    """The results file and its picture, of all trainings that lie in `KEPT`."""
    w = ladder.world(options.data, SIDE)
    made = {(steps, seed): opened(steps, seed, w) for steps in options.steps for seed in options.seeds}
    rate = measured_pace(made)
    file = KEPT / "club" / "training.pt"
    stored, net = torch.load(file, map_location="cpu", weights_only=True), club.Club(SIDE)
    net.load_state_dict(stored["net"])
    theirs = of_the_club(stored, net, w) | kept(file, CLUB, net, w, 0, device, 0)
    runs = []
    for (steps, seed), one in made.items():
        file = checkpoint.find(KEPT / f"{steps}-{seed}")
        as_cars32 = kept(file, OURS, one.net, w, seed, device, PRICED)
        solved = kept(file, SOLVED, one.net, w, seed, device, 0)  # the bound is the network's, however it draws
        found = of_ours(one) | as_cars32 | {"solved": {key: solved[key] for key in LOOKS}}
        runs.append(found | {"pictures": solved["pictures"]})
    shown = [theirs] + [run for run in runs if run["seed"] == options.seeds[0]]
    sheet = show.tile(torch.cat([row["pictures"] for row in shown]), columns=ladder.SHOWN, gap=0)
    replace_file(RESULTS / "car_minutes.png", lambda to: sheet.save(to, format="png", optimize=True))
    for row in (theirs, *runs):
        del row["pictures"]
    best = made[max(options.steps), options.seeds[0]]
    how = {"steps": RECIPE.steps, "sampler": RECIPE.sampler, "device": device}
    cars = recipe.sample(best, 40, seed=7, **how)  # the noise of cars32.png
    sheet = show.tile(cars, columns=10, enlarge=2)
    replace_file(RESULTS / "cars32-gpu.png", lambda to: sheet.save(to, format="png", optimize=True))
    results = {
        "steps": summary(runs, rate["steps_a_second"]),
        "runs": runs,
        "club": theirs,
        "real": ladder.real(w, SAMPLES) | copied(w.held[:SAMPLES], w.known),
        "pace": rate,
        "samples": SAMPLES,
        "priced": PRICED,
        "batch": RECIPE.batch,
        "sampler": f"{RECIPE.sampler}, {RECIPE.steps} steps",
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
    described = cookbook.described(PLAN)
    write("car_minutes", results, clock, w.sha256, rate["device"], minutes, recipe=described)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=PLAN.data)
    parser.add_argument("--steps", type=int, nargs="+", default=list(STEPS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--pace", action="store_true", help="only measure how many steps the GPU makes in a second")
    parser.add_argument("--device")
    options, clock = parser.parse_args(), Stopwatch()
    device = devices.check_device(options.device)
    if not options.pace:
        return report(options, device, clock)
    found = {
        "steps_a_second": pace(options.data, device), "device": show.device_name(device),
        "torch": torch.__version__, "commit": clock.commit,
    }  # fmt: skip
    replace_file(KEPT / "pace.json", lambda temporary: temporary.write_text(json.dumps(found) + "\n"))
    print(found)


if __name__ == "__main__":
    main()
