"""Random numbers that can be repeated: by seed, by picture, and wherever the generator lives."""

import pytest
import torch

from ddpm_core.diffusion.noise import one_each, seeded, standard_normal


def test_noise_is_drawn_where_the_generator_lives(monkeypatch):
    class Elsewhere(torch.Generator):
        device = torch.device("meta")

    asked, plain = [], torch.randn
    monkeypatch.setattr(
        torch, "randn", lambda *shape, generator, **where: asked.append((generator, where)) or plain(*shape, **where)
    )
    here = Elsewhere()
    drawn = standard_normal(torch.empty(2, 3, device="meta"), here)
    assert asked == [(here, {"device": here.device, "dtype": torch.float32})] and drawn.shape == (2, 3)


def test_each_example_draws_from_its_own_generator():
    x = torch.empty(4, 1, 3, 3, dtype=torch.float64)
    together = standard_normal(x, one_each(7, 0, 4))
    for k in range(4):
        alone = standard_normal(x[k], seeded(7, k))
        assert torch.equal(together[k], alone) and together.dtype == torch.float64
    assert torch.equal(standard_normal(x[2:], one_each(7, 2, 2)), together[2:])
    assert len(together.unique()) == together.numel()
    assert not torch.equal(standard_normal(x, one_each(8, 0, 4)), together)


def test_a_generator_goes_on_where_it_stopped():
    x, generators = torch.empty(2, 5), one_each(0, 0, 2)
    first, second = standard_normal(x, generators), standard_normal(x, generators)
    own = seeded(0, 1)
    assert torch.equal(first[1], standard_normal(x[1], own)) and torch.equal(second[1], standard_normal(x[1], own))
    assert not torch.equal(first, second)


def test_too_few_generators_are_refused():
    with pytest.raises(ValueError, match="zip"):
        standard_normal(torch.empty(3, 2), one_each(0, 0, 2))
