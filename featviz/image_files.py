"""Image files -> what the engine reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from featviz.errors import FeatvizError


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
        If there is no such file, or it is no image.
    """
    try:
        with Image.open(path) as file:
            image = ImageOps.exif_transpose(file).convert("RGB")
    except FileNotFoundError as error:
        raise FeatvizError(f"there is no file {path}") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise FeatvizError(f"{path} is no image that can be read ({error})") from error
    if image.size != (size, size):
        image = ImageOps.fit(image, (size, size), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255
