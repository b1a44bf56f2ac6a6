"""Is it any good? A small classifier of real images judges drawn ones: are they recognised, do they vary enough?

The Frechet distance here is in this classifier's own standardised features. It is not FID, which is the same formula
in the features of one fixed Inception network; numbers from different features do not compare.
"""

import hashlib
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .data import Images, to_float
from .files import cache, read_tensors, write_tensors
from .seeds import rows_at, seeded


@dataclass(frozen=True, eq=False)
class Judge:
    """A trained classifier, and the mean and spread of its features on the real images it was trained on."""

    net: nn.Module
    feature_mean: Tensor
    feature_std: Tensor

    @torch.no_grad()
    def features(self, images: Tensor) -> Tensor:
        """(N, 64) for uint8 images (N, C, H, W): standardised, so that real training images have mean 0 and std 1."""
        raw = torch.cat([self.net[0](to_float(part)) for part in images.split(500)])
        return (raw - self.feature_mean) / self.feature_std

    @torch.no_grad()
    def classes(self, images: Tensor) -> Tensor:
        """The class (N,) that the classifier sees in each of the uint8 images (N, C, H, W)."""
        return torch.cat([self.net(to_float(part)).argmax(1) for part in images.split(500)])

    def accuracy(self, images: Tensor, labels: Tensor) -> float:
        """Share of the images recognised as what they should show."""
        return (self.classes(images) == labels).double().mean().item()


def train_judge(images: Images, *, steps: int = 1500, batch: int = 128, seed: int = 0) -> Judge:
    """Train a small convolutional classifier on labelled real images, shifted by up to a sixteenth of their side:
    by up to one pixel where that is less."""
    if images.labels is None:
        raise ValueError(f"need labels to train a classifier, but {images.source} has none.")
    torch.manual_seed(seed)
    net = _classifier(images.images.shape[1], images.num_classes).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=0.01)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps)
    for step in range(steps):
        rows = rows_at(step, len(images), batch, seed)
        x = _shifted(to_float(images.images[rows]), seeded(seed, step))
        loss = F.cross_entropy(net(x), images.labels[rows], label_smoothing=0.05)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        rate.step()
    net.eval()
    raw = Judge(net, torch.zeros(64), torch.ones(64)).features(images.images)
    return Judge(net, raw.mean(0), raw.std(0).clamp(min=1e-6))


def kept_judge(images: Images, *, steps: int) -> Judge:
    """`train_judge`, trained once for the same pixels, labels and steps, and kept in the cache folder."""
    labels = hashlib.sha256(images.labels.numpy().tobytes()).hexdigest() if images.labels is not None else ""
    path = cache() / f"judge-{images.pixels_sha256[:16]}-{labels[:16]}-{steps}.safetensors"
    if not path.is_file():
        judge = train_judge(images, steps=steps)
        statistics = {"feature_mean": judge.feature_mean, "feature_std": judge.feature_std}
        write_tensors(path, statistics | {f"net.{k}": v for k, v in judge.net.state_dict().items()}, {})
    stored, _ = read_tensors(path)
    net = _classifier(images.images.shape[1], images.num_classes).to(memory_format=torch.channels_last)
    net.load_state_dict({name.removeprefix("net."): v for name, v in stored.items() if name.startswith("net.")})
    return Judge(net.eval(), stored["feature_mean"], stored["feature_std"])


def frechet(a: Tensor, b: Tensor) -> float:
    """Frechet distance between Gaussians fitted to two sets of features (N, D) and (M, D):

    |mean_a - mean_b|^2 + tr(C_a + C_b - 2 (C_a^{1/2} C_b C_a^{1/2})^{1/2}).  [Dowson and Landau 1982; Heusel 2017]
    """
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise ValueError(
            f"need two sets of feature rows (N, D) of one width, but got {tuple(a.shape)} and {tuple(b.shape)}."
        )
    a, b = a.double(), b.double()
    root = _square_root(torch.cov(a.T))
    cross = torch.linalg.eigvalsh(root @ torch.cov(b.T) @ root).clamp(min=0).sqrt().sum()
    distance = ((a.mean(0) - b.mean(0)) ** 2).sum() + a.var(0).sum() + b.var(0).sum() - 2 * cross
    return distance.item()


def gradient_energy(images: Tensor) -> float:
    """Mean absolute difference of neighbouring pixels of uint8 images: how sharp they are, beside real ones."""
    x = images.float()
    return ((x.diff(dim=-1).abs().mean() + x.diff(dim=-2).abs().mean()) / 2).item()


def _square_root(matrix: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(matrix)
    return vectors @ torch.diag(values.clamp(min=0).sqrt()) @ vectors.T


def _classifier(channels: int, classes: int) -> nn.Sequential:
    """Three convolutions, halving twice; 64 features; one linear layer on them."""
    features = nn.Sequential(
        nn.Conv2d(channels, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(64, 128, 3, padding=1), nn.BatchNorm2d(128), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(),
        nn.Linear(512, 64), nn.Tanh(),
    )  # fmt: skip
    return nn.Sequential(features, nn.Linear(64, classes))


def _shifted(x: Tensor, generator: torch.Generator) -> Tensor:
    """The batch moved by one random offset; black comes in at the edge."""
    reach = max(1, x.shape[-1] // 16)
    dy, dx = torch.randint(-reach, reach + 1, (2,), generator=generator).tolist()
    padded = F.pad(x, (reach,) * 4, value=-1.0)
    return padded[:, :, reach + dy : reach + dy + x.shape[2], reach + dx : reach + dx + x.shape[3]]
