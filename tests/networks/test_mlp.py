"""The network for points: it is its formula, hears of time, starts silent, and learns a world whose answer is known."""

import pytest
import torch

from ddpm_core import sampler, schedule
from ddpm_core.diffusion import gaussian, loss, mixture, prediction, timesteps
from ddpm_core.diffusion.noise import seeded
from ddpm_core.diffusion.prediction import V
from ddpm_core.networks.mlp import MLP, ResidualLayer

COSINE = schedule.cosine(1000)


def woken(net):
    """The same network with every weight moved away from its start, so that nothing is zero any more."""
    with torch.no_grad():
        for p in net.parameters():
            p.add_(0.2 * torch.randn(p.shape, generator=seeded(1, p.numel())))
    return net


@pytest.mark.parametrize("config", [dict(), dict(dimensions=3, width=16, blocks=1), dict(dimensions=1, blocks=5)])
def test_the_answer_has_the_shape_of_the_question(config):
    net = woken(MLP(**config))
    x = torch.randn(5, config.get("dimensions", 2))
    assert net(x, torch.tensor([1, 20, 300, 999, 1000])).shape == x.shape
    again = MLP(**net.config)
    again.load_state_dict(net.state_dict())
    assert torch.equal(again(x, torch.arange(5)), net(x, torch.arange(5)))


def test_a_fresh_network_answers_zero_and_a_fresh_layer_passes_on():
    assert (MLP()(torch.randn(4, 2), torch.arange(4)) == 0).all()
    h = torch.randn(4, 16)
    assert torch.equal(ResidualLayer(16, 8)(h, torch.randn(4, 8)), h)


def test_a_layer_is_its_formula():
    layer, x, c = woken(ResidualLayer(4, 6)).double(), torch.randn(3, 4).double(), torch.randn(3, 6).double()

    def silu(a):
        return a / (1 + torch.exp(-a))

    scale, shift = (x_ for x_ in (c @ layer.condition.weight.T + layer.condition.bias).split(4, dim=1))
    h = silu(x) @ layer.first.weight.T + layer.first.bias
    expected = x + silu((1 + scale) * h + shift) @ layer.second.weight.T + layer.second.bias
    torch.testing.assert_close(layer(x, c), expected, rtol=0, atol=1e-12)


def test_time_changes_the_answer_of_each_point_alone():
    net, x = woken(MLP()), torch.randn(3, 2)
    a, b = net(x, torch.tensor([10, 20, 30])), net(x, torch.tensor([10, 700, 30]))
    assert not torch.allclose(a[1], b[1], atol=1e-3)
    torch.testing.assert_close(a[[0, 2]], b[[0, 2]], rtol=0, atol=1e-5)


def test_every_layer_hears_of_time_in_its_scale_and_in_its_shift():
    net, x, t = woken(MLP(blocks=2)), torch.randn(1, 2), torch.tensor([300])
    before = net(x, t)
    for block in net.blocks:
        kept = block.condition.weight.data.clone()
        for half in block.condition.weight.data.chunk(2):
            half.zero_()
            assert not torch.allclose(net(x, t), before, atol=1e-4)
            block.condition.weight.data.copy_(kept)


def test_it_learns_what_can_be_known_and_draws_two_modes():
    """Two modes of unequal weight: within a few hundred steps the error is that of the perfect answer, and so are the
    shares of the modes in what is drawn."""
    world = mixture.isotropic([0.3, 0.7], [[-1.5, 0.5], [1.0, -0.5]], std=0.2)
    torch.manual_seed(0)
    net, g = MLP(width=32, blocks=2), seeded(2)
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 500)
    for _ in range(500):
        x0, t = world.sample(256, g).float(), loss.sample_timesteps(COSINE, 256, g)
        value = loss.training_loss(net, COSINE, x0, t, torch.randn(256, 2, generator=g), V)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        decay.step()
    x0, t = world.sample(4000, g), loss.sample_timesteps(COSINE, 4000, g)
    eps = torch.randn(4000, 2, generator=g, dtype=x0.dtype)
    x_t = gaussian.q_sample(COSINE, x0, t, eps)
    best = world.posterior_mean(COSINE, x_t, t)
    answer = V.target(COSINE, best, x_t, t, gaussian.eps_from_x0(COSINE, x_t, t, best))
    with torch.no_grad():
        excess = (net(x_t.float(), t).double() - answer).square().mean()
    assert excess < 0.02  # a network that says nothing: 0.6
    steps = sampler.dpm_solver(
        prediction.denoiser(net, COSINE, V), COSINE, torch.randn(2000, 2, generator=g), timesteps.uniform(COSINE, 20)
    )
    drawn = sampler.final(steps)
    assert (drawn[:, 0] > 0).double().mean() == pytest.approx(0.7, abs=0.06)


@pytest.mark.parametrize(
    ("x", "t", "message"),
    [
        (torch.zeros(2, 3), torch.tensor([1, 2]), r"need points x \(B, 2\).*\(2, 3\)"),
        (torch.zeros(2, 2, 1), torch.tensor([1, 2]), r"need points x \(B, 2\)"),
        (torch.zeros(2, 2, dtype=torch.long), torch.tensor([1, 2]), "got torch.int64"),
        (torch.zeros(2, 2), torch.tensor([1]), r"one time per point: t has shape \(1,\), but the batch has 2"),
    ],
)
def test_what_does_not_fit_is_refused(x, t, message):
    with pytest.raises(ValueError, match=message):
        MLP()(x, t)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (dict(dimensions=0), "need dimensions as a whole number from 1"),
        (dict(blocks=0), "need blocks as a whole number from 1"),
        (dict(width=7), "need an even width of at least 4, but got 7"),
        (dict(width=2), "need an even width"),
    ],
)
def test_a_network_that_cannot_be_is_refused(config, message):
    with pytest.raises(ValueError, match=message):
        MLP(**config)
