"""Write book/front: what the first page shows of the book's results, with its numbers, and of its chapters.

python tools/front.py

book/intro.md takes these pieces in as they are. Their pictures are made by tools/front_pictures.py.
"""

import json
import math
import re
from html import escape
from pathlib import Path

import torch
import yaml

from ddpm_core import schedule
from ddpm_core.book import widgets
from ddpm_core.diffusion import gaussian

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "book" / "front"
PICTURES = "../_static/front"  # from a page of the book
GENERATOR = "book/generator"
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def found(name: str) -> dict:
    return json.loads((ROOT / "book" / "results" / f"{name}.json").read_text())


def mean(numbers: list[float]) -> float:
    return sum(numbers) / len(numbers)


def words(n: int) -> str:
    """A small number as a word."""
    return NUMBERS[n] if n < len(NUMBERS) else str(n)


def image(name: str, alt: str, width: int, height: int) -> str:
    """A picture of few pixels, enlarged as such, which comes when it is near the screen."""
    size = f'width="{width}" height="{height}" loading="lazy"'
    return f'<img class="pixels" src="{PICTURES}/{name}.png" alt="{alt}" {size} />'


# ---- The opening ---------------------------------------------------------------------------------------------


def opening() -> str:
    """The chain, and the buttons below it."""
    about = json.loads((ROOT / "book" / "_static" / "front" / "opening.json").read_text())
    label = "Cars that nobody built: a trained model turns noise into pictures. Drag to go back and forth."
    figure = widgets.opening(f"{PICTURES}/opening.webp", about["size"], about["times"], label=label, pixels=84)
    html = re.sub(r"scrub-[0-9a-f]{8}", "opening", figure._repr_html_())
    still = image("opening", "Sixteen cars, drawn by the model", 672, 168)
    buttons = '<a class="first" href="00-ten-minute-generator.html">Begin: a generator in ten minutes</a>'
    if GENERATOR in (ROOT / "_toc.yml").read_text().split():
        buttons += ' <a href="generator.html">The generator</a>'
    return f'<noscript>{still}</noscript>\n{html}\n<p class="front-buttons">{buttons}</p>\n'


def generator() -> str:
    """A small generator in the page: nothing comes with it but a button that says what a press would fetch."""
    garments = json.loads((ROOT / "book" / "_static" / "generator" / "models.json").read_text())["garments"]
    invitation = f"Draw garments in this page ({garments['bytes'] / 1e6:.1f} MB)"
    settings = 'data-compact data-settings="model=garments&amp;label=each&amp;n=4"'
    start = '<script type="module" src="../_static/generator/start.mjs"></script>'
    more = '<p><a href="generator.html">The whole generator</a> has more: cars, captions, a drawing of your own.</p>'
    return f'<div class="ddpm-generator" {settings} data-invitation="{invitation}"></div>\n{start}\n{more}\n'


# ---- Three results -------------------------------------------------------------------------------------------


def stalled() -> tuple[str, str]:
    """Chapter 6: the loss stands still while the pictures become better."""
    runs = found("stall")["results"]["runs"]
    first, last = (
        {
            "step": look["step"],
            "loss": mean([dict(run["loss"])[look["step"]] for run in runs]),
            "frechet": mean([run["looks"][k]["frechet"] for run in runs]),
        }
        for k, look in ((k, runs[0]["looks"][k]) for k in (3, -1))
    )
    times, share = first["frechet"] / last["frechet"], 1 - last["loss"] / first["loss"]
    assert times > 5 and share < 0.35, "the first page says that the loss hardly moves while the pictures become better"
    return (
        f"The loss hardly moves, the pictures get {words(math.floor(times))} times better",
        f"From step {first['step']} to step {last['step']} of a training the loss falls by {100 * share:.0f} %, and "
        "its curve looks flat. The Fréchet distance of the samples to real digits falls from "
        f"{first['frechet']:.1f} to {last['frechet']:.1f}. These are means of {words(len(runs))} seeds. "
        f"Above: step {first['step']}, below: step {last['step']}, from the same noise.",
    )


def club() -> tuple[str, str]:
    """Chapter 16: the club's network and ours, the same minutes on the same device."""
    about = found("car_minutes")
    theirs, ours = about["results"]["club"], list(about["results"]["steps"].values())[-1]
    times = theirs["frechet"] / ours["solved"]["frechet"][0]
    device = " ".join(about["device"].split()[:2])
    assert 0.8 < theirs["minutes"] / ours["minutes"] < 1.1 and times > 3
    return (
        "2024 and now, from the same noise",
        f"Above, the network that a student club designed in 2024; below, this book’s. Each was trained for about "
        f"{words(round(ours['minutes']))} minutes on an {device}, on the same "
        f"{round(theirs['images'] / theirs['epochs']):,} cars. In Fréchet distance ours comes {words(round(times))} "
        "times nearer to real ones.",
    )


def twenty() -> tuple[str, str]:
    """Chapter 10: twenty calls of the network do what a thousand did."""
    results = found("few_steps")["results"]
    row, seconds = results["rows"]["fashion32"]["eta 1"], results["seconds"]["fashion32"]["eta 1"]
    (few, _), (many, spread) = row["20"]["frechet"], row["1000"]["frechet"]
    assert few <= many + spread, "the first page says that twenty steps do what a thousand did"
    return (
        "Twenty steps for a thousand",
        f"Garments drawn in 20 calls of the network are as near to real ones as those drawn in 1000: "
        f"{few:.1f} and {many:.1f} in Fréchet distance, with {spread:.1f} between one draw of the noise and the next. "
        f"They are there {seconds['1000'] / seconds['20']:.0f} times sooner. Above: 20 calls, below: 1000, from the "
        "same noise.",
    )


RESULTS = [
    (stalled, "loss", "06-simple-loss", "Two rows of eight digits, smeared above, clear below"),
    (club, "club", "16-club-model", "Two rows of eight cars, smears above, cars with wheels and windows below"),
    (twenty, "steps", "10-few-steps", "Two rows of eight garments of the same kinds, alike in sharpness"),
]


def three_results() -> str:
    parts = []
    for tell, picture, chapter, alt in RESULTS:
        title, text = tell()
        number = int(chapter.split("-")[0])
        shown = image(f"result-{picture}", alt, 672, 168)
        parts.append(
            f'<div class="front-result">{shown}<div><h3>{title}</h3><p>{text} '
            f'<a href="{chapter}.html">Chapter {number}</a></p></div></div>'
        )
    return "\n".join(parts) + "\n"


# ---- The chapters --------------------------------------------------------------------------------------------


def curve(ys: list[float], ink: str, extra: str = "") -> str:
    """A line across a card, from heights in 0..1."""
    points = " ".join(f"{200 * k / (len(ys) - 1):.1f},{94 - 86 * y:.1f}" for k, y in enumerate(ys))
    return f'<polyline points="{points}" fill="none" stroke="{ink}" stroke-width="3" {extra}/>'


def schedules() -> str:
    """How much of the picture is left, sqrt(alpha_bar_t), on two schedules."""
    kept = [made(1000).alpha_bar.sqrt()[::25].tolist() for made in (schedule.linear, schedule.cosine)]
    return curve(kept[0], "currentColor", 'stroke-dasharray="7 5"') + curve(kept[1], "var(--clean)")


def posterior() -> str:
    """What x_0 says of x_{t-1}, what x_t says, and both together, in chapter 3's figure at its start."""
    cosine, x = schedule.cosine(16), torch.linspace(-3, 3, 81, dtype=torch.float64)
    t, x0, x_t = torch.tensor([9]), torch.tensor([0.8], dtype=torch.float64), torch.tensor([-0.5], dtype=torch.float64)
    of_x0 = gaussian.q_sample(cosine, x0, t - 1, torch.zeros_like(x0)), 1 - cosine.alpha_bar[8]
    of_x_t = x_t / cosine.alpha[9].sqrt(), cosine.beta[9] / cosine.alpha[9]
    both = gaussian.q_posterior(cosine, x0, x_t, t)
    curves = [(-((x - m) ** 2) / (2 * v)).exp() / v**0.5 for m, v in (of_x0, of_x_t, both)]
    top = float(max(c.max() for c in curves))
    inks = [("var(--clean)", ""), ("var(--noisy)", 'stroke-dasharray="7 5"'), ("currentColor", "")]
    return "".join(curve((c.flatten() / top).tolist(), *ink) for c, ink in zip(curves, inks, strict=True))


def bound() -> str:
    """The terms of the digits' bound as shares of it."""
    bits = found("digits-evaluated")["results"]["rows"]["bits_per_dim"]
    left, parts = 8.0, []
    for name, ink in (("L_t", "var(--noisy)"), ("L_0", "var(--clean)")):
        width = 184 * bits[name] / bits["bound"]
        below = f'<tspan dy="4" font-size="11">{"1…T−1" if name == "L_t" else "0"}</tspan>'
        place = f'x="{left:.1f}" y="84" font-size="15" fill="currentColor"'
        parts.append(f'<rect x="{left:.1f}" y="34" width="{width - 2:.1f}" height="30" fill="{ink}" />')
        parts.append(f'<text {place}><tspan font-style="italic">L</tspan>{below}</text>')
        left += width
    return "".join(parts)


def loss_and_samples() -> str:
    """The loss of a training, and on a logarithmic scale the distance of its samples."""
    run = found("stall")["results"]["runs"][0]
    loss = [value for _, value in run["loss"]]
    looks = [math.log(look["frechet"]) for look in run["looks"]]
    low, high = min(looks), max(looks)
    lines = curve([value / loss[0] for value in loss], "currentColor", 'stroke-dasharray="7 5"')
    return lines + curve([(value - low) / (high - low) for value in looks], "var(--accent)")


DRAWN = {"02": schedules, "03": posterior, "04": bound, "06": loss_and_samples}


def chapters() -> list[tuple[str, list[str]]]:
    """(part, [page, ...]) of the table of contents, chapters alone."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    parts = [
        (part["caption"], [entry["file"].removeprefix("book/") for entry in part["chapters"]]) for part in toc["parts"]
    ]
    return [(caption, kept) for caption, pages in parts if (kept := [page for page in pages if page[:2].isdigit()])]


def title_and_question(page: str) -> tuple[str, str]:
    """A chapter's title without its number, and the question below it."""
    text = (ROOT / "book" / "src" / f"{page}.md").read_text("utf-8")
    title = re.search(r"^# \d+\. (.*)$", text, re.M)[1]
    question = re.search(r"^\*([^*]+)\*$", text[text.index("\n# ") :], re.M | re.S)
    return title, " ".join(question[1].split()) if question else ""


def picture(page: str) -> str:
    """A chapter's picture; its number where it has none."""
    number = page[:2]
    if number not in DRAWN and (ROOT / "book" / "_static" / "front" / f"{number}.png").is_file():
        return image(number, "", 200, 100)
    big = f'<text x="100" y="70" font-size="60" text-anchor="middle" fill="currentColor">{int(number)}</text>'
    drawing = DRAWN[number]() if number in DRAWN else big
    return f'<svg viewBox="0 0 200 100" aria-hidden="true">{drawing}</svg>'


def cards() -> str:
    parts = []
    for caption, pages in chapters():
        parts.append(f'<p class="front-part">{escape(caption)}</p>\n<ul class="front-cards">')
        for page in pages:
            title, question = title_and_question(page)
            inside = f"{picture(page)}<strong>{int(page[:2])}. {escape(title)}</strong><span>{escape(question)}</span>"
            parts.append(f'<li><a href="{page}.html">{inside}</a></li>')
        parts.append("</ul>")
    return "\n".join(parts) + "\n"


PIECES = {"opening.html": opening, "generator.html": generator, "results.html": three_results, "chapters.html": cards}

if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, written in PIECES.items():
        (FOLDER / name).write_text(written(), "utf-8")
