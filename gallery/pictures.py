"""Pictures as files."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from featviz.errors import FeatvizError

THUMBNAIL = 96  # pixels, the longer side
LARGEST = 16383  # pixels, the longest side of a WebP picture
BETWEEN = 4  # pixels between the halves of a thumbnail

Pixels = NDArray[np.uint8]


def check_pictures(address: str, images: NDArray[Any]) -> None:
    """Refuse pictures that no file can hold.

    Parameters
    ----------
    images : array, shape (..., H, W, channels)

    Raises
    ------
    FeatvizError
        Naming the unit and the shape.
    """
    if not images.size or max(images.shape) > LARGEST:
        raise FeatvizError(f"{address} cannot be shown: its pictures are {images.shape}")


def check_pairs(address: str, images: NDArray[Any]) -> None:
    """Refuse images (..., 2, H, W, 3) that are not two, or that no file can hold."""
    check_pictures(address, images)
    if images.shape[-4] != 2:
        raise FeatvizError(f"{address} cannot be shown: it has {images.shape[-4]} sides, not 2")


def save_picture(pixels: Pixels, path: Path) -> None:
    """Write a picture as lossless WebP, so that the gallery shows what the store holds.

    Lossy WebP halves the resolution of colour at any quality; on the saturated textures of
    rendered pictures single pixels were measured 80 of 255 levels off.

    Parameters
    ----------
    pixels : array of uint8, shape (H, W, 3), or (H, W, 4) with opacity
    """
    # The least effort: 20 times as fast as the default, for files 3 % larger.
    Image.fromarray(pixels).save(path, "WEBP", lossless=True, quality=0, method=0)


def save_thumbnail(pictures: Sequence[Pixels], path: Path) -> None:
    """Write pictures of one size side by side, each at most 96 pixels wide and high.

    Smaller ones keep their size. What is between two is transparent.

    Parameters
    ----------
    pictures : sequence of arrays of uint8, shape (H, W, 3)
    """
    small = [Image.fromarray(pixels) for pixels in pictures]
    for image in small:
        image.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS)
    thumb = small[0]
    if len(small) > 1:
        width, height = thumb.size
        thumb = Image.new("RGBA", ((width + BETWEEN) * len(small) - BETWEEN, height))
        for place, image in enumerate(small):
            thumb.paste(image, (place * (width + BETWEEN), 0))
    thumb.save(path, "WEBP", quality=90)


def best_sample(activation: NDArray[np.floating[Any]]) -> int:
    """Index of the highest finite activation; 0 if none is finite."""
    return int(np.argmax(np.where(np.isfinite(activation), activation, -np.inf)))


class Figures:
    """Numbered pictures in a folder, each content once: ``0.webp``, ``1.webp``, ...

    Parameters
    ----------
    folder : Path
        Made with the first picture.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers: dict[bytes, int] = {}

    def save(self, pixels: Pixels, address: str) -> list[int]:
        """Write a picture, unless it is there.

        Returns
        -------
        list of int
            Number, width and height.

        Raises
        ------
        FeatvizError
            Naming the row at `address` if the picture has no pixels, or too many.
        """
        check_pictures(address, pixels)
        height, width, _ = pixels.shape
        digest = hashlib.sha256(f"{width}\0".encode() + pixels.tobytes()).digest()
        if digest not in self._numbers:
            self._folder.mkdir(exist_ok=True)
            self._numbers[digest] = len(self._numbers)
            save_picture(pixels, self._folder / f"{self._numbers[digest]}.webp")
        return [self._numbers[digest], width, height]
