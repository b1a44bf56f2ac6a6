"""The challenge: every figure on its boards is that of an evaluation file, which is the very one that was handed in."""

import json

import challenge
import pytest

from ddpm_core.storage.files import file_sha256

ROOT = challenge.ROOT
BOARD = json.loads((ROOT / "workshop" / "leaderboard.json").read_text("utf-8"))
SHELF = "book/results/digits-evaluated.json"


def test_the_entries_keep_the_rules():
    assert challenge.complaints(challenge.load()) == []


def test_the_page_is_up_to_date():
    page = challenge.render((ROOT / "workshop" / "challenge.md").read_text("utf-8"), BOARD)
    assert (ROOT / "book" / "workshop" / "challenge.md").read_text("utf-8") == page, "run `make notebooks`"
    assert not any(word in page for word in ("BOARDS", "IMAGES", "AGAIN", "ROOM"))


def test_the_board_holds_every_entry_in_order():
    assert [of["name"] for of in BOARD] == [entry["name"] for entry in challenge.load()]


@pytest.mark.parametrize("of", BOARD, ids=lambda of: of["name"])
def test_an_entry_says_what_its_evaluation_says(of):
    """Field by field, read here from the file itself."""
    path = ROOT / of["evaluation"]
    about = json.loads(path.read_text("utf-8"))
    how, rows = about["results"]["how"], about["results"]["rows"]
    assert of["evaluation_sha256"] == file_sha256(path)
    for key in ("model_sha256", "data_sha256", "date"):
        assert of[key] == about[key] and of[key]
    for key in ("seed", "sampler", "guidance"):
        assert of[key] == how[key]
    assert of["images"] == about["results"]["images"] == 1000
    assert of["calls"] == (2 * how["steps"] if how["guidance"] > 0 else how["steps"])
    assert (of["frechet"], of["recognised"]) == (rows["frechet"]["drawn"], rows["recognised"]["drawn"])
    assert about["command"].startswith("python -m ddpm_core evaluate ")


@pytest.mark.parametrize("name", ["digits", "cars32-gpu"])
def test_a_model_of_the_shelf_is_the_file_on_the_shelf(name):
    of = next(of for of in BOARD if of["name"] == name)
    assert of["model_sha256"] == file_sha256(ROOT / "book" / "results" / f"{name}.safetensors")
    assert of["evaluation"] == f"book/results/{name}-evaluated.json"


def test_no_evaluation_lies_about_unused():
    used = {of["evaluation"] for of in BOARD}
    assert all(f"workshop/entries/{path.name}" in used for path in (ROOT / "workshop" / "entries").iterdir())


# ---- Each rule catches its breach --------------------------------------------------------------------------


def entry(**changed):
    return {"name": "mine", "by": "me", "data": "digits", "tracks": ["speed"], "evaluation": "mine.json"} | changed


@pytest.fixture
def handed_in(tmp_path):
    """The shelf's evaluation as yardstick, and one that is handed in, with parts of it changed."""

    def complaints(entered=None, results=None, frechet=None, **about):
        text = json.loads((ROOT / SHELF).read_text("utf-8"))
        (tmp_path / "first.json").write_text(json.dumps(text))
        text["results"] |= results or {}
        if frechet:
            text["results"]["rows"]["frechet"]["drawn"] = frechet
        (tmp_path / "mine.json").write_text(json.dumps(text | about))
        first = entry(name="first", evaluation="first.json", tracks=["fidelity"])
        return challenge.complaints([first, entered or entry()], tmp_path)

    return complaints


def test_what_keeps_the_rules_is_accepted(handed_in):
    assert handed_in() == []
    assert handed_in(entry(tracks=["fidelity"]), frechet=9.0) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"entered": entry(tracks=["beauty"])}, "tracks among fidelity, control, speed"),
        ({"entered": entry(frechet=0.01)}, "mine needs by, data, evaluation, name, tracks"),
        ({"entered": entry(evaluation="none.json")}, "there is no file none.json"),
        ({"entered": entry(name="first")}, "first stands twice"),
        ({"command": "typed by hand"}, "was not written by python -m ddpm_core evaluate"),
        ({"results": {"images": 100}}, "need 1,000 images and seed 0, but the evaluation has 100"),
        ({"data_sha256": "0" * 64}, "measured on other data than first"),
        ({"model_sha256": None}, "does not say which file was measured"),
        ({"results": {"rows": {}}}, "has no Fréchet distance"),
        ({"frechet": 0.2}, "need a Fréchet distance of at most 0.144, but it is 0.200"),
        ({"entered": entry(tracks=["control"]), "recipe": {"only": "automobile"}}, "told what to draw, for control"),
    ],
)
def test_what_breaks_a_rule_is_named(handed_in, changed, said):
    assert any(said in sentence for sentence in handed_in(**changed))


def test_a_checkpoint_that_was_changed_after_it_was_measured_is_named(handed_in, tmp_path):
    (tmp_path / "mine.safetensors").write_bytes(b"another")
    said = handed_in(command="python -m ddpm_core evaluate mine.safetensors --json mine.json")
    assert said == ["mine: mine.safetensors is another file than the one that was measured"]


def test_each_track_puts_its_best_first():
    rows = [
        {"name": name, "data": "d", "tracks": list(challenge.TRACKS), "frechet": f, "recognised": r, "calls": c}
        for name, f, r, c in (("near", 1.0, 0.5, 20), ("told", 2.0, 0.9, 20), ("quick", 3.0, 0.5, 5))
    ]
    first = {track: challenge.board(rows, track, "d")[0]["name"] for track in challenge.TRACKS}
    assert first == {"fidelity": "near", "control": "told", "speed": "quick"}
    assert challenge.board(rows, "speed", "d")[1]["name"] == "near"  # as many calls as told, but nearer
    assert challenge.board(rows, "speed", "other") == []
