"""Chapter 8: what makes better pictures of equally many steps and equal batches, one change at a time.

python -m experiments.ch08.better_pictures --data zalando-datasets/fashion_mnist [--only fashion32:1200:muon:0 ...]

--only: some of the trainings, as RECIPE:STEPS:VARIATION:SEED, for the same calls of --samplers; no results file then.
Each is kept in runs/better_pictures, so that the whole can be stopped and gone on with.
"""

from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path

import torch
from torch import Tensor

from ddpm_core import data, sampler
from ddpm_core.diffusion.gaussian import q_sample
from ddpm_core.diffusion.model import Model
from ddpm_core.diffusion.noise import seeded
from ddpm_core.diffusion.prediction import Denoise
from ddpm_core.evaluation import classifier, metrics
from ddpm_core.recipes import RECIPES
from ddpm_core.recipes import config as hyperparameters
from ddpm_core.schedule import Schedule
from experiments.ch08.one_training import MEMORIES, trained
from experiments.ch08.variations import SOLVER, Block, Calls, Training
from experiments.common import bounds
from experiments.common.results_file import Stopwatch, significant, spread, write
from experiments.common.settings import Folders, cached, command_line, parsed

LOG_SNR = range(-8, 7, 2)
PLAN = (
    Block("digits", 400, ("adam", "muon"), seeds=(0, 1)),
    Block(
        "digits",
        400,
        ("muon, logit-normal times", "muon, eps", "muon, rate falls late", "muon, two blocks a level"),
    ),
    Block("fashion32", 2400, ("muon",), samplers=()),
)


@dataclass(frozen=True, kw_only=True)
class Settings(Folders):
    """samplers: with their calls; the first draws for each average of the weights, too. samples: pictures by each;
    priced: held-out ones; held_out: digits that no training sees; judging: steps of the classifier."""

    data: str = "zalando-datasets/fashion_mnist"
    only: tuple[Training, ...] = ()
    samples: dict[str, int] = field(default_factory=lambda: {"digits": 1000, "fashion32": 500})
    priced: int = 200
    held_out: int = 360
    judging: dict[str, int] = field(default_factory=lambda: {"digits": 600, "fashion32": 3500})
    samplers: Calls = SOLVER
    looked_into: tuple[str, ...] = ("adam", "muon")  # variations whose averages are compared, of seed 0
    plan: tuple[Block, ...] = PLAN

    @property
    def kept(self) -> Path:
        return self.runs / "better_pictures"


BOOK = Settings()


@dataclass(frozen=True, eq=False)
class World:
    """Pictures to train on and held-out ones, on the recipe's canvas; a judge is made when one is asked for."""

    known: data.ImageDataset
    held: data.ImageDataset
    judging: int
    kept: Path

    @cached_property
    def judge(self) -> classifier.Classifier:
        """A classifier of the pictures to train on."""
        return classifier.cached(self.known, steps=self.judging)

    @cached_property
    def features(self) -> Tensor:
        """What it sees in them."""
        file = self.kept / f"features-{self.known.pixels_sha256[:16]}-{self.judging}.pt"
        return cached(file, lambda: self.judge.features(self.known.images))


def world(recipe: str, settings: Settings) -> World:
    if RECIPES[recipe].data == "digits":
        digits = data.load("digits")
        order = torch.randperm(len(digits), generator=seeded(0))
        known, held = digits.take(order[settings.held_out :]), digits.take(order[: settings.held_out])
    else:
        known, held = (data.load(settings.data, split) for split in ("train", "test"))
        known, held = (replace(one, images=data.pad_to_multiple(one.images, 8)) for one in (known, held))
    return World(known, held, settings.judging[recipe], settings.kept)


# ---- measuring -------------------------------------------------------------------------------------------------


def judged(w: World, images: Tensor, labels: Tensor) -> dict[str, float]:
    """Fréchet distance to the training pictures, share recognised, sharpness as a share of held-out pictures'."""
    return {
        "frechet": round(metrics.frechet(w.features, w.judge.features(images)), 3),
        "recognised": round(w.judge.accuracy(images, labels), 4),
        "gradients": round(metrics.sharpness(images) / metrics.sharpness(w.held.images), 3),
    }


def drawn(w: World, made: Model, name: str, steps: int, n: int) -> dict[str, float]:
    """How n pictures by this sampler fare, the same noise for all."""
    labels = sampler.balanced_labels(n, w.known.num_classes)
    return judged(w, sampler.draw(made, n, labels=labels, seed=9, sampler=name, steps=steps), labels)


@torch.no_grad()
def errors(denoise: Denoise, schedule: Schedule, x0: Tensor) -> list[float]:
    """Mean squared error of x0_hat on held-out pictures, at the times whose ln SNR is nearest to LOG_SNR."""
    log, found = schedule.snr.log(), []
    for level in LOG_SNR:
        t = torch.full((len(x0),), 1 + int((log[1:] - level).abs().argmin()))
        x_t = q_sample(schedule, x0, t, torch.randn(x0.shape, generator=seeded(11, level)))
        found.append(significant((denoise(x_t, t) - x0).square().mean()))
    return found


def measured(w: World, training: Training, samplers: Calls, settings: Settings) -> dict:
    """One training and what it comes to; the pictures of each sampler are kept apart, so that others can be added."""
    made, how, size = trained(w.known, training, settings.kept), training.config(), w.known.images.shape[2:]
    x0, classes = data.to_float(w.held.images[: settings.priced]), w.held.labels[: settings.priced]
    kept, n = settings.kept, settings.samples[training.recipe]

    def priced(model: Model) -> dict:
        denoise = model.denoiser(classes)
        bound = bounds.continuous(denoise, how.schedule, x0)
        return {"bound": bound, "errors": errors(denoise, how.schedule, x0)}

    def averages() -> dict:
        models = {average: made.model(how, size, average) for average in MEMORIES}
        pictures = {a: drawn(w, m, *samplers[0], n) if samplers else {} for a, m in models.items()}
        return {a: {**priced(m), **pictures[a]} for a, m in models.items()}

    model = made.model(how, size)
    found = {**asdict(training), "config": hyperparameters.described(how), **made.about}
    found |= cached(kept / f"{training.file}-priced.json", partial(priced, model)) | {"samplers": {}}
    for name, steps in samplers:
        file = kept / f"{training.file}-{name}-{steps}.json"
        found["samplers"][f"{name} {steps}"] = cached(file, partial(drawn, w, model, name, steps, n))
    if training.variation in settings.looked_into and training.seed == 0:
        found["averages"] = cached(kept / f"{training.file}-averages.json", averages)
    print({key: value for key, value in found.items() if key != "config"}, flush=True)
    return found


def summary(runs: list[dict]) -> dict:
    """recipe -> steps -> variation -> what its seeds came to."""
    rows: dict = {}
    for recipe, steps, variation in dict.fromkeys((r["recipe"], r["steps"], r["variation"]) for r in runs):
        mine = [r for r in runs if (r["recipe"], r["steps"], r["variation"]) == (recipe, steps, variation)]
        figures = {key: spread([run[key] for run in mine]) for key in ("bound", "loss", "minutes_of_processor")}
        pictures = {
            name: {key: spread([run["samplers"][name][key] for run in mine]) for key in each}
            for name, each in mine[0]["samplers"].items()
        }
        row = {"seeds": [run["seed"] for run in mine], "parameters": mine[0]["parameters"], **figures, **pictures}
        rows.setdefault(recipe, {}).setdefault(str(steps), {})[variation] = row
    return rows


def real(w: World, n: int) -> dict[str, float]:
    """As many held-out pictures, or all: what the best of models could come to."""
    rows = torch.randperm(len(w.held), generator=seeded(6))[:n]
    return judged(w, w.held.images[rows], w.held.labels[rows])


def calls(words: str) -> tuple[str, int]:
    """sampler:calls"""
    name, steps = words.split(":")
    return name, int(steps)


def main(arguments: list[str] | None = None, settings: Settings = BOOK) -> None:
    parser = command_line(__doc__, data=str, only=[Training.read], samplers=[calls])
    parser.add_argument("--no-pictures", dest="samplers", action="store_const", const=(), help="the bound alone")
    settings, clock = parsed(parser, settings, arguments), Stopwatch(__spec__.name, arguments)
    torch.set_num_threads(1)
    plan = [(training, settings.samplers) for training in settings.only] or [
        (Training(block.recipe, block.steps, variation, seed), block.samplers)
        for block in settings.plan for variation in block.variations for seed in block.seeds
    ]  # fmt: skip
    worlds = {recipe: world(recipe, settings) for recipe in sorted({training.recipe for training, _ in plan})}
    runs = [measured(worlds[training.recipe], training, samplers, settings) for training, samplers in plan]
    if settings.only:
        return
    judged_in = dict.fromkeys(training.recipe for training, samplers in plan if samplers)
    results = {
        "rows": summary(runs), "runs": runs, "log_snr": list(LOG_SNR),
        "real": {recipe: real(worlds[recipe], settings.samples[recipe]) for recipe in judged_in},
        "samples": settings.samples, "priced": settings.priced, "held_out": settings.held_out,
        "data_sha256": {recipe: w.known.sha256 for recipe, w in worlds.items()},
        "note": "rows: recipe -> steps -> variation, each figure as [mean, standard deviation over the seeds]; a "
        "variation is the recipe changed in what its name says, with equal steps and batches; frechet and recognised: "
        "of `samples` pictures by class, the same noise for all, by a small classifier of the training pictures (so "
        "not FID); gradients: mean difference of neighbouring pixels, that of held-out pictures being 1; bound: the "
        "continuous-time bound on `priced` held-out pictures, told their class, in bits per dimension; errors: mean "
        "squared error of x0_hat on them at each ln SNR of log_snr; averages: other memories of the moving average, "
        "judged by the first sampler; real: as many held-out pictures as `samples`, or all",
    }  # fmt: skip
    minutes = sum(run["minutes_of_processor"] for run in runs)
    *_, last = worlds.values()
    write("better_pictures", results, clock, last.known.sha256, minutes=minutes, folder=settings.results)


if __name__ == "__main__":
    main()
