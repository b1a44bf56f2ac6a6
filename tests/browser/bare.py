"""A bare page for one figure or a few, without the book around them, and what to ask of their canvases."""

import base64

import numpy as np

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
