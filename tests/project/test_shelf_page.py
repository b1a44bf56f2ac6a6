"""The page of the models is in step with the files, and credits a model only with what was measured of it."""

import json
import shutil

import cards
import pytest

from ddpm_core.storage import checkpoint
from ddpm_core.storage.files import file_sha256


def test_the_page_is_in_step_with_the_shelf():
    assert (cards.RESULTS / cards.PAGE).read_text() == cards.page(), "run tools/cards.py"


@pytest.fixture
def shelf(tmp_path):
    """A shelf with the garments alone, and a way to change their results file."""
    for name in ("fashion32.safetensors", "fashion32.json"):
        shutil.copy(cards.RESULTS / name, tmp_path)

    def change(**results):
        found = json.loads((tmp_path / "fashion32.json").read_text())
        found["results"] |= results
        (tmp_path / "fashion32.json").write_text(json.dumps(found))

    return tmp_path, change


def test_a_model_is_credited_with_its_own_figures(shelf):
    folder, _ = shelf
    text, found = cards.page(folder), json.loads((folder / "fashion32.json").read_text())["results"]
    about = checkpoint.load(folder / "fashion32.safetensors").about
    assert f"{about['images_seen']:,} images in {about['minutes']} minutes on {about['device']}" in text
    assert f"{found['best']['recognised']:.3f} recognised" in text and "(fashion32.json)" in text
    assert file_sha256(folder / "fashion32.safetensors") in text


def test_what_was_evaluated_of_this_very_file_counts_first(shelf):
    folder, _ = shelf
    rows = {"recognised": {"drawn": 0.5, "real": 0.75}, "edges": {"drawn": 3.0, "real": None}}
    of = {"model_sha256": file_sha256(folder / "fashion32.safetensors")}
    of["results"] = {"training": {"minutes": 7.0}, "rows": rows}
    (folder / "a.json").write_text(json.dumps(of | {"model_sha256": "another's"}))
    assert "(fashion32.json)" in cards.page(folder)
    (folder / "a.json").write_text(json.dumps(of))
    assert (
        "| measured | 7.0 minutes; recognised 0.5 (real 0.75), edges 3 (no real ones held out) (a.json) |"
        in cards.page(folder)
    )


def test_figures_of_another_training_are_not_its_own(shelf):
    folder, change = shelf
    for other in ({"loss": 0.5}, {"images_seen": 1}):
        change(**other)
        assert "not measured; fashion32.json is of other trainings" in cards.page(folder)
    (folder / "fashion32.json").unlink()
    assert "| measured | not measured |" in cards.page(folder)


def test_data_have_their_name_on_the_hub_only_if_they_are_the_recipes():
    plan = cards.RECIPES["cars32"]
    about = {"recipe": "cars32", "data": "data/cars", "pixels_sha256": plan.pixels_sha256}
    assert cards.model_card._data(about) == plan.data
    assert cards.model_card._data(about | {"pixels_sha256": "0" * 64}) == "data/cars"
    assert cards.model_card._data(about | {"recipe": None}) == "data/cars"
