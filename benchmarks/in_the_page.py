"""What the generator and the playground cost a reader, in Chromium. Run `make book` first.

python -m benchmarks.in_the_page [--turns 3]

Bytes are counted as they would come compressed by gzip. A network of 50 Mbit/s is played by the browser itself. A
processor four times slower is played by the system: it lends the whole browser a quarter of one core. Where it cannot
(that takes root on Linux), no such time is measured. The pages' policy is set aside: it would stop what waits here. The
spiral of the playground counts as learned when its points lie nearly as near as those of the exact answer:
`benchmarks.rig.spiral` says what that is.
"""

import argparse
import gzip
import statistics
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from experiments.common.results_file import Stopwatch, significant, write

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "browser"))

import chromium
from serving import HTML, served

from benchmarks.rig import slow, spiral

STATIC = HTML / "_static"
MBIT = 50
SHARE = 0.25  # of a core: a phone's worth
SPIRAL_SECONDS = 20  # of training, after which the spiral should be there
STATUS = "document.querySelector('.ddpm-generator .status').textContent"


def zipped(*names: str) -> int:
    """Bytes of these files of _static, each by gzip."""
    return sum(len(gzip.compress((STATIC / name).read_bytes())) for name in names)


def weights() -> dict[str, int]:
    """Bytes before the press, after it for garments, and of the playground's script."""
    machine = [
        path.name for path in (STATIC / "generator").iterdir() if path.suffix in (".mjs", ".wasm", ".css", ".json")
    ]
    machine = [f"generator/{name}" for name in machine if name != "start.mjs"]
    playground = [f"playground/{path.name}" for path in (STATIC / "playground").iterdir()]
    return {
        "before_the_press_bytes": zipped("generator/start.mjs"),
        "after_the_press_bytes": zipped("fashion32.safetensors", *machine),
        "playground_bytes": zipped(*playground),
    }


def drawing(page, link: str, mbit: float | None = None) -> tuple[float, float]:
    """(seconds from the press until the model is ready, seconds until the pictures are finished after that)."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("Network.enable")
    if mbit:
        speed = mbit * 1e6 / 8
        conditions = dict(offline=False, latency=20, downloadThroughput=speed, uploadThroughput=speed)
        devtools.send("Network.emulateNetworkConditions", conditions)
    page.goto(link)
    page.evaluate(
        """() => { window.marks = {}; new MutationObserver(() => {
            const said = document.querySelector('.ddpm-generator .status')?.textContent ?? '';
            for (const [name, word] of [['ready', 'Drawing'], ['done', 'Drawn in']])
                if (said.includes(word)) marks[name] ??= performance.now();
        }).observe(document.querySelector('.ddpm-generator'), {subtree: true, childList: true, characterData: true});
        document.querySelector('.begin').addEventListener('click', () => (marks.pressed = performance.now())); }"""
    )
    page.locator(".begin").click()
    page.wait_for_function("window.marks.done", timeout=120_000)
    marks = page.evaluate("marks")
    return (marks["ready"] - marks["pressed"]) / 1000, (marks["done"] - marks["ready"]) / 1000


def playing(page, link: str, seconds: float = 8) -> tuple[float, float]:
    """(steps of training, frames) a second."""
    page.goto(link)
    page.locator(".go").click()
    page.wait_for_function("parseInt(document.querySelector('.figures').textContent) > 50", timeout=60_000)
    page.evaluate("() => { window.frames_ = 0; (function on() { frames_++; requestAnimationFrame(on); })(); }")
    steps = "parseInt(document.querySelector('.figures').textContent)"
    before, began = page.evaluate(f"[{steps}, frames_]"), page.evaluate("performance.now()")
    page.wait_for_timeout(1000 * seconds)
    after, took = page.evaluate(f"[{steps}, frames_]"), (page.evaluate("performance.now()") - began) / 1000
    return (after[0] - before[0]) / took, (after[1] - before[1]) / took


def spiral_learned(browser, link: str, turns: int) -> dict:
    """After how many seconds of training the playground draws the spiral nearly as the exact answer does, and how
    nearly at the end; None where some turn never came so far."""
    found, ends = {factor: [] for factor in spiral.FACTORS}, []
    for _ in range(turns):
        with browser.new_context(bypass_csp=True) as context:
            seconds, steps, ratios = spiral.learning(context.new_page(), link, SPIRAL_SECONDS)
        ends.append((ratios[-1], steps[-1]))
        for factor in found:
            found[factor].append(spiral.since(seconds, ratios, factor))
    rows = {
        f"spiral_within_{factor:g}_seconds": None if None in waits else middle([(wait,) for wait in waits])[0]
        for factor, waits in found.items()
    }
    ratio, steps = middle(ends)
    return rows | {"spiral_ratio": ratio, "spiral_steps": steps, "spiral_seconds": SPIRAL_SECONDS}


def in_turn(playwright, path: str, link: str, mbit: float | None, turns: int) -> list[tuple[float, float]]:
    """`drawing` so many times, each in a browser that has never been there."""
    found = []
    with playwright.chromium.launch(executable_path=path, args=list(chromium.FLAGS), timeout=180_000) as browser:
        for _ in range(turns):
            with browser.new_context(bypass_csp=True) as context:
                context.set_default_timeout(180_000)
                found.append(drawing(context.new_page(), link, mbit))
    return found


def middle(turns: list[tuple[float, ...]]) -> list[list[float]]:
    """[median, least, most] of each number over the turns."""
    return [[significant(f(column)) for f in (statistics.median, min, max)] for column in zip(*turns, strict=True)]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=3)
    options, watch = parser.parse_args(arguments), Stopwatch("benchmarks.in_the_page", arguments)
    found: dict = weights()
    garment = "model=garments&label=8&n=1&steps=20&sampler=dpm&guidance=0&seed=1"
    caption = "model=shapes&n=1&steps=20&sampler=dpm&guidance=2&seed=1"
    many = garment.replace("n=1", "n=16")
    cases = {
        "one": (garment, MBIT),
        "sixteen": (many, None),
        "sixteen_guided": (many.replace("guidance=0", "guidance=1"), None),
        "caption": (caption, None),
    }
    path = chromium.find()
    with (
        served(HTML) as base,
        sync_playwright() as playwright,
        slow.program(path) as first,
        slow.program(path, SHARE) as slowed,
    ):
        first = first or path
        measured = {name: (*case, first) for name, case in cases.items()}
        if slowed:
            measured |= {f"slow_{name}": (*cases[name], slowed) for name in ("one", "caption")}
        for name, (settings, mbit, program) in measured.items():
            turns = in_turn(playwright, program, f"{base}/book/generator.html#{settings}", mbit, options.turns)
            found[f"{name}_ready_seconds"], found[f"{name}_drawn_seconds"] = middle(turns)
        with playwright.chromium.launch(executable_path=first, args=list(chromium.FLAGS)) as browser:
            turns = []
            for _ in range(options.turns):
                with browser.new_context(bypass_csp=True) as context:
                    turns.append(playing(context.new_page(), f"{base}/book/playground.html"))
            found["playground_steps_a_second"], found["playground_frames_a_second"] = middle(turns)
            found |= spiral_learned(browser, f"{base}/book/playground.html", options.turns)
            found["browser"] = f"Chromium {browser.version}"
    write("in_the_page", found | {"mbit": MBIT, "share_of_a_core": SHARE, "turns": options.turns}, watch)


if __name__ == "__main__":
    main()
