"""One rule for decoding: the same picture gives the same pixels, however it is stored.

transparency  in an alpha channel, a palette, a colour key or beside grey: four channels, RGBA
grey          without transparency, one channel: 1, 8 or 16 bits a pixel (of 16 the upper eight), or floats
all else      three channels: palettes, CMYK, YCbCr, Lab, ...
Upright, as a camera that was held sideways says in the file (EXIF); of an animation the first picture. Colour profiles
are not applied.
"""

import io
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ddpm_core.storage.hub import first_line

ONLY_KNOWN = {"BUFR", "GRIB", "HDF5", "MPEG", "WMF", "EPS"}  # which Pillow tells apart, but does not draw by itself
ORIENTATION, SIDEWAYS = 0x0112, (5, 6, 7, 8)  # in a camera's notes; these exchange height and width


def endings() -> set[str]:
    """The endings, with their dot and in small letters, of the files that Pillow opens as pictures."""
    Image.init()
    return {ending for ending, kind in Image.registered_extensions().items() if kind in Image.OPEN.keys() - ONLY_KNOWN}


def decode(raw: bytes | np.ndarray | None, where: str | Path) -> Image.Image:
    """A compressed picture, or its array uint8 (H, W, C), as a picture of mode L, RGB or RGBA.

    where: the file or row, for the sentence of the ValueError that a picture raises which does not decode.
    """
    return raw_picture(raw) if isinstance(raw, np.ndarray) else _opened(raw, where, _decoded)


def shape(raw: bytes | np.ndarray | None, where: str | Path) -> tuple[int, int, str]:
    """Height, width and mode of what `decode` would give; of a compressed picture only the first bytes are read."""
    return _shape(raw_picture(raw)) if isinstance(raw, np.ndarray) else _opened(raw, where, _shape)


def raw_picture(pixels: np.ndarray) -> Image.Image:
    """uint8 (H, W, 1, 3 or 4) as a picture. Raises ValueError for others."""
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[-1] not in (1, 3, 4) or not pixels.size:
        raise ValueError(f"need raw pixels as uint8 (H, W, 1, 3 or 4), but got {pixels.dtype} {pixels.shape}.")
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else np.ascontiguousarray(pixels))


def _opened(raw: bytes | None, where: str | Path, use: Callable):
    """use(picture), while Pillow's warnings are silent and its errors are one sentence."""
    if not raw:
        raise ValueError(f"need images that decode, but {where} is empty.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return use(Image.open(io.BytesIO(raw)))
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        limit = Image.MAX_IMAGE_PIXELS / 1e6
        raise ValueError(f"need images of at most {limit:.0f} million pixels, but {where} has more.") from error
    except UnidentifiedImageError as error:
        raise ValueError(f"need images that decode, but {where} holds no picture that Pillow knows.") from error
    except Exception as error:  # Pillow raises many kinds for a broken picture
        raise ValueError(f"need images that decode, but {where} does not: {first_line(error)}.") from error


def _decoded(picture: Image.Image) -> Image.Image:
    picture.load()
    mode, is_png = _mode(picture), picture.format == "PNG"
    picture = _upright(picture)
    if picture.mode.startswith("I"):
        values = np.asarray(picture)
        deep = picture.mode != "I" or is_png or values.max() > 255  # else small numbers in large boxes
        return _eight_bits(values >> 8 if deep else values)
    if picture.mode == "F":
        values = np.asarray(picture)
        return _eight_bits(values * 255 if 0 <= values.min() <= values.max() <= 1 else values)
    return picture if picture.mode == mode else picture.convert(mode)


def _shape(picture: Image.Image) -> tuple[int, int, str]:
    width, height = picture.size  # of a TIFF as it stands upright
    turned = picture.format != "TIFF" and _orientation(picture) in SIDEWAYS
    return (width, height, _mode(picture)) if turned else (height, width, _mode(picture))


def _mode(picture: Image.Image) -> str:
    """What the picture becomes: L, RGB or RGBA."""
    if picture.mode in ("RGBA", "RGBa", "LA", "La", "PA"):
        return "RGBA"
    if picture.mode in ("1", "L", "P", "RGB") and "transparency" in picture.info:
        return "RGBA"
    return "L" if picture.mode in ("1", "L", "F") or picture.mode.startswith("I") else "RGB"


def _eight_bits(values: np.ndarray) -> Image.Image:
    if not (values >= 0).all() or values.max() > 255.5:
        raise ValueError(f"its values lie in {values.min():g}..{values.max():g}, neither in 0..1 nor in 0..255")
    return Image.fromarray(np.rint(values).astype(np.uint8))


def _upright(picture: Image.Image) -> Image.Image:
    return ImageOps.exif_transpose(picture) if _orientation(picture) not in (None, 1) else picture


def _orientation(picture: Image.Image) -> int | None:
    try:
        return picture.getexif().get(ORIENTATION)
    except Exception:  # a broken note beside a sound picture
        return None
