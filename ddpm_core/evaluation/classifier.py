"""Is it any good? A small classifier of real images judges drawn ones: are they recognised, do they vary enough?

The Frechet distance here is in this classifier's own standardised features. It is not FID, which is the same formula
in the features of one fixed Inception network; numbers from different features do not compare.
"""

import hashlib
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm.auto import tqdm, trange

from ddpm_core.data import ImageDataset, rows_at, to_float
from ddpm_core.diffusion.arguments import checked, in_range
from ddpm_core.diffusion.noise import seeded
from ddpm_core.storage.files import cache, read_tensors, write_tensors


@dataclass(frozen=True, eq=False)
class Classifier:
    """A trained classifier, and the mean and spread of its features on the real images it was trained on."""

    net: nn.Module
    feature_mean: Tensor
    feature_std: Tensor
    shape: tuple[int, ...]  # (C, H, W) of those images

    @torch.no_grad()
    def features(self, images: Tensor) -> Tensor:
        """(N, 64) for uint8 images (N, C, H, W): standardised, so that real training images have mean 0 and std 1.

        Raises ValueError for images of another size or colour than those that it was trained on.
        """
        self._check(images)
        parts = tqdm(images.split(500), "looking at features", unit="x500 images", delay=1, leave=False)
        raw = torch.cat([self.net[0](to_float(part)) for part in parts])
        return (raw - self.feature_mean) / self.feature_std

    @torch.no_grad()
    def classes(self, images: Tensor) -> Tensor:
        """The class (N,) that the classifier sees in each of the uint8 images (N, C, H, W). Raises as `features`."""
        self._check(images)
        return torch.cat([self.net(to_float(part)).argmax(1) for part in images.split(500)])

    def accuracy(self, images: Tensor, labels: Tensor) -> float:
        """Share of the images recognised as what they should show."""
        seen = self.classes(images)
        if (
            not isinstance(labels, Tensor)
            or labels.shape != images.shape[:1]
            or labels.dtype not in (torch.int64, torch.int32)
        ):
            got = tuple(labels.shape) if isinstance(labels, Tensor) else f"a {type(labels).__name__}"
            raise ValueError(f"need labels as whole numbers, one for each of {len(images)} images, but got {got}.")
        return (seen == labels).double().mean().item()

    def _check(self, images: Tensor) -> None:
        if not isinstance(images, Tensor) or images.dtype != torch.uint8:
            got = images.dtype if isinstance(images, Tensor) else f"a {type(images).__name__}"
            raise ValueError(f"need images as a tensor of uint8, but got {got}.")
        if not len(images) or tuple(images.shape[1:]) != self.shape:
            raise ValueError(
                f"need images (N, {', '.join(map(str, self.shape))}), as this classifier was trained on, but got "
                f"{tuple(images.shape)}."
            )


@checked
def train(images: ImageDataset, *, steps: int = 1500, batch: int = 128, seed: int = 0) -> Classifier:
    """Train a small convolutional classifier on labelled real images, shifted by up to a sixteenth of their side:
    by up to one pixel where that is less."""
    if images.labels is None:
        raise ValueError(f"need labels to train a classifier, but {images.source} has none.")
    in_range("steps", steps, 1, 10**7)
    torch.manual_seed(seed)
    net = _classifier(images.images.shape[1], images.num_classes).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=0.01)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps)
    for step in trange(steps, desc="training a classifier to judge by", unit=" steps", delay=1, leave=False):
        rows = rows_at(step, len(images), batch, seed)
        x = _shifted(to_float(images.images[rows]), seeded(seed, step))
        loss = F.cross_entropy(net(x), images.labels[rows], label_smoothing=0.05)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        rate.step()
    net.eval()
    shape = tuple(images.images.shape[1:])
    raw = Classifier(net, torch.zeros(64), torch.ones(64), shape).features(images.images)
    spread = raw.std(0)
    return Classifier(
        net, raw.mean(0), torch.where(spread > 1e-6, spread, 1.0), shape
    )  # what never varies is not magnified


def cached(images: ImageDataset, *, steps: int) -> Classifier:
    """`train`, run once for the same pixels, labels and steps, and kept in the cache folder."""
    labels = hashlib.sha256(images.labels.numpy().tobytes()).hexdigest() if images.labels is not None else ""
    path = cache() / f"judge-{images.pixels_sha256[:16]}-{labels[:16]}-{steps}.safetensors"
    if not path.is_file():
        judge = train(images, steps=steps)
        statistics = {"feature_mean": judge.feature_mean, "feature_std": judge.feature_std}
        write_tensors(path, statistics | {f"net.{k}": v for k, v in judge.net.state_dict().items()}, {})
    stored, _ = read_tensors(path)
    net = _classifier(images.images.shape[1], images.num_classes).to(memory_format=torch.channels_last)
    net.load_state_dict({name.removeprefix("net."): v for name, v in stored.items() if name.startswith("net.")})
    return Classifier(net.eval(), stored["feature_mean"], stored["feature_std"], tuple(images.images.shape[1:]))


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
