"""Chapter 11: the progressive code of Fashion-MNIST by the committed network: bits spent against picture got.

python -m experiments.ch11.progressive_garments [--data zalando-datasets/fashion_mnist]
"""

from dataclasses import dataclass, replace

import torch

from ddpm_core import data
from ddpm_core.book import results
from ddpm_core.diffusion import gaussian, variance
from ddpm_core.diffusion.noise import seeded
from experiments.ch11.coding import FIXED, STOPS, Kept, area, bound, distortions, parts, rates, squares
from experiments.common.results_file import Stopwatch, picture, write
from experiments.common.settings import Folders, command_line, parsed


@dataclass(frozen=True, kw_only=True)
class Settings(Folders):
    """priced: test pictures whose code is taken, and as many known ones for the analytic variance. classes: of the
    pictures shown, at the times `shown`."""

    data: str = "zalando-datasets/fashion_mnist"
    priced: int = 48
    classes: tuple[int, ...] = (9, 3, 8, 0, 5)  # ankle boot, dress, bag, T-shirt, sandal
    shown: tuple[int, ...] = (
        1000, 900, 800, 700, 600, 550, 500, 450, 400, 350, 300, 250, 200, 150, 100, 70, 50, 30, 20, 10, 5, 1,
    )  # fmt: skip


BOOK = Settings()


def pictures(split: str, size: list[int], settings: Settings) -> data.ImageDataset:
    real = data.load(settings.data, split)
    return replace(real, images=data.pad_to(real.images, *size))


def main(arguments: list[str] | None = None, settings: Settings = BOOK) -> None:
    parser = command_line(__doc__, data=str)
    settings, clock = parsed(parser, settings, arguments), Stopwatch(__spec__.name, arguments)
    torch.set_num_threads(1)
    model = results.model("fashion32")
    s, size, n = model.schedule, model.about["size"], settings.priced
    known, test = (pictures(split, size, settings) for split in ("train", "test"))
    network = model.network.to(memory_format=torch.channels_last)
    model = replace(model, network=network)

    def asked(some: data.ImageDataset) -> tuple[torch.Tensor, Kept]:
        return data.to_float(some.images), Kept(model.denoiser(some.labels))

    x0, seen = asked(known.take(torch.arange(n)))
    left = squares(seen.denoise, s, x0, seed=0)
    x0, kept = asked(test.take(torch.arange(n)))
    bits = {name: bound(kept, s, x0, width) for name, width in {**FIXED, "analytic": variance.analytic(left)}.items()}
    rate, distortion = {name: rates(row) for name, row in bits.items()}, distortions(kept, x0)
    first = torch.stack([(test.labels == k).nonzero()[0, 0] for k in settings.classes])
    x0, kept = asked(test.take(first))
    rows = []
    with torch.no_grad():
        for t in settings.shown:
            times, eps = torch.full((len(x0),), t), torch.randn(x0.shape, generator=seeded(15, t))
            x_t = gaussian.q_sample(s, x0, times, eps)
            rows += [x_t, kept(x_t, times)]
    sheet = torch.cat([*rows, x0])
    picture(settings.results / "progressive_garments.png", sheet, columns=len(first), gap=0)
    everything = bits["analytic"]
    found = {
        "bound": {name: parts(row) for name, row in bits.items()},
        "rate": rate,
        "distortion": distortion,
        "stops": STOPS,
        "area": area([parts(everything)["bound"], *rate["analytic"]], [0.0, *distortion]),
        "shown": settings.shown,
        "shown_rate": rates(everything, settings.shown),
        "shown_distortion": distortions(kept, x0, settings.shown),
        "garments": [model.about["names"][k] for k in settings.classes],
        "priced": n,
        "model": {key: model.about[key] for key in ("date", "minutes", "images_seen", "device")},
        "note": "the network predicts v under the cosine schedule, T = 1000, and is told the class; figures as in "
        "likelihood.json, on test pictures, per number of the padded 32x32 picture; the analytic variance comes from "
        "training pictures; shown_rate: by the analytic variance, for all test pictures; shown_distortion: of the "
        "pictures shown; progressive_garments.png: for each time of `shown` a row of x_t and one of x0_hat, and last "
        "the pictures themselves",
    }
    write("progressive_garments", found, clock, model.about["data_sha256"], folder=settings.results)


if __name__ == "__main__":
    main()
