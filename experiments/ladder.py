"""Chapter 16: from the club's model to ours, one change a rung, each trained with the same compute, on the club's cars.

python experiments/ladder.py [--size 16 | 32] [--data uoft-cs/cifar10] [--rungs club trainer ...] [--seeds 0] [--plan]

Equal compute means equal images x FLOPs, counted before anything runs: every rung may spend what the club's network
spends on --images images, so that a cheaper network sees more of them and nobody's clock matters. Rungs that differ
only in how they draw share one training. All is kept in runs/ladder..., a training every minute: it can be stopped,
and gone on with rung by rung. What is drawn and judged with other --samples or --priced than the default is another
measurement, and has them in its file's name. --plan says what each would compute, and computes nothing.
"""

import argparse
import json
import re
from dataclasses import dataclass, replace
from pathlib import Path

import club
import torch
from provenance import RESULTS, Stopwatch, write
from rungs import BY_NAME, LADDER, Job, Rung, denoiser, training_of
from torch import Tensor, nn

from ddpm_core import bound, data, devices, evaluate, show, unet, variance
from ddpm_core.cost import training_flops
from ddpm_core.files import replace_file
from ddpm_core.seeds import seeded

SIZES = {16: 60_000, 32: 3_500_000}  # side -> images that the club's network sees; at 32 its own 700 epochs
SAMPLES, PRICED = 500, 32  # cars drawn by a rung; held-out cars for its bound
SHOWN = 10  # pictures a rung
RUNS = Path(__file__).resolve().parents[1] / "runs"


@dataclass(frozen=True, eq=False)
class World:
    """The cars of one size, known and held out, and the features of the known ones to a judge of all ten classes."""

    known: Tensor
    held: Tensor
    judge: evaluate.Judge
    features: Tensor
    kind: int
    sha256: str


def world(source: str, side: int, only: str = "automobile") -> World:
    def small(split: str) -> data.Images:
        images = data.load_images(source, split)
        return replace(images, images=data.shrink(images.images, images.images.shape[-1] // side))

    train, test = small("train"), small("test")
    judge = evaluate.kept_judge(train, steps=3500)
    known = train.only(only).images
    return World(
        known, test.only(only).images, judge, judge.features(known), train.names.index(only), train.sha256
    )  # fmt: skip


def price(rung: Rung, net: nn.Module, w: World, images: int, device: str) -> dict | None:
    """Bits per dimension on held-out cars where there is a bound: the discrete one, variance beta; with T = 1000 also
    the continuous one, which compares across schedules."""
    s = rung.way.schedule
    if s is None or not images:
        return None
    x0, denoise = data.to_float(w.held[:images]).to(device), denoiser(rung, net)
    bits = bound.bits_per_dim(bound.terms(denoise, s, x0, seeded(5), variance.beta), x0).mean(1)
    found = {"bound": bits.sum(), "L_T": bits[0], "L_t": bits[2:].sum(), "L_0": bits[1]}
    if s.T == 1000:
        found["continuous"] = bound.bits_per_dim(bound.continuous(denoise, s, x0, seeded(5)), x0).mean()
    return {name: float(f"{value.item():.4g}") for name, value in found.items()}


def measured(rung: Rung, w: World, seed: int, options: argparse.Namespace, budget: float, folder: Path) -> dict:
    """Train the rung, if that is not done yet, draw and judge."""
    side, lower = w.known.shape[-1], training_of(rung)
    torch.manual_seed(seed)
    net = lower.network(side, lower.way.T)
    flops = training_flops(net, tuple(w.known.shape[1:]))
    file = folder / f"{lower.name}-{seed}.safetensors"
    last, mean, took = lower.trained(lower, net, Job(w.known, seed, budget, options.device, file))
    noted = file.with_suffix(".json")
    if took["loss"] is None and noted.exists():  # of a training that does not keep its losses itself
        took = json.loads(noted.read_text())
    replace_file(noted, lambda temporary: temporary.write_text(json.dumps(took)))
    net = (mean if rung.averaged else last).eval()
    return {
        "rung": rung.name, "seed": seed, "training": lower.name, **took, "gigaflops": float(f"{flops / 1e9:.4g}"),
        **judged(rung, net, w, drawn_by(rung, net, w, seed, options), options),
    }  # fmt: skip


def drawn_by(rung: Rung, net: nn.Module, w: World, seed: int, options: argparse.Namespace) -> Tensor:
    """Cars drawn as the rung does, uint8, from the same x_T for every rung."""
    with torch.no_grad():
        x_T = torch.randn(options.samples, *w.known.shape[1:], generator=seeded(9)).to(options.device)
        parts = [rung.draws(rung, net, x, seed + k).cpu() for k, x in enumerate(x_T.split(250))]
    return data.to_uint8(torch.cat(parts))


def judged(rung: Rung, net: nn.Module, w: World, drawn: Tensor, options: argparse.Namespace) -> dict:
    """What the judge says of cars that it drew, and what the bound says of the network."""
    return {
        "parameters": unet.parameter_count(net),
        "frechet": round(evaluate.frechet(w.features, w.judge.features(drawn)), 3),
        "recognised": round(w.judge.accuracy(drawn, torch.full((len(drawn),), w.kind)), 4),
        "edges": round(evaluate.gradient_energy(drawn) / evaluate.gradient_energy(w.known), 3),
        "bits_per_dim": price(rung, net, w, options.priced, options.device),
        "pictures": drawn[:SHOWN],
    }  # fmt: skip


def mark(options: argparse.Namespace) -> str:
    """What the names of a measurement's files say of its options: nothing by default."""
    return "" if (options.samples, options.priced) == (SAMPLES, PRICED) else f"-{options.samples}-{options.priced}"


def kept(
    rung: Rung, w: World, seed: int, options: argparse.Namespace, budget: float, folder: Path, mark: str = ""
) -> dict:
    """One measurement, made if it is not there yet."""
    path = folder / f"{rung.name}-{seed}{mark}.pt"
    if not path.exists():
        found = measured(rung, w, seed, options, budget, folder)
        print({key: value for key, value in found.items() if key != "pictures"}, flush=True)
        replace_file(path, lambda temporary: torch.save(found, temporary))
    return torch.load(path, weights_only=True)


def report(folder: Path, w: World, options: argparse.Namespace, budget: float, clock: Stopwatch) -> None:
    """The results file and its picture, of all that is kept with these options; a rung that nobody has run so is not
    measured."""
    paths = [path for path in sorted(folder.glob("*.pt")) if re.fullmatch(rf"\w+-\d+{mark(options)}", path.stem)]
    runs = [torch.load(path, weights_only=True) for path in paths]
    rows, strips = {}, []
    for rung in LADDER:
        mine = sorted((run for run in runs if run["rung"] == rung.name), key=lambda run: run["seed"])
        strips += [mine[0]["pictures"]] if mine else []
        plain = [{key: value for key, value in run.items() if key not in ("rung", "pictures")} for run in mine]
        rows[rung.name] = {"change": rung.change, "runs": plain or "not measured"}
    name, side = f"ladder{options.size}", w.known.shape[-1]
    if strips:
        sheet = show.tile(torch.cat(strips), columns=len(strips[0]), gap=0)
        replace_file(RESULTS / f"{name}.png", lambda temporary: sheet.save(temporary, format="png", optimize=True))
    results = {
        "rungs": rows,
        "pictures": [rung.name for rung in LADDER if rows[rung.name]["runs"] != "not measured"],
        "real": real(w, options.samples),
        "side": side,
        "samples": options.samples,
        "priced": options.priced,
        "budget_flops": float(f"{budget:.4g}"),
        "club_images": options.images,
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
    write(name, results, clock, w.sha256, show.device_name(options.device), sum(minutes.values()))


def real(w: World, samples: int) -> dict[str, float]:
    """What the judge says of held-out cars."""
    return {
        "frechet": round(evaluate.frechet(w.features, w.judge.features(w.held[:samples])), 3),
        "recognised": round(w.judge.accuracy(w.held, torch.full((len(w.held),), w.kind)), 4),
    }


def plan(options: argparse.Namespace) -> None:
    """What each rung would compute."""
    shape = 3, options.size, options.size
    budget = options.images * training_flops(LADDER[0].network(options.size, club.T), shape)
    print(f"{budget / 1e12:,.1f} TFLOP a training")
    for rung in LADDER:
        if training_of(rung) is not rung:
            print(f"{rung.name:10} as {training_of(rung).name}: {rung.change}")
            continue
        net = rung.network(options.size, rung.way.T)
        flops, weights = training_flops(net, shape), unet.parameter_count(net) / 1e6
        print(f"{rung.name:10} {weights:.2f} M, {flops / 1e9:.2f} GFLOP, {budget / flops:9,.0f} images: {rung.change}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, choices=list(SIZES), default=16, help="side of the cars (default 16)")
    parser.add_argument("--data", default="uoft-cs/cifar10")
    parser.add_argument("--rungs", nargs="+", choices=list(BY_NAME), default=list(BY_NAME), metavar="RUNG")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--images", type=int, help="images that the club's network sees (default by size)")
    parser.add_argument("--samples", type=int, default=SAMPLES)
    parser.add_argument(
        "--priced", type=int, default=PRICED, help=f"held-out cars for the bound: T calls each (default {PRICED})"
    )
    parser.add_argument("--device")
    parser.add_argument("--plan", action="store_true")
    options, clock = parser.parse_args(), Stopwatch()
    options.device, options.images = devices.check_device(options.device), options.images or SIZES[options.size]
    if options.plan:
        return plan(options)
    folder = RUNS / f"ladder{options.size}-{options.images}"
    folder.mkdir(parents=True, exist_ok=True)
    w = world(options.data, options.size)
    budget = options.images * training_flops(LADDER[0].network(options.size, club.T), tuple(w.known.shape[1:]))
    for seed in options.seeds:
        for name in options.rungs:
            kept(BY_NAME[name], w, seed, options, budget, folder, mark(options))
    report(folder, w, options, budget, clock)


if __name__ == "__main__":
    main()
