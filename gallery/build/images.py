"""Pictures as files."""

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
LARGEST = 16383  # pixels, the longest side of a WebP picture
EXACT = 64  # pixels, the longer side of a picture that is worth keeping without loss

Pixels = NDArray[np.uint8]

# How rendered pictures are written. On renders of DeiT-S at 224 pixels, WebP at quality 90 takes
# 9 KB and 2.4 ms a picture, 68 KB and 36 ms without loss; what it changes is 43 dB below the
# picture in lightness and 39 dB in all, for it halves the resolution of color. AVIF keeps that,
# and changes less (44 and 40 dB) in 10 KB and 11 ms. On the saturated textures of cueworld at 128
# pixels: 4 KB, 26 KB without loss; 42 and 37 dB, AVIF 43 and 38 dB. Method 4 takes twice the time
# of method 2 for files 2 % smaller.
FORMS: dict[str, dict[str, Any]] = {
    "webp": {"quality": 90, "method": 2},
    "avif": {"quality": 85, "subsampling": "4:4:4", "speed": 8, "max_threads": 1},
}


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


def save_picture(pixels: Pixels, target: Path | BinaryIO) -> None:
    """Write a picture as lossless WebP: maps, filters and figures are shown exactly.

    Parameters
    ----------
    pixels : array of uint8, shape (H, W, 3), or (H, W, 4) with opacity
    """
    # The least effort: 20 times as fast as the default, for files 3 % larger.
    Image.fromarray(pixels).save(target, "WEBP", lossless=True, quality=0, method=0)


@dataclass(frozen=True)
class Form:
    """How rendered pictures are encoded.

    Attributes
    ----------
    name : str
        Suffix of the files.
    options : dict
        For Pillow.
    """

    name: str
    options: dict[str, Any]

    def save(self, pixels: Pixels, target: Path | BinaryIO) -> None:
        """Write a picture (H, W, 3); as WebP without loss if it is at most 64 pixels a side."""
        if self.name == "webp" and max(pixels.shape[:2]) <= EXACT:
            save_picture(pixels, target)
        else:
            Image.fromarray(pixels).save(target, self.name.upper(), **self.options)


def form(name: str) -> Form:
    """Return one of `FORMS`.

    Raises
    ------
    FeatvizError
        If there is no such form, or this Pillow cannot write it.
    """
    if name not in FORMS:
        raise FeatvizError(
            f"pictures are {' or '.join(FORMS)}, not {name!r}{did_you_mean(name, FORMS)}"
        )
    if not features.check(name):
        raise FeatvizError(
            f"this Pillow ({PIL.__version__}) cannot write {name.upper()}; "
            "install pillow >= 11.3, or take webp"
        )
    return Form(name, FORMS[name])


def thumbnail(pixels: Pixels, path: Path) -> None:
    """Write a picture at most 96 pixels wide and high, never enlarged."""
    image = Image.fromarray(pixels)
    image.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS)
    image.save(path, "WEBP", quality=90)


def placeholder() -> Pixels:
    """Draw what stands for a picture that cannot be read: light and dark stripes, (96, 96, 3)."""
    y, x = np.mgrid[0:THUMBNAIL, 0:THUMBNAIL]
    stripes = np.where((x + y) // 8 % 2 == 0, 112, 144).astype(np.uint8)
    return np.repeat(stripes[..., None], 3, axis=2)


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
