"""Files from strangers: safetensors and JSON are loaded, and never a pickle, which may run code."""

import ast
import json
from pathlib import Path

import pytest
import torch

from ddpm_core.storage import checkpoint
from ddpm_core.storage.files import CheckpointError, write_tensors

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = [path for folder in ("ddpm_core", "space", "generator") for path in sorted((ROOT / folder).rglob("*.py"))]
MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}


def opens_a_pickle(source):
    """What in this source could open one: a module that does, torch.load, or numpy with allow_pickle."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.split(".")[0] in MODULES]
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in MODULES:
            found.append(node.module)
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            found += [name] if name in ("torch.load", "torch.jit.load", "pd.read_pickle") else []
            found += [keyword.arg for keyword in node.keywords if keyword.arg == "allow_pickle"]
    return found


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_opens_a_pickle(path):
    assert opens_a_pickle(path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    "source", ["import pickle", "from joblib import load", "torch.load(x)", "np.load(x, allow_pickle=True)"]
)
def test_the_reader_of_sources_sees_one(source):
    assert len(opens_a_pickle(source)) == 1


class Touch:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("name", ["model.safetensors", "model.pt", "training.safetensors"])
def test_a_pickle_under_any_name_is_not_opened(name, tmp_path):
    torch.save({"weights": Touch(tmp_path / "ran")}, tmp_path / name)
    with pytest.raises(CheckpointError):
        checkpoint.load(tmp_path / name)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("change", [{"channels": [2**20, 2**20]}, {"num_classes": 2**40}, {"in_channels": 2**33}])
def test_a_header_that_describes_a_giant_builds_none(change, tmp_path):
    """The description promises more than the file holds: it is refused before memory is asked for."""
    about = {"network": {"channels": [8]} | change, "betas": [0.1], "predict": "V", "about": {}}
    write_tensors(tmp_path / "model.safetensors", {"w": torch.zeros(1)}, {"description": json.dumps(about)})
    with pytest.raises(CheckpointError, match="need"):
        checkpoint.load(tmp_path)
