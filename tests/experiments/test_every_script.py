"""Every script runs, tiny and in a folder of its own, and leaves what the book's results files say.

Those that have more to be tested stand in files of their own: ladder, beside_the_club, club, garment_ and car_minutes.
"""

import contextlib
import importlib
import io
import json
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from ddpm_core import cli, data, schedule, unet
from ddpm_core.cli import arguments
from ddpm_core.data import shapes
from ddpm_core.diffusion import prediction
from ddpm_core.diffusion.model import Model
from ddpm_core.evaluation import classifier, shape_reader
from ddpm_core.recipes import RECIPES, config
from ddpm_core.storage import checkpoint
from experiments.ch00 import digits, fashion32
from experiments.ch08 import car_noise, cars32, two_bounds, variations
from experiments.ch10 import many_digits

FOLDER = Path(__file__).parents[2] / "experiments"
SCRIPTS = [
    path.relative_to(FOLDER.parent) for path in sorted(FOLDER.glob("ch*/*.py")) if "def main(" in path.read_text()
]
DIGITS = dict(held_out=4, judging=4, samples=4)


def module(name):
    return importlib.import_module(f"experiments.{name}")


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_says_how_it_is_called(path, capsys):
    name = ".".join(path.with_suffix("").parts)
    with pytest.raises(SystemExit, match="0"):
        importlib.import_module(name).main(["--help"])
    assert f"python -m {name} " in capsys.readouterr().out


@pytest.fixture
def tiny(tmp_path, written):
    """tiny(script, *arguments, **settings) is the results file that the script leaves, if it has the script's name."""

    def run(script, *arguments, **settings):
        there = module(script)
        there.main(list(arguments), there.Settings(results=tmp_path, runs=tmp_path / "runs", **settings))
        about = written(script.rpartition(".")[2])
        assert about["command"].startswith(f"python -m experiments.{script}")
        return about["results"]

    return run


def test_short_chains(tiny, tmp_path):
    names = "T = 16, betas as they are", "T = 16, respaced"
    found = tiny("ch02.short_chains", "--seeds", "0", "1", chains=names, steps=2, priced=2, **DIGITS)
    assert list(found["rows"]) == list(names) and found["seeds"] == [0, 1]
    assert all(len(row["bound"]) == 2 for row in found["rows"].values()) and (tmp_path / "short_chains.png").is_file()


def test_table2(tiny, tmp_path):
    found = tiny("ch05.table2", "--seeds", "0", rows=("EPS unweighted",), steps=2, **DIGITS)
    assert found["rows"]["EPS unweighted"]["beta_tilde"].keys() == {"bound", "L_T", "L_t", "L_0", "frechet"}
    assert [path.name for path in (tmp_path / "runs" / "table2").iterdir()] == ["EPS-unweighted-0.json"]


def test_stall(tiny, tmp_path):
    found = tiny("ch06.stall", "--seeds", "0", "--steps", "2", looks=(2,), report_every=1, **DIGITS)
    (look,) = found["runs"][0]["looks"]
    assert {len(look[key]) for key in ("error", "gradient", "bound")} == {10} == {len(found["bands"])}
    assert (tmp_path / "stall.png").is_file()


def test_three_weights(tiny, tmp_path):
    small = dict(looks=(1, 2), report_every=1, channels=(8, 8), shown=2, **DIGITS)
    found = tiny("ch06.three_weights", "--seed", "1", "--steps", "2", **small)
    assert list(found["runs"]) == ["L", "L_simple", "min-SNR"] and (found["looks"], found["seed"]) == ([1, 2], 1)
    first = {name: run["loss"][0][1] for name, run in found["runs"].items()}
    assert all(len(run["loss"]) == 2 == len(run["frechet"]) for run in found["runs"].values())
    assert len(set(first.values())) == 3 and (tmp_path / "three_weights.png").is_file()


def test_ablations(tiny, tmp_path):
    run = partial(tiny, "ch07.ablations", "--seeds", "0", rows=("whole", "no skips"), steps=2, **DIGITS)
    found = run()
    assert [row["loss"][1] for row in found["rows"].values()] == [None, None]  # of one seed there is no spread
    assert found["runs"][0]["loss"] != found["runs"][1]["loss"] and (tmp_path / "ablations.png").is_file()
    (tmp_path / "runs" / "ablations" / "no-skips-0.pt").unlink()
    assert run()["runs"][0] == found["runs"][0]  # with its seconds: it was not made again


def test_training(tiny, tmp_path):
    (tmp_path / "runs" / "training").mkdir(parents=True)
    (tmp_path / "runs" / "training" / "rate.json").write_text("220.0")
    lengths = dict(minutes=(0.005, 0.01), looks=(1, 2), seen=(1,))
    found = tiny("ch08.training", "--average", "0", "--budgets", "0", **lengths, **DIGITS)
    assert found["steps_a_minute"] == 200 and [row["steps"] for row in found["minutes"].values()] == [1, 2]
    assert list(found["average"]["constant"]["raw"]) == ["1", "2"] and (tmp_path / "training.png").is_file()


def test_better_pictures(tiny, garments, tmp_path):
    plan = (
        variations.Block("digits", 2, ("adam", "muon, logit-normal times"), seeds=(0, 1)),
        variations.Block("fashion32", 1, ("muon",), samplers=(("dpm", 2), ("ddim1", 2))),
    )
    small = dict(plan=plan, samples={"digits": 10, "fashion32": 10}, priced=4, held_out=10)
    small |= dict(judging={"digits": 4, "fashion32": 2})
    found = tiny("ch08.better_pictures", "--data", garments, **small)
    assert list(found["rows"]["digits"]["2"]) == ["adam", "muon, logit-normal times"]
    assert found["rows"]["digits"]["2"]["adam"]["seeds"] == [0, 1]
    assert list(found["rows"]["fashion32"]["1"]["muon"]["ddim1 2"]) == ["frechet", "recognised", "gradients"]
    assert [list(run.get("averages", {})) for run in found["runs"]] == [["none", "a 20th", "a 40th"]] + 3 * [[]] + [
        ["none", "a 20th", "a 40th"]
    ]
    assert tiny("ch08.better_pictures", "--data", garments, **small)["runs"] == found["runs"]  # all of it was kept


def test_few_steps_and_the_ancestral_chains_of_its_networks(tiny, garments, tmp_path):
    calls = {"eta 0": (2,), "eta 1": (2, 4), "sigma-hat": (2,), "DPM-Solver++ 2M": (2,)}
    plan = {"digits": calls | {"DPM-Solver++ 2M, quadratic": (3,)}, "fashion32": calls}
    small = dict(training=2, garment_judging=4, long=4, shown=2, at_once=3, columns=2, timed=2, turns=2)
    small |= DIGITS | {"samples": {"digits": 4, "fashion32": 3}}
    found = tiny("ch10.few_steps", "--data", garments, "--seeds", "0", plan=plan, **small)
    assert {on: list(rows) for on, rows in found["rows"].items()} == {on: list(rows) for on, rows in plan.items()}
    assert found["seconds"]["digits"].keys() == plan["digits"].keys() and (tmp_path / "few_steps.png").is_file()

    plan = (("EPS linear", 4), ("V cosine", 4))
    found = tiny("ch09.ancestral", "--seeds", "0", plan=plan, looks=(250, 1000), steps=2, shown=2, **DIGITS)
    assert len(found["rows"]) == len(found["sheet"]) == 8 and (tmp_path / "ancestral.png").is_file()
    assert all(list(row["outside_at"]) == ["250", "1000"] for row in found["rows"])


def test_many_digits_and_what_is_left_by_the_same_networks(tiny, garments):
    small = dict(training=2, garment_judging=4, **(DIGITS | {"samples": {"digits": 20}}))
    plan, floors = {"eta 0": (2, 4), "DPM-Solver++ 2M": (2,)}, {"digits": (20,), "fashion32": (20,)}
    run = partial(tiny, "ch10.many_digits", "--seeds", "0", "1", on=("digits",), plan=plan, floors=floors, draws=2)
    found = run(longest=2, at_once=7, **small)
    assert {row: list(cells) for row, cells in found["rows"].items()} == {"eta 0": ["2"], "DPM-Solver++ 2M": ["2"]}
    assert found["floors"]["digits"]["20"][0] < found["rows"]["eta 0"]["2"][0]
    assert list(run(longest=4, at_once=7, **small)["rows"]["eta 0"]) == ["2", "4"]

    found = tiny("ch09.what_is_left", "--seeds", "0", looks=(10, 900), training=2, **(DIGITS | {"samples": {}}))
    assert found["digits"] == 4 and found["seen"].keys() == found["held_out"].keys() == {"10", "900"}


def test_two_bounds(tiny, small_cars, monkeypatch):
    monkeypatch.setattr(two_bounds, "both", lambda model, x0: {"images": len(x0), "discrete": [1.0, 0.1]})
    small = dict(cars=1, digits=2, training=2, **(DIGITS | {"samples": {}}))
    found = tiny("ch08.two_bounds", "--data", small_cars, "--seeds", "0", **small)
    assert (found["digits"]["images"], found["cars"]["images"]) == (2, 1)


def test_both_bounds_of_a_short_chain_have_a_standard_error():
    network = Model(unet.UNet(1, (8,)), schedule.cosine(1000), prediction.V, {})
    found = two_bounds.both(network, data.to_float(torch.randint(0, 256, (3, 1, 4, 4), dtype=torch.uint8)))
    assert found["images"] == 3 and all(found[name][0] > found[name][1] > 0 for name in ("discrete", "continuous"))


def test_a_floor_is_that_of_real_pictures_of_each_class():
    """All of them, each once, are the reference itself; a few are farther."""
    real, labels = torch.randn(40, 3), torch.arange(40) % 4
    assert many_digits.floor(real, real, labels, 40, draws=2, again=False)[0] == pytest.approx(0, abs=1e-9)
    few, all_of_them = (many_digits.floor(real, real, labels, n, draws=9, again=True)[0] for n in (8, 40))
    assert few > all_of_them > 0


def test_car_noise(tiny, small_cars):
    plan = {"eta 0": (2,), "eta 1": (2,), "beta": (2,), "DPM-Solver++": (2,)}
    found = tiny("ch08.car_noise", "--data", small_cars, cars=3, at_once=2, plan=plan)
    assert found["rows"].keys() == plan.keys() and found["rows"]["beta"]["2"].keys() == {"network", "gaussian"}


def test_a_perfect_network_in_many_calls_keeps_the_edges_of_its_world():
    """Small pictures without noise on the way; the finest axes are what a last step leaves out."""
    cars = torch.rand(50, 1, 4, 4, generator=torch.Generator().manual_seed(0)) * 2 - 1
    settings = car_noise.Settings(cars=50, plan={"eta 0": (500,), "eta 1": (10,)})
    exact, found = car_noise.of_a_gaussian(cars, schedule.cosine(1000), settings)
    assert abs(found["eta 0"][500].mean() / exact.mean() - 1) < 0.01 < 1 - found["eta 1"][10].mean() / exact.mean()


def test_a_chain_by_v_needs_the_networks_of_few_steps(tiny):
    with pytest.raises(SystemExit, match=r"run experiments\.ch10\.few_steps first"):
        tiny("ch09.ancestral", "--seeds", "0", plan=(("V cosine", 4),), **DIGITS)


def test_ancestral_garments(tiny, garments, tmp_path):
    small = dict(steps=2, times=(1000, 500, 0), mixed_at=(0, 2), shares=(0.0, 1.0))
    found = tiny("ch09.ancestral_garments", "--data", garments, **small)
    assert (found["times"], found["mixed_at"], found["shares"]) == ([1000, 500, 0], [0, 2], [0, 1])
    assert all((tmp_path / f"ancestral_{name}.png").is_file() for name in ("garments", "mixed"))


def test_progressive(tiny, garments, tmp_path):
    small = DIGITS | dict(priced=(1, 1), few=(2, 3), shown=(1000, 1), classes=(9, 3), samples=20)
    found = tiny("ch11.progressive", "--data", garments, **small)
    for on in ("digits", "garments"):
        assert found[on]["bound"].keys() == {"beta", "beta_tilde", "analytic"}
        assert len(found[on]["rate"]["beta"]) == len(found["stops"]) == len(found[on]["distortion"])
        assert "frechet" in found["digits"]["few"]["2"]["analytic"] and found[on]["few"].keys() == {"2", "3"}
    assert len(found["garments"]["shown_rate"]) == 2 and (tmp_path / "progressive.png").is_file()


def test_learned_variance(tmp_path):
    from experiments.ch11 import learned_variance

    small = dict(rows=("EPS L, free", "EPS hybrid"), steps=4, gradients=2) | DIGITS
    learned_variance.main(["--seeds", "0"], learned_variance.Settings(results=tmp_path, runs=tmp_path, **small))
    found = json.loads((tmp_path / "learned_variance.json").read_text())["results"]["rows"]
    assert list(found) == ["EPS L, free", "EPS hybrid"] and found["EPS hybrid"]["unstable"] == 0
    assert found["EPS hybrid"]["learned"].keys() == {"bound", "L_T", "L_t", "L_0", "frechet"}
    assert found["EPS hybrid"]["analytic"].keys() == {"bound", "L_T", "L_t", "L_0"}


def test_clinic(tiny, tmp_path):
    names = "sound", "noise in the last step", "dead clock"
    found = tiny("ch15.clinic", "--seeds", "0", names=names, steps=4, overfitting=2, priced=2, **DIGITS)
    runs = {run["name"]: run for run in found["runs"]}
    assert tuple(found["rows"]) == names and (tmp_path / "clinic.png").is_file()
    assert runs["sound"]["losses"] == runs["noise in the last step"]["losses"] != runs["dead clock"]["losses"]
    assert runs["sound"]["bound"] == runs["noise in the last step"]["bound"] != runs["dead clock"]["bound"]
    assert runs["sound"]["frechet"] != runs["noise in the last step"]["frechet"]


def test_three_losses(tiny, tmp_path):
    found = tiny("ch14.three_losses", "--seeds", "0", ways=("v", "flow"), looks=(2, 4), batch=8, drawn=20)
    assert found["rows"]["flow"].keys() == {"2", "4"} and found["rows"]["v"]["4"]["excess"][1] is None
    assert {path.name for path in (tmp_path / "runs" / "three_losses").iterdir()} == {"v-0.json", "flow-0.json"}


def test_memorisation(tiny, tmp_path):
    from experiments.ch12.memorisation import crossing

    small = DIGITS | dict(sizes=(21, 30), steps=20, looks=(10, 20), measured=4, reading=2, columns=3, samples=30)
    found = tiny("ch12.memorisation", "--seeds", "0", "1", **small)
    assert found["sizes"].keys() == {"21", "30"} and found["seeds"] == [0, 1] and found["steps"] == 20
    row = found["sizes"]["21"]
    assert row["steps"] == [10, 20] and len(row["loss"]["held"]) == 2 == len(row["held_out_is_best_at"])
    assert (
        row["copies"].keys() == row["nearest"].keys() == {"drawn", "held"} and (tmp_path / "memorisation.png").is_file()
    )
    assert crossing([10, 1000], [0.5, 1.5]) == pytest.approx(100) and crossing([10, 1000], [0.5, 0.9]) is None


# ---- chapter 0: as a reader would start them -------------------------------------------------------------------


def test_digits(tiny):
    def command(*words):
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            assert cli.main(list(words)) == 0
        return 2.0, 100.0, printed.getvalue()

    found = tiny("ch00.digits", "--seeds", "3", samples=30, judging=4, more=("--steps", "2"), command=command)
    (run,) = found["runs"]
    assert (run["seed"], run["train_seconds"], run["memory_mib"]) == (3, 2.0, 100) and found["steps"] == 2
    assert found["real"]["recognised"] > 0.9 > run["recognised"]  # by a reader of the digits it was made for


def test_a_command_is_timed_in_a_process_of_its_own():
    seconds, mib, printed = digits.command("recipes")
    assert seconds > 0 and 5 < mib < 4000 and "digits" in printed


@pytest.fixture
def trained(tmp_path):
    """trained(network, **about) is a stand-in for the command line, and the words that it was given."""
    heard = []

    def stand_in(network, side, **about):
        def run(words):
            heard.append(options := arguments.parser().parse_args(words))
            recipe = RECIPES[options.recipe]
            said = dict(size=[side, side], minutes=options.minutes, images_seen=8, seed=options.seed, loss=0.5)
            said |= dict(date="1642-01-01", device="an abacus", length={"minutes": options.minutes}, only=recipe.only)
            said |= dict(settings=config.described(recipe.config), pixels_sha256="0", data_sha256="1", **about)
            checkpoint.save(options.out, Model(network, config.COSINE, config.V, said))
            return 0

        return run, heard

    return stand_in


def test_fashion32(tiny, trained, garments, tmp_path):
    run, heard = trained(unet.UNet(1, (8, 16), num_classes=10), 16)
    small = dict(candidates=(("dpm", 2), ("ddim1", 3)), samples=20, judging=4, checkpoint=str(tmp_path / "made"))
    found = tiny("ch00.fashion32", "--data", garments, "--minutes", "2", run=run, **small)
    assert (heard[0].recipe, heard[0].data, heard[0].minutes) == ("fashion32", garments, 2) and found["minutes"] == 2
    assert [(row["sampler"], row["steps"]) for row in found["samplers"]] == [("dpm", 2), ("ddim1", 3)]
    assert found["best"]["frechet"] == min(row["frechet"] for row in found["samplers"])
    assert found["guided"]["guidance"] == 1 and (tmp_path / "fashion32.png").is_file()
    assert json.loads((tmp_path / "fashion32.json").read_text())["device"] == "an abacus"
    again = tiny("ch00.fashion32", "--data", garments, "--judge-only", run=run, **small)
    assert len(heard) == 1 and again["samplers"][0] | {"minutes": 0} == found["samplers"][0] | {"minutes": 0}


def test_cars32(tiny, trained, small_cars, tmp_path):
    def real(source, model):
        whole = data.load(source)
        known, held = (split.of_class("automobile") for split in (whole, data.load(source, "test")))
        return SimpleNamespace(known=known, held_out=held, judge=classifier.cached(whole, steps=4), kind=1)

    run, heard = trained(unet.UNet(3, (8, 16)), 8, steps=2, sampler="ddim1")
    small = dict(samples=6, checkpoint=str(tmp_path / "made"), real=real, run=run)
    found = tiny("ch08.cars32", "--data", small_cars, "--seed", "4", **small)
    assert (heard[0].recipe, heard[0].minutes, found["seed"]) == ("cars32", 90, 4)
    assert found["rows"].keys() == {"recognised", "frechet", "edges"} and (tmp_path / "cars32.png").is_file()


def test_a_training_that_fails_leaves_no_results(tmp_path):
    for script in (fashion32, cars32):
        with pytest.raises(SystemExit, match="1"):
            script.main([], replace(script.BOOK, results=tmp_path, run=lambda words: 2))
    assert not list(tmp_path.iterdir())


def test_guidance(tiny):
    plan = ((0.0, "all"), (4.0, "clean"))
    found = tiny("ch13.guidance", "--seeds", "0", "--samples", "20", plan=plan, judging=2)
    assert [(row["scale"], row["times"]) for row in found["rows"]] == list(plan)
    assert all(0 <= row["recognised"][0] <= 1 and row["variety"][0] > 0 for row in found["rows"])


@pytest.fixture
def few_shapes(monkeypatch):
    """Shapes of which there are few, and a recipe that is soon through."""
    monkeypatch.setattr(shapes, "SPLITS", dict.fromkeys(shapes.SPLITS, 60))
    monkeypatch.setattr(shape_reader, "limits", lambda: dict.fromkeys(product(shapes.SHAPES, shapes.SIZES), 5.0))
    tiny = replace(config.SHAPES, channels=(8, 8), attention=(), cross_attention=(1,), batch=4, steps=2)
    monkeypatch.setitem(RECIPES, "shapes", replace(RECIPES["shapes"], config=tiny, minutes=None, steps=2))


@pytest.fixture
def unmeasured(tmp_path):
    """Like tiny, for a script whose results the book does not have yet."""

    def run(script, *arguments, **settings):
        there = module(script)
        there.main(list(arguments), there.Settings(results=tmp_path, runs=tmp_path / "runs", **settings))
        return json.loads((tmp_path / f"{script.rpartition('.')[2]}.json").read_text())["results"]

    return run


def test_shapes(tiny, few_shapes, tmp_path):
    found = tiny("ch13.shapes", "--seeds", "0", "1", "--samples", "4", scales=(0.0, 2.0))
    assert [(row["part"], row["guidance"]) for row in found["rows"]] == [
        ("seen", 0.0), ("unseen", 0.0), ("seen", 2.0), ("unseen", 2.0),
    ]  # fmt: skip
    assert all(len(row["four"]) == 2 and row["clean"][0] <= 1 for row in found["rows"])
    assert found["real"]["four"] > 0.98 and (tmp_path / "shapes.png").is_file()
    kept = checkpoint.load(tmp_path / "shapes.safetensors")
    assert kept.network.vocabulary == list(RECIPES["shapes"].words)


def test_one_vector(unmeasured, few_shapes):
    found = unmeasured("ch13.one_vector", "--seeds", "0", "--steps", "2", "--samples", "4", scales=(2.0,))
    assert list(found["rows"]) == ["cross-attention", "one vector"]
    assert found["rows"]["one vector"]["parameters"] < found["rows"]["cross-attention"]["parameters"]
    assert found["runs"]["one vector"][0]["looks"].keys() == {"seen, guidance 2", "unseen, guidance 2"}
