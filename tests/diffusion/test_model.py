"""A model: its network answers as a denoiser should, with its own schedule and prediction."""

import pytest
import torch

from ddpm_core.diffusion.guidance import guided
from ddpm_core.diffusion.model import Model
from ddpm_core.diffusion.prediction import EPS, V, clip_denoised, denoiser
from ddpm_core.schedule import cosine
from ddpm_core.unet import UNet

SCHEDULE = cosine(50)
X_T, T = torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(2)), torch.tensor([1, 20, 50])
LABELS = torch.tensor([0, 1, 1])


@pytest.fixture
def network():
    torch.manual_seed(0)
    net = UNet(1, (8, 16), num_classes=2).eval()
    for weight in net.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    return net


@torch.no_grad()
@pytest.mark.parametrize("predict", [EPS, V], ids=repr)
def test_it_is_denoised_by_its_own_schedule_and_prediction_and_clipped(predict, network):
    model = Model(network, SCHEDULE, predict)
    plain = denoiser(network, SCHEDULE, predict)(X_T, T)
    assert plain.abs().max() > 1  # or there would be nothing to clip
    assert torch.equal(model.denoiser()(X_T, T), plain.clamp(-1, 1))


@torch.no_grad()
def test_labels_are_told_and_guidance_is_clipped_as_a_whole(network):
    model = Model(network, SCHEDULE, V)

    def told(x_t, t):
        return network(x_t, t, labels=LABELS)

    conditional, unconditional = denoiser(told, SCHEDULE, V), denoiser(network, SCHEDULE, V)
    assert torch.equal(model.denoiser(LABELS)(X_T, T), conditional(X_T, T).clamp(-1, 1))
    wanted = clip_denoised(guided(conditional, unconditional, 2.0))(X_T, T)
    assert torch.equal(model.denoiser(LABELS, guidance=2.0)(X_T, T), wanted)
    assert not torch.equal(wanted, conditional(X_T, T).clamp(-1, 1))


def test_guidance_needs_something_to_be_pulled_to(network):
    with pytest.raises(ValueError, match="guidance pulls towards a label or a caption"):
        Model(network, SCHEDULE, V).denoiser(guidance=1.0)
