"""The sketches, from Python: Bayes' rule holds between their curves, and no wrong line of a derivation is shown."""

import base64
import json
import math
import re
from html import unescape

import numpy as np
import pytest
import torch

from ddpm_core import schedule
from ddpm_core.book import widgets
from ddpm_core.diffusion.gaussian import q_step

SHORT = schedule.linear(T=10, beta_1=0.05, beta_T=0.6)


def payload(figure):
    return json.loads(unescape(re.search(r'data-payload="([^"]*)"', figure._repr_html_())[1]))


# Two Gaussians multiply


@pytest.mark.parametrize("schedule", [SHORT, schedule.linear(1000), schedule.cosine(16)], ids=repr)
@pytest.mark.parametrize("t", [2, 3, 10])
def test_precisions_add_up(schedule, t):
    figure = widgets.posterior(schedule, label="x")
    for x0, x_t in [(0.8, -0.5), (-1.0, 2.5), (0.0, 0.0)]:
        (m1, v1), (m2, v2), (mean, variance) = figure.frame(x0, x_t, t)
        assert 1 / variance == pytest.approx(1 / v1 + 1 / v2, rel=1e-10)
        assert mean / variance == pytest.approx(m1 / v1 + m2 / v2, rel=1e-10, abs=1e-10)


@pytest.mark.parametrize("t", [2, 6, 10])
def test_what_x_0_says_is_the_jump_to_one_step_before(t):
    (mean, variance), _, _ = widgets.posterior(SHORT, label="x").frame(0.8, -0.5, t)
    assert mean == pytest.approx(0.8 * math.sqrt(SHORT.alpha_bar[t - 1]))
    assert variance == pytest.approx(float(1 - SHORT.alpha_bar[t - 1]))


@pytest.mark.parametrize("t", [2, 6, 10])
def test_what_x_t_says_is_the_likelihood_of_one_step(t):
    """As a function of x_{t-1}, log q(x_t | x_{t-1}) and the Gaussian that is drawn differ by a constant."""
    _, (mean, variance), _ = widgets.posterior(SHORT, label="x").frame(0.8, -0.5, t)
    before = torch.linspace(-3, 3, 7, dtype=torch.float64)
    expected = q_step(SHORT, before, torch.full((7,), t), torch.zeros_like(before))
    likelihood = -0.5 * (-0.5 - expected) ** 2 / SHORT.beta[t]
    drawn = -0.5 * (before - mean) ** 2 / variance
    assert torch.allclose(likelihood - likelihood[0], drawn - drawn[0], atol=1e-12)


def test_the_page_gets_the_schedule_to_seven_digits():
    sent = payload(widgets.posterior(schedule.linear(1000), label="x"))["arrays"]
    noise, beta = (np.frombuffer(base64.b64decode(sent[name]["data"]), np.float32) for name in ("noise", "beta"))
    assert np.allclose(noise, 1 - schedule.linear(1000).alpha_bar, rtol=1e-7, atol=0)
    assert np.allclose(beta, schedule.linear(1000).beta, rtol=1e-7, atol=0)


def test_multiply_is_small_stable_and_self_contained():
    figure = widgets.posterior(SHORT, label='one <b> "pixel"')
    html = figure._repr_html_()
    assert repr(figure) == "InteractiveFigure('one <b> \"pixel\"')"
    assert html == figure._repr_html_()
    assert html.count("one &lt;b&gt; &quot;pixel&quot;") == 2
    assert re.search('class="ddpm-figure ddpm-multiply" id="multiply-[0-9a-f]{8}" role="group"', html)
    assert len(re.sub(r'data-payload="[^"]*"', "", html).encode()) <= 9216
    assert not re.search(r"https?:|src=|href=|@import|url\(|import\(", html)


# A line that checks itself


def start(world=1.0):
    return 2.0 * world


def same_again(world=1.0):
    return torch.tensor(2.0 * world, dtype=torch.float64)


def below(world=1.0):
    if world < 2:  # a sign that HTML would swallow
        return 1.5 * world
    return math.nan


def line(number="4.3", reason="why", compute=start, *arguments, **options):
    return widgets.derivation_line(number, reason, compute, *arguments, **options)


def test_equal_lines_say_so():
    first = line()
    again = line("4.4", "Twice.", same_again, first)
    assert repr(first) == "(4.3) 2.0000000000 nats"
    assert repr(again) == "(4.4) 2.0000000000 nats, = 4.3 (difference < 1e-10)"
    assert again.value == 2.0


def test_a_line_is_a_function_of_its_world():
    assert line(world=3.0).value == 6.0
    assert line().value == 2.0


@pytest.mark.parametrize("gap, sign, text", [(-0.5, "≤", "0.5"), (torch.tensor(-0.5), "≤", "0.5")])
def test_a_gap_that_was_computed_apart_closes(gap, sign, text):
    first = line()
    lower = line("4.4", "Less.", below, first, gap)
    assert repr(lower) == f"(4.4) 1.5000000000 nats, {sign} 4.3, gap {text}000000000 (difference < 1e-10)"
    back = line("4.5", "More.", start, lower, 0.5)
    assert "≥ 4.4, gap 0.5000000000" in repr(back)


def test_rounding_is_not_printed():
    """Two machines whose values differ in the last digits show the same."""
    one, other = (
        line("4.4", "why", lambda noise: 2.0 + noise, line(compute=lambda noise: -noise, world=noise), 2.0, world=noise)
        for noise in (3e-14, -8e-15)
    )
    assert repr(one) == repr(other) and one._repr_html_() == other._repr_html_()
    assert "line 4.3: 0.0000000000 nats" in one._repr_html_()


def test_the_tolerance_is_part_of_what_is_said():
    first = line()
    near = line("4.4", "why", lambda: 2 + 5e-9, first, tolerance=1e-8)
    assert repr(near).endswith("= 4.3 (difference < 1e-8)")
    with pytest.raises(ValueError, match="within 1e-10"):
        line("4.4", "why", lambda: 2 + 5e-9, first)


def test_it_unfolds_to_reason_source_and_numbers():
    lower = line("4.4", "By <em>Jensen</em>: x<sub>0</sub> & x < 1.", below, line(), -0.5)
    html = lower._repr_html_()
    assert html.count("<details") == 1 and "<script" not in html and " open" not in html
    assert "By <em>Jensen</em>: x<sub>0</sub> &amp; x &lt; 1." in html
    assert '<a href="#eq-4-4">Equation 4.4</a>' in html
    source = unescape(re.search(r"<pre[^>]*>(.*?)</pre>", html, re.S)[1])
    assert source.startswith("def below(world=1.0):\n    if world < 2:") and source.endswith("return math.nan")
    assert "line 4.3: 2.0000000000 nats<br>line 4.4: 1.5000000000 nats" in html
    assert (
        '<span class="name">below</span>' in html
        and '<span class="name"></span>' in line(compute=lambda: 1.0)._repr_html_()
    )


def test_the_source_of_a_nested_function_is_dedented():
    def nested():
        return 1.0

    assert '<pre tabindex="0">def nested():\n    return 1.0</pre>' in line(compute=nested)._repr_html_()


@pytest.mark.parametrize(
    "make, sentence",
    [
        (lambda: widgets.posterior(schedule.linear(1), label="x"), "two steps.* 1"),
        (lambda: widgets.posterior(SHORT, label=""), "label"),
        (lambda: widgets.posterior(SHORT, label="x").frame(0.0, 0.0, 1), r"2\.\.10.* 1"),
        (lambda: widgets.posterior(SHORT, label="x").frame(0.0, 0.0, 11), r"2\.\.10.* 11"),
        (lambda: line("4.4", "w", below, line()), r"4\.4 to be line 4\.3 within 1e-10.* 1\.5.* 2\.0"),
        (lambda: line("4.4", "w", below, line(), 0.5), r"4\.4 to be line 4\.3 plus 0\.5.* 1\.5.* 2\.0"),
        (lambda: line("4.4", "w", below, line(), -0.4999999), r"plus -0\.4999999"),
        (lambda: line("4.4", "w", same_again, line(), 1e-9), r"plus 0\.000000001"),
        (lambda: line("4.4", "w", lambda: math.nan, line()), "nan"),
        (lambda: line(gap=0.5), r"line above 4\.3.* 0\.5"),
        (lambda: line("Eq. 4"), "number of an equation.*'Eq. 4'"),
        (lambda: line(compute=lambda: torch.zeros(2)), r"one number for line 4\.3.*\(2,\)"),
        (lambda: line(compute=float), "source.*4.3.*float"),
        (lambda: line(reason="<em>x"), "closed.*<em>"),
        (lambda: line(reason="x</b>"), "opened.*</b>"),
        (lambda: line(reason="<b><i>x</b></i>"), "opened.*</b>"),
    ],
)
def test_bad_input_gets_a_sentence(make, sentence):
    with pytest.raises(ValueError, match=sentence) as error:
        make()
    assert str(error.value).startswith("need ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("tag", ["<script>", "<img src=x onerror=y>", '<a href="x">', "<b class=x>"])
def test_a_reason_may_not_bring_other_html(tag):
    assert tag not in line(reason=tag)._repr_html_().replace('<a href="#eq-4-3">', "")
