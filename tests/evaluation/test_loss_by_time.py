"""Which times carry the training loss."""

import math

import pytest
import torch

from ddpm_core.book.widgets import edit_weighting
from ddpm_core.diffusion.loss import vlb
from ddpm_core.diffusion.prediction import EPS
from ddpm_core.evaluation.loss_by_time import loss_shares
from ddpm_core.schedule import linear


def test_the_share_of_a_time_is_its_weight_times_its_error():
    schedule, t = linear(10, 0.05, 0.6), torch.arange(1, 11)
    errors = torch.linspace(0.9, 0.1, 10, dtype=torch.float64)
    weights = vlb(schedule, t, EPS)
    parts = weights * errors
    torch.testing.assert_close(loss_shares(weights, errors, 10), parts / parts.sum(), rtol=1e-12, atol=0)
    thirds = torch.stack([part.sum() for part in parts.split([4, 3, 3])])  # t = 1..4, 5..7, 8..10
    torch.testing.assert_close(loss_shares(weights, errors, 3), thirds / parts.sum(), rtol=1e-12, atol=0)
    shown = edit_weighting(schedule, errors, label="ten times, one in each tenth", weights={"L": weights}).frame()
    torch.testing.assert_close(shown["shares"], parts / parts.sum(), rtol=1e-6, atol=0)


@pytest.mark.parametrize(
    ("weights", "errors", "parts", "said"),
    [
        (torch.ones(4), torch.ones(5), 2, r"the same T times.*\(4,\) and \(5,\)"),
        (torch.ones(4), torch.ones(4), 5, "1 to T parts.* 5 parts"),
        (torch.ones(4), torch.ones(4), 0, "1 to T parts.* 0 parts"),
        (torch.tensor([1.0, -1.0]), torch.ones(2), 2, r"no negative part.*\[1.0, -1.0\]"),
        (torch.tensor([1.0, math.nan]), torch.ones(2), 2, "a finite loss.*nan"),
        (torch.zeros(4), torch.ones(4), 2, "above 0"),
    ],
)
def test_what_is_no_loss_has_no_shares(weights, errors, parts, said):
    with pytest.raises(ValueError, match=said):
        loss_shares(weights, errors, parts)
