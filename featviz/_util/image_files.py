"""Image files -> square RGB tensors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import ExifTags, Image, ImageOps
from torch import Tensor

from featviz.errors import FeatvizError

UNREADABLE = (OSError, SyntaxError, ValueError, RuntimeError, Image.DecompressionBombError)
"""Exceptions that Pillow raises for a file with invalid content."""

_ORIENTATION = ExifTags.Base.Orientation  # from 5 to 8, rows and columns are exchanged


def read_image(path: str | Path, size: int) -> Tensor:
    """Read an image file as a square.

    An image of the right size is read unchanged. Another one is resized (bicubic) until its
    shorter side fits, and cropped at the center. The orientation in its EXIF data is applied;
    transparency is dropped.

    Parameters
    ----------
    path : str or Path
        A file of any format that Pillow reads.
    size : int
        Side of the square in pixels.

    Returns
    -------
    Tensor, shape (3, size, size)
        RGB in [0, 1].

    Raises
    ------
    FeatvizError
        If the file does not exist, is not an image, or has more than 8 bits per channel.
    """
    return resize_and_crop(_decoded(path), size)


def check_image(path: str | Path) -> None:
    """Decode an image file, without keeping it; raise what `read_image` raises.

    A JPEG file is decoded at an eighth of its size, which takes an eighth of the time of
    `read_image` and finds the same damage.

    Parameters
    ----------
    path : str or Path
        A file of any format that Pillow reads.

    Raises
    ------
    FeatvizError
        If `read_image` could not read the file.
    """
    _decoded(path, is_check=True)


def image_shape(path: str | Path) -> tuple[int, int]:
    """Return the width and height of an image as `read_image` sees it, from the file's header.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    (int, int)
        In pixels, after the orientation in the EXIF data.

    Raises
    ------
    FeatvizError
        If the file does not exist or is not an image.
    """
    try:
        with Image.open(path) as file:
            turned = file.getexif().get(_ORIENTATION, 1) > 4
            return (file.height, file.width) if turned else file.size
    except FileNotFoundError as error:
        raise FeatvizError(f"there is no file {path}") from error
    except UNREADABLE as error:
        raise FeatvizError(f"{path} cannot be read as an image ({error})") from error


def _decoded(path: str | Path, is_check: bool = False) -> Image.Image:
    try:
        with Image.open(path) as file:
            if file.mode[0] in "IF":  # of unknown range; Pillow would clip it at 255
                raise FeatvizError(f"{path} has more than 8 bits a channel; save it with 8")
            if is_check:
                file.draft(None, (max(1, file.width // 8), max(1, file.height // 8)))
            return _rgb(ImageOps.exif_transpose(file))
    except Image.DecompressionBombError as error:
        raise FeatvizError(f"{path}: {too_large(error)}") from error
    except FileNotFoundError as error:
        raise FeatvizError(f"there is no file {path}") from error
    except UNREADABLE as error:
        raise FeatvizError(f"{path} cannot be read as an image ({error})") from error


def too_large(error: Image.DecompressionBombError) -> str:
    """Describe an image that Pillow does not read because of its size.

    Parameters
    ----------
    error : PIL.Image.DecompressionBombError

    Returns
    -------
    str
        Pillow's reason, and how to read such images.
    """
    reason = str(error).partition(",")[0]
    return (
        f"{reason}; `featviz --large-images COMMAND ...` reads it, as does Python with "
        "PIL.Image.MAX_IMAGE_PIXELS = None"
    )


def resize_and_crop(image: Image.Image, size: int) -> Tensor:
    """Resize an image (bicubic) until its shorter side fits, and crop it at the center.

    Parameters
    ----------
    image : PIL.Image.Image
        Of any mode; converted to RGB.
    size : int
        Side of the square in pixels. An image of this size is not resampled.

    Returns
    -------
    Tensor, shape (3, size, size)
        RGB in [0, 1].
    """
    image = _rgb(image)
    if image.size != (size, size):
        image = ImageOps.fit(image, (size, size), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255


def _rgb(image: Image.Image) -> Image.Image:
    """Convert an image to RGB; transparency is dropped, as by timm and torchvision."""
    # Straight from a palette with transparency, Pillow warns.
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    return image if image.mode == "RGB" else image.convert("RGB")
