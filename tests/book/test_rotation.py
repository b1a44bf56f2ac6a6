"""The axes that turn, from Python: guesses keep x_t, errors are those of 5.9, and bad input is refused."""

import pytest
import torch

from ddpm_core import schedule
from ddpm_core.book import widgets
from ddpm_core.diffusion.noise import seeded
from ddpm_core.diffusion.prediction import PREDICTIONS

SHORT = schedule.linear(T=100, beta_1=1e-3, beta_T=0.2)
X0 = torch.rand(1, 1, 4, 5, generator=seeded(0)) * 2 - 1
EPS = torch.randn(X0.shape, generator=seeded(1))


def figure(x0=X0, eps=EPS, **how):
    return widgets.turn_axes(SHORT, x0, eps, **{"label": "axes", "opens": 50, "error": 0.2, **how})


@pytest.mark.parametrize("t", [1, 30, 100])
def test_every_guess_lies_where_x_t_does(t):
    _, points = figure().frame(t, 0.25)
    x_t = SHORT.alpha_bar[t].sqrt() * points[:, 0] + (1 - SHORT.alpha_bar[t]).sqrt() * points[:, 1]
    assert torch.allclose(x_t, x_t[:1], rtol=0, atol=1e-9)


@pytest.mark.parametrize("t", [1, 30, 100])
def test_an_error_becomes_the_gain_times_as_large(t):
    _, points = figure().frame(t, 0.25)
    times, like = torch.tensor([t]), torch.zeros(1, dtype=torch.float64)
    gains = torch.cat([predict.x0_scale(SHORT, times, like) for predict in PREDICTIONS.values()])
    assert torch.allclose((points[1:, 0] - points[0, 0]).abs(), 0.25 * gains, rtol=1e-9)
    assert torch.allclose((points[3] - points[0]).norm(), torch.tensor(0.25, dtype=torch.float64))  # v: along the line


def test_without_an_error_all_four_say_the_picture():
    pictures, points = figure().frame(40, 0.0)
    assert torch.allclose(points, points[:1].expand(5, 2), rtol=0, atol=1e-9)
    assert (pictures[1:].int() - pictures[1]).abs().max() <= 1


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (lambda: figure(X0[0], EPS[0]), r"one image x0 shaped \(1, C, H, W\).*\(1, 4, 5\)"),
        (lambda: figure(X0, EPS[..., :3]), "eps shaped like x0"),
        (lambda: figure(2 * X0), r"x0 within \[-1, 1\]"),
        (lambda: figure(opens=0), r"a time in 1\.\.100, but got 0"),
        (lambda: figure(error=0.7), r"an error in 0\.\.0\.5.*0\.7"),
        (lambda: figure().frame(101, 0.1), r"a time in 1\.\.100, but got 101"),
        (lambda: figure(label=" "), "label"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(bad, told):
    with pytest.raises(ValueError, match=told):
        bad()
