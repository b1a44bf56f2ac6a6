"""The summands of each line add up to the line, and those that keep their place keep their value."""

import pytest
import torch

from ddpm_core import schedule
from ddpm_core.book import elbo_derivation
from ddpm_core.book.elbo_summands import summands
from ddpm_core.diffusion import mixture

TWO_TONES = mixture.isotropic([0.3, 0.7], [[-1.0], [0.8]], std=0.35)
LINES = {
    "4.3": elbo_derivation.negative_log_likelihood, "4.4": elbo_derivation.importance, "4.5": elbo_derivation.jensen,
    "4.6": elbo_derivation.products, "4.7": elbo_derivation.first_step_apart, "4.8": elbo_derivation.bayes,
    "4.9": elbo_derivation.telescoped, "4.10": elbo_derivation.collected, "4.11": elbo_derivation.three_terms,
}  # fmt: skip


@pytest.fixture(scope="module", params=[-1.2, 0.4])
def world(request):
    return elbo_derivation.world(TWO_TONES, schedule.from_betas([0.2, 0.4, 0.6]), request.param, points=81)


@pytest.mark.parametrize("line", LINES)
def test_they_add_up_to_the_line(world, line):
    assert sum(summands(world)[line]) == pytest.approx(float(LINES[line](world)), abs=1e-9)


def test_divergences_are_the_means_of_the_logarithms_above_them(world):
    found = summands(world)
    assert found["4.11"] == pytest.approx(found["4.10"], abs=1e-9)
    assert min(found["4.11"][:3]) > 0  # divergences
    assert found["4.8"] == pytest.approx(found["4.7"], abs=1e-9)  # Bayes' rule changes no summand


def test_in_4_9_what_is_left_of_the_jumps_is_the_last_over_the_first(world):
    found, s = summands(world), world.schedule
    entropies = 0.5 * torch.log((1 - s.alpha_bar[1]) / (1 - s.alpha_bar[3]))  # E log N = -log(2 pi e variance) / 2
    assert found["4.9"][3] == pytest.approx(float(entropies), abs=1e-9)
