"""Calls of networks, trainer, data and evaluation that work, and which of their arguments may be wrong for a reason."""

import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ddpm_core import data, schedule, trainer
from ddpm_core.data import arrays, decoding, labels, shapes, times, transforms
from ddpm_core.diffusion.prediction import V
from ddpm_core.evaluation import (
    classifier,
    fid,
    loss_by_time,
    memorisation,
    metrics,
    neighbours,
    shape_reader,
)
from ddpm_core.networks import conditioning, cross_attention, flops
from ddpm_core.networks.ddpm_unet import DDPMUNet
from ddpm_core.networks.mlp import MLP
from ddpm_core.training import devices, muon, optimizers
from ddpm_core.unet import UNet

S = schedule.linear(10, 0.05, 0.7)
WORDS = ["a", "cat"]
NET, PLAIN = UNet(1, (8,), num_classes=3).eval(), UNet(1, (8,))
READER = UNet(1, (8,), vocabulary=WORDS, cross_attention=(0,)).eval()
LINE, PAPER = MLP(width=8, blocks=1), DDPMUNet(1, (8,), 1, (), 4)
T3 = torch.tensor([2, 5, 10])


def x(*shape):
    return torch.linspace(-1, 1, 3 * 1 * 4 * 4).reshape(3, 1, 4, 4) if not shape else torch.zeros(shape)


def grey(n=3):
    return torch.arange(n * 16, dtype=torch.uint8).reshape(n, 1, 4, 4)


def rows(n=6, moved=0.0):
    return torch.randn(n, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64) + moved


def pictures():
    of = torch.tensor([0, 1, 1])
    return data.ImageDataset(grey(), of, ["a cat", "a", "cat"], ["cat", "dog"], "here", "0")


def state():
    return trainer.start(UNet(1, (8,)), warmup=1, device="cpu")


@cache
def kept():
    path = Path(tempfile.mkdtemp(prefix="ddpm-test-")) / "training.safetensors"
    trainer.save(state(), path)
    return path


def batch_at(step):
    return x(), T3, x()


def loss(net, x0, t, eps):
    return net(x0, t).square().mean() + eps.mean()


def drawn_at(schedule, n, generator):
    return torch.ones(n, dtype=torch.long)


@cache
def judge():
    return classifier.train(pictures(), steps=5, batch=3)


def photo(size=(6, 4)):
    return Image.new("RGB", size, "red")


CASES = {
    "unet.UNet": (UNet, lambda: dict(
        in_channels=1, channels=[8, 16], blocks=1, attention=[1], patch=1, dropout=0.1, heads=4,
        vocabulary=WORDS, cross_attention=[1], out_channels=1,
    )),
    "unet.UNet, of classes": (UNet, lambda: dict(num_classes=3)),
    "unet.forward": (NET.forward, lambda: dict(x=x(), t=T3, labels=torch.tensor([0, 1, 2]))),
    "unet.forward, without labels": (PLAIN.forward, lambda: dict(x=x(), t=T3)),
    "unet.forward, told captions": (READER.forward, lambda: dict(
        x=x(), t=T3, labels=conditioning.encode(["a cat", "a", ""], WORDS)
    )),
    "unet.check_labels": (NET.check_labels, lambda: dict(labels=torch.tensor([0, 1, 2]), n=3)),
    "mlp.MLP": (MLP, lambda: dict(dimensions=2, width=8, blocks=1)),
    "mlp.forward": (LINE.forward, lambda: dict(x=x(3, 2), t=T3)),
    "ddpm_unet.DDPMUNet": (DDPMUNet, lambda: dict(
        in_channels=1, channels=[8, 16], blocks=1, attention=[1], groups=4, dropout=0.1
    )),
    "ddpm_unet.forward": (PAPER.forward, lambda: dict(x=x(), t=T3)),
    "conditioning.tokenize": (conditioning.tokenize, lambda: dict(caption="a cat")),
    "conditioning.fill_templates": (conditioning.fill_templates, lambda: dict(sentences=["a {}"], names=["cat"])),
    "conditioning.vocabulary": (conditioning.vocabulary, lambda: dict(captions=["a cat", "a"])),
    "conditioning.keep_known_words": (
        conditioning.keep_known_words, lambda: dict(caption="a big cat", vocabulary=WORDS)
    ),
    "conditioning.encode": (conditioning.encode, lambda: dict(captions=["a cat", "a"], vocabulary=WORDS)),
    "cross_attention.watched": (lambda net: cross_attention.watched(net).__enter__(), lambda: dict(net=READER)),
    "flops.parameter_count": (flops.parameter_count, lambda: dict(net=PLAIN)),
    "flops.pieces": (flops.pieces, lambda: dict(
        channels=1, side=8, widths=[8, 16], blocks=1, attention=[1], patch=1, skips=True
    )),
    "flops.seen_from_the_bottom": (flops.seen_from_the_bottom, lambda: dict(levels=2, blocks=1, patch=1)),
    "trainer.start": (trainer.start, lambda: dict(
        net=UNet(1, (8,)), optimizer=optimizers.adam, lr=0.002, warmup=1, ema_decay=0.9, mixed_precision="no",
        device="cpu",
    )),
    "trainer.run": (trainer.run, lambda: dict(
        state=state(), batch_at=batch_at, loss=loss, steps=2, report_every=1, accumulate=1, decay=trainer.no_decay
    )),
    "trainer.run, for minutes": (trainer.run, lambda: dict(
        state=state(), batch_at=batch_at, loss=loss, minutes=0.001, report_every=1
    )),
    "trainer.parts_of": (trainer.parts_of, lambda: dict(state=state(), batch=4, accumulate=2)),
    "trainer.model": (trainer.model, lambda: dict(state=state(), schedule=S, prediction=V, about={"size": [4, 4]})),
    "trainer.resume": (trainer.resume, lambda: dict(state=state(), path=kept())),
    "devices.check_device": (devices.check_device, lambda: dict(device="cpu")),
    "devices.check_precision": (lambda mixed_precision: devices.check_precision(mixed_precision, "cpu"), lambda: dict(
        mixed_precision="no"
    )),
    "muon.orthogonalised": (muon.orthogonalised, lambda: dict(matrix=rows(), steps=5)),
    "muon.stretched": (muon.stretched, lambda: dict(s=torch.linspace(0, 1, 4), steps=5)),
    "muon.as_matrix": (muon.as_matrix, lambda: dict(weight=rows())),
    "muon.inner_matrices": (muon.inner_matrices, lambda: dict(net=PLAIN)),
    "data.load": (data.load, lambda: dict(name_or_path="digits", split="train", size=4, colour="rgb")),
    "data.rows_at": (data.rows_at, lambda: dict(step=3, n=7, batch=4, seed=0)),
    "data.batches": (lambda **how: data.batches(**how)(0), lambda: dict(
        images=grey(), schedule=S, batch=2, seed=0, labels=torch.tensor([0, 1, 1]), label_drop=0.5, no_label=2,
        flips=True, times=drawn_at, size=(6, 8), device="cpu",
    )),
    "times.logit_normal": (lambda **how: times.logit_normal(**how)(S, 4, torch.Generator()), lambda: dict(
        mean=0.0, std=1.0
    )),
    "preparation.in_colour": (data.in_colour, lambda: dict(picture=photo(), colour="grey")),
    "preparation.at_size": (data.at_size, lambda: dict(picture=photo(), size=4)),
    "transforms.multiple_size": (transforms.multiple_size, lambda: dict(images=grey(), multiple=8)),
    "transforms.pad_to_multiple": (transforms.pad_to_multiple, lambda: dict(images=grey(), multiple=8)),
    "transforms.tile": (transforms.tile, lambda: dict(images=grey(), columns=2, enlarge=1, gap=2)),
    "transforms.tile, floats": (transforms.tile, lambda: dict(images=x())),
    "dataset.take": (pictures().take, lambda: dict(rows=torch.tensor([0, 2, 1]))),
    "dataset.of_class": (pictures().of_class, lambda: dict(label=1)),
    "dataset.of_class, by name": (pictures().of_class, lambda: dict(label="cat")),
    "dataset.with_classes": (pictures().with_classes, lambda: dict(names=["dog", "cat"])),
    "dataset.captioned": (pictures().captioned, lambda: dict(sentences=["a {}"])),
    "shapes.dataset": (shapes.dataset, lambda: dict(split="train", n=3)),
    "shapes.meaning": (shapes.meaning, lambda: dict(caption="a red ring")),
    "arrays.as_pixels": (arrays.as_pixels, lambda: dict(values=np.zeros((2, 4, 4)), what="images")),
    "labels.classes": (labels.classes, lambda: dict(values=["a", "b"], names=["a", "b"], n=2, where="here")),
    "labels.captions": (labels.captions, lambda: dict(values=["a", "b"])),
    "decoding.decode": (lambda raw: decoding.decode(raw, "here"), lambda: dict(raw=np.zeros((4, 4, 3), np.uint8))),
    "classifier.train": (classifier.train, lambda: dict(images=pictures(), steps=5, batch=3, seed=0)),
    "classifier.features": (lambda images: judge().features(images), lambda: dict(images=grey())),
    "classifier.classes": (lambda images: judge().classes(images), lambda: dict(images=grey())),
    "classifier.accuracy": (lambda **how: judge().accuracy(**how), lambda: dict(
        images=grey(), labels=torch.tensor([0, 1, 1])
    )),
    "fid.Pictures": (fid.Pictures, lambda: dict(images=grey())),
    "loss_by_time.loss_shares": (loss_by_time.loss_shares, lambda: dict(
        weights=torch.ones(10), errors=torch.ones(10), parts=5
    )),
    "memorisation.distance_ratio": (memorisation.distance_ratio, lambda: dict(
        drawn=rows(), known=rows(7, 0.1), held_out=rows(6, 0.2)
    )),
    "memorisation.distance_ratio, of bytes": (memorisation.distance_ratio, lambda: dict(
        drawn=grey(), known=grey(4), held_out=grey().flip(0) // 2
    )),
    "memorisation.copies": (memorisation.copies, lambda: dict(
        drawn=rows(), known=rows(7, 0.1), share=0.5, neighbours=3
    )),
    "metrics.frechet": (metrics.frechet, lambda: dict(a=rows(), b=rows(7, 0.1))),
    "metrics.enough_rows": (metrics.enough_rows, lambda: dict(features=rows())),
    "metrics.floor": (metrics.floor, lambda: dict(features=rows(), n=100)),
    "metrics.without_floor": (metrics.without_floor, lambda: dict(distances={100: 1.0, 200: 0.9})),
    "metrics.sharpness": (metrics.sharpness, lambda: dict(images=grey())),
    "neighbours.nearest": (neighbours.nearest, lambda: dict(a=rows(), b=rows(7, 0.1), k=2)),
    "neighbours.covered": (neighbours.covered, lambda: dict(a=rows(), b=rows(7, 0.1), k=2)),
    "neighbours.precision": (neighbours.precision, lambda: dict(drawn=rows(), real=rows(7, 0.1), k=2)),
    "neighbours.recall": (neighbours.recall, lambda: dict(drawn=rows(), real=rows(7, 0.1), k=2)),
    "neighbours.variance_within": (neighbours.variance_within, lambda: dict(
        a=rows(), labels=torch.tensor([0, 0, 1, 1, 2, 2])
    )),
    "shape_reader.nearest": (shape_reader.nearest, lambda: dict(
        images=torch.zeros(1, 3, 32, 32, dtype=torch.uint8), at_once=1
    )),
    "shape_reader.perfect": (shape_reader.perfect, lambda: dict(
        schedule=S, captions=["a red circle"], scenes=shapes.SCENES[:2]
    )),
}  # fmt: skip
WORKS = {  # what works though it is unusual
    ("*", "None"): "the default",
    ("*", "empty"): "none of them is none",
    ("x", "nan"): "nan in, nan out: a network looks at kinds and shapes alone",
    ("s", "nan"): "the same: the trainer has looked at the gradient",
    ("matrix", "nan"): "the same",
    ("weight", "nan"): "a view of it",
    ("weight", "dtype"): "the same",
    ("*", "one more example"): "sets to compare may have any number of rows",
    ("*", "one example for all"): "the same",
    ("*", "another axis"): "so may matrices, and captions have several tokens",
    ("*", "zero"): "none, or the first",
    ("*", "text"): "any text is a caption, and a name of what is read",
    ("t", "dtype"): "a network knows no schedule: any time is a time",
    ("t", "below"): "the same",
    ("t", "beyond"): "the same",
    ("t", "huge"): "the same",
    ("labels", "below"): "batches do not know how many classes there are",
    ("labels", "beyond"): "the same",
    ("labels", "huge"): "the same",
    ("no_label", "below"): "the same",
    ("no_label", "huge"): "the same",
    ("seed", "below"): "a seed may be any whole number",
    ("seed", "huge"): "the same",
    ("mean", "below"): "a curve may begin anywhere",
    ("warmup", "huge"): "a slow beginning",
    ("steps", "huge"): "a long training",
    ("report_every", "huge"): "one report, at the end",
    ("batch", "huge"): "what is shared is counted, not made",
    ("step", "huge"): "a late step",
    ("n", "huge"): "many samples have no floor",
    ("share", "zero"): "no picture is a copy",
    ("widths", "one"): "costs may be counted of networks that cannot be built",
    ("widths", "twice"): "the same",
    ("attention", "one"): "the same",
    ("attention", "twice"): "the same",
    ("attention", "beyond"): "the same",
    ("a", "dtype"): "sets of bytes and of floats are compared alike",
    ("b", "dtype"): "the same",
    ("drawn", "dtype"): "the same",
    ("known", "dtype"): "the same",
    ("real", "dtype"): "the same",
    ("held_out", "dtype"): "the same",
    ("labels", "dtype"): "a class is what has one number, or is true",
    ("labels", "truth"): "the same",
    ("at_once", "huge"): "all at once",
    ("size", "twice"): "a canvas of 5x5",
    ("images", "dtype"): "floats and bytes are padded, laid out and measured alike",
    ("rows", "one time for all"): "rows may be any number of rows",
    ("rows", "one more"): "the same",
    ("values", "numbers"): "what is no text is no caption",
    ("values", "some None"): "the same",
}
