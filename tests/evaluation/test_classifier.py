"""The judge and its distance: closed forms, a reference, and a classifier that learns what is easy to learn."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ddpm_core.data import ImageDataset
from ddpm_core.evaluation import classifier
from ddpm_core.evaluation.classifier import cached, train
from ddpm_core.evaluation.metrics import enough_rows, floor, frechet, sharpness, without_floor


@pytest.fixture
def features(normal):
    """Two sets of rows whose covariances are full and do not commute."""
    mix = normal(5, 5)
    return normal(40, 5) @ mix, normal(60, 5) @ normal(5, 5) + 0.3


def test_a_set_is_at_distance_0_from_itself_and_moves_by_the_square_of_a_shift(features):
    a, _ = features
    shift = torch.tensor([1.0, -2.0, 0.0, 0.5, 0.0], dtype=torch.float64)
    assert frechet(a, a) == pytest.approx(0, abs=1e-9)
    assert frechet(a, a + shift) == pytest.approx((shift**2).sum().item(), rel=1e-9)


def test_a_stretched_set_is_at_a_distance_known_in_closed_form(features):
    """C_b = s^2 C_a, so that the trace is (1 - s)^2 tr C_a; and the mean moves to s times itself."""
    a, _ = features
    for s in (0.5, 3.0):
        wanted = (1 - s) ** 2 * (a.var(0).sum() + (a.mean(0) ** 2).sum())
        assert frechet(a, s * a) == pytest.approx(wanted.item(), rel=1e-9)


def test_in_one_dimension_a_shift_and_a_width_cost_their_squares(normal):
    a, b = normal(40, 1), 3 * normal(60, 1) + 2
    wanted = (a.mean() - b.mean()) ** 2 + (a.std() - b.std()) ** 2
    assert frechet(a, b) == pytest.approx(wanted.item(), rel=1e-9)


def test_the_distance_equals_the_one_from_the_unsymmetric_product(features):
    """tr (C_a C_b)^{1/2} from the eigenvalues of C_a C_b itself, as in the usual formula."""
    a, b = features
    c_a, c_b = torch.cov(a.T).numpy(), torch.cov(b.T).numpy()
    root = np.sqrt(np.linalg.eigvals(c_a @ c_b).real).sum()
    wanted = ((a.mean(0) - b.mean(0)) ** 2).sum().item() + np.trace(c_a) + np.trace(c_b) - 2 * root
    assert frechet(a, b) == pytest.approx(wanted, rel=1e-9) == frechet(b, a)


@pytest.mark.parametrize(("a", "b"), [((5, 3), (5, 4)), ((1, 3), (5, 3)), ((5,), (5, 3))])
def test_sets_that_do_not_compare_are_refused(a, b):
    with pytest.raises(ValueError, match="need two sets of feature rows"):
        frechet(torch.zeros(a), torch.zeros(b))


def test_a_distance_of_fewer_samples_than_features_says_how_many_are_needed(normal):
    assert enough_rows(rows := normal(6, 5)) is rows
    with pytest.raises(ValueError, match=r"need at least 65 samples .* in 64 features, but got 64"):
        enough_rows(normal(64, 64))


def test_the_floor_is_what_samples_of_the_same_gaussian_are_apart(normal):
    """Many draws from a known Gaussian, against a reference so large that it is the Gaussian."""
    scale = torch.tensor([3.0, 1.0, 0.5, 0.1], dtype=torch.float64)
    real, n = normal(200_000, 4) * scale, 100
    found = torch.tensor([frechet(real, part) for part in (normal(400 * n, 4) * scale).split(n)])
    assert found.mean().item() == pytest.approx(floor(real, n), rel=0.06)
    assert floor(real, n) == pytest.approx(2 * floor(real, 2 * n))


def test_of_equal_variances_the_floor_has_a_closed_form(normal):
    """C = I: D from the mean and D (D + 1) / 4 from the covariance."""
    x = normal(50, 3)
    white = (x - x.mean(0)) @ torch.linalg.inv(torch.linalg.cholesky(torch.cov(x.T))).T
    assert floor(white, 10) == pytest.approx((3 + 3 * 4 / 4) / 10)
    assert floor(torch.cat([white, torch.zeros(50, 2, dtype=torch.float64)], 1), 10) == pytest.approx(0.6)


def test_a_line_over_1_by_n_takes_the_floor_away():
    assert without_floor({100: 0.3 + 5 / 100, 200: 0.3 + 5 / 200, 1000: 0.3 + 5 / 1000}) == pytest.approx(0.3)
    with pytest.raises(ValueError, match=r"at least two numbers of samples, but got those for \[100\]"):
        without_floor({100: 1.0})


def test_edges_are_the_mean_difference_of_neighbours():
    image = torch.tensor([[0, 10, 0], [0, 10, 0]], dtype=torch.uint8)[None, None]
    assert sharpness(image) == pytest.approx((10 + 0) / 2)


@pytest.fixture
def stripes():
    """Upright and lying stripes of random brightness: two classes that a glance tells apart."""
    generator = torch.Generator().manual_seed(0)
    images, labels = torch.zeros(60, 1, 8, 8, dtype=torch.uint8), torch.arange(60) % 2
    for image, label in zip(images, labels, strict=True):
        bright = torch.randint(100, 256, (1,), generator=generator).item()
        image[0][:, ::2] = bright
        if label:
            image[0] = image[0].T.clone()
    return ImageDataset(images, labels, None, ["upright", "lying"], "stripes", "0" * 64)


def test_a_judge_learns_what_is_easy_and_its_features_are_standard(stripes):
    judge = train(stripes, steps=60, batch=20)
    assert judge.accuracy(stripes.images, stripes.labels) == 1
    assert judge.accuracy(stripes.images, 1 - stripes.labels) == 0
    found = judge.features(stripes.images)
    assert found.shape == (60, 64)
    assert found.mean(0).abs().max() < 1e-4 and (found.std(0) - 1).abs().max() < 1e-3
    assert frechet(found, judge.features(stripes.images[:30])) < frechet(found, judge.features(255 - stripes.images))


def test_a_judge_is_trained_once_and_comes_back_the_same(stripes, tmp_path, monkeypatch):
    monkeypatch.setenv("DDPM_CORE_CACHE", str(tmp_path / "cache"))
    made, plain = [], classifier.train
    monkeypatch.setattr(classifier, "train", lambda *a, **k: made.append(1) or plain(*a, **k))
    first, again = cached(stripes, steps=5), cached(stripes, steps=5)
    assert len(made) == 1 and torch.equal(first.features(stripes.images), again.features(stripes.images))
    assert torch.equal(first.features(stripes.images), plain(stripes, steps=5).features(stripes.images))
    for other in (
        replace(stripes, labels=1 - stripes.labels),
        replace(stripes, images=255 - stripes.images),
    ):
        cached(other, steps=5)
    cached(stripes, steps=6)
    assert len(made) == 4


def test_a_judge_refuses_pictures_of_another_size_or_colour(stripes):
    judge = train(stripes, steps=1, batch=20)
    for shape in ((2, 1, 16, 16), (2, 3, 8, 8)):
        for ask in (judge.features, judge.classes):
            with pytest.raises(ValueError, match=r"need images \(N, 1, 8, 8\), as this classifier was trained on"):
                ask(torch.zeros(shape, dtype=torch.uint8))


def test_a_judge_needs_labels(stripes, tmp_path, monkeypatch):
    monkeypatch.setenv("DDPM_CORE_CACHE", str(tmp_path))
    for make in (train, cached):
        with pytest.raises(ValueError, match="need labels to train a classifier, but stripes has none"):
            make(stripes.without_labels(), steps=1)
