"""Walk, jump and straight line, from Python: the first two are one distribution, the third sags between its ends."""

import pytest
import torch

from ddpm_core.book import examples, widgets
from ddpm_core.diffusion.gaussian import q_sample
from ddpm_core.diffusion.noise import seeded
from ddpm_core.schedule import cosine, linear

POINTS, ARM = examples.spiral_points(600)
EPS = torch.randn(600, 2, generator=seeded(2), dtype=torch.float64)


def figure(schedule=None, **other):
    given = {"x0": POINTS, "eps": EPS, "groups": ARM, "label": "three ways"} | other
    return widgets.walk_and_jump(schedule or linear(1000), given.pop("x0"), given.pop("eps"), **given)


@pytest.mark.parametrize("t", [0, 1, 300, 1000])
def test_the_walk_has_the_jump_s_mean_and_variance(t):
    walk, jump, _ = torch.from_numpy(figure().frame(t))
    alpha_bar = linear(1000).alpha_bar[t]
    for cloud in (walk, jump):
        noise = cloud - alpha_bar.sqrt() * POINTS
        std = (1 - alpha_bar).sqrt()
        assert noise.mean(0).abs().max() <= 5 * std / 600**0.5 + 1e-3
        assert (noise.std() - std).abs() <= 5 * std / 2400**0.5 + 1e-3
    torch.testing.assert_close(jump, q_sample(linear(1000), POINTS, torch.full((600,), t), EPS), rtol=0, atol=1e-3)


def test_the_walk_jitters_and_the_others_glide():
    one, after = (torch.from_numpy(figure().frame(t)) for t in (500, 501))
    moved = (after - one).norm(dim=2).mean(1)
    assert moved[0] > 20 * moved[1] and moved[0] > 20 * moved[2]


def test_the_straight_line_sags_and_ends_in_the_noise():
    start, middle, end = (torch.from_numpy(figure().frame(t))[2] for t in (0, 500, 1000))
    assert middle.var() < 0.6 < 0.9 < min(start.var(), end.var())
    torch.testing.assert_close(end, EPS, rtol=0, atol=1e-3)
    torch.testing.assert_close(middle, (POINTS + EPS) / 2, rtol=0, atol=1e-3)


def test_it_stays_small_and_loads_nothing():
    html = figure()._repr_html_()
    assert "http" not in html and len(html.encode()) < 40_000


@pytest.mark.parametrize(
    "make, sentence",
    [
        (lambda: figure(x0=POINTS[:, :1], eps=EPS[:, :1]), r"need points x0 shaped \(N, 2\)"),
        (lambda: figure(eps=EPS[:3]), "eps shaped like x0"),
        (lambda: figure(groups=ARM + 1), "one of the groups 0, 1, 2"),
        (lambda: figure(groups=ARM[:5]), "one of the groups 0, 1, 2"),
        (lambda: figure(groups=0 * ARM), "a point for each"),
        (lambda: figure(cosine(10), opens=11), "a time in 0..10"),
        (lambda: figure().frame(1001), "need a time"),
    ],
)
def test_bad_input_gets_a_sentence(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()
