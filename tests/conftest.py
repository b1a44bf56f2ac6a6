"""What the tests share: one thread, one seed, no network, float64 noise, and a world that can be solved."""

import os
import signal

os.environ["HF_HUB_OFFLINE"] = "1"  # read when huggingface_hub is imported: no test leaves this machine

import pytest
import torch

from ddpm_core.diffusion.mixture import GaussianMixture

torch.set_num_threads(1)
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell that starts the tests in the background ignores it


@pytest.fixture(autouse=True)
def _one_seed():
    torch.manual_seed(0)


@pytest.fixture
def normal():
    """normal(B, ...): standard normal numbers in float64, from a stream that no other draw disturbs."""
    generator = torch.Generator().manual_seed(1)
    return lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)


@pytest.fixture
def mixture():
    """Three modes in the plane, unequal in weight and in width."""
    numbers = [0.5, 0.3, 0.2], [[-1.0, 0.0], [1.0, 0.6], [0.2, -1.0]], [[0.04, 0.09], [0.02, 0.05], [0.1, 0.01]]
    return GaussianMixture(*(torch.tensor(x, dtype=torch.float64) for x in numbers))


@pytest.fixture
def peer():
    """peer(kind, schedule, **config): a scheduler of diffusers that computes with our betas, in float64."""

    def make(kind, schedule, **config):
        betas = schedule.beta[1:]
        scheduler = kind(num_train_timesteps=schedule.T, trained_betas=betas.numpy(), **config)
        scheduler.betas, scheduler.alphas = betas, 1 - betas  # its own copies are rounded to float32
        scheduler.alphas_cumprod = torch.cumprod(1 - betas, 0)
        return scheduler

    return make
