"""Results are found beside the chapters or fetched and held to their hash; each says how it was made."""

import hashlib
import json
from pathlib import Path

import pytest
import shelf as shelf_tool
import torch

from ddpm_core import checkpoint, shelf
from ddpm_core.checkpoint import Trained
from ddpm_core.files import file_sha256
from ddpm_core.predict import V
from ddpm_core.schedule import cosine
from ddpm_core.unet import UNet

RESULTS = sorted((Path(__file__).parents[1] / "book" / "results").glob("*.json"))


def test_the_package_knows_the_hash_of_every_result():
    assert json.loads(shelf_tool.LIST.read_text()) == shelf_tool.hashes(), "run tools/shelf.py"


@pytest.mark.parametrize("path", RESULTS, ids=lambda p: p.stem)
def test_a_result_says_how_it_was_made_and_names_no_private_path(path):
    about = shelf.result(path.stem)
    script = about["command"].split()[1]
    assert (Path(__file__).parents[1] / script).is_file() or about["command"].startswith("python -m ddpm_core evaluate")
    assert about["minutes"] > 0
    assert "/root" not in path.read_text() and "/home" not in path.read_text()


def test_a_result_without_provenance_is_refused(tmp_path, monkeypatch):
    (tmp_path / "book" / "results").mkdir(parents=True)
    (tmp_path / "book" / "results" / "typed.json").write_text('{"results": {"fid": 3.17}, "device": "hearsay"}')
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="lacks command, commit, date, minutes"):
        shelf.result("typed")


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """As in Colab: no checkout around, an empty cache, and a repository that serves what `served` holds."""
    served = {}
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DDPM_CORE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(shelf, "__file__", str(tmp_path / "site-packages" / "ddpm_core" / "shelf.py"))
    monkeypatch.setattr(shelf, "_fetch", lambda name: served[name])
    return served


def test_without_a_checkout_a_result_is_fetched_once_and_equals_the_original(elsewhere):
    original = RESULTS[0]
    elsewhere[original.name] = original.read_bytes()
    first = shelf.find(original.name)
    elsewhere.clear()
    assert shelf.find(original.name).read_bytes() == first.read_bytes() == original.read_bytes()


def test_a_changed_file_is_refused(elsewhere):
    name = RESULTS[0].name
    elsewhere[name] = b"something else"
    with pytest.raises(ValueError, match=hashlib.sha256(b"something else").hexdigest()[:12]):
        shelf.find(name)
    assert not list(Path("cache").rglob("*.json"))


def test_an_unknown_result_is_refused(elsewhere):
    with pytest.raises(FileNotFoundError, match=r"no_such\.json"):
        shelf.find("no_such.json")


def test_without_a_network_the_address_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(shelf, "repository", lambda: "http://127.0.0.1:9/nowhere")
    with pytest.raises(FileNotFoundError, match=r"127\.0\.0\.1:9/nowhere/raw/main/book/results/digits\.json"):
        shelf._fetch("digits.json")


def test_a_model_in_half_precision_is_found_and_held_to_its_hash(elsewhere, monkeypatch):
    torch.manual_seed(0)
    trained = Trained(UNet(1, (8, 16)), cosine(20), V, {"size": [8, 8]})
    path = checkpoint.export("small.safetensors", trained)
    monkeypatch.setattr(shelf, "_known", lambda: {"small.safetensors": file_sha256(path)})
    elsewhere["small.safetensors"] = path.read_bytes()
    found = shelf.model("small")
    assert path.stat().st_size < 0.6 * checkpoint.save("whole", trained).stat().st_size
    for name, weight in found.net.state_dict().items():
        torch.testing.assert_close(weight, trained.net.state_dict()[name], rtol=1e-3, atol=1e-6)
    assert torch.equal(found.schedule.beta, trained.schedule.beta) and found.predict is V


def test_a_model_of_another_hash_is_refused_even_in_the_checkout(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = Path("book/results/small.safetensors")
    checkpoint.export(path, Trained(UNet(1, (8, 16)), cosine(20), V, {}))
    monkeypatch.setattr(shelf, "_known", lambda: {"small.safetensors": "0" * 64})
    with pytest.raises(ValueError, match=r"with sha256 000000000000\.\.\., but it has"):
        shelf.model("small")
