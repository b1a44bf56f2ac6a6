"""The playground: its algebra is ddpm_core's, its training PyTorch's, its page works by hand and by link."""

import math
import re
from functools import partial
from urllib.parse import parse_qsl, urlsplit

import bare
import numpy as np
import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from torch import nn

from benchmarks.rig import spiral
from ddpm_core import sampler, schedule
from ddpm_core.diffusion import loss, mixture, timesteps
from ddpm_core.diffusion.prediction import EPS, X0, V

ADDRESS = "/book/playground.html"
PREDICT = {"eps": EPS, "x0": X0, "v": V}
WEIGHT = {"uniform": loss.uniform, "min-SNR": loss.min_snr(5.0), "bound": loss.vlb}
FROM = "const from = (name) => import(new URL(`../_static/playground/${name}.mjs`, location));"


@pytest.fixture(scope="module")
def script(browser, site):
    """A function that runs JavaScript with the playground's modules at hand: `from("network")` and so on."""
    opened = browser.new_page()
    opened.goto(site + "/book/intro.html")
    yield lambda body, argument=None: opened.evaluate(f"async (argument) => {{ {FROM} {body} }}", argument)
    opened.close()


def stretched(T):
    """The paper's linear schedule with its betas multiplied by 1000 / T, none above .999."""
    return schedule.linear(T, *(min(0.999, beta * 1000 / T) for beta in (1e-4, 0.02)))


@pytest.mark.parametrize("T", [10, 100, 1000])
@pytest.mark.parametrize(
    "name, make", [("linear", stretched), ("cosine", schedule.cosine), ("sigmoid", schedule.sigmoid)]
)
def test_the_tables_are_those_of_the_package(script, name, make, T):
    body = """const { SCHEDULES } = await from("diffusion"), { alphaBar, beta } = SCHEDULES[argument[0]](argument[1]);
        return [alphaBar, beta];"""
    alpha_bar, beta = script(body, [name, T])
    assert np.abs(np.array(alpha_bar) - make(T).alpha_bar.numpy()).max() < 1e-9
    assert np.abs(np.array(beta) - make(T).beta.numpy()).max() < 1e-9


@pytest.mark.parametrize("predict", PREDICT)
@pytest.mark.parametrize("weight", WEIGHT)
def test_targets_answers_and_weights_are_those_of_the_package(script, predict, weight):
    found = script(
        """const { PREDICTIONS, SCHEDULES, WEIGHTS } = await from("diffusion"), chain = SCHEDULES.cosine(1000);
        const { target, x0 } = PREDICTIONS[argument.predict];
        return argument.times.map((t) => {
            const a = Math.sqrt(chain.alphaBar[t]), s = Math.sqrt(1 - chain.alphaBar[t]), x = a * 0.7 + s * -1.3;
            const asked = target(a, s, 0.7, -1.3);
            return [asked, x0(a, s, asked, x), WEIGHTS[argument.weight](chain, t, argument.predict)];
        });""",
        {"predict": predict, "weight": weight, "times": [2, 40, 500, 990]},
    )
    cosine, t = schedule.cosine(1000), torch.tensor([2, 40, 500, 990])
    x0, eps = torch.full((4, 1), 0.7, dtype=torch.float64), torch.full((4, 1), -1.3, dtype=torch.float64)
    a = cosine.alpha_bar[t].sqrt()[:, None]
    target = PREDICT[predict].target(cosine, x0, a * x0 + (1 - a**2).sqrt() * eps, t, eps)
    weights = WEIGHT[weight](cosine, t, PREDICT[predict])
    for k, (asked, back, counted) in enumerate(found):
        assert math.isclose(asked, target[k, 0], rel_tol=1e-6, abs_tol=1e-9)
        assert math.isclose(back, 0.7, abs_tol=1e-6)
        assert math.isclose(counted, weights[k], rel_tol=1e-6)


@pytest.mark.parametrize("world", ["spiral", "moons", "rings", "letters"])
def test_the_exact_answer_is_that_of_the_package(script, world):
    body = """const { posteriorMean, SCHEDULES } = await from("diffusion"), { WORLDS } = await from("worlds");
        const { means, std } = WORLDS[argument.world], chain = SCHEDULES.cosine(1000);
        const found = argument.places.map(([x, y, t]) => posteriorMean(chain, means, std, x, y, t));
        return [means, std, found];"""
    generator = torch.Generator().manual_seed(3)
    places = torch.randn(40, 2, generator=generator, dtype=torch.float64) * 1.5
    t = torch.randint(1, 1000, (40,), generator=generator)
    asked = [[*place, int(time)] for place, time in zip(places.tolist(), t, strict=True)]
    means, std, found = script(body, {"world": world, "places": asked})
    K = len(means) // 2
    exact = mixture.isotropic([1 / K] * K, np.reshape(means, (K, 2)).tolist(), std)
    assert np.abs(np.array(found) - exact.posterior_mean(schedule.cosine(1000), places, t).numpy()).max() < 1e-5


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_a_step_is_that_of_the_package(script, eta):
    cosine = schedule.cosine(1000)
    x, x0, z = (torch.tensor([[v]], dtype=torch.float64) for v in (0.4, -0.9, 1.1))
    body = """const { SCHEDULES, STEPS } = await from("diffusion"), chain = SCHEDULES.cosine(1000);
        return argument.pairs.map(([t, prev]) => STEPS[argument.name](chain, 0.4, -0.9, t, prev, 1.1, argument.eta));"""
    pairs = [(1000, 980), (500, 400), (20, 0), (7, 6)]
    found = script(body, {"pairs": pairs, "name": "ddim", "eta": eta})
    for (t, prev), number in zip(pairs, found, strict=True):
        now, before = torch.tensor([t]), torch.tensor([prev])
        assert math.isclose(number, sampler.ddim_step(cosine, x, now, before, x0, z, eta), abs_tol=1e-9)
    ones = [(1000, 999), (500, 499), (2, 1), (1, 0)]
    found = script(body, {"pairs": ones, "name": "ddpm", "eta": 0})
    for (t, _), number in zip(ones, found, strict=True):
        assert math.isclose(number, sampler.ddpm_step(cosine, x, torch.tensor([t]), x0, z), abs_tol=1e-9)


def test_a_hundred_steps_of_training_are_those_of_pytorch(script):
    """From the same weights and batches; also the loss, the average and the features are held by it."""
    begun, batches, losses, ended = script(
        """const { Trainer } = await from("training"), { WORLDS } = await from("worlds");
        const settings = { schedule: "cosine", T: 1000, predict: "v", weight: "min-SNR", points: 0, seed: 5 };
        const trainer = new Trainer(settings, WORLDS.spiral), plain = (arrays) => arrays.map((a) => Array.from(a));
        const begun = plain(trainer.net.weights), batches = [], losses = [];
        for (let k = 0; k < 100; k++) {
            const batch = trainer.batch();
            batches.push(plain([batch.x0, batch.t, batch.eps]));
            losses.push(trainer.step(batch, 2e-3));
        }
        return [begun, batches, losses, plain(trainer.net.weights)];"""
    )
    sizes = [(64, 30), (64, 64), (2, 64)]
    layers = [nn.Linear(inside, out, dtype=torch.float64) for out, inside in sizes]
    for k, (layer, (out, inside)) in enumerate(zip(layers, sizes, strict=True)):
        layer.weight.data = torch.tensor(begun[2 * k], dtype=torch.float64).reshape(out, inside)
        layer.bias.data = torch.tensor(begun[2 * k + 1], dtype=torch.float64)
    body = nn.Sequential(layers[0], nn.SiLU(), layers[1], nn.SiLU(), layers[2])
    assert not layers[2].weight.any()  # the last layer begins at zero

    def net(x, t):
        u = t.double()[:, None] / 1000
        waves = math.pi * 2 ** (torch.arange(8, dtype=torch.float64) / 2) * u
        fine = [f(1.5 * 2**k * x[:, i : i + 1]) for k in range(3) for i in (0, 1) for f in (torch.sin, torch.cos)]
        return body(torch.cat([x, waves.sin(), waves.cos(), *fine], dim=1))

    cosine, adam = schedule.cosine(1000), torch.optim.Adam(body.parameters(), lr=2e-3, betas=(0.9, 0.99))
    for (x0, t, eps), wanted in zip(batches, losses, strict=True):
        x0, eps = (torch.tensor(v, dtype=torch.float64).reshape(-1, 2) for v in (x0, eps))
        now = loss.training_loss(net, cosine, x0, torch.tensor(t), eps, V, loss.min_snr(5.0))
        assert math.isclose(now.item(), wanted, rel_tol=1e-4)
        adam.zero_grad()
        now.backward()
        adam.step()
    for array, parameter in zip(ended, body.parameters(), strict=True):
        assert (torch.tensor(array) - parameter.detach().flatten()).abs().max() < 1e-4


def test_a_fixed_training_set_is_all_that_is_ever_seen(script):
    body = """const { Trainer } = await from("training"), { WORLDS } = await from("worlds");
        const settings = { schedule: "cosine", T: 100, predict: "eps", weight: "uniform", points: 8, seed: 1 };
        const trainer = new Trainer(settings, WORLDS.moons), seen = new Set();
        for (let k = 0; k < 20; k++) trainer.batch().x0.forEach((v) => seen.add(v));
        return [seen.size, trainer.data.length];"""
    assert script(body) == [16, 16]


def steps_of(opened):
    words = opened.locator(".ddpm-playground .figures").text_content().split()
    return int(words[0]) if words else 0


def test_it_trains_pauses_and_starts_anew(page):
    opened = page(ADDRESS)
    assert steps_of(opened) == 0
    opened.locator(".go").click()
    opened.wait_for_function("parseInt(document.querySelector('.figures').textContent) > 800", timeout=60_000)
    opened.locator(".go").click()
    opened.wait_for_timeout(400)
    paused = steps_of(opened)
    opened.wait_for_timeout(400)
    assert steps_of(opened) == paused
    figures = opened.locator(".ddpm-playground .figures").text_content()
    last, first = (float(number) for number in re.findall(r"(?:loss|first) ([\d.]+)", figures))
    assert last < first
    opened.locator(".again").click()
    opened.locator(".go").click()
    opened.wait_for_function(f"parseInt(document.querySelector('.figures').textContent) < {paused}", timeout=60_000)
    assert opened.log.complaints() == []


def test_what_tells_whether_the_spiral_is_learned_is_right_about_the_exact_answer(page):
    """Its points go astray as far as those of the package do on the same way; mere noise goes much farther."""
    found = page(ADDRESS).evaluate(spiral.DRAWN, [[], spiral.POINTS, 50])
    means, exact = (torch.tensor(found[name], dtype=torch.float64).reshape(-1, 2) for name in ("means", "exact"))
    world, cosine = mixture.isotropic([1 / 40] * 40, means.tolist(), 0.1), schedule.cosine(1000)
    x_T = torch.randn(spiral.POINTS, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    denoise, times = partial(world.posterior_mean, cosine), timesteps.uniform(cosine, 50)
    ours = sampler.final(sampler.ancestral(denoise, cosine, x_T, times, generator=torch.Generator().manual_seed(2)))
    wanted = spiral.distance(ours, means)
    assert math.isclose(spiral.distance(exact, means), wanted, rel_tol=0.06)
    assert spiral.distance(x_T, means) > 3 * wanted


def test_in_the_first_seconds_the_points_come_nearer_to_the_spiral(browser, site):
    with browser.new_context(bypass_csp=True) as context:
        seconds, steps, ratios = spiral.learning(context.new_page(), site + ADDRESS, 3)
    assert [int(second) for second in seconds] == sorted({int(second) for second in seconds}) and seconds[0] >= 1
    assert 0 < steps[0] < steps[1] < steps[2] and ratios[0] > ratios[2] > 1


def test_every_experiment_is_a_link_that_sets_the_knobs(page):
    opened = page(ADDRESS)
    links = opened.locator("a[href^='#world='], a[href^='#predict=']")
    assert links.count() >= 8
    for link in links.all():
        wanted = dict(pair.split("=") for pair in link.get_attribute("href")[1:].split("&"))
        link.click()
        opened.wait_for_function("document.querySelector('.ddpm-playground .go').textContent === 'Pause'")
        assert {name: opened.locator(f".ddpm-playground [name={name}]").input_value() for name in wanted} == wanted
        assert opened.locator(".ddpm-playground .status").text_content() == ""


@pytest.mark.parametrize(
    "link",
    [
        "world=moon", "T=0", "T=nan", "predict=constructor", "points=", "steps=%3Cimg%20src=x%3E", "steps=0",
        "steps=10.7", "steps=x", "steps=nan", "eta=-1", f"points={2**63}", "world=" + 100_000 * "a", "world=\U0001f697",
    ],
)  # fmt: skip
def test_nonsense_in_a_link_is_said_and_left_aside(page, link):
    opened = page(f"{ADDRESS}#{link}")
    name = link.split("=")[0]
    assert "is no choice for" in opened.locator(".ddpm-playground .status").text_content()
    assert opened.locator(f".ddpm-playground [name={name}]").input_value() in ("spiral", "1000", "50", "v", "0")
    assert opened.locator(".ddpm-playground img").count() == 0 and opened.log.complaints() == []


def test_two_presses_at_once_train_and_pause(page):
    opened = page(ADDRESS)
    opened.evaluate("const go = document.querySelector('.go'); go.click(); go.click()")
    assert opened.locator(".go").text_content() == "Train"
    opened.evaluate("const again = document.querySelector('.again'); again.click(); again.click()")
    opened.locator(".go").click()
    opened.wait_for_function("parseInt(document.querySelector('.figures').textContent) > 20", timeout=60_000)
    assert opened.log.complaints() == []


def test_leaving_the_page_while_it_trains_leaves_nothing_behind(page):
    opened = page(ADDRESS)
    opened.locator(".go").click()
    opened.wait_for_function("parseInt(document.querySelector('.figures').textContent) > 5", timeout=60_000)
    opened.goto(opened.url.replace("playground", "intro"))
    assert opened.log.complaints() == []
    opened.go_back()
    opened.locator(".go:text('Train'), .go:text('Pause')").wait_for()
    assert opened.log.complaints() == []


def test_a_training_that_cannot_be_started_is_a_sentence(page):
    opened = page("/book/intro.html")
    opened.route("**/playground/worker.mjs", lambda route: route.fulfill(body="import nonsense"))
    opened.goto(opened.url.replace("intro", "playground"))
    expect(opened.locator(".ddpm-playground .status")).to_contain_text("The training could not be started")


def test_a_world_of_ones_own(page):
    opened = page(f"{ADDRESS}#world=own")
    opened.locator(".go").click()
    assert "Nothing is drawn yet" in opened.locator(".ddpm-playground .status").text_content()
    field = opened.locator(".field")
    field.scroll_into_view_if_needed()
    box = field.bounding_box()
    opened.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.5 * box["height"])
    opened.mouse.down()
    opened.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 0.5 * box["height"], steps=20)
    opened.mouse.up()
    assert "points. Press Train." in opened.locator(".ddpm-playground .status").text_content()
    opened.locator(".go").click()
    opened.wait_for_function("parseInt(document.querySelector('.figures').textContent) > 20", timeout=60_000)
    opened.locator(".link").click()
    again = page(ADDRESS + opened.url[opened.url.index("#") :])
    again.locator(".go").click()
    again.wait_for_function("parseInt(document.querySelector('.figures').textContent) > 5", timeout=60_000)


def test_points_are_set_by_keyboard_alone(page):
    """From the first knob to the first steps of training, by Tab, arrows, space and Enter."""
    opened = page(ADDRESS)
    opened.locator("[name=world]").focus()
    opened.keyboard.press("End")  # the last choice
    bare.tab_to(opened, ".ddpm-playground .field")
    assert "space sets a point" in opened.locator(".field").get_attribute("aria-label")
    opened.keyboard.press("Space")
    for _ in range(4):
        opened.keyboard.press("Shift+ArrowRight")
    opened.keyboard.press("ArrowUp")
    opened.keyboard.press("Space")
    assert opened.locator(".ddpm-playground .status").text_content() == "6 points. Press Train."
    opened.locator("[name=world]").focus()
    bare.tab_to(opened, ".ddpm-playground .link")
    opened.keyboard.press("Enter")
    assert dict(parse_qsl(urlsplit(opened.url).fragment))["own"] == (
        "0.00,0.00,0.13,0.00,0.25,0.00,0.38,0.00,0.50,0.00,0.50,0.13"
    )
    opened.locator("[name=world]").focus()
    bare.tab_to(opened, ".ddpm-playground .go")
    opened.keyboard.press("Enter")
    opened.wait_for_function("parseInt(document.querySelector('.figures').textContent) > 5", timeout=60_000)
    opened.locator(".field").focus()
    opened.keyboard.press("Backspace")
    assert "Draw some points" in opened.locator(".ddpm-playground .status").text_content()


def test_a_finger_draws_a_world_at_the_width_of_a_phone(page):
    opened = page(ADDRESS + "#world=own", width=390, height=844, has_touch=True)
    field = opened.locator(".field")
    field.scroll_into_view_if_needed()
    box, before = field.bounding_box(), opened.evaluate("scrollY")
    touch = opened.context.new_cdp_session(opened)
    for kind, share in [("touchStart", 0.2), ("touchMove", 0.35), ("touchMove", 0.5), ("touchEnd", None)]:
        points = (
            [] if share is None else [{"x": box["x"] + box["width"] * share, "y": box["y"] + box["height"] * share}]
        )
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    assert opened.locator(".ddpm-playground .status").text_content() == "3 points. Press Train."
    assert opened.evaluate("scrollY") == before  # the page stood still
    opened.locator(".go").click()
    opened.wait_for_function("parseInt(document.querySelector('.figures').textContent) > 5", timeout=60_000)


@pytest.mark.parametrize(
    "own", ["", "1", "1,x", "9,9", "1,,2", "%3Cb%3E", "Infinity,0", ",".join(["1"] * 802), "1," * 50_000]
)
def test_nonsense_for_points_is_said(page, own):
    opened = page(f"{ADDRESS}#world=own&own={own}")
    opened.locator(".go").click()
    assert "Nothing is drawn yet" in opened.locator(".ddpm-playground .status").text_content()
    opened = page(f"{ADDRESS}#world=moons&own={own}")
    assert "The points of the link cannot be read" in opened.locator(".ddpm-playground .status").text_content()
    assert opened.log.complaints() == []


def test_a_link_to_a_heading_leaves_the_training_alone(page):
    opened = page(f"{ADDRESS}#world=moons")
    opened.evaluate("location.hash = '#five-experiments'")
    opened.wait_for_timeout(200)
    assert opened.locator("[name=world]").input_value() == "moons"
    assert opened.locator(".go").text_content() == "Train"


def test_everything_has_a_name_for_a_screen_reader(page):
    inside = page(ADDRESS + "#sampler=ddim").locator(".ddpm-playground")
    for role, names in {
        "combobox": ["World", "Training points", "Schedule", "T", "The network predicts", "Weight of the loss",
                     "Sampler", "eta of DDIM", "Steps back"],
        "button": ["Train", "Start anew", "Copy a link to this"], "slider": ["t"],
        "checkbox": ["show the exact answer"],
        "img": ["Arrows of the network", "points on their way back", "Loss over 0 steps"],
    }.items():  # fmt: skip
        assert inside.get_by_role(role).count() == len(names)
        for name in names:
            assert inside.get_by_role(role, name=name).count() >= 1, name


def test_who_prefers_less_motion_sees_no_points_on_their_way(page):
    """They are at the end of it at once, and stay until the training has something new to show."""
    opened = page(ADDRESS, reduced_motion="reduce")
    opened.wait_for_function("document.querySelector('.now').textContent.startsWith('t = 0:')")
    look = "document.querySelector('.flow').toDataURL()"
    shown = opened.evaluate(look)
    opened.wait_for_timeout(500)
    assert opened.evaluate(look) == shown
    opened.locator(".again").click()
    opened.evaluate(
        """() => { window.times = new Set(); new MutationObserver(() =>
            times.add(document.querySelector('.now').textContent)).observe(document.querySelector('.now'),
            {childList: true, characterData: true, subtree: true}); }"""
    )
    opened.locator(".go").click()
    opened.wait_for_function("parseInt(document.querySelector('.figures').textContent) > 50", timeout=60_000)
    assert opened.evaluate("[...times].filter((said) => !said.startsWith('t = 0:'))") == []


@pytest.mark.parametrize("width, scheme", [(1280, "light"), (390, "dark"), (320, "light")])
def test_it_fits_and_reads_well(page, width, scheme):
    opened = page(ADDRESS, width=width, color_scheme=scheme)
    opened.wait_for_timeout(300)
    assert opened.evaluate("document.documentElement.scrollWidth <= innerWidth")
    box = opened.locator(".ddpm-playground").bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= width
    assert opened.log.complaints() == []
    found = Axe().run(opened, context=".ddpm-playground").response["violations"]
    assert [(v["id"], v["nodes"][0]["html"]) for v in found] == []


def test_the_scripts_are_small_and_need_nothing(page):
    opened = page(ADDRESS)
    names = opened.evaluate("performance.getEntriesByType('resource').map((e) => [e.name, e.decodedBodySize])")
    ours = {name.split("/")[-1]: size for name, size in names if "/_static/playground/" in name}
    assert {"playground.mjs", "network.mjs", "diffusion.mjs"} <= set(ours) and sum(ours.values()) < 120_000
