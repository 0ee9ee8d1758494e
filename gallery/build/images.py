"""Image files: formats, thumbnails, and figures of sections."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import Image, features

from featviz.errors import FeatvizError, did_you_mean

THUMBNAIL = 96  # pixels, the longer side
LARGEST = 16383  # pixels, maximum side of a WebP image
LOSSLESS = 64  # pixels; WebP images up to this size are lossless

Pixels = NDArray[np.uint8]

# Encoder options. On renders of DeiT-S at 224 pixels, WebP at quality 90 takes 9 KB and 2.4 ms per
# picture (lossless: 68 KB and 36 ms). Its PSNR is 43 dB in lightness and 39 dB over all channels,
# because it halves the resolution of chroma. AVIF does not, and reaches 44 and 40 dB in 10 KB and
# 11 ms. On the saturated textures of cueworld at 128 pixels, WebP takes 4 KB (lossless: 26 KB) and
# reaches 42 and 37 dB, AVIF 43 and 38 dB. Method 4 takes twice the time of method 2 for files 2 %
# smaller.
FORMATS: dict[str, dict[str, Any]] = {
    "webp": {"quality": 90, "method": 2},
    "avif": {"quality": 85, "subsampling": "4:4:4", "speed": 8, "max_threads": 1},
}


def check_pictures(address: str, images: NDArray[Any]) -> None:
    """Check that images can be written to files.

    Parameters
    ----------
    address : str
        Of the row, for messages.
    images : array, shape (..., H, W, channels)

    Raises
    ------
    FeatvizError
        If they are empty or too large.
    """
    if not images.size or max(images.shape) > LARGEST:
        raise FeatvizError(f"{address} cannot be shown: its pictures have shape {images.shape}")


def check_pairs(address: str, images: NDArray[Any]) -> None:
    """Check that images are pairs and can be written to files.

    Parameters
    ----------
    address : str
        Of the row, for messages.
    images : array, shape (..., 2, H, W, 3)

    Raises
    ------
    FeatvizError
        If they are not pairs, empty, or too large.
    """
    check_pictures(address, images)
    if images.shape[-4] != 2:
        raise FeatvizError(f"{address} cannot be shown: it has {images.shape[-4]} sides, not 2")


def save_lossless(pixels: Pixels, target: Path | BinaryIO) -> None:
    """Write an image as lossless WebP, as for maps, filters and figures.

    Parameters
    ----------
    pixels : array of uint8, shape (H, W, 3), or (H, W, 4) with opacity
    target : Path or binary file
    """
    # Lowest effort: 20 times as fast as the default, for files 3 % larger.
    Image.fromarray(pixels).save(target, "WEBP", lossless=True, quality=0, method=0)


@dataclass(frozen=True)
class ImageFormat:
    """Format of rendered pictures.

    Attributes
    ----------
    name : str
        Suffix of the files; a key of `FORMATS`.
    options : dict
        Encoder options for Pillow.
    """

    name: str
    options: dict[str, Any]

    def save(self, pixels: Pixels, target: Path | BinaryIO) -> None:
        """Write a picture; WebP is lossless up to 64 pixels a side.

        Parameters
        ----------
        pixels : array of uint8, shape (H, W, 3)
        target : Path or binary file
        """
        if self.name == "webp" and max(pixels.shape[:2]) <= LOSSLESS:
            save_lossless(pixels, target)
        else:
            Image.fromarray(pixels).save(target, self.name.upper(), **self.options)


def image_format(name: str) -> ImageFormat:
    """Return a format by name.

    Parameters
    ----------
    name : str
        One of `FORMATS`.

    Returns
    -------
    ImageFormat

    Raises
    ------
    FeatvizError
        If the name is unknown, or the installed Pillow cannot write the format.
    """
    if name not in FORMATS:
        raise FeatvizError(
            f"unknown image format {name!r}; expected {' or '.join(FORMATS)}"
            f"{did_you_mean(name, FORMATS)}"
        )
    if not features.check(name):
        raise FeatvizError(
            f"Pillow {PIL.__version__} cannot write {name.upper()}; "
            "install pillow >= 11.3, or use webp"
        )
    return ImageFormat(name, FORMATS[name])


def save_thumbnail(pixels: Pixels, path: Path) -> None:
    """Write an image, reduced to at most 96 x 96 pixels.

    Parameters
    ----------
    pixels : array of uint8, shape (H, W, 3)
    path : Path
    """
    image = Image.fromarray(pixels)
    image.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS)
    image.save(path, "WEBP", quality=90)


def placeholder() -> Pixels:
    """Return the placeholder of a damaged picture: gray stripes, shape (96, 96, 3)."""
    y, x = np.mgrid[0:THUMBNAIL, 0:THUMBNAIL]
    stripes = np.where((x + y) // 8 % 2 == 0, 112, 144).astype(np.uint8)
    return np.repeat(stripes[..., None], 3, axis=2)


def best_sample(activation: NDArray[np.floating[Any]]) -> int:
    """Return the index of the highest finite activation; 0 if none is finite.

    Parameters
    ----------
    activation : array, shape (samples,)
    """
    return int(np.argmax(np.where(np.isfinite(activation), activation, -np.inf)))


class Figures:
    """Folder of numbered images without duplicates: ``0.webp``, ``1.webp``, ...

    Parameters
    ----------
    folder : Path
        Created with the first image.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers: dict[bytes, int] = {}

    def save(self, pixels: Pixels, address: str) -> list[int]:
        """Write an image, unless one with the same content exists.

        Parameters
        ----------
        pixels : array of uint8, shape (H, W, 3 or 4)
        address : str
            Of the row, for messages.

        Returns
        -------
        list of int
            File number, width and height.

        Raises
        ------
        FeatvizError
            If the image is empty or too large.
        """
        check_pictures(address, pixels)
        height, width, _ = pixels.shape
        digest = hashlib.sha256(f"{width}\0".encode() + pixels.tobytes()).digest()
        if digest not in self._numbers:
            self._folder.mkdir(exist_ok=True)
            self._numbers[digest] = len(self._numbers)
            save_lossless(pixels, self._folder / f"{self._numbers[digest]}.webp")
        return [self._numbers[digest], width, height]
