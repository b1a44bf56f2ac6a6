"""A notebook says which versions of the package fit it, and what to do where none is to be had."""

import ast
import builtins
import json
import re
import subprocess
import sys
from pathlib import Path

import chapter_checks
import pace
import pytest
import torch

import ddpm_core
from ddpm_core.book import release

ROOT = Path(__file__).parents[2]
TEXTS = sorted((ROOT / "book" / "src").glob("*.md"))
ADDRESS = "https://github.com/one/book"
CELL = chapter_checks.COLAB.format(repository=ADDRESS)


def first_cell():
    """The names that the first cell makes, away from Colab."""
    names = {}
    exec(compile(ast.unparse(chapter_checks.python(CELL)), "first cell", "exec"), names)
    return names


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.stem)
def test_every_chapter_is_of_this_release(path):
    (asked,) = re.findall(r'^release\.fits\("(.*)"\)$', path.read_text("utf-8"), re.M)
    assert ddpm_core.__version__.startswith(f"{asked}.")


def test_the_first_cell_is_content_here():
    assert first_cell()["release"] is release


@pytest.mark.parametrize("version", ["0.1.0", "0.1.12"])
def test_every_version_of_a_release_fits_its_notebooks(monkeypatch, version):
    monkeypatch.setattr(ddpm_core, "__version__", version)
    assert release.fits("0.1") is None


@pytest.mark.parametrize(
    ("version", "notebook", "said"),
    [
        (
            "0.2.0",
            "0.1",
            r"release 0\.1 and fits ddpm_core 0\.1\.x, but here is 0\.2\.0, a newer one: .*book@v0\.1\.0 and",
        ),
        (
            "0.10.3",
            "0.9",
            r"fits ddpm_core 0\.9\.x, but here is 0\.10\.3, a newer one: open the chapter anew from https",
        ),
        ("1.0.0", "0.9", r"fits ddpm_core 0\.9\.x, but here is 1\.0\.0, a newer one"),
        (
            "0.1.4",
            "0.2",
            r"fits ddpm_core 0\.2\.x, but here is 0\.1\.4, an older one: run %pip install --upgrade git\+https",
        ),
        ("0.9.0", "0.10", r"fits ddpm_core 0\.10\.x, but here is 0\.9\.0, an older one"),
    ],
)
def test_another_release_is_told_in_one_sentence_which_versions_fit(monkeypatch, version, notebook, said):
    monkeypatch.setattr(ddpm_core, "__version__", version)
    with pytest.raises(ImportError, match=said) as error:
        release.fits(notebook)
    assert "\n" not in str(error.value) and str(error.value).count(". ") == 0


@pytest.mark.parametrize("notebook", ["", "1", "0.1.0", "v0.1", "0.x", None, 0.1])
def test_what_is_no_release_is_refused(notebook):
    with pytest.raises(ValueError, match=r"need a release like '0\.1', but got"):
        release.fits(notebook)


def test_the_first_cell_of_an_old_notebook_stops_with_that_sentence(monkeypatch):
    monkeypatch.setattr(ddpm_core, "__version__", "0.99.0")
    with pytest.raises(ImportError, match=r"fits ddpm_core 0\.\d+\.x, but here is 0\.99\.0"):
        first_cell()


@pytest.mark.parametrize("lacking", ["ddpm_core", "ddpm_core.book", "ddpm_core.book.release"])
def test_without_the_package_it_says_where_to_get_it_and_what_if_not(monkeypatch, lacking):
    """As in Colab when the address cannot be reached: pip complains, the import fails; or an old package is there."""
    real = builtins.__import__

    def missing(name, *rest):
        from_ = [f"{name}.{part}" for part in (rest[2] if len(rest) > 2 and rest[2] else ())]
        if any(f"{part}.".startswith(f"{lacking}.") for part in [name, *from_]):
            raise ModuleNotFoundError(f"No module named {lacking!r}")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ImportError, match="missing here, or older than this notebook") as error:
        first_cell()
    said = str(error.value)
    assert f"If you can open {ADDRESS}, run %pip install git+{ADDRESS} and" in said and "offline archive" in said
    assert error.value.__suppress_context__


def test_to_ask_needs_nothing_heavy():
    code = "import sys; from ddpm_core.book import release; print(*{'torch', 'numpy', 'matplotlib'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize(
    ("gpu", "said"),
    [
        (None, r"This session has \d+ CPU cores? and no GPU, so that it trains and draws on the processor\. Where"),
        ("Tesla T4", r"This session has Tesla T4, which trains and draws; a processor would do\. Where"),
    ],
)
def test_in_colab_one_line_says_what_device_it_got(monkeypatch, capsys, gpu, said):
    release.fits("0.1")
    assert capsys.readouterr().out == ""
    monkeypatch.setitem(sys.modules, "google.colab", None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu is not None)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: gpu)
    release.fits("0.1")
    out = capsys.readouterr().out
    assert re.match(said, out) and out.count("\n") == 1


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.stem)
def test_no_chapter_took_a_minute_on_a_processor(path):
    cells = json.loads((ROOT / "book" / f"{path.stem}.ipynb").read_text("utf-8"))["cells"]
    device, seconds = pace.STAMP.search("".join(cells[-1]["outputs"][0]["text"])).groups()[1:]
    assert "CPU core" in device and int(seconds) < 60
