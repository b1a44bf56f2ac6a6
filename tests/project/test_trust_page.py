"""The page on trust is written from its results file, and the file says that nothing went wrong."""

import json
from pathlib import Path

import trust

ROOT = Path(__file__).resolve().parents[2]
FOUND = json.loads((ROOT / "book" / "results" / "trust.json").read_text())["results"]


def test_the_page_is_in_step_with_the_results():
    assert (ROOT / "book" / "trust.md").read_text() == trust.page(ROOT / "book" / "results")


def test_what_is_not_in_the_file_is_not_measured(tmp_path):
    assert trust.page(tmp_path).count("Not measured.") == len(trust.SECTIONS)


def test_no_training_differs_from_one_that_nobody_disturbed():
    for name in {"kills", "interrupts"} & FOUND.keys():
        rows = [row for row in FOUND[name].values() if isinstance(row, dict)]
        assert len(rows) == 2 and all(row["differences"] == [] and row["accidents"] > 0 for row in rows)


def test_every_changed_bit_was_seen_and_no_argument_passed_in_silence():
    if "bits" in FOUND:
        assert FOUND["bits"]["seen"] == FOUND["bits"]["changed"] == 1000
    if "input" in FOUND:
        assert FOUND["input"]["cases"] == sum(FOUND["input"].get(key, 0) for key in trust.OUTCOMES) >= 500


def test_nine_changes_of_ten_are_noticed_and_the_others_have_a_reason():
    if "mutants" in FOUND:
        found = FOUND["mutants"]
        assert found["noticed"] + len(found["survivors"]) == found["tried"] >= 100
        assert found["noticed"] >= 0.9 * found["tried"]
        assert [row["where"] for row in found["survivors"] if row["reason"] == "not known"] == []


def test_the_tests_visit_nineteen_lines_of_twenty():
    """Of the whole package, or of the mathematics where no more was measured."""
    if "coverage" in FOUND:
        found = FOUND["coverage"]
        measured = "" if found["tests"] == ["tests"] else trust.MATHEMATICS
        counts = [count for name, count in found["files"].items() if name.startswith(measured)]
        assert sum(missed for _, missed in counts) <= 0.05 * sum(statements for statements, _ in counts)
