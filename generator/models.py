"""What the page offers to draw: writes models.json, and for each model a picture drawn beforehand.

python -m generator.models
"""

import json
from pathlib import Path

from PIL import Image

from ddpm_core import sampler
from ddpm_core.data.transforms import tile
from ddpm_core.networks.conditioning import encode
from ddpm_core.storage import checkpoint
from ddpm_core.storage.files import file_sha256

ROOT = Path(__file__).resolve().parents[1]
PAGE, SHELF = ROOT / "book" / "_static" / "generator", ROOT / "book" / "results"
CAPTION = "a large red circle on the right on a white background"
# name -> (title, checkpoint, what is chosen when nobody has chosen yet)
OFFERED = {
    "garments": ("Garments, 32x32", "fashion32", {"label": "each", "guidance": "1", "n": "4"}),
    "digits": ("Handwritten digits, 8x8", "digits", {"label": "each", "n": "16"}),
    "cars": ("Cars in colour, 32x32", "cars32-gpu", {"n": "4"}),
    "shapes": ("Shapes from a caption, 32x32", "shapes", {"caption": CAPTION, "guidance": "2", "n": "4"}),
}


def shelf() -> dict:
    """name -> {title, file, bytes, sha256, settings, picture}: all that the page knows before it loads a model."""
    found = {}
    for name, (title, stem, settings) in OFFERED.items():
        file = SHELF / f"{stem}.safetensors"
        found[name] = {
            "title": title,
            "file": f"../{file.name}",  # the book puts the shelf beside the folder of the generator
            "bytes": file.stat().st_size,
            "sha256": file_sha256(file),
            "settings": settings,
            "picture": f"{name}.png",
        }
    return found


def drawn(stem: str, settings: dict) -> Image.Image:
    """Sixteen pictures of a checkpoint as it draws when nobody has chosen: a grid of four by four."""
    model = checkpoint.load(SHELF / f"{stem}.safetensors")
    classes = model.network.num_classes
    labels = sampler.balanced_labels(16, classes) if classes and settings.get("label") == "each" else None
    if "caption" in settings:
        labels = encode([settings["caption"]] * 16, model.network.vocabulary)
    guidance = float(settings.get("guidance", 0)) if labels is not None else 0.0
    return tile(sampler.draw(model, 16, labels=labels, guidance=guidance, steps=20), columns=4, gap=0)


def main() -> None:
    for name, (_, stem, settings) in OFFERED.items():
        drawn(stem, settings).save(PAGE / f"{name}.png", optimize=True)
    (PAGE / "models.json").write_text(json.dumps(shelf(), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
