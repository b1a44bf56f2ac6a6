"""Chapter 8: what makes better pictures of equally many steps and equal batches, one change at a time.

python -m experiments.ch08.better_pictures --data zalando-datasets/fashion_mnist [--only fashion32:1200:muon:0 ...]

--only: some of the trainings, as RECIPE:STEPS:VARIATION:SEED. Each is kept in runs/better_pictures, so that the whole
can be stopped and gone on with; the results file holds all that are there.
"""

import copy
import json
from collections import deque
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from functools import partial

import torch
from torch import Tensor, nn

from ddpm_core import data, sampler, trainer
from ddpm_core.diffusion import loss
from ddpm_core.diffusion.gaussian import q_sample
from ddpm_core.diffusion.model import Model
from ddpm_core.diffusion.noise import seeded
from ddpm_core.diffusion.prediction import Denoise
from ddpm_core.evaluation import classifier, metrics
from ddpm_core.networks.flops import parameter_count
from ddpm_core.recipes import RECIPES, TrainingConfig
from ddpm_core.recipes import config as hyperparameters
from ddpm_core.schedule import Schedule
from ddpm_core.storage.files import read_tensors, write_tensors
from experiments.ch08.variations import MEMORIES, VARIATIONS, Averages, Training, retimed
from experiments.common import bounds, pace
from experiments.common.results_file import Stopwatch, significant
from experiments.common.settings import Folders, cached, command_line, parsed

LOG_SNR = range(-8, 7, 2)


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
    samplers: tuple[tuple[str, int], ...] = (("dpm", 20),)
    looked_into: tuple[str, ...] = ("adam", "muon")  # variations whose averages are compared, of seed 0
    plan: tuple[Training, ...] = ()


BOOK = Settings()


@dataclass(frozen=True, eq=False)
class World:
    """Pictures to train on and held-out ones, on the recipe's canvas; a classifier of the former, their features."""

    known: data.ImageDataset
    held: data.ImageDataset
    judge: classifier.Classifier
    features: Tensor


def world(recipe: str, settings: Settings) -> World:
    if RECIPES[recipe].data == "digits":
        digits = data.load("digits")
        order = torch.randperm(len(digits), generator=seeded(0))
        known, held = digits.take(order[settings.held_out :]), digits.take(order[: settings.held_out])
    else:
        known, held = (data.load(settings.data, split) for split in ("train", "test"))
        known, held = (replace(one, images=data.pad_to_multiple(one.images, 8)) for one in (known, held))
    judge = classifier.cached(known, steps=settings.judging[recipe])
    seen = f"{known.pixels_sha256[:16]}-{settings.judging[recipe]}-{len(known)}"
    file = settings.runs / "better_pictures" / f"features-{seen}.pt"
    return World(known, held, judge, cached(file, lambda: judge.features(known.images)))


def trained(w: World, training: Training, settings: Settings) -> "Trained":
    """What the training leaves; a file keeps it."""
    how, path = training.config(), settings.runs / "better_pictures" / f"{training.file}.safetensors"
    torch.manual_seed(training.seed)
    net = hyperparameters.network(how, w.known.images.shape[1], w.known.num_classes)
    if not path.exists():
        weights, about = taken(w, training, net)
        write_tensors(path, weights, {"about": json.dumps(about)})
    weights, about = read_tensors(path)
    return Trained(net.eval(), weights, json.loads(about["about"]))


def taken(w: World, training: Training, net: nn.Module) -> tuple[dict[str, Tensor], dict]:
    """Take the steps: the weights of every average, as AVERAGE.NAME, and what it cost."""
    how, variation, began = training.config(), VARIATIONS[training.variation], Stopwatch()
    state = trainer.start(net, optimizer=how.optimizer, lr=how.lr, ema_decay=how.ema_decay, device="cpu")
    batch_at = data.batches(
        w.known.images, how.schedule, batch=how.batch, seed=training.seed, labels=w.known.labels,
        label_drop=how.label_drop, no_label=w.known.num_classes, flips=how.flips,
    )  # fmt: skip
    if variation.times is not loss.sample_timesteps:
        batch_at = retimed(batch_at, how.schedule, variation.times, training.seed)
    objective = loss.objective(how.schedule, how.predict, how.weight)
    run = trainer.run(state, batch_at, objective, steps=training.steps, report_every=1, decay=variation.decay)
    averages, spent, losses = Averages(MEMORIES, state.net), 0.0, deque(maxlen=100)
    for k, (seconds, value) in enumerate(pace.timed(run), 1):
        spent += seconds
        losses.append(value)
        averages.update(state.net, k)
        if k % 100 == 0:
            print(f"{training.file}: {k} steps, loss {sum(losses) / len(losses):.4f}, {spent:.0f} s", flush=True)
    names = [name for name, _ in net.named_parameters()]
    every = {"recipe": list(trainer.ema_model(state).parameters()), **averages.weights}
    weights = {f"{a}.{n}": p for a, group in every.items() for n, p in zip(names, group, strict=True)}
    return weights, {
        "minutes_of_processor": round(spent / 60, 2), "loss": significant(sum(losses) / len(losses)),
        "parameters": parameter_count(net), "commit": began.commit, "date": date.today().isoformat(),
    }  # fmt: skip


@dataclass(frozen=True, eq=False)
class Trained:
    """A network, the weights of all averages, and what the training took."""

    net: nn.Module
    weights: dict[str, Tensor]
    about: dict

    def model(self, how: TrainingConfig, size: tuple[int, int], average: str = "recipe") -> Model:
        """With the weights of this average."""
        parts = {name.partition(".")[::2]: v for name, v in self.weights.items()}
        own = {name: v for (group, name), v in parts.items() if group == average}
        net = copy.deepcopy(self.net)
        net.load_state_dict(own)
        return Model(net, how.schedule, how.predict, {"size": list(size)})


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


def measured(w: World, training: Training, settings: Settings) -> dict:
    """One training and what it comes to; the pictures of each sampler are kept apart, so that others can be added."""
    made, how, size = trained(w, training, settings), training.config(), w.known.images.shape[2:]
    x0, classes = data.to_float(w.held.images[: settings.priced]), w.held.labels[: settings.priced]
    kept, n = settings.runs / "better_pictures", settings.samples[training.recipe]

    def priced(model: Model) -> dict:
        denoise = model.denoiser(classes)
        bound = bounds.continuous(denoise, how.schedule, x0)
        return {"bound": bound, "errors": errors(denoise, how.schedule, x0)}

    def averages() -> dict:
        models = {average: made.model(how, size, average) for average in MEMORIES}
        return {a: {**priced(m), **drawn(w, m, *settings.samplers[0], n)} for a, m in models.items()}

    model = made.model(how, size)
    found = {**asdict(training), "config": hyperparameters.described(how), **made.about}
    found |= cached(kept / f"{training.file}-priced.json", partial(priced, model)) | {"samplers": {}}
    for name, steps in settings.samplers:
        file = kept / f"{training.file}-{name}-{steps}.json"
        found["samplers"][f"{name} {steps}"] = cached(file, partial(drawn, w, model, name, steps, n))
    if training.variation in settings.looked_into and training.seed == 0:
        found["averages"] = cached(kept / f"{training.file}-averages.json", averages)
    print({key: value for key, value in found.items() if key != "config"}, flush=True)
    return found


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
    settings, _ = parsed(parser, settings, arguments), Stopwatch(__spec__.name, arguments)
    torch.set_num_threads(1)
    kept, worlds = settings.runs / "better_pictures", {}
    for training in settings.only or settings.plan:
        if training.recipe not in worlds:
            worlds[training.recipe] = world(training.recipe, settings)
        w = worlds[training.recipe]
        measured(w, training, settings)
        cached(kept / f"real-{training.recipe}.json", partial(real, w, settings.samples[training.recipe]))
    if settings.only:
        return


if __name__ == "__main__":
    main()
