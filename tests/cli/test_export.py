"""A model as a file with its card, and as a repository on the Hub."""

import json
import re
from pathlib import Path

import loopback
import onnxruntime
import pytest
import torch
import yaml

from ddpm_core.cli import export, main
from ddpm_core.diffusion.model import Model
from ddpm_core.diffusion.prediction import V
from ddpm_core.networks.ddpm_unet import DDPMUNet
from ddpm_core.schedule import cosine
from ddpm_core.sharing import model_card, save_diffusers
from ddpm_core.storage import checkpoint, hub
from ddpm_core.storage.files import CheckpointError, file_sha256, read_tensors
from ddpm_core.unet import UNet

ABOUT = {
    "size": [8, 8], "names": ["a", "b"], "seed": 3, "data": "digits", "data_sha256": "ab" * 32, "only": None,
    "recipe": "fashion32", "batch": 4, "lr": 0.01, "ema_decay": 0.99, "device": "an abacus", "date": "1642-01-01",
    "trained_steps": 1234, "images_seen": 4936, "minutes": 0.5, "loss": 0.123456, "sampler": "dpm", "steps": 2,
}  # fmt: skip
ROWS = {
    "recognised": {"drawn": 0.75, "real": 0.9375}, "edges": {"drawn": 3.25, "real": None},
    "bits_per_dim": {"bound": 3.5, "images": 4, "split": "held-out"},
    "fid": {"drawn": 9.5, "images": 50_000, "reference": "60,000 training images of hats"},
}  # fmt: skip


@pytest.fixture
def run(tmp_path):
    """A run's folder, with a picture and no evaluation."""
    net = UNet(1, (8, 16), num_classes=2)
    with torch.no_grad():
        for p in net.parameters():
            p.add_(0.1 * torch.randn_like(p))
    checkpoint.save(tmp_path / "run", Model(net, cosine(20), V, ABOUT))
    (tmp_path / "run" / "samples.png").write_bytes(b"a picture")
    return tmp_path / "run"


def evaluated(run, **changes):
    found = {"device": "a slide rule", "date": "1642-02-02", "command": "python -m ddpm_core evaluate run"}
    found |= {"model_sha256": file_sha256(run / "model.safetensors"), "results": {"rows": ROWS, "note": "as said"}}
    (run / "evaluation.json").write_text(json.dumps(found | changes))


def said(capsys, *arguments):
    capsys.readouterr()
    status, printed = main([str(a) for a in arguments]), capsys.readouterr()
    return status, printed.out + printed.err


def front_matter(text):
    return yaml.safe_load(text.split("---\n")[1])


# ---- a file and its card ---------------------------------------------------------------------------------------


def test_an_exported_model_is_half_as_large_and_draws_the_same(run, tmp_path, capsys):
    out = tmp_path / "new" / "small.safetensors"
    status, printed = said(capsys, "export", run, "--out", out)
    assert status == 0 and f"sha256 {file_sha256(out)}" in printed
    assert [p.name for p in out.parent.iterdir()] == ["small.safetensors"]
    assert {t.dtype for t in read_tensors(out)[0].values()} == {torch.float16}
    whole, half = checkpoint.load(run), checkpoint.load(out, file_sha256(out))
    x, t, labels = torch.randn(2, 1, 8, 8), torch.tensor([3, 20]), torch.tensor([0, 1])
    torch.testing.assert_close(half.network(x, t, labels), whole.network(x, t, labels), rtol=1e-2, atol=1e-2)
    assert half.about == whole.about


def test_it_may_draw_with_another_sampler_from_now_on(run, tmp_path, capsys):
    out = tmp_path / "new" / "small.safetensors"
    assert said(capsys, "export", run, "--out", out, "--sampler", "ddim", "--steps", 7)[0] == 0
    assert checkpoint.load(out).about == checkpoint.load(run).about | {"sampler": "ddim", "steps": 7}
    assert said(capsys, "export", run, "--out", out, "--steps", 5)[0] == 0
    assert checkpoint.load(out).about == checkpoint.load(run).about | {"steps": 5}
    status, printed = said(capsys, "export", run, "--out", out, "--sampler", "ddpm", "--steps", 5)
    assert status == 2 and "need all T = 20 steps for the sampler ddpm" in printed
    assert checkpoint.load(out).about["sampler"] == "dpm"  # the file before it stands


def test_the_card_says_what_the_header_says(run, tmp_path, capsys):
    out = tmp_path / "new" / "small.safetensors"
    assert said(capsys, "export", run, "--out", out, "--card")[0] == 0
    text = (out.parent / "README.md").read_text()
    found = front_matter(text)
    assert found["license"] == "mit" and found["library_name"] == "ddpm_core"
    assert found["datasets"] == ["zalando-datasets/fashion_mnist"]  # its recipe's
    assert {"diffusion", "ddpm", "class-conditional"} <= set(found["tags"])
    assert "1,234 steps of 4: 4,936 images in 0.5 minutes on an abacus" in text
    for fact in ("| seed | 3 |", "| date | 1642-01-01 |", "| recipe | fashion32 |", f"| {'ab' * 32} |", "0.1235"):
        assert fact in text
    assert file_sha256(out) in text and "Not measured." in text
    assert "![Images drawn by the model](samples.png)" in text
    assert (out.parent / "samples.png").read_bytes() == b"a picture"
    assert str(tmp_path) not in text


def test_the_card_reads_on_the_hub(run, tmp_path):
    from huggingface_hub import ModelCard

    assert main(["export", str(run), "--out", str(tmp_path / "x" / "m.safetensors"), "--card"]) == 0
    data = ModelCard.load(tmp_path / "x" / "README.md").data
    assert data.license == "mit" and data.pipeline_tag == "unconditional-image-generation"


def test_the_cards_code_runs_as_it_stands(run, tmp_path, monkeypatch):
    assert main(["export", str(run), "--out", str(tmp_path / "x" / "m.safetensors"), "--card"]) == 0
    monkeypatch.chdir(tmp_path / "x")
    (code,) = re.findall(r"```python\n(.*?)```", Path("README.md").read_text(), re.S)
    names = {}
    exec(code, names)
    assert names["images"].shape == (20, 1, 8, 8) and names["images"].dtype == torch.uint8
    Path("m.safetensors").write_bytes((run / "model.safetensors").read_bytes())
    with pytest.raises(CheckpointError, match="with sha256"):
        exec(code, {})


def test_what_was_measured_of_this_very_model_stands_on_the_card(run, tmp_path, capsys):
    evaluated(run)
    command = ["export", run, "--out", tmp_path / "x" / "m.safetensors", "--card"]
    assert said(capsys, *command)[0] == 0
    text = (tmp_path / "x" / "README.md").read_text()
    for row in (
        "| recognised | 0.75 (real images 0.9375) |", "| edges | 3.25 |", "by the discrete bound, on 4 held-out images",
        "9.5: 50,000 images against 60,000 training images of hats", "on a slide rule, 1642-02-02",
    ):  # fmt: skip
        assert row in text
    evaluated(run, model_sha256="0" * 64)
    status, printed = said(capsys, *command)
    assert status == 2 and "to be of this very model" in printed and "000000000000..." in printed


def test_a_model_that_says_little_has_a_short_card(tmp_path):
    path = checkpoint.save(tmp_path, Model(UNet(3, (8,)), cosine(20), V, {"size": [8, 8]}))
    text = model_card.card(checkpoint.load(path), path, name="bare")
    assert "draws images of 8x8 pixels, made" in text and "| training |" not in text
    assert "datasets" not in front_matter(text) and "class-conditional" not in front_matter(text)["tags"]


def test_a_card_leaves_out_a_loss_that_was_never_reported(run, tmp_path, capsys):
    trained = checkpoint.load(run)
    checkpoint.save(run, Model(trained.network, trained.schedule, trained.prediction, trained.about | {"loss": None}))
    assert said(capsys, "export", run, "--out", tmp_path / "x" / "m.safetensors", "--card")[0] == 0
    text = (tmp_path / "x" / "README.md").read_text()
    assert "1,234 steps of 4" in text and "| loss |" not in text


def test_nothing_is_written_where_the_card_cannot_be(run, tmp_path):
    evaluated(run, results={"rows": {"edges": {"drawn": 3.25}}, "note": "half of it"})
    with pytest.raises(KeyError, match="real"):
        main(["export", str(run), "--out", str(tmp_path / "x" / "m.safetensors"), "--card"])
    assert not (tmp_path / "x").exists()


def test_a_model_is_not_replaced_by_its_half(run, capsys, monkeypatch):
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    monkeypatch.chdir(run)
    for source in (run, run / "model.safetensors"):
        for out in (run / "model.safetensors", "./model.safetensors"):
            status, printed = said(capsys, "export", source, "--out", out)
            assert status == 2 and "error: need --out to be another file than the model" in printed
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before


def test_a_file_is_exported_with_what_lies_beside_it(run, tmp_path, capsys):
    evaluated(run)
    out = tmp_path / "x" / "m.safetensors"
    assert said(capsys, "export", run / "model.safetensors", "--out", out, "--card")[0] == 0
    text = (out.parent / "README.md").read_text()
    assert "| recognised | 0.75 (real images 0.9375) |" in text and "(samples.png)" in text
    assert (out.parent / "samples.png").read_bytes() == b"a picture"


def test_anothers_readme_is_not_overwritten(run, tmp_path, capsys):
    there, out = tmp_path / "README.md", tmp_path / "m.safetensors"
    there.write_text("# My thesis")
    status, printed = said(capsys, "export", run, "--out", out, "--card")
    assert status == 2 and "need a folder without another README.md" in printed
    assert there.read_text() == "# My thesis" and not out.exists()
    there.unlink()
    for _ in range(2):  # a card of ours is replaced
        assert said(capsys, "export", run, "--out", out, "--card")[0] == 0


def test_another_ending_is_refused(run, tmp_path, capsys):
    status, printed = said(capsys, "export", run, "--out", tmp_path / "m.pt")
    assert status == 2 and "need --out to end in .safetensors" in printed


# ---- for other tools --------------------------------------------------------------------------------------------


def test_a_network_is_exported_for_onnx(run, tmp_path, capsys):
    out = tmp_path / "new" / "small.onnx"
    status, printed = said(capsys, "export", run, "--onnx", "--out", out, "--sampler", "ddim", "--steps", 5)
    assert status == 0 and f"sha256 {file_sha256(out)}" in printed
    session = onnxruntime.InferenceSession(str(out), providers=["CPUExecutionProvider"])
    assert [given.name for given in session.get_inputs()] == ["x_t", "t", "labels"]
    assert '"sampler": "ddim"' in session.get_modelmeta().custom_metadata_map["description"]


def test_a_model_is_exported_for_diffusers(run, tmp_path, capsys):
    out = tmp_path / "new"
    assert said(capsys, "export", run, "--diffusers", "--out", out)[0] == 0
    assert {"model_index.json", "travelling.py"} <= {path.name for path in out.iterdir()}
    status, printed = said(capsys, "export", run, "--diffusers", "--out", out)
    assert status == 2 and "need an empty folder or a new one for --out" in printed
    theirs = Model(DDPMUNet(1, (8, 16), 1, (), 8), cosine(20), V, {"size": [8, 8], "names": None})
    again, back = save_diffusers(tmp_path / "theirs", theirs), tmp_path / "back"
    assert said(capsys, "export", again, "--diffusers", "--out", back)[0] == 0  # the paper's layout too
    for path in again.rglob("*.safetensors"):
        assert (back / path.relative_to(again)).read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    "words, message",
    [
        (["--onnx", "--out", "m.safetensors"], "need --out to end in .onnx, but got m.safetensors"),
        (["--out", "m.onnx"], "need --out to end in .safetensors, but got m.onnx"),
        (["--onnx", "--card", "--out", "m.onnx"], "need a .safetensors file to write a card for"),
    ],
)
def test_one_kind_of_file_for_one_kind_of_export(words, message, run, capsys):
    status, printed = said(capsys, "export", run, *words)
    assert status == 2 and message in printed


def test_a_model_of_the_shelf_goes_with_what_was_measured_of_it():
    found = export.evaluation(Path("book/results/digits.safetensors"))
    assert found["model_sha256"] == file_sha256("book/results/digits.safetensors")
    assert export._picture(Path("book/results/fashion32.safetensors")).name == "fashion32.png"


# ---- the Hub ---------------------------------------------------------------------------------------------------


def test_a_model_is_pushed_with_its_card_and_comes_back_the_same(run, tmp_path):
    evaluated(run)
    command = ("-m", "ddpm_core", "push", run, "club/small")
    with loopback.running() as hub:
        done = loopback.asking(hub, tmp_path / "home", *command, "--private")
        assert done.returncode == 0, done.stderr
        again = loopback.asking(hub, tmp_path / "home", *command, token="hf_wrong")
    assert f"{hub.endpoint}/club/small: sha256 " in done.stdout
    asked = hub.asked[0]  # versions of huggingface_hub say it in one word or the other
    assert asked.get("private") is True or asked.get("visibility") == "private"
    (files,) = hub.repositories["club/small"]
    assert sorted(files) == ["README.md", "config.json", "model.safetensors", "samples.png"]
    text = files["README.md"].decode()
    assert 'checkpoint.load("club/small"' in text and "python -m ddpm_core sample club/small" in text
    (tmp_path / "back.safetensors").write_bytes(files["model.safetensors"])
    sha256 = re.search(r'sha256="(\w+)"', text)[1]
    back = checkpoint.load(tmp_path / "back.safetensors", sha256)
    here = checkpoint.load(run)
    assert all(torch.equal(v, here.network.state_dict()[k]) for k, v in back.network.state_dict().items())
    assert "0.75 (real images 0.9375)" in text and files["samples.png"] == b"a picture"
    assert again.returncode == 2 and again.stderr.strip().count("\n") == 0
    assert "the Hub did not take 'club/small'" in again.stderr and "HF_TOKEN" in again.stderr


@pytest.mark.parametrize("name", ["small", "a/b/c", "./small", ""])
def test_what_is_no_name_on_the_hub_is_refused(name, tmp_path):
    with pytest.raises(OSError, match="need a Hub name owner/name to push to"):
        hub.push(tmp_path, name)


def test_without_a_network_a_push_is_refused_in_one_sentence(run, capsys):
    status, printed = said(capsys, "push", run, "club/small")  # no test leaves this machine: see conftest
    assert status == 2 and "the Hub did not take 'club/small' (OfflineModeIsEnabled" in printed
