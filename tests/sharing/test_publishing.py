"""Out of the house and back: into a folder, and to a Hub on the loopback; what is wrong is refused in one sentence."""

import json
from dataclasses import replace

import loopback
import pytest
import torch
from PIL import Image

from ddpm_core import sampler
from ddpm_core.diffusion.model import Model
from ddpm_core.diffusion.prediction import EPS, V
from ddpm_core.networks.ddpm_unet import DDPMUNet
from ddpm_core.networks.mlp import MLP
from ddpm_core.schedule import cosine
from ddpm_core.sharing import from_pretrained, of_use, push_to_hub, save_pretrained
from ddpm_core.storage.files import CheckpointError, file_sha256, read_tensors, write_tensors
from ddpm_core.unet import UNet

ABOUT = {"size": [8, 8], "names": ["a", "b"], "data": "digits", "sampler": "ddim", "steps": 2}


def woken(net):
    torch.manual_seed(3)
    with torch.no_grad():
        for p in net.parameters():
            p.add_(0.1 * torch.randn_like(p))
    return net.eval()


OURS = Model(woken(UNet(1, (8, 16), num_classes=2)), cosine(20), V, ABOUT)
PAPERS = Model(
    woken(DDPMUNet(1, (8, 16), blocks=1, attention=(1,), groups=8)), cosine(20), EPS, ABOUT | {"names": None}
)
BOTH = pytest.mark.parametrize("model", [OURS, PAPERS], ids=["ours", "the paper's"])


def same(back, model):
    """Schedule, prediction and every weight, bit for bit."""
    assert back.prediction is model.prediction and torch.equal(back.schedule.beta, model.schedule.beta)
    ours, theirs = model.network.state_dict(), back.network.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


@BOTH
def test_a_folder_gives_back_what_it_was_given(model, tmp_path):
    weights = save_pretrained(tmp_path / "small", model)
    back = from_pretrained(tmp_path / "small", sha256=file_sha256(weights))
    assert same(back, model) and not back.network.training
    assert torch.equal(sampler.draw(back, 2, steps=2), sampler.draw(model, 2, steps=2))
    card = (tmp_path / "small" / "README.md").read_text()
    assert card.startswith("---\nlicense: mit\n") and "# small" in card and "(samples.png)" in card
    for heading in ("How it was made", "What it reaches", "How to load it", "Limits", "Bias", "Licence"):
        assert f"## {heading}\n" in card
    assert "written by 13 people" in card and "Not measured." in card
    with Image.open(tmp_path / "small" / "samples.png") as sheet:  # drawn, since none was given
        assert 640 <= sheet.width < 700 and 128 <= sheet.height < 150


def test_a_card_says_when_nobody_knows(tmp_path):
    said = "\n".join(of_use.sections(OURS, "club/own-pictures"))
    assert "nobody has looked into" in said and "see where they are from" in said and "the classes or words" in said
    assert "the kind of picture" in "\n".join(of_use.sections(PAPERS, "digits"))
    from ddpm_core.recipes import RECIPES

    assert {recipe.data for recipe in RECIPES.values()} == set(of_use.ORIGINS)


def test_a_picture_of_ones_own_is_kept(tmp_path):
    own = tmp_path / "own.png"
    Image.new("L", (3, 2)).save(own)
    save_pretrained(tmp_path / "small", OURS, picture=own)
    assert (tmp_path / "small" / "samples.png").read_bytes() == own.read_bytes()


ASKING = """
import json, sys
from ddpm_core.sharing import from_pretrained, push_to_hub
from ddpm_core.storage.files import CheckpointError

def number(model):
    return round(next(model.network.parameters()).sum().item(), 4)

for task, *words in json.loads(sys.argv[1]):
    if task == "push":
        print(push_to_hub(from_pretrained(words[0]), words[1], private=True))
    else:
        try:
            print(number(from_pretrained(words[0], **words[1])))
        except CheckpointError as error:
            print("refused:", error)
"""


def said(hub, tmp_path, tasks):
    """What each task printed, all in one process: a line each."""
    done = loopback.asking(hub, tmp_path / "home", "-c", ASKING, json.dumps(tasks))
    assert done.returncode == 0 and done.stdout.count("\n") == len(tasks), done.stdout + done.stderr
    return done.stdout.splitlines()


def test_up_to_the_hub_and_down_again(tmp_path):
    """Both kinds, twice each, with other weights the second time: each revision gives its own."""
    tasks, wanted = [], []
    with loopback.running() as hub:
        for name, model in (("club/small", OURS), ("club/papers", PAPERS)):
            newer = replace(model, network=type(model.network)(**model.network.config))
            newer.network.load_state_dict({k: 2 * v for k, v in model.network.state_dict().items()})
            hashes = []
            for one in (model, newer):
                folder = tmp_path / name / str(len(hashes))
                hashes.append(file_sha256(save_pretrained(folder, one, name=name)))
                tasks.append(["push", str(folder), name])
                wanted.append(f"{hub.endpoint}/{name}: sha256 {hashes[-1]}")
            numbers = [round(next(one.network.parameters()).sum().item(), 4) for one in (model, newer)]
            tasks += [["load", name, {"sha256": hashes[1]}], ["load", name, {"sha256": hashes[1], "revision": "main"}]]
            tasks += [["load", name, {"sha256": hashes[0], "revision": hub.sha(name, 1)}]]
            wanted += [str(number) for number in (numbers[1], numbers[1], numbers[0])]
            tasks += [["load", name, {"sha256": hashes[0]}], ["load", name, {"revision": "yesterday"}]]
            wanted += [f"with sha256 {hashes[0][:12]}", "at revision 'yesterday'"]
        found = said(hub, tmp_path, [*tasks, ["load", "club/none", {}]])
    for line, part in zip(found, [*wanted, "the Hub did not give 'club/none'"], strict=True):
        assert part in line
    assert sum(line.startswith("refused: ") for line in found) == 5
    assert all(asked.get("private") is True or asked.get("visibility") == "private" for asked in hub.asked)


def test_another_file_on_the_hub_is_refused(tmp_path):
    """A weight too few, a file cut short, and somebody else's weights, each in one sentence."""
    weights = save_pretrained(tmp_path / "small", OURS)
    tensors, header = read_tensors(weights)
    write_tensors(tmp_path / "fewer", {k: v for k, v in tensors.items() if k != "stem.bias"}, header)
    write_tensors(tmp_path / "foreign", tensors, {})
    wrong = {
        "club/fewer": ((tmp_path / "fewer").read_bytes(), "1 are missing, stem.bias among them"),
        "club/short": (weights.read_bytes()[:-100], "truncated or damaged"),
        "club/foreign": ((tmp_path / "foreign").read_bytes(), "does not describe one"),
    }
    with loopback.running() as hub:
        hub.repositories |= {name: [{"model.safetensors": content}] for name, (content, _) in wrong.items()}
        found = said(hub, tmp_path, [["load", name, {}] for name in wrong])
    for line, (_, message) in zip(found, wrong.values(), strict=True):
        assert line.startswith("refused: ") and message in line


def test_what_cannot_go_out_is_refused(tmp_path):
    with pytest.raises(OSError, match="need a Hub name owner/name to push to, but got 'small'"):
        push_to_hub(OURS, "small")
    with pytest.raises(OSError, match=r"the Hub did not take 'club/small' \(OfflineModeIsEnabled"):
        push_to_hub(OURS, "club/small")
    with pytest.raises(ValueError, match=r"need a UNet, .*, but got a MLP"):
        save_pretrained(tmp_path, replace(OURS, network=MLP()))


def test_what_is_not_there_is_refused(tmp_path):
    save_pretrained(tmp_path / "small", PAPERS)
    with pytest.raises(CheckpointError, match=r"need a Hub name for revision 'v1', but .*small is on this machine"):
        from_pretrained(tmp_path / "small", revision="v1")
    with pytest.raises(CheckpointError, match="with sha256 000000000000"):
        from_pretrained(tmp_path / "small", sha256="0" * 64)
    description = tmp_path / "small" / "unet" / "config.json"
    description.write_text(json.dumps(json.loads(description.read_text()) | {"freq_shift": 0}))
    with pytest.raises(CheckpointError, match=r"where freq_shift is 1, but config\.json says 0"):
        from_pretrained(tmp_path / "small")
    with pytest.raises(CheckpointError, match=r"no file .*model\.safetensors"):
        from_pretrained(tmp_path)
