"""Figures as drawings: SVG at its true size, its words as text, drawn for a page and once more for a phone.

A notebook shows the first; the pages of the book show the one that fits, in the page's own font and colours (see
tools/drawings.py). Pictures keep their pixels, and the browser enlarges them.
"""

import base64
import io
import re
from collections.abc import Callable
from contextlib import ExitStack
from html import escape
from weakref import WeakKeyDictionary

import matplotlib
from matplotlib.artist import Artist
from matplotlib.backends.backend_mixed import MixedModeRenderer
from matplotlib.backends.backend_svg import RendererSVG
from matplotlib.colors import rgb2hex
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.path import Path
from matplotlib.text import Text
from PIL import Image

from ddpm_core.book import labels, layout

SMALLEST = 8.25  # points, which are 11 pixels of a page
DENSE = 500  # markers: from here on they are drawn as pixels
LONG = 12  # corners: what has more loses those that nobody sees
SHARPNESS = 144  # pixels an inch, where something is drawn as pixels

_phones: WeakKeyDictionary[Figure, Callable[[], Figure]] = WeakKeyDictionary()


def on_a_phone(figure: Figure, draw: Callable[[], Figure]) -> None:
    """Say how to draw a figure anew where a page is narrow, `layout.NARROW` inches; else its panels are stacked."""
    _phones[figure] = draw


def svg(figure: Figure) -> str:
    """A figure as SVG, no wider than `layout.WIDE` inches, with its narrow drawing inside, which is not displayed.

    The figure is left as it was. The same figure always gives the same text.
    """
    with ExitStack() as undo:
        layout.widen(figure, undo)
        wide, size = _drawn(figure)
    if figure in _phones:
        narrow, narrow_size = _drawn(_phones[figure]())
    else:
        with ExitStack() as undo:
            layout.narrow(figure, undo)
            narrow, narrow_size = _drawn(figure)
    wide, narrow = _named(wide, "w"), _named(narrow, "n")
    # White paper where the page is not ours; the pages of the book take it away.
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" class="ddpm-drawing" '
        f'{size} style="background: #ffffff" font-family="sans-serif" stroke-linejoin="round">\n{wide}'
        f'<svg class="narrow" display="none" {narrow_size}>\n{narrow}</svg>\n</svg>\n'
    )


def _drawn(figure: Figure) -> tuple[str, str]:
    """The elements of a drawing, and its size, without blank margins, as attributes."""
    width, height = figure.get_size_inches()
    stream = io.StringIO()
    settings = {"svg.hashsalt": "ddpm", "svg.image_inline": True, "image.composite_image": False}
    with ExitStack() as undo, matplotlib.rc_context(settings):
        undo.callback(figure.set_dpi, figure.dpi)
        figure.set_dpi(72)  # before anything is measured: a point is a unit of the drawing
        artists = figure.findobj()
        _prepare(figure, artists, undo)
        sides = {
            line: text.get_horizontalalignment()
            for text in artists
            if isinstance(text, Text) and "\n" in text.get_text()
            for line in text.get_text().split("\n")
        }
        inner = _Drawing(72 * width, 72 * height, stream, image_dpi=SHARPNESS, metadata=_NOTHING, sides=sides)
        renderer = MixedModeRenderer(figure, width, height, SHARPNESS, inner)
        figure.draw(renderer)
        used = figure.get_tightbbox(renderer).padded(0.03)
        renderer.finalize()
    return _tidy(stream.getvalue(), inner.texts), _size(
        72 * used.x0, 72 * (height - used.y1), 72 * used.width, 72 * used.height
    )


def _size(x: float, y: float, width: float, height: float) -> str:
    """72 points are an inch, and so are 96 pixels of a page."""
    pixels = f'width="{width / 0.75:.0f}" height="{height / 0.75:.0f}"'
    return f'{pixels} viewBox="{" ".join(map(_short, (x, y, width, height)))}"'


def _prepare(figure: Figure, artists: list[Artist], undo: ExitStack) -> None:
    """No grounds, no words too small to read, pictures by their pixels and a thousand markers as pixels."""
    for patch in (figure.patch, *(ax.patch for ax in figure.axes)):
        if rgb2hex(patch.get_facecolor()) == "#ffffff":
            layout.change(undo, patch, visible=False)
    for artist in artists:
        if isinstance(artist, Text) and artist.get_fontsize() < SMALLEST:
            layout.change(undo, artist, fontsize=SMALLEST)
        elif _marks(artist) > DENSE:
            layout.change(undo, artist, rasterized=True)
    images = [artist for artist in artists if isinstance(artist, AxesImage)]
    if images and figure.get_layout_engine() is not None:
        figure.draw_without_rendering()
    for image in images:
        rows, columns = image.get_array().shape[:2]
        shown = image.get_window_extent()
        if columns <= 2 * shown.width and rows <= 2 * shown.height:  # else it is made smaller here, for lightness
            smooth = image.get_interpolation() not in ("auto", "antialiased", "nearest", "none")
            layout.change(undo, image, interpolation="none", url=_SMOOTH if smooth else None)


def _marks(artist) -> int:
    """How many marks an artist sets, one by one."""
    if hasattr(artist, "get_offsets") and artist.get_offsets() is not None:
        return max(len(artist.get_offsets()), len(artist.get_paths() or ()))
    if hasattr(artist, "get_marker") and artist.get_marker() not in (None, "None", "", " "):
        return len(artist.get_xdata())
    return 0


_NOTHING = {"Creator": None, "Date": None, "Format": None, "Type": None}
_SMOOTH = "smooth"


class _Drawing(RendererSVG):
    """matplotlib's SVG with fewer groups, with words that hold at their own side, and with formulas as text."""

    def __init__(self, *arguments, sides: dict[str, str], **options):
        """sides: of the lines of texts that have several, which matplotlib hands on one by one."""
        super().__init__(*arguments, **options)
        self.sides, self.texts = sides, []

    def open_group(self, s, gid=None):
        pass

    def close_group(self, s):
        pass

    def _convert_path(self, path, transform=None, clip=None, simplify=None, sketch=None):
        corners = path.codes is None or set(path.codes) <= {Path.MOVETO, Path.LINETO, Path.CLOSEPOLY}
        if corners and len(path) > LONG:  # areas, too: matplotlib itself thins out lines alone
            path, transform = path.cleaned(transform, simplify=True), None
        return super()._convert_path(path, transform, clip, simplify, sketch)

    def draw_image(self, gc, x, y, im, transform=None):
        smooth = gc.get_url() == _SMOOTH
        gc.set_url(None)
        if smooth:
            self.writer.start("g", {"class": _SMOOTH})
        super().draw_image(gc, x, y, im, transform)
        if smooth:
            self.writer.end("g")

    def draw_text(self, gc, x, y, s, prop, angle, ismath=False, mtext=None):
        try:
            runs = labels.runs(s) if ismath else [labels.Run(s)]
        except ValueError:  # more than words with indices: its outlines
            with matplotlib.rc_context({"svg.fonttype": "path"}):
                return super().draw_text(gc, x, y, s, prop, angle, ismath, mtext)
        side = mtext.get_horizontalalignment() if mtext else self.sides.get(s, "left")
        width = self.get_text_width_height_descent(s, prop, ismath)[0]
        share = {"left": 0, "center": 0.5, "right": 1}[side]
        turned = matplotlib.transforms.Affine2D().rotate_deg(-angle)
        across, down = turned.transform((share * width, 0))
        look = {"font-size": f"{prop.get_size_in_points():g}"}
        if angle:
            look["transform"] = f"translate({_short(x + across)} {_short(y + down)}) rotate({-angle:g})"
        else:
            look |= {"x": _short(x + across), "y": _short(y + down)}
        if share:
            look["text-anchor"] = "middle" if share == 0.5 else "end"
        if prop.get_weight() not in ("normal", "regular", 400):
            look["font-weight"] = str(prop.get_weight())
        if prop.get_style() != "normal":
            look["font-style"] = prop.get_style()
        if "monospace" in prop.get_family():
            look["font-family"] = "monospace"
        alpha = gc.get_alpha() if gc.get_forced_alpha() else gc.get_rgb()[3]
        if alpha != 1:
            look["opacity"] = f"{alpha:g}"
        self.texts.append(f"<text{_attributes(look | {'fill': rgb2hex(gc.get_rgb())})}>{_spans(runs)}</text>")
        self.writer.comment(f"text {len(self.texts) - 1}")  # the writer would part what is to stand together
        return None


def _named(drawing: str, letter: str) -> str:
    """What a drawing defines and uses again, named by number; matplotlib's names change with the last digit."""
    names = {name: f"{letter}{k}" for k, name in enumerate(dict.fromkeys(re.findall(r' id="([^"]+)"', drawing)))}
    return re.sub(r'(?<= id=")[^"]+|(?<=#)\w+', lambda name: names.get(name[0], name[0]), drawing)


def _lighter(picture: str) -> str:
    """A PNG file in base64 with no more channels than it needs."""
    image = Image.open(io.BytesIO(base64.b64decode(picture)))
    if image.mode == "RGBA" and image.getextrema()[3] == (255, 255):
        image = image.convert("RGB")
        red, green, blue = image.split()
        image = red if red.tobytes() == green.tobytes() == blue.tobytes() else image
    stream = io.BytesIO()
    image.save(stream, "png", optimize=True)
    return base64.b64encode(stream.getvalue()).decode()


def _short(number: float) -> str:
    """To a hundredth."""
    return f"{number:.2f}".rstrip("0").rstrip(".")


def _attributes(values: dict) -> str:
    return "".join(f' {name}="{value}"' for name, value in values.items())


def _spans(runs: list[labels.Run]) -> str:
    """Runs of letters; an index is smaller, and stands lower or higher by shares of the size of its own letters."""
    spans, stands = "", 0.0
    for run in runs:
        size = 0.72 if run.script else 1
        goal = {0: 0.0, -1: 0.2, 1: -0.36}[run.script]
        look = {"dy": f"{(goal - stands) / size:.2f}em"} if goal != stands else {}
        look |= {"font-size": f"{size}em"} if run.script else {}
        look |= {"font-style": "italic"} if run.italic else {}
        look |= {"font-weight": "bold"} if run.bold else {}
        stands = goal
        spans += f"<tspan{_attributes(look)}>{escape(run.text)}</tspan>" if look else escape(run.text)
    return spans


def _tidy(drawing: str, texts: list[str]) -> str:
    """The elements inside a drawing of matplotlib's, with coordinates to a hundredth of a point."""
    rest = r"\A.*?<svg[^>]*>|</svg>\s*\Z|<defs>\s*<style.*?</defs>|<metadata.*?</metadata>"
    inner = re.sub(rest, "", drawing, flags=re.S)

    def shorter(attribute: re.Match) -> str:
        return re.sub(r"-?\d+\.\d{3,}", lambda number: _short(float(number[0])), attribute[0])

    def smoothly(group: re.Match) -> str:
        return re.sub(r' style="image-rendering[^"]*"', "", group[0])

    inner = re.sub(r'\b(?:d|x|y|width|height|transform|points)="[^"]*"', shorter, inner)
    inner = re.sub(r"(?<=;base64,)[\s\w+/=]+", lambda picture: _lighter(picture[0]), inner)
    inner = re.sub(r' id="(?:image|Im_)[^"]*"', "", inner)
    inner = re.sub(rf'<g class="{_SMOOTH}">.*?</g>', smoothly, inner, flags=re.S)
    inner = re.sub(r"<!-- text (\d+) -->", lambda comment: texts[int(comment[1])], inner)
    inner = re.sub(r" ?\n(?=[LCQz])", "", inner)
    return re.sub(r"\n\s*", "\n", inner).strip() + "\n"
