"""What is done to pictures before training and after drawing: padding, mirroring, shrinking, laying side by side."""

import math

import torch
from PIL import Image
from torch import Tensor

from ddpm_core.diffusion.arguments import checked, in_range
from ddpm_core.diffusion.pixels import to_uint8


@checked
def pad_to(images: Tensor, height: int, width: int) -> Tensor:
    """Centre (N, C, H, W) images on a black canvas of height x width; those that fill it are returned as they are."""
    in_range("height", height, 1, 1 << 16)
    in_range("width", width, 1, 1 << 16)
    extra_h, extra_w = height - images.shape[2], width - images.shape[3]
    if not extra_h and not extra_w:
        return images
    if extra_h < 0 or extra_w < 0:
        raise ValueError(f"need room for {images.shape[2]}x{images.shape[3]} images, but {height}x{width} is smaller.")
    black = 0 if images.dtype == torch.uint8 else -1
    sides = (extra_w // 2, extra_w - extra_w // 2, extra_h // 2, extra_h - extra_h // 2)
    return torch.nn.functional.pad(images, sides, value=black)


@checked
def random_flip(x: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror each image (B, C, H, W) left to right with probability one half."""
    mirrored = torch.rand(len(x), generator=generator) < 0.5
    return torch.where(mirrored.to(x.device)[:, None, None, None], x.flip(-1), x)


@checked
def shrink(images: Tensor, factor: int) -> Tensor:
    """uint8 images (N, C, H, W) at 1/factor of their size: each pixel the mean of factor x factor of theirs."""
    if images.dtype != torch.uint8 or factor < 1 or images.shape[2] % factor or images.shape[3] % factor:
        raise ValueError(
            f"need uint8 images whose sides {factor} divides, but got {images.dtype} {tuple(images.shape)}."
        )
    means = torch.nn.functional.avg_pool2d(images.float(), factor)
    return (means + 0.5).floor().to(torch.uint8)  # halves go up, as on paper


@checked
def multiple_size(images: Tensor, multiple: int) -> tuple[int, int]:
    """Height and width of the smallest canvas for images (N, C, H, W) whose sides are divisible by `multiple`."""
    in_range("multiple", multiple, 1, 1 << 16)
    if images.ndim != 4:
        raise ValueError(f"need images (N, C, H, W), but got shape {tuple(images.shape)}.")
    height, width = (-(-side // multiple) * multiple for side in images.shape[2:])
    return height, width


@checked
def pad_to_multiple(images: Tensor, multiple: int) -> Tensor:
    """Images (N, C, H, W) centred on the smallest black canvas whose sides are divisible by `multiple`."""
    return pad_to(images, *multiple_size(images, multiple))


@checked
def tile(images: Tensor, columns: int | None = None, enlarge: int = 1, gap: int = 2) -> Image.Image:
    """Images (N, C, H, W), uint8 or floats in [-1, 1], side by side on white; enlarged with a bicubic filter."""
    if images.ndim != 4 or images.shape[1] not in (1, 3, 4) or not images.numel():
        raise ValueError(f"need images (N, C, H, W) with 1, 3 or 4 channels, but got shape {tuple(images.shape)}.")
    in_range("columns", 1 if columns is None else columns, 1, 1 << 16)
    in_range("enlarge", enlarge, 1, 1 << 10)
    in_range("gap", gap, 0, 1 << 10)
    images = images if images.dtype == torch.uint8 else to_uint8(images)
    N, C, H, W = images.shape
    columns = columns or math.ceil(math.sqrt(N))
    height, width = enlarge * H, enlarge * W
    rows = math.ceil(N / columns)
    mode = {1: "L", 3: "RGB", 4: "RGBA"}[C]
    sheet = Image.new(
        mode, (columns * (width + gap) - gap, rows * (height + gap) - gap), {1: 255, 3: (255,) * 3, 4: (255,) * 4}[C]
    )
    for k, image in enumerate(images.cpu()):
        picture = Image.fromarray(image.permute(1, 2, 0).squeeze(-1).numpy())
        picture = picture.resize((width, height), Image.Resampling.BICUBIC)
        sheet.paste(picture, (k % columns * (width + gap), k // columns * (height + gap)))
    return sheet
