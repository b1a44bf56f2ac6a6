"""The scrubbers, from Python: what they ship is what the formula says, and what they write is stable."""

import base64
import json
import re
from html import unescape

import nbformat
import numpy as np
import pytest
import torch
from nbclient import NotebookClient

from ddpm_core.book import plot, widgets
from ddpm_core.book.widgets import figure
from ddpm_core.book.widgets.scrubber import EPS_STEP, POINT_STEP
from ddpm_core.data import to_uint8
from ddpm_core.diffusion import prediction
from ddpm_core.diffusion.gaussian import q_sample
from ddpm_core.schedule import cosine, linear


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def images(*shape, seed=1):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def one_of_each(seed=0):
    x0, points = images(5, 3, 4, 6), images(7, 2)
    return [
        widgets.scrub(cosine(1000), x0, normal(5, 3, 4, 6, seed=seed), label="cosine, 5 images", columns=3),
        widgets.scrub_points(cosine(1000), points, normal(7, 2, seed=seed), label="cosine, 7 points"),
        widgets.scrub_frames([normal(2, 1, 4, 4, seed=seed), images(2, 1, 4, 4)], [1000, 0], label="back"),
        widgets.scrub_predictions(cosine(1000), images(1, 3, 4, 6), normal(1, 3, 4, 6, seed=seed), label="five views"),
    ]


def payload(scrubber):
    return json.loads(unescape(re.search(r'data-payload="([^"]*)"', scrubber._repr_html_())[1]))


def without_payload(scrubber):
    html = re.sub(r'data-payload="[^"]*"', "", scrubber._repr_html_())
    return re.sub(r"scrub-[0-9a-f]{8}", "", html)


# What a notebook stores


def test_repr_says_what_it_is():
    assert [repr(s) for s in one_of_each()] == [
        "Scrubber('cosine, 5 images', T=1000)",
        "Scrubber('cosine, 7 points', T=1000)",
        "Scrubber('back', T=1000)",
        "Scrubber('five views', T=1000)",
    ]


def test_html_differs_between_runs_in_nothing_but_payload_and_id():
    for first, again in zip(one_of_each(seed=0), one_of_each(seed=3), strict=True):
        assert payload(first) != payload(again)
        assert without_payload(first) == without_payload(again)


def test_html_of_one_object_never_changes_and_equal_figures_have_ids_of_their_own():
    first, again = one_of_each()[0], one_of_each()[0]
    assert first._repr_html_() == first._repr_html_()
    assert re.search('id="(.*?)"', first._repr_html_())[1] != re.search('id="(.*?)"', again._repr_html_())[1]
    assert payload(first) == payload(again)


def test_html_loads_nothing_from_elsewhere():
    for shown in one_of_each():
        assert not re.search(r"https?:|src=|href=|@import|url\(|import\(", shown._repr_html_())


def test_label_is_escaped():
    html = widgets.scrub(linear(10), images(1, 1, 2, 2), normal(1, 1, 2, 2), label='<b> & "x"')._repr_html_()
    assert '<b> & "x"' not in html
    assert html.count("&lt;b&gt; &amp; &quot;x&quot;") == 2


def test_size_of_64_images():
    scrubber = widgets.scrub(cosine(1000), images(64, 1, 32, 32), normal(64, 1, 32, 32), label="64 images")
    assert len(scrubber._repr_html_().encode()) <= 250_000


def test_what_comes_with_the_numbers_is_small():
    assert max(len(without_payload(scrubber).encode()) for scrubber in one_of_each()) <= 6144


def test_a_notebook_stores_the_figure():
    code = """
import torch
from ddpm_core import schedule
from ddpm_core.book import widgets
widgets.scrub(schedule.cosine(16), torch.zeros(4, 1, 8, 8), torch.ones(4, 1, 8, 8), label="four images")
"""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    (output,) = notebook.cells[0].outputs
    assert output.data["text/plain"] == "Scrubber('four images', T=16)"
    assert '<div class="ddpm-figure ddpm-scrub" id="scrub-' in output.data["text/html"]
    nbformat.validate(notebook)


# The numbers


@pytest.mark.parametrize("t", [0, 1, 250, 500, 999, 1000])
@pytest.mark.parametrize("channels", [1, 3])
def test_frame_is_q_sample_within_the_quantisation(t, channels):
    x0, eps = images(6, channels, 8, 8), normal(6, channels, 8, 8).clamp(-4, 4)
    scrubber = widgets.scrub(cosine(1000), x0, eps, label="x", columns=6)
    shades = 127.5 * (q_sample(cosine(1000), x0, torch.full((6,), t), eps).clamp(-1, 1) + 1)
    expected = np.concatenate(list(shades.permute(0, 2, 3, 1).numpy()), axis=1)  # six in a row
    signal, noise = cosine(1000).alpha_bar[t].sqrt(), (1 - cosine(1000).alpha_bar[t]).sqrt()
    bound = 0.5 * signal + 127.5 * EPS_STEP / 2 * noise + 0.5 + 0.01
    assert scrubber.frame(t).shape == (8, 48, channels)
    assert scrubber.frame(t).dtype == np.uint8
    assert abs(scrubber.frame(t) - expected).max() <= bound


def test_payload_alone_gives_the_frame():
    scrubber = one_of_each()[0]
    sent = payload(scrubber)
    whole = {
        name: np.frombuffer(base64.b64decode(array["data"]), array["type"].removesuffix("Array").lower())
        for name, array in sent["arrays"].items()
    }
    x0, eps = (sent["arrays"][n]["zero"] + sent["arrays"][n]["step"] * whole[n] for n in ("x0", "eps"))
    alpha_bar = whole["alpha_bar"][500].astype(float)
    x_t = (np.sqrt(alpha_bar) * x0 + np.sqrt(1 - alpha_bar) * eps).reshape(sent["shape"])
    first = np.rint(127.5 * (x_t[0].clip(-1, 1) + 1)).transpose(1, 2, 0)
    assert (scrubber.frame(500)[:4, :6] == first).all()


def test_sheet_goes_row_by_row_and_leaves_the_rest_dark():
    frame = one_of_each()[0].frame(0)  # five images of 4 x 6 in three columns
    expected = to_uint8(images(5, 3, 4, 6)).permute(0, 2, 3, 1).numpy()
    assert frame.shape == (8, 18, 3)
    assert (frame[4:, 6:12] == expected[4]).all()
    assert not frame[4:, 12:].any()


def test_clean_data_stays_what_it_was():
    shades = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    scrubber = widgets.scrub(linear(1000), shades / 127.5 - 1, normal(1, 1, 16, 16), label="all shades")
    assert (scrubber.frame(0)[:, :, 0] == shades[0, 0].numpy()).all()


@pytest.mark.parametrize("t", [0, 500, 1000])
def test_points_are_q_sample_within_the_quantisation(t):
    x0, eps = images(50, 2) * 3, normal(50, 2)
    frame = widgets.scrub_points(cosine(1000), x0, eps, label="x", colours=torch.arange(50) % 4).frame(t)
    expected = q_sample(cosine(1000), x0.double(), torch.full((50,), t), eps.double())
    assert abs(frame - expected.numpy()).max() <= 2 * POINT_STEP


def test_frames_keep_bytes_and_cut_noise_off():
    bright = torch.full((1, 1, 2, 2), 3.0)
    exact = torch.tensor([[[[0, 1], [2, 255]]]], dtype=torch.uint8)
    scrubber = widgets.scrub_frames([bright, exact], [20, 0], label="x")
    assert (scrubber.frame(20) == 255).all()
    assert (scrubber.frame(0)[:, :, 0] == exact[0, 0].numpy()).all()
    assert scrubber.T == 20


# Five views of one image

VIEWS = [
    lambda schedule, x0, x_t, t, eps: x_t,
    *(p.target for p in (prediction.EPS, prediction.X0, prediction.V, prediction.MEAN)),
]


@pytest.mark.parametrize("schedule", [linear(1000), cosine(16)], ids=["linear", "cosine"])
@pytest.mark.parametrize("t", [1, 2, 10, 16])
@pytest.mark.parametrize("channels", [1, 3])
def test_views_are_what_a_network_may_be_asked_for(schedule, t, channels):
    x0, eps = images(1, channels, 8, 6).double(), normal(1, channels, 8, 6).double().clamp(-4, 4)
    time = torch.tensor([t])
    x_t = q_sample(schedule, x0, time, eps)
    shades = [127.5 * (view(schedule, x0, x_t, time, eps).clamp(-1, 1) + 1) for view in VIEWS]
    frame = widgets.scrub_predictions(schedule, x0, eps, label="x").frame(t)
    assert frame.shape == (5, 8, 6, channels) and frame.dtype == np.uint8
    bound = 0.5 + 127.5 * EPS_STEP / 2 + 0.5 + 0.01  # factors of x_0 and of eps are at most 1
    assert abs(frame - torch.cat(shades).permute(0, 2, 3, 1).numpy()).max() <= bound
    assert (frame[2] == to_uint8(x0)[0].permute(1, 2, 0).numpy()).all()  # x_0 itself loses nothing


def test_the_factors_of_views_turn_and_end_at_the_clean_image():
    a, b = (
        np.frombuffer(base64.b64decode(payload(one_of_each()[3])["arrays"][name]["data"]), np.float32).reshape(5, 1000)
        for name in ("of_x0", "of_eps")
    )
    x_t, v, mean = 0, 3, 4
    assert np.allclose(a[x_t] ** 2 + b[x_t] ** 2, 1, atol=1e-6)
    assert np.allclose([a[v], b[v]], [-b[x_t], a[x_t]], atol=1e-6)  # v stands at a right angle on x_t
    assert (a[mean, 0], b[mean, 0]) == (1, 0)  # one step before the end, the mean is x_0
    assert (b[mean, 1:] < b[x_t, 1:]).all() and (b[mean, 1:] > 0).all()  # else it is cleaner than x_t, not clean


# The frame of every figure


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16])
def test_packed_numbers_are_kept_to_half_a_step(dtype):
    ends = torch.iinfo(dtype)
    x = torch.linspace(0.1 * ends.min + 1, 0.1 * ends.max + 1, 500, dtype=torch.float64)
    known, sent = figure.encode_array(x, dtype, step=0.1, zero=1)
    whole = np.frombuffer(base64.b64decode(sent["data"]), sent["type"].removesuffix("Array").lower())
    assert np.allclose(sent["zero"] + sent["step"] * whole, known)
    assert abs(known - x).max() <= 0.05 + 1e-9
    assert (
        figure.encode_array(x * 99, dtype, step=0.1, zero=1)[0].max() == 1 + 0.1 * ends.max
    )  # beyond the end: cut off


def test_packed_numbers_come_in_the_order_of_the_tensor():
    x = torch.arange(6.0).reshape(2, 3).T
    sent = figure.encode_array(x, torch.float32)[1]
    assert np.frombuffer(base64.b64decode(sent["data"]), np.float32).tolist() == [0, 3, 1, 4, 2, 5]


def test_comments_and_idle_spaces_stay_in_the_files():
    script, style = figure.read_script("scrub.js"), figure.read_style("mix.css")
    assert "// " not in script and "\n " not in script and "\n\n" not in script
    assert "const play = () => {\nconst calm" in script
    assert ".ddpm-scrub{.curves{width:calc(100% - 16px);" in style and not style.endswith("\n")


def test_a_figure_carries_only_the_pieces_it_needs():
    image, points, frames, views = (scrubber._repr_html_() for scrubber in one_of_each())
    assert all("requestAnimationFrame" in html for html in (image, points, frames, views))
    assert [".panels{" in html for html in (image, points, frames, views)] == [False, False, False, True]
    assert ["Math.sqrt(alpha_bar[t])" in html for html in (image, points, frames, views)] == [True, True, False, False]


# Bad input gets one clear sentence


X = torch.zeros(2, 1, 4, 4)


@pytest.mark.parametrize(
    "make, sentence",
    [
        (lambda: widgets.scrub(linear(9), X, X[:1], label="x"), r"eps shaped like x0: .*\(2, .*\(1, "),
        (lambda: widgets.scrub(linear(9), X + 1.1, X, label="x"), r"x0 within \[-1, 1\].* 1.1"),
        (lambda: widgets.scrub(linear(9), X + float("nan"), X, label="x"), "x0 within .*nan"),
        (lambda: widgets.scrub(linear(9), X, X + 99, label="x"), r"eps within \[-8, 8\].* 99"),
        (lambda: widgets.scrub(linear(9), X.to(torch.uint8), X, label="x"), "x0 in floating point.*uint8"),
        (lambda: widgets.scrub(linear(9), X[0], X[0], label="x"), r"\(N, C, H, W\).*\(1, 4, 4\)"),
        (lambda: widgets.scrub(linear(9), X[:, [0, 0]], X[:, [0, 0]], label="x"), "C = 1 or 3"),
        (lambda: widgets.scrub(linear(9), X[:0], X[:0], label="x"), r"\(0, 1, 4, 4\)"),
        (lambda: widgets.scrub(linear(9), X, X, label=" "), "label"),
        (lambda: widgets.scrub(linear(9), X, X, label="x", columns=0), "columns"),
        (lambda: widgets.scrub(linear(9), X, X, label="x").frame(10), "time.* 10"),
        (lambda: widgets.scrub_points(linear(9), X, X, label="x"), r"\(N, 2\)"),
        (
            lambda: widgets.scrub_points(linear(9), X[0, 0, :, :2] + 4, X[0, 0, :, :2], label="x"),
            r"\[-3, 3\]",
        ),
        (
            lambda: widgets.scrub_points(linear(9), X[0, 0, :, :2], X[0, 0, :, :2], label="x", colours=[0, 1]),
            "group",
        ),
        (
            lambda: widgets.scrub_points(linear(9), X[0, 0, :, :2], X[0, 0, :, :2], label="x", colours=[4] * 4),
            "0..3",
        ),
        (lambda: widgets.scrub_predictions(linear(9), X, X, label="x"), r"one image x0 .*\(2, 1, 4, 4\)"),
        (lambda: widgets.scrub_predictions(linear(9), X[:1, 0], X[:1, 0], label="x"), r"\(N, C, H, W\).*\(1, 4, 4\)"),
        (lambda: widgets.scrub_predictions(linear(9), X[:1], X, label="x"), "eps shaped like x0"),
        (lambda: widgets.scrub_predictions(linear(9), X[:1] + 2, X[:1], label="x"), r"x0 within \[-1, 1\]"),
        (lambda: widgets.scrub_predictions(linear(9), X[:1], X[:1], label="x", size=0), "size"),
        (lambda: widgets.scrub_predictions(linear(9), X[:1], X[:1], label="x").frame(0), "time.* 0"),
        (lambda: widgets.scrub_frames([], [], label="x"), "frame.* 0 frames"),
        (lambda: widgets.scrub_frames([X, X], [1], label="x"), r"2 frames have \[1\]"),
        (lambda: widgets.scrub_frames([X, X], [1, 1], label="x"), "different"),
        (lambda: widgets.scrub_frames([X, X[:1]], [1, 0], label="x"), "one shape"),
        (lambda: widgets.scrub_frames([X * 0 + 255], [0], label="x"), "t = 0 within .* 255"),
        (lambda: widgets.scrub_frames([X.long()], [0], label="x"), "floating point.*int64"),
        (lambda: widgets.scrub_frames([X, X], [1, 0], label="x").frame(2), r"\[1, 0\].* 2"),
        (lambda: widgets.live_forward({}, X), "schedule"),
        (lambda: widgets.live_forward({"linear": linear(9)}, X), r"\(N,\)"),
    ],
)
def test_bad_input_gets_a_sentence(make, sentence):
    with pytest.raises(ValueError, match=sentence) as error:
        make()
    assert str(error.value).startswith("need ")
    assert "\n" not in str(error.value)


# The live control


def test_the_live_slider_moves_its_picture(monkeypatch):
    drawn = []
    monkeypatch.setattr(plot, "histogram_png", lambda x, title: drawn.append((x, title)) or title.encode())
    x0 = images(200)
    schedules = {"linear": linear(1000), "short": cosine(16)}
    name, slider, picture = widgets.live_forward(schedules, x0).children
    assert picture.value == b"linear: x_t at t = 0 of 1000"
    assert torch.equal(drawn[-1][0], x0.double())
    slider.value = 300
    assert picture.value == b"linear: x_t at t = 300 of 1000"
    name.value = "short"
    assert picture.value == b"short: x_t at t = 16 of 16"
    name.value = "linear"
    assert slider.max == 1000


def test_the_live_control_draws_a_real_picture():
    _, slider, picture = widgets.live_forward({"linear": linear(1000)}, images(2000)).children
    before = bytes(picture.value)
    slider.value = 500
    assert bytes(picture.value).startswith(b"\x89PNG") and bytes(picture.value) != before


# What the slider counts, if it is not time


def test_a_caption_says_what_the_slider_counts():
    def made(**caption):
        return widgets.scrub_frames([images(1, 1, 2, 2)] * 2, [5, 100], label="x", **caption)

    timed, counted = made(), made(caption="{t} steps")
    assert payload(counted).pop("caption") == "{t} steps" and "caption" not in payload(timed)
    assert 'aria-label="time t"' in timed._repr_html_() and 'aria-label="position"' in counted._repr_html_()
    with pytest.raises(ValueError, match=r"need a caption that says \{t\}, but got 'steps'"):
        made(caption="steps")
