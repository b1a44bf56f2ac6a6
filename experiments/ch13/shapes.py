"""Chapter 13: pictures from captions: scenes of training and scenes with a pair of attributes that it never had.

python -m experiments.ch13.shapes [--seeds 0] [--minutes 30] [--samples 300] [--scales 0 1 2]

Each training is kept in runs/shapes, so that it can be stopped and gone on with. The first seed's model goes on the
shelf, in half precision.
"""

from dataclasses import dataclass, replace

from torch import Tensor

from ddpm_core import sampler
from ddpm_core.cli import evaluate
from ddpm_core.data import shapes
from ddpm_core.diffusion.model import Model
from ddpm_core.evaluation import shape_reader
from ddpm_core.networks import conditioning
from ddpm_core.networks.flops import parameter_count
from ddpm_core.recipes import RECIPES
from ddpm_core.storage import checkpoint
from experiments.ch13 import reading
from experiments.common.results_file import Stopwatch, picture, spread, write
from experiments.common.settings import Folders, cached, command_line, parsed

SHOWN = (  # of one noise each; the last two say pairs that training never has
    "a large red circle on the right on a white background", "a small blue ring at the top",
    "a large green diamond in the middle on a black background", "a tiny purple cross at the bottom",
    "a huge yellow square on the left", "a small orange triangle in the middle on white",
    "a large red triangle at the bottom", "a big blue square at the top on a grey background",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Settings(Folders):
    """scales: of guidance; samples: pictures of each part and scale. minutes: of each training, else the recipe's."""

    seeds: tuple[int, ...] = (0,)
    minutes: float | None = None
    scales: tuple[float, ...] = (0.0, 1.0, 2.0)
    samples: int = 300


BOOK = Settings()


def main(arguments: list[str] | None = None, settings: Settings = BOOK) -> None:
    parser = command_line(__doc__, seeds=[int], minutes=float, samples=int, scales=[float])
    settings, clock = parsed(parser, settings, arguments), Stopwatch(__spec__.name, arguments)
    recipe = RECIPES["shapes"]
    recipe = recipe if settings.minutes is None else replace(recipe, minutes=settings.minutes, steps=None)
    runs, models = [], []
    for seed in settings.seeds:
        folder = settings.runs / "shapes" / str(seed)
        models.append(reading.trained(recipe, seed, folder, "shapes"))
        about = {key: models[-1].about[key] for key in ("minutes", "images_seen", "trained_steps", "seed", "loss")}
        runs.append(about | {"rows": [row(models[-1], seed, *place, settings) for place in places(settings)]})
        print(runs[-1], flush=True)
    first = models[0]
    checkpoint.export(settings.results / "shapes.safetensors", first)
    picture(settings.results / "shapes.png", shown(first), columns=len(SHOWN), enlarge=2)
    results = {
        "training": runs[0], "runs": runs, "rows": means(runs, settings), "samples": settings.samples,
        "seeds": list(settings.seeds), "parameters": parameter_count(first.network), "real": real(),
        "sampler": {key: first.about[key] for key in ("sampler", "steps")}, "shown": list(SHOWN),
    }  # fmt: skip
    about = first.about
    how = dict(device=about["device"], recipe=evaluate.recipe_of(about), folder=settings.results)
    write("shapes", results, clock, about["data_sha256"], minutes=sum(run["minutes"] for run in runs), **how)


def places(settings: Settings) -> list[tuple[str, float]]:
    """(part, scale of guidance) of each row."""
    return [(part, scale) for scale in settings.scales for part in reading.PARTS]


def row(model: Model, seed: int, part: str, scale: float, settings: Settings) -> dict[str, float]:
    """What the exact reader says of pictures of one part, guided so much."""
    how = dict(guidance=scale, seed=1 + seed, steps=model.about["steps"], sampler=model.about["sampler"])
    kept = settings.runs / "shapes" / f"{seed}-{model.about['trained_steps']}-{part}-{scale:g}-{settings.samples}.json"
    return cached(kept, lambda: reading.judged(model, part, settings.samples, **how))


def means(runs: list[dict], settings: Settings) -> list[dict]:
    """The rows, mean and spread over the seeds."""
    found = zip(places(settings), *(run["rows"] for run in runs), strict=True)
    return [
        {"part": part, "guidance": scale, **{key: spread([one[key] for one in rows]) for key in rows[0]}}
        for (part, scale), *rows in found
    ]


def real() -> dict[str, float]:
    """What the reader says of real pictures that nobody trained on."""
    held = shapes.dataset("test")
    return reading.verdict(held.images, held.captions) | {
        "limits": {" ".join(kind): limit for kind, limit in shape_reader.limits().items()}
    }


def shown(model: Model) -> Tensor:
    """Pictures by the captions of `SHOWN`, three of each, row by row."""
    tokens = conditioning.encode(SHOWN * 3, model.network.vocabulary)
    return sampler.draw(model, len(tokens), labels=tokens, guidance=2.0, seed=5)


if __name__ == "__main__":
    main()
