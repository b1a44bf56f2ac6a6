"""What a recipe cost and reached is read from the results file that it made, and from nowhere else."""

import json

import measured
import numpy as np
import pytest

from ddpm_core.book import results
from ddpm_core.cli import main
from ddpm_core.networks.flops import parameter_count, training_flops
from ddpm_core.recipes import RECIPES, recipes

PLAN = recipes.Recipe(
    "squares", data="digits", config=recipes.config.TrainingConfig(channels=(8, 16), attention=(), batch=4, steps=2),
    images=(1797, 1, 8, 8), classes=10, steps=2,
)  # fmt: skip
ROWS = {
    "recognised": {"drawn": 0.875, "real": 0.9},
    "bits_per_dim": {"bound": 3.6543, "error": 0.25, "images": 4, "split": "held-out"},
}


@pytest.fixture
def shelve(monkeypatch, tmp_path):
    """shelve(**changes): an empty shelf, and on it a results file of the recipe `squares`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(results, "__file__", str(tmp_path / "lib" / "ddpm_core" / "book" / "results.py"))
    monkeypatch.setattr(results, "_known", dict)
    monkeypatch.setitem(measured.READERS, "squares", ("squares", measured.of_evaluation))

    def write(**changes):
        found = dict(command="python -m ddpm_core evaluate", commit="1", device="an abacus", date="1642-01-01")
        found |= {"minutes": 1, "recipe": recipes.described(PLAN)}
        found |= {"results": {"training": {"minutes": 12.5}, "rows": ROWS}} | changes
        folder = tmp_path / "book" / "results"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "squares.json").write_text(json.dumps(found))

    return write


def test_the_page_is_that_of_the_results_files():
    assert measured.PAGE.read_text("utf-8") == measured.page(), "run tools/measured.py"


def test_what_nobody_has_run_is_not_measured(shelve):
    assert measured.measured("squares", PLAN) == "not measured"


def test_what_was_measured_is_read_from_its_file(shelve):
    shelve()
    said = measured.measured("squares", PLAN)
    assert said.startswith("12.5 minutes; recognised 0.875 (real 0.9), discrete bound 3.654 ± 0.25 bits")
    assert said.endswith("per dimension (4 held-out images) (an abacus, 1642-01-01)")


@pytest.mark.parametrize(("key", "value"), [("lr", 0.5), ("training_steps", 3), ("pixels_sha256", "0" * 64)])
def test_a_file_that_another_recipe_made_is_refused(key, value, shelve):
    shelve(recipe=recipes.described(PLAN) | {key: value})
    with pytest.raises(ValueError, match=f"need a results file of this very recipe, with {key} "):
        results.load("squares", recipes.described(PLAN))
    assert results.load("squares")["device"] == "an abacus"  # for whoever asks for no recipe
    assert measured.measured("squares", PLAN).startswith("not measured: need a results file of this very recipe")


def test_the_pace_of_a_gpus_recipe_is_counted_in_operations(monkeypatch):
    monkeypatch.setattr(
        results, "load", lambda name: {"device": "3 CPU cores", "results": {"images_seen": 1000, "minutes": 0.5}}
    )
    shapes = {"cifar10": (3, 32, 32), "fashion32": (1, 32, 32)}
    flops = [training_flops(recipes.network(RECIPES[name]), shape) for name, shape in shapes.items()]
    hours = 50_000 * flops[0] / (1000 * flops[1] / 30) / 3600
    said = (
        f": at the pace of fashion32.json, 3 CPU cores would look once at its 50,000 images in about {hours:.1f} hours"
    )
    assert measured.pace(RECIPES["cifar10"]) == said
    assert measured.pace(RECIPES["digits"]) == ""


def test_without_a_measured_pace_nothing_is_said(shelve):
    assert measured.pace(RECIPES["cifar10"]) == ""


def test_the_listing_names_them_all_with_figures_from_their_files(capsys):
    assert main(["recipes"]) == 0
    printed = capsys.readouterr().out
    blocks = {block.split("\n")[0]: block for block in printed.strip().split("\n\n")}
    assert list(blocks) == list(RECIPES) == list(measured.READERS)
    for name, recipe in RECIPES.items():
        weights = parameter_count(recipes.network(recipe))
        assert f"{weights / 1e6:.2f} M" in blocks[name] and recipe.data in blocks[name]
    fashion = results.load("fashion32")["results"]
    assert f"{fashion['best']['recognised']:.3f} recognised" in blocks["fashion32"]
    assert f"{fashion['real_frechet']:.2f})" in blocks["fashion32"]
    digits = [run["held_out"]["frechet"] for run in results.load("digits")["results"]["runs"]]
    assert f"Fréchet distance {np.mean(digits):.2f}" in blocks["digits"]
    assert f"{results.load('cars32')['results']['images_seen']:,} images seen" in blocks["cars32"]
    longest = results.load("car_minutes")["results"]["steps"][str(RECIPES["cars32-gpu"].steps)]
    assert f"{longest['minutes']:.1f} minutes; {longest['images']:,} images seen" in blocks["cars32-gpu"]
    assert f"{longest['solved']['recognised'][0]:.3f} recognised" in blocks["cars32-gpu"]
