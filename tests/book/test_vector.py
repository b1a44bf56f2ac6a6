"""A figure as a drawing: the same text each time, words as text, two widths, light enough for a page."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from ddpm_core.book import layout, vector

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def plotted():
    """plotted(rows, columns, size, **options): a figure with a line in each panel."""

    def make(rows=1, columns=1, size=(7, 3), **options):
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False, **options)
        for k, ax in enumerate(axes.flat):
            ax.plot([1, 2, 3], [k, k + 2, k + 1], label=f"line {k}")
            ax.set(title=f"panel {k}", xlabel="time")
        axes[0, 0].set_ylabel("height")
        return figure

    return make


def parts(figure):
    """The wide drawing and the narrow one, parsed, each without the other."""
    wide = ElementTree.fromstring(vector.svg(figure))
    narrow = wide.find(f"{SVG}svg")
    wide.remove(narrow)
    return wide, narrow


def words(drawing):
    return ["".join(text.itertext()) for text in drawing.iter(f"{SVG}text")]


def state(figure):
    """What must be as before after a drawing."""
    return [
        figure.get_size_inches().tolist(),
        figure.dpi,
        [(ax.get_subplotspec().get_geometry(), ax.get_ylabel(), ax.patch.get_visible()) for ax in figure.axes],
        [(text.get_text(), text.get_fontsize(), text.get_visible()) for text in figure.findobj(Text)],
        len(figure.legends),
    ]


def test_the_same_figure_gives_the_same_text_and_is_left_as_it_was(plotted):
    figure = plotted(1, 3, size=(10, 3), sharey=True)
    figure.axes[0].legend()
    figure.draw_without_rendering()
    before, first = state(figure), vector.svg(figure)
    assert state(figure) == before
    assert vector.svg(figure) == first
    assert "20" not in re.findall(r"<dc:date>(.*?)<", first) and "metadata" not in first


def test_words_are_text_that_holds_at_its_own_side(plotted):
    figure = plotted()
    figure.axes[0].set_title("loss of $x_t$ & more")
    wide, _ = parts(figure)
    (title,) = [text for text in wide.iter(f"{SVG}text") if "loss" in "".join(text.itertext())]
    assert "".join(title.itertext()) == "loss of xt & more" and title.get("text-anchor") == "middle"
    assert [(span.text, span.get("font-style")) for span in title] == [
        ("x", "italic"),
        ("t", "italic"),
        (" & more", None),
    ]
    down, up = (float(span.get("dy").removesuffix("em")) for span in title[1:])
    assert down * 0.72 == pytest.approx(0.2, abs=0.01) and up == pytest.approx(-0.2, abs=0.01)
    (height,) = [text for text in wide.iter(f"{SVG}text") if text.text == "height"]
    assert "rotate(-90)" in height.get("transform") and height.get("text-anchor") == "middle"


def test_a_formula_beyond_words_keeps_its_outlines(plotted):
    figure = plotted()
    figure.axes[0].set_title(r"$\oiint x$")
    wide, _ = parts(figure)
    assert not [text for text in words(wide) if "oiint" in text] and list(wide.iter(f"{SVG}use"))


def test_drawings_fit_a_page_and_a_phone_at_their_true_size(plotted):
    for figure in (plotted(size=(10, 3)), plotted(1, 3, size=(10, 3)), plotted(2, 2, size=(4, 3))):
        wide, narrow = parts(figure)
        for drawing, most in ((wide, layout.WIDE), (narrow, layout.NARROW)):
            width, points = float(drawing.get("width")), float(drawing.get("viewBox").split()[2])
            assert width == pytest.approx(points / 0.75, abs=1) and width <= 96 * (most + 0.1)
            assert all(float(text.get("font-size")) >= 8.25 for text in drawing.iter(f"{SVG}text"))


def test_words_that_are_too_small_are_enlarged(plotted):
    figure = plotted()
    figure.axes[0].set_title("small", fontsize=5)
    assert {text.get("font-size") for text in parts(figure)[0].iter(f"{SVG}text") if text.text == "small"} == {"8.25"}


def middles(drawing):
    """Where the panels' titles stand, by panel."""
    return {
        text.text: (float(text.get("x")), float(text.get("y")))
        for text in drawing.iter(f"{SVG}text")
        if (text.text or "").startswith("panel")
    }


def test_on_a_phone_panels_stand_one_below_the_other_with_what_they_shared(plotted):
    wide, narrow = parts(plotted(1, 3, size=(10, 3), sharey=True))
    assert len({y for _, y in middles(wide).values()}) == 1 and words(wide).count("height") == 1
    heights = [middles(narrow)[f"panel {k}"][1] for k in range(3)]
    assert len({x for x, _ in middles(narrow).values()}) == 1 and heights == sorted(heights)
    assert words(narrow).count("height") == 3 == words(narrow).count("time")


def test_on_a_phone_two_rows_of_many_become_two_columns(plotted):
    narrow = middles(parts(plotted(2, 5, size=(10, 4), sharex=True, sharey=True))[1])
    for k in range(5):
        assert narrow[f"panel {k}"][0] < narrow[f"panel {k + 5}"][0]
        assert narrow[f"panel {k}"][1] == narrow[f"panel {k + 5}"][1]


@pytest.mark.filterwarnings("error")
def test_unusual_figures_are_drawn_as_well(plotted):
    """Panels over two columns, two scales in one panel, a colour bar, no layout at all, nothing at all."""
    mosaic, twins, bar, loose = Figure(layout="constrained"), plotted(), Figure(layout="constrained"), Figure()
    for k, ax in enumerate(mosaic.subplot_mosaic("AAB;CDB").values()):
        ax.set_title(f"panel {k}")
    twins.axes[0].twinx().plot([3, 1])
    left, right = bar.subplots(1, 2)
    bar.colorbar(left.imshow(np.eye(2)), ax=left)
    right.plot([1, 2], label="line")
    loose.subplots().plot([1, 2], label="line")
    loose.axes[0].legend()
    for figure in (twins, bar, loose, Figure()):
        vector.svg(figure)
    heights = [y for _, y in middles(parts(mosaic)[1]).values()]
    apart = np.diff(sorted(heights))
    assert len(heights) == 4 and apart.max() < 1.2 * apart.min()


def test_on_a_phone_the_legend_of_a_plot_stands_below_it(plotted):
    figure = plotted()
    figure.axes[0].legend()
    wide, narrow = parts(figure)
    assert words(wide).count("line 0") == words(narrow).count("line 0") == 1
    low = {text.text: float(text.get("y")) for text in narrow.iter(f"{SVG}text") if text.get("y")}
    assert low["line 0"] > low["time"]


def test_long_words_break_but_never_inside_a_formula(plotted):
    figure = plotted(size=(3, 2.5))
    figure.axes[0].set_title("a title that is longer than its panel is wide, of $x_t + y_t$ and of $\\beta_t$")
    said = words(parts(figure)[1])
    assert not [line for line in said if "$" in line]
    assert len([line for line in said if "title" in line or "xt\u2009+\u2009yt" in line]) == 2


def test_many_marks_and_long_curves_are_light():
    figure = Figure(layout="constrained")
    ax = figure.subplots()
    numbers = np.random.default_rng(0).normal(size=(2, 20_000))
    ax.scatter(*numbers, s=2)
    x = np.linspace(-3, 3, 20_000)
    ax.fill_between(x, np.exp(-(x**2)))
    ax.plot(x, np.sin(x))
    svg = vector.svg(figure)
    assert len(svg) < 300_000 and svg.count("<image") == 2


def test_pictures_keep_their_pixels_and_say_how_to_enlarge_them():
    figure = Figure(layout="constrained")
    for ax, way in zip(figure.subplots(1, 2), ("nearest", "bicubic"), strict=True):
        ax.imshow(np.eye(8), cmap="gray", interpolation=way)
    pixels, smooth = parts(figure)[0].iter(f"{SVG}image")
    for image in (pixels, smooth):
        assert (image.get("width"), image.get("height")) == ("8", "8")
    assert "pixelated" in pixels.get("style") and smooth.get("style") is None


def test_names_inside_are_used_and_of_one_drawing_alone(plotted):
    svg = vector.svg(plotted(1, 2))
    names = re.findall(r' id="([^"]+)"', svg)
    assert len(names) == len(set(names)) and set(re.findall(r"#([nw]\d+)", svg)) == set(names)
