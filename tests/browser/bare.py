"""A bare page for one figure or a few, without the book around them, and what to ask of their canvases."""

import base64
import re

import numpy as np
from axe_playwright_python.sync_playwright import Axe

PIXELS = """canvas => {
    const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return [canvas.width, canvas.height, btoa(Array.from(data, c => String.fromCharCode(c)).join(""))];
}"""
# What a notebook does with stored HTML: parse it away from the page, make its scripts anew, then attach it.
INSERT = """html => {
    const host = document.createElement("div");
    host.innerHTML = html;
    const renew = script => {
        const fresh = document.createElement("script");
        fresh.textContent = script.textContent;
        script.replaceWith(fresh);
    };
    host.querySelectorAll("script").forEach(renew);
    document.querySelector("main").append(host);
    host.querySelectorAll("script").forEach(renew);
}"""


def page_of(html, dark):
    """A whole page around the HTML of some figures, in the colours of the book's theme."""
    colours = "color-scheme: dark; background: #14181e; color: #ced6dd" if dark else "background: #fff; color: #222832"
    return (
        f'<!doctype html><html lang="en" style="{colours}"><meta charset="utf-8"><title>Figures</title>'
        f'<meta name="viewport" content="width=device-width"><body style="font-family: sans-serif">'
        f"<main><h1>Figures</h1>{html}</main></body></html>"
    )


def pixels(canvas):
    """A canvas as uint8 (height, width, 4)."""
    width, height, data = canvas.evaluate(PIXELS)
    return np.frombuffer(base64.b64decode(data), np.uint8).reshape(height, width, 4)


def move(slider, to):
    """Set a slider as a hand would, so that the figure notices."""
    slider.evaluate("(s, to) => { s.value = to; s.dispatchEvent(new Event('input')); }", to)


def dragged(page, slider, *shares):
    """Press the slider at the first share of its way and drag it to the others; yields at each of these, still pressed
    but at the last."""
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    x, y = [box["x"] + 8 + share * (box["width"] - 16) for share in shares], box["y"] + box["height"] / 2
    page.mouse.move(x[0], y)
    page.mouse.down()
    for k, to in enumerate(x[1:], 2):
        page.mouse.move(to, y, steps=20)
        if k == len(x):
            page.mouse.up()
        yield


def tap(page, slider, share):
    """Touch the slider at a share of its way."""
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] * share, box["y"] + box["height"] / 2)


def faults(page, width):
    """What sticks out of the page, is too small for a finger, or breaks a rule of accessibility."""
    wide = page.evaluate("document.documentElement.scrollWidth")
    heights = [control.bounding_box()["height"] for control in page.locator("input, button").all()]
    return [
        *([f"{wide} px wide"] if wide > width else []),
        *[f"a control of {height} px" for height in heights if height < 44],
        *[violation["id"] for violation in Axe().run(page).response["violations"]],
    ]


def numbers(page, path):
    """The numbers of a drawn path."""
    return np.array([float(n) for n in re.findall(r"-?\d+(?:\.\d+)?", page.locator(path).get_attribute("d"))])


def cloud(page):
    """Where the points of a world are, (N, 2), in the figure's units."""
    return numbers(page, ".cloud").reshape(-1, 3)[:, :2] / [60, -60]  # each ends in h0


def tab_to(page, selector):
    """Press Tab until this has the focus, which must be seen."""
    for _ in range(40):
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not reach {selector}")
