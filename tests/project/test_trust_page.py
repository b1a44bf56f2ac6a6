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


def test_nothing_failed_on_other_versions_and_no_pin_has_a_known_hole():
    for row in FOUND["versions"]["rows"]:
        for counts in (row[what] for what in ("tests", "cells") if what in row):
            assert counts["failed"] == 0 < counts["passed"]
    assert FOUND["audit"]["known_holes"] in ({}, "not measured")


def test_a_bar_in_a_cell_parts_no_columns():
    assert trust.table(["a", "b"], [["`int | None`", "c"]]).splitlines()[-1] == r"| `int \| None` | c |"


def test_the_page_tells_what_ran_at_the_lower_bounds():
    row = {"python": "3.10.13", "torch": "2.6.0+cpu", "modules": 3, "at_bounds": False}
    row |= {"packages": {"torch": "2.6.0"}, "tests": {"passed": 1000, "failed": 2, "skipped": 1}}
    found = {"rows": [row], "bounds": ["torch==2.6"], "bounds_missing": []}
    above = "\n".join(trust.versions(found))
    assert "| 3.10.13 | 1,000 | 2 | 1 | not run |" in above
    assert "Python 3.12 and 3.13: not measured here" in above and "at its lower bounds: not measured" in above
    below = "\n".join(trust.versions(found | {"rows": [row | {"at_bounds": True}]}))
    assert "torch 2.6.0: 3 modules imported" in below and "1,000 passed, 2 failed, 1 were skipped" in below
    assert "| 3.10.13" not in below and "Python 3.10 and 3.12 and 3.13: not measured here" in below
