"""Image files -> what the engine reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from featviz.errors import FeatvizError

# What Pillow raises for a file whose bytes are wrong.
UNREADABLE = (OSError, SyntaxError, ValueError, RuntimeError, Image.DecompressionBombError)


def read_image(path: str | Path, size: int) -> Tensor:
    """Read an image file as a square.

    An image of the right size is read as it is; another is resized (bicubic) until its shorter
    side fits, and its middle is cut out. Rotation recorded by a camera is applied, transparency
    is dropped.

    Parameters
    ----------
    path : str or Path
        Of any format that Pillow reads.
    size : int
        Side of the square in pixels.

    Returns
    -------
    Tensor, shape (3, size, size)
        RGB in [0, 1].

    Raises
    ------
    FeatvizError
        If there is no such file, it is no image, or one of more than 8 bits a channel.
    """
    try:
        with Image.open(path) as file:
            if file.mode[0] in "IF":  # of unknown range; Pillow would cut it off at 255
                raise FeatvizError(f"{path} has more than 8 bits a channel; save it with 8")
            image = ImageOps.exif_transpose(file).convert("RGB")
    except FileNotFoundError as error:
        raise FeatvizError(f"there is no file {path}") from error
    except UNREADABLE as error:
        raise FeatvizError(f"{path} is no image that can be read ({error})") from error
    return square(image, size)


def square(image: Image.Image, size: int) -> Tensor:
    """Resize an image until its shorter side fits, bicubic, and cut out its middle.

    Returns
    -------
    Tensor, shape (3, size, size)
        RGB in [0, 1]; an image of the right size as it is.
    """
    image = image.convert("RGB")
    if image.size != (size, size):
        image = ImageOps.fit(image, (size, size), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255
