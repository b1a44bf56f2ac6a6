"""Chapter 0: cars, from the 5,000 of CIFAR-10, without labels, and what a judge of all ten classes says of them.

python -m experiments.ch08.cars32 --data uoft-cs/cifar10 [--minutes 90] [--checkpoint runs/cars32]
"""

from collections.abc import Callable
from dataclasses import dataclass

from ddpm_core import sampler
from ddpm_core.cli import evaluate
from ddpm_core.diffusion.model import Model
from ddpm_core.evaluation import references
from ddpm_core.evaluation.references import References
from experiments.common import by_recipe
from experiments.common.results_file import Stopwatch, picture, write


@dataclass(frozen=True, kw_only=True)
class Settings(by_recipe.Settings):
    """samples: cars that are judged; real: what they are held against, of the data and the model."""

    recipe: str = "cars32"
    data: str = "uoft-cs/cifar10"
    minutes: float = 90
    checkpoint: str = "runs/cars32"
    samples: int = 1000
    real: Callable[[str, Model], References] = references.real_images


BOOK = Settings()


def main(arguments: list[str] | None = None, settings: Settings = BOOK) -> None:
    settings, clock = by_recipe.read(__doc__, settings, arguments), Stopwatch(__spec__.name, arguments)
    trained = by_recipe.trained(settings)
    about = trained.about
    how = {"steps": about["steps"], "sampler": about["sampler"]}
    picture(settings.results / "cars32.png", sampler.draw(trained, 40, seed=7, **how), columns=10, enlarge=2)
    drawn = sampler.draw(trained, settings.samples, seed=1, **how)
    real = settings.real(settings.data, trained)
    results = {
        **by_recipe.of_training(trained),
        "sampler": how,
        "rows": references.sample_quality(real, drawn, None, seed=1),
        "note": evaluate.NOTE + "; 1,000 drawn cars beside the 1,000 real ones of the test split",
    }
    recipe = evaluate.recipe_of(about)
    write("cars32", results, clock, about["data_sha256"], about["device"], recipe=recipe, folder=settings.results)


if __name__ == "__main__":
    main()
