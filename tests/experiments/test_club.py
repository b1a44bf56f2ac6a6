"""The club's model of 2024, rebuilt: its size to the last parameter, its line, its loss, its sixteen applications."""

import numpy as np
import pytest
import torch
from torch import nn

from ddpm_core.networks.flops import parameter_count
from experiments.ch16 import club


@pytest.fixture
def net():
    """A narrow one for 8x8."""
    torch.manual_seed(0)
    return club.Club(8, width=8)


IMAGES = torch.arange(20 * 3 * 8 * 8).reshape(20, 3, 8, 8).to(torch.uint8)


def test_it_has_as_many_parameters_as_the_original():
    with torch.device("meta"):
        assert parameter_count(club.Club(32)) == club.PARAMETERS == 4_281_091


@pytest.mark.parametrize("side", [8, 16, 32])
def test_it_draws_pictures_of_its_size(side):
    x = torch.randn(2, 3, side, side)
    assert club.Club(side, width=8)(x, torch.tensor([1, 16])).shape == x.shape


def test_the_line_goes_from_the_picture_to_the_noise(normal):
    x0, eps = normal(3, 3, 4, 4), normal(3, 3, 4, 4)
    x = club.blend(x0, torch.tensor([0, 4, 16]), eps)
    assert torch.equal(x[0], x0[0]) and torch.equal(x[2], eps[2])
    torch.testing.assert_close(x[1], 0.75 * x0[1] + 0.25 * eps[1])


def test_the_loss_is_the_absolute_error_of_the_next_picture(normal):
    x0, eps, t = normal(2, 3, 4, 4), normal(2, 3, 4, 4), torch.tensor([1, 16])

    def keeps(x, times):  # answers with what it is shown
        assert torch.equal(times, t)
        return x

    # blend(t) - blend(t - 1) = (eps - x_0) / 16, wherever on the line
    assert club.absolute(keeps, x0, t, eps).item() == pytest.approx(((eps - x0) / 16).abs().mean().item())


def test_drawing_is_sixteen_applications_and_nothing_else():
    asked = []

    def half(x, t):
        asked.append(t.tolist())
        return x / 2

    x_T = torch.full((2, 3, 4, 4), 2.0**16)
    steps = list(club.draw(half, x_T))
    assert [t for t, _ in steps] == list(range(16, -1, -1)) and torch.equal(steps[-1][1], torch.ones_like(x_T))
    assert asked == [[t, t] for t in range(16, 0, -1)]


def test_the_network_is_told_the_number_of_steps_done_as_it_is(net):
    heard = []
    net.clock[0].register_forward_hook(lambda layer, given, answer: heard.append(given[0].tolist()))
    net(torch.randn(3, 3, 8, 8), torch.tensor([16, 15, 1]))
    assert heard == [[[0.0], [1.0], [15.0]]]
    x = torch.randn(1, 3, 8, 8).expand(2, -1, -1, -1)
    a, b = net(x, torch.tensor([1, 16]))
    assert (a - b).abs().max() > 1e-3


def test_the_time_multiplies_one_of_two_convolutions():
    block = club.Block(3, 4, 6)
    nn.init.zeros_(block.gate.weight)
    nn.init.zeros_(block.gate.bias)
    x, told = torch.randn(2, 3, 6, 6), torch.randn(2, club.TOLD)
    torch.testing.assert_close(block(x, told), torch.relu(block.norm(block.plain(x))))
    nn.init.ones_(block.gate.bias)
    torch.testing.assert_close(block(x, told), torch.relu(block.norm(block.plain(x) + torch.relu(block.gated(x)))))


def test_the_rate_falls_by_a_tenth_after_each_fourteenth():
    rates = [club.rate(k / 700) for k in range(700)]
    assert rates[0] == rates[49] == 8e-4 and rates[50] == pytest.approx(7.2e-4)
    assert len(set(rates)) == 14 and rates[-1] == pytest.approx(8e-4 * 0.9**13)


def test_every_picture_is_met_once_an_epoch_at_any_time():
    batch_at = club.batches(IMAGES, 16, 10, seed=0)
    x0 = torch.cat([batch_at(step)[0] for step in (0, 1)])
    assert sorted(x.flatten()[0].item() for x in x0) == sorted((IMAGES.flatten(1)[:, 0].float() / 127.5 - 1).tolist())
    times = torch.cat([batch_at(step)[1] for step in range(100)])
    assert times.unique().tolist() == list(range(1, 17))
    assert all(torch.equal(a, b) for a, b in zip(batch_at(7), club.batches(IMAGES, 16, 10, seed=0)(7), strict=True))


def trained(net, kept, steps, stop=None, error=club.absolute):
    losses = []
    for step, loss, seconds in club.train(net, club.batches(IMAGES, 16, 10, 0), error, steps, kept, 0, 1):
        losses.append(loss)
        assert seconds > 0
        if step == stop:
            break
    return losses


def test_it_learns(net, tmp_path):
    losses = trained(net, tmp_path / "a.pt", 30)
    assert np.mean(losses[-10:]) < 0.85 * np.mean(losses[:3]) and not net.training


def test_a_stopped_training_goes_on_as_if_nothing_had_been(tmp_path):
    nets, losses = [], []
    for stop in (None, 3):
        torch.manual_seed(0)
        net, kept = club.Club(8, width=8), tmp_path / f"{stop}.pt"
        losses.append(trained(net, kept, 6, stop))
        if stop:
            torch.manual_seed(1)
            net = club.Club(8, width=8)
            assert len(losses.pop()) == 3
            losses.append(trained(net, kept, 6))  # those of the first three steps are yielded once more
        nets.append(net.state_dict())
    assert all(torch.equal(nets[0][k], nets[1][k]) for k in nets[0])
    assert losses[0] == losses[1] and len(losses[0]) == 6


def test_what_is_reported_is_the_mean_since_the_last_report(tmp_path):
    each, some = [], []
    for losses, every in ((each, 1), (some, 10)):
        torch.manual_seed(0)
        net, batch_at = club.Club(8, width=8), club.batches(IMAGES, 16, 10, 0)
        kept = tmp_path / f"{every}.pt"
        losses += [(step, x) for step, x, _ in club.train(net, batch_at, club.absolute, 25, kept, report_every=every)]
    assert [step for step, _ in some] == [10, 20, 25]
    spans = [(0, 10), (10, 20), (20, 25)]
    assert [x for _, x in some] == pytest.approx([np.mean([x for _, x in each[a:b]]) for a, b in spans])


def test_a_loss_that_is_no_number_ends_the_training_and_is_not_saved(net, tmp_path):
    calls = []

    def error(*batch):
        calls.append(1)
        return club.absolute(*batch) * (torch.nan if len(calls) == 4 else 1)

    with pytest.raises(FloatingPointError, match="the loss became nan at step 4"):
        trained(net, tmp_path / "a.pt", 6, error=error)
    stored = torch.load(tmp_path / "a.pt", weights_only=True)
    assert stored["step"] == 3 and all(value.isfinite().all() for value in stored["net"].values())


def test_weights_that_are_no_numbers_are_not_saved(net, tmp_path):
    def error(*batch):
        return club.absolute(*batch) + (0 * net.out.weight).square().sum().sqrt()  # 0, but of no slope

    with pytest.raises(FloatingPointError, match="the weights are no longer finite at step 1"):
        trained(net, tmp_path / "a.pt", 6, error=error)
    assert not (tmp_path / "a.pt").exists()


def test_what_was_kept_is_read_to_the_cpu(net, tmp_path, monkeypatch):
    """Weights and moments move on to where the network is; Adam's counts of steps stay where they were read to."""
    trained(net, tmp_path / "a.pt", 2)
    places, plain = [], torch.load
    monkeypatch.setattr(torch, "load", lambda *a, **how: places.append(how["map_location"]) or plain(*a, **how))
    trained(net, tmp_path / "a.pt", 3)
    assert places == ["cpu"]


def test_a_file_that_does_not_hold_its_losses_says_so(net, tmp_path):
    trained(net, tmp_path / "a.pt", 2)
    stored = torch.load(tmp_path / "a.pt", weights_only=True)
    del stored["reports"]
    torch.save(stored | {"seconds": 100.0}, tmp_path / "a.pt")
    first, last = club.train(net, club.batches(IMAGES, 16, 10, 0), club.absolute, 3, tmp_path / "a.pt")
    assert first[0] == 2 and np.isnan(first[1]) and first[2] == 100
    assert last[0] == 3 and last[1] > 0 and last[2] > 100


def test_the_script_trains_and_draws(small_cars, tmp_path, capsys):
    settings = club.Settings(data=small_cars, device="cpu", out=tmp_path / "out", batch=4, width=8)
    club.main(["--epochs", "1"], settings)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["samples.png", "training.pt"]
    stored = torch.load(tmp_path / "out" / "training.pt", weights_only=True)
    assert stored["step"] == 3  # of four of the twelve cars
    assert "the original has 4,281,091" in capsys.readouterr().out
