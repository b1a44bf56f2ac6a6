"""The batch of a step: a function of the seed and the step alone."""

import torch

from ddpm_core.data import batches
from ddpm_core.diffusion.loss import logit_normal
from ddpm_core.diffusion.noise import seeded
from ddpm_core.schedule import cosine

IMAGES = torch.arange(8 * 16).reshape(8, 1, 4, 4).to(torch.uint8)


def test_a_batch_draws_its_times_as_it_is_told():
    plain, told = (batches(IMAGES, cosine(100), batch=8, seed=3, **how)(5) for how in ({}, {"times": logit_normal()}))
    assert torch.equal(told[1], logit_normal()(cosine(100), 8, seeded(3, 5, 1))) and not torch.equal(told[1], plain[1])
    assert torch.equal(told[0], plain[0]) and torch.equal(told[2], plain[2])  # the same pictures, the same noise
