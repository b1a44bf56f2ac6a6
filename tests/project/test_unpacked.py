"""A notebook of the offline archive runs from a fresh folder, with the package that lies in it and no network."""

import hashlib

import offline
import pytest
import unpacked

NAME = "09-ancestral-sampling"  # loads a checkpoint, and is done soon

needs_linux = pytest.mark.skipif(not unpacked.cuttable(), reason=unpacked.REFUSED)


@pytest.fixture
def packed(tmp_path):
    """packed(without=(), changed=()): an archive without pages and some files, others changed after the hashing."""

    def make(without=(), changed=()):
        held = {name: raw for name, raw in offline.contents(tmp_path / "no pages").items() if name not in without}
        lines = [f"{hashlib.sha256(raw).hexdigest()}  {name}\n" for name, raw in held.items() if "MANIFEST" not in name]
        held["MANIFEST.sha256"] = "".join(lines).encode()
        out = tmp_path / "archive.zip"
        offline.pack(held | {name: held[name] + b" " for name in changed}, out)
        return out

    return make


@needs_linux
def test_a_notebook_runs_from_the_archive(packed, capfd):
    assert unpacked.main([NAME], packed()) == 0
    assert f"{NAME}: runs, " in capfd.readouterr().out


@needs_linux
def test_what_the_archive_lacks_is_not_found_elsewhere(packed, capfd):
    assert unpacked.main([NAME], packed(without=["book/results/digits.safetensors"])) == 1
    said = capfd.readouterr().out
    assert "FileNotFoundError: no such result: digits.safetensors is not on this machine" in said


@needs_linux
def test_a_file_that_changed_on_its_way_is_named(packed, capfd):
    assert unpacked.main([NAME], packed(changed=[f"book/{NAME}.ipynb"])) == 1
    assert f"book/{NAME}.ipynb: FAILED" in capfd.readouterr().out


def test_without_an_archive_or_without_leave_it_says_what_to_do(packed, tmp_path, monkeypatch, capsys):
    assert unpacked.main([], tmp_path / "none.zip") == 2
    assert "run `make offline` first" in capsys.readouterr().err
    monkeypatch.setattr(unpacked, "CUT", ["no-such-command"])
    assert unpacked.main([], packed()) == 2
    assert "Nobody may cut off the network here" in capsys.readouterr().err
