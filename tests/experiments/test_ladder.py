"""The ladder: one change a rung, the club's model at its foot, ours at its top, the same compute for each."""

import json
import re
from dataclasses import fields, replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from ddpm_core import sampler, trainer, unet
from ddpm_core.diffusion import loss, prediction, timesteps
from ddpm_core.diffusion.model import Model
from ddpm_core.diffusion.noise import seeded
from ddpm_core.diffusion.prediction import V
from ddpm_core.networks.flops import parameter_count, training_flops
from ddpm_core.recipes import config
from ddpm_core.storage import checkpoint
from experiments.ch16 import beside_the_club, club, ladder, rungs
from experiments.ch16.rungs import BY_NAME, LADDER, NEXT, TRAINING, VELOCITY, Rung
from experiments.ch16.trainings import Job, Rhythm


def changed(a, b):
    return {f.name for f in fields(Rung) if getattr(a, f.name) is not getattr(b, f.name)}


# ---- the rungs as values ---------------------------------------------------------------------------------------


def test_one_thing_changes_from_rung_to_rung():
    for lower, upper in pairwise(LADDER):
        assert len(changed(lower, upper) - {"name", "change"}) == 1, upper.name
    assert len(BY_NAME) == len(LADDER) and {f.name for f in fields(Rung)} >= set(TRAINING)


def test_what_does_not_touch_the_training_shares_it():
    shared = {rung.name: rungs.training_of(rung).name for rung in LADDER}
    assert {a: b for a, b in shared.items() if a != b} == dict.fromkeys(
        ["average", "calls", "clamp", "sampler"], "attention"
    )


def test_the_foot_is_the_clubs_model(normal):
    foot, net = LADDER[0], club.Club(8, width=8).double()
    net.clock = net.clock.float()
    x0, eps, t = normal(4, 3, 8, 8), normal(4, 3, 8, 8), torch.tensor([1, 2, 9, 16])

    def told(x, t):
        return net.float()(x.float(), t).double()

    assert torch.equal(foot.loss(told, x0, t, eps), club.absolute(told, x0, t, eps))
    *_, (_, wanted) = club.draw(told, eps)
    assert torch.equal(foot.draws(foot, told, eps, 0), wanted)
    with torch.device("meta"):
        assert parameter_count(foot.network(32, 16)) == club.PARAMETERS


def test_the_top_is_our_recipe_for_cars(normal):
    top, net = LADDER[-1], unet.UNet(3, (8, 16)).eval()
    for p in net.parameters():
        p.data.add_(0.1 * torch.randn_like(p))
    x0, eps, t = normal(4, 3, 8, 8).float(), normal(4, 3, 8, 8).float(), torch.tensor([1, 2, 500, 1000])
    x0 = x0.clamp(-1, 1)
    wanted = loss.objective(config.CARS32.schedule, config.CARS32.predict)(net, x0, t, eps)
    torch.testing.assert_close(top.loss(net, x0, t, eps), wanted)
    denoise = prediction.clip_denoised(prediction.denoiser(net, config.COSINE, V))
    times = timesteps.uniform(config.COSINE, 50)
    drawn = sampler.final(sampler.ddim(denoise, config.COSINE, eps, times, eta=1.0, generator=seeded(7, 3)))
    torch.testing.assert_close(top.draws(top, net, eps, 7), drawn)
    with torch.device("meta"):
        ours, theirs = top.network(32, 1000), config.network(config.CARS32, 3, None)
    assert ours.config == theirs.config and top.flips and top.averaged and config.CARS32.flips


def test_at_16_the_grids_are_those_of_32():
    with torch.device("meta"):
        small, large = (BY_NAME["attention"].network(side, 1000) for side in (16, 32))
    assert (small.patch, large.patch) == (1, 2)
    assert len(small.config["channels"]) == len(large.config["channels"])


def test_at_16_both_networks_are_narrower_and_cost_about_the_same():
    with torch.device("meta"):
        costs = {
            side: [training_flops(BY_NAME[name].network(side, 16), (3, side, side)) for name in ("club", "attention")]
            for side in (16, 32)
        }
    assert costs[16][0] < 0.1 * costs[32][0] and 0.5 < costs[16][0] / costs[16][1] < 2


def test_without_attention_there_is_none():
    with torch.device("meta"):
        nets = [BY_NAME[name].network(16, 1000) for name in ("unet", "attention")]
    assert [sum(isinstance(m, unet.Attention) for m in net.modules()) for net in nets] == [0, 3]


@pytest.mark.parametrize("way", [rungs.BLEND, BY_NAME["cosine"].way])
@pytest.mark.parametrize("t", [1, 2, 9, 16])
def test_the_target_stands_for_x0_and_leads_to_the_next_picture(way, t, normal):
    x0, eps, t = normal(2, 3, 4, 4), normal(2, 3, 4, 4), torch.full((2,), t)
    x_t, predictions = way.mix(x0, t, eps), [NEXT] + [VELOCITY] * (way.schedule is not None)
    for predicts in predictions:
        target = predicts.target(way, x0, t, eps)
        torch.testing.assert_close(predicts.to_x0(way, target, x_t, t), x0)
        torch.testing.assert_close(predicts.step(way, target, x_t, t, t - 1), way.mix(x0, t - 1, eps))


def test_sixteen_calls_by_v_are_ddims(normal):
    rung, x_T = BY_NAME["T"], normal(2, 3, 4, 4)
    s = rung.way.schedule

    def net(x, t):
        return torch.tanh(x) + t.to(x)[:, None, None, None] / 1000

    denoise = prediction.denoiser(net, s, V)
    wanted = sampler.final(sampler.ddim(denoise, s, x_T, timesteps.uniform(s, 16)))
    torch.testing.assert_close(rung.draws(rung, net, x_T, 0), wanted, rtol=1e-9, atol=1e-9)


# ---- training and measuring ------------------------------------------------------------------------------------

FOUR, EVERY_STEP = Rhythm(batch=4), Rhythm(batch=4, report_every=1, save_every=-1)


def changing(ladder, names, **change):
    """The ladder with some rungs changed."""
    return tuple(replace(rung, **change) if rung.name in names else rung for rung in ladder)


def fails(*arguments):
    pytest.fail("made again")


def stopped(call, error=torch.abs):
    """An error that Ctrl-C meets when it is asked for the time `call`."""
    calls = []

    def counted(difference):
        calls.append(1)
        if len(calls) == call:
            raise KeyboardInterrupt
        return error(difference)

    return counted


def test_every_rung_spends_the_same(small, narrow, kept):
    """Images x FLOPs, up to the last batch."""
    jobs = {}

    def trained(rung, net, job):
        jobs[rung.name] = job
        return Always(0.0), Always(0.0), {"steps": 1, "images": 4, "minutes": 1.0, "loss": 1.0}

    names = ("club", "clock", "unet", "flips")
    small("--rungs", *names, priced=0, ladder=changing(narrow, names, trained=trained))
    spent = [job.budget * rung.flops(16) for rung in narrow if (job := jobs.get(rung.name))]
    assert len(spent) == 4 and spent == pytest.approx([12 * narrow[0].flops(16)] * 4)
    assert len({narrow[0].flops(16), *(job.budget for job in jobs.values())}) == 5  # and none sees as many images
    assert replace(jobs["club"], budget=10.4 * 128).steps(128) == 10 and replace(jobs["club"], budget=1).steps(128) == 1


@pytest.fixture
def folders(tmp_path):
    return dict(results=tmp_path, runs=tmp_path / "runs")


@pytest.fixture
def kept(tmp_path):
    return tmp_path / "runs" / "ladder16-12"


@pytest.fixture
def small(narrow, cars, folders, written):
    """small(*arguments, **settings) is what the script finds on a narrow ladder over 24 squares, but for `changes`."""
    tiny = dict(images=12, samples=6, priced=2, judging=4, device="cpu", rhythm=FOUR)
    settings = ladder.Settings(data=cars, ladder=narrow, **tiny, **folders)

    def run(*arguments, **other):
        ladder.main([str(word) for word in arguments], replace(settings, **other))
        return None if "--plan" in arguments else written("ladder16")["results"]

    return run


def test_a_rung_at_a_time_until_all_are_measured(small, narrow, kept, tmp_path, capsys):
    found = small("--rungs", "club", "velocity")
    rows = found["rungs"]
    assert list(rows) == [rung.name for rung in LADDER] and rows["flips"]["runs"] == "not measured"
    assert found["pictures"] == ["club", "velocity"]
    (run,), (other,) = rows["club"]["runs"], rows["velocity"]["runs"]
    assert run["steps"] == 3 and run["images"] == 12 and run["training"] == "club" and run["loss"] > 0
    assert run["bits_per_dim"] is None  # the club's model defines no density
    parts = other["bits_per_dim"]
    assert (
        parts["L_T"] + parts["L_t"] + parts["L_0"] == pytest.approx(parts["bound"], rel=1e-2)
        and "continuous" not in parts
    )
    assert all(np.isfinite(r["frechet"]) and 0 <= r["recognised"] <= 1 for r in (run, other))
    assert found["real"]["frechet"] > 0

    # all without the bound, whose thousand calls would take too long here: drawn anew, but the club is not trained
    capsys.readouterr()
    bare = small("--priced", 0, ladder=changing(narrow, ["club"], error=fails))
    rows = bare["rungs"]
    assert bare["priced"] == 0 and re.findall(r"'rung': '(\w+)'", capsys.readouterr().out) == list(rows)
    assert rows["club"]["runs"] == [run] and all(row["runs"] != "not measured" for row in rows.values())
    assert rows["velocity"]["runs"] == [other | {"bits_per_dim": None}]
    attention, average, sampled = (rows[name]["runs"][0] for name in ("attention", "average", "sampler"))
    for key in ("steps", "images", "minutes", "loss", "training"):
        assert attention[key] == average[key] == sampled[key]
    assert attention["frechet"] != sampled["frechet"]
    assert (tmp_path / "ladder16.png").is_file()
    trainings = {path.stem for path in kept.iterdir() if path.suffix in (".safetensors", ".training")}
    assert trainings == {f"{rungs.training_of(rung).name}-0" for rung in LADDER}

    # what is kept is not made again, and is found by what it was made with
    unwilling = tuple(replace(rung, trained=fails, draws=fails) for rung in narrow)
    assert small("--rungs", "club", "velocity", ladder=unwilling) == found
    assert small("--priced", 0, ladder=unwilling) == bare


def test_what_is_kept_has_the_settings_in_its_name_unless_they_are_the_defaults():
    names = {ladder.Settings(samples=n, priced=k).mark for n, k in ((500, 32), (6, 32), (500, 2))}
    assert names == {"", "-6-32", "-500-2"}


@pytest.mark.parametrize("name", ["club", "trainer"])
def test_a_training_goes_on_where_it_was_stopped(name, small, narrow, kept):
    whole = small("--rungs", name, rhythm=EVERY_STEP)["rungs"][name]["runs"][0]
    for path in kept.iterdir():
        path.unlink()
    with pytest.raises(KeyboardInterrupt):
        small("--rungs", name, rhythm=EVERY_STEP, ladder=changing(narrow, [name], error=stopped(3)))
    again = small("--rungs", name, rhythm=EVERY_STEP)["rungs"][name]["runs"][0]
    for key in ("frechet", "images", "loss"):
        assert again[key] == whole[key]


@pytest.fixture
def some_steps(narrow, tmp_path):
    """some_steps(rung, file) trains one for 21 steps, whose last twentieth is two, and is what that took."""
    images = torch.randint(0, 256, (24, 3, 8, 8), dtype=torch.uint8)

    def took(name, file, error=torch.abs):
        torch.manual_seed(0)
        (rung,) = (replace(rung, error=error) for rung in narrow if rung.name == name)
        net = rung.network(8, rung.way.T)
        return rung.trained(rung, net, Job(images, 0, 21 * 4, "cpu", tmp_path / file, EVERY_STEP))[-1]

    return took


@pytest.mark.parametrize("name", ["club", "trainer"])
def test_the_loss_is_of_the_last_twentieth_wherever_it_was_stopped(name, some_steps):
    whole = some_steps(name, "whole.safetensors")
    with pytest.raises(KeyboardInterrupt):
        some_steps(name, "parts.safetensors", stopped(21))
    for _ in range(2):  # with a step to go, and with none
        again = some_steps(name, "parts.safetensors")
        assert (again["steps"], again["loss"]) == (21, whole["loss"])


def test_losses_are_kept_before_the_weights_and_may_run_ahead_of_them(some_steps, monkeypatch):
    whole, saves, save = some_steps("trainer", "whole.safetensors"), [], trainer.save

    def killed(*arguments):
        saves.append(1)
        if len(saves) == 21:
            raise KeyboardInterrupt
        save(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(trainer, "save", killed)
        with pytest.raises(KeyboardInterrupt):
            some_steps("trainer", "parts.safetensors")
    assert some_steps("trainer", "parts.safetensors")["loss"] == whole["loss"]


def test_a_loss_of_which_nothing_was_kept_is_not_made_up(some_steps, tmp_path):
    some_steps("trainer", "whole.safetensors")
    (tmp_path / "whole.losses").unlink()
    assert some_steps("trainer", "whole.safetensors")["loss"] is None


def test_a_training_without_its_note_is_measured_all_the_same(small, kept):
    """And one that does not say its losses has those of its note."""
    whole = small("--rungs", "club", "trainer")
    for path in [*kept.glob("*.json"), *kept.glob("*.pt")]:
        path.unlink()
    assert small("--rungs", "club", "trainer") == whole
    (kept / "trainer-0.losses").unlink()
    for path in kept.glob("*.pt"):
        path.unlink()
    assert small("--rungs", "club", "trainer") == whole


class Always(torch.nn.Module):
    """Puts out one number everywhere."""

    def __init__(self, number):
        super().__init__()
        self.number = torch.nn.Parameter(torch.tensor(number))

    def forward(self, x, t):
        return torch.zeros_like(x) + self.number


def test_the_average_draws_from_its_rung_on(small, narrow, kept):
    def trained(rung, net, job):
        return Always(-0.5), Always(0.5), {"steps": 1, "images": 4, "minutes": 1.0, "loss": 1.0}

    names = ("attention", "average")
    small("--rungs", *names, "--priced", 0, ladder=changing(narrow, names, trained=trained))
    brightness = []
    for name in names:
        found = torch.load(kept / f"{name}-0-6-0.pt", weights_only=True)
        brightness.append(found["pictures"].float().mean().item())
    assert brightness[0] > brightness[1] + 10  # v = -0.5 everywhere leads to lighter pictures than v = 0.5


def test_the_plan_computes_nothing(small, capsys):
    assert small("--plan", data="nowhere") is None
    printed = capsys.readouterr().out
    assert all(f"{rung.name}" in printed and rung.change in printed for rung in LADDER)
    assert "average    as attention" in printed


# ---- at full size, beside a checkpoint of ours -----------------------------------------------------------------


@pytest.fixture
def beside(cars, narrow, folders, written, tmp_path):
    """beside(...) is the other script, with two small checkpoints of ours in tmp_path."""
    about = dict(recipe="cars32", seed=0, loss=0.5, minutes=0.1, device="an abacus", length={"minutes": 0.2}, steps=50)
    about |= {"settings": config.described(config.CARS32), "only": "automobile"}
    for name, images in (("half", 40), ("whole", 80)):
        net = unet.UNet(3, (8, 16), patch=2)
        about |= {"images_seen": images, "trained_steps": images // 4, "minutes": images / 10}
        checkpoint.save(tmp_path / name, Model(net, config.COSINE, V, about))
    tiny = dict(samples=6, priced=0, judging=4, device="cpu", rhythm=FOUR)
    settings = beside_the_club.Settings(data=cars, ladder=narrow, **tiny, **folders)

    def run(ours=("half", "whole"), **other):
        beside_the_club.main(["--ours", *(str(tmp_path / name) for name in ours)], replace(settings, **other))
        return written("beside_the_club")

    return run


def test_the_club_may_spend_what_our_first_checkpoint_did(beside, narrow, tmp_path):
    about = beside()
    found, (half, whole) = about["results"], about["results"]["ours"]
    nets = narrow[0].network(32, 16), checkpoint.load(tmp_path / "half").network
    flops = [training_flops(net, (3, 32, 32)) for net in nets]
    assert half["tera_flops"] == pytest.approx(40 * flops[1] / 1e12)
    assert found["club"]["images"] == 4 * round(40 * flops[1] / flops[0] / 4)
    assert (half["images"], whole["images"], whole["of_minutes"]) == (40, 80, 0.2)
    assert len({half["sha256"], whole["sha256"]}) == 2 and all(np.isfinite(row["frechet"]) for row in (half, whole))
    assert about["minutes"] == pytest.approx(8 + found["club"]["minutes"], abs=0.06)
    assert str(tmp_path) not in json.dumps(about)
    assert (tmp_path / "beside_the_club.png").is_file()
    unwilling = changing(narrow, ["club"], trained=fails)
    assert beside(ladder=unwilling)["results"]["club"] == found["club"]


def test_with_another_first_checkpoint_the_club_is_trained_anew(beside):
    one, other = beside()["results"]["club"], beside(ours=("whole", "half"))["results"]["club"]
    assert other["images"] == pytest.approx(2 * one["images"], abs=4)  # up to a batch
    assert other["tera_flops"] == pytest.approx(one["tera_flops"] / one["images"] * other["images"])


@pytest.mark.parametrize(("key", "value"), [("recipe", "cifar10"), ("only", "cat"), ("lr", 0.5)])
def test_a_checkpoint_of_another_recipe_is_refused(key, value, beside, tmp_path):
    trained = checkpoint.load(tmp_path / "half")
    checkpoint.save(tmp_path / "other", replace(trained, about=trained.about | {key: value}))
    with pytest.raises(SystemExit, match=f"need .*other with {key} .*, but there it is {value!r}"):
        beside(ours=("half", "other"))
