"""Make the pictures of the book's first page anew: the chain that it opens with, those of its results and its cards.

python tools/front_pictures.py

They lie in book/_static/front. The opening is drawn by a trained model, as are the garments of chapter 10; all others
are cut out of book/results, or computed as their chapter does.
"""

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ddpm_core import data, sampler, schedule
from ddpm_core.book import results, widgets
from ddpm_core.diffusion import gaussian, prediction
from ddpm_core.diffusion.noise import seeded

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "book" / "_static" / "front"
MODEL, PICTURES, COLUMNS, SIDE = "cars32-gpu", 16, 8, 32  # of the opening
STEPS, SHEETS, SEED = 50, 20, 0
SAVED = {"quality": 60, "method": 6}


def opening() -> list[int]:
    """Write the film of a chain without fresh noise, and say its times."""
    chain = sampler.trajectory(results.model(MODEL), PICTURES, steps=STEPS, sampler="ddim", seed=SEED)
    visited = dict(chain)
    chosen = np.linspace(0, len(visited) - 1, SHEETS).round().astype(int)
    times = [list(visited)[k] for k in chosen]
    widgets.film([visited[t] for t in times], COLUMNS).save(FOLDER / "opening.webp", **SAVED)
    last = widgets.film([visited[times[-1]]], COLUMNS)
    last.resize((last.width * 2, last.height * 2), Image.Resampling.NEAREST).save(FOLDER / "opening.png", optimize=True)
    return times


def cut(name: str, side: int, rows: list[int], columns: list[int], gap: int = 2, scale: int = 1) -> Image.Image:
    """Some of the pictures on a sheet in book/results, side by side, each as small as it was drawn."""
    sheet = Image.open(results.path(name))
    step = side * scale + gap
    corners = [(x * step, y * step) for y in rows for x in columns]
    tiles = [sheet.crop((x, y, x + side * scale, y + side * scale)) for x, y in corners]
    tiles = [tile.resize((side, side), Image.Resampling.BOX) for tile in tiles]
    return beside([np.asarray(tile.convert("RGB")) for tile in tiles], len(columns))


def beside(tiles: list[np.ndarray], columns: int) -> Image.Image:
    """Tiles (H, W, 3) of one size as a sheet."""
    rows = [np.concatenate(tiles[k : k + columns], axis=1) for k in range(0, len(tiles), columns)]
    return Image.fromarray(np.concatenate(rows))


def grey(images: torch.Tensor, columns: int) -> Image.Image:
    """Images (N, 1, H, W) on the scale of [-1, 1] as a sheet."""
    return widgets.film([images], columns)


def digit_and_noise(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """n digits and their noise."""
    x0 = data.to_float(data.load("digits").images[:n])
    return x0, torch.randn(x0.shape, generator=seeded(1))


def drowning() -> Image.Image:
    """Two digits on their way to noise, in four looks each."""
    x0, eps = digit_and_noise(2)
    cosine = schedule.cosine(1000)
    looks = [gaussian.q_sample(cosine, x0, torch.full((2,), t), eps) for t in (0, 300, 600, 1000)]
    return grey(torch.stack(looks, dim=1).flatten(0, 1), 4)


def four_questions() -> Image.Image:
    """Of two digits x_t, then what a network may be asked for: eps, x_0 and v."""
    x0, eps = digit_and_noise(2)
    cosine, t = schedule.cosine(1000), torch.tensor([400, 400])
    x_t = gaussian.q_sample(cosine, x0, t, eps)
    asked = [kind.target(cosine, x0, x_t, t, eps) for kind in (prediction.EPS, prediction.X0, prediction.V)]
    return grey(torch.stack([x_t, *asked], dim=1).flatten(0, 1).clamp(-1, 1), 4)


def twenty_and_a_thousand() -> Image.Image:
    """Garments from the same noise: above in 20 calls of the network, below in 1000."""
    model, labels = results.model("fashion32"), torch.tensor([0, 1, 2, 3, 5, 7, 8, 9])
    how = {"labels": labels, "sampler": "ddim1", "seed": 1}
    rows = [sampler.draw(model, len(labels), steps=steps, **how) for steps in (20, 1000)]
    return grey(torch.cat(rows), len(labels))


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    times = opening()
    about = {"model": MODEL, "seed": SEED, "steps": STEPS, "size": [PICTURES, COLUMNS, SIDE], "times": times}
    (FOLDER / "opening.json").write_text(json.dumps(about) + "\n")
    seen = range(8)
    pictures = {
        "result-loss": cut("stall.png", 16, [3, 6], list(seen), scale=2),
        "result-club": cut("car_minutes.png", 32, [0, 3], list(seen), gap=0),
        "result-steps": twenty_and_a_thousand(),
        "00": cut("fashion32.png", 32, [0, 1], [0, 5, 8, 9], scale=2),
        "01": drowning(),
        "05": four_questions(),
        "07": cut("ablations.png", 16, [0, 3], [0, 1, 2, 3], scale=2),
        "08": cut("cars32.png", 32, [0, 1], [0, 1, 2, 3], scale=2),
        "09": cut("ancestral_garments.png", 32, [1, 4], [0, 1, 2, 3]),
        "10": cut("few_steps.png", 32, [5, 8], [0, 1, 2, 5], scale=2),
        "16": cut("beside_the_club.png", 32, [0, 2], [0, 2, 4, 9], gap=0),
    }
    pictures["social"] = social()
    for name, picture in pictures.items():
        picture.save(FOLDER / f"{name}.png", optimize=True)


def social() -> Image.Image:
    """What a link to the book shows elsewhere: the opening's pictures, in two rows on the dark page."""
    sheet, scale = Image.open(FOLDER / "opening.png").convert("RGB"), 2
    side = sheet.width // COLUMNS
    whole = Image.new("RGB", (1200, 630), "#121212")
    for k in range(PICTURES):
        row, column = divmod(k, COLUMNS)
        one = sheet.crop((column * side, row * side, (column + 1) * side, (row + 1) * side))
        place = (60 + column * (side * scale + 8), 175 + row * (side * scale + 24))
        whole.paste(one.resize((side * scale, side * scale), Image.Resampling.NEAREST), place)
    return whole


if __name__ == "__main__":
    main()
