"""How heavy the built pages are, and how fast their scrubbers answer. Run `make book` first.

python -m benchmarks.pages
"""

import statistics
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from experiments.common.results_file import Stopwatch, write

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "browser"))

import chromium
from serving import HTML, listen, served, settle
from test_pages import weight

# Notes, for each input event of a slider, the milliseconds from the event to the frame that shows its effect.
WATCH = """slider => {
    window.waits = [];
    slider.addEventListener("input", event => requestAnimationFrame(() => setTimeout(
        () => waits.push(performance.now() - event.timeStamp))));
}"""


def drag(page, slider) -> list[float]:
    """Drag a slider over half of its way with the mouse; the waits in milliseconds."""
    slider.evaluate(WATCH)
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    page.mouse.move(box["x"] + 8, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=40)
    page.mouse.up()
    page.wait_for_timeout(200)
    return page.evaluate("waits")


def main() -> None:
    clock, rows = Stopwatch(), {}
    with served(HTML) as base, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.find(), args=list(chromium.FLAGS))
        for path in sorted((HTML / "book").glob("*.html")):
            page = listen(browser.new_page(viewport={"width": 1280, "height": 900}), base)
            page.goto(f"{base}/book/{path.name}")
            settle(page)
            waits = [drag(page, slider) for slider in page.locator(".ddpm-scrub input").all()]
            rows[path.stem] = {
                "kilobytes": round(weight(page)[0] / 1000),
                "scrubbers_median_ms": [round(statistics.median(w), 1) for w in waits],
                "scrubbers_slowest_ms": [round(max(w), 1) for w in waits],
            }
            print(path.stem, rows[path.stem])
            page.close()
        browser.close()
    note = "kilobytes: HTML and its own pictures, without what all pages share; ms: mouse move to the frame it shows"
    write("pages", {"pages": rows, "note": note}, clock)


if __name__ == "__main__":
    main()
