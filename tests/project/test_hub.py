"""The page on a hub: its list of packages is the tests' and lacks nothing, its figures are measured or absent."""

import json
import re

import hub

ROOT = hub.ROOT
LIST = (ROOT / "workshop" / "hub-requirements.txt").read_text("utf-8").splitlines()
PINS = [line for line in LIST if "==" in line]


def name(line):
    return re.match(r"[\w-]+", line)[0].replace("_", "-").lower()


def test_each_version_is_one_that_the_tests_run_with():
    assert set(PINS) <= set((ROOT / "requirements.txt").read_text("utf-8").splitlines())


def test_nothing_that_the_package_needs_is_missing():
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    needed = re.findall(r'"([^"]+)"', re.search(r"(?s)\ndependencies = \[(.*?)\]", text)[1])
    assert len(needed) > 5 and {name(line) for line in PINS} == {name(line) for line in needed}


def test_the_other_lines_are_the_package_and_where_torch_is():
    rest = [line for line in LIST if not line.startswith("#") and line not in PINS]
    address = re.search(r'Repository = "([^"]+)"', (ROOT / "pyproject.toml").read_text("utf-8"))[1]
    assert rest == ["--extra-index-url https://download.pytorch.org/whl/cpu", f"ddpm-core @ git+{address}"]


def test_the_page_names_the_list_where_it_lies():
    page = (ROOT / "book" / "workshop" / "hub.md").read_text("utf-8")
    assert "$BOOK/workshop/hub-requirements.txt" in page and "diffusion-book/main\n" in page
    assert "Not tried" in page and "MEASURED" not in page


def test_the_page_is_up_to_date():
    assert (ROOT / "book" / "workshop" / "hub.md").read_text("utf-8") == hub.page(), "run `make notebooks`"


def test_what_nobody_measured_says_so():
    assert hub.table(None).count("| not measured | not measured | not measured |") == 3


def test_thirty_people_are_thirty_times_one_with_headroom_and_the_hub():
    made = {"command": "c", "date": "d", "device": "1 CPU core", "torch": "2"}
    rows = {"01-forward-process": {"peak_mib": 1000, "processor_seconds": 7.6}}
    found = hub.table(made | {"results": {"rows": rows, "note": "of the kernel"}})
    assert "| [1](../01-forward-process.ipynb) | 1,000 MiB | 8 s | 41 GiB |" in found  # 30 * 1,400 + 128 MiB
    assert found.count("not measured | not measured") == 2 and "Of the kernel.*" in found


def test_the_figures_are_those_of_the_results_file():
    found = json.loads((ROOT / "book" / "results" / "one_person.json").read_text("utf-8"))
    assert set(found["results"]["rows"]) <= set(hub.CHAPTERS)
