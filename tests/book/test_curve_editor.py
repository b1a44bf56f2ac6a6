"""The curves that bend, from Python: unmoved they are their presets, and what follows from them is the package's."""

import base64
import json
import math
import re
from html import unescape
from itertools import pairwise

import numpy as np
import pytest
import torch

from ddpm_core.book import widgets
from ddpm_core.book.widgets import curve_editor
from ddpm_core.book.widgets.figure import MARKS, read_style
from ddpm_core.data import to_uint8
from ddpm_core.diffusion.elbo import FORGOTTEN
from ddpm_core.diffusion.loss import min_snr, uniform, vlb
from ddpm_core.diffusion.prediction import EPS
from ddpm_core.schedule import cosine, from_betas, linear, sigmoid

T = 1000
TIMES = [1, 200, 400, 600, 800, 1000]


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def image(*shape, seed=1):
    """One image on the grid of the grey values, which the figure keeps exactly."""
    grey = torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(seed))
    return grey / 127.5 - 1


X, E = image(1, 3, 6, 5), normal(1, 3, 6, 5)
ERRORS = 0.9 * torch.exp(-8 * torch.arange(1, T + 1) / T) + 0.004


def bend(schedule=None, **options):
    return widgets.edit_schedule(schedule or linear(T), X, E, label="bend", **options)


def weigh(errors=ERRORS, **options):
    return widgets.edit_weighting(linear(T), errors, label="weigh", **options)


def payload(figure):
    return json.loads(unescape(re.search(r'data-payload="([^"]*)"', figure._repr_html_())[1]))


def without_payload(figure):
    html = re.sub(r'data-payload="[^"]*"', "", figure._repr_html_())
    return re.sub(r"curve-[0-9a-f]{8}", "", html)


def buttons(figure):
    return re.findall(r"<button[^>]*>(.*?)</button>", figure._repr_html_())


# What a notebook stores


def test_repr_says_what_it_is():
    assert [repr(bend()), repr(weigh())] == ["InteractiveFigure('bend')", "InteractiveFigure('weigh')"]


def test_html_differs_between_runs_in_nothing_but_payload_and_id():
    again = widgets.edit_schedule(linear(T), image(1, 3, 6, 5, seed=7), E, label="bend"), weigh(ERRORS + 0.1)
    for first, other in zip((bend(), weigh()), again, strict=True):
        assert payload(first) != payload(other)
        assert without_payload(first) == without_payload(other)


def test_html_loads_nothing_from_elsewhere_and_stays_small():
    for figure in (bend(), weigh()):
        html = figure._repr_html_()
        assert not re.search(r"https?:|src=|href=|@import|url\(|import\(", html)
        assert len(without_payload(figure).encode()) <= 12_500


def test_names_are_escaped():
    html = weigh(weights={'<b> & "x"': torch.ones(T)})._repr_html_()
    assert "<b> &" not in html and "&lt;b&gt; &amp; &quot;x&quot;</button>" in html


def test_colours_are_those_of_the_marks():
    used = set(re.findall(r"#[0-9a-f]{6}\b", read_style("curve.css") + bend()._body + weigh()._body))
    assert used <= {colour for colour, _, _ in MARKS} and len(used) == 3


# The curve and its handles


def test_handles_stand_evenly_from_1_to_T():
    assert curve_editor.handle_times(T) == payload(bend())["times"] == TIMES
    for steps in range(10, 60):
        times = curve_editor.handle_times(steps)
        assert times[0] == 1 and times[-1] == steps and len(times) == 6
        assert all(abs(b - a - steps / 5) <= 1 for a, b in pairwise([0, *times[1:]]))


@pytest.mark.parametrize("make", [linear, cosine, sigmoid])
def test_an_unmoved_figure_is_its_schedule(make):
    shown, schedule = bend(make(T)).frame(), make(T)
    assert torch.allclose(shown["beta"], schedule.beta, rtol=1e-7)
    assert torch.allclose(shown["alpha_bar"], schedule.alpha_bar, rtol=1e-5)
    assert torch.allclose(shown["log_snr"], schedule.snr.log(), rtol=1e-5, atol=1e-5)
    assert shown["alpha_bar"].shape == (T + 1,)


def test_the_schedule_to_begin_with_comes_first_and_has_a_button():
    assert buttons(bend()) == ["linear", "cosine", "undo"]
    assert buttons(bend(cosine(T))) == ["cosine", "linear", "undo"]
    assert buttons(bend(sigmoid(T))) == ["start", "linear", "cosine", "undo"]
    assert buttons(bend(presets={"steep": linear(T, 1e-4, 0.05)})) == ["start", "steep", "undo"]
    both = bend(presets={"steep": linear(T, 1e-4, 0.05)})
    assert torch.allclose(both.frame("steep")["beta"], linear(T, 1e-4, 0.05).beta, rtol=1e-7)
    assert torch.equal(both.frame()["beta"], both.frame("start")["beta"])


@pytest.mark.parametrize("preset", ["linear", "cosine"])
def test_the_curve_goes_through_its_handles_and_the_factor_is_log_linear_between_them(preset):
    handles, figure = [1e-3, 2e-5, 0.01, 0.3, 0.002, 0.05], bend()
    bent, before = figure.frame(handles, preset)["beta"], figure.frame(preset)["beta"]
    assert torch.allclose(bent[TIMES], torch.tensor(handles, dtype=torch.float64), rtol=1e-9)
    factor = (bent / before).log()
    inside = (bent > 1.001e-5) & (bent < 0.998)
    for a, b in pairwise(TIMES):
        stretch = factor[a : b + 1][inside[a : b + 1]]
        assert stretch.diff().diff().abs().max() < 1e-9
    assert bent[1:].min() >= 1e-5 and bent.max() <= 0.999


def test_handles_that_did_not_move_change_nothing():
    figure = bend()
    start = figure.frame()
    moved = figure.frame(start["beta"][TIMES])
    assert all(torch.equal(moved[k], start[k]) for k in ("beta", "alpha_bar", "log_snr", "strip"))
    moved = figure.frame(start["beta"][TIMES] * torch.tensor([1, 1, 1, 2, 1, 1]))["beta"]
    assert torch.equal(moved[:401], start["beta"][:401]) and torch.equal(moved[800:], start["beta"][800:])
    assert (moved[401:800] > start["beta"][401:800]).all()


# What follows from beta


@pytest.mark.parametrize("handles", [None, [1e-4, 1e-3, 1e-3, 1e-3, 1e-3, 1e-3], [1e-5] * 6])
def test_L_T_is_the_closed_form_for_this_image(handles):
    shown = bend().frame(handles)
    a, x = shown["alpha_bar"][-1], X.double()
    bits = (0.5 * (a * x**2 - a - torch.log1p(-a))).mean() / math.log(2)
    assert shown["L_T_bits"] == pytest.approx(bits.item(), rel=1e-6)
    assert (shown["L_T_bits"] < FORGOTTEN) == (handles is None)


def test_the_strip_is_the_image_at_eight_times():
    shown = bend().frame()
    strip = shown["strip"]
    assert strip.shape == (6, 8 * 5, 3) and strip.dtype == torch.uint8
    assert torch.equal(strip[:, :5], to_uint8(X)[0].permute(1, 2, 0))
    for k, t in enumerate([0, 143, 286, 429, 571, 714, 857, 1000]):
        a = shown["alpha_bar"][t]
        x_t = (a.sqrt() * X + (1 - a).sqrt() * E.clamp(-4, 4)).clamp(-1, 1)[0].permute(1, 2, 0)
        assert (strip[:, 5 * k : 5 * k + 5] - 127.5 * (x_t + 1)).abs().max() <= 127.5 * 2 / 127 + 0.51


def test_the_samples_are_the_image_or_its_negative():
    shown = bend().frame()
    samples = shown["samples"].reshape(2, 6, 20, 5, 3).permute(0, 2, 4, 1, 3).reshape(40, -1).double() / 127.5 - 1
    along = samples @ X.flatten().double() / X.square().sum()
    assert ((along.abs() - 1).abs() < 0.2).all() and 26 <= (along > 0).sum() <= 38
    assert abs(shown["share"] - 0.8) < 0.05
    early = bend(linear(T, 2e-5, 0.004)).frame()
    assert early["share"] < shown["share"] - 0.03  # a chain that stops early draws more of the rare picture


def test_larger_betas_leave_less():
    figure = bend()
    handles = figure.frame()["beta"][TIMES]
    before, after = figure.frame(), figure.frame(handles * torch.tensor([1, 1, 2, 1, 1, 1]))
    assert torch.equal(before["alpha_bar"][:201], after["alpha_bar"][:201])
    assert (after["alpha_bar"][201:] < before["alpha_bar"][201:]).all()
    assert after["L_T_bits"] < before["L_T_bits"]


def test_the_payload_alone_gives_the_curve():
    sent = payload(bend(cosine(T)))
    rows = np.frombuffer(base64.b64decode(sent["arrays"]["curves"]["data"]), np.float32).reshape(2, T)
    assert np.allclose(rows, [cosine(T).beta[1:], linear(T).beta[1:]], rtol=1e-7)
    assert (sent["T"], sent["low"], sent["high"], sent["forgotten"]) == (T, 1e-5, 0.999, FORGOTTEN)


# The weight over t


def test_shares_are_blocks_of_the_weighted_loss():
    shown = weigh().frame("L_simple")
    blocks = ERRORS.double().reshape(10, 100).sum(1)
    assert torch.allclose(shown["shares"], blocks / blocks.sum(), rtol=1e-6)
    assert torch.allclose(shown["weight"], torch.ones(T, dtype=torch.float64))


def test_weights_that_undo_the_errors_give_equal_shares():
    shown = weigh(weights={"inverse": 1 / ERRORS}).frame()
    assert torch.allclose(shown["shares"], torch.full((10,), 0.1, dtype=torch.float64), rtol=1e-6)


@pytest.mark.parametrize("steps", [10, 16, 25, 999])
def test_shares_sum_to_one_when_ten_does_not_divide_T(steps):
    figure = widgets.edit_weighting(linear(steps), torch.ones(steps), label="x")
    shares = figure.frame("L_simple")["shares"]
    assert shares.sum().item() == pytest.approx(1)
    assert (shares * steps - steps / 10).abs().max() < 1
    assert f"t = 1 to {round(shares[0].item() * steps)}, carries" in figure._repr_html_()


def test_half_is_the_fewest_steps_that_carry_half():
    steps = torch.zeros(T)
    steps[[3, 500, 700, 800]] = torch.tensor([4.0, 2.0, 3.0, 1.0])
    assert weigh(steps).frame("L_simple")["half"] == 2  # 4 of 10 is not enough, 4 + 3 is
    assert weigh(torch.ones(T)).frame("L_simple")["half"] == T // 2
    parts = weigh().frame()["weight"] * ERRORS.double()
    half = weigh().frame()["half"]
    largest = parts.topk(half).values
    assert largest.sum() >= parts.sum() / 2 > largest[:-1].sum()


def test_the_presets_are_the_packages_weightings_with_mean_1():
    figure, t = weigh(), torch.arange(1, T + 1)
    assert buttons(figure) == ["L", "L_simple", "min-SNR", "undo"]
    for name, weighting in {"L": vlb, "L_simple": uniform, "min-SNR": min_snr()}.items():
        shown, weight = figure.frame(name)["weight"], weighting(linear(T), t, EPS)
        assert shown.mean().item() == pytest.approx(1, rel=1e-6)
        assert torch.allclose(shown / shown[0], weight / weight[0], rtol=1e-6)


def test_shares_know_no_scale():
    weight = torch.linspace(1, 3, T)
    first, again = (weigh(weights={"x": scale * weight}).frame()["shares"] for scale in (1, 1000))
    assert torch.allclose(first, again, rtol=1e-6)
    figure = weigh()
    handles = figure.frame("min-SNR")["weight"][torch.tensor(TIMES) - 1]
    up = figure.frame(3 * handles, "min-SNR")
    assert torch.allclose(up["shares"], figure.frame("min-SNR")["shares"], rtol=1e-9)
    assert up["weight"].mean().item() == pytest.approx(3, rel=1e-6)


def test_the_axis_holds_every_preset():
    for weights in (None, {"steep": torch.logspace(-5, 2, T)}, {"flat": torch.ones(T)}):
        sent, figure = payload(weigh(weights=weights)), weigh(weights=weights)
        for name in buttons(figure)[:-1]:
            weight = figure.frame(name)["weight"]
            assert sent["low"] <= weight.min() and weight.max() <= sent["high"]
        assert sent["low"] <= 0.01 and sent["high"] >= 100
        for end in (sent["low"], sent["high"]):
            assert math.log10(end) == pytest.approx(round(math.log10(end)))


# Bad input gets one clear sentence


@pytest.mark.parametrize(
    "make, sentence",
    [
        (lambda: bend(linear(9)), "at least 10 steps.* 9"),
        (lambda: widgets.edit_schedule(linear(T), X, E[:, :, :5], label="x"), "eps.*(1, 3, 6, 5)"),
        (lambda: widgets.edit_schedule(linear(T), 2 * X, E, label="x"), r"x0 within \[-1, 1\]"),
        (lambda: widgets.edit_schedule(linear(T), to_uint8(X), E, label="x"), "floating point.*uint8"),
        (lambda: widgets.edit_schedule(linear(T), X[0], E[0], label="x"), r"one image.*\(3, 6, 5\)"),
        (
            lambda: widgets.edit_schedule(linear(T), X.expand(2, -1, -1, -1), E.expand(2, -1, -1, -1), label="x"),
            "one image",
        ),
        (lambda: widgets.edit_schedule(linear(T), X[:, :2], E[:, :2], label="x"), "C = 1 or 3"),
        (lambda: widgets.edit_schedule(linear(T), X, E, label=" "), "label"),
        (lambda: bend(presets={"short": linear(200)}), r"presets of 1000 steps.*\[200\]"),
        (lambda: bend(presets={"start": cosine(T)}), "another name"),
        (lambda: bend(from_betas([1e-6] * T)), "betas from 1e-05 to 0.999.*'start'"),
        (lambda: bend(presets={"wild": from_betas([0.9999] * T)}), "'wild' run from 0.9999"),
        (lambda: bend().frame([0.01] * 5), "6 handles"),
        (lambda: bend().frame([0.01] * 5 + [1.0]), r"from 1e-05 to 0.999.*1.0\]"),
        (lambda: bend().frame([0.01] * 5 + [math.nan]), "6 handles.*nan"),
        (lambda: bend().frame("x"), r"\['linear', 'cosine'\].*'x'"),
        (lambda: widgets.edit_weighting(linear(9), torch.ones(9), label="x"), "at least 10 steps"),
        (lambda: weigh(ERRORS[1:]), r"errors as 1000 finite.*\(999,\)"),
        (lambda: weigh(ERRORS * math.nan), "1000 that are not finite"),
        (lambda: weigh(-ERRORS), "errors of at least 0"),
        (lambda: weigh(0 * ERRORS), "not all 0"),
        (lambda: weigh(weights={"x": torch.ones(3)}), r"the weight 'x' as 1000.*\(3,\)"),
        (lambda: weigh(weights={"x": ERRORS - 0.01}), "positive weights.*'x'"),
        (lambda: weigh(weights={"x": -torch.ones(T)}), "positive weights.*'x'"),
        (lambda: weigh(weights={"x": torch.logspace(-9, 2, T)}), "none below 1e-09"),
        (lambda: weigh(weights={"x": torch.zeros(T)}), "positive weights.*'x'"),
        (lambda: weigh().frame([1e-9] * 6), "6 handles"),
    ],
)
def test_bad_input_gets_a_sentence(make, sentence):
    with pytest.raises(ValueError, match=sentence) as error:
        make()
    assert str(error.value).startswith("need ")
    assert "\n" not in str(error.value)
