"""The generator in the page: held to Python number by number, and driven as a reader would."""

import base64
import hashlib
import io
import json
import re
from dataclasses import replace
from functools import partial
from urllib.parse import quote, urlsplit

import bare
import numpy as np
import onnxruntime
import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from serving import HTML, Quiet, served

from ddpm_core import sampler, schedule
from ddpm_core.cli import main
from ddpm_core.diffusion import timesteps
from ddpm_core.diffusion.model import Model
from ddpm_core.diffusion.noise import one_each, standard_normal
from ddpm_core.diffusion.pixels import to_uint8
from ddpm_core.diffusion.prediction import V
from ddpm_core.networks.conditioning import encode, tokenize
from ddpm_core.storage import checkpoint
from ddpm_core.unet import UNet
from generator import build, models
from generator.models import CAPTION

ADDRESS = "/book/generator.html"
PARITY = """async ([file, settings]) => {
    const from = (name) => import(new URL(`../_static/generator/${name}.mjs`, location));
    const { read } = await from("checkpoint"), { compile, UNet } = await from("unet"), { draw } = await from("drawing");
    const bytes = async (name) => (await fetch(new URL(`../_static/${name}`, location))).arrayBuffer();
    const model = read(await bytes(file));
    const net = new UNet(await compile(await bytes("generator/kernels.wasm")), model, settings.n, ...model.about.size);
    return [...draw(net, model, settings)].map(({ t, x }) => [t, Array.from(x)]);
}"""


class Open(Quiet):
    """A server whose files other sites may read."""

    def end_headers(self):
        self.send_header("Access-Control-Allow-Origin", "*")
        super().end_headers()


@pytest.fixture
def plain(page):
    """The generator's page before anybody has pressed a button."""
    return page(ADDRESS)


def drawn(open_page, address=ADDRESS, **options):
    """The page after the press, with its first drawing finished."""
    opened = open_page(address, **options)
    opened.locator(".begin").click()
    finished(opened)
    return opened


def told(opened, words):
    """Wait until the generator says these words."""
    status = "document.querySelector('.ddpm-generator .status')?.textContent"
    opened.wait_for_function(f"{status}.includes('{words}')")


def finished(opened):
    told(opened, "Drawn in")


def said(opened):
    return opened.locator(".ddpm-generator .status").text_content()


def canvas(opened, selector=".pictures"):
    address = opened.evaluate(f"document.querySelector('{selector}').toDataURL()")
    png = base64.b64decode(address.split(",")[1])
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


STEMS = pytest.mark.parametrize("stem", ["digits", "fashion32", "cars32-gpu", "shapes"])


def asking(network, n):
    """(settings of the page, labels in Python): classes in turn, a caption or nothing; guidance where it pulls."""
    settings, labels = {"label": None, "caption": ""}, None
    if network.num_classes:
        settings["label"], labels = "each", sampler.balanced_labels(n, network.num_classes)
    if network.vocabulary:
        settings["caption"], labels = CAPTION, encode([CAPTION] * n, network.vocabulary)
    return settings | {"n": n, "guidance": 1.5 * (labels is not None)}, labels


@STEMS
@pytest.mark.parametrize(
    "name, eta, key",
    [("dpm", 0, "dpm"), ("ddim", 0, "ddim"), ("ddim", 1, "ddim1"), ("ddim", 0.5, "half"), ("ddpm", 0, "ddpm")],
)
def test_every_step_of_a_chain_is_that_of_python(plain, stem, name, eta, key, monkeypatch):
    """From the same seed, with guidance where the model knows classes or words; in the weights of the file, halves."""
    monkeypatch.setitem(sampler.SAMPLERS, "half", partial(sampler.ddim, eta=0.5))
    model = checkpoint.load(f"book/results/{stem}.safetensors")
    asked, labels = asking(model.network, 2)
    found = plain.evaluate(
        PARITY, [f"{stem}.safetensors", asked | {"steps": 20, "sampler": name, "eta": eta, "seed": 11}]
    )
    how = dict(labels=labels, steps=20, sampler=key, guidance=asked["guidance"], seed=11)
    same(found, sampler.trajectory(model, 2, **how))


@pytest.fixture(scope="module")
def refereed(tmp_path_factory):
    """refereed(stem): a model of the shelf whose network is its ONNX file, computed by onnxruntime; made once."""
    folder, made = tmp_path_factory.mktemp("onnx"), {}

    def give(stem):
        if stem not in made:
            source, out = f"book/results/{stem}.safetensors", str(folder / f"{stem}.onnx")
            assert main(["export", source, "--onnx", "--out", out]) == 0
            session = onnxruntime.InferenceSession(out, providers=["CPUExecutionProvider"])
            made[stem] = session, checkpoint.load(source)
        session, model = made[stem]

        def network(x_t, t, labels=None):
            given = {"x_t": x_t.contiguous(), "t": t}
            if model.network.label is not None:
                given["labels"] = model.network.label.nothing(len(t), "cpu") if labels is None else labels
            return torch.from_numpy(session.run(None, {name: value.numpy() for name, value in given.items()})[0])

        return replace(model, network=network), model.network

    return give


@STEMS
@pytest.mark.parametrize("name", ["dpm", "ddim", "ddpm"])
def test_every_step_of_a_chain_is_that_of_onnxruntime(plain, stem, name, refereed):
    """A referee that has no line of the page's engine, nor of PyTorch: the network is its, the way Python's."""
    model, network = refereed(stem)
    asked, labels = asking(network, 2)
    found = plain.evaluate(
        PARITY, [f"{stem}.safetensors", asked | {"steps": 20, "sampler": name, "eta": 0, "seed": 11}]
    )
    same(found, way(model, network, 2, labels, asked["guidance"], 20, name, 11))


@STEMS
def test_what_the_worker_sends_to_the_page_is_what_onnxruntime_draws(page, stem, refereed):
    """To a shade of the 256."""
    model, network = refereed(stem)
    asked, labels = asking(network, 1)
    (name,) = (name for name, (_, file, _) in models.OFFERED.items() if file == stem)
    label = asked["label"] or "none"
    link = f"model={name}&n=1&label={label}&caption={quote(asked['caption'])}&guidance={asked['guidance']}"
    opened = drawn(page, f"{ADDRESS}#{link}&steps=20&sampler=dpm&seed=12")
    (wanted,) = to_uint8(sampler.final(way(model, network, 1, labels, asked["guidance"], 20, "dpm", 12)))
    expected = wanted.permute(1, 2, 0).int().numpy()  # grey is three times the same in the page
    assert np.abs(canvas(opened) - expected).max() <= 1
    assert opened.log.complaints() == []


def way(model, network, n, labels, guidance, steps, name, seed):
    """`sampler.trajectory` for a network that is a function."""
    noise, times = one_each(seed, 0, n), timesteps.uniform(model.schedule, steps)
    x_T = standard_normal(torch.empty(n, network.in_channels, *model.about["size"]), noise)
    return sampler.SAMPLERS[name](model.denoiser(labels, guidance), model.schedule, x_T, times, generator=noise)


@pytest.mark.parametrize("caption", ["a green ring", "a", "", " ".join(["red", "ring"] * 8)])
def test_no_width_of_a_network_that_reads_is_built_in(plain, caption, tmp_path):
    """Weights at random, heads of six and ten channels, words asked for on two levels, captions short and full."""
    torch.manual_seed(0)
    words = ["a", "green", "red", "ring"]
    net = UNet(3, (24, 40), blocks=2, attention=[1], heads=4, vocabulary=words, cross_attention=[0, 1]).eval()
    for weight in net.parameters():  # also those that begin at zero
        torch.nn.init.normal_(weight, std=0.1)
    saved = tmp_path / "random.safetensors"
    checkpoint.export(saved, Model(net, schedule.cosine(100), V, {"size": [8, 16]}))
    plain.route("**/random.safetensors", lambda route: route.fulfill(body=saved.read_bytes()))
    settings = {"n": 2, "steps": 10, "sampler": "ddim", "eta": 0, "guidance": 2 * bool(caption), "seed": 3}
    found = plain.evaluate(PARITY, ["random.safetensors", settings | {"label": None, "caption": caption}])
    labels = encode([caption] * 2, words) if caption else None
    told = dict(labels=labels, guidance=settings["guidance"]) if caption else {}
    same(found, sampler.trajectory(checkpoint.load(saved), 2, steps=10, sampler="ddim", seed=3, **told))


def same(found, wanted):
    """Times are equal, numbers to 1e-3 over the whole chain."""
    for (t, x), (time, numbers) in zip(wanted, found, strict=True):
        assert t == time
        assert (torch.tensor(numbers) - x.flatten()).abs().max() < 1e-3


SAID = (
    "A red car isn't blue.", "  two\tspaces\n", "l\u2019\u00e9t\u00e9", "e\u0301te\u0301", "--well-known--'", "",
    "\U0001f697", "3 cars, 2\u00bd", "<b>x</b>", "\u0e20\u0e32\u0e29\u0e32 \u6f22\u5b57",
    "GRO\u1e9eE \u03a3\u039f\u03a3",
)  # fmt: skip


@pytest.mark.parametrize("caption", SAID)
def test_words_are_told_apart_as_in_python(plain, caption):
    found = plain.evaluate(
        """async (caption) => {
            const { tokenize } = await import(new URL("../_static/generator/text.mjs", location));
            return tokenize(caption);
        }""",
        caption,
    )
    assert found == tokenize(caption)


def test_the_noise_is_that_of_python(plain):
    """Also for seeds of more than 32 and 53 bits, and for the hash on which all of it rests."""
    seeds = ["0", "1", "4294967296", "9007199254740991", "9223372036854775808"]
    numbers = plain.evaluate(
        """async (seeds) => {
            const { oneEach, standardNormal } = await import(new URL("../_static/generator/noise.mjs", location));
            return seeds.map((seed) => Array.from(standardNormal(oneEach(BigInt(seed), 5), 3072)));
        }""",
        seeds,
    )
    for seed, found in zip(seeds, numbers, strict=True):
        wanted = standard_normal(torch.empty(1, 3072), one_each(int(seed), 5, 1)).flatten()
        assert (torch.tensor(found) - wanted).abs().max() < 1e-5


@pytest.mark.parametrize("length", [0, 1, 55, 56, 64, 1000])
def test_the_hash_is_sha256(plain, length):
    message = bytes(k % 251 for k in range(length))
    found = plain.evaluate(
        """async (bytes) => {
            const { hex, sha256 } = await import(new URL("../_static/generator/noise.mjs", location));
            return hex(sha256(Uint8Array.from(bytes)));
        }""",
        list(message),
    )
    assert found == hashlib.sha256(message).hexdigest()


def test_nothing_comes_before_the_press(plain):
    loaded = plain.evaluate("performance.getEntriesByType('resource').map((entry) => entry.name)")
    ours = [name.split("/_static/generator/")[1] for name in loaded if "/_static/generator/" in name]
    assert sorted(ours) == ["garments.png", "start.mjs"]
    assert not any(name.endswith(".safetensors") for name in loaded)
    assert plain.log.complaints() == []


def test_the_page_draws_what_python_draws(page):
    opened = drawn(page, ADDRESS + "#model=digits&label=each&n=16&steps=20&sampler=dpm&guidance=1&seed=4")
    model = checkpoint.load("book/results/digits.safetensors")
    images = sampler.draw(model, 16, labels=sampler.balanced_labels(16, 10), steps=20, guidance=1.0, seed=4)
    wanted = images.reshape(4, 4, 8, 8).permute(0, 2, 1, 3).reshape(32, 32)
    found = canvas(opened)
    assert found.shape == (32, 32, 3) and np.abs(found[..., 0] - wanted.int().numpy()).max() <= 1
    assert opened.log.complaints() == []


def test_a_typed_caption_is_drawn_as_python_draws_it(page):
    opened = drawn(page, ADDRESS + "#model=shapes&n=1&steps=2")
    caption = "a small blue ring at the top on black"
    opened.get_by_role("textbox", name="Caption").fill(caption)
    for name, value in {"Steps": "12", "Guidance": "3", "Seed": "5"}.items():
        opened.get_by_label(name).fill(value)
    opened.get_by_label("Seed").press("Enter")
    opened.wait_for_function("document.querySelector('.scrub output').textContent === '12 of 12, t = 0'")
    model = checkpoint.load("book/results/shapes.safetensors")
    labels = encode([caption], model.network.vocabulary)
    (wanted,) = sampler.draw(model, 1, labels=labels, steps=12, guidance=3.0, seed=5)
    found = canvas(opened)
    assert np.abs(found - wanted.permute(1, 2, 0).int().numpy()).max() <= 1
    finished(opened)
    opened.locator(".link").click()
    address = re.sub("^[^/]*//[^/]*", "", opened.url)
    assert (canvas(drawn(page, address)) == found).all()
    assert opened.log.complaints() == []


@pytest.mark.parametrize(
    "caption, sentence",
    [
        ("a red dog", "The model has never read “dog”: it knows "),
        ("a cat, a dog, a mouse, a horse", "The model has never read “cat”, “dog”, “mouse” and 1 more: it knows "),
        ("red " * 17, "A caption has at most 16 words, but this one has 17."),
        ("a" * 100_000, "A caption has at most 200 letters, but this one has 100000."),
        ("\U0001f697\U0001f697", "There is no word in this caption."),
        ("<img src=x onerror=alert(1)>", "The model has never read “img”, “src”, “x” and 3 more: it knows "),
    ],
)
def test_a_caption_that_cannot_be_read_is_a_sentence_while_one_types(page, caption, sentence):
    opened = drawn(page, ADDRESS + "#model=shapes&n=1&steps=2")
    field, heard = opened.get_by_role("textbox", name="Caption"), opened.locator(".heard")
    assert heard.text_content() == "" and field.get_attribute("aria-invalid") == "false"
    field.fill(caption)
    assert heard.text_content().startswith(sentence) and field.get_attribute("aria-invalid") == "true"
    assert field.get_attribute("aria-describedby") == heard.get_attribute("id")
    before = canvas(opened)
    opened.locator(".go").click()  # nothing is drawn of it
    assert said(opened).startswith(sentence) and (canvas(opened) == before).all()
    field.fill("")
    assert heard.text_content() == "No caption: the model draws whatever comes."
    assert not opened.get_by_label("Guidance").is_visible()
    again = drawn(page, f"{ADDRESS}#model=shapes&n=1&steps=2&caption={quote(caption[:1000])}")
    assert sentence[:20] in said(again) and f"; “{CAPTION}” is taken." in said(again)
    assert opened.locator(".ddpm-generator img").count() == 0
    assert opened.log.complaints() == [] == again.log.complaints()


def test_a_caption_for_a_model_that_reads_none_is_said(page):
    assert "this model takes no caption" in said(drawn(page, ADDRESS + "#model=digits&n=1&steps=1&caption=a+red+ring"))


def test_one_goes_back_through_the_steps_and_looks_at_the_guess(page):
    opened = drawn(page, ADDRESS + "#model=digits&label=each&n=4&steps=10&seed=1")
    last, slider = canvas(opened), opened.locator(".scrub input")
    slider.focus()
    slider.press("Home")
    assert opened.locator(".scrub output").text_content() == "0 of 10, t = 1000"
    noise = canvas(opened)
    model = checkpoint.load("book/results/digits.safetensors")
    x_T = next(sampler.trajectory(model, 4, labels=torch.arange(4), seed=1))[1]
    assert np.abs(noise[:8, :8, 0] - to_uint8(x_T)[0, 0].int().numpy()).max() <= 1
    slider.press("ArrowRight")
    with_noise = canvas(opened)
    opened.get_by_label("the network's guess", exact=False).check()
    guess = canvas(opened)
    assert np.abs(guess - last).mean() < np.abs(with_noise - last).mean()  # the guess is nearer to the end
    slider.press("End")
    assert (canvas(opened) == last).mean() > 0.9  # at the end they are one
    assert "at t = 0" in opened.locator(".pictures").get_attribute("aria-label")


def test_a_drawing_of_ones_own_is_finished(page):
    opened = drawn(page, ADDRESS + "#model=garments&label=none&n=1&steps=10&seed=2")
    opened.locator(".own summary").click()
    finish, pad = opened.locator(".finish"), opened.locator(".pad")
    assert finish.is_disabled()  # nothing is drawn yet
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    opened.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + box["height"] * 0.2)
    opened.mouse.down()
    opened.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + box["height"] * 0.8, steps=5)
    opened.mouse.up()
    drawing = canvas(opened, ".pad")
    assert (drawing[8:24, 9] > 200).all() and (drawing[:, 20:] < 10).all()
    opened.locator(".from").fill("1")
    finish.click()
    finished(opened)
    assert np.abs(canvas(opened) - drawing).mean() < 12  # hardly any noise: hardly any change
    assert opened.locator(".scrub output").text_content().endswith("t = 0")
    opened.locator(".clear").click()
    assert finish.is_disabled() and canvas(opened, ".pad").max() < 10
    pad.focus()
    for key in ["Space", "Shift+ArrowLeft", "Shift+ArrowLeft"]:
        opened.keyboard.press(key)
    assert canvas(opened, ".pad").max() > 200 and finish.is_enabled()


def test_a_link_makes_the_same_picture_again(page):
    opened = drawn(page, ADDRESS + "#model=garments&label=3&n=1&steps=12&sampler=ddim&eta=0.5&guidance=2&seed=77")
    first = canvas(opened)
    opened.locator(".link").click()
    address = re.sub("^[^/]*//[^/]*", "", opened.url)
    assert "seed=77" in address and "eta=0.5" in address
    assert (canvas(drawn(page, address)) == first).all()


def test_a_link_brings_the_drawing_that_was_begun_with(page):
    opened = drawn(page, ADDRESS + "#model=cars&n=1&steps=10&seed=2")
    opened.locator(".own summary").click()
    opened.locator(".brush").select_option("red")
    opened.locator(".pad").click()
    opened.locator(".from").fill("500")
    opened.locator(".finish").click()
    opened.wait_for_function("document.querySelector('.scrub output').textContent.startsWith('5 of 5')")
    finished(opened)
    first = canvas(opened)
    opened.locator(".link").click()
    again = drawn(page, re.sub("^[^/]*//[^/]*", "", opened.url))
    assert (canvas(again) == first).all() and (canvas(again, ".pad") == canvas(opened, ".pad")).all()
    for harm in ("start=nonsense", "start=%3Cb%3E", "from=0", "from=x", "from=1001"):
        name = harm.split("=")[0]
        other = re.sub(f"{name}=[^&]*", harm, again.url)
        harmed = drawn(page, re.sub("^[^/]*//[^/]*", "", other))
        assert "The drawing in the link cannot be read" in said(harmed) and harmed.log.complaints() == []


@pytest.mark.parametrize(
    "link, sentence",
    [
        ("steps=0", "The number of steps must be a whole number from 1 to 250, but “0” was asked for; 20 is taken."),
        ("steps=10.7", "but “10.7” was asked for"),
        ("steps=x", "but “x” was asked for"),
        ("steps=nan", "but “nan” was asked for"),
        ("seed=9223372036854775808", "The seed must be a whole number"),
        ("seed=-1", "but “-1” was asked for"),
        ("eta=2", "The eta must be a number from 0 to 1"),
        ("guidance=1e9", "The guidance must be a number from 0 to 10"),
        ("guidance=", "but “” was asked for"),
        ("label=12", "The class must be one of none, each, 0"),
        ("n=5", "The number of pictures must be one of 1, 4, 16"),
        ("sampler=%3Cimg%20src=x%20onerror=alert(1)%3E", "but “<img src=x onerror=alert(1)>” was asked for"),
        ("model=trains", "There is no model “trains” here."),
        ("%00&&&==nonsense", "Drawn in"),
    ],
)
def test_nonsense_in_a_link_is_a_sentence_and_a_picture(page, link, sentence):
    model = "" if link.startswith("model") else "model=digits&"
    opened = drawn(page, f"{ADDRESS}#{model}n=1&{link}" if not link.startswith("n=") else f"{ADDRESS}#{model}{link}")
    assert sentence in said(opened)
    assert opened.locator(".ddpm-generator img").count() == 0 and opened.log.complaints() == []


def test_the_form_is_checked_like_a_link(page):
    opened = drawn(page, ADDRESS + "#model=digits&n=1&seed=1&steps=2")
    wrong = [("Steps", text) for text in ("many", "0", "10.7", "x", "nan", "1e1", "")]
    for name, text in [*wrong, ("Seed", str(2**63)), ("Guidance", "nan"), ("Guidance", "-1")]:
        opened.get_by_label(name).fill(text)
        opened.locator(".go").click()
        told(opened, f"but “{text}” was asked for")
        finished(opened)
        assert opened.get_by_label("Steps").input_value() == ("20" if name == "Steps" else "2")
        opened.get_by_label("Steps").fill("2")


@pytest.mark.parametrize("harm", ["cut short", "one byte changed", "missing"])
def test_a_harmed_model_is_refused_and_the_picture_from_beforehand_offered(page, harm):
    opened = page(ADDRESS)

    def harmed(route):
        if harm == "missing":
            return route.fulfill(status=404, body="")
        body = bytearray(route.fetch().body())
        body[len(body) // 2] ^= 1
        route.fulfill(body=bytes(body[:-500] if harm == "cut short" else body))

    opened.route("**/fashion32.safetensors", harmed)
    opened.locator(".begin").click()
    told(opened, "beforehand")
    assert opened.locator(".beforehand[src*='garments.png']").is_visible()
    assert ("the server answered 404" if harm == "missing" else "cut short or has changed") in said(opened)
    opened.unroute("**/fashion32.safetensors")
    opened.locator(".go").click()  # and once more, from the network as it is now
    finished(opened)
    assert opened.locator(".beforehand").count() == 0


@pytest.mark.parametrize(
    "file, sentence",
    [("kernels.wasm", "The engine did not start"), ("worker.mjs", "The drawing machine could not be started.")],
)
def test_a_harmed_engine_is_a_sentence_and_the_picture_from_beforehand(page, file, sentence):
    """One that is cut short; once it comes as it should, another press draws."""
    opened = page(ADDRESS)
    opened.route(f"**/{file}", lambda route: route.fulfill(response=(sent := route.fetch()), body=sent.body()[:-200]))
    opened.locator(".begin").click()
    told(opened, sentence)
    assert opened.locator(".beforehand[src*='garments.png']").is_visible()
    opened.unroute(f"**/{file}")
    opened.locator(".go").click()
    finished(opened)
    assert opened.locator(".beforehand").count() == 0


def test_without_a_network_the_first_press_says_what_to_do(page):
    opened = page(ADDRESS)
    opened.route("**/generator.mjs", lambda route: route.abort())
    opened.locator(".begin").click()
    told(opened, "The drawing machine could not be fetched. Load the page again when the network is there")
    assert opened.locator(".beforehand[src*='garments.png']").is_visible()
    opened.unroute("**/generator.mjs")
    opened.reload()
    opened.locator(".begin").click()
    finished(opened)


def test_without_https_the_page_checks_the_model_itself(page):
    """The browser's own SHA-256 is for pages that come by https: ours takes its place, and sees as much."""
    opened = page(ADDRESS + "#model=digits&n=1&steps=2")
    plain = "Object.defineProperty(crypto, 'subtle', { value: undefined });\n"
    opened.route("**/worker.mjs", lambda route: route.fulfill(response=(r := route.fetch()), body=plain + r.text()))
    opened.locator(".begin").click()
    finished(opened)
    opened.route(
        "**/fashion32.safetensors", lambda route: route.fulfill(body=bytes(models.shelf()["garments"]["bytes"]))
    )
    opened.get_by_label("Model").select_option("garments")
    told(opened, "cut short or has changed")
    assert opened.locator(".beforehand[src*='garments.png']").is_visible()


def test_without_webassembly_the_page_says_so(page):
    opened = page(ADDRESS)
    switched_off = "delete globalThis.WebAssembly;\n"
    opened.route(
        "**/worker.mjs", lambda route: route.fulfill(response=(r := route.fetch()), body=switched_off + r.text())
    )
    opened.locator(".begin").click()
    told(opened, "beforehand")
    assert "WebAssembly switched off" in said(opened)


def test_two_presses_at_once_and_a_stop(page):
    opened = drawn(page, ADDRESS + "#model=cars&n=16&steps=3&seed=1")
    opened.get_by_label("Steps").fill("200")
    opened.evaluate("document.querySelector('.other').click(); document.querySelector('.other').click()")
    opened.locator(".go:text('Stop')").click()
    assert "Stopped." in said(opened)
    opened.get_by_label("Steps").fill("3")
    opened.locator(".go").click()
    finished(opened)
    assert opened.locator(".scrub output").text_content() == "3 of 3, t = 0"


def test_another_model_brings_its_own_settings(page):
    opened = drawn(page, ADDRESS + "#model=garments&n=1&steps=5")
    assert opened.get_by_label("Class").is_visible()
    opened.get_by_label("Model").select_option("cars")
    opened.wait_for_function("document.querySelector('.pictures').width === 64")
    finished(opened)
    assert not opened.get_by_label("Class").is_visible() and not opened.get_by_label("Guidance").is_visible()


def test_whoever_comes_back_finds_it_working(page):
    """The browser may keep the page as it was left, but its worker is gone."""
    opened = drawn(page, ADDRESS + "#model=digits&n=1&steps=2&seed=1")
    opened.evaluate("dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }))")
    opened.get_by_label("Steps").fill("3")
    opened.locator(".go").click()
    opened.wait_for_function("document.querySelector('.scrub output').textContent === '3 of 3, t = 0'")
    assert opened.locator(".scrub output").text_content() == "3 of 3, t = 0"


def test_two_presses_on_the_first_button_open_one_generator(page):
    opened = page(ADDRESS + "#model=digits&n=1&steps=2")
    opened.evaluate("const button = document.querySelector('.begin'); button.click(); button.click()")
    finished(opened)
    assert opened.locator(".ddpm-generator form").count() == 1 and opened.log.complaints() == []


def test_leaving_the_page_while_it_fetches_leaves_nothing_behind(page):
    opened = page(ADDRESS)
    opened.route("**/fashion32.safetensors", lambda route: None)  # it never comes
    opened.locator(".begin").click()
    told(opened, "Fetching the model")
    opened.goto(opened.url.split("#")[0].replace("generator", "intro"))
    assert opened.log.complaints() == []


def test_leaving_the_page_while_it_draws_leaves_nothing_behind(page):
    opened = drawn(page, ADDRESS + "#model=digits&n=1&steps=2")
    opened.get_by_label("Steps").fill("250")
    opened.locator(".go").click()
    opened.goto(opened.url.split("#")[0].replace("generator", "intro"))
    assert opened.log.complaints() == []


def test_the_picture_is_saved_as_png(page):
    opened = drawn(page, ADDRESS + "#model=digits&n=4&steps=2&seed=9&label=none")
    with opened.expect_download() as download:
        opened.locator(".save").click()
    saved = np.asarray(Image.open(download.value.path()).convert("L"))
    assert download.value.suggested_filename == "digits-9.png"
    assert (saved[::32, ::32] == canvas(opened)[..., 0]).all() and saved.shape == (512, 512)


@pytest.mark.parametrize("width, scheme", [(1280, "light"), (390, "dark"), (320, "light")])
def test_it_fits_and_reads_well(page, width, scheme):
    opened = drawn(page, ADDRESS + "#model=garments&n=4&steps=3", width=width, color_scheme=scheme)
    opened.locator(".own summary").click()
    assert opened.evaluate("document.documentElement.scrollWidth <= innerWidth")
    box = opened.locator(".ddpm-generator").bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= width
    found = Axe().run(opened, context=".ddpm-generator").response["violations"]
    assert [(v["id"], v["nodes"][0]["html"]) for v in found] == []


def test_a_finger_draws_at_the_width_of_a_phone(page):
    opened = page(ADDRESS + "#model=garments&label=none&n=1&steps=4", width=390, height=844, has_touch=True)
    opened.locator(".begin").tap()
    finished(opened)
    opened.locator(".own summary").tap()
    pad = opened.locator(".pad")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    touch = opened.context.new_cdp_session(opened)
    for kind, share in [("touchStart", 0.2), ("touchMove", 0.5), ("touchMove", 0.8), ("touchEnd", None)]:
        points = [] if share is None else [{"x": box["x"] + box["width"] * share, "y": box["y"] + box["height"] * 0.5}]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    drawing = canvas(opened, ".pad")
    assert (drawing[16, 8:24] > 200).all() and drawing[:8].max() < 10  # a line across, and the page stood still
    opened.locator(".from").fill("1")
    opened.locator(".finish").click()
    opened.wait_for_function("document.querySelector('.scrub output').textContent === '1 of 1, t = 0'")
    assert np.abs(canvas(opened) - drawing).mean() < 12 and opened.log.complaints() == []


def test_with_the_keyboard_alone_a_caption_is_typed_drawn_and_looked_back_at(page):
    """From the button on: Tab reaches what is needed, in the order of the page."""
    opened = page(ADDRESS + "#model=shapes&n=4&steps=4")
    opened.locator(".begin").focus()
    opened.keyboard.press("Enter")
    finished(opened)
    bare.tab_to(opened, ".ddpm-generator [name=caption]")
    opened.keyboard.press("ControlOrMeta+a")
    opened.keyboard.type("a small blue ring")
    opened.keyboard.press("Enter")
    finished(opened)
    bare.tab_to(opened, ".ddpm-generator .scrub input")
    opened.keyboard.press("Home")
    assert opened.locator(".scrub output").text_content() == "0 of 4, t = 1000"
    opened.keyboard.press("End")
    bare.tab_to(opened, ".ddpm-generator [name=shown]:checked")
    opened.keyboard.press("ArrowDown")
    assert opened.locator("[name=shown][value=x0Hat]").is_checked()
    assert "4 guesses" in opened.locator(".pictures").get_attribute("aria-label")
    for selector in (".save", ".link", ".own summary"):
        bare.tab_to(opened, f".ddpm-generator {selector}")
    opened.keyboard.press("Enter")
    bare.tab_to(opened, ".ddpm-generator .pad")
    opened.keyboard.press("Space")
    bare.tab_to(opened, ".ddpm-generator .finish")


def test_everything_has_a_name_for_a_screen_reader(page):
    opened = drawn(page, ADDRESS + "#model=shapes&n=4&steps=2&sampler=ddim")
    opened.locator(".own summary").click()
    for role, name in [
        ("combobox", "Model"), ("textbox", "Caption"), ("combobox", "Pictures"), ("textbox", "Steps"),
        ("combobox", "Sampler"), ("textbox", "eta"), ("textbox", "Guidance"), ("textbox", "Seed"), ("slider", "Step"),
        ("radio", "the picture with its noise"), ("radio", "guess of the end"), ("button", "Save as PNG"),
        ("button", "Copy a link to this"), ("combobox", "Brush"), ("slider", "From t"), ("button", "Finish my drawing"),
        ("img", "4 finished pictures at t = 0"), ("img", "A drawing pad"),
    ]:  # fmt: skip
        assert opened.locator(".ddpm-generator").get_by_role(role, name=name).count() == 1, (role, name)


def test_nothing_on_it_moves_by_itself(page):
    """So there is nothing to still for readers who prefer less motion: no animation, no transition, no scroll."""
    opened = drawn(page, ADDRESS + "#model=digits&n=4&steps=2", reduced_motion="reduce")
    moving = """() => [...document.querySelectorAll('.ddpm-generator *')].filter((one) => {
        const { animationName, transitionDuration } = getComputedStyle(one);
        return animationName !== 'none' || parseFloat(transitionDuration) > 0;
    }).map((one) => one.outerHTML.slice(0, 80))"""
    assert opened.evaluate(moving) == []
    shown = canvas(opened)
    opened.wait_for_timeout(300)
    assert (canvas(opened) == shown).all()


SNIPPET = """<!doctype html><html lang="en"><meta charset="utf-8"><link rel="icon" href="data:,">
<title>A club</title><body><h1>Our club</h1>
{}</body></html>"""


def test_the_two_lines_work_on_a_page_of_another_site(browser, tmp_path):
    """As generator.md gives them, with the address of a book whose server lets other sites read."""
    text = (models.ROOT / "book" / "generator.md").read_text("utf-8")
    lines = re.search(r"```html\n(.*?)```", text, re.S)[1]
    assert lines.count("<") == 4  # a div and a script
    with served(HTML, Open) as book, served(tmp_path) as club:
        assert book != club
        html = SNIPPET.format(lines.replace("https://ADDRESS-OF-THE-BOOK", book))
        (tmp_path / "index.html").write_text(html, encoding="utf-8")
        with browser.new_context() as context:
            opened = context.new_page()
            errors, asked = [], []
            opened.on("pageerror", lambda error: errors.append(str(error)))
            opened.on("console", lambda message: message.type == "error" and errors.append(message.text))
            opened.on("request", lambda request: asked.append(urlsplit(request.url).path.split("/")[-1]))
            opened.goto(club + "/index.html#model=digits&n=1&steps=5&seed=3")
            opened.wait_for_load_state("networkidle")
            assert asked == ["index.html", "start.mjs"]  # before the press
            opened.get_by_role("button", name="Draw a picture").click()
            finished(opened)
            found = canvas(opened)
            assert errors == []
    model = checkpoint.load("book/results/digits.safetensors")
    (wanted,) = sampler.draw(model, 1, labels=torch.arange(1), steps=5, seed=3)
    assert np.abs(found[..., 0] - wanted[0].int().numpy()).max() <= 1


def test_a_small_one_draws_what_its_page_says(page):
    """That of the first page: garments; its form is a button, and the page's address does not meddle."""
    opened = drawn(page, "/book/intro.html#model=digits")
    assert canvas(opened).shape == (64, 64, 3)
    offered = opened.locator(".ddpm-generator :is(button, select, input):visible").all()
    assert [one.text_content() for one in offered] == ["Draw", "Another seed", "", "Save as PNG"]  # and a slider


def test_the_first_page_fetches_no_model_unasked(page):
    opened = page("/book/intro.html")
    asked = opened.evaluate("performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert [name.split("/")[-1] for name in asked if "/generator/" in name] == ["start.mjs"]
    assert not any(name.endswith(".safetensors") for name in asked)


def test_the_shelf_of_the_page_is_the_shelf(site):
    assert json.loads((models.PAGE / "models.json").read_text("utf-8")) == models.shelf()


def test_the_engine_is_what_its_source_says(tmp_path):
    """Compiled anew, the kernels are the committed ones, byte for byte."""
    build.build(tmp_path / "kernels.wasm")
    assert (tmp_path / "kernels.wasm").read_bytes() == build.WASM.read_bytes()


def test_what_the_page_says_of_a_slow_processor_was_measured():
    """To a quarter of a second, and within the five that a phone may take."""
    page = " ".join((models.ROOT / "book" / "generator.md").read_text("utf-8").split())
    said = re.search(r"lent a quarter of one core drew a garment in twenty steps in ([\d.]+) s\.", page)
    before = re.search(r"Fetching and starting took ([\d.]+) s before that, at 50 Mbit/s", page)
    found = json.loads((models.SHELF / "in_the_page.json").read_text("utf-8"))["results"]
    assert found["share_of_a_core"] == 0.25 and found["mbit"] == 50
    for number, name in [(said, "slow_one_drawn_seconds"), (before, "slow_one_ready_seconds")]:
        assert abs(float(number[1]) - found[name][0]) < 0.25
    assert found["slow_one_drawn_seconds"][2] < 5


def test_what_the_page_says_of_its_size_is_so():
    """2.7 MB of model, an engine of 9 kB, from fewer than two hundred lines."""
    page = (models.ROOT / "book" / "generator.md").read_text("utf-8")
    megabytes = models.shelf()["garments"]["bytes"] / 1e6
    assert f"Fetch a model and draw ({megabytes:.1f} MB)" in page
    assert f"an engine of {build.WASM.stat().st_size / 1000:.0f} kB" in page
    lines = len((build.HERE / "kernels.c").read_text("utf-8").splitlines())
    assert "fewer than two hundred lines of C" in page and 150 < lines < 200
