"""The ladder: one change a rung, the club's model at its foot, ours at its top, the same compute for each."""

import json
import re
import sys
from argparse import Namespace
from contextlib import contextmanager
from dataclasses import fields, replace
from functools import partial
from itertools import pairwise

import beside_the_club
import club
import ladder
import numpy as np
import provenance
import pytest
import rungs
import torch
from rungs import BY_NAME, LADDER, NEXT, TRAINING, VELOCITY, Job, Rung

from ddpm_core import checkpoint, recipe, sampler, trainer, unet
from ddpm_core.cost import training_flops
from ddpm_core.predict import V
from ddpm_core.seeds import seeded


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
        assert unet.parameter_count(foot.network(32, 16)) == club.PARAMETERS


def test_the_top_is_our_recipe_for_cars(normal):
    top, net = LADDER[-1], unet.UNet(3, (8, 16)).eval()
    for p in net.parameters():
        p.data.add_(0.1 * torch.randn_like(p))
    x0, eps, t = normal(4, 3, 8, 8).float(), normal(4, 3, 8, 8).float(), torch.tensor([1, 2, 500, 1000])
    x0 = x0.clamp(-1, 1)
    wanted = recipe.objective(recipe.CARS32.schedule, recipe.CARS32.predict)(net, x0, t, eps)
    torch.testing.assert_close(top.loss(net, x0, t, eps), wanted)
    denoise = sampler.clamped(sampler.denoiser(net, recipe.COSINE, V))
    drawn = sampler.last(recipe.SAMPLERS["ddim1"](denoise, recipe.COSINE, eps, 50, seeded(7, 3)))
    torch.testing.assert_close(top.draws(top, net, eps, 7), drawn)
    with torch.device("meta"):
        ours, theirs = top.network(32, 1000), recipe.network(recipe.CARS32, 3, None)
    assert ours.config == theirs.config and top.flips and top.averaged and recipe.CARS32.flips


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
def test_the_right_answer_stands_for_x0_and_leads_to_the_next_picture(way, t, normal):
    x0, eps, t = normal(2, 3, 4, 4), normal(2, 3, 4, 4), torch.full((2,), t)
    x_t, questions = way.mix(x0, t, eps), [NEXT] + [VELOCITY] * (way.schedule is not None)
    for asked in questions:
        answer = asked.target(way, x0, t, eps)
        torch.testing.assert_close(asked.x0_hat(way, answer, x_t, t), x0)
        torch.testing.assert_close(asked.step(way, answer, x_t, t, t - 1), way.mix(x0, t - 1, eps))


def test_sixteen_calls_by_v_are_ddims(normal):
    rung, x_T = BY_NAME["T"], normal(2, 3, 4, 4)
    s = rung.way.schedule

    def net(x, t):
        return torch.tanh(x) + t.to(x)[:, None, None, None] / 1000

    denoise = sampler.denoiser(net, s, V)
    wanted = sampler.last(sampler.ddim(denoise, s, x_T, sampler.even_times(s, 16)))
    torch.testing.assert_close(rung.draws(rung, net, x_T, 0), wanted, rtol=1e-9, atol=1e-9)


# ---- training and measuring ------------------------------------------------------------------------------------

NETWORKS = {
    rungs.clubs: lambda side, steps: club.Club(side, club.Counted(steps), width=8),
    rungs.with_waves: lambda side, steps: club.Club(side, rungs.Waves(), width=8),
    rungs.without_attention: lambda side, steps: unet.UNet(3, (8,), attention=[]),
    rungs.ours: lambda side, steps: unet.UNet(3, (8, 16)),
}


@pytest.mark.parametrize("name", ["club", "trainer", "attention"])
def test_every_rung_spends_the_same(name, tmp_path):
    """Images x FLOPs, up to the last batch."""
    rung = BY_NAME[name]
    net, batch = NETWORKS[rung.network](16, 16), club.BATCH if name == "club" else recipe.CARS32.batch
    flops = training_flops(net, (3, 16, 16))
    job = Job(torch.zeros(4, 3, 16, 16, dtype=torch.uint8), 0, 10.4 * batch * flops, "cpu", tmp_path / "a")
    assert job.steps(net, batch) == 10
    half = replace(job, budget=job.budget / 2)
    assert half.steps(net, batch) == 5


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A narrow ladder over 24 squares in two classes, everything kept in tmp_path; run(...) is the script."""
    chance = np.random.default_rng(0)
    for split, n in (("train", 24), ("test", 10)):
        images = chance.integers(0, 256, (n, 32, 32, 3), dtype=np.uint8)
        np.savez(tmp_path / f"{split}.npz", images=images, labels=np.arange(n) % 2)
    plain = ladder.data.load_images

    def load(source, split="train"):
        return replace(plain(f"{source}/{split}.npz"), names=["horse", "automobile"])

    monkeypatch.setattr(ladder.data, "load_images", load)
    monkeypatch.setattr(ladder, "RUNS", tmp_path / "runs")
    monkeypatch.setattr(ladder, "RESULTS", tmp_path)
    monkeypatch.setattr(provenance, "RESULTS", tmp_path)
    monkeypatch.setattr(club, "BATCH", 4)
    monkeypatch.setattr(rungs, "OURS", replace(rungs.OURS, batch=4, steps=3))
    judge = ladder.evaluate.train_judge
    monkeypatch.setattr(ladder.evaluate, "kept_judge", lambda images, steps: judge(images, steps=4, batch=8))
    narrow = [replace(rung, network=NETWORKS[rung.network]) for rung in LADDER]
    monkeypatch.setattr(rungs, "LADDER", narrow)
    monkeypatch.setattr(ladder, "LADDER", narrow)
    monkeypatch.setattr(ladder, "BY_NAME", {rung.name: rung for rung in narrow})
    monkeypatch.setattr(ladder.club, "Club", partial(club.Club, width=8))

    def run(*more):
        words = ["--data", tmp_path, "--images", 12, "--samples", 6, "--device", "cpu", "--priced", 2, *more]
        monkeypatch.setattr(sys, "argv", ["experiments/ladder.py", *map(str, words)])
        ladder.main()
        path = tmp_path / "ladder16.json"
        return json.loads(path.read_text()) if path.exists() else None

    return run


def test_a_rung_at_a_time_until_all_are_measured(small, tmp_path, monkeypatch, capsys):
    found = small("--rungs", "club", "velocity")["results"]
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

    # all without the bound, whose thousand calls would take too long here: drawn anew, but not trained
    monkeypatch.setattr(club, "batches", lambda *a: lambda step: pytest.fail("trained the club's model again"))
    capsys.readouterr()
    bare = small("--priced", 0)["results"]
    rows = bare["rungs"]
    assert bare["priced"] == 0 and re.findall(r"'rung': '(\w+)'", capsys.readouterr().out) == list(rows)
    assert rows["club"]["runs"] == [run] and all(row["runs"] != "not measured" for row in rows.values())
    assert rows["velocity"]["runs"] == [other | {"bits_per_dim": None}]
    attention, average, sampled = (rows[name]["runs"][0] for name in ("attention", "average", "sampler"))
    for key in ("steps", "images", "minutes", "loss", "training"):
        assert attention[key] == average[key] == sampled[key]
    assert attention["frechet"] != sampled["frechet"]
    assert (tmp_path / "ladder16.png").is_file()
    folder = tmp_path / "runs" / "ladder16-12"
    kept = {path.stem for path in folder.iterdir() if path.suffix in (".safetensors", ".training")}
    assert kept == {f"{rungs.training_of(rung).name}-0" for rung in rungs.LADDER}

    # what is kept is not made again, and is found by what it was made with
    monkeypatch.setattr(ladder, "measured", lambda *a: pytest.fail("measured again"))
    assert small("--rungs", "club", "velocity")["results"] == found
    assert small("--priced", 0)["results"] == bare


def test_what_is_kept_has_the_options_in_its_name_unless_they_are_the_defaults():
    names = {ladder.mark(Namespace(samples=n, priced=k)) for n, k in ((500, 32), (6, 32), (500, 2))}
    assert names == {"", "-6-32", "-500-2"}


@pytest.fixture
def every_step(monkeypatch):
    """Each step is reported, and saved."""
    monkeypatch.setattr(rungs, "SAVE_EVERY", -1)
    monkeypatch.setattr(trainer, "run", partial(trainer.run, report_every=1))
    monkeypatch.setattr(club, "train", partial(club.train, report_every=1))


@contextmanager
def stopped_at(call, of=Rung, name="loss"):
    """Ctrl-C in this call of a function."""
    plain, calls = getattr(of, name), []

    def stopped(*arguments):
        calls.append(1)
        if len(calls) == call:
            raise KeyboardInterrupt
        return plain(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(of, name, stopped)
        yield


@pytest.mark.parametrize("name", ["club", "trainer"])
def test_a_training_goes_on_where_it_was_stopped(name, small, every_step, tmp_path):
    whole = small("--rungs", name)["results"]["rungs"][name]["runs"][0]
    folder = tmp_path / "runs" / "ladder16-12"
    for path in folder.iterdir():
        path.unlink()
    with stopped_at(3), pytest.raises(KeyboardInterrupt):
        small("--rungs", name)
    again = small("--rungs", name)["results"]["rungs"][name]["runs"][0]
    for key in ("frechet", "images", "loss"):
        assert again[key] == whole[key]


@pytest.fixture
def some_steps(small, every_step, tmp_path):
    """some_steps(rung, file) trains one for 21 steps, whose last twentieth is two, and is what that took."""
    images = torch.randint(0, 256, (24, 3, 8, 8), dtype=torch.uint8)

    def took(name, file):
        torch.manual_seed(0)
        rung = ladder.BY_NAME[name]
        net = rung.network(8, rung.way.T)
        budget = 21 * 4 * training_flops(net, (3, 8, 8))
        return rung.trained(rung, net, Job(images, 0, budget, "cpu", tmp_path / file))[-1]

    return took


@pytest.mark.parametrize("name", ["club", "trainer"])
def test_the_loss_is_of_the_last_twentieth_wherever_it_was_stopped(name, some_steps):
    whole = some_steps(name, "whole.safetensors")
    with stopped_at(21), pytest.raises(KeyboardInterrupt):
        some_steps(name, "parts.safetensors")
    for _ in range(2):  # with a step to go, and with none
        again = some_steps(name, "parts.safetensors")
        assert (again["steps"], again["loss"]) == (21, whole["loss"])


def test_losses_are_kept_before_the_weights_and_may_run_ahead_of_them(some_steps):
    whole = some_steps("trainer", "whole.safetensors")
    with stopped_at(21, trainer, "save"), pytest.raises(KeyboardInterrupt):
        some_steps("trainer", "parts.safetensors")
    assert some_steps("trainer", "parts.safetensors")["loss"] == whole["loss"]


def test_a_loss_of_which_nothing_was_kept_is_not_made_up(some_steps, tmp_path):
    some_steps("trainer", "whole.safetensors")
    (tmp_path / "whole.losses").unlink()
    assert some_steps("trainer", "whole.safetensors")["loss"] is None


def test_a_training_without_its_note_is_measured_all_the_same(small, tmp_path):
    """And one that does not say its losses has those of its note."""
    whole = small("--rungs", "club", "trainer")["results"]
    folder = tmp_path / "runs" / "ladder16-12"
    for path in [*folder.glob("*.json"), *folder.glob("*.pt")]:
        path.unlink()
    assert small("--rungs", "club", "trainer")["results"] == whole
    (folder / "trainer-0.losses").unlink()
    for path in folder.glob("*.pt"):
        path.unlink()
    assert small("--rungs", "club", "trainer")["results"] == whole


class Always(torch.nn.Module):
    """Answers with one number everywhere."""

    def __init__(self, number):
        super().__init__()
        self.number = torch.nn.Parameter(torch.tensor(number))

    def forward(self, x, t):
        return torch.zeros_like(x) + self.number


def test_the_average_draws_from_its_rung_on(small, tmp_path, monkeypatch):
    def trained(rung, net, job):
        return Always(-0.5), Always(0.5), {"steps": 1, "images": 4, "minutes": 1.0, "loss": 1.0}

    plain = ladder.training_of
    monkeypatch.setattr(ladder, "training_of", lambda rung: replace(plain(rung), trained=trained))
    small("--rungs", "attention", "average", "--priced", 0)
    brightness = []
    for name in ("attention", "average"):
        found = torch.load(tmp_path / "runs" / "ladder16-12" / f"{name}-0-6-0.pt", weights_only=True)
        brightness.append(found["pictures"].float().mean().item())
    assert brightness[0] > brightness[1] + 10  # v = -0.5 everywhere leads to lighter pictures than v = 0.5


def test_the_plan_computes_nothing(small, monkeypatch, capsys):
    monkeypatch.setattr(ladder, "world", lambda *a: pytest.fail("read the data"))
    assert small("--plan") is None
    printed = capsys.readouterr().out
    assert all(f"{rung.name}" in printed and rung.change in printed for rung in LADDER)
    assert "average    as attention" in printed


# ---- at full size, beside a checkpoint of ours -----------------------------------------------------------------


@pytest.fixture
def beside(small, tmp_path, monkeypatch):
    """beside(...) is the other script, with two small checkpoints of ours in tmp_path."""
    about = dict(recipe="cars32", seed=0, loss=0.5, minutes=0.1, device="an abacus", length={"minutes": 0.2}, steps=50)
    about |= {"settings": recipe.described(recipe.CARS32), "only": "automobile"}
    for name, images in (("half", 40), ("whole", 80)):
        net = unet.UNet(3, (8, 16), patch=2)
        about |= {"images_seen": images, "trained_steps": images // 4, "minutes": images / 10}
        checkpoint.save(tmp_path / name, checkpoint.Trained(net, recipe.COSINE, V, about))
    monkeypatch.setattr(beside_the_club, "CLUB", ladder.BY_NAME["club"])
    monkeypatch.setattr(beside_the_club, "RESULTS", tmp_path)

    def run(*more, ours=("half", "whole")):
        words = ["--data", tmp_path, "--samples", 6, "--priced", 0, "--device", "cpu", *more]
        words += ["--ours", *(tmp_path / name for name in ours)]
        monkeypatch.setattr(sys, "argv", ["experiments/beside_the_club.py", *map(str, words)])
        beside_the_club.main()
        return json.loads((tmp_path / "beside_the_club.json").read_text())

    return run


def test_the_club_may_spend_what_our_first_checkpoint_did(beside, tmp_path, monkeypatch):
    about = beside()
    found, (half, whole) = about["results"], about["results"]["ours"]
    nets = NETWORKS[rungs.clubs](32, 16), checkpoint.load(tmp_path / "half").net
    flops = [training_flops(net, (3, 32, 32)) for net in nets]
    assert half["tera_flops"] == pytest.approx(40 * flops[1] / 1e12)
    assert found["club"]["images"] == 4 * round(40 * flops[1] / flops[0] / 4)
    assert (half["images"], whole["images"], whole["of_minutes"]) == (40, 80, 0.2)
    assert len({half["sha256"], whole["sha256"]}) == 2 and all(np.isfinite(row["frechet"]) for row in (half, whole))
    assert about["minutes"] == pytest.approx(8 + found["club"]["minutes"], abs=0.06)
    assert str(tmp_path) not in json.dumps(about)
    assert (tmp_path / "beside_the_club.png").is_file()
    monkeypatch.setattr(club, "train", lambda *a, **k: pytest.fail("trained the club's model again"))
    assert beside()["results"]["club"] == found["club"]


def test_with_another_first_checkpoint_the_club_is_trained_anew(beside):
    one, other = beside()["results"]["club"], beside(ours=("whole", "half"))["results"]["club"]
    assert other["images"] == pytest.approx(2 * one["images"], abs=4)  # up to a batch
    assert other["tera_flops"] == pytest.approx(one["tera_flops"] / one["images"] * other["images"])


@pytest.mark.parametrize(("key", "value"), [("recipe", "cifar10"), ("only", "cat"), ("lr", 0.5)])
def test_a_checkpoint_of_another_recipe_is_refused(key, value, beside, tmp_path):
    trained = checkpoint.load(tmp_path / "half")
    checkpoint.save(tmp_path / "other", replace(trained, about=trained.about | {key: value}))
    with pytest.raises(SystemExit, match=rf"need .*other with the {key} .*, but its {key} is {value!r}"):
        beside(ours=("half", "other"))
