"""Chapter 13: a caption as one vector against cross-attention to its words, after the same number of steps.

python -m experiments.ch13.one_vector [--seeds 0] [--steps 1600] [--samples 300]

Each network is kept in runs/one_vector, so that it can be stopped and gone on with.
"""

from dataclasses import dataclass, replace

from ddpm_core.networks.flops import parameter_count
from ddpm_core.recipes import RECIPES
from experiments.ch13 import reading
from experiments.common.results_file import Stopwatch, spread, write
from experiments.common.settings import Folders, cached, command_line, parsed

WAYS = "cross-attention", "one vector"


@dataclass(frozen=True, kw_only=True)
class Settings(Folders):
    """scales: of guidance; samples: pictures of each part, by 20 steps of dpm."""

    seeds: tuple[int, ...] = (0,)
    steps: int = 1600
    scales: tuple[float, ...] = (0.0, 2.0)
    samples: int = 300


BOOK = Settings()


def main(arguments: list[str] | None = None, settings: Settings = BOOK) -> None:
    parser = command_line(__doc__, seeds=[int], steps=int, samples=int)
    settings, clock = parsed(parser, settings, arguments), Stopwatch(__spec__.name, arguments)
    rows, minutes = {way: [] for way in WAYS}, 0.0
    for seed in settings.seeds:
        for way in WAYS:
            row = of_network(way, seed, settings)
            minutes += row["minutes"]
            rows[way].append(row)
            print(way, seed, row, flush=True)
    results = {
        "steps": settings.steps, "batch": RECIPES["shapes"].config.batch,
        "samples": settings.samples, "seeds": list(settings.seeds),
        "rows": {way: summary(found) for way, found in rows.items()}, "runs": rows,
    }  # fmt: skip
    write("one_vector", results, clock, minutes=minutes, folder=settings.results)


def of_network(way: str, seed: int, settings: Settings) -> dict:
    """One network: trained, and its pictures read."""
    folder = settings.runs / "one_vector" / f"{way.replace(' ', '-')}-{seed}"
    recipe = replace(RECIPES["shapes"], steps=settings.steps, minutes=None)
    if way == "one vector":
        recipe = replace(recipe, config=replace(recipe.config, cross_attention=()))
    model = reading.trained(recipe, seed, folder)

    def looks() -> dict:
        return {
            f"{part}, guidance {scale:g}": reading.judged(model, part, settings.samples, seed=1, guidance=scale)
            for scale in settings.scales
            for part in reading.PARTS
        }

    about = {"loss": model.about["loss"], "minutes": model.about["minutes"]}
    return about | {"parameters": parameter_count(model.network), "looks": cached(folder / "looks.json", looks)}


def summary(runs: list[dict]) -> dict:
    """Mean and spread over the seeds."""
    looks = {
        look: {key: spread([run["looks"][look][key] for run in runs]) for key in runs[0]["looks"][look]}
        for look in runs[0]["looks"]
    }
    return {"loss": spread([run["loss"] for run in runs]), "parameters": runs[0]["parameters"], "looks": looks}


if __name__ == "__main__":
    main()
