"""Write book/results/MODELS.md: what each model on the shelf is, from its own header and from what was measured of it.

python tools/cards.py
"""

import json
from pathlib import Path

from measured import NOT_MEASURED, READERS, of_evaluation

from ddpm_core.diffusion.model import Model
from ddpm_core.recipes import RECIPES
from ddpm_core.sharing import model_card
from ddpm_core.storage import checkpoint
from ddpm_core.storage.files import file_sha256

RESULTS = Path(__file__).resolve().parent.parent / "book" / "results"
PAGE = "MODELS.md"


def page(folder: Path = RESULTS) -> str:
    """The page of all models that lie in a folder."""
    parts = [
        "# The models on the shelf",
        "Trained models that come with the book. Written by `tools/cards.py` from the files; `results.model(NAME)` "
        "loads one and holds it to its sha256. A model without a recipe was trained with settings of its own. `dpm` is "
        "DPM-Solver++ 2M, `ddim1` is DDIM with eta = 1 (chapter 10), V the prediction of chapter 5; edges are the mean "
        "difference of neighbouring pixels, the discrete bound is that of chapter 4 (± its standard error over the "
        "images), and the Fréchet distance is in a small classifier's features: not FID.",
    ]
    for path in sorted(folder.glob("*.safetensors")):
        trained = checkpoint.load(path)
        rows = {"recipe": "none"} | model_card.facts(trained) | measured(path, trained)
        rows["file"] = f"{path.stat().st_size / 1e6:.2f} MB, sha256 {file_sha256(path)}"
        parts += [f"## {path.stem}", model_card.as_table(rows)]
    return "\n\n".join(parts) + "\n"


def measured(path: Path, trained: Model) -> dict[str, str]:
    """What `evaluate --json` found of this very file; else the results file of the same name, if it is of this very
    training: as many images, the same loss."""
    mine = file_sha256(path)
    for other in sorted(path.parent.glob("*.json")):
        if (found := json.loads(other.read_text())).get("model_sha256") == mine:
            return {"measured": f"{of_evaluation(found['results'])} ({other.name})"}
    beside = path.with_suffix(".json")
    if path.stem not in RECIPES or not beside.is_file():
        return {"measured": NOT_MEASURED}
    found = json.loads(beside.read_text())
    of = found["results"].get("training", found["results"])
    if any(of.get(key) != trained.about.get(key) for key in ("images_seen", "loss")):
        return {"measured": f"{NOT_MEASURED}; {beside.name} is of other trainings"}
    return {"measured": f"{READERS[path.stem][1](found['results'])} ({beside.name})"}


if __name__ == "__main__":
    (RESULTS / PAGE).write_text(page())
