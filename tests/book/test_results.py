"""Results are found beside the chapters or fetched and held to their hash; each says how it was made."""

import hashlib
import json
from pathlib import Path

import hashes as hashes_tool
import pytest
import torch

from ddpm_core.book import results
from ddpm_core.data import tile
from ddpm_core.diffusion.model import Model
from ddpm_core.diffusion.prediction import V
from ddpm_core.schedule import cosine
from ddpm_core.storage import checkpoint
from ddpm_core.storage.files import file_sha256
from ddpm_core.unet import UNet

ROOT = Path(__file__).parents[2]
RESULTS = sorted((ROOT / "book" / "results").glob("*.json"))


SCRIPTS = {path.stem for folder in ("experiments", "benchmarks") for path in (ROOT / folder).rglob("*.py")}


def script_of(command):
    """The script's name: `python experiments/NAME.py ...`, as it was once, or `python -m experiments.ch05.NAME ...`."""
    word = command.split()[2 if " -m " in command else 1]
    return word.removesuffix(".py").replace("/", ".").rpartition(".")[2]


def test_the_package_knows_the_hash_of_every_result():
    assert json.loads(hashes_tool.LIST.read_text()) == hashes_tool.hashes(), "run tools/hashes.py"


@pytest.mark.parametrize("path", RESULTS, ids=lambda p: p.stem)
def test_a_result_says_how_it_was_made_and_names_no_private_path(path):
    about = results.load(path.stem)
    assert about["command"].startswith("python -m ddpm_core evaluate") or script_of(about["command"]) in SCRIPTS
    assert about["minutes"] > 0
    assert "/root" not in path.read_text() and "/home" not in path.read_text()


def test_a_result_without_provenance_is_refused(tmp_path, monkeypatch):
    (tmp_path / "book" / "results").mkdir(parents=True)
    (tmp_path / "book" / "results" / "typed.json").write_text('{"results": {"fid": 3.17}, "device": "hearsay"}')
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="lacks command, commit, date, minutes"):
        results.load("typed")


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """As in Colab: no checkout around, an empty cache, and a repository that serves what `served` holds."""
    served = {}
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DDPM_CORE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(results, "__file__", str(tmp_path / "site-packages" / "ddpm_core" / "book" / "results.py"))
    monkeypatch.setattr(results, "_fetch", lambda name: served[name])
    return served


def test_without_a_checkout_a_result_is_fetched_once_and_equals_the_original(elsewhere):
    original = RESULTS[0]
    elsewhere[original.name] = original.read_bytes()
    first = results.path(original.name)
    elsewhere.clear()
    assert results.path(original.name).read_bytes() == first.read_bytes() == original.read_bytes()


def test_a_changed_file_is_refused(elsewhere):
    name = RESULTS[0].name
    elsewhere[name] = b"something else"
    with pytest.raises(ValueError, match=hashlib.sha256(b"something else").hexdigest()[:12]):
        results.path(name)
    assert not list(Path("cache").rglob("*.json"))


def test_an_unknown_result_is_refused(elsewhere):
    with pytest.raises(FileNotFoundError, match=r"no_such\.json"):
        results.path("no_such.json")


def test_without_a_network_the_address_is_named_and_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "repository", lambda: "http://127.0.0.1:9/nowhere")
    said = (
        r"127\.0\.0\.1:9/nowhere/raw/main/book/results/digits\.json answered: .*; try again .* folder book/results here"
    )
    with pytest.raises(FileNotFoundError, match=said):
        results._fetch("digits.json")


def test_a_model_in_half_precision_is_found_and_held_to_its_hash(elsewhere, monkeypatch):
    torch.manual_seed(0)
    trained = Model(UNet(1, (8, 16)), cosine(20), V, {"size": [8, 8]})
    path = checkpoint.export("small.safetensors", trained)
    monkeypatch.setattr(results, "_known", lambda: {"small.safetensors": file_sha256(path)})
    elsewhere["small.safetensors"] = path.read_bytes()
    found = results.model("small")
    assert path.stat().st_size < 0.6 * checkpoint.save("whole", trained).stat().st_size
    for name, weight in found.network.state_dict().items():
        torch.testing.assert_close(weight, trained.network.state_dict()[name], rtol=1e-3, atol=1e-6)
    assert torch.equal(found.schedule.beta, trained.schedule.beta) and found.prediction is V


def test_a_model_of_another_hash_is_refused_even_in_the_checkout(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = Path("book/results/small.safetensors")
    checkpoint.export(path, Model(UNet(1, (8, 16)), cosine(20), V, {}))
    monkeypatch.setattr(results, "_known", lambda: {"small.safetensors": "0" * 64})
    with pytest.raises(ValueError, match=r"with sha256 000000000000\.\.\., but it has"):
        results.model("small")


@pytest.mark.parametrize("channels", [1, 3])
def test_the_pictures_of_a_sheet_are_those_that_were_tiled(tmp_path, monkeypatch, channels):
    (tmp_path / "book" / "results").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    made = torch.randint(0, 256, (6, channels, 4, 4), dtype=torch.uint8)
    tile(made, columns=3).save(tmp_path / "book" / "results" / "sheet.png")
    assert torch.equal(results.pictures("sheet.png", 4), made)
    with pytest.raises(ValueError, match=r"pictures 5 pixels wide.*sheet\.png is"):
        results.pictures("sheet.png", 5)
