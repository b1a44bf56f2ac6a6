"""FID goes through torch-fidelity; here a stand-in takes its place, since neither it nor its weights are at hand."""

import sys
import types
from urllib.error import URLError

import pytest
import torch

from ddpm_core.evaluation import fid

IMAGES = torch.arange(4 * 3 * 5 * 5).reshape(4, 3, 5, 5).to(torch.uint8)


class StandIn(types.SimpleNamespace):
    """As much of torch-fidelity 0.4 as is used."""

    def __init__(self):
        super().__init__(asked=[], made=[])

    def FeatureExtractorInceptionV3(self, *arguments):
        self.made.append(arguments)

    def calculate_metrics(self, **asked):
        self.asked.append(asked)
        return {"frechet_inception_distance": 3.17}


@pytest.fixture
def package(monkeypatch):
    stand_in = StandIn()
    monkeypatch.setitem(sys.modules, "torch_fidelity", stand_in)
    return stand_in


def test_asks_for_fid_and_nothing_else(package):
    assert fid.fid(IMAGES, IMAGES[:2]) == 3.17
    (asked,) = package.asked
    assert asked["fid"] is True and not {"isc", "kid", "prc", "ppl"} & asked.keys()
    assert asked["feature_extractor"] == "inception-v3-compat" and asked["feature_layer_fid"] == "2048"
    drawn, real = asked["input1"], asked["input2"]
    assert (len(drawn), len(real)) == (4, 2)
    assert torch.equal(drawn[3], IMAGES[3]) and drawn[3].dtype == torch.uint8


def test_grey_images_become_three_equal_channels(package):
    fid.fid(IMAGES[:, :1], IMAGES[:, :1])
    picture = package.asked[0]["input1"][1]
    assert picture.shape == (3, 5, 5) and all(torch.equal(channel, IMAGES[1, 0]) for channel in picture)


@pytest.mark.parametrize(("device", "cuda"), [("cpu", False), ("cuda", True), ("mps", False)])
def test_it_computes_where_it_is_asked_to(package, monkeypatch, device, cuda):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    fid.fid(IMAGES, IMAGES, device)
    assert package.asked[0]["cuda"] is cuda


@pytest.mark.parametrize("channels", [2, 4])
def test_images_that_are_neither_grey_nor_of_three_colours_are_refused(package, channels):
    images = torch.zeros(3, channels, 5, 5, dtype=torch.uint8)
    for ask in (lambda: fid.ready(channels), lambda: fid.fid(IMAGES, images), lambda: fid.fid(images, IMAGES)):
        with pytest.raises(ValueError, match=f"need images of 1 or 3 channels for FID, but these have {channels}"):
            ask()
    assert package.asked == package.made == []


def test_ready_makes_the_network_that_is_used_later(package):
    fid.ready(3)
    assert package.made == [("inception-v3-compat", ["2048"])]


def test_a_missing_package_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    for ask in (lambda: fid.ready(3), lambda: fid.fid(IMAGES, IMAGES)):
        with pytest.raises(
            ValueError, match=r"need the package torch-fidelity .*pip install 'ddpm-core\[fid\]'"
        ) as caught:
            ask()
        assert "\n" not in str(caught.value)


def test_missing_weights_are_one_sentence(package, monkeypatch):
    def offline(*arguments):
        raise URLError("no route to host\nand more")

    monkeypatch.setattr(package, "FeatureExtractorInceptionV3", offline)
    with pytest.raises(ValueError, match=r"need the weights .* downloads once, but got URLError: .*no route") as caught:
        fid.ready(1)
    assert "\n" not in str(caught.value)
