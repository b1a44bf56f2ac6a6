"""Data sets: every way in gives the same pictures, and every bad way in gets one clear sentence."""

import io
import json
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from safetensors.torch import save

from ddpm_core import data
from ddpm_core.data import load, pad_to, random_flip, to_float, to_uint8
from ddpm_core.diffusion.model import Model
from ddpm_core.diffusion.prediction import V
from ddpm_core.networks.ddpm_unet import DDPMUNet
from ddpm_core.schedule import cosine
from ddpm_core.storage import checkpoint
from ddpm_core.storage.files import file_sha256
from ddpm_core.storage.hub import Absent
from ddpm_core.unet import UNet

NAMES = ["hat", "boot", "scarf"]


def pictures(n, *shape, seed=0):
    """n random uint8 images, (n, *shape)."""
    return np.random.default_rng(seed).integers(0, 256, (n, *shape), dtype=np.uint8)


def encoded(picture, kind="png"):
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, kind, **({"lossless": True} if kind == "webp" else {}))
    return stream.getvalue()


def write_shard(
    path, images, labels=None, texts=None, *, image="image", label="label", kind="png", names=NAMES, bare=False
):
    """A parquet file as the Hub writes it: a struct of bytes and path, and the features in the metadata."""
    cells = [i if isinstance(i, bytes | None) else encoded(i, kind) for i in images]
    columns = {image: cells if bare else [{"bytes": c, "path": f"{k}.{kind}"} for k, c in enumerate(cells)]}
    features = {image: {"_type": "Image"}}
    if labels is not None:
        columns[label] = list(labels)
        features[label] = {"_type": "ClassLabel", "names": names} if names else {"_type": "Value", "dtype": "int64"}
    if texts is not None:
        columns["text"] = list(texts)
    table = pa.table(columns).replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)


def as_tensor(images):
    images = images if images.ndim == 4 else images[..., None]
    return torch.from_numpy(images).permute(0, 3, 1, 2)


# ---- digits ----------------------------------------------------------------------------------------------------


def test_the_digits_need_no_network_and_are_themselves():
    from sklearn.datasets import load_digits

    digits, theirs = load(), load_digits()
    assert digits.images.shape == (1797, 1, 8, 8) and digits.images.dtype == torch.uint8 and len(digits) == 1797
    assert digits.labels.tolist() == theirs.target.tolist() and digits.names == list("0123456789")
    assert digits.images.min() == 0 and digits.images.max() == 255
    back = (digits.images[:, 0].double() * 16 / 255).round()
    assert torch.equal(back, torch.from_numpy(theirs.images))  # 17 shades of grey, none of them lost
    assert digits.num_classes == 10 and len(digits.sha256) == 64 and digits.sha256 == load("digits").sha256
    assert repr(digits) == "ImageDataset(1797 of 1x8x8, 10 classes, from 'digits')"


# ---- parquet ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["png", "webp"])
@pytest.mark.parametrize("column", ["image", "img"])
def test_a_folder_in_the_hubs_layout_is_read(tmp_path, kind, column):
    images = pictures(5, 6, 4, 3)
    write_shard(tmp_path / "data" / "train-00000-of-00001.parquet", images, [0, 1, 2, 1, 0], image=column, kind=kind)
    write_shard(tmp_path / "data" / "test-00000-of-00001.parquet", images[:2], [2, 2], image=column, kind=kind)
    found = load(tmp_path)
    assert torch.equal(found.images, as_tensor(images)) and found.images.is_contiguous()
    assert found.labels.tolist() == [0, 1, 2, 1, 0] and found.labels.dtype == torch.long
    assert found.names == NAMES and found.num_classes == 3 and found.captions is None
    assert found.sha256 == file_sha256(tmp_path / "data" / "train-00000-of-00001.parquet")
    assert load(tmp_path, split="test").labels.tolist() == [2, 2]


def test_classes_have_their_names_whatever_their_column_is_called(tmp_path):
    for column in ("label", "labels"):
        write_shard(tmp_path / "train.parquet", pictures(3, 4, 4), [2, 0, 1], label=column)
        found = load(tmp_path)
        assert found.labels.tolist() == [2, 0, 1] and found.names == NAMES


def test_shards_are_read_in_order_as_one(tmp_path):
    images = pictures(9, 4, 4)
    for k in range(3):
        part = slice(3 * k, 3 * k + 3)
        write_shard(tmp_path / f"train-{k:05}-of-00003.parquet", images[part], [k] * 3, [f"picture {k}"] * 3)
    found = load(tmp_path)
    assert torch.equal(found.images, as_tensor(images)) and found.labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert found.captions == [f"picture {k}" for k in (0, 0, 0, 1, 1, 1, 2, 2, 2)]
    assert found.sha256 == file_sha256(*sorted(tmp_path.glob("*.parquet")))


def test_one_parquet_file_is_read_whatever_its_name(tmp_path):
    images = pictures(3, 4, 4)
    write_shard(tmp_path / "mine.parquet", images, [0, 5, 1], names=None, bare=True)
    for place in (tmp_path, tmp_path / "mine.parquet"):
        found = load(place)
        assert torch.equal(found.images, as_tensor(images))
        assert found.labels.tolist() == [0, 2, 1] and found.names == ["0", "1", "5"]  # classes are those that occur
    write_shard(tmp_path / "mine.parquet", images)
    assert load(tmp_path).labels is None and load(tmp_path).num_classes is None
    assert "no labels" in repr(load(tmp_path))


# ---- other ways in ---------------------------------------------------------------------------------------------


def test_a_folder_of_pictures_takes_its_classes_from_the_subfolders(tmp_path):
    images = pictures(4, 5, 5, 3)
    for k, name in enumerate(["cat", "dog", "cat", "ant"]):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / f"{k}.PNG").write_bytes(encoded(images[k]))
    (tmp_path / "notes.txt").write_text("not a picture")
    found = load(tmp_path)
    assert found.names == ["ant", "cat", "dog"] and found.labels.tolist() == [0, 1, 1, 2]
    assert torch.equal(found.images, as_tensor(images[[3, 0, 2, 1]]))


def test_a_flat_folder_of_pictures_has_no_classes(tmp_path):
    images = pictures(3, 5, 5, 3)
    for k, name in enumerate(["a.png", "b.webp", "c.bmp"]):
        (tmp_path / name).write_bytes(encoded(images[k], name[2:]))
    found = load(tmp_path)
    assert found.labels is None and found.names is None and torch.equal(found.images, as_tensor(images))


def test_a_single_picture_is_a_data_set_of_one(tmp_path):
    image = pictures(1, 7, 5, 3)
    (tmp_path / "one.png").write_bytes(encoded(image[0]))
    found = load(tmp_path / "one.png")
    assert torch.equal(found.images, as_tensor(image)) and found.sha256 == file_sha256(tmp_path / "one.png")


# ---- between uint8 and the network -----------------------------------------------------------------------------


def test_all_256_values_survive_the_way_to_floats_and_back():
    values = torch.arange(256, dtype=torch.uint8)
    x = to_float(values)
    assert x.dtype == torch.float32 and x[0] == -1 and x[-1] == 1
    torch.testing.assert_close(x.diff(), torch.full((255,), 2 / 255))
    assert torch.equal(to_uint8(x), values)
    assert torch.equal(to_uint8(x + 0.003), values) and torch.equal(to_uint8(x - 0.003), values)  # it rounds
    assert to_uint8(torch.tensor([-7.0, 7.0])).tolist() == [0, 255]


def test_floats_are_not_made_floats_again():
    with pytest.raises(ValueError, match="need uint8 images"):
        to_float(torch.zeros(3))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_padding_centres_the_picture_on_black(dtype):
    picture = torch.ones(2, 3, 4, 5).to(dtype)
    padded = pad_to(picture, 8, 8)
    assert padded.shape == (2, 3, 8, 8) and padded.dtype == dtype
    assert torch.equal(padded[:, :, 2:6, 1:6], picture)
    padded[:, :, 2:6, 1:6] = 0 if dtype == torch.uint8 else -1
    assert (padded == (0 if dtype == torch.uint8 else -1)).all()
    assert torch.equal(pad_to(picture, 4, 5), picture)
    with pytest.raises(ValueError, match="need room for 4x5 images, but 8x4 is smaller"):
        pad_to(picture, 8, 4)


def test_flipping_mirrors_about_half_of_the_pictures_left_to_right():
    x = torch.rand(1000, 1, 2, 3)
    flipped = random_flip(x, torch.Generator().manual_seed(0))
    mirrored = torch.tensor([torch.equal(a, b.flip(-1)) for a, b in zip(flipped, x, strict=True)])
    kept = torch.tensor([torch.equal(a, b) for a, b in zip(flipped, x, strict=True)])
    assert (mirrored ^ kept).all() and 430 < mirrored.sum() < 570


def test_one_class_can_be_picked_by_name_or_number(tmp_path):
    write_shard(tmp_path / "a.parquet", pictures(6, 4, 4), [0, 1, 2, 1, 0, 1], list("abcdef"))
    found = load(tmp_path)
    for label in (1, "1", "boot"):
        boots = found.of_class(label)
        assert torch.equal(boots.images, found.images[[1, 3, 5]]) and boots.captions == ["b", "d", "f"]
        assert boots.labels is None and boots.num_classes is None
    assert torch.equal(load().of_class("7").images, load().images[load().labels == 7])
    for label in (7, "glove", "-1", -1):
        with pytest.raises(ValueError, match=r"need one of the classes hat, boot, scarf \(or its number\)"):
            found.of_class(label)
    with pytest.raises(ValueError, match="need labels to pick class 'hat'"):
        found.of_class(0).of_class("hat")


# ---- bad ways in -----------------------------------------------------------------------------------------------


def refused(message, *arguments, kind=ValueError):
    with pytest.raises(kind, match=message) as caught:
        load(*arguments)
    assert "\n" not in str(caught.value)


def test_a_path_that_is_not_there_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("nothing", "./nothing", "a/b/c", str(tmp_path / "no" / "such")):
        refused("no such data: .*digits", name, kind=FileNotFoundError)


def test_without_a_network_an_unknown_name_is_refused_and_digits_recommended(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tried = rf"{tmp_path}/nobody/nothing.*'nobody/nothing' in .*hub.*`digits` needs no network"
    refused(tried, "nobody/nothing", kind=FileNotFoundError)


def test_a_file_of_an_unknown_kind_is_refused(tmp_path):
    (tmp_path / "a.txt").write_text("words")
    refused("need a folder, a .parquet, a .npz or an image file", tmp_path / "a.txt")


def test_an_empty_folder_is_refused(tmp_path):
    refused("need parquet files or pictures, but .* holds neither", tmp_path)
    (tmp_path / "film.mp4").write_bytes(b"moving")
    (tmp_path / "set.zip").write_bytes(b"PK")
    refused("holds neither but 1 .mp4, 1 .zip; unpack it first", tmp_path)


@pytest.mark.parametrize("damage", [lambda raw: raw[: len(raw) // 2], lambda raw: b"", lambda raw: b"PAR1" + raw[9:]])
def test_a_corrupt_parquet_is_refused_by_name(tmp_path, damage):
    for k in range(2):
        write_shard(tmp_path / f"train-{k}.parquet", pictures(3, 4, 4))
    (tmp_path / "train-1.parquet").write_bytes(damage((tmp_path / "train-1.parquet").read_bytes()))
    refused(r"need a whole parquet file, but .*train-1\.parquet", tmp_path)


def test_a_parquet_without_pictures_is_refused(tmp_path):
    pq.write_table(pa.table({"words": ["a"], "label": [1]}), tmp_path / "train-0.parquet")
    refused("need a column `image` or `img`, but .* has words, label", tmp_path)


@pytest.mark.parametrize("bad", [b"not a picture", b"", None, encoded(pictures(1, 4, 4)[0])[:40]])
@pytest.mark.parametrize("bare", [False, True])
def test_a_picture_that_does_not_decode_is_named_by_its_row(tmp_path, bad, bare):
    good = [encoded(p) for p in pictures(3, 4, 4)]
    write_shard(tmp_path / "train-0.parquet", good)
    write_shard(tmp_path / "train-1.parquet", [good[0], good[1], bad], bare=bare)
    refused(r"need images that decode, but row 2 of .*train-1\.parquet", tmp_path)


def test_a_row_that_only_points_elsewhere_is_named(tmp_path):
    pq.write_table(pa.table({"image": [{"path": "elsewhere.png"}]}), tmp_path / "a.parquet")
    refused(r"need images that decode, but row 0 of .*a\.parquet", tmp_path)


def test_a_picture_file_that_does_not_decode_is_named(tmp_path):
    (tmp_path / "good.png").write_bytes(encoded(pictures(1, 4, 4)[0]))
    (tmp_path / "bad.png").write_bytes(b"not a picture")
    refused(r"need images that decode, but .*bad\.png", tmp_path)


def test_an_unknown_split_is_refused_and_told_what_there_is(tmp_path):
    write_shard(tmp_path / "train-0.parquet", pictures(2, 4, 4))
    refused(r"need a split that .* has \(train\), but got 'test'", tmp_path, "test", kind=Absent)


@pytest.mark.parametrize("name", ["train-00000-of-00001.parquet", "0000.parquet"])
def test_several_configurations_are_not_one_data_set(tmp_path, name):
    for place in ("hats", "boots/large"):
        write_shard(tmp_path / place / name, pictures(2, 4, 4))
    refused("need the path of one configuration, but .* has several: boots/large, hats", tmp_path)
    assert len(load(tmp_path / "hats")) == 2


def test_a_parquet_with_labels_missing_is_refused(tmp_path):
    write_shard(tmp_path / "train-0.parquet", pictures(2, 4, 4), [0, None])
    refused("need a label for each image or for none, but of .*'s 2 images 1 have none", tmp_path)
    write_shard(tmp_path / "train-0.parquet", pictures(2, 4, 4), [0, 1])
    write_shard(tmp_path / "train-1.parquet", pictures(2, 4, 4))
    refused("one label per image", tmp_path)


# ---- between uint8 and the network -----------------------------------------------------------------------------


def test_shrinking_takes_the_mean_of_each_block_and_rounds_halves_up():
    images = torch.tensor([[0, 1, 10, 10], [0, 1, 10, 11], [255, 255, 7, 0], [255, 254, 0, 0]], dtype=torch.uint8)
    images = torch.stack([images, 255 - images])[:, None]
    small = data.shrink(images, 2)
    assert small.dtype == torch.uint8 and small[0, 0].tolist() == [[1, 10], [255, 2]]  # 0.5, 10.25, 254.75, 1.75
    assert small[1, 0].tolist() == [[255, 245], [0, 253]]  # 254.5, 244.75, 0.25, 253.25
    assert torch.equal(data.shrink(images, 1), images) and data.shrink(images, 4).shape == (2, 1, 1, 1)


@pytest.mark.parametrize("wrong", [(3, torch.uint8), (2, torch.float32), (0, torch.uint8)])
def test_what_does_not_divide_is_not_shrunk(wrong):
    factor, dtype = wrong
    with pytest.raises(ValueError, match="need uint8 images whose sides"):
        data.shrink(torch.zeros(1, 1, 4, 4, dtype=dtype), factor)


def test_the_hash_of_the_pixels_is_that_of_no_file(tmp_path):
    """The same pictures as PNG and as WebP, in one file and in two: other files, the same pixels."""
    images, labels = pictures(4, 6, 6, 3), [0, 1, 2, 0]
    write_shard(tmp_path / "png" / "train-00000-of-00001.parquet", images, labels)
    for k in (0, 1):
        half = slice(2 * k, 2 * k + 2)
        shard = tmp_path / "webp" / f"train-0000{k}-of-00002.parquet"
        write_shard(shard, images[half], labels[half], kind="webp", image="img")
    one, two = load(tmp_path / "png"), load(tmp_path / "webp")
    assert one.sha256 != two.sha256 and one.pixels_sha256 == two.pixels_sha256
    images[0, 0, 0, 0] ^= 1
    write_shard(tmp_path / "other" / "train.parquet", images, labels)
    assert load(tmp_path / "other").pixels_sha256 != one.pixels_sha256
    assert load("digits").pixels_sha256 == load("digits").sha256


def test_images_without_their_labels_are_the_same_images():
    digits = load("digits")
    bare = digits.without_labels()
    assert bare.labels is None and bare.names is None and bare.num_classes is None
    assert bare.images is digits.images and bare.sha256 == digits.sha256


# ---- the Hub ---------------------------------------------------------------------------------------------------

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@contextmanager
def hub(repositories):
    """As much of the Hub as a download asks for, on the loopback: {"datasets/owner/name": {path: bytes}}; a file that
    is None is there, but it is not given."""

    class Hub(BaseHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

        def do_GET(self):
            path = self.path.split("?")[0].strip("/")
            for repository, files in repositories.items():
                if path == f"api/{repository}/revision/main":
                    siblings = [{"rfilename": file} for file in files]  # older clients go by them, newer by the tree
                    told = {"id": repository, "sha": COMMIT, "siblings": siblings}
                    return self.answer(json.dumps(told).encode())
                if path == f"api/{repository}/tree/{COMMIT}":
                    tree = [
                        {"type": "file", "path": p, "size": len(raw), "oid": f"{len(p):040}"}
                        for p, raw in files.items()
                    ]
                    return self.answer(json.dumps(tree).encode())
                for file, raw in files.items():
                    where = repository.removeprefix("models/")
                    if path in (f"{where}/resolve/{COMMIT}/{file}", f"{where}/resolve/main/{file}"):
                        return self.answer(raw, file) if raw is not None else self.refuse(403, "")
            known = any(path.startswith(f"{name.removeprefix('models/')}/resolve/") for name in repositories)
            self.refuse(404, "EntryNotFound" if known else "RepoNotFound")

        def refuse(self, status, why):
            self.send_response(status)
            self.send_header("X-Error-Code", why)
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_HEAD = do_GET

        def answer(self, raw, file=None):
            self.send_response(200)
            self.send_header("Content-Length", str(len(raw)))
            self.send_header("Content-Type", "application/octet-stream" if file else "application/json")
            if file:
                self.send_header("ETag", f'"{hash(raw):x}"')
                self.send_header("X-Repo-Commit", COMMIT)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(raw)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


ASK = """
import json, sys, torch
from ddpm_core import data
from ddpm_core.storage import checkpoint, pretrained
for kind, name in (line.split() for line in sys.argv[1:]):
    try:
        if kind == "model":
            answer = checkpoint.load(name).about
        elif kind == "paper":
            beta = pretrained.load_diffusers(name).schedule.beta
            answer = [len(beta) - 1, beta[1].item()]
        else:
            found = data.load(name, split=kind)
            answer = dict(pixels=found.images.tolist(), labels=found.labels.tolist())
            answer |= dict(names=found.names, sha256=found.sha256)
    except (ValueError, FileNotFoundError) as error:
        answer = f"{type(error).__name__}: {error}"
    print(json.dumps(answer))
"""


def ask(tmp_path, endpoint, *lines):
    """What another process gets from this endpoint: huggingface_hub reads it when it is imported."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HUGGING"))}
    ours = dict(HF_ENDPOINT=endpoint, HF_HOME=str(tmp_path / "home"), HF_HUB_DISABLE_XET="1", OMP_NUM_THREADS="1")
    command = [sys.executable, "-W", "ignore", "-c", ASK, *lines]
    done = subprocess.run(command, env=kept | ours, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_hubs_copy_takes_the_same_path_as_a_local_one(tmp_path):
    local = tmp_path / "local"
    write_shard(local / "data" / "train-00000-of-00001.parquet", pictures(3, 4, 4), [0, 2, 1])
    write_shard(local / "data" / "test-00000-of-00001.parquet", pictures(2, 4, 4, seed=1), [1, 1])
    files = {str(p.relative_to(local)): p.read_bytes() for p in local.rglob("*.parquet")}
    model = checkpoint.save(tmp_path / "model", Model(UNet(1, (8,)), cosine(5), V, {"size": [8, 8]}))
    repositories = {
        "datasets/club/hats": files | {"README.md": b"# Hats"},
        "datasets/club/bare": {"README.md": b"# Nothing here"},
        "datasets/club/known": {name: raw for name, raw in files.items() if "train" in name},
        "models/club/model": {"model.safetensors": model.read_bytes()},
    }
    with hub(repositories) as endpoint:
        answers = ask(
            tmp_path, endpoint, "train club/hats", "test club/hats", "train club/bare", "train club/none",
            "model club/model", "model club/none", "validation club/hats", "train club/known", "test club/known",
        )  # fmt: skip
    for answer, split in zip(answers, ("train", "test"), strict=False):
        here = load(local, split)
        assert answer == dict(
            pixels=here.images.tolist(), labels=here.labels.tolist(), names=here.names, sha256=here.sha256
        )
    assert answers[2].startswith("Absent: need parquet files called train-*.parquet")
    assert "FileNotFoundError: no such data" in answers[3] and "'club/none'" in answers[3] and "`digits`" in answers[3]
    assert answers[4] == {"size": [8, 8]}
    assert answers[5].startswith("CheckpointError: no checkpoint") and "'club/none'" in answers[5]
    assert answers[6].startswith("Absent: need parquet files called validation-*.parquet")
    assert answers[7] == answers[0] and answers[8].startswith("Absent: need parquet files called test-*.parquet")
    assert all("\n" not in a for a in answers if isinstance(a, str))
    # once fetched it needs no network any more: the server is gone, and nobody says what else there is
    again, unknown = ask(tmp_path, endpoint, "train club/hats", "test club/known")
    assert again == answers[0]
    assert unknown.startswith("FileNotFoundError: no such data") and "the split 'test' of 'club/known'" in unknown


def test_published_weights_have_the_papers_schedule_only_if_there_is_no_other(tmp_path):
    torch.manual_seed(0)
    weights = save(DDPMUNet(1, (8,), blocks=1, attention=(), groups=4).state_dict())
    config = {
        "_class_name": "UNet2DModel", "attention_head_dim": None, "downsample_padding": 0, "flip_sin_to_cos": False,
        "freq_shift": 1, "norm_eps": 1e-6, "down_block_types": ["DownBlock2D"], "up_block_types": ["UpBlock2D"],
        "block_out_channels": [8], "in_channels": 1, "out_channels": 1, "layers_per_block": 1, "norm_num_groups": 4,
    }  # fmt: skip
    files = {"config.json": json.dumps(config).encode(), "diffusion_pytorch_model.safetensors": weights}
    repositories = {
        "models/club/plain": files,
        "models/club/own": files | {"scheduler/scheduler_config.json": b'{"num_train_timesteps": 50}'},
        "models/club/barred": files | {"scheduler_config.json": None},
    }
    with hub(repositories) as endpoint:
        plain, own, barred = ask(tmp_path, endpoint, "paper club/plain", "paper club/own", "paper club/barred")
    assert plain == [1000, pytest.approx(1e-4)] and own == [50, pytest.approx(1e-4)]
    assert barred.startswith("CheckpointError: need published weights, but") and "scheduler_config.json" in barred
    assert ask(tmp_path, endpoint, "paper club/plain") == [plain]  # the copy here says that there is none


def test_no_network_is_said_in_one_sentence(tmp_path):
    (answer,) = ask(tmp_path, "http://127.0.0.1:9", "train club/hats")  # the discard port: nobody listens
    assert answer.startswith("FileNotFoundError: no such data") and "\n" not in answer
    assert str(tmp_path / "home") in answer and "`digits` needs no network" in answer


def test_a_digit_is_not_a_path(tmp_path, monkeypatch):
    """`digits` means the digits even where a folder of that name lies."""
    (tmp_path / "digits").mkdir()
    monkeypatch.chdir(tmp_path)
    assert len(data.load("digits")) == 1797
