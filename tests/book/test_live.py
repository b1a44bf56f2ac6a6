"""The live view: one picture that replaces itself in a notebook, lines of text elsewhere, and a run left as it is."""

import base64
import io
import math
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import notebooks
import numpy as np
import pytest
import torch
from PIL import Image

from ddpm_core.book import live, plot
from ddpm_core.trainer import Progress

ROOT = Path(__file__).resolve().parents[2]


def reports(n, stop=None):
    """A run of n reports; with `stop` it ends in that error instead."""
    for k in range(1, n + 1):
        yield Progress(10 * k, 1 / k, 640 * k, 0.5 * k, k / n if stop is None else k / (n + 1), 1e-3, 0.5)
    if stop is not None:
        raise stop


def texts(capsys):
    return capsys.readouterr().out.splitlines()


def samples(seed=0):
    return torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(seed)) * 2 - 1


# ---- Outside a notebook ----------------------------------------------------------------------------------------


def test_all_reports_come_back_in_order():
    assert live.follow(reports(4)) == list(reports(4))
    assert live.follow(iter(())) == []


def test_elsewhere_it_prints_a_line_at_the_beginning_and_at_the_end(capsys):
    live.follow(reports(5), every=1000)
    assert texts(capsys) == ["step 10, loss 1.0000, 1280 images/s", "step 50, loss 0.2000, 1280 images/s"]


def test_it_draws_as_often_as_it_is_asked(capsys, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(live.time, "monotonic", lambda: clock[0])

    def slow():
        for progress in reports(6):
            clock[0] += 1
            yield progress

    asked = []
    live.follow(slow(), lambda: asked.append(clock[0]) or samples(), every=2)
    assert asked == [1, 3, 5, 6] and len(texts(capsys)) == 4


@pytest.mark.parametrize("error", [FloatingPointError("the loss became nan at step 31."), KeyboardInterrupt()])
def test_what_stops_the_run_goes_on_to_the_caller_after_a_last_look_without_samples(error, capsys):
    asked = []
    with pytest.raises(type(error)) as caught:
        live.follow(reports(3, stop=error), lambda: asked.append(1) or samples(), every=1000)
    assert caught.value is error
    assert texts(capsys)[-1].startswith("step 30, loss 0.3333") and asked == [1]
    with pytest.raises(type(error)):
        live.follow(reports(0, stop=error))


@pytest.mark.parametrize("every", [-1, math.nan])
def test_seconds_below_zero_are_refused(every):
    with pytest.raises(ValueError, match="need seconds between two pictures, but got"):
        live.follow(reports(1), every=every)


# ---- The picture -----------------------------------------------------------------------------------------------


def drawn(picture):
    """(width, lines, samples as pixels) of its wide drawing."""
    svg = picture._repr_svg_().split('<svg class="narrow"')[0]
    width = int(re.search(r'width="(\d+)"', svg)[1])
    lines = re.findall(r'<path d="([^"]+)" clip-path[^>]* style="fill: none; stroke: #1f77b4', svg)
    images = [Image.open(io.BytesIO(base64.b64decode(png))) for png in re.findall(r"base64,([\w+/=\s]+)", svg)]
    return width, lines, [np.asarray(image.convert("L"), dtype=float) for image in images]


def test_the_picture_shows_the_curve_and_the_samples():
    some = list(reports(5))
    plain, with_samples, others = (live.Picture(some, images) for images in (None, samples(), samples(1)))
    assert drawn(plain)[0] < drawn(with_samples)[0] == drawn(others)[0]
    assert drawn(with_samples)[1] == drawn(others)[1] and len(drawn(with_samples)[1]) == 1 and drawn(plain)[2] == []
    assert np.abs(drawn(with_samples)[2][0] - drawn(others)[2][0]).max() > 10
    further = live.Picture([*some, Progress(60, 0.01, 1, 1.0, 1.0, 1e-3, 0.5)], None)
    assert drawn(plain)[1] != drawn(further)[1]


def test_the_curve_is_the_runs():
    figure = plot.so_far([10, 20, 30], [1.0, 0.5, 0.25], samples())
    (line,) = figure.axes[0].lines
    assert line.get_xdata().tolist() == [10, 20, 30] and line.get_ydata().tolist() == [1.0, 0.5, 0.25]
    assert figure.axes[0].get_yscale() == "log" and figure.axes[1].get_title() == "samples at step 30"
    assert len(plot.so_far([10], [1.0]).axes) == 1


# ---- In a notebook ---------------------------------------------------------------------------------------------

CELL = """# Live

```{code-cell} ipython3
import torch
from torch import nn

from ddpm_core import trainer
from ddpm_core.book import live

torch.manual_seed(0)
state = trainer.start(nn.Linear(1, 1), device="cpu")


def miss(net, target):
    return (net(torch.ones_like(target)) - target).square().mean()


run = trainer.run(state, lambda step: (torch.ones(4, 1),), miss, steps=60)
shades = iter([-1.0, -1.0, -1.0, -1.0, -1.0, 1.0])  # black, and white at last
found = live.follow(run, lambda: torch.full((4, 1, 8, 8), next(shades)), every=0)
print(f"{len(found)} reports, the last at step {found[-1].step}")
```

```{code-cell} ipython3
from matplotlib import pyplot as plt

from ddpm_core.book import plot

plot.style()
plt.plot([1, 2]);
```
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """(folder, notebook): the cell, run by nbclient as a chapter is."""
    folder = tmp_path_factory.mktemp("live")
    notebook = notebooks.execute(notebooks.from_text(CELL), folder)
    (folder / "live.ipynb").write_text(nbformat.writes(notebook))
    return folder, notebook


def test_in_a_notebook_one_picture_is_left_and_it_is_the_last(ran):
    shown, printed = ran[1].cells[1].outputs
    assert shown.data["text/plain"] == "Picture(the loss so far, and samples)"
    assert printed.text == "6 reports, the last at step 60\n"
    last, black = SimpleNamespace(_repr_svg_=lambda: shown.data["image/svg+xml"]), torch.full((4, 1, 8, 8), -1.0)
    assert drawn(last)[2][0].min() == 255 and drawn(live.Picture(list(reports(6)), black))[2][0].min() == 0
    assert set(shown.data) == {"image/svg+xml", "text/plain"}  # no widget, nothing that needs a kernel


def test_in_a_notebook_a_plot_is_a_drawing_and_nothing_else(ran):
    (shown,) = ran[1].cells[2].outputs
    assert set(shown.data) == {"image/svg+xml", "text/plain"}
    assert shown.data["image/svg+xml"].startswith("<svg") and shown.data["text/plain"].startswith("<Figure size")


def test_nbval_finds_the_same_at_the_next_run(ran):
    """nbval sees the first picture where the notebook has stored the last: their texts are equal."""
    folder, _ = ran
    for file in ("book/conftest.py", "tools/printed.py"):
        shutil.copy(ROOT / file, folder)
    options = "-q --nbval --nbval-current-env -p no:cacheprovider -W default --rootdir=. -c /dev/null live.ipynb"
    command = [sys.executable, "-m", "pytest", *options.split()]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stdout
