"""A line to type a caption into, and the pictures that it leads to: live, so it needs a kernel."""

from collections.abc import Callable

from torch import Tensor


def live_caption(draw: Callable[[str], Tensor], caption: str):
    """A line with this caption, and below it draw(caption), pictures (N, C, H, W); Enter draws anew.

    What `draw` refuses with a ValueError is said below the line, and the pictures stay. Returns an ipywidgets.VBox,
    which needs a kernel.
    """
    import ipywidgets  # here, so that other figures do not need it

    from ddpm_core.book import plot

    line = ipywidgets.Text(value=caption, description="caption", continuous_update=False)
    line.layout.width = "100%"
    said = ipywidgets.Label()
    pictures = ipywidgets.Image(format="png", layout=ipywidgets.Layout(max_width="100%"))

    def show(change=None) -> None:
        try:
            images = draw(line.value)
        except ValueError as error:
            said.value = str(error)
            return
        said.value = f"“{line.value}”" if line.value.strip() else "no caption: whatever comes"
        pictures.value = plot.sheet_png(images)

    line.observe(show, names="value")
    show()
    return ipywidgets.VBox([line, said, pictures])
