"""The page on speed is written from the results files, and says what it does not know."""

import importlib
import json
from pathlib import Path

import speed

ROOT = Path(__file__).resolve().parents[2]
STEP = {"images_per_second": [10.0, 9.0, 11.0], "share_of_gemm": [0.6, 0.5, 0.7], "ours_is_faster_by": [1.2, 1.1, 1.3]}
ROWS = {
    speed.OURS: STEP | {"same_layout": True, "parameters": 700_000, "gflop_per_image": 1.0, "peak_mib": 500},
    "slow": STEP
    | {"images_per_second": [8, 7, 9], "same_layout": True, "parameters": 1, "gflop_per_image": 1.0, "peak_mib": 600},
    "lean": STEP
    | {
        "images_per_second": [20, 18, 21],
        "same_layout": False,
        "parameters": 1,
        "gflop_per_image": 0.3,
        "peak_mib": 400,
    },
}


def test_the_page_is_in_step_with_the_results():
    assert (ROOT / "book" / "speed.md").read_text() == speed.page(ROOT / "book" / "results")


def test_what_has_no_file_is_not_measured(tmp_path):
    assert speed.page(tmp_path).count("Not measured.") == 5


def test_each_arm_is_named_for_what_it_is_and_a_missing_one_is_not_measured():
    row = {"bits_per_dim": [5.3, 5.2, 5.4], "frechet": [2.8, 2.6, 3.9], "images": [100, 90, 110]}
    rendered, error = speed.equal_seconds({"seconds": 60, "rows": {"ddpm_core": row}, "standard_error": 0.0512})
    assert (
        "| ddpm_core | v, cosine | at each step | 5.3 (5.2 to 5.4) | 2.8 (2.6 to 3.9) | 100 (90 to 110) |" in rendered
    )
    assert rendered.count("| not measured | not measured | not measured |") == 4 and "0.051" in error


def test_an_arm_that_loses_in_a_seed_says_so():
    def run(row, bound, frechet):
        return {"row": row, "bits_per_dim": bound, "frechet": frechet}

    theirs = [run(speed.PEER, 5.4, 4.0), run(speed.PEER, 5.4, 3.0), run(speed.PEER, 5.4, 2.0)]
    ours = [run("ddpm_core", 5.3, 2.0), run("ddpm_core", 5.5, 2.0), run("ddpm_core", 5.3, 2.5)]
    muon = [run("ddpm_core, Muon", 5.2, 1.0)] * 3
    (said,) = speed.ahead({"runs": theirs + ours + muon})
    assert "a lower bound in 2 of 3 seeds, a lower Fréchet distance in 2, smaller by a factor of 1.5 in" in said
    assert "ddpm_core, Muon against diffusers, our recipe: a lower bound in 3 of 3 seeds" in said and "of 3 in" in said


def test_the_arms_are_those_of_the_script():
    assert list(speed.ARMS) == list(importlib.import_module("benchmarks.equal_seconds").ROWS)


def test_what_others_do_better_is_said_and_nothing_else():
    (said,) = speed.better(ROWS)
    assert said == (
        "More images a second than `ddpm_core.paper`: lean. At least three tenths fewer operations an image: lean. "
        "Less memory: lean."
    )
    assert speed.better({name: row for name, row in ROWS.items() if name != "lean"}) == []


def test_a_figure_of_a_results_file_is_on_the_page(tmp_path):
    about = {"command": "python x.py", "date": "2026-01-01", "device": "2 CPU cores", "minutes": 1.5, "torch": "2"}
    layout = {"in_channels": 1, "side": 16, "batch": 128}
    results = {"threads": 2, "note": "a note", "sizes": {"0.7 M": {"layout": layout, "rows": ROWS}}}
    (tmp_path / "training_step.json").write_text(json.dumps(about | {"results": results}))
    page = speed.page(tmp_path)
    row = next(line for line in page.splitlines() if line.startswith("| slow"))
    assert row == "| slow | yes | 1 | 1 | 8 | 0.60 | 1.20 x | 600 |"
    assert "python x.py" in page and "a note" in page
    assert "Not measured: 2.25 M, 35.7 M." in page
