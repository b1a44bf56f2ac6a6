"""The page on sharing: its commands and its code run, one after the other, as a reader would copy them."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
import torch

from ddpm_core.cli import main
from ddpm_core.diffusion.model import Model
from ddpm_core.diffusion.prediction import EPS
from ddpm_core.networks.ddpm_unet import DDPMUNet
from ddpm_core.schedule import linear
from ddpm_core.sharing import push_to_hub, save_diffusers, save_pretrained
from ddpm_core.storage import checkpoint

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "book" / "sharing.md").read_text("utf-8")
BLOCKS = re.findall(r"```(bash|python)\n(.*?)```", PAGE, re.DOTALL)


def test_what_the_page_tells_one_to_type_runs(tmp_path, monkeypatch):
    """In the place of the Hub there are two folders, and no upload: that is tested elsewhere."""
    monkeypatch.setattr("diffusers.utils.dynamic_modules_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    (tmp_path / "runs" / "digits").mkdir(parents=True)
    shutil.copyfile(
        ROOT / "book" / "results" / "digits.safetensors", tmp_path / "runs" / "digits" / "model.safetensors"
    )
    monkeypatch.chdir(tmp_path)
    save_pretrained("mine", checkpoint.load("runs/digits"))
    small = Model(DDPMUNet(3, (8, 16), 1, (), 8).eval(), linear(), EPS, {"size": [8, 8], "names": None})
    save_diffusers("theirs", small)
    kinds = []
    for kind, text in BLOCKS:
        kinds.append(kind)
        if kind == "bash":
            command = shlex.split(text)
            assert command[:3] == ["python", "-m", "ddpm_core"]
            if command[3] != "push":
                assert main(command[3:]) == 0
            continue
        text = text.replace('"YOU/my-digits", revision="main"', '"mine"').replace("google/ddpm-cifar10-32", "theirs")
        names = {}
        exec(text, names)
        if "images" in names:
            assert len(names["images"]) in (2, 4, 20)
        else:
            assert names["x_0"].shape == (2, 1, 8, 8) and names["x_0"].abs().max() <= 1 + 1e-6
    assert kinds == ["bash", "python", "bash", "python", "python", "bash", "python"]


def test_what_it_names_is_there():
    assert push_to_hub.__name__ in PAGE and save_pretrained.__name__ in PAGE and torch.__name__ in PAGE
    makefile = (ROOT / "Makefile").read_text()
    assert "\nspace:" in makefile and "\npush-space:" in makefile
    assert max(len(line) for _, text in BLOCKS for line in text.splitlines()) <= 76


@pytest.mark.parametrize("words", re.findall(r"```bash\n(.*?)\n```", PAGE))
def test_every_command_is_known(words):
    from ddpm_core.cli.arguments import parser

    assert vars(parser().parse_args(shlex.split(words)[3:]))
