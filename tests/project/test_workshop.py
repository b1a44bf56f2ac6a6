"""The workshop's paths fit the chapters, add up, and their cells run within their budget."""

import copy
import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import notebooks
import paths
import pytest
import quizzes
import rehearse
import sections

ROOT = paths.ROOT
EVERY = pytest.mark.parametrize("length", paths.LENGTHS)


@EVERY
def test_a_path_fits_its_chapters(length):
    path = paths.load(length)
    assert path["minutes"] == length
    assert paths.complaints(path) == []


@EVERY
def test_a_path_runs_every_cell_that_its_cells_build_on(length):
    assert paths.lacking(paths.load(length)) == []


@EVERY
def test_the_page_of_a_path_is_up_to_date(length):
    path = paths.load(length)
    assert paths.page(length).read_text("utf-8") == paths.render(path, measured=paths.measurements()), (
        "run `make notebooks`"
    )


def test_the_short_path_runs_within_its_budget():
    """Really, in kernels of its own; `make workshop` runs the two long ones as well."""
    command = [sys.executable, ROOT / "tools" / "rehearse.py", "45"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "within the budget" in done.stdout


@EVERY
def test_a_path_was_run_with_and_without_results_beside_it_and_kept_its_budget(length):
    path, last = paths.load(length), paths.measurements()[str(length)]
    for took in (last, last["alone"]):
        assert rehearse.verdict(path, took) == ""
        assert len(took["steps"]) == len(path["steps"]) and abs(sum(took["steps"]) - took["processor"]) < 0.06
        assert f"{took['processor']:.0f} s" in paths.page(length).read_text("utf-8")


def fetching(where, name):
    """What a notebook beside which nothing lies says of the path of a result."""
    code = f"from ddpm_core.book import results; print(results.path({name!r}))"
    environment = {**os.environ, "PYTHONPATH": str(where)}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=where / "book", env=environment, capture_output=True, text=True
    )


def test_where_no_results_lie_beside_the_notebook_they_are_fetched_or_it_says_what_to_do():
    with rehearse.alone() as (where, asked):
        assert (where / "book" / "01-forward-process.ipynb").is_file() and not (where / "book" / "results").exists()
        for _ in range(2):
            done = fetching(where, "digits.safetensors")
            assert done.returncode == 0, done.stderr
        found = Path(done.stdout.strip())
        assert found.is_relative_to(where / "cache")
        assert found.read_bytes() == (ROOT / "book" / "results" / "digits.safetensors").read_bytes()
        assert asked == ["digits.safetensors"]  # once
        metadata = where / "ddpm_core-0.dist-info" / "METADATA"
        metadata.write_text(re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:9", metadata.read_text()))
        done = fetching(where, "three_weights.json")
        assert "127.0.0.1:9/raw/main/book/results/three_weights.json answered" in done.stderr
        assert done.stderr.strip().endswith("or put the file into a folder book/results here.")
    assert not where.exists()


@EVERY
def test_what_a_path_loads_is_known_to_the_package_so_that_it_can_be_fetched(length):
    known = json.loads((ROOT / "ddpm_core" / "book" / "hashes.json").read_text())
    for step in (step for step in paths.load(length)["steps"] if "chapter" in step):
        cells = sections.chapter(step["chapter"])
        code = "\n".join(sections.source(cells[number]) for number in paths.cells_of(step, cells))
        for kind, name in re.findall(r"results\.(load|model|path|pictures)\(\"([\w.-]+)\"", code):
            assert name + {"load": ".json", "model": ".safetensors"}.get(kind, "") in known, (step["chapter"], name)


def test_the_page_says_what_a_path_takes_without_results_beside_it():
    last = {"processor": 12.4, "device": "processor", "date": "2026-01-02"}
    said = [
        paths.took({"minutes": 45}, {"45": last | {"alone": {"processor": 15.6, "fetched": names}}})
        for names in ([], ["a.json"], ["a.json", "b.json"])
    ]
    assert [sentence.partition("as in Colab, ")[2] for sentence in said] == [
        "the path needs none: 16 s.",
        "the package fetches 1 file from the book's address: 16 s.",
        "the package fetches 2 files from the book's address: 16 s.",
    ]
    assert "Colab" not in paths.took({"minutes": 45}, {"45": last})


def test_the_quizzes_have_one_right_answer_and_a_reason_for_each():
    parts = quizzes.load((ROOT / "workshop" / "quiz.yml").read_text("utf-8"))
    assert quizzes.complaints(parts) == []
    assert (ROOT / "book" / "workshop" / "quiz.md").read_text("utf-8") == quizzes.render(parts), "run `make notebooks`"


def test_the_notes_say_four_things_of_every_chapter():
    notes = sections.cut([{"cell_type": "markdown", "source": (ROOT / "book" / "workshop" / "notes.md").read_text()}])
    wanted = [f"Chapter {int(name[:2])}" if name[0].isdigit() else name.capitalize() for name in notebooks.chapters()]
    assert sorted(part.title for part in notes if part.title) == sorted(wanted)
    for part in notes[1:]:
        assert re.findall(r"(?m)^- \*\*(\w[\w-]*)\.\*\*", part.text) == ["Aim", "Predict", "Mix-up", "Board"], (
            part.title
        )


@pytest.mark.parametrize("script", sorted((ROOT / "workshop" / "solutions").glob("*.py")), ids=lambda path: path.stem)
def test_a_solution_of_the_homework_holds(script):
    assert "assert" in script.read_text("utf-8")  # it checks itself
    runpy.run_path(str(script))


def test_every_task_has_a_solution_that_no_page_shows():
    tasks = re.findall(r"(?m)^\*\*(\d)\. ", (ROOT / "book" / "workshop" / "homework.md").read_text())
    assert [f"task{k}.py" for k in tasks] == sorted(
        path.name for path in (ROOT / "workshop" / "solutions").glob("*.py")
    )
    assert "workshop/solutions" not in (ROOT / "_toc.yml").read_text()


# ---- Each check catches its mistake ------------------------------------------------------------------------

CELLS = [
    {"cell_type": "code", "source": "import math"},
    {
        "cell_type": "markdown",
        "source": "# 1. A chapter\n\nAims.\n\n## First, things\n\nText.\n\n```bash\n## no heading\n```",
    },
    {"cell_type": "code", "source": "a = math.pi"},
    {"cell_type": "markdown", "source": "## Second"},
    {"cell_type": "code", "source": "b = [a * k for k in range(3)]"},
    {"cell_type": "code", "source": 'exercises.check("1.1", b)'},
]


def planted(**changed):
    """A path over the planted chapter, with one step changed."""
    step = {
        "minutes": 20,
        "chapter": "01-planted",
        "sections": ["First, things", "Second"],
        "do": "Read.",
        "late": "Skip.",
    }
    path = {"minutes": 40, "compute": 10, "title": "T", "aim": "A", "steps": [step, {**copy.deepcopy(step), **changed}]}
    path["steps"][0] |= {"without_gpu": "So.", "with_gpu": "Or so."}
    return path


def read(name):
    return CELLS


def test_a_chapter_is_cut_at_its_headings():
    parts = sections.cut(CELLS)
    assert [(part.title, part.cells) for part in parts] == [("", [0]), ("First, things", [2]), ("Second", [4, 5])]
    assert parts[1].anchor == "first-things" and sections.address("Bayes' rule: x₀") == "bayes-rule-x0"
    assert sections.title(CELLS) == "1. A chapter"


def test_a_good_path_passes():
    assert paths.complaints(planted(), read) == []
    assert '<a href="../01-planted.html#second">Second</a>' in paths.render(planted(), read)
    assert "**20–40**" in paths.render(planted(), read)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"minutes": 10}, "the steps take 30 minutes, the path 40"),
        ({"sections": ["Third"]}, "no section 'Third'"),
        ({"also": ["Third"]}, "no section 'Third'"),
        ({"exercises": ["1.2"]}, "no exercise 1.2"),
        ({"do": ""}, "does not say what to do"),
        ({"lat": "Skip."}, "unknown 'lat'"),
    ],
)
def test_what_does_not_fit_is_named(changed, said):
    assert any(said in sentence for sentence in paths.complaints(planted(**changed), read))


def test_a_path_has_room_to_be_late_and_says_what_a_gpu_changes():
    path = planted()
    for step in path["steps"]:
        for key in ("late", "with_gpu"):
            step.pop(key, None)
    said = paths.complaints(path, read)
    assert any("less than a fifth" in sentence for sentence in said) and "no step says what to do with a GPU" in said


def test_a_cell_that_builds_on_what_was_left_out_is_named():
    path = planted()
    for step in path["steps"]:
        step["sections"] = ["Second"]
    assert paths.lacking(path, read) == [
        "01-planted, cell 4: nothing made a",
        "01-planted, cell 5: nothing made exercises",
    ]
    path["steps"][0]["also"] = ["First, things"]
    assert paths.lacking(path, read) == ["01-planted, cell 5: nothing made exercises"]


def test_a_path_over_its_budget_fails():
    path = planted()
    assert rehearse.verdict(path, {"processor": 9.9}) == ""
    assert "10 were allowed" in rehearse.verdict(path, {"processor": 10.1})


def test_a_page_says_what_the_cells_took():
    assert "was not measured" in paths.render(planted(), read)
    last = {"40": {"date": "2026-11-30", "processor": 9.6, "device": "processor"}}
    assert "On 2026-11-30 they took 10 s." in paths.render(planted(), read, last)


def test_an_unknown_path_or_chapter_is_named():
    with pytest.raises(ValueError, match="paths of 45, 90, 180 minutes, but none of 60"):
        paths.load(60)
    with pytest.raises(FileNotFoundError, match="no chapter '99-none'"):
        sections.chapter("99-none")


QUESTION = {
    "ask": "Why?",
    "page": "01-planted",
    "section": "Second",
    "answers": [
        {"text": "A", "says": "So."},
        {"text": "B", "right": True, "says": "So."},
        {"text": "C", "says": "So."},
    ],
}


@pytest.mark.parametrize(
    ("answers", "section", "said"),
    [
        ([{"right": False}, {"right": False}, {"right": True, "says": ""}], "Second", "gives no reason"),
        ([{"right": True}, {"right": True}, {}], "Second", "one that is right"),
        ([{}, {}, {}], "Third", "no section 'Third'"),
    ],
)
def test_a_quiz_that_does_not_fit_is_named(answers, section, said):
    question = {**QUESTION, "section": section}
    question["answers"] = [{**old, **new} for old, new in zip(QUESTION["answers"], answers, strict=True)]
    found = quizzes.complaints([{"part": "P", "questions": [question] * 4}], read)
    assert any(said in sentence for sentence in found) and found[0] == "P: 4 questions instead of 5"
