"""Generator and playground in Firefox: a press, and what appears is what Chromium shows."""

import base64
import io

import firefox as browsers
import numpy as np
import pytest
from PIL import Image

GENERATOR, PLAYGROUND = "/book/generator.html", "/book/playground.html"
DRAWN = "document.querySelector('.ddpm-generator .status')?.textContent.includes('Drawn in')"
STEPS = "parseInt(document.querySelector('.ddpm-playground .figures').textContent || 0)"
LOSSES = """const from = (name) => import(new URL(`../_static/playground/${name}.mjs`, location));
    const { Trainer } = await from("training"), { WORLDS } = await from("worlds");
    const settings = { schedule: "cosine", T: 1000, predict: "v", weight: "uniform", points: 0, seed: 1 };
    const trainer = new Trainer(settings, WORLDS.spiral);
    return Array.from({ length: 50 }, () => trainer.step());"""


@pytest.fixture(scope="module")
def firefox(tmp_path_factory):
    """One Firefox for these tests; they are skipped where there is none."""
    path = browsers.find()
    if path is None:
        pytest.skip(browsers.MISSING)
    with browsers.started(path, tmp_path_factory.mktemp("firefox")) as started:
        yield started


def pixels(address):
    """RGBA of a canvas, from its data address."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.split(",")[1]))).convert("RGBA")).astype(int)


@pytest.mark.parametrize(
    "link",
    [
        "model=digits&label=each&n=16&steps=20&guidance=1&seed=4",
        "model=garments&label=8&n=1&steps=20&sampler=ddpm&seed=1",
        "model=shapes&n=1&steps=10&seed=2",
    ],
)
def test_the_generator_draws_what_it_draws_in_chromium(firefox, site, page, link):
    picture = "document.querySelector('.ddpm-generator .pictures').toDataURL()"
    firefox.open(f"{site}{GENERATOR}#{link}")
    firefox.press(".ddpm-generator .begin")
    firefox.until(DRAWN)
    chromium = page(f"{GENERATOR}#{link}")
    chromium.locator(".begin").click()
    chromium.wait_for_function(DRAWN)
    found, wanted = pixels(firefox.ask(f"return {picture}")), pixels(chromium.evaluate(picture))
    assert found.shape == wanted.shape and wanted[..., :3].std() > 20
    assert np.abs(found - wanted).max() <= 1  # of 255: the two round exponentials differently
    assert firefox.errors() == []


def test_the_playground_trains_as_it_does_in_chromium(firefox, site, page):
    field = "document.querySelector('.ddpm-playground .field').toDataURL()"
    firefox.open(f"{site}{PLAYGROUND}")
    chromium = page(PLAYGROUND)
    there = f"{field}.length > 5000"
    firefox.until(there)
    chromium.wait_for_function(there)
    found, wanted = pixels(firefox.ask(f"return {field}")), pixels(chromium.evaluate(field))
    assert found.shape == wanted.shape and wanted[..., 3].mean() > 5  # the exact arrows are there
    assert (
        np.abs(found - wanted).mean() < 3 < np.abs(found - wanted[::-1, ::-1]).mean()
    )  # edges may be smoothed otherwise
    losses = firefox.ask(f"return (async () => {{ {LOSSES} }})()")
    assert np.allclose(losses, chromium.evaluate(f"async () => {{ {LOSSES} }}"), rtol=1e-6)
    firefox.press(".ddpm-playground .go")
    first, last = (f"+/{word} ([.\\d]+)/.exec(document.querySelector('.figures').textContent)?.[1]"
                   for word in ("first", "loss"))  # fmt: skip
    firefox.until(f"{STEPS} > 200 && {last} < 0.95 * {first}")
    firefox.press(".ddpm-playground .go")
    assert firefox.errors() == []
