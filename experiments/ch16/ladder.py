"""Chapter 16: from the club's model to ours, one change a rung, each trained with the same compute, on the club's cars.

python -m experiments.ch16.ladder [--size 16 | 32] [--data uoft-cs/cifar10] [--rungs club ...] [--seeds 0] [--plan]

Equal compute means equal images x FLOPs, counted before anything runs: every rung may spend what the club's network
spends on --images images, so that a cheaper network sees more of them and nobody's clock matters. Rungs that differ
only in how they draw share one training. All is kept in runs/ladder..., a training every minute: it can be stopped,
and gone on with rung by rung. What is drawn and judged with other --samples or --priced than the default is another
measurement, and has them in its file's name. --plan says what each would compute, and computes nothing.
"""

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from ddpm_core.networks.flops import parameter_count
from ddpm_core.storage.files import write_atomically
from ddpm_core.training import devices
from experiments.ch16 import judging
from experiments.ch16.judging import World, drawn_by, judged, real, world
from experiments.ch16.rungs import BY_NAME, Rung, training_of
from experiments.ch16.trainings import Job
from experiments.common.results_file import Stopwatch, picture, significant, write
from experiments.common.settings import cached, command_line, parsed

SIZES = {16: 60_000, 32: 3_500_000}  # side -> images that the club's network sees; at 32 its own 700 epochs
SAMPLES, PRICED = 500, 32


@dataclass(frozen=True, kw_only=True)
class Settings(judging.Settings):
    """size: side of the cars. images: that the club's network sees (by default by size). plan: compute nothing."""

    size: int = 16
    rungs: tuple[str, ...] = tuple(BY_NAME)
    seeds: tuple[int, ...] = (0,)
    images: int | None = None
    samples: int = SAMPLES
    priced: int = PRICED
    plan: bool = False

    @property
    def club_images(self) -> int:
        return self.images or SIZES[self.size]

    @property
    def budget(self) -> float:
        """Floating-point operations of a training."""
        return self.club_images * self.ladder[0].flops(self.size)

    @property
    def kept(self) -> Path:
        return self.runs / f"ladder{self.size}-{self.club_images}"

    @property
    def mark(self) -> str:
        """What the names of a measurement's files say of what it was made with: nothing by default."""
        return "" if (self.samples, self.priced) == (SAMPLES, PRICED) else f"-{self.samples}-{self.priced}"


BOOK = Settings()


def kept(
    rung: Rung, w: World, seed: int, settings: judging.Settings, budget: float, folder: Path, mark: str = ""
) -> dict:
    """One measurement, made if it is not there yet."""
    return cached(folder / f"{rung.name}-{seed}{mark}.pt", lambda: measured(rung, w, seed, settings, budget, folder))


def measured(rung: Rung, w: World, seed: int, settings: judging.Settings, budget: float, folder: Path) -> dict:
    """Train the rung, if that is not done yet, draw and judge."""
    side, lower = w.known.shape[-1], training_of(rung, settings.ladder)
    torch.manual_seed(seed)
    net, flops = lower.network(side, lower.way.T), lower.flops(side)
    file = folder / f"{lower.name}-{seed}.safetensors"
    job = Job(w.known, seed, budget / flops, settings.device, file, settings.rhythm)
    last, mean, took = lower.trained(lower, net, job)
    noted = file.with_suffix(".json")
    if took["loss"] is None and noted.exists():  # of a training that does not keep its losses itself
        took = json.loads(noted.read_text())
    write_atomically(noted, lambda temporary: temporary.write_text(json.dumps(took)))
    net = (mean if rung.averaged else last).eval()
    found = {
        "rung": rung.name, "seed": seed, "training": lower.name, **took, "gigaflops": significant(flops / 1e9),
        **judged(rung, net, w, drawn_by(rung, net, w, seed, settings), settings),
    }  # fmt: skip
    print({key: value for key, value in found.items() if key != "pictures"}, flush=True)
    return found


def report(w: World, settings: Settings, clock: Stopwatch) -> None:
    """The results file and its picture, of all that is kept with these settings; a rung that nobody has run so is not
    measured."""
    alike = re.compile(rf"\w+-\d+{settings.mark}")
    paths = [path for path in sorted(settings.kept.glob("*.pt")) if alike.fullmatch(path.stem)]
    runs = [torch.load(path, weights_only=True) for path in paths]
    rows, strips = {}, []
    for rung in settings.ladder:
        mine = sorted((run for run in runs if run["rung"] == rung.name), key=lambda run: run["seed"])
        strips += [mine[0]["pictures"]] if mine else []
        plain = [{key: value for key, value in run.items() if key not in ("rung", "pictures")} for run in mine]
        rows[rung.name] = {"change": rung.change, "runs": plain or "not measured"}
    name = f"ladder{settings.size}"
    if strips:
        picture(settings.results / f"{name}.png", torch.cat(strips), columns=len(strips[0]), gap=0)
    results = {
        "rungs": rows,
        "pictures": [rung.name for rung in settings.ladder if rows[rung.name]["runs"] != "not measured"],
        "real": real(w, settings.samples),
        "side": settings.size,
        "samples": settings.samples,
        "priced": settings.priced,
        "budget_flops": significant(settings.budget),
        "club_images": settings.club_images,
        "note": "each rung is the one before it with one change (a bundle where `change` says so), trained with the "
        "same number of floating-point operations (images x FLOPs of an image, there and back): what the "
        "club's network spends on club_images images; `training` names the rung whose weights it uses; "
        "minutes: of the clock, for the training; loss: mean over its last twentieth; frechet: of `samples` "
        "drawn cars to the known ones in the features of a small classifier of all ten classes, so not FID; "
        "recognised: share that it calls cars; edges: mean difference of neighbouring pixels over that of "
        "real cars; bits_per_dim: on `priced` held-out cars, variance beta, x0_hat held to [-1, 1], null "
        "where the model defines no density or none was asked for; real: as many held-out cars; the "
        "picture: one row a rung as listed in `pictures`, the same x_T in all, seed of the first run",
    }
    minutes = {run["training"] + str(run["seed"]): run["minutes"] for run in runs}  # each training once
    device, total = devices.device_name(settings.device), sum(minutes.values())
    write(name, results, clock, w.sha256, device, total, folder=settings.results)


def plan(settings: Settings) -> None:
    """What each rung would compute."""
    side, budget = settings.size, settings.budget
    print(f"{budget / 1e12:,.1f} TFLOP a training")
    for rung in settings.ladder:
        lower = training_of(rung, settings.ladder)
        if lower is not rung:
            print(f"{rung.name:10} as {lower.name}: {rung.change}")
            continue
        flops, weights = rung.flops(side), parameter_count(rung.network(side, rung.way.T)) / 1e6
        print(f"{rung.name:10} {weights:.2f} M, {flops / 1e9:.2f} GFLOP, {budget / flops:9,.0f} images: {rung.change}")


def main(arguments: list[str] | None = None, settings: Settings = BOOK) -> None:
    parser = command_line(__doc__, data=str, seeds=[int], samples=int, device=str)
    parser.add_argument("--size", type=int, choices=list(SIZES), help="side of the cars (default 16)")
    parser.add_argument("--rungs", nargs="+", choices=list(BY_NAME), metavar="RUNG")
    parser.add_argument("--images", type=int, help="images that the club's network sees (default by size)")
    parser.add_argument("--priced", type=int, help=f"held-out cars for the bound: T calls each (default {PRICED})")
    parser.add_argument("--plan", action="store_true")
    settings, clock = parsed(parser, settings, arguments), Stopwatch(__spec__.name, arguments)
    settings = replace(settings, device=devices.check_device(settings.device))
    if settings.plan:
        return plan(settings)
    w, rungs = world(settings, settings.size), {rung.name: rung for rung in settings.ladder}
    for seed in settings.seeds:
        for name in settings.rungs:
            kept(rungs[name], w, seed, settings, settings.budget, settings.kept, settings.mark)
    report(w, settings, clock)


if __name__ == "__main__":
    main()
