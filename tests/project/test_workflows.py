"""What runs when the project is published: files that parse, and targets that the Makefile has."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), flags=re.M))


def commands(workflow):
    """Each command of each job, for every value of its matrix."""
    for job in workflow["jobs"].values():
        matrix = job.get("strategy", {}).get("matrix", {})
        for step in job["steps"]:
            said = [step["run"]] if "run" in step else []
            for name, values in matrix.items():
                said = [s.replace("${{ matrix." + name + " }}", str(v)) for s in said for v in values]
            yield from said


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_calls_what_there_is(path):
    workflow = yaml.safe_load(path.read_text())
    assert workflow["name"] == {"test": "tests"}.get(path.stem, path.stem) and workflow["permissions"]
    called = [c for c in commands(workflow) if c.startswith("make ")]
    assert {target for c in called for target in c.split()[1:]} <= TARGETS
    assert called and all("timeout-minutes" in job for job in workflow["jobs"].values() if "deploy" not in str(job))


def test_every_promise_has_its_run():
    """Every change runs all tests and four Pythons; every week what is slow or needs a network."""
    texts = {path.stem: yaml.safe_load(path.read_text()) for path in WORKFLOWS}
    assert set(commands(texts["weekly"])) >= {
        "make test-portable",
        "make colab-newest",
        "make workshop",
        "make offline unpacked",
        "make links",
        "make audit",
    }
    assert "schedule" in texts["weekly"][True]  # YAML reads the word `on` so
    assert "make test" in set(commands(texts["test"])) and "make book" in set(commands(texts["book"]))
    python = {texts["test"]["jobs"]["all"]["steps"][1]["with"]["python-version"]}
    python |= set(texts["test"]["jobs"]["unit"]["strategy"]["matrix"]["python"])
    assert python == {"3.10", "3.11", "3.12", "3.13"}


def test_the_citation_names_the_repository_and_the_title_of_the_book():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    config = yaml.safe_load((ROOT / "_config.yml").read_text())
    assert citation["title"] == config["title"] and citation["repository-code"] == config["repository"]["url"]
