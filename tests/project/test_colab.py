"""Colab's versions stand in one list, and a training that is kept on a Drive goes on after a disconnect."""

import datetime
import re
import sys
from pathlib import Path

import colab
import colab_versions
import nbformat
import pytest
import torch
import unpacked
from nbclient.exceptions import CellExecutionError

from ddpm_core import trainer

ROOT = colab_versions.ROOT
OURS = {
    "ipywidgets": "7.7.1",
    "ipython": "7.34.0",
    "ipykernel": "6.17.1",
    "torch": "2.11.0+cu128",
    "anywidget": "0.9.21",
}


def test_the_list_has_a_date_and_what_make_colab_installs():
    text = (ROOT / "tools" / "colab.txt").read_text()
    assert re.search(r"list of \w+ 20\d\d\.", text.splitlines()[0])
    assert [pin.split("==")[0] for pin in colab_versions.pins()] == list(colab_versions.INSTALLED)


def test_the_package_accepts_what_colab_ships():
    known = colab_versions.known()
    assert colab_versions.trouble(known, known, colab_versions.needs()) == []


def test_what_moved_is_said_and_what_matters_fails(tmp_path, capsys):
    new = tmp_path / "new.txt"
    lines = [f"{name}=={version}" for name, version in colab_versions.known().items()]
    new.write_text("\n".join(["# a comment", "local @ file:///x", *lines]))
    assert colab_versions.main([str(new)]) == 0 and "nothing moved" in capsys.readouterr().out
    new.write_text(
        "\n".join(lines).replace("ipywidgets==7.7.1", "ipywidgets==8.1.5").replace("numpy==2.1.3", "numpy==1.20.0")
    )
    assert colab_versions.main([str(new)]) == 1
    said = capsys.readouterr().out
    assert "Colab has 8.1.5: change tools/colab.txt" in said and "ddpm_core needs numpy>=1.26, Colab has 1.20.0" in said


def test_the_newest_list_is_taken_with_its_date(tmp_path, capsys):
    (tmp_path / "tools").mkdir()
    for name in ("tools/colab.txt", "pyproject.toml"):
        (tmp_path / name).write_text((ROOT / name).read_text("utf-8"), "utf-8")
    before, new = (tmp_path / "tools" / "colab.txt").read_text("utf-8"), tmp_path / "new.txt"
    new.write_text("numpy==2.3.5\nipywidgets==7.7.1\ntorch @ https://elsewhere.invalid/torch.whl\n")
    assert colab_versions.take(tmp_path, new.as_uri()) == 0
    assert "numpy: 2.1.3, there 2.3.5" in capsys.readouterr().out
    after = (tmp_path / "tools" / "colab.txt").read_text("utf-8")
    assert after.splitlines()[1:] == before.replace("numpy==2.1.3", "numpy==2.3.5").splitlines()[1:]
    assert re.search(f"list of {datetime.date.today():%B %Y}", after.splitlines()[0])
    new.write_text("numpy==1.20.0\n")
    assert colab_versions.take(tmp_path, new.as_uri()) == 1
    assert "ddpm_core needs numpy>=1.26, Colab has 1.20.0" in capsys.readouterr().out
    assert colab_versions.take(tmp_path, (tmp_path / "none.txt").as_uri()) == 2
    assert "could not be read" in capsys.readouterr().err


def test_a_package_that_only_moved_does_no_harm():
    theirs = {**OURS, "anywidget": "0.10.0"}
    assert colab_versions.differences(OURS, theirs) == ["anywidget: 0.9.21, there 0.10.0"]
    assert colab_versions.trouble(OURS, theirs, colab_versions.needs()) == []


@pytest.mark.parametrize("arguments", [[], ["no-such-file.txt"]])
def test_what_is_no_list_is_refused(arguments, capsys):
    assert colab_versions.main(arguments) == 2
    assert "pip freeze" in capsys.readouterr().err


def test_a_notebook_that_ran_leaves_no_kernel(tmp_path, monkeypatch, capsys):
    (tmp_path / "book").mkdir()
    path, made, kernel = tmp_path / "book" / "one.ipynb", [], colab.kernel
    monkeypatch.setattr(colab, "ROOT", tmp_path)
    monkeypatch.setattr(colab, "kernel", lambda python: made.append(kernel(python)) or made[-1])
    for source in ("1 + 1", "1 / 0"):
        nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)]), path)
        wrong = unpacked.run(path, Path(sys.executable))
        assert wrong == ("" if source == "1 + 1" else "ZeroDivisionError: division by zero")
    with pytest.raises(CellExecutionError):
        colab.run("one", Path(sys.executable))
    assert len(made) == 3 and not any(manager.has_kernel for manager in made)


def cell():
    """The cell of the page, with a small network and few steps."""
    (code,) = re.findall(r"(?ms)^```python\n(.*?)^```$", (ROOT / "book" / "workshop" / "colab.md").read_text())
    for written, small in (("(32, 64)", "(8, 16)"), ("steps=600", "steps=30"), ("% 100", "% 10")):
        assert code.count(written) == 1
        code = code.replace(written, small)
    return code


def test_a_training_goes_on_after_a_disconnect(tmp_path, monkeypatch, capsys):
    ends = {}
    for name in ("at once", "cut"):
        folder = tmp_path / name
        folder.mkdir()
        monkeypatch.chdir(folder)
        if name == "cut":
            save = trainer.save

            def lost(state, path, save=save):
                save(state, path)
                raise ConnectionError("the session ended")

            with monkeypatch.context() as patch, pytest.raises(ConnectionError):
                patch.setattr(trainer, "save", lost)
                exec(cell(), {})
            assert Path("runs/training.safetensors").is_file()
            capsys.readouterr()
        found = {}
        exec(cell(), found)
        ends[name] = found["state"]
    assert "going on after step 10" in capsys.readouterr().out
    assert ends["at once"].step == ends["cut"].step == 30
    for one, other in zip(ends["at once"].net.parameters(), ends["cut"].net.parameters(), strict=True):
        assert torch.equal(one, other)
